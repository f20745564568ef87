"""The layouts' readers, over files in memory: which images they find, and what they refuse before anything is unpacked."""

from __future__ import annotations

import json

import imagecraft as craft
import pytest

from firkin.errors import FirkinError, InvalidArgument, NotFound
from firkin.images.archive import BrokenArchive
from firkin.images.load import read_layout
from firkin.oci.platform import host_platform, normalized, parse_platform

ONE = craft.layer({"a": b"1"})
TWO = craft.layer({"b": b"2"})
HOST = host_platform().architecture
OTHER = "s390x" if HOST != "s390x" else "amd64"


class Memory:
    title = "box.tar"

    def __init__(self, files):
        self.files = files

    def has(self, name):
        return name in self.files

    def size(self, name):
        return len(self.read(name))

    def read(self, name, limit=8 << 20):
        try:
            return self.files[name]
        except KeyError:
            raise BrokenArchive(self.title, "not in the archive", name) from None

    def stored(self, name):
        return None


def read(files, platform=None):
    return read_layout(Memory(files), platform)


def test_docker_legacy():
    (image,) = read(craft.docker_files([ONE, TWO], ["busybox:latest", "quay.io/a/b:2"]))
    assert image.names == ("docker.io/library/busybox:latest", "quay.io/a/b:2")
    assert [layer.diff_id for layer in image.layers] == [craft.digest(ONE), craft.digest(TWO)]
    assert image.id == craft.digest(image.document)
    assert image.manifest is None


def test_docker_without_tags():
    (image,) = read(craft.docker_files([ONE], None))
    assert image.names == ()


def test_oci_with_a_whole_name():
    (image,) = read(craft.oci_files([ONE], "debian:bookworm-slim"))
    assert image.names == ("docker.io/library/debian:bookworm-slim",)
    assert image.layers[0].digest == craft.digest(craft.gzipped(ONE))
    assert json.loads(image.manifest)["layers"][0]["digest"] == image.layers[0].digest


@pytest.mark.parametrize(
    ("name", "names"), [(None, ()), ("latest", ()), ("busybox", ("docker.io/library/busybox:latest",))]
)
def test_oci_names_that_are_not_whole(name, names):
    assert read(craft.oci_files([ONE], name))[0].names == names


def test_containerds_name_wins():
    files = {}
    descriptor = craft.manifest(files, [ONE])
    descriptor["annotations"] = {
        "org.opencontainers.image.ref.name": "latest",
        "io.containerd.image.name": "docker.io/library/busybox:latest",
    }
    assert read(craft.index(files, [descriptor]))[0].names == ("docker.io/library/busybox:latest",)


