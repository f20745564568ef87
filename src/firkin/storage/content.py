"""Content by digest: ROOT/blobs/sha256/HEX, one immutable file each, whatever it is (layer, manifest, config).

    read -> hash -> tmp/blob-...  --digest, size as expected?--  rename -> blobs/sha256/HEX
                                                       |
                           fdatasync in the background: ``settle`` waits for it before a row may name the blob

A crash leaves the blob whole or absent. Two that ingest the same content at once both succeed.
"""

from __future__ import annotations

import errno
import os

from firkin.atomic import sync_directory
from firkin.errors import Internal, InvalidArgument, NotFound, ResourceExhausted
from firkin.oci.digest import check_digest, is_digest, sha256
from firkin.storage.scratch import Scratch, sweep

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator
    from typing import BinaryIO, Protocol

    from firkin.paths import Paths

    Names = list[str]

    class Readable(Protocol):
        """What content comes from: ``read(n)`` gives 1 to n bytes, b"" at the end."""

        def read(self, size: int, /) -> bytes: ...


CHUNK = 1 << 18
DEFAULT_LIMIT = 64 << 30


class DigestMismatch(InvalidArgument):
    """The content is not what its name promises; fields: expected, found."""


class BlobStore:
    """The blobs of one root. Safe to use from several threads and processes at once."""

    def __init__(self, paths: Paths) -> None:
        self._folder = paths.blobs
        self._tmp = paths.tmp
        self._writing_back: list[threading.Thread] = []
        self._lost: list[OSError] = []

    def path(self, digest: str) -> str:
        """Return where ``digest`` lies or would lie. Raises InvalidArgument, Unsupported for a bad digest."""
        return f"{self._folder}/{check_digest(digest)[7:]}"

    def has(self, digest: str) -> bool:
        return os.path.exists(self.path(digest))

    def size(self, digest: str) -> int:
        """Return the size in bytes; NotFound when it is not here."""
        try:
            return os.stat(self.path(digest)).st_size
        except FileNotFoundError:
            raise NotFound(f"blob {digest} is not in the store", digest=digest) from None

    def open(self, digest: str) -> BinaryIO:
        """Open for reading; NotFound when it is not here."""
        try:
            return open(self.path(digest), "rb", buffering=0)
        except FileNotFoundError:
            raise NotFound(f"blob {digest} is not in the store", digest=digest) from None

    def read(self, digest: str, limit: int = 8 << 20) -> bytes:
        """Return a small blob's bytes, verified again.

        Raises NotFound, ResourceExhausted above ``limit`` bytes, Internal when it is damaged.
        """
        size = self.size(digest)
        if size > limit:
            raise ResourceExhausted(f"blob {digest} has {size} bytes, more than {limit}", digest=digest)
        with self.open(digest) as stream:
            data = b"".join(iter(lambda: stream.read(CHUNK), b""))
        if sha256(data) != digest:
            raise Internal(
                f"blob {digest} is damaged on disk", hint="load or pull its image again", digest=digest
            )
        return data

    def ingest(
        self, stream: Readable, expected_digest: str | None = None, limit: int = DEFAULT_LIMIT,
        expected_size: int | None = None,
    ) -> tuple[str, int]:  # fmt: skip
        """Store all that ``stream`` gives; return (digest, size).

        Raises DigestMismatch, InvalidArgument (other size than promised, truncated), ResourceExhausted (more than
        ``limit`` bytes, full disk); then nothing is left.
        """
        import hashlib

        if expected_digest is not None:
            check_digest(expected_digest)
        most = limit if expected_size is None else min(limit, expected_size)
        hasher = hashlib.sha256()
        size = 0
        try:
            with Scratch(self._tmp, "blob", directory=False) as scratch:
                while chunk := stream.read(CHUNK):
                    size += len(chunk)
                    if size > most:
                        self._refuse_size(expected_digest, expected_size, limit)
                    hasher.update(chunk)
                    view = memoryview(chunk)
                    while view:
                        view = view[os.write(scratch.fd, view) :]
                digest = f"sha256:{hasher.hexdigest()}"
                if expected_digest not in (None, digest):
                    raise DigestMismatch(
                        f"content does not match its digest: expected {expected_digest}, found {digest}",
                        hint="the archive or the transfer is damaged; get it again",
                        expected=expected_digest, found=digest,
                    )  # fmt: skip
                if expected_size not in (None, size):
                    raise InvalidArgument(f"blob {digest} has {size} bytes, {expected_size} were promised")
                if not os.path.exists(self.path(digest)):
                    self._write_back(os.dup(scratch.fd))
                    os.rename(scratch.path, self.path(digest))
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise ResourceExhausted(
                    f"no space left in {self._tmp} for a blob of {size} bytes or more",
                    hint="free space or choose another --root",
                ) from error
            raise
        return digest, size

    def add(self, data: bytes, expected_digest: str | None = None) -> str:
        """Store ``data``; return its digest."""
        import io

        return self.ingest(io.BytesIO(data), expected_digest)[0]

    def settle(self) -> None:
        """Return when all that this object ingested is on the disk; call it before a row names the content.

        Raises ResourceExhausted or Internal when the disk refused.
        """
        writing, self._writing_back = self._writing_back, []
        for thread in writing:
            thread.join()
        lost, self._lost = self._lost, []
        if lost:
            raise Internal(f"the disk lost content of {self._folder}: {lost[0]}") from lost[0]
        if writing:
            sync_directory(self._folder)

    def remove(self, digest: str) -> bool:
        """Remove it; False when it was not here. The caller knows that nothing needs it."""
        try:
            os.unlink(self.path(digest))
        except FileNotFoundError:
            return False
        return True

    def list(self) -> Iterator[str]:
        """Yield each digest in the store."""
        for name in os.listdir(self._folder):
            if is_digest(f"sha256:{name}"):
                yield f"sha256:{name}"

    def usage(self) -> tuple[int, int]:
        """Return (bytes, number of blobs)."""
        sizes = [entry.stat().st_size for entry in os.scandir(self._folder)]
        return sum(sizes), len(sizes)

    def sweep(self) -> Names:
        """Remove the half-made of dead processes (of every store in this root); return their names."""
        return sweep(self._tmp)

    def _write_back(self, fd: int) -> None:
        import threading

        def sync() -> None:
            try:
                os.fdatasync(fd)
            except OSError as error:
                self._lost.append(error)
            finally:
                os.close(fd)

        thread = threading.Thread(target=sync, name="firkin-blob-sync")
        thread.start()
        self._writing_back.append(thread)

    @staticmethod
    def _refuse_size(digest: str | None, expected: int | None, limit: int) -> None:
        what = f"blob {digest}" if digest else "content"
        if expected is not None and expected <= limit:
            raise InvalidArgument(f"{what} has more than the promised {expected} bytes")
        raise ResourceExhausted(f"{what} has more than the {limit} bytes that are allowed", limit=limit)
