"""Docker's reference grammar and normalisation."""

from __future__ import annotations

import pytest

from firkin.errors import FirkinError, InvalidArgument
from firkin.oci import reference

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("text", "canonical", "familiar"),
    [
        ("busybox", "docker.io/library/busybox:latest", "busybox:latest"),
        ("busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36"),
        ("docker.io/busybox", "docker.io/library/busybox:latest", "busybox:latest"),
        ("index.docker.io/library/busybox", "docker.io/library/busybox:latest", "busybox:latest"),
        ("me/app", "docker.io/me/app:latest", "me/app:latest"),
        ("localhost/app", "localhost/app:latest", "localhost/app:latest"),
        ("localhost:5000/a/b:x", "localhost:5000/a/b:x", "localhost:5000/a/b:x"),
        ("gcr.io/x", "gcr.io/x:latest", "gcr.io/x:latest"),
        ("[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a:latest"),
        ("a__b-.x".replace("-.", "--"), "docker.io/library/a__b--x:latest", "a__b--x:latest"),
        (f"busybox@{DIGEST}", f"docker.io/library/busybox@{DIGEST}", f"busybox@{DIGEST}"),
        (f"busybox:1@{DIGEST}", f"docker.io/library/busybox:1@{DIGEST}", f"busybox:1@{DIGEST}"),
        ("Host/app", "Host/app:latest", "Host/app:latest"),
    ],
)
def test_normalises_as_docker_does(text, canonical, familiar):
    parsed = reference.parse(text)
    assert str(parsed) == canonical
    assert parsed.familiar == familiar
    assert str(reference.parse(familiar)) == canonical


@pytest.mark.parametrize(
    "text",
    ["", ":x", "-a", "a-", "a..b", "a._b", "a___b", "a//b", "a/", "/a", "a:", "a:-x", "a:" + "x" * 129, "a@", "a@sha256:12",
     "a b", "a\0b", "ä", "x.y:port/a", "-h.io/a", "a" * 64, "x/" * 130 + "a", f"a@{DIGEST.upper()}", "../a", "a/../b"],
)  # fmt: skip
def test_refuses_what_docker_refuses(text):
    with pytest.raises(InvalidArgument):
        reference.parse(text)


def test_upper_case_gets_dockers_words():
    with pytest.raises(InvalidArgument, match=r"repository name \(library/FOO\) must be lowercase"):
        reference.parse("FOO")


def test_another_digest_algorithm_is_named():
    with pytest.raises(FirkinError, match="sha512"):
        reference.parse("a@sha512:" + "0" * 128)


@pytest.mark.parametrize(
    ("canonical", "short"),
    [("docker.io/library/busybox:latest", "busybox:latest"), ("docker.io/me/app:1", "me/app:1"),
     ("docker.io/library/a/b:1", "library/a/b:1"), ("quay.io/a:1", "quay.io/a:1")],
)  # fmt: skip
def test_familiar_form_of_a_stored_name(canonical, short):
    assert reference.familiar(canonical) == short
