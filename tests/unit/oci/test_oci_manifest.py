"""Manifests, indexes, platforms, digests."""

from __future__ import annotations

import json

import pytest

from firkin.errors import FirkinError, InvalidArgument, Unsupported
from firkin.oci import digest, platform
from firkin.oci.manifest import OCI_INDEX, OCI_MANIFEST, Index, Manifest, parse_manifest
from firkin.oci.platform import Platform, normalized, parse_platform, rank

D = {"mediaType": "t", "digest": "sha256:" + "a" * 64, "size": 3}


def test_a_manifest():
    value = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": D, "layers": [D, D]}
    found = parse_manifest(json.dumps(value).encode(), "f", OCI_MANIFEST)
    assert isinstance(found, Manifest)
    assert json.loads(found.to_json()) == value


def test_an_index_with_platforms():
    entry = {**D, "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}}
    found = parse_manifest(json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode(), "f")
    assert isinstance(found, Index)
    assert str(found.manifests[0].platform) == "linux/arm64/v8"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"schemaVersion": 1}, "schema 1"),
        ({"schemaVersion": 3, "config": D}, "schemaVersion"),
        ({"config": D}, "schemaVersion"),
        ({"schemaVersion": 2}, "config"),
        ({"schemaVersion": 2, "config": D, "manifests": [D]}, "both"),
        ({"schemaVersion": 2, "layers": [], "manifests": [D]}, "both"),
        ({"schemaVersion": 2, "config": {**D, "size": -1}}, "config.size"),
        ({"schemaVersion": 2, "config": {**D, "size": 1 << 60}}, "config.size"),
        ({"schemaVersion": 2, "config": {**D, "size": "3"}}, "config.size"),
        ({"schemaVersion": 2, "config": {**D, "size": None}}, "config.size"),
        ({"schemaVersion": 2, "config": {**D, "digest": "sha256:../../x"}}, "config.digest"),
        ({"schemaVersion": 2, "config": {**D, "digest": None}}, "config.digest"),
        (
            {"schemaVersion": 2, "config": D, "layers": [{**D, "annotations": {"a": 1}}]},
            r"layers\[0\].annotations.a",
        ),
        ({"schemaVersion": 2, "config": D, "layers": {}}, "layers"),
        ({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "manifests": [D]}, "an index"),
        ({"schemaVersion": 2, "mediaType": OCI_INDEX, "config": D}, "no manifests"),
        ({"schemaVersion": 2, "manifests": [{**D, "platform": {"os": 5}}]}, r"manifests\[0\].platform.os"),
    ],
)
def test_broken_ones_are_named(value, why):
    with pytest.raises(FirkinError, match=f"^f.*{why}"):
        parse_manifest(json.dumps(value).encode(), "f")


def test_a_document_that_is_not_what_its_descriptor_promised():
    value = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": D}
    with pytest.raises(InvalidArgument, match="mediaType"):
        parse_manifest(json.dumps(value).encode(), "f", OCI_INDEX)


def test_digests():
    assert digest.is_digest(digest.sha256(b""))
    with pytest.raises(Unsupported):
        digest.check_digest("sha512:" + "0" * 128)
    for bad in ("", "sha256:", "sha256:" + "A" * 64, "md5:" + "0" * 32, "sha256:" + "0" * 65):
        with pytest.raises(InvalidArgument):
            digest.check_digest(bad)


def test_chain_ids_are_those_of_the_specification():
    one, two = "sha256:" + "1" * 64, "sha256:" + "2" * 64
    assert digest.chain_ids((one, two)) == (one, digest.sha256(f"{one} {two}".encode()))


def test_platforms_rank_as_containerd_does():
    arm = normalized("linux", "aarch64")
    assert rank(Platform(os="linux", architecture="arm64", variant="v8"), arm) == 0
    assert rank(Platform(os="linux", architecture="amd64"), arm) is None
    v7, v6 = (rank(Platform(os="linux", architecture="arm", variant=v), arm) for v in ("v7", "v6"))
    assert v7 is not None
    assert v6 is not None
    assert 0 < v7 < v6
    assert rank(Platform(os="windows", architecture="arm64"), arm) is None
    pc = normalized("linux", "x86_64")
    assert rank(Platform(os="linux", architecture="386"), pc) == 100
    assert rank(Platform(os="linux", architecture="amd64", variant="v3"), pc) is None


def test_platform_text():
    assert str(parse_platform("linux/aarch64/v8")) == "linux/arm64"
    assert str(parse_platform("linux/arm/v6")) == "linux/arm/v6"
    assert parse_platform("linux").architecture == platform.host_platform().architecture
    assert parse_platform("arm64").os == "linux"
    for bad in ("", "a/b/c/d", "a//b", "a b"):
        with pytest.raises(InvalidArgument):
            parse_platform(bad)
