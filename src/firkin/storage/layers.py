"""Unpacked layers: ROOT/layers/HEX/diff by diff id, made once, shared by every image and container.

    tmp/layer-.../diff      being unpacked, locked         (dies: swept)
    layers/HEX/             one rename; the first of several wins, the others find it there
    ├── diff/               the overlay's lower directory, never changed again
    ├── layer.json          {"size", "entries", "opaque"}
    └── unsynced            the boot id under which it was written: not yet known to be on the disk

Layers can be made again from their blobs, so load does not wait for the disk. Instead a layer says that it is not yet
known to be on it; ``settle`` (off the usual path) writes back and takes the word away. A layer that still says so under
another boot id may be torn: it counts as absent (NotFound), the image store unpacks it again, ``sweep`` removes it.
"""

from __future__ import annotations

import errno
import fcntl
import os

from firkin import atomic
from firkin.errors import InvalidArgument, NotFound, ResourceExhausted
from firkin.linux.filesystem import spread_subdirectories, syncfs
from firkin.oci.digest import check_digest, is_digest
from firkin.record import Record
from firkin.storage import scratch
from firkin.storage.limits import Limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from firkin.paths import Paths
    from firkin.storage.content import Readable

    Names = list[str]

_BOOT_ID = "/proc/sys/kernel/random/boot_id"


class Layer(Record):
    """An unpacked layer. ``opaque``: its own root hides all layers below (overlayfs cannot say that: cut the stack)."""

    diff_id: str
    path: str
    size: int
    entries: int
    opaque: bool = False


class LayerStore:
    """The unpacked layers of one root. Safe to use from several threads and processes at once."""

    def __init__(self, paths: Paths, limits: Limits | None = None) -> None:
        self._folder = paths.layers
        self._tmp = paths.tmp
        self._limits = limits or Limits()

    def path(self, diff_id: str) -> str:
        """Return the layer's ``diff`` directory; NotFound when it is not unpacked here."""
        home = self._home(diff_id)
        if not _is_whole(home):
            raise NotFound(f"layer {diff_id} is not unpacked", diff_id=diff_id)
        return f"{home}/diff"

    def has(self, diff_id: str) -> bool:
        return _is_whole(self._home(diff_id))

    def get(self, diff_id: str) -> Layer:
        """Return what is known about an unpacked layer; NotFound when it is not here."""
        import json

        path = self.path(diff_id)
        facts = json.loads(atomic.read_text(f"{self._home(diff_id)}/layer.json") or "{}")
        return Layer(diff_id=diff_id, path=path, size=facts["size"],
                     entries=facts["entries"], opaque=facts["opaque"])  # fmt: skip

    def unpack(self, source: str | Readable, diff_id: str | None) -> Layer:
        """Unpack a layer from a file's path or a stream: tar, plain or gzip, zstd, xz, bzip2.

        ``diff_id`` is verified; None takes the one found (import). A layer that is here already is not read at all.
        Raises InvalidArgument (damaged, hostile, another digest), ResourceExhausted (limits, full disk): then nothing
        is left of it.
        """
        if diff_id is not None and self.has(check_digest(diff_id)):
            return self.get(diff_id)
        spread_subdirectories(self._tmp)
        try:
            with scratch.Scratch(self._tmp, "layer", directory=True) as work:
                if isinstance(source, str):
                    with open(source, "rb", buffering=0) as stream:
                        found = self._unpack(stream, diff_id, work)
                else:
                    found = self._unpack(source, diff_id, work)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise ResourceExhausted(
                    f"no space left for a layer in {self._tmp}", hint="free space or choose another --root"
                ) from error
            raise
        return self.get(found)

    def remove(self, diff_id: str) -> bool:
        """Remove the layer; False when it was not here. The caller knows that no image and no container needs it."""
        return scratch.discard(self._home(diff_id), self._tmp)

    def list(self) -> Iterator[Layer]:
        """Yield every unpacked layer."""
        for name in os.listdir(self._folder):
            if is_digest(f"sha256:{name}") and _is_whole(f"{self._folder}/{name}"):
                yield self.get(f"sha256:{name}")

    def usage(self, diff_id: str) -> tuple[int, int]:
        """Return (bytes, inodes) as counted now on the disk."""
        from firkin.storage import tree

        return tree.usage(self.path(diff_id))

    def settle(self) -> None:
        """Write back what is unsynced and remember that. Takes as long as the disk does."""
        waiting = [f"{self._folder}/{name}/unsynced" for name in os.listdir(self._folder)]
        waiting = [mark for mark in waiting if atomic.read_text(mark) == _boot_id()]
        if waiting:
            fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                syncfs(fd)
            finally:
                os.close(fd)
        for mark in waiting:
            try:
                os.unlink(mark)
            except FileNotFoundError:
                continue

    def sweep(self) -> Names:
        """Drop the layers that a crash of the machine may have left incomplete; return their diff ids.

        Also removes the half-made of dead processes.
        """
        scratch.sweep(self._tmp)
        return [
            f"sha256:{name}" for name in os.listdir(self._folder) if self._drop_torn(f"{self._folder}/{name}")
        ]

    def _home(self, diff_id: str) -> str:
        return f"{self._folder}/{check_digest(diff_id)[7:]}"

    def _drop_torn(self, home: str) -> bool:
        """Remove what may be torn; under a lock, lest a fresh one be taken that another process has just put there."""
        if _is_whole(home) or not os.path.isdir(home):
            return False
        fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            return not _is_whole(home) and scratch.discard(home, self._tmp)
        finally:
            os.close(fd)

    def _unpack(self, stream: Readable, diff_id: str | None, work: scratch.Scratch) -> str:
        from firkin.storage.pump import Pump
        from firkin.storage.reader import TarReader
        from firkin.storage.unpack import Unpacker

        whole = f"{work.path}/layer"
        os.makedirs(f"{whole}/diff")
        os.chmod(f"{whole}/diff", 0o755)  # noqa: S103 - the root directory of a file system
        root = os.open(f"{whole}/diff", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with Pump(stream) as pump:
                reader = TarReader(pump, self._limits)
                unpacker = Unpacker(root, work.path)
                unpacker.unpack(reader)
                reader.drain()
                found = pump.digest
        finally:
            os.close(root)
        if diff_id is None and not reader.ended:
            raise InvalidArgument("tar archive is truncated: its end is missing", hint="get it again")
        if diff_id not in (None, found):
            raise InvalidArgument(
                f"layer does not match its diff id: expected {diff_id}, found {found}",
                hint="the archive or the transfer is damaged; get it again",
                expected=diff_id, found=found,
            )  # fmt: skip
        opaque = "true" if unpacker.opaque else "false"
        with open(f"{whole}/layer.json", "w", encoding="ascii") as facts:
            facts.write(f'{{"size": {unpacker.size}, "entries": {unpacker.entries}, "opaque": {opaque}}}\n')
        with open(f"{whole}/unsynced", "w", encoding="ascii") as mark:
            mark.write(_boot_id())
        self._drop_torn(self._home(found))
        work.rename(self._home(found), whole)
        return found


def _is_whole(home: str) -> bool:
    if not os.path.isdir(f"{home}/diff"):
        return False
    boot = atomic.read_text(f"{home}/unsynced")
    return boot is None or boot == _boot_id()


def _boot_id() -> str:
    return (atomic.read_text(_BOOT_ID) or "").strip()
