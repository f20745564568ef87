"""Truncated, corrupt and hostile archives, full disks, kills: an error, and the store is what it was."""

from __future__ import annotations

import io
import os
import random
import signal
import subprocess
import sys
import time

import imagecraft as craft
import pytest
import tarcraft
from imagestore import check_whole, open_store, state

from firkin.errors import FirkinError, NotFound, ResourceExhausted
from firkin.images.archive import BrokenArchive

pytestmark = pytest.mark.needs_root

ONE = craft.layer({"etc/": b"", "etc/a": b"1" * 5000})
TWO = craft.layer({"etc/b": b"2" * 700})
TESTS = os.path.dirname(craft.__file__)
DOCKER = craft.tar(craft.docker_files([ONE, TWO], ["box:1"]))
OCI = craft.tar(craft.oci_files([ONE, TWO], "box:1"))


class Pipe:
    """A stream that cannot be sought."""

    def __init__(self, data):
        self._stream = io.BytesIO(data)

    def read(self, size):
        return self._stream.read(min(size, 1000))


def as_file(home, data):
    path = f"{home}/archive.tar"
    with open(path, "wb") as stream:
        stream.write(data)
    return path


@pytest.fixture
def held(store):
    """A store with an image in it that shares a layer with the archives here."""
    store.load(Pipe(craft.tar(craft.docker_files([ONE], ["old:1"]))))
    return store


def refused(store, source, match=None):
    before = state(store)
    with pytest.raises(FirkinError, match=match) as caught:
        store.load(source)
    assert state(store) == before
    check_whole(store)
    return caught.value


