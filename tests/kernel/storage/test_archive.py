"""Trees written as layers: reproducible, complete, readable by GNU tar, and back through our own reader."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest
import tarcraft as t
from storagekit import in_own_mounts, mount, snapshot

from firkin.storage.archive import TreeWriter
from firkin.storage.layers import LayerStore

pytestmark = pytest.mark.needs_root


def written(top, **options) -> bytes:
    out = io.BytesIO()
    fd = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    try:
        writer = TreeWriter(out, **options)
        writer.add_tree(fd)
        writer.finish()
    finally:
        os.close(fd)
    return out.getvalue()


@pytest.fixture
def source(tmp_path):
    top = tmp_path / "source"
    long = "long" * 40
    (top / long / long).mkdir(parents=True)
    (top / long / long / "f").write_bytes(b"x" * 513)
    (top / "ünï").write_bytes(b"u")
    (top / b"latin\xe9".decode(errors="surrogateescape")).write_bytes(os.urandom(600_000))
    os.symlink("y" * 200, top / "long link")
    os.symlink("f", top / "s")
    os.link(top / "ünï", top / long / "hard")
    os.mkfifo(top / "fifo")
    os.mknod(top / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod(top / "disk", stat.S_IFBLK | 0o600, os.makedev(259, 300_000))
    os.chown(top / "ünï", 3_000_000, 4_000_000)
    os.setxattr(top / "ünï", "user.k", b"\0bin\n")
    os.setxattr(top / long, "user.d", b"")
    os.setxattr(top / "s", "trusted.l", b"link", follow_symlinks=False)
    subprocess.run(["setcap", "cap_net_raw+ep", top / "ünï"], check=True)
    os.chmod(top / "fifo", 0o4711)
    for number, path in enumerate(sorted(top.rglob("*"), reverse=True)):
        os.utime(path, ns=(1, 1_500_000_000_100_000_000 * (-1 if number == 3 else 1)), follow_symlinks=False)
    os.utime(top, (5, 5))
    os.chmod(top, 0o1755)
    return top


def test_round_trip_through_our_reader(source, paths):
    layer = LayerStore(paths).unpack(io.BytesIO(written(source)), None)
    assert snapshot(layer.path) == snapshot(str(source))


def test_gnu_tar_reads_it(source, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    subprocess.run(
        ["tar", "-xp", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-C", str(other)],
        input=written(source), check=True,
    )  # fmt: skip
    expected = snapshot(str(source))
    assert snapshot(str(other)) == expected


def test_python_reads_it(source):
    with tarfile.open(fileobj=io.BytesIO(written(source))) as tar:
        assert len(tar.getmembers()) == len(list(source.rglob("*"))) + 1


def test_the_same_tree_gives_the_same_bytes(source, tmp_path):
    first = written(source)
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-a", "--preserve=all", str(source), str(copy)], check=True)
    assert written(copy) == first


def test_times_can_be_capped(source):
    with tarfile.open(fileobj=io.BytesIO(written(source, mtime_ns=1000 * 10**9))) as tar:
        assert max(member.mtime for member in tar.getmembers()) == 1000


def test_an_upper_side_becomes_a_layer_with_the_same_effect(paths):
    store = LayerStore(paths)
    lower = store.unpack(
        io.BytesIO(
            t.archive(t.member(b"etc/passwd", b"root"), t.member(b"opt/a", b"1"), t.member(b"gone", b"1"))
        ),
        None,
    ).path
    upper, work = f"{paths.root}/upper", f"{paths.root}/work"
    os.mkdir(upper)
    os.mkdir(work)

    def change():
        target = f"{paths.root}/mnt"
        os.mkdir(target)
        mount("overlay", target, "overlay", f"lowerdir={lower},upperdir={upper},workdir={work}")
        subprocess.run(["rm", "-r", f"{target}/opt", f"{target}/gone"], check=True)
        os.mkdir(f"{target}/opt")
        Path(f"{target}/opt/b").write_text("2")
        Path(f"{target}/etc/passwd").write_text("more")
        os.unlink(f"{target}/etc/passwd")
        return sorted(str(p.relative_to(target)) for p in Path(target).rglob("*"))

    shown = in_own_mounts(change)
    data = written(upper, overlay=True)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert {".wh.gone", "etc/.wh.passwd", "opt/.wh..wh..opq", "opt/b"} <= set(tar.getnames())
        assert not any("overlay" in key for member in tar.getmembers() for key in member.pax_headers)
    layer = store.unpack(io.BytesIO(data), None).path

    def look():
        target = f"{paths.root}/mnt"
        mount("overlay", target, "overlay", f"lowerdir={layer}:{lower}")
        return sorted(str(p.relative_to(target)) for p in Path(target).rglob("*"))

    assert in_own_mounts(look) == shown == ["etc", "opt", "opt/b"]
