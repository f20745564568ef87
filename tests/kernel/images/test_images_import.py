"""Root file systems from a tar, a stream and a directory."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import tarfile

import imagecraft as craft
import pytest
from imagestore import SHARED, check_whole, state

from firkin.errors import Conflict, FirkinError, InvalidArgument, NotFound, Unsupported
from firkin.images.directory import DirectoryTar

pytestmark = pytest.mark.needs_root

ROOT = craft.layer(
    {"bin/": b"", "bin/sh": b"x" * 3000, "etc/": b"", "etc/passwd": b"root:x:0:0::/:/bin/sh\n"}
)


class Pipe:
    def __init__(self, data):
        self._stream = io.BytesIO(data)

    def read(self, size):
        return self._stream.read(min(size, 700))


@pytest.mark.parametrize("program", ["cat", "gzip -c", "zstd -qc", "xz -c", "bzip2 -c"])
def test_a_tar_however_compressed(store, home, program):
    data = subprocess.run(program, shell=True, input=ROOT, capture_output=True, check=True).stdout
    with open(f"{home}/root.tar", "wb") as stream:
        stream.write(data)
    for source in (f"{home}/root.tar", Pipe(data)):
        image = store.import_(source, ('CMD ["sh"]', "ENV A=1"), "a message", "mine:1", "linux/arm64")
        assert image.references == ("mine:1",)
        assert (image.config.cmd, image.config.env) == (("sh",), ("A=1",))
        assert image.config.diff_ids == (craft.digest(ROOT),)
        assert image.config.architecture == "arm64"
        (lower,) = image.lowers
        assert sorted(os.listdir(lower)) == ["bin", "etc"]
        assert store.inspect("mine:1")["Comment"] == "a message"
        assert store.history("mine:1")[0]["Size"] == image.size == 3022
    store.prune()
    check_whole(store)


def test_import_gives_docker_words_when_there_is_no_message(store):
    image = store.import_(Pipe(ROOT))
    assert image.references == ()
    assert store.inspect(image.id)["Comment"] == "Imported from -"
    assert store.history(image.id)[0]["Comment"] == "Imported from -"


@pytest.mark.parametrize(
    ("source", "more", "kind"),
    [
        (ROOT[:-1024], {}, FirkinError),
        (ROOT[:700], {}, FirkinError),
        (b"", {}, FirkinError),
        (b"hello", {}, FirkinError),
        (craft.gzipped(ROOT)[:-5], {}, FirkinError),
        (ROOT, {"changes": ("RUN x",)}, InvalidArgument),
        (ROOT, {"reference": "NOT VALID"}, InvalidArgument),
        (ROOT, {"reference": "host"}, Conflict),
        (ROOT, {"platform": "a/b/c/d"}, InvalidArgument),
        ("/nonexistent", {}, NotFound),
        ("https://example.com/x.tar", {}, Unsupported),
        ("/dev/null", {}, FirkinError),
    ],
)
def test_what_is_refused_leaves_nothing(store, source, more, kind):
    before = state(store)
    with pytest.raises(kind):
        store.import_(Pipe(source) if isinstance(source, bytes) else source, **more)
    assert state(store) == before
    check_whole(store)


@pytest.fixture
def tree(home):
    """A tree with everything that a file system can hold."""
    root = f"{home}/tree"
    os.makedirs(f"{root}/d/e")
    with open(f"{root}/d/file", "wb") as stream:
        stream.write(b"content" * 1000)
    os.chmod(f"{root}/d/file", 0o4755)
    os.chown(f"{root}/d/file", 3_000_000, 5)
    os.utime(f"{root}/d/file", ns=(0, 1_234_567_890_123_456_789))
    os.link(f"{root}/d/file", f"{root}/z-link")
    os.symlink("x" * 150, f"{root}/symlink")
    os.mkfifo(f"{root}/fifo")
    os.mknod(f"{root}/dev", 0o20600, os.makedev(1, 3))
    os.setxattr(f"{root}/d/file", "user.a", b"\0\1")
    os.setxattr(f"{root}/d/file", "trusted.overlay.opaque", b"y")
    with open(f"{root}/{'n' * 120}", "wb"):
        pass
    with open(os.fsencode(root) + b"/\xff\xfe", "wb"):
        pass
    with open(f"{root}/holes", "wb") as stream:
        stream.seek(50 << 20)
        stream.write(b"end")
        stream.truncate(60 << 20)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{root}/socket")
    os.utime(f"{root}/d", ns=(0, -1_500_000_000))
    os.chmod(root, 0o711)
    return root


def facts(path):
    info = os.lstat(path)
    return (info.st_mode, info.st_uid, info.st_gid, info.st_mtime_ns, info.st_rdev, info.st_nlink)


def test_a_directory_keeps_everything(store, tree):
    image = store.import_(tree, reference="tree")
    (lower,) = image.lowers
    names = [
        os.path.relpath(os.path.join(base, name), tree)
        for base, folders, files in os.walk(tree)
        for name in (*folders, *files)
    ]
    assert len(names) == 11
    for name in names:
        if name == "socket":
            assert not os.path.lexists(f"{lower}/{name}")
            continue
        assert facts(f"{lower}/{name}") == facts(f"{tree}/{name}"), name
        if os.path.isfile(f"{tree}/{name}") and not os.path.islink(f"{tree}/{name}"):
            with open(f"{lower}/{name}", "rb") as ours, open(f"{tree}/{name}", "rb") as theirs:
                assert ours.read() == theirs.read(), name
    assert os.readlink(f"{lower}/symlink") == "x" * 150
    assert os.getxattr(f"{lower}/d/file", "user.a") == b"\0\1"
    assert "trusted.overlay.opaque" not in os.listxattr(f"{lower}/d/file")
    assert os.stat(f"{lower}/z-link").st_ino == os.stat(f"{lower}/d/file").st_ino
    assert os.stat(f"{lower}/holes").st_blocks < 1000
    assert os.stat(lower).st_mode & 0o7777 == 0o711
    check_whole(store)


def test_the_same_directory_gives_the_same_layer_and_other_tars_can_read_it(tree, home):
    def whole():
        with DirectoryTar(tree) as stream:
            return b"".join(iter(lambda: stream.read(1 << 16), b""))

    data = whole()
    assert whole() == data
    with open(f"{home}/x.tar", "wb") as out:
        out.write(data)
    os.mkdir(f"{home}/out")
    subprocess.run(["tar", "-xpf", f"{home}/x.tar", "--numeric-owner", "-C", f"{home}/out"], check=True)
    assert facts(f"{home}/out/d/file") == facts(f"{tree}/d/file")
    with open(f"{home}/out/holes", "rb") as ours:
        ours.seek(50 << 20)
        assert ours.read(3) == b"end"
    with tarfile.open(f"{home}/x.tar") as theirs:
        assert theirs.getmember("z-link").pax_headers["SCHILY.xattr.user.a"] == "\0\1"


def test_firkins_own_state_is_left_out_and_whiteouts_are_refused(store, home):
    os.makedirs(f"{home}/a/b", exist_ok=True)
    image = store.import_(home)
    assert sorted(os.listdir(image.lowers[0])) == ["a"]
    with open(f"{home}/a/.wh.b", "wb"):
        pass
    before = state(store)
    with pytest.raises(InvalidArgument, match="mean deletion"):
        store.import_(home)
    assert state(store) == before


@pytest.mark.needs_shared
def test_what_docker_saved_is_no_root_file_system_but_imports_as_files(store):
    image = store.import_(str(SHARED / "hello-world.docker.tar"))
    assert "manifest.json" in os.listdir(image.lowers[0])
