"""Volumes: made, filled from an image, refused while in use, repaired after a crash."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest
from storagekit import in_own_mounts, mount, snapshot

from firkin.db.connection import open_database
from firkin.errors import Conflict, InUse, InvalidArgument, NotFound, ResourceExhausted, Unsupported
from firkin.storage import tables
from firkin.storage.volumes import Volumes


@pytest.fixture
def db(paths):
    database = open_database(paths.database, 1, lambda: iter([tables.SCHEMA]))
    yield database
    database.close()


@pytest.fixture
def volumes(paths, db):
    return Volumes(paths, db)


@pytest.fixture
def content(paths):
    """What an image might have at the volume's path."""
    top = Path(paths.root).parent / "content"
    (top / "sub/empty").mkdir(parents=True)
    (top / "f").write_bytes(b"data")
    os.link(top / "f", top / "sub/hard")
    os.symlink("/etc/passwd", top / "sub/sym")
    os.mkfifo(top / "fifo")
    with (top / "holes").open("wb") as stream:
        stream.seek(1 << 20)
        stream.write(b"x" * 10_000)
        stream.truncate(4 << 20)
    os.setxattr(top / "f", "user.k", b"v")
    if os.getuid() == 0:
        os.mknod(top / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        os.chown(top / "sub", 1000, 1001)
        os.chown(top, 999, 999)
        subprocess.run(["setcap", "cap_net_raw+ep", top / "f"], check=True)
    os.chmod(top / "sub", 0o2750)
    for number, path in enumerate(sorted(top.rglob("*"), reverse=True)):
        os.utime(path, ns=(1, 1_500_000_000_000_000_001 + number), follow_symlinks=False)
    os.utime(top, ns=(1, 1_400_000_000_000_000_001))
    return top


def fill(volumes, name: str, source: Path) -> bool:
    fd = os.open(source, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return volumes.fill(name, fd)
    finally:
        os.close(fd)


def test_create_get_list_remove(volumes, paths):
    made = volumes.create("data", {"a": "b"}, {"type": "none"})
    assert (made.name, made.labels, made.options, made.anonymous) == (
        "data",
        {"a": "b"},
        {"type": "none"},
        False,
    )
    assert made.mountpoint == volumes.path("data") == f"{paths.volumes}/data/_data"
    assert stat.S_IMODE(os.stat(made.mountpoint).st_mode) == 0o755
    assert volumes.create("data") == volumes.ensure("data") == volumes.get("data") == made
    anonymous = volumes.create()
    assert anonymous.anonymous
    assert len(anonymous.name) == 64
    assert {volume.name for volume in volumes.list()} == {"data", anonymous.name}
    Path(made.mountpoint, "f").write_bytes(b"12345")
    assert volumes.usage("data") == (5, 1)
    volumes.remove("data")
    assert not os.path.exists(f"{paths.volumes}/data")
    assert os.listdir(paths.tmp) == []
    with pytest.raises(NotFound):
        volumes.get("data")
    with pytest.raises(NotFound):
        volumes.remove("data")
    volumes.remove("data", force=True)


def test_refusals(volumes):
    volumes.create("data", driver_opts={"type": "tmpfs"})
    with pytest.raises(InUse, match=r"in use.*web, db"):
        volumes.remove("data", ["web", "db"])
    with pytest.raises(Conflict):
        volumes.create("data", driver_opts={"type": "nfs"})
    with pytest.raises(InvalidArgument):
        volumes.create("data2", driver_opts={"color": "red"})
    with pytest.raises(Unsupported):
        volumes.create("data3", driver="nfs")
    for name in ("../evil", "a/b", "", "x", ".hidden"):
        with pytest.raises(InvalidArgument):
            volumes.create(name)
    assert [volume.name for volume in volumes.list()] == ["data"]


@pytest.mark.needs_root
def test_fill_copies_everything(volumes, content):
    made = volumes.create("data")
    assert fill(volumes, "data", content)
    assert snapshot(made.mountpoint) == snapshot(str(content))
    assert os.stat(f"{made.mountpoint}/holes").st_blocks < 100
    assert os.stat(f"{made.mountpoint}/f").st_ino != os.stat(content / "f").st_ino
    assert not fill(volumes, "data", content)


@pytest.mark.needs_root
def test_fill_goes_on_after_a_crash(volumes, db, content):
    made = volumes.create("data")
    os.mkdir(f"{made.mountpoint}/sub")
    tables.set_filling(db, "data", filling=True)
    assert fill(volumes, "data", content)
    assert sorted(os.listdir(made.mountpoint)) == sorted(os.listdir(content))
    assert not fill(volumes, "data", content)


def test_fill_leaves_a_volume_with_content_alone(volumes, content):
    made = volumes.create("data")
    Path(made.mountpoint, "mine").write_bytes(b"x")
    assert not fill(volumes, "data", content)
    assert os.listdir(made.mountpoint) == ["mine"]


def test_fill_keeps_the_directory_that_containers_have_mounted(volumes, content):
    made = volumes.create("data")
    before = os.stat(made.mountpoint).st_ino
    assert fill(volumes, "data", content)
    assert os.stat(made.mountpoint).st_ino == before


@pytest.mark.needs_root
def test_fill_on_a_full_disk_leaves_it_empty(paths, content):
    def child():
        mount("none", paths.root, "tmpfs", "size=2m")
        for folder in (paths.volumes, paths.tmp):
            os.makedirs(folder)
        database = open_database(f"{paths.root}/db", 1, lambda: iter([tables.SCHEMA]))
        volumes = Volumes(paths, database)
        made = volumes.create("data")
        (content / "big").write_bytes(bytes([1]) * (3 << 20))
        try:
            fill(volumes, "data", content)
        except ResourceExhausted as error:
            return [str(error), os.listdir(made.mountpoint), os.listdir(paths.tmp)]
        return None

    text, left, tmp = in_own_mounts(child)
    assert "volume data" in text
    assert (left, tmp) == ([], [])


def test_a_lost_directory_is_made_again_and_a_lost_row_too(volumes, paths, db):
    made = volumes.create("data")
    os.rmdir(made.mountpoint)
    assert os.path.isdir(volumes.path("data"))
    Path(made.mountpoint, "precious").write_bytes(b"x")
    tables.delete(db, "data")
    assert volumes.sweep() == ["data"]
    assert volumes.sweep() == []
    assert os.listdir(volumes.get("data").mountpoint) == ["precious"]
