"""Writable layers: prepared, mounted by the kernel, their changes told as docker tells them, removed."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import tarcraft as t
from storagekit import in_own_mounts, mount

from firkin.errors import NotFound, ResourceExhausted
from firkin.storage.layers import LayerStore
from firkin.storage.snapshots import Snapshots

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_overlay]
CID = "c" * 64


def layers(paths) -> tuple[str, ...]:
    """Two layers, the upper one first: /etc merged, /var/old deleted, /opt replaced."""
    store = LayerStore(paths)
    bottom = t.archive(
        t.directory(b"etc"), t.member(b"etc/passwd", b"root"), t.member(b"etc/group", b"g"), t.directory(b"var/old"),
        t.member(b"var/old/f", b"1"), t.directory(b"opt/a"), t.member(b"opt/a/one", b"1"), t.directory(b"tmp"),
        t.directory(b"srv/deep/er"), t.member(b"srv/deep/er/f", b"x"), t.symlink(b"link", b"etc"),
    )  # fmt: skip
    top = t.archive(
        t.member(b"etc/hosts", b"h"), t.member(b"var/.wh.old"), t.member(b"opt/.wh.a"), t.member(b"opt/a/two", b"2"),
    )  # fmt: skip
    return tuple(store.unpack(io.BytesIO(data), None).path for data in (top, bottom))


def mounted(root, target: str) -> None:
    os.makedirs(target, exist_ok=True)
    data = ",".join(
        (f"lowerdir={':'.join(root.lowers)}", f"upperdir={root.upper}", f"workdir={root.work}", *root.options)
    )
    mount("overlay", target, "overlay", data)


def test_image_layers_are_what_the_kernel_shows(paths):
    root = Snapshots(paths).prepare(CID, layers(paths))

    def child():
        target = f"{paths.root}/mnt"
        mounted(root, target)
        return sorted(str(p.relative_to(target)) for p in Path(target).rglob("*"))

    assert in_own_mounts(child) == [
        "etc", "etc/group", "etc/hosts", "etc/passwd", "link", "opt", "opt/a", "opt/a/two", "srv", "srv/deep",
        "srv/deep/er", "srv/deep/er/f", "tmp", "var",
    ]  # fmt: skip


def changed(paths, act, *, options: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    snapshots = Snapshots(paths)
    lowers = layers(paths)
    root = snapshots.prepare(CID, lowers)
    if options:
        root = root.replace(options=options)

    def child():
        target = f"{paths.root}/mnt"
        mounted(root, target)
        act(Path(target))

    in_own_mounts(child)
    return snapshots.diff(CID, lowers)


def test_no_change(paths):
    assert changed(paths, lambda m: list(m.rglob("*"))) == []


def test_added_changed_deleted(paths):
    def act(m: Path):
        (m / "etc/passwd").write_text("more")
        (m / "etc/new").write_text("x")
        (m / "etc/group").unlink()
        (m / "tmp/d").mkdir()
        (m / "tmp/d/f").write_text("x")
        shutil.rmtree(m / "srv")
        os.chmod(m / "opt/a", 0o700)
        (m / "top").write_text("x")

    assert changed(paths, act) == [
        ("C", "/etc"), ("D", "/etc/group"), ("A", "/etc/new"), ("C", "/etc/passwd"), ("C", "/opt"), ("C", "/opt/a"),
        ("D", "/srv"), ("C", "/tmp"), ("A", "/tmp/d"), ("A", "/tmp/d/f"), ("A", "/top"),
    ]  # fmt: skip


def test_made_and_removed_again_is_no_change_of_its_own(paths):
    def act(m: Path):
        (m / "tmp/x").write_text("x")
        (m / "tmp/x").unlink()

    assert changed(paths, act) == []


def test_directory_replaced_by_another(paths):
    """Opaque: what it had below and no longer has is deleted, what it has is added or changed."""

    def act(m: Path):
        shutil.rmtree(m / "etc")
        (m / "etc").mkdir()
        (m / "etc/passwd").write_text("other")
        (m / "etc/new").write_text("x")

    assert changed(paths, act) == [
        ("C", "/etc"), ("D", "/etc/group"), ("D", "/etc/hosts"), ("A", "/etc/new"), ("C", "/etc/passwd"),
    ]  # fmt: skip


def test_kinds_replaced(paths):
    def act(m: Path):
        (m / "etc/passwd").unlink()
        (m / "etc/passwd").mkdir()
        (m / "link").unlink()
        (m / "link").write_text("a file now")
        shutil.rmtree(m / "opt")
        (m / "opt").write_text("a file now")

    assert changed(paths, act) == [("C", "/etc"), ("C", "/etc/passwd"), ("C", "/link"), ("C", "/opt")]


def test_a_lower_whiteout_does_not_make_a_new_file_a_change(paths):
    def act(m: Path):
        (m / "var/old").mkdir()
        (m / "var/old/f").write_text("x")
        (m / "opt/a/one").write_text("x")

    assert changed(paths, act) == [
        ("C", "/opt"), ("C", "/opt/a"), ("A", "/opt/a/one"), ("C", "/var"), ("A", "/var/old"), ("A", "/var/old/f"),
    ]  # fmt: skip


def test_renamed_directory_with_redirect_dir(paths):
    """An upper side written under other options is still told in terms of names."""

    def act(m: Path):
        os.rename(m / "srv/deep", m / "srv/moved")

    found = changed(paths, act, options=("redirect_dir=on", "metacopy=on"))
    assert ("D", "/srv/deep") in found
    assert ("A", "/srv/moved") in found


def test_prepare_is_idempotent_and_remove_too(paths):
    snapshots = Snapshots(paths)
    root = snapshots.prepare(CID, ("/",))
    assert snapshots.prepare(CID, ("/",)) == root == snapshots.root(CID, ("/",))
    assert (os.stat(root.upper).st_mode & 0o777, os.stat(root.work).st_mode & 0o777) == (0o755, 0o700)
    Path(root.upper, "f").write_bytes(b"12345")
    assert snapshots.usage(CID) == (5, 1)
    log = Path(paths.container(CID), "log")
    log.write_text("kept")
    snapshots.remove(CID)
    snapshots.remove(CID)
    assert os.listdir(paths.container(CID)) == ["log"]
    with pytest.raises(NotFound):
        snapshots.usage(CID)
    with pytest.raises(NotFound):
        snapshots.diff(CID, ("/",))
    snapshots.discard(CID)
    snapshots.discard(CID)
    assert os.listdir(paths.containers) == os.listdir(paths.tmp) == []


def test_sweep_removes_what_has_no_row(paths):
    snapshots = Snapshots(paths)
    for name in ("a" * 64, "b" * 64):
        snapshots.prepare(name, ("/",))
    assert snapshots.sweep({"a" * 64}) == ["b" * 64]
    assert os.listdir(paths.containers) == ["a" * 64]


def test_removal_of_what_overlayfs_left(paths):
    snapshots = Snapshots(paths)
    root = snapshots.prepare(CID, layers(paths))

    def child():
        mounted(root, f"{paths.root}/mnt")
        shutil.rmtree(f"{paths.root}/mnt/etc")
        os.mkdir(f"{paths.root}/mnt/etc")

    in_own_mounts(child)
    assert os.stat(f"{root.work}/work").st_mode & 0o777 == 0
    snapshots.discard(CID)
    assert os.listdir(paths.tmp) == os.listdir(paths.containers) == []


def test_volatile_can_be_mounted_again_after_prepare(paths):
    snapshots = Snapshots(paths)
    root = snapshots.prepare(CID, ("/etc",), volatile=True)

    def child():
        mounted(root, f"{paths.root}/mnt")

    assert "volatile" in root.options
    in_own_mounts(child)
    with pytest.raises(AssertionError, match="mount overlay"):
        in_own_mounts(child)
    snapshots.prepare(CID, ("/etc",), volatile=True)
    in_own_mounts(child)


def test_full_disk(paths):
    def child():
        mount("none", paths.root, "tmpfs", "nr_inodes=4")
        os.mkdir(paths.containers)
        try:
            Snapshots(paths).prepare(CID, ("/",))
        except ResourceExhausted as error:
            return str(error)
        return None

    assert "no space left" in in_own_mounts(child)


@pytest.mark.parametrize("upper_on", ["disk", "tmpfs"])
def test_the_host_as_lower_layer(paths, upper_on):
    """ADR 0006: / itself as lower side, the upper side below it or on a tmpfs; nothing reaches the host."""
    probe = Path(f"/etc/firkin-test-{os.getpid()}")

    def child():
        if upper_on == "tmpfs":
            mount("none", paths.root, "tmpfs")
            os.mkdir(paths.containers)
        root = Snapshots(paths).prepare(CID, ("/",))
        target = f"{paths.root}/mnt"
        mounted(root, target)
        Path(f"{target}{probe}").write_text("inside")
        os.unlink(f"{target}/etc/hostname")
        written = Path(f"{root.upper}{probe}").read_text()
        trap = ""
        if upper_on == "disk":
            try:
                os.stat(f"{target}{root.upper}")
            except OSError as error:
                trap = str(error.errno)
        return [written, probe.exists(), Path("/etc/hostname").exists(), trap]

    written, leaked, hostname, trap = in_own_mounts(child)
    assert (written, leaked, hostname) == ("inside", False, True)
    assert trap == ("40" if upper_on == "disk" else "")  # ELOOP: overlayfs hides its own upper side


def test_layers_shared_by_two_containers(paths):
    """index=off: the same lower directories in two mounts at once."""
    snapshots = Snapshots(paths)
    lowers = layers(paths)
    roots = [snapshots.prepare(name * 64, lowers) for name in "ab"]

    def child():
        for index, root in enumerate(roots):
            mounted(root, f"{paths.root}/mnt{index}")
            Path(f"{paths.root}/mnt{index}/etc/passwd").write_text(str(index))
        return [Path(f"{paths.root}/mnt{n}/etc/passwd").read_text() for n in (0, 1)]

    assert in_own_mounts(child) == ["0", "1"]
    assert Path(lowers[1], "etc/passwd").read_text() == "root"
    assert subprocess.run(["mountpoint", "-q", f"{paths.root}/mnt0"], check=False).returncode
