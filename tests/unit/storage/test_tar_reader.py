"""The tar reader: what it understands and what it refuses, with any chunking of the stream."""

from __future__ import annotations

import io
import subprocess
import tarfile

import pytest
import tarcraft as t

from firkin.errors import InvalidArgument, ResourceExhausted
from firkin.storage import header
from firkin.storage.reader import Limits, TarReader


def read(data: bytes, step: int = 1 << 18, limits: Limits | None = None):
    reader = TarReader(t.Drip(data, step), limits)
    found = []
    for entry in reader:
        content = b"".join(iter(lambda: reader.read(777), b""))
        found.append((entry, content))
    return found


def one(*members: bytes):
    ((entry, content),) = read(t.archive(*members))
    return entry, content


@pytest.mark.parametrize("step", [1, 7, 511, 512, 513, 1 << 18])
def test_any_chunking_gives_the_same(step):
    data = t.archive(
        t.directory(b"a"), t.member(b"a/b", b"x" * 1000), t.long_name(b"c" * 300), t.member(b"c", b""),
        t.pax((b"path", b"d" * 500)), t.member(b"d", b"y" * 512),
    )  # fmt: skip
    assert [(e.name, c) for e, c in read(data, step)] == [
        (b"a", b""), (b"a/b", b"x" * 1000), (b"c" * 300, b""), (b"d" * 500, b"y" * 512),
    ]  # fmt: skip


def test_unread_data_is_skipped():
    reader = TarReader(io.BytesIO(t.archive(t.member(b"a", b"x" * 5000), t.member(b"b", b"y"))))
    assert [e.name for e in reader] == [b"a", b"b"]


def test_fields_of_a_ustar_header():
    entry, content = one(
        t.member(b"f", b"hello", mode=0o4755, uid=1000, gid=1001, mtime=0o14312345670, prefix=b"usr/bin")
    )
    assert (entry.name, content) == (b"usr/bin/f", b"hello")
    assert (entry.mode, entry.uid, entry.gid) == (0o4755, 1000, 1001)
    assert entry.mtime_ns == 0o14312345670 * 10**9
    device, _ = one(t.member(b"null", kind=b"3", device=(1, 3)))
    assert (device.kind, device.major, device.minor) == (header.CHAR, 1, 3)


def test_gnu_magic_has_no_prefix():
    # old GNU keeps atime and ctime where ustar has the prefix
    entry, _ = one(t.member(b"f", magic=b"ustar  \0", prefix=b"13750134000"))
    assert entry.name == b"f"


def test_base256_numbers():
    entry, _ = one(t.member(b"f", uid_field=t.base256(3_000_000_000, 8), mtime_field=t.base256(-5, 12)))
    assert entry.uid == 3_000_000_000
    assert entry.mtime_ns == -5 * 10**9


def test_signed_checksum_of_old_suns():
    block = bytearray(t.member(b"\xe9t\xe9"))
    block[148:156] = b" " * 8
    total = sum(b - 256 if b > 127 else b for b in block[:512])
    block[148:156] = f"{total:06o}".encode() + b"\0 "
    assert one(bytes(block))[0].name == b"\xe9t\xe9"


def test_pax_overrules_the_header():
    entry, content = one(
        t.pax(
            (b"path", "ünïcode\n=".encode()), (b"uid", b"3000000"), (b"gid", b"4000000"),
            (b"mtime", b"1700000000.123456789999"), (b"size", b"3"), (b"hdrcharset", b"BINARY"),
            (b"SCHILY.xattr.user.a=b", b"never"), (b"SCHILY.xattr.security.capability", b"\1\0\0\2\n\0"),
            (b"LIBARCHIVE.xattr.user.p%C3%A9", b"aGk"),
        ),
        t.member(b"short", b"abc", size_field=b"00000000000\0"),
    )  # fmt: skip
    assert entry.name == "ünïcode\n=".encode()
    assert (entry.uid, entry.gid, content) == (3_000_000, 4_000_000, b"abc")
    assert entry.mtime_ns == 1_700_000_000_123_456_789
    assert entry.xattrs == {
        "user.a": b"b=never", "security.capability": b"\1\0\0\2\n\0", "user.pé": b"hi",
    }  # fmt: skip


def test_negative_time_with_fraction():
    assert one(t.pax((b"mtime", b"-1.5")), t.member(b"f"))[0].mtime_ns == -1_500_000_000


def test_global_header_is_passed_over():
    entry, _ = one(t.pax((b"path", b"evil"), (b"comment", b"c"), kind=b"g"), t.member(b"f"))
    assert entry.name == b"f"


def test_long_link_and_pax_linkpath():
    assert one(t.long_link(b"t" * 400), t.symlink(b"l", b"t"))[0].linkname == b"t" * 400
    assert one(t.pax((b"linkpath", b"u" * 400)), t.symlink(b"l", b"t"))[0].linkname == b"u" * 400


