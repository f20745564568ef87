"""The archives that docker and skopeo wrote: loaded, and compared with what skopeo and podman see in them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile

import imagestore
import pytest
from imagestore import SHARED

from firkin.oci import reference

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_shared]

ARCHIVES = {
    "busybox.docker.tar": ("docker-archive", "busybox:latest"),
    "busybox.oci.tar": ("oci-archive", "busybox:latest"),
    "hello-world.docker.tar": ("docker-archive", "hello-world:latest"),
    "debian-bookworm-slim.oci.tar": ("oci-archive", "debian:bookworm-slim"),
}


def run(*argv, **more):
    return subprocess.run(argv, capture_output=True, check=True, **more).stdout


@pytest.mark.parametrize("name", ARCHIVES)
def test_every_shared_archive_loads_and_resolves_by_all_its_names(store, name):
    ref = ARCHIVES[name][1]
    (loaded,) = store.load(str(SHARED / name))
    assert str(loaded) == f"Loaded image: {ref}"
    for spelling in (
        ref,
        f"docker.io/library/{ref}",
        loaded.id,
        loaded.id[7:],
        loaded.id[:19],
        loaded.id[7:13],
    ):
        image = store.resolve(spelling)
        assert (image.id, image.references) == (loaded.id, (ref,))
    assert all(os.path.isdir(path) for path in image.lowers)
    assert image.size > 0
    for digest in image.digests:
        assert store.resolve(digest).id == loaded.id


@pytest.mark.needs_podman
@pytest.mark.parametrize("name", ARCHIVES)
def test_inspect_and_history_say_what_skopeo_reads_in_the_same_archive(store, name):
    transport, ref = ARCHIVES[name]
    source = f"{transport}:{SHARED / name}"
    config = json.loads(run("skopeo", "inspect", "--config", source))
    manifest = json.loads(run("skopeo", "inspect", "--raw", source))
    store.load(str(SHARED / name))
    found = store.inspect(ref)
    assert found["Created"] == config["created"]
    assert (found["Architecture"], found["Os"]) == (config["architecture"], config["os"])
    assert found["RootFS"] == {"Type": "layers", "Layers": config["rootfs"]["diff_ids"]}
    for key in ("Env", "Cmd", "Entrypoint", "Labels", "Volumes"):
        assert found["Config"][key] == (config["config"].get(key) or None)
    if transport == "oci-archive":
        assert found["Id"] == manifest["config"]["digest"]
    steps = store.history(ref)
    assert len(steps) == len(config["history"])
    assert [step["Comment"] for step in steps[::-1]] == [
        step.get("comment", "") for step in config["history"]
    ]
    assert sum(step["Size"] for step in steps) == found["Size"]


@pytest.mark.needs_podman
def test_podman_sees_the_same_ids_configuration_and_history(store, home):
    podman = (
        "podman",
        "--root",
        f"{home}/p",
        "--runroot",
        f"{home}/r",
        "--storage-driver",
        "vfs",
    )
    for name in ("busybox.docker.tar", "hello-world.docker.tar"):
        ref = ARCHIVES[name][1]
        (loaded,) = store.load(str(SHARED / name))
        run(*podman, "load", "-i", str(SHARED / name))
        (theirs,) = json.loads(run(*podman, "image", "inspect", ref))
        ours = store.inspect(ref)
        assert theirs["Id"] == loaded.id[7:] == ours["Id"][7:]
        assert theirs["RootFS"] == ours["RootFS"]
        assert [reference.familiar(t.replace("localhost/", "")) for t in theirs["RepoTags"]] == ours[
            "RepoTags"
        ]
        assert {k: ours["Config"][k] for k in theirs["Config"]} == theirs["Config"]
        steps = json.loads(run(*podman, "history", "--format", "json", ref))
        assert [s["created"][:19] if isinstance(s["created"], str) else s["created"] for s in steps]
        assert [s.get("comment", "") for s in steps] == [s["Comment"] for s in store.history(ref)]


def test_the_unpacked_tree_is_what_the_archive_holds(store, home):
    store.load(str(SHARED / "debian-bookworm-slim.oci.tar"))
    (lower,) = store.resolve("debian:bookworm-slim").lowers
    with tarfile.open(SHARED / "debian-bookworm-slim.oci.tar") as outer:
        biggest = max((m for m in outer if m.isfile()), key=lambda m: m.size)
        with tarfile.open(fileobj=outer.extractfile(biggest), mode="r|gz") as layer:
            for member in layer:
                status = os.lstat(f"{lower}/{member.name}")
                assert (status.st_mode & 0o7777, status.st_uid, status.st_gid) == (
                    member.mode, member.uid, member.gid,
                ), member.name  # fmt: skip
                if member.isfile():
                    assert (status.st_size, int(status.st_mtime)) == (member.size, int(member.mtime)), (
                        member.name
                    )
                if member.issym():
                    assert os.readlink(f"{lower}/{member.name}") == member.linkname


@pytest.mark.parametrize("name", [n for n in ARCHIVES if not n.startswith("debian")])
@pytest.mark.parametrize("program", ["cat", "gzip -1c", "zstd -qc", "xz -0c"])
def test_from_a_pipe_and_compressed_it_is_the_same_image(store, name, program):
    with subprocess.Popen(f"{program} < {SHARED / name}", shell=True, stdout=subprocess.PIPE) as child:
        streamed = store.load(child.stdout.fileno())
    before = store.table.layers(streamed[0].id)
    assert store.load(str(SHARED / name)) == streamed
    assert store.table.layers(streamed[0].id) == before


def test_from_a_file_as_standard_input_nothing_is_spooled(store):
    with open(SHARED / "busybox.docker.tar", "rb") as stream:
        assert [str(one) for one in store.load(stream)] == ["Loaded image: busybox:latest"]
        stream.seek(0)
        assert store.load(stream.fileno())[0].reference == "busybox:latest"


def test_an_oci_layout_directory(store, home):
    run("tar", "-C", home, "--one-top-level=layout", "-xf", str(SHARED / "busybox.oci.tar"))
    assert store.load(f"{home}/layout")[0].reference == "busybox:latest"


@pytest.mark.needs_podman
@pytest.mark.parametrize(
    ("target", "options", "ref"),
    [
        ("oci:{home}/x:box:1", ["--dest-compress-format", "zstd"], "box:1"),
        ("oci-archive:{home}/x:box", ["--dest-compress-format", "zstd"], "box:latest"),
        ("oci:{home}/x:box:1", ["--dest-compress=false"], "box:1"),
        ("docker-archive:{home}/x:quay.io/me/box:1", [], "quay.io/me/box:1"),
    ],
)
def test_what_skopeo_writes(store, home, target, options, ref):
    target = target.format(home=home)
    run("skopeo", "copy", "-q", *options, f"docker-archive:{SHARED / 'busybox.docker.tar'}", target)
    assert [one.reference for one in store.load(f"{home}/x")] == [ref]
    config = json.loads(run("skopeo", "inspect", "--config", target))
    assert store.inspect(ref)["RootFS"]["Layers"] == config["rootfs"]["diff_ids"]
    (layer,) = store.table.layers(store.resolve(ref).id)
    manifest = json.loads(run("skopeo", "inspect", "--raw", target))
    assert target.startswith("docker") or manifest["layers"][0]["digest"] == layer.blob


@pytest.mark.needs_podman
def test_what_podman_saves_several_images_in_one_archive(store, home):
    podman = ("podman", "--root", f"{home}/p", "--runroot", f"{home}/r", "--storage-driver", "vfs")
    for name in ("busybox.docker.tar", "hello-world.docker.tar"):
        run(*podman, "load", "-qi", str(SHARED / name))
    run(*podman, "tag", "busybox", "quay.io/me/bb:2")
    run(*podman, "save", "-qmo", f"{home}/x.tar", "busybox", "hello-world", "quay.io/me/bb:2")
    loaded = {one.reference: one.id for one in store.load(f"{home}/x.tar")}
    assert set(loaded) == {"localhost/busybox:latest", "localhost/hello-world:latest", "quay.io/me/bb:2"}
    assert len(set(loaded.values())) == 2
    run(*podman, "save", "-q", "--format", "oci-dir", "-o", f"{home}/dir", "busybox")
    assert store.load(f"{home}/dir")[0].reference == "localhost/busybox:latest"


def test_the_same_layer_from_two_archives_is_unpacked_once_and_shared(store):
    store.load(str(SHARED / "busybox.docker.tar"))
    store.load(str(SHARED / "busybox.oci.tar"))
    old, new = sorted(store.listing(), key=lambda one: bool(one.image.references))[0::2][:2]
    listed = {one.image.id: one for one in store.listing() if one.image.kind == "image"}
    assert len(listed) == 2
    assert [one.image.references for one in listed.values()].count(()) == 1, "the older image became <none>"
    assert all(one.shared == one.size and one.unique == 0 for one in listed.values())
    assert len(os.listdir(store.paths.layers)) == 1
    assert old is not new


def test_load_needs_little_memory(home):
    """The Debian archive, compressed once more and through a pipe: the hardest way."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[3]); from imagestore import open_store\n"
        "store = open_store(sys.argv[1]); store.load(0)\n"
        "print(*(line for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    with subprocess.Popen(
        ["gzip", "-1c", str(SHARED / "debian-bookworm-slim.oci.tar")], stdout=subprocess.PIPE
    ) as child:
        here = os.path.dirname(imagestore.__file__)
        out = run(sys.executable, "-c", script, home, "", here, stdin=child.stdout)
    assert int(out.split()[1]) < 100 << 10, f"{out} kB"
