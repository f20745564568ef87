"""Named volumes of the local driver: ROOT/volumes/NAME/_data and a row.

    create   tmp/volume-.../_data  ->  rename  ->  volumes/NAME/_data  ->  row
    fill     image content into an empty volume: copied to tmp/volume-.../, row says filling, each name renamed in, row
             says done. Whoever finds ``filling`` after a crash goes on where it stopped.
    remove   row first, then the directory vanishes in one rename

A directory without a row (a crash between two steps) is taken in again by ``sweep``: data is never thrown away unasked.
"""

from __future__ import annotations

import errno
import fcntl
import os

from firkin import ids
from firkin.errors import Conflict, InUse, InvalidArgument, NotFound, ResourceExhausted, Unsupported
from firkin.record import Record
from firkin.storage import scratch, tables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from firkin.db.connection import Database
    from firkin.paths import Paths

    Listed = list["Volume"]
    Names = list[str]

_OPTIONS = frozenset(("type", "device", "o", "size"))


class Volume(Record):
    """A named volume. ``mountpoint`` is the directory to bind; ``anonymous`` ones go with their container (rm -v)."""

    name: str
    driver: str
    mountpoint: str
    labels: dict[str, str]
    options: dict[str, str]
    created_ns: int
    anonymous: bool


class Volumes:
    """The volumes of one root."""

    def __init__(self, paths: Paths, db: Database) -> None:
        self._paths = paths
        self._db = db

    def create(
        self,
        name: str | None = None,
        labels: dict[str, str] | None = None,
        driver_opts: dict[str, str] | None = None,
        driver: str = "local",
        *,
        anonymous: bool | None = None,
    ) -> Volume:
        """Make a volume (``name`` None: 64 hex digits, anonymous), or return the one of that name, as docker does.

        ``anonymous`` with a name: the caller has chosen it, so that its own row could name the volume first.
        Raises InvalidArgument (name, options), Unsupported (driver), Conflict (it exists with other options),
        ResourceExhausted.
        """
        if driver != "local":
            raise Unsupported(f"volume driver {driver} is not supported", hint="use the local driver")
        unknown = sorted(set(driver_opts or {}) - _OPTIONS)
        if unknown:
            raise InvalidArgument(
                f'invalid option: "{unknown[0]}"', hint="the local driver knows type, device and o"
            )
        chosen = ids.new_id() if name is None else ids.check_name(name, "volume")
        found = tables.find(self._db, chosen)
        if found is None:
            import time

            if anonymous is None:
                anonymous = name is None
            row = tables.VolumeRow(name=chosen, driver=driver, labels=labels or {}, options=driver_opts or {},
                                   created_ns=time.time_ns(), anonymous=anonymous, filling=False)  # fmt: skip
            self._make_directory(chosen)
            tables.insert(self._db, row)
            found = tables.find(self._db, chosen) or row
        elif driver_opts and driver_opts != found.options:
            raise Conflict(
                f"volume {chosen} exists with other options", hint="remove it first or choose another name"
            )
        return self._volume(found)

    def ensure(self, name: str) -> Volume:
        """Return the volume ``name``, made now if it is not there."""
        return self.create(name)

    def get(self, name: str) -> Volume:
        """Return the volume; NotFound when there is none."""
        row = tables.find(self._db, name)
        if row is None:
            raise NotFound(f"get {name}: no such volume", hint="firkin volume ls lists them", volume=name)
        return self._volume(row)

    def list(self) -> Listed:
        """Return all volumes by name."""
        return [self._volume(row) for row in tables.every(self._db)]

    def path(self, name: str) -> str:
        """Return the directory to bind; it is made again if somebody lost it. NotFound without the volume."""
        volume = self.get(name)
        if not os.path.isdir(volume.mountpoint):
            self._make_directory(name)
        return volume.mountpoint

    def remove(self, name: str, used_by: Sequence[str] = (), *, force: bool = False) -> None:
        """Remove the volume and its content. Raises InUse naming ``used_by``, NotFound (not with ``force``)."""
        if used_by:
            raise InUse(
                f"remove {name}: volume is in use - [{', '.join(used_by)}]",
                hint=f"remove {'it' if len(used_by) == 1 else 'them'} first",
                by=", ".join(used_by),
            )
        known = tables.delete(self._db, name)
        # An anonymous one without a row, too: its container's maker or remover was killed between the two steps.
        found = (known or _is_anonymous(name)) and scratch.discard(self._home(name), self._paths.tmp)
        if not (known or found or force):
            raise NotFound(f"get {name}: no such volume", hint="firkin volume ls lists them", volume=name)

    def fill(self, name: str, source: int) -> bool:
        """Copy the content of the directory ``source`` (a descriptor) into the volume if it is empty, as docker does.

        Owners, modes, times, xattrs, links and devices are kept; the volume's own directory gets the owner and mode of
        ``source``. False when the volume had content. Raises ResourceExhausted on a full disk: the volume stays empty.
        """
        from firkin.storage.copytree import copy_metadata, copy_tree

        data = os.open(self.path(name), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(data, fcntl.LOCK_EX)
            row = tables.find(self._db, name)
            present = set(os.listdir(data))
            if row is None or (present and not row.filling):
                return False
            with scratch.Scratch(self._paths.tmp, "volume", directory=True) as work:
                copy_tree(source, work.fd)
                tables.set_filling(self._db, name, filling=True)
                for entry in os.listdir(work.fd):
                    if entry not in present:
                        os.rename(entry, entry, src_dir_fd=work.fd, dst_dir_fd=data)
                copy_metadata(source, data)
                tables.set_filling(self._db, name, filling=False)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise ResourceExhausted(
                    f"no space left to copy the image's content into volume {name}",
                    hint="free space and try again",
                ) from error
            raise
        finally:
            os.close(data)
        return True

    def usage(self, name: str) -> tuple[int, int]:
        """Return (bytes, inodes) of the content."""
        from firkin.storage import tree

        return tree.usage(self.path(name))

    def sweep(self) -> Names:
        """Take directories without a row in again; return their names."""
        import time

        adopted = []
        for name in os.listdir(self._paths.volumes):
            row = tables.VolumeRow(name=name, driver="local", labels={}, options={}, created_ns=time.time_ns(),
                                   anonymous=_is_anonymous(name), filling=False)  # fmt: skip
            if os.path.isdir(f"{self._home(name)}/_data") and tables.insert(self._db, row):
                adopted.append(name)
        return adopted

    def _home(self, name: str) -> str:
        return f"{self._paths.volumes}/{name}"

    def _volume(self, row: tables.VolumeRow) -> Volume:
        return Volume(name=row.name, driver=row.driver, mountpoint=f"{self._home(row.name)}/_data", labels=row.labels,
                      options=row.options, created_ns=row.created_ns, anonymous=row.anonymous)  # fmt: skip

    def _make_directory(self, name: str) -> None:
        try:
            with scratch.Scratch(self._paths.tmp, "volume", directory=True) as work:
                os.mkdir(f"{work.path}/made", 0o700)
                os.mkdir(f"{work.path}/made/_data", 0o755)
                os.chmod(f"{work.path}/made/_data", 0o755)  # noqa: S103 - docker's mode
                work.rename(self._home(name), f"{work.path}/made")
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise ResourceExhausted(
                    f"no space left for volume {name}", hint="free space and try again"
                ) from error
            raise


def _is_anonymous(name: str) -> bool:
    return len(name) == 64 and ids.is_hex(name)