def test_old_directories_end_with_a_slash():
    assert one(t.member(b"old/", kind=b"\0"))[0].kind == header.DIRECTORY
    assert one(t.member(b"old", kind=b"\0"))[0].kind == header.FILE


def test_hard_link_with_a_size_has_no_data():
    found = read(t.archive(t.member(b"l", kind=b"1", link=b"f", size=4096), t.member(b"f", b"x")))
    assert [(e.name, c) for e, c in found] == [(b"l", b""), (b"f", b"x")]


def test_end_of_the_stream_between_entries_is_an_end():
    assert [e.name for e, _ in read(t.member(b"a", b"x"))] == [b"a"]
    assert read(b"") == []


@pytest.mark.parametrize("form", ["gnu", "0.0", "0.1", "1.0"])
def test_sparse_as_gnu_tar_writes_it(tmp_path, form):
    file = tmp_path / "holes"
    pieces = [(0, b"begin"), *((n << 20, bytes([n]) * 5000) for n in range(1, 26))]
    with file.open("wb") as stream:
        for offset, data in pieces:
            stream.seek(offset)
            stream.write(data)
        stream.truncate(26 << 20)
    option = ["--format=gnu"] if form == "gnu" else ["--format=posix", f"--sparse-version={form}"]
    data = subprocess.run(
        ["tar", "-cS", *option, "-C", str(tmp_path), "holes"], check=True, capture_output=True
    ).stdout
    ((entry, content),) = read(data)
    assert (entry.name, entry.size, entry.kind) == (b"holes", 26 << 20, header.FILE)
    whole, at = bytearray(26 << 20), 0
    for offset, length in entry.sparse:
        whole[offset : offset + length] = content[at : at + length]
        at += length
    assert whole == file.read_bytes()


def test_what_python_writes(tmp_path):
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
            info = tarfile.TarInfo("a/" * 40 + "long")
            info.size, info.mtime, info.uid = 4, 1234567890, 77
            tar.addfile(info, io.BytesIO(b"data"))
        ((entry, content),) = read(buffer.getvalue())
        assert (entry.name, content, entry.uid, entry.mtime_ns) == (
            b"a/" * 40 + b"long", b"data", 77, 1234567890 * 10**9,
        )  # fmt: skip


GNU_SPARSE = t.member(b"s", b"", kind=b"S", magic=b"ustar  \0")


def sparse_header(pairs: list[tuple[int, int]], real: int, stored: int, more: bytes = b"\0") -> bytes:
    block = bytearray(t.member(b"s", b"", kind=b"S", magic=b"ustar  \0", size=stored))
    for index, (offset, length) in enumerate(pairs):
        block[386 + 24 * index : 410 + 24 * index] = t.octal(offset, 12) + t.octal(length, 12)
    block[482:483] = more
    block[483:495] = t.octal(real, 12)
    return t.signed(bytes(block))


