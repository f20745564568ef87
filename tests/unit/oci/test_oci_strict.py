"""JSON from strangers."""

from __future__ import annotations

import pytest

from firkin.oci import strict
from firkin.oci.strict import BadMetadata, parse


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "JSON"),
        (b"{", "JSON"),
        (b"{}x", "JSON"),
        (b"\xff", "UTF-8"),
        (b'{"a":1,"a":2}', "each key once"),
        (b'{"a":NaN}', "numbers"),
        (b'{"a":-Infinity}', "numbers"),
        (b'{"a":9223372036854775808}', "integers"),
        (b'{"a":' + b"9" * 6000 + b"}", "integers"),
        (b"[" * 40 + b"]" * 40, "levels"),
        (b"[" * 100_000 + b"]" * 100_000, "levels"),
        (b"[" + b"[]," * 300_000 + b"[]]", "values"),
        (b'"' + b"x" * (8 << 20) + b'"', "8 MiB"),
    ],
)
def test_hostile_documents_are_refused_naming_the_file(data, why):
    with pytest.raises(BadMetadata, match=f"manifest.json.*{why}") as caught:
        parse(data, "manifest.json")
    assert caught.value.fields["file"] == "manifest.json"


def test_an_error_names_file_field_expectation_and_what_was_found():
    node = parse(b'{"config":{"Env":["A=1",5]}}', "blobs/x")
    with pytest.raises(BadMetadata) as caught:
        node["config"]["Env"].strings()
    assert str(caught.value) == "blobs/x: config.Env[1]: expected a string, found an integer"


def test_absent_and_null_are_the_same():
    node = parse(b'{"a":null}', "f")
    assert node["a"].string() == node["b"].string() == ""
    assert node["a"].strings() is None
    assert node["a"]["b"]["c"].integer() == 0
    assert list(node["a"].items()) == []


@pytest.mark.parametrize("text", [r'"a\u0000b"', r'"\ud800"', "5", "[]", "true", "{}"])
def test_strings_that_could_not_be_used_are_refused(text):
    with pytest.raises(BadMetadata):
        parse(b'{"a":' + text.encode() + b"}", "f")["a"].string()


@pytest.mark.parametrize("text", ["true", "1.5", '"1"', "-1"])
def test_integers_are_integers(text):
    with pytest.raises(BadMetadata):
        parse(b'{"a":' + text.encode() + b"}", "f")["a"].integer()


def test_what_is_shown_of_a_stranger_is_cut_and_printable():
    assert strict.shown("\x1b[31m" + "x" * 100).count("x") < 60
    assert "\x1b" not in strict.shown("\x1b[31m")