@pytest.mark.parametrize("data", [DOCKER, OCI], ids=["docker", "oci"])
def test_truncated_at_many_offsets_nothing_changes(held, home, data):
    needed = len(data.rstrip(b"\0"))
    offsets = {*range(0, needed, 997), *(512 * n for n in range(0, needed // 512, 3)), needed - 1}
    for offset in sorted(offsets):
        refused(held, as_file(home, data[:offset]))
        refused(held, Pipe(data[:offset]))


@pytest.mark.parametrize("data", [DOCKER, OCI], ids=["docker", "oci"])
def test_a_changed_byte_is_found_or_meaningless(held, home, data):
    rng = random.Random(5)
    honest = {(layer.diff_id, layer.size) for layer in held.layers.list()}
    honest |= {(craft.digest(ONE), 5000), (craft.digest(TWO), 700)}
    for _ in range(120):
        at = rng.randrange(len(data))
        broken = bytearray(data)
        broken[at] ^= 1 << rng.randrange(8)
        before = state(held)
        try:
            loaded = held.load(as_file(home, bytes(broken)))
        except FirkinError:
            assert state(held) == before, f"byte {at}"
            continue
        assert {(layer.diff_id, layer.size) for layer in held.layers.list()} <= honest, f"byte {at}"
        for one in loaded:
            held.remove(one.id, force=True)
        check_whole(held)


def layers_of(*members):
    return craft.docker_files([tarcraft.archive(*members)], ["evil:1"])


@pytest.mark.parametrize(
    "members",
    [
        [tarcraft.member(b"../../../../tmp/firkin-test-escape", b"x")],
        [tarcraft.member(b"a/../../x", b"x")],
        [tarcraft.symlink(b"d", b"/tmp"), tarcraft.hardlink(b"e", b"/etc/shadow")],
        [tarcraft.hardlink(b"e", b"../../../etc/shadow")],
    ],
)
def test_layers_that_climb_out_are_refused_whole(held, home, members):
    error = refused(held, as_file(home, craft.tar(layers_of(*members))), "layer.tar")
    assert error.fields["file"].endswith("layer.tar")
    assert not os.path.exists("/tmp/firkin-test-escape")


def test_a_layer_that_is_not_its_diff_id(held, home):
    files = craft.docker_files([ONE], ["a:1"], craft.config([TWO]))
    refused(held, as_file(home, craft.tar(files)), "does not match its diff id|expected sha256")


def test_a_layer_that_is_here_already_must_still_be_what_the_archive_says(held, home):
    """Else a later push would send another layer than the one that containers see."""
    files = craft.docker_files([TWO], ["a:1"], craft.config([ONE]))
    refused(held, as_file(home, craft.tar(files)), "its diff id is")


def test_an_oci_layer_that_is_not_its_digest(held, home):
    files = craft.oci_files([TWO])
    name = next(n for n, data in files.items() if data[:2] == b"\x1f\x8b")
    files[name] = files[name][:-1] + bytes([files[name][-1] ^ 1])
    refused(held, as_file(home, craft.tar(files)), f"{name}.*(digest|damaged)")
    refused(held, Pipe(craft.tar(files)))


def test_the_outer_tars_links_cannot_leave_the_archive(held, home):
    files = craft.docker_files([ONE], ["a:1"])
    layer = next(n for n in files if n.endswith("layer.tar"))
    del files[layer]
    data = craft.tar(files, {layer: "../../../../../../etc/passwd"})
    refused(held, as_file(home, data), "not in the archive")
    refused(held, as_file(home, craft.tar(files, {layer: "layer.tar"})), "too many links")


def test_layers_that_are_links_to_anothers_as_docker_writes_them(held, home):
    files = craft.docker_files([ONE, TWO, ONE], ["a:1"])
    last = f"{2:064x}/layer.tar"
    del files[last]
    path = as_file(home, craft.tar(files, {last: f"../{0:064x}/layer.tar"}))
    assert held.load(path)[0].reference == "a:1"
    assert len(held.resolve("a:1").lowers) == 3
    check_whole(held)


def test_what_is_no_archive(held, home):
    refused(held, as_file(home, b"hello"), "truncated|damaged|checksum")
    refused(held, as_file(home, b""), "neither a docker archive")
    refused(held, as_file(home, craft.tar({"etc/passwd": b"x"})), "firkin import")
    refused(held, as_file(home, b"\x1f\x8b\x08" + b"x" * 100), "damaged|truncated")
    before = state(held)
    with pytest.raises(NotFound, match="cannot open /nonexistent"):
        held.load("/nonexistent")
    assert state(held) == before


def test_a_bomb_in_metadata(held, home):
    files = craft.docker_files([ONE], ["a:1"])
    files["manifest.json"] = b" " * ((8 << 20) + 1)
    refused(held, as_file(home, craft.tar(files)), "manifest.json: .*8 MiB")
    refused(held, Pipe(craft.tar(files)), "manifest.json: .*8 MiB")


def test_a_directory_of_links_and_fifos(held, home):
    os.makedirs(f"{home}/layout/blobs/sha256")
    os.symlink("/etc/passwd", f"{home}/layout/index.json")
    refused(held, f"{home}/layout")
    os.unlink(f"{home}/layout/index.json")
    os.mkfifo(f"{home}/layout/index.json")
    refused(held, f"{home}/layout")


def test_a_full_disk_is_said_and_leaves_the_store_unbroken(home):
    script = """
import sys, os
sys.path[:0] = sys.argv[2:]
from imagestore import open_store, check_whole, state
import imagecraft as craft, io
from firkin.errors import ResourceExhausted
store = open_store(sys.argv[1])
store.load(io.BytesIO(craft.tar(craft.docker_files([craft.layer({"a": b"x"})], ["small:1"]))))
before = state(store)
big = craft.layer({f"f{n}": os.urandom(1 << 20) for n in range(12)})
try:
    store.load(io.BytesIO(craft.tar(craft.docker_files([big], ["big:1"]))))
except ResourceExhausted as error:
    print("said:", error)
assert state(store) == before, "changed"
check_whole(store)
print(store.resolve("small:1").references)
"""
    os.mkdir(f"{home}/small")
    argv = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o size=8m none "$1" && exec "$2" -c "$3" "$1" "$4"', "sh",
            f"{home}/small", sys.executable, script, TESTS]  # fmt: skip
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "said: " in done.stdout
    assert "no space left" in done.stdout
    assert "small:1" in done.stdout


LOADER = """
import sys, os
sys.path[:0] = sys.argv[3:]
from imagestore import open_store
store = open_store(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for path in sys.argv[2].split(","):
    verb, _, what = path.partition("=")
    try:
        (store.load if verb == "load" else lambda ref: store.remove(ref, force=True))(what)
    except Exception as error:
        if verb == "load" or type(error).__name__ != "NoSuchImage":
            raise
print("done", flush=True)
"""


def loader(home, work):
    return subprocess.Popen(
        [sys.executable, "-c", LOADER, home, work, TESTS],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def many_files(count, tag):
    return craft.tar(
        craft.docker_files([craft.layer({f"{tag}{n}": b"x" * 100 for n in range(count)}), TWO], [f"{tag}:1"])
    )


def test_killed_at_any_moment_the_next_command_finds_the_old_or_the_new_state(held, home):
    path = as_file(home, many_files(3000, "k"))
    rng = random.Random(7)
    killed = 0
    for delay in [0.0, *(rng.uniform(0, 0.25) for _ in range(9))]:
        child = loader(home, f"load={path}")
        child.stdout.readline()
        child.stdin.write("\n")
        child.stdin.flush()
        time.sleep(delay)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        killed += child.returncode == -signal.SIGKILL
        held.recover({})
        check_whole(held)
        assert held.resolve("old:1").id
        if held.table.by_name("docker.io/library/k:1"):
            assert [kind for kind, _ in held.remove("k:1")].count("deleted") >= 1
            check_whole(held)
    assert killed


def test_loads_and_removals_at_once_never_tear_the_store(held, home):
    paths = []
    for tag in "ab":
        paths.append(f"{home}/{tag}.tar")
        with open(paths[-1], "wb") as stream:
            stream.write(many_files(200, tag))
    work = [f"load={paths[n % 2]},rm={'ab'[n % 2]}:1," * 3 + f"load={paths[n % 2]}" for n in range(6)]
    children = [loader(home, one) for one in work]
    for child in children:
        child.stdout.readline()
    for child in children:
        child.stdin.write("\n")
        child.stdin.flush()
    for child in children:
        out, err = child.communicate(timeout=60)
        assert "done" in out, err
    for ref in ("a:1", "b:1", "old:1"):
        image = held.resolve(ref)
        assert all(os.path.isdir(path) for path in image.lowers)
    held.prune()
    check_whole(held)


def test_a_layer_that_a_power_cut_took_is_unpacked_again(held):
    image = held.resolve("old:1")
    boot = f"{os.path.dirname(image.lowers[0])}/unsynced"
    with open(boot, "w", encoding="ascii") as stream:
        stream.write("another boot")
    assert held.layers.sweep() == [craft.digest(ONE)]
    again = held.resolve("old:1")
    assert again == image
    assert os.path.getsize(f"{again.lowers[0]}/etc/a") == 5000
    check_whole(held)


def test_a_layer_whose_blob_is_gone_too_is_said(held):
    held.layers.remove(craft.digest(ONE))
    held.blobs.remove(craft.digest(ONE))
    with pytest.raises(FirkinError, match="cannot be made again"):
        held.resolve("old:1")
    held.load(Pipe(craft.tar(craft.docker_files([ONE], ["old:1"]))))
    assert held.resolve("old:1").lowers
    check_whole(held)


def test_errors_of_a_disk_are_of_their_kind(held, monkeypatch):
    def full(*_args, **_more):
        raise ResourceExhausted("no space left")

    monkeypatch.setattr(held.layers, "unpack", full)
    with pytest.raises(ResourceExhausted, match=r"stream: 0+1/layer.tar: no space left"):
        held.load(Pipe(craft.tar(craft.docker_files([ONE, TWO], ["x:1"]))))
    check_whole(held)


def test_a_broken_archive_is_named_with_file(held):
    error = refused(held, Pipe(craft.tar({"index.json": b"{"})), "stream: index.json: expected JSON")
    assert not isinstance(error, BrokenArchive)
    assert error.fields["file"] == "stream: index.json"


def test_open_store_twice_is_one_store(home, held):
    other = open_store(home)
    assert other.resolve("old:1").id == held.resolve("old:1").id
    other.db.close()
