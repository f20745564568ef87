"""Layers on a real file system: what they may say and what becomes of it, beside GNU tar and podman."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest
import tarcraft as t
from storagekit import SHARED, in_own_mounts, mount, snapshot

from firkin.errors import InvalidArgument, NotFound, ResourceExhausted
from firkin.storage.layers import LayerStore
from firkin.storage.reader import Limits

pytestmark = pytest.mark.needs_root
OPAQUE = "trusted.overlay.opaque"


def unpack(paths, *members: bytes, limits: Limits | None = None) -> Path:
    data = t.archive(*members)
    diff_id = f"sha256:{hashlib.sha256(data).hexdigest()}"
    layer = LayerStore(paths, limits).unpack(io.BytesIO(data), diff_id)
    assert layer.diff_id == diff_id
    return Path(layer.path)


def is_whiteout(path: Path) -> bool:
    info = path.lstat()
    return stat.S_ISCHR(info.st_mode) and info.st_rdev == 0


def opaque(path: Path) -> bool:
    try:
        return os.getxattr(path, OPAQUE) == b"y"
    except OSError:
        return False


def test_equals_gnu_tar(paths, tmp_path):
    """A tree with everything that tar can carry comes out as GNU tar unpacks it."""
    source = tmp_path / "source"
    (source / "d/e").mkdir(parents=True)
    for index, name in enumerate(
        ["plain", "ünïcode", "new\nline", "n" * 255, b"latin\xe9".decode(errors="surrogateescape")]
    ):
        (source / "d" / name).write_bytes(os.urandom(index * 100_000))
    os.link(source / "d/plain", source / "d/e/linked")
    os.symlink("../plain", source / "d/e/sym")
    os.symlink("/etc/passwd", source / "absolute")
    os.symlink("x" * 300, source / "long")
    os.mkfifo(source / "fifo", 0o620)
    os.mknod(source / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod(source / "disk", stat.S_IFBLK | 0o600, os.makedev(259, 300000))
    os.chmod(source / "null", 0o666)
    (source / "su").write_bytes(b"x")
    os.chown(source / "su", 1234, 3_000_000)
    os.chmod(source / "su", 0o6755)
    os.chown(source / "absolute", 99, 98, follow_symlinks=False)
    os.setxattr(source / "su", "user.mine", b"\0binary\n")
    os.setxattr(source / "d", "user.dir", b"yes")
    os.setxattr(source / "long", "trusted.link", b"l", follow_symlinks=False)
    subprocess.run(["setcap", "cap_net_raw+ep", source / "d/plain"], check=True)
    (source / "readonly/inner").mkdir(parents=True)
    (source / "readonly/inner/file").write_bytes(b"in a directory without write permission")
    for path in ("readonly/inner", "readonly"):
        os.chmod(source / path, 0o555)
    (source / "sticky").mkdir()
    os.chmod(source / "sticky", 0o3777)
    with (source / "holes").open("wb") as stream:
        stream.truncate(5 << 20)
        stream.seek(3 << 20)
        stream.write(b"data")
    for number, path in enumerate(sorted(source.rglob("*"), reverse=True)):
        os.utime(path, ns=(1, 1_600_000_000_123_456_000 + number * 1_000_000_007), follow_symlinks=False)
    data = subprocess.run(
        ["tar", "-cS", "--format=posix", "--xattrs", "--xattrs-include=*", "-C", str(source), "."],
        check=True, capture_output=True,
    ).stdout  # fmt: skip
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    subprocess.run(
        ["tar", "-xp", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-C", str(theirs)],
        input=data,
        check=True,
    )
    ours = LayerStore(paths).unpack(io.BytesIO(gzip.compress(data, 1)), None)
    expected = snapshot(str(theirs))
    assert snapshot(ours.path) == expected
    assert len(expected) > 18
    assert ours.entries == len(expected)
    assert os.stat(f"{ours.path}/holes").st_blocks * 512 < 1 << 20


@pytest.mark.needs_shared
@pytest.mark.needs_podman
def test_debian_equals_podman(paths):
    image = SHARED / "images/debian-bookworm-slim.oci.tar"
    with tarfile.open(image) as tar:
        layer = max(tar.getmembers(), key=lambda m: m.size)
        data = tar.extractfile(layer).read()
    ours = LayerStore(paths).unpack(io.BytesIO(data), None)
    home = os.path.dirname(paths.root)
    podman = [
        "podman",
        "--root",
        f"{home}/p",
        "--runroot",
        f"{home}/r",
        "--storage-driver",
        "overlay",
    ]
    subprocess.run([*podman, "load", "-q", "-i", str(image)], check=True, capture_output=True)
    try:
        (theirs,) = Path(f"{home}/p/overlay").glob("*/diff")
        mine, other = snapshot(ours.path), snapshot(str(theirs))
        del mine["."], other["."]  # podman gives the root directory a mode of its own
        assert mine == other
        assert len(mine) > 3000
    finally:
        subprocess.run([*podman, "rmi", "-af"], check=True, capture_output=True)
        subprocess.run(["umount", "-q", f"{home}/p/overlay"], check=False)


def test_times_of_directories_are_set_after_their_content(paths):
    top = unpack(paths, t.directory(b"d", mtime=1000), t.directory(b"d/e", mtime=2000), t.member(b"d/e/f", b"x"),
                 t.member(b"d/g", b"y", mtime=5))  # fmt: skip
    assert [(top / p).stat().st_mtime for p in ("d", "d/e", "d/g")] == [1000, 2000, 5]


def test_many_directories_spill_to_a_file(paths):
    members = [t.directory(b"d%d" % n, mtime=n) for n in range(8200)]
    top = unpack(paths, *members, t.directory(b"d7", mtime=77))
    assert [(top / f"d{n}").stat().st_mtime for n in (0, 7, 8191, 8199)] == [0, 77, 8191, 8199]
    assert os.listdir(paths.tmp) == []


def test_default_acl_is_not_inherited_inside_the_layer(paths, tmp_path):
    subprocess.run(["setfacl", "-d", "-m", "u:1000:rwx", str(tmp_path)], check=True)
    acl = os.getxattr(tmp_path, "system.posix_acl_default")
    top = unpack(paths, t.pax((b"SCHILY.xattr.system.posix_acl_default", acl)), t.directory(b"d"),
                 t.member(b"d/f", mode=0o600))  # fmt: skip
    assert os.getxattr(top / "d", "system.posix_acl_default") == acl
    assert os.listxattr(top / "d/f") == []


def test_whiteouts(paths):
    top = unpack(
        paths,
        t.directory(b"etc"),
        t.member(b"etc/.wh.gone"),
        t.member(b".wh.top"),
        t.member(b"new/parent/.wh.x"),
    )
    for name in ("etc/gone", "top", "new/parent/x"):
        assert is_whiteout(top / name)
    assert sorted(os.listdir(top)) == ["etc", "new", "top"]


def test_opaque_directories(paths):
    top = unpack(
        paths, t.directory(b"a"), t.member(b"a/.wh..wh..opq"), t.member(b"b/.wh..wh..opq"), t.member(b"a/f")
    )
    assert opaque(top / "a")
    assert opaque(top / "b")
    assert os.listdir(top / "a") == ["f"]


def test_opaque_root_is_told(paths):
    data = t.archive(t.member(b".wh..wh..opq"), t.member(b"f"))
    assert LayerStore(paths).unpack(io.BytesIO(data), None).opaque
    assert not LayerStore(paths).unpack(io.BytesIO(t.archive(t.member(b"f"))), None).opaque


@pytest.mark.parametrize("order", [1, -1])
def test_a_whiteout_hides_only_lower_layers(paths, order):
    """image-spec, layer.md: files of the same layer stay, whichever comes first in the archive."""
    top = unpack(paths, *[t.member(b".wh.f"), t.member(b"f", b"mine")][::order])
    assert (top / "f").read_bytes() == b"mine"


@pytest.mark.parametrize("members", [
    [t.member(b".wh.d"), t.directory(b"d"), t.member(b"d/f", b"mine")],
    [t.directory(b"d"), t.member(b"d/f", b"mine"), t.member(b".wh.d")],
    [t.member(b".wh.d"), t.member(b"d/f", b"mine")],
    [t.member(b"d/f", b"mine"), t.member(b".wh.d")],
])  # fmt: skip
def test_a_directory_that_was_whited_out_is_opaque(paths, members):
    top = unpack(paths, *members)
    assert (top / "d/f").read_bytes() == b"mine"
    assert opaque(top / "d")


def test_deep_parents_below_a_whiteout(paths):
    top = unpack(paths, t.member(b"x/.wh.d"), t.member(b"x/d/e/f", b"mine"))
    assert (top / "x/d/e/f").read_bytes() == b"mine"
    assert opaque(top / "x/d")


def test_aufs_records_are_dropped(paths):
    top = unpack(
        paths, t.directory(b".wh..wh.plnk"), t.member(b".wh..wh.plnk/1.2", b"x"), t.member(b".wh..wh.aufs"),
        t.member(b"f"),
    )  # fmt: skip
    assert os.listdir(top) == ["f"]


def test_replaced_there_and_back(paths):
    top = unpack(
        paths,
        t.member(b"x", b"file"), t.directory(b"x"), t.member(b"x/in", b"1"), t.member(b"x", b"file again"),
        t.member(b"y", b"old"), t.symlink(b"y", b"x"), t.member(b"y", b"new", mode=0o600),
        t.directory(b"z", mode=0o700), t.member(b"z/keep", b"k"), t.directory(b"z", mode=0o755),
        t.member(b"p", kind=b"6"), t.member(b"p", b"was a fifo"), t.hardlink(b"h", b"y"), t.hardlink(b"h", b"y"),
        t.hardlink(b"x", b"y"),
    )  # fmt: skip
    assert (top / "x").read_bytes() == (top / "y").read_bytes() == b"new"
    assert (top / "y").lstat().st_nlink == 3
    assert (top / "z/keep").read_bytes() == b"k"
    assert stat.S_IMODE((top / "z").stat().st_mode) == 0o755
    assert (top / "p").read_bytes() == b"was a fifo"


def test_a_hard_link_to_itself_stays(paths):
    assert (unpack(paths, t.member(b"a", b"x"), t.hardlink(b"a", b"a")) / "a").read_bytes() == b"x"


def test_hard_link_to_a_symlink(paths):
    top = unpack(paths, t.symlink(b"s", b"/etc/passwd"), t.hardlink(b"h", b"s"))
    assert os.readlink(top / "h") == "/etc/passwd"


def test_a_symlinked_parent_leads_on_inside_the_layer(paths):
    top = unpack(
        paths, t.directory(b"usr/bin"), t.symlink(b"bin", b"usr/bin"), t.member(b"bin/sh", b"shell"),
        t.symlink(b"lib", b"/usr/lib"), t.member(b"lib/libc", b"c"),
    )  # fmt: skip
    assert (top / "usr/bin/sh").read_bytes() == b"shell"
    assert (top / "usr/lib/libc").read_bytes() == b"c"


def test_names_are_cleaned(paths):
    top = unpack(
        paths, t.directory(b"./"), t.member(b"/abs", b"1"), t.member(b"./a/./b//c", b"2"), t.member(b"a/x/../d", b"3"),
        t.hardlink(b"h", b"/abs"), t.member(b"..data", b"4"),
    )  # fmt: skip
    assert sorted(str(p.relative_to(top)) for p in top.rglob("*")) == [
        "..data",
        "a",
        "a/b",
        "a/b/c",
        "a/d",
        "abs",
        "h",
    ]


def test_root_entry_gives_the_root_its_metadata(paths):
    top = unpack(paths, t.directory(b"./", mode=0o1711, uid=5, mtime=7), t.member(b"f"))
    info = top.stat()
    assert (stat.S_IMODE(info.st_mode), info.st_uid, info.st_mtime) == (0o1711, 5, 7)
    assert stat.S_IMODE(unpack(paths, t.member(b"g")).stat().st_mode) == 0o755


def test_overlay_attributes_of_a_layer_are_dropped(paths):
    keys = [b"SCHILY.xattr.trusted.overlay.opaque", b"SCHILY.xattr.trusted.overlay.redirect",
            b"SCHILY.xattr.user.overlay.opaque", b"SCHILY.xattr.security.selinux"]  # fmt: skip
    top = unpack(paths, t.pax(*((k, b"y") for k in keys), (b"SCHILY.xattr.user.ok", b"1")), t.directory(b"d"))
    assert os.listxattr(top / "d") == ["user.ok"]


REFUSED = {
    "leads out": [t.member(b"../evil", b"x")],
    "leads out deep": [t.directory(b"a"), t.member(b"a/../../evil", b"x")],
    "leads out absolute": [t.member(b"/../evil", b"x")],
    "directory that leads out": [t.directory(b"../../evil")],
    "symlink that leads out": [t.symlink(b"../evil", b"x")],
    "hard link that leads out": [t.hardlink(b"h", b"../../sentinel")],
    "hard link to nothing": [t.hardlink(b"h", b"nothing")],
    "hard link to nothing, no parent": [t.hardlink(b"h", b"no/thing")],
    "hard link to a directory": [t.directory(b"d"), t.hardlink(b"h", b"d")],
    "hard link to the root": [t.hardlink(b"h", b"/")],
    "hard link to a whiteout": [t.member(b".wh.f"), t.hardlink(b"h", b"f")],
    "whiteout of ..": [t.member(b".wh...", b"")],
    "whiteout of .": [t.member(b".wh..", b"")],
    "whiteout of nothing": [t.member(b".wh.", b"")],
    "below a whiteout": [t.member(b".wh.d/f", b"x")],
    "file as the root": [t.member(b".", b"x")],
    "file below a file": [t.member(b"f", b"x"), t.member(b"f/g", b"x")],
    "name component too long": [t.long_name(b"n" * 256), t.member(b"n")],
    "empty symlink": [t.symlink(b"s", b"")],
    "symlink loop as parent": [t.symlink(b"a", b"b"), t.symlink(b"b", b"a"), t.member(b"a/f")],
    "unknown type": [t.member(b"f", kind=b"Z")],
    "device number": [t.member(b"f", kind=b"3", device=(5000, 1))],
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused_and_nothing_left(paths, name):
    sentinel = Path(paths.root).parent / "sentinel"
    sentinel.write_bytes(b"untouched")
    with pytest.raises(InvalidArgument, match="entry '"):
        unpack(paths, t.member(b"first", b"x"), *REFUSED[name])
    assert os.listdir(paths.tmp) == os.listdir(paths.layers) == []
    assert sentinel.read_bytes() == b"untouched"
    assert sorted(os.listdir(sentinel.parent)) == ["root", "sentinel"]


ESCAPES = {
    "parent symlink absolute": lambda o: [t.symlink(b"l", o), t.member(b"l/evil", b"x")],
    "parent symlink dots": lambda o: [t.symlink(b"l", b"../" * 30 + o[1:]), t.member(b"l/evil", b"x")],
    "symlink chain": lambda o: [
        t.symlink(b"a", b"b"), t.symlink(b"b", b"../" * 9), t.member(b"a" + o + b"/evil", b"x"),
    ],
    "final symlink file": lambda o: [t.symlink(b"f", o + b"/sentinel"), t.member(b"f", b"x")],
    "final symlink directory": lambda o: [t.symlink(b"d", o), t.directory(b"d", mode=0o777), t.member(b"d/evil", b"x")],
    "final symlink chmod": lambda o: [t.symlink(b"d", o), t.directory(b"d", mode=0o777)],
    "opaque through symlink": lambda o: [t.symlink(b"d", o), t.member(b"d/.wh..wh..opq")],
    "whiteout through symlink": lambda o: [t.symlink(b"d", o), t.member(b"d/.wh.sentinel")],
    "etc replaced by a symlink": lambda o: [
        t.directory(b"etc"), t.member(b"etc/f"), t.symlink(b"etc", o), t.member(b"etc/evil", b"x"),
        t.directory(b"etc/evild"),
    ],
    "cached directory replaced": lambda o: [
        t.directory(b"a/b"), t.member(b"a/b/1"), t.symlink(b"a", o), t.member(b"a/b/evil", b"x"),
    ],
    "device through symlink": lambda o: [t.symlink(b"d", o), t.member(b"d/evil", kind=b"3", device=(1, 3))],
    "fifo through symlink": lambda o: [t.symlink(b"d", o), t.member(b"d/evil", kind=b"6")],
    "symlink through symlink": lambda o: [t.symlink(b"d", o), t.symlink(b"d/evil", b"x")],
    "magic link": lambda o: [t.symlink(b"d", b"/proc/self/root" + o), t.member(b"d/evil", b"x")],
    "magic link cwd": lambda o: [t.symlink(b"d", b"/proc/self/cwd"), t.member(b"d/evil", b"x")],
    "late mtime through symlink": lambda o: [t.directory(b"d", mtime=1), t.symlink(b"d", o)],
}  # fmt: skip


@pytest.mark.parametrize("name", ESCAPES)
def test_real_attacks_stay_inside(paths, name):
    outside = Path(paths.root).parent / "outside"
    outside.mkdir(mode=0o700)
    (outside / "sentinel").write_bytes(b"untouched")
    before = snapshot(str(outside))
    top = unpack(paths, *ESCAPES[name](os.fsencode(outside)))
    assert snapshot(str(outside)) == before
    assert top.is_dir()
    assert os.listdir(paths.tmp) == []


def test_a_link_that_is_replaced_through_itself(paths):
    """``a/l`` leads to ``a``: what is behind it must be looked up anew once it is another thing."""
    top = unpack(paths, t.directory(b"a"), t.symlink(b"a/l", b"."), t.member(b"a/l/1"), t.directory(b"a/l/l"),
                 t.member(b"a/l/x", b"x"))  # fmt: skip
    assert sorted(str(p.relative_to(top)) for p in top.rglob("*")) == ["a", "a/1", "a/l", "a/l/l", "a/l/x"]


def test_an_xattr_that_does_not_fit_is_no_full_disk(paths):
    with pytest.raises(InvalidArgument, match=r"'f'.*too large"):
        unpack(paths, t.pax((b"SCHILY.xattr.user.big", b"x" * 60_000)), t.member(b"f"))


def test_hard_link_to_a_file_outside_through_a_symlink(paths):
    outside = Path(paths.root).parent / "outside"
    outside.write_bytes(b"secret")
    with pytest.raises(InvalidArgument, match="hard link"):
        unpack(paths, t.symlink(b"d", os.fsencode(outside.parent)), t.hardlink(b"h", b"d/outside"))


def test_write_through_a_hard_linked_symlink(paths):
    outside = Path(paths.root).parent / "outside"
    outside.write_bytes(b"untouched")
    top = unpack(
        paths, t.symlink(b"s", os.fsencode(outside)), t.hardlink(b"h", b"s"), t.member(b"h", b"x", mode=0o777)
    )
    assert outside.read_bytes() == b"untouched"
    assert (top / "h").read_bytes() == b"x"


def test_limits(paths):
    with pytest.raises(ResourceExhausted, match="entries"):
        unpack(paths, *(t.member(b"%d" % n) for n in range(11)), limits=Limits(entries=10))
    with pytest.raises(ResourceExhausted, match=r"'big'.*1048576 bytes"):
        unpack(paths, t.member(b"big", bytes(2 << 20)), limits=Limits(size=1 << 20))
    assert os.listdir(paths.tmp) == os.listdir(paths.layers) == []


def test_gzip_bomb(paths):
    data = gzip.compress(t.member(b"bomb", b"", size=60 << 20)[:512] + bytes(60 << 20), 1)
    with pytest.raises(ResourceExhausted, match="'bomb'"):
        LayerStore(paths, Limits(size=50 << 20)).unpack(io.BytesIO(data), None)
    assert os.listdir(paths.tmp) == []


def test_memory_is_bounded(paths):
    """A large file, a large PAX header and 10,000 directories: less than 64 MB on top of the interpreter."""

    def status(field: str) -> int:
        text = Path("/proc/self/status").read_text()
        return int(text.split(f"{field}:")[1].split()[0])

    def child():
        members = [t.pax((b"comment", b"x" * 1_000_000)), t.member(b"big", bytes(40 << 20))]
        members += [t.directory(b"d%d" % n) for n in range(10_000)]
        packed = gzip.compress(b"".join([*members, t.END]), 1)
        del members
        before = status("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak until now
        LayerStore(paths).unpack(io.BytesIO(packed), None)
        return status("VmHWM") - before

    assert in_own_mounts(child) < 64 << 10


def test_wrong_diff_id(paths):
    with pytest.raises(InvalidArgument, match="diff id"):
        LayerStore(paths).unpack(io.BytesIO(t.archive(t.member(b"f"))), f"sha256:{'0' * 64}")
    assert os.listdir(paths.tmp) == os.listdir(paths.layers) == []


def test_import_of_a_truncated_stream_is_refused(paths):
    with pytest.raises(InvalidArgument, match="end is missing"):
        LayerStore(paths).unpack(io.BytesIO(t.member(b"f", b"x")), None)


def test_store(paths):
    store = LayerStore(paths)
    data = t.archive(t.member(b"f", b"12345"), t.directory(b"d"))
    layer = store.unpack(io.BytesIO(data), None)
    assert (layer.size, layer.entries) == (5, 2)
    assert store.has(layer.diff_id)
    assert [found.diff_id for found in store.list()] == [layer.diff_id]
    assert store.path(layer.diff_id) == layer.path
    assert store.usage(layer.diff_id) == (5, 2)

    class Unread:
        def read(self, size: int, /) -> bytes:
            raise AssertionError("a layer that is here is not read again")

    assert store.unpack(Unread(), layer.diff_id) == layer
    store.settle()
    assert not os.path.exists(f"{os.path.dirname(layer.path)}/unsynced")
    assert store.sweep() == []
    assert store.remove(layer.diff_id)
    assert not store.remove(layer.diff_id)
    with pytest.raises(NotFound):
        store.path(layer.diff_id)


def test_a_layer_that_a_power_cut_may_have_torn_counts_as_absent(paths):
    store = LayerStore(paths)
    data = t.archive(t.member(b"f", b"12345"))
    layer = store.unpack(io.BytesIO(data), None)
    mark = Path(f"{os.path.dirname(layer.path)}/unsynced")
    mark.write_text("another boot")
    Path(f"{layer.path}/f").write_bytes(b"")
    assert not store.has(layer.diff_id)
    assert list(store.list()) == []
    with pytest.raises(NotFound):
        store.path(layer.diff_id)
    assert store.unpack(io.BytesIO(data), layer.diff_id) == layer
    assert Path(f"{layer.path}/f").read_bytes() == b"12345"
    mark.write_text("another boot")
    assert store.sweep() == [layer.diff_id]
    assert os.listdir(paths.layers) == os.listdir(paths.tmp) == []


def test_what_a_killed_unpack_left_is_swept(paths):
    store = LayerStore(paths)
    child = os.fork()
    if child == 0:

        class Stuck:
            given = False

            def read(self, size: int, /) -> bytes:
                if not self.given:
                    self.given = True
                    return b"".join([t.directory(b"d"), t.member(b"d/f", b"x"), t.directory(b"e", mode=0)])
                os.kill(os.getpid(), 9)
                return b""

        store.unpack(Stuck(), None)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -9
    assert len(os.listdir(paths.tmp)) == 1
    store.sweep()
    assert os.listdir(paths.tmp) == []


def test_sweep_leaves_the_living_alone(paths):
    store = LayerStore(paths)
    data = t.archive(t.member(b"f", b"x"))

    class Sweeping:
        at = 0

        def read(self, size: int, /) -> bytes:
            assert LayerStore(paths).sweep() == []
            self.at += 100
            return data[self.at - 100 : self.at]

    assert store.has(store.unpack(Sweeping(), None).diff_id)


def test_eight_processes_unpack_the_same_layer_at_once(paths):
    data = t.archive(*(t.member(b"d%d/f%d" % (n % 7, n), b"x" * n) for n in range(300)))
    diff_id = f"sha256:{hashlib.sha256(data).hexdigest()}"
    children = []
    for _ in range(8):
        child = os.fork()
        if child == 0:
            try:
                LayerStore(paths).unpack(io.BytesIO(data), diff_id)
                os._exit(0)
            finally:
                os._exit(1)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 8
    assert os.listdir(paths.tmp) == []
    assert len(os.listdir(paths.layers)) == 1


def test_full_disk(paths):
    def child():
        mount("none", paths.root, "tmpfs", "size=4m")
        for folder in (paths.blobs, paths.layers, paths.tmp):
            os.makedirs(folder)
        store = LayerStore(paths)
        small = store.unpack(io.BytesIO(t.archive(t.member(b"small", b"s"))), None)
        told = []
        for data in (
            t.archive(t.member(b"big", bytes(8 << 20))),
            t.archive(*(t.member(b"%d" % n, b"x" * 3000) for n in range(2000))),
        ):
            try:
                store.unpack(io.BytesIO(data), None)
            except ResourceExhausted as error:
                told.append(str(error))
        left = os.listdir(paths.tmp)
        again = store.get(small.diff_id) == small and Path(f"{small.path}/small").read_bytes() == b"s"
        return [told, left, again, len(os.listdir(paths.layers))]

    told, left, again, count = in_own_mounts(child)
    assert len(told) == 2
    assert "'big'" in told[0]
    assert all("no space left" in text for text in told)
    assert (left, again, count) == ([], True, 1)
