"""Blobs: whole or absent, whatever dies, lies or runs out."""

from __future__ import annotations

import hashlib
import io
import os
import threading

import pytest
from storagekit import in_own_mounts, mount

from firkin.errors import Internal, InvalidArgument, NotFound, ResourceExhausted, Unsupported
from firkin.storage.content import BlobStore, DigestMismatch


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def test_ingest_and_read(paths):
    store = BlobStore(paths)
    data = os.urandom(1_000_000)
    assert store.ingest(io.BytesIO(data), digest(data), expected_size=len(data)) == (digest(data), len(data))
    assert store.has(digest(data))
    assert store.size(digest(data)) == len(data)
    assert store.read(digest(data)) == data
    with store.open(digest(data)) as stream:
        assert stream.read(10) == data[:10]
    assert store.ingest(io.BytesIO(data)) == (digest(data), len(data))
    store.settle()
    assert list(store.list()) == [digest(data)]
    assert store.usage() == (len(data), 1)
    assert os.listdir(paths.tmp) == []
    assert store.remove(digest(data))
    assert not store.remove(digest(data))
    assert not store.has(digest(data))


def test_what_is_not_there(paths):
    store = BlobStore(paths)
    for act in (store.open, store.size, store.read):
        with pytest.raises(NotFound):
            act(digest(b"x"))
    with pytest.raises(InvalidArgument):
        store.path("sha256:../../../etc/passwd")
    with pytest.raises(Unsupported):
        store.path(f"sha512:{'0' * 128}")


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (DigestMismatch, {"expected_digest": digest(b"other")}),
        (InvalidArgument, {"expected_size": 999}),
        (InvalidArgument, {"expected_size": 1001}),
        (ResourceExhausted, {"limit": 999}),
        (InvalidArgument, {"expected_digest": "sha256:short"}),
    ],
)
def test_refused_and_nothing_left(paths, kind, arguments):
    with pytest.raises(kind):
        BlobStore(paths).ingest(io.BytesIO(bytes(1000)), **arguments)
    assert os.listdir(paths.tmp) == os.listdir(paths.blobs) == []


def test_a_stream_that_breaks_leaves_nothing(paths):
    class Broken:
        def read(self, size: int, /) -> bytes:
            if size:
                raise OSError(5, "broken")
            return b""

    with pytest.raises(OSError, match="broken"):
        BlobStore(paths).ingest(Broken())
    assert os.listdir(paths.tmp) == []


def test_damage_is_seen(paths):
    store = BlobStore(paths)
    name = store.add(b"content")
    with open(store.path(name), "r+b") as stream:
        stream.write(b"CONTENT")
    with pytest.raises(Internal, match="damaged"):
        store.read(name)
    with pytest.raises(ResourceExhausted):
        store.read(name, limit=3)


def test_many_threads_ingest_the_same(paths):
    store = BlobStore(paths)
    data = os.urandom(500_000)
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(store.ingest(io.BytesIO(data), digest(data))))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.settle()
    assert results == [(digest(data), len(data))] * 8
    assert os.listdir(paths.tmp) == []


def test_what_a_killed_ingest_left_is_swept(paths):
    class Deadly:
        given = False

        def read(self, size: int, /) -> bytes:
            if self.given:
                os.kill(os.getpid(), 9)
            self.given = True
            return bytes(size)

    child = os.fork()
    if child == 0:
        BlobStore(paths).ingest(Deadly())
        os._exit(0)
    os.waitpid(child, 0)
    (left,) = os.listdir(paths.tmp)
    assert BlobStore(paths).sweep() == [left]
    assert os.listdir(paths.tmp) == os.listdir(paths.blobs) == []


@pytest.mark.needs_root
def test_full_disk(paths):
    def child():
        mount("none", paths.root, "tmpfs", "size=1m")
        os.makedirs(paths.blobs)
        os.makedirs(paths.tmp)
        store = BlobStore(paths)
        small = store.add(b"small")
        try:
            store.ingest(io.BytesIO(bytes(2 << 20)))
        except ResourceExhausted as error:
            return [
                str(error),
                os.listdir(paths.tmp),
                list(store.list()) == [small],
                store.read(small).decode(),
            ]
        return None

    text, left, only, content = in_own_mounts(child)
    assert "no space left" in text
    assert (left, only, content) == ([], True, "small")
