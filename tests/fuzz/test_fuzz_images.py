"""Documents and names from strangers: whatever they hold, the answer is a value or an error of ours."""

from __future__ import annotations

import json

import imagecraft as craft
from hypothesis import given, settings
from hypothesis import strategies as st

from firkin.errors import FirkinError
from firkin.images.archive import BrokenArchive
from firkin.images.changes import apply_changes
from firkin.images.load import read_layout
from firkin.oci import reference
from firkin.oci.image import ImageConfig
from firkin.oci.manifest import parse_manifest

LIMITS = settings(max_examples=200, deadline=None, derandomize=True)

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
LAYER = craft.layer({"a": b"1"})
CONFIG = json.loads(craft.config([LAYER]))
OCI = craft.oci_files([LAYER])


@given(st.text(max_size=80) | st.from_regex(r"[a-zA-Z0-9./:@_-]{1,60}", fullmatch=True))
@LIMITS
def test_references(text):
    try:
        parsed = reference.parse(text)
    except FirkinError:
        return
    assert reference.parse(str(parsed)) == parsed
    assert reference.parse(parsed.familiar) == parsed
    assert len(parsed.repository) <= 255


def paths(value, here=()):
    yield here
    if isinstance(value, dict):
        for key, item in value.items():
            yield from paths(item, (*here, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from paths(item, (*here, number))


def replaced(value, path, new):
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


@given(st.sampled_from(list(paths(CONFIG))), values)
@LIMITS
def test_configurations_with_one_value_replaced(path, new):
    data = json.dumps(replaced(CONFIG, path, new)).encode()
    try:
        image = ImageConfig.parse(data, "f")
    except FirkinError:
        return
    assert ImageConfig.parse(image.to_json()) == image == ImageConfig.trusted(image.to_json().decode())


@given(st.binary(max_size=200) | values.map(lambda v: json.dumps(v).encode()))
@LIMITS
def test_any_bytes_as_any_document(data):
    for parse in (ImageConfig.parse, parse_manifest):
        try:
            parse(data, "f")
        except FirkinError:
            pass


class Memory:
    title = "x"

    def __init__(self, files):
        self.files = files

    def has(self, name):
        return name in self.files

    def size(self, name):
        return len(self.read(name))

    def read(self, name, limit=0):
        if name not in self.files:
            raise BrokenArchive(self.title, "not in the archive", name)
        return self.files[name]


@given(st.data())
@LIMITS
def test_archives_with_one_document_changed(data):
    files = dict(data.draw(st.sampled_from([OCI, craft.docker_files([LAYER], ["a:1"])])))
    name = data.draw(st.sampled_from([n for n, content in files.items() if content[:1] in b"[{"]))
    document = json.loads(files[name])
    path = data.draw(st.sampled_from(list(paths(document))))
    files[name] = json.dumps(replaced(document, path, data.draw(values))).encode()
    try:
        found = read_layout(Memory(files), None)
    except FirkinError:
        return
    assert all(len(one.layers) == len(one.config.diff_ids) for one in found)


words = st.sampled_from(
    ["CMD", "ENV", "LABEL", "EXPOSE", "VOLUME", "WORKDIR", "USER", "HEALTHCHECK", "ONBUILD", "ENTRYPOINT"]
)


@given(words, st.text(alphabet="ab= \"'\\${}[]:-/0,", max_size=30))
@LIMITS
def test_changes(verb, rest):
    try:
        image = apply_changes(ImageConfig(architecture="amd64"), (f"{verb} {rest}",))
    except FirkinError:
        return
    assert ImageConfig.parse(image.to_json()) == image
