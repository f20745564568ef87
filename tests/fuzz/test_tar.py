"""Hostile tar archives by the thousand: whatever they say, nothing outside the layer changes and nothing is left.

``FIRKIN_FUZZ_EXAMPLES=100000`` searches longer than the few seconds that CI has.
"""

from __future__ import annotations

import gzip
import io
import os
import shutil
from pathlib import Path

import pytest
import tarcraft as t
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from storagekit import snapshot

from firkin.errors import FirkinError
from firkin.paths import Paths
from firkin.storage.layers import LayerStore
from firkin.storage.reader import Limits, TarReader

EXAMPLES = int(os.environ.get("FIRKIN_FUZZ_EXAMPLES", "300"))
LIMITS = Limits(size=1 << 20, entries=200)
relaxed = settings(
    max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck), derandomize=True
)  # fmt: skip

HOME = f"/var/tmp/firkin-test-fuzz-{os.getpid()}"
OUTSIDE = f"{HOME}/outside".encode()
PARTS = st.sampled_from(
    [b"a", b"b", b"etc"] * 12 + [b".wh.a", b".wh.b", b".wh.etc", b".wh..wh..opq", b".", b"", b"sentinel"] * 3
    + [b"..", b".wh..", b".wh...", b".wh.", b"\xff", b"x" * 255, b"y" * 256]
)  # fmt: skip
NAMES = st.lists(PARTS, min_size=1, max_size=5).map(b"/".join) | st.lists(PARTS, max_size=4).map(
    lambda parts: b"/" + b"/".join(parts)
)
TARGETS = NAMES | st.sampled_from(
    [
        OUTSIDE,
        OUTSIDE + b"/sentinel",
        b"../" * 20 + OUTSIDE[1:],
        b"/proc/self/root" + OUTSIDE,
        b"/proc/self/cwd",
        b"/",
        b".",
    ]
)
KINDS = st.sampled_from([bytes((kind,)) for kind in b"0000111222222355555566" * 3 + b"47\0SgVZ"])
NUMBERS = st.one_of(
    st.integers(0, 0o7777), st.sampled_from([-1, -512, 1 << 31, (1 << 32) - 1, 1 << 33, 1 << 62, 1 << 70])
)
RECORDS = st.lists(
    st.tuples(
        st.sampled_from(
            [b"path", b"linkpath", b"size", b"uid", b"gid", b"mtime", b"GNU.sparse.major", b"GNU.sparse.minor",
             b"GNU.sparse.map", b"GNU.sparse.size", b"GNU.sparse.realsize", b"GNU.sparse.name", b"GNU.sparse.offset",
             b"GNU.sparse.numbytes", b"SCHILY.xattr.user.x", b"SCHILY.xattr.trusted.overlay.opaque",
             b"SCHILY.xattr.trusted.overlay.redirect", b"SCHILY.xattr.security.capability",
             b"LIBARCHIVE.xattr.user.y", b"hdrcharset"]
        ),
        TARGETS | st.sampled_from([b"0", b"1", b"512", b"0,1,5,2", b"1.5", b"-1", b"9" * 30, b"y"]),
    ),
    max_size=4,
)  # fmt: skip


@st.composite
def members(draw) -> bytes:
    made = b""
    if draw(st.integers(0, 3)) == 0:
        made += t.pax(*draw(RECORDS), kind=draw(st.sampled_from([b"x", b"x", b"g", b"X"])))
    if draw(st.integers(0, 9)) == 0:
        made += t.long_name(draw(NAMES) * draw(st.integers(1, 3)))
    if draw(st.integers(0, 9)) == 0:
        made += t.long_link(draw(TARGETS))
    data = draw(st.binary(max_size=700))
    more = {}
    if draw(st.integers(0, 15)) == 0:
        more["size_field"] = t.base256(draw(NUMBERS), 12)
    return made + t.member(
        draw(NAMES), data, draw(KINDS), link=draw(TARGETS), mode=draw(st.integers(0, 0o7777)),
        uid_field=t.base256(draw(NUMBERS), 8) if draw(st.integers(0, 15)) == 0 else None,
        mtime_field=t.base256(draw(NUMBERS), 12), device=draw(st.sampled_from([(0, 0), (1, 3), (4095, 1048575)])),
        magic=draw(st.sampled_from([b"ustar\x0000", b"ustar  \0", bytes(8)])), **more,
    )  # fmt: skip


@st.composite
def archives(draw) -> bytes:
    data = b"".join(draw(st.lists(members(), min_size=1, max_size=12))) + t.END
    if draw(st.integers(0, 9)) == 0:
        data = data[: draw(st.integers(0, len(data)))]
    if draw(st.integers(0, 9)) == 0:
        at = draw(st.integers(0, max(0, len(data) - 1)))
        data = data[:at] + draw(st.binary(min_size=1, max_size=20)) + data[at + 1 :]
    return data


@pytest.fixture(scope="module")
def machine():
    """A root, and a directory outside it that every attack aims at."""
    home = Path(HOME)
    paths = Paths(root=f"{home}/root", run_root=f"{home}/run")
    for folder in (paths.blobs, paths.layers, paths.tmp, f"{home}/outside"):
        os.makedirs(folder)
    (home / "outside/sentinel").write_bytes(b"untouched")
    yield paths, home / "outside"
    shutil.rmtree(home)


@pytest.mark.needs_root
@relaxed
@given(data=archives(), packed=st.booleans())
def test_no_layer_reaches_outside(machine, data, packed):
    paths, outside = machine
    before = snapshot(str(outside))
    store = LayerStore(paths, LIMITS)
    try:
        layer = store.unpack(io.BytesIO(gzip.compress(data, 1) if packed else data), None)
    except FirkinError:
        pass
    else:
        for base, folders, files in os.walk(os.fsencode(layer.path)):
            for name in (*folders, *files):
                keys = os.listxattr(os.path.join(base, name), follow_symlinks=False)
                assert not [
                    k for k in keys if k.startswith("trusted.overlay.") and k != "trusted.overlay.opaque"
                ]
        store.remove(layer.diff_id)
    assert os.listdir(paths.tmp) == os.listdir(paths.layers) == []
    assert snapshot(str(outside)) == before
    assert sorted(os.listdir(outside.parent)) == ["outside", "root"]


@settings(relaxed, max_examples=EXAMPLES)
@given(data=archives() | st.binary(max_size=2000), step=st.sampled_from([7, 512, 1 << 18]))
def test_the_reader_only_ever_refuses(data, step):
    reader = TarReader(t.Drip(data, step), LIMITS)
    read = 0
    try:
        for entry in reader:
            assert entry.name is not None
            while piece := reader.read(100):
                read += len(piece)
        reader.drain()
    except FirkinError:
        pass
    assert read <= len(data)


@settings(relaxed, max_examples=EXAMPLES)
@given(
    data=st.binary(max_size=3000),
    head=st.sampled_from([b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"BZh"]),
)
def test_decompression_only_ever_refuses(data, head):
    from firkin.storage.decompress import chunks

    try:
        for piece in chunks(io.BytesIO(head + data)):
            assert piece
    except FirkinError:
        pass
