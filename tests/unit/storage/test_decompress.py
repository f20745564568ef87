"""Decompression: every format, members and frames one after the other, damage, bombs."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import subprocess
import sys

import pytest
import tarcraft as t

from firkin.errors import InvalidArgument, Unsupported
from firkin.storage import decompress
from firkin.storage.pump import Pump

TEXT = os.urandom(120_000) + bytes(500_000) + b"end"


def zstd(data: bytes) -> bytes:
    return subprocess.run(["zstd", "-cq"], input=data, capture_output=True, check=True).stdout


PACK = {
    "gzip": lambda data: gzip.compress(data, 1),
    "bzip2": lambda data: bz2.compress(data, 1),
    "xz": lambda data: lzma.compress(data, preset=0),
    "zstd": zstd,
    "none": bytes,
}


@pytest.fixture(params=["isal and zstandard", "standard library"])
def libraries(request, monkeypatch):
    if request.param == "standard library":
        for name in ("isal", "isal.isal_zlib", "zstandard"):
            monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.usefixtures("libraries")
@pytest.mark.parametrize("kind", PACK)
@pytest.mark.parametrize("step", [5000, 1 << 20])
def test_round_trip(kind, step):
    packed = PACK[kind](TEXT)
    assert decompress.detect(packed[:6]) == kind
    pieces = list(decompress.chunks(t.Drip(packed, step)))
    assert b"".join(pieces) == TEXT
    assert max(map(len, pieces)) <= decompress.CHUNK


@pytest.mark.usefixtures("libraries")
@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz", "zstd"])
def test_several_members(kind):
    packed = b"".join(PACK[kind](part) for part in (b"one", b"", b"two" * 100_000))
    assert b"".join(decompress.chunks(io.BytesIO(packed))) == b"one" + b"two" * 100_000


def test_gzip_with_zero_padding():
    packed = gzip.compress(b"one") + bytes(1000) + gzip.compress(b"two") + bytes(70_000)
    assert b"".join(decompress.chunks(io.BytesIO(packed))) == b"onetwo"


@pytest.mark.usefixtures("libraries")
def test_zstd_with_skippable_frames():
    skippable = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"hello"
    packed = skippable + zstd(b"one") + skippable
    assert b"".join(decompress.chunks(io.BytesIO(packed))) == b"one"


@pytest.mark.usefixtures("libraries")
@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz"])
def test_truncated(kind):
    packed = PACK[kind](TEXT)
    for cut in (7, len(packed) // 2, len(packed) - 3):
        with pytest.raises(InvalidArgument, match=f"{kind} stream is (truncated|damaged)"):
            list(decompress.chunks(io.BytesIO(packed[:cut])))


@pytest.mark.usefixtures("libraries")
@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz", "zstd"])
def test_damaged(kind):
    packed = bytearray(PACK[kind](TEXT))
    packed[len(packed) // 2 : len(packed) // 2 + 50] = os.urandom(50)
    with pytest.raises(InvalidArgument, match=f"{kind} stream is damaged"):
        list(decompress.chunks(io.BytesIO(packed)))


def test_garbage_behind_gzip():
    with pytest.raises(InvalidArgument, match="garbage"):
        list(decompress.chunks(io.BytesIO(gzip.compress(b"x") + b"evil")))


def test_no_zstd_at_all(monkeypatch):
    monkeypatch.setitem(sys.modules, "zstandard", None)
    monkeypatch.setenv("PATH", "/nonexistent")
    packed = b"\x28\xb5\x2f\xfd" + bytes(20)
    with pytest.raises(Unsupported, match="zstd"):
        list(decompress.chunks(io.BytesIO(packed)))


@pytest.mark.usefixtures("libraries")
@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz", "zstd"])
def test_bomb_comes_in_small_pieces(kind):
    packed = PACK[kind](bytes(6 << 20))
    total = 0
    for piece in decompress.chunks(io.BytesIO(packed)):
        assert len(piece) <= decompress.CHUNK
        total += len(piece)
        if total > 4 << 20:
            break
    assert total > 4 << 20


def test_pump_gives_data_digest_and_errors():
    import hashlib

    with Pump(io.BytesIO(gzip.compress(TEXT))) as pump:
        assert b"".join(iter(lambda: pump.read(1), b"")) == TEXT
        assert pump.digest == f"sha256:{hashlib.sha256(TEXT).hexdigest()}"
        assert pump.read(1) == b""
    with pytest.raises(InvalidArgument), Pump(io.BytesIO(gzip.compress(TEXT)[:1000])) as pump:
        while pump.read(1):
            pass


def test_pump_can_be_left_in_the_middle():
    import threading

    before = threading.active_count()
    with Pump(io.BytesIO(gzip.compress(bytes(6 << 20), 1))) as pump:
        assert pump.read(1)
    assert threading.active_count() == before