REFUSED = {
    "garbage": b"this is no tar archive " * 100,
    "short garbage": b"#!/bin/sh\n",
    "bad checksum": t.member(b"victim")[:10] + b"X" + t.member(b"victim")[11:] + t.END,
    "truncated header": t.member(b"victim")[:300],
    "truncated data": t.member(b"victim", b"x" * 5000)[:2000],
    "truncated padding": t.member(b"victim", b"x")[:600],
    "zero block in the middle": t.member(b"victim") + bytes(512) + t.member(b"b"),
    "negative size": t.archive(t.member(b"victim", size_field=t.base256(-512, 12))),
    "negative size of a directory": t.archive(t.directory(b"victim", size_field=t.base256(-1, 12))),
    "huge size": t.archive(t.member(b"victim", size_field=t.base256(1 << 80, 12))),
    "size is no number": t.archive(t.member(b"victim", size_field=b"00000000x00\0")),
    "size with a sign": t.archive(t.member(b"victim", size_field=b"-0000000001\0")),
    "size with an underscore": t.archive(t.member(b"victim", size_field=b"0000_000001\0")),
    "digit 9 in octal": t.archive(t.member(b"victim", size_field=b"00000000009\0")),
    "uid -1": t.archive(t.member(b"victim", uid_field=t.base256(-1, 8))),
    "uid 2^32-1": t.archive(t.pax((b"uid", b"4294967295")), t.member(b"victim")),
    "pax: NUL in path": t.archive(t.pax((b"path", b"a\0b")), t.member(b"victim")),
    "pax: NUL in linkpath": t.archive(t.pax((b"linkpath", b"a\0b")), t.symlink(b"victim", b"x")),
    "pax: length too long": t.archive(t.member(b"x", b"99 path=a\n", b"x"), t.member(b"victim")),
    "pax: length zero": t.archive(t.member(b"x", b"0 path=a\n", b"x"), t.member(b"victim")),
    "pax: length negative": t.archive(t.member(b"x", b"-10 path=a\n", b"x"), t.member(b"victim")),
    "pax: no newline": t.archive(t.member(b"x", b"9 path=aX", b"x"), t.member(b"victim")),
    "pax: no key": t.archive(t.member(b"x", b"5 =a\n", b"x"), t.member(b"victim")),
    "pax: no equals sign": t.archive(t.member(b"x", b"7 path\n", b"x"), t.member(b"victim")),
    "pax: negative size": t.archive(t.pax((b"size", b"-1")), t.member(b"victim")),
    "pax: time": t.archive(t.pax((b"mtime", b"1e9")), t.member(b"victim")),
    "pax: endless time": t.archive(t.pax((b"mtime", b"9" * 400)), t.member(b"victim")),
    "pax: xattr without name": t.archive(t.pax((b"SCHILY.xattr.", b"x")), t.member(b"victim")),
    "pax: xattr with a long name": t.archive(t.pax((b"SCHILY.xattr.user." + b"n" * 300, b"x")), t.member(b"v")),
    "pax: xattr too large": t.archive(t.pax((b"SCHILY.xattr.user.n", b"x" * 70000)), t.member(b"victim")),
    "pax: xattr no base64": t.archive(t.pax((b"LIBARCHIVE.xattr.user.n", b"!!!")), t.member(b"victim")),
    "time beyond time_t": t.archive(t.member(b"victim", mtime_field=t.base256(1 << 70, 12))),
    "time before time_t": t.archive(t.member(b"victim", mtime_field=t.base256(-(1 << 70), 12))),
    "extended header without entry": t.archive(t.pax((b"path", b"x"))),
    "long name without entry": t.archive(t.long_name(b"x" * 200)),
    "name of 5000 bytes": t.archive(t.long_name(b"x" * 5000), t.member(b"victim")),
    "sparse: overlap": sparse_header([(0, 512), (256, 512)], 4096, 1024) + bytes(1024) + t.END,
    "sparse: backwards": sparse_header([(1024, 512), (0, 512)], 4096, 1024) + bytes(1024) + t.END,
    "sparse: behind the end": sparse_header([(4000, 512)], 4096, 512) + bytes(512) + t.END,
    "sparse: more data than pieces": sparse_header([(0, 512)], 4096, 1024) + bytes(1024) + t.END,
    "sparse: less data than pieces": sparse_header([(0, 1024)], 4096, 512) + bytes(512) + t.END,
    "sparse: truncated extension": sparse_header([(0, 1)] * 4, 4096, 4, b"\1"),
    "sparse 1.0: no map": t.archive(
        t.pax((b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.realsize", b"9")),
        t.member(b"victim", b""),
    ),
    "sparse 1.0: map of letters": t.archive(
        t.pax((b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.realsize", b"9")),
        t.member(b"victim", b"one\n0\n9\n".ljust(512, b"\0") + b"x" * 9),
    ),
    "sparse 1.0: endless map": t.archive(
        t.pax((b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.realsize", b"9")),
        t.member(b"victim", b"99999999\n" + b"0\n" * 600_000),
    ),
    "sparse 0.1: odd map": t.archive(
        t.pax((b"GNU.sparse.map", b"0,1,2"), (b"GNU.sparse.size", b"9")), t.member(b"victim", b"x")
    ),
    "sparse 0.0: two offsets": t.archive(
        t.pax((b"GNU.sparse.offset", b"0"), (b"GNU.sparse.offset", b"0"), (b"GNU.sparse.size", b"9")),
        t.member(b"victim", b""),
    ),
    "sparse 2.0": t.archive(t.pax((b"GNU.sparse.major", b"2")), t.member(b"victim")),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("step", [500, 1 << 18])
def test_refused(name, step):
    with pytest.raises(InvalidArgument) as caught:
        read(REFUSED[name], step)
    assert "entry" in str(caught.value) or "tar" in str(caught.value)


def test_limits():
    many = t.archive(*(t.member(b"f%d" % n) for n in range(20)))
    with pytest.raises(ResourceExhausted, match=r"'f10'.*10 entries"):
        read(many, limits=Limits(entries=10))
    with pytest.raises(ResourceExhausted, match=r"'big'.*more than 4096 bytes"):
        read(t.archive(t.member(b"big", bytes(8192))), 512, Limits(size=4096))
    with pytest.raises(ResourceExhausted, match="extended header of 2000000 bytes"):
        read(t.archive(t.pax((b"comment", b"x" * 1_999_983)), t.member(b"victim")))
    with pytest.raises(ResourceExhausted, match="extended header"):
        read(t.archive(t.long_name(b"x" * (2 << 20)), t.member(b"victim")))


def test_an_endless_tail_behind_the_archive_is_limited():
    class Endless:
        given = False

        def read(self, size: int, /) -> bytes:
            if not self.given:
                self.given = True
                return t.archive(t.member(b"f"))
            return bytes(size)

    reader = TarReader(Endless(), Limits(size=10 << 20))
    assert len(list(reader)) == 1
    with pytest.raises(ResourceExhausted):
        reader.drain()