def docker25(tags):
    """What docker 25 saves: an OCI layout and a manifest.json that names the same blobs."""
    files = {}
    descriptor = craft.manifest(files, [ONE], compress=lambda data: data)
    descriptor["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
    document = json.loads(files[f"blobs/sha256/{descriptor['digest'][7:]}"])
    legacy = {
        "Config": f"blobs/sha256/{document['config']['digest'][7:]}",
        "RepoTags": tags,
        "Layers": [f"blobs/sha256/{document['layers'][0]['digest'][7:]}"],
    }
    return craft.index(files, [descriptor]) | {"manifest.json": json.dumps([legacy]).encode()}


def test_docker_25_has_both_and_names_in_the_old_one():
    (image,) = read(docker25(["a:1", "b:2"]))
    assert image.names == ("docker.io/library/a:1", "docker.io/library/b:2")
    assert image.manifest is not None


def test_the_legacy_manifest_of_docker_25_alone_is_enough():
    files = docker25(["a:1"])
    del files["index.json"]
    (image,) = read(files)
    assert image.layers[0].digest == craft.digest(ONE)


def several(platforms, name="box:1", nested=False):
    files, descriptors = {}, []
    for architecture, variant in platforms:
        descriptor = craft.manifest(files, [ONE], architecture=architecture, comment=architecture + variant)
        descriptor["platform"] = {"os": "linux", "architecture": architecture, "variant": variant}
        descriptors.append(descriptor)
    attestation = craft.manifest(files, [TWO])
    attestation["platform"] = {"os": "unknown", "architecture": "unknown"}
    descriptors.append(attestation)
    if nested:
        value = {"schemaVersion": 2, "mediaType": craft.OCI + "index.v1+json", "manifests": descriptors}
        descriptors = [craft.blob(files, json.dumps(value).encode(), value["mediaType"])]
        descriptors[0]["annotations"] = {"org.opencontainers.image.ref.name": name}
    return files, craft.index(files, descriptors)


@pytest.mark.parametrize("nested", [False, True])
def test_of_several_platforms_this_machines_is_taken(nested):
    _, files = several([(OTHER, ""), (HOST, "")], nested=nested)
    (image,) = read(files)
    assert image.config.architecture == HOST


@pytest.mark.parametrize("nested", [False, True])
def test_a_platform_can_be_chosen(nested):
    _, files = several([("arm", "v6"), ("arm", "v7"), (HOST, "")], nested=nested)
    assert read(files, parse_platform("linux/arm/v7"))[0].config.comment == "armv7"
    assert read(files, parse_platform("linux/arm/v6"))[0].config.comment == "armv6"


@pytest.mark.parametrize("nested", [False, True])
def test_no_platform_that_fits_names_the_available_ones(nested):
    _, files = several([(OTHER, ""), ("mips64", "")], nested=nested)
    with pytest.raises(
        NotFound, match=f"only for linux/mips64, linux/{OTHER}|only for linux/{OTHER}, linux/mips64"
    ):
        read(files)


def test_blobs_of_other_platforms_may_be_missing():
    _, files = several([(OTHER, ""), (HOST, "")], nested=True)
    for name in [n for n, data in files.items() if OTHER.encode() in data and b"manifests" not in data]:
        del files[name]
    assert read(files)[0].config.architecture == HOST


def test_one_foreign_platform_alone_is_loaded_as_docker_does_but_not_when_another_was_asked_for():
    files = {}
    found = craft.index(files, [craft.manifest(files, [ONE], architecture=OTHER)]) | files
    assert read(found)[0].config.architecture == OTHER
    with pytest.raises(NotFound, match=OTHER):
        read(found, normalized("linux", HOST))
    legacy = craft.docker_files([ONE], None, craft.config([ONE], architecture=OTHER))
    with pytest.raises(NotFound, match=OTHER):
        read(legacy, normalized("linux", HOST))


def test_two_names_of_one_image_are_one_candidate():
    files = {}
    descriptor = craft.manifest(files, [ONE])
    named = [{**descriptor, "annotations": {"org.opencontainers.image.ref.name": n}} for n in ("a:1", "b:1")]
    (image,) = read(craft.index(files, named))
    assert image.names == ("docker.io/library/a:1", "docker.io/library/b:1")


def test_nameless_manifests_without_platform_are_images_of_their_own():
    files = {}
    found = read(craft.index(files, [craft.manifest(files, [ONE]), craft.manifest(files, [TWO])]) | files)
    assert len(found) == 2


def with_manifest(value):
    return craft.docker_files([ONE], ["a:1"]) | {"manifest.json": json.dumps(value).encode()}


GOOD = json.loads(craft.docker_files([ONE], ["a:1"])["manifest.json"])[0]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({}, "manifest.json: expected an array of images, found an object"),
        ([], "at least one image"),
        ([5], "found an integer"),
        ([{}], r"\[0\].Config"),
        ([{**GOOD, "Config": "../../etc/passwd"}], "not in the archive"),
        ([{**GOOD, "Config": 5}], r"\[0\].Config: expected a string"),
        ([{**GOOD, "Layers": []}], r"\[0\].Layers: expected 1 layers"),
        ([{**GOOD, "Layers": "x"}], r"\[0\].Layers: expected an array"),
        ([{**GOOD, "Layers": ["x/layer.tar"]}], "x/layer.tar: not in the archive"),
        ([{**GOOD, "Layers": [None]}], r"\[0\].Layers\[0\]: expected a string, found null"),
        ([{**GOOD, "RepoTags": ["A B"]}], r"\[0\].RepoTags\[0\]: expected an image name"),
        ([{**GOOD, "RepoTags": ["a@sha256:" + "0" * 64]}], "a name with a tag"),
        ([{**GOOD, "RepoTags": {"a": "b"}}], r"\[0\].RepoTags: expected an array"),
    ],
)
def test_broken_docker_manifests_name_archive_file_and_field(value, why):
    with pytest.raises(InvalidArgument, match=f"^box.tar: .*{why}"):
        read(with_manifest(value))


