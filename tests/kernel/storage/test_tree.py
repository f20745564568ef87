"""Trees made by an enemy: removed whole, counted right, never left."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest
from storagekit import MS_BIND, in_own_mounts, mount

from firkin.errors import InUse
from firkin.storage import scratch, tree


def deep(top: Path, depth: int, name: str = "deep") -> None:
    """Make a chain of directories longer than PATH_MAX and than the recursion limit."""
    top.mkdir()
    fd = os.open(top, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=fd)
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
        below = os.open(name, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)


def test_deeper_than_path_max(tmp_path):
    deep(tmp_path / "t", 3000)
    assert tree.usage(str(tmp_path / "t")) == (0, 6000)
    tree.remove(str(tmp_path / "t"))
    assert os.listdir(tmp_path) == []


def test_long_names_deep_down(tmp_path):
    deep(tmp_path / "t", 200, "n" * 255)
    assert tree.usage(str(tmp_path / "t")) == (0, 400)
    tree.remove(str(tmp_path / "t"))


def test_wide_and_odd(tmp_path):
    top = tmp_path / "t"
    (top / "a/b").mkdir(parents=True)
    for n in range(500):
        (top / f"a/b/{n}").write_bytes(b"x" * 10)
    os.link(top / "a/b/0", top / "a/hard")
    os.symlink("/etc", top / "a/etc")
    os.mkfifo(top / "a/fifo")
    (top / b"\xff\xfe".decode(errors="surrogateescape")).mkdir()
    size, inodes = tree.usage(str(top))
    assert (size, inodes) == (500 * 10 + len("/etc"), 505)
    tree.remove(str(top))
    assert os.listdir(tmp_path) == []
    assert Path("/etc/passwd").exists()
    (tmp_path / "file").write_bytes(b"x")
    tree.remove(str(tmp_path / "file"))
    os.symlink("/etc", tmp_path / "link")
    tree.remove(str(tmp_path / "link"))
    with pytest.raises(FileNotFoundError):
        tree.remove(str(tmp_path / "nothing"))


@pytest.mark.needs_root
def test_directories_without_permissions_as_another_user(paths):
    top = Path(paths.root) / "t"
    (top / "a/b").mkdir(parents=True)
    (top / "a/b/f").write_bytes(b"x")
    for path in ("a/b/f", "a/b", "a", "."):
        os.chown(top / path, 65534, 65534)
    os.chmod(top / "a/b", 0)
    os.chmod(top / "a", 0o500)
    os.chmod(paths.root, 0o777)
    child = os.fork()
    if child == 0:
        try:
            os.setresuid(65534, 65534, 65534)
            tree.remove(str(top))
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert not top.exists()


@pytest.mark.needs_root
def test_chattr(paths):
    top = Path(paths.tmp) / "t"
    (top / "d/e").mkdir(parents=True)
    for name in ("d/f", "d/e/g"):
        (top / name).write_bytes(b"x")
    subprocess.run(["chattr", "+i", top / "d/f", top / "d/e/g"], check=True)
    subprocess.run(["chattr", "+a", top / "d/e"], check=True)
    subprocess.run(["chattr", "+i", top / "d"], check=True)
    tree.remove(str(top))
    assert not top.exists()


@pytest.mark.needs_root
@pytest.mark.parametrize("kind", ["bind", "tmpfs", "file"])
def test_a_mount_inside_is_never_crossed(tmp_path, kind):
    def child():
        outside, top = tmp_path / "outside", tmp_path / "t"
        outside.mkdir()
        (outside / "sentinel").write_bytes(b"untouched")
        (top / "a/m").mkdir(parents=True)
        (top / "a/other").write_bytes(b"x")
        if kind == "bind":
            mount(str(outside), str(top / "a/m"), "none", flags=MS_BIND)
        elif kind == "tmpfs":
            mount("none", str(top / "a/m"), "tmpfs")
        else:
            (top / "a/file").write_bytes(b"")
            mount(str(outside / "sentinel"), str(top / "a/file"), "none", flags=MS_BIND)
        counted = tree.usage(str(top))
        try:
            tree.remove(str(top))
        except InUse as error:
            return [str(error), (outside / "sentinel").read_text(), list(counted), (top / "a/other").exists()]
        return None

    text, sentinel, _, other = in_own_mounts(child)
    assert "mount point" in text
    assert sentinel == "untouched"
    assert not other


def test_removal_races_with_a_writer(tmp_path):
    """Somebody swaps directories for symbolic links to a sentinel meanwhile; it survives."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "sentinel").write_bytes(b"untouched")
    top = tmp_path / "t"
    stop = False

    def swap():
        while not stop:
            for path in ("a", "a/b"):
                try:
                    os.rename(top / path, top / "x")
                    os.symlink(outside, top / path)
                    os.unlink(top / path)
                    os.rename(top / "x", top / path)
                except OSError:
                    continue

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(30):
            try:
                (top / "a/b/c").mkdir(parents=True, exist_ok=True)
                (top / "a/b/c/f").write_bytes(b"x")
                tree.remove(str(top))
            except OSError:
                continue
    finally:
        stop = True
        thread.join()
    assert (outside / "sentinel").read_bytes() == b"untouched"


def test_discard_and_sweep(paths):
    top = Path(paths.containers) / "c"
    deep(top, 50)
    assert scratch.discard(str(top), paths.tmp)
    assert not scratch.discard(str(top), paths.tmp)
    assert os.listdir(paths.tmp) == os.listdir(paths.containers) == []
    (Path(paths.tmp) / "trash-dead" / "tree").mkdir(parents=True)
    (Path(paths.tmp) / "somebody-elses").mkdir()
    assert scratch.sweep(paths.tmp) == ["trash-dead"]
    assert os.listdir(paths.tmp) == ["somebody-elses"]