def test_a_configuration_that_is_not_what_its_name_says():
    files = craft.docker_files([ONE])
    name = next(n for n in files if n.endswith(".json") and n != "manifest.json")
    files[name] += b" "
    with pytest.raises(BrokenArchive, match="its digest is"):
        read(files)


def change(files, old, new):
    """Change one document of an OCI archive, and all that name it by digest."""
    name = next(n for n, data in files.items() if old in data and n.startswith("blobs"))
    data = files.pop(name)
    changed = data.replace(old, new)
    fresh = craft.digest(changed)
    files["blobs/sha256/" + fresh[7:]] = changed
    for other, content in list(files.items()):
        if name[13:].encode() in content:
            files[other] = content.replace(name[13:].encode(), fresh[7:].encode())
    return files


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b"application/vnd.oci.image.config.v1+json", b"application/vnd.cnc.helm.config.v1+json.", "an artifact"),
        (b'"schemaVersion": 2', b'"schemaVersion": 1', "schema 1"),
        (b'"digest": "sha256', b'"digest": "sha255', "config.digest: expected sha256"),
        (b'"layers": [{', b'"layers": {{', "expected JSON"),
    ],
)  # fmt: skip
def test_broken_oci_manifests(old, new, why):
    with pytest.raises(FirkinError, match=why):
        read(change(craft.oci_files([ONE]), old, new))


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({}, "neither a docker archive .* nor an OCI layout .*firkin import"),
        ({"repositories": b"{}"}, "docker 1.9"),
        ({"index.json": b'{"schemaVersion":2,"manifests":[]}'}, "lists no image"),
        ({"index.json": b'{"schemaVersion":2}'}, "config: expected a descriptor"),
        ({"index.json": b"[]"}, "expected an object"),
        (craft.oci_files([ONE]) | {"oci-layout": b'{"imageLayoutVersion":"2.0.0"}'}, "imageLayoutVersion"),
        (craft.oci_files([ONE], "not a name"), "expected an image name"),
    ],
)
def test_archives_that_are_none(files, why):
    with pytest.raises(FirkinError, match=f"box.tar: .*{why}"):
        read(files)


def test_every_missing_blob_is_named():
    whole = craft.oci_files([ONE, TWO])
    for name in [n for n in whole if n.startswith("blobs/")]:
        files = {n: data for n, data in whole.items() if n != name}
        with pytest.raises(BrokenArchive, match=f"{name}: not in the archive"):
            read(files)


def test_sizes_that_descriptors_promise_are_held():
    files = craft.oci_files([ONE])
    big = max((n for n in files if n.startswith("blobs")), key=lambda n: files[n][:1] == b"\x1f")
    files[big] += b"x"
    with pytest.raises(BrokenArchive, match="its descriptor says"):
        read(files)


def test_indexes_nested_without_end():
    files = {}
    value = {
        "schemaVersion": 2,
        "mediaType": craft.OCI + "index.v1+json",
        "manifests": [craft.manifest(files, [ONE])],
    }
    for _ in range(10):
        value["manifests"] = [craft.blob(files, json.dumps(value).encode(), value["mediaType"])]
    with pytest.raises(BrokenArchive, match="nested too deeply"):
        read(craft.index(files, value["manifests"]))
