"""A container's writable layer: ROOT/containers/ID/{upper,work}, an overlay's upper side over the image's layers.

    prepare  two mkdirs; the value for the runtime to mount (in the monitor's mount namespace, never here)
    diff     docker's A, C, D from the upper side as overlayfs left it
    remove   renamed into ROOT/tmp, then deleted: gone at once for everybody else

The options are docker's effect: no index (a layer may be in several mounts), no redirect_dir and no metacopy, so that
the upper side is complete by itself and ``diff``, commit and copies need not know what lay below.
"""

from __future__ import annotations

import errno
import os

from firkin.errors import NotFound, ResourceExhausted
from firkin.linux.filesystem import spread_subdirectories
from firkin.oci.rootfs import OverlayRoot
from firkin.storage import scratch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.paths import Paths

OPTIONS = ("index=off", "redirect_dir=off", "metacopy=off")


class Snapshots:
    """The writable layers of one root."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def prepare(self, container_id: str, lowers: tuple[str, ...], *, volatile: bool = False) -> OverlayRoot:
        """Make (or find again) the container's upper and work directory.

        ``volatile`` promises that the layer is thrown away with this run (--rm): overlayfs then neither obeys fsync nor
        writes the whole upper file system back at unmount. Raises ResourceExhausted on a full disk.
        """
        home = self._paths.container(container_id)
        spread_subdirectories(self._paths.containers)
        try:
            for folder, mode in ((home, 0o700), (f"{home}/upper", 0o755), (f"{home}/work", 0o700)):
                try:
                    os.mkdir(folder, mode)
                except FileExistsError:
                    if folder.endswith("/work"):
                        _forget_volatile(folder)
                    continue
                if mode == 0o755:
                    os.chmod(folder, mode)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise ResourceExhausted(
                    f"no space left for the writable layer of {container_id[:12]} in {self._paths.root}",
                    hint="free space (firkin rm, firkin rmi) and try again",
                ) from error
            raise
        return self.root(container_id, lowers, volatile=volatile)

    def root(self, container_id: str, lowers: tuple[str, ...], *, volatile: bool = False) -> OverlayRoot:
        """Return the overlay of a prepared container; nothing is touched."""
        home = self._paths.container(container_id)
        options = (*OPTIONS, "volatile") if volatile else OPTIONS
        return OverlayRoot(lowers=lowers, upper=f"{home}/upper", work=f"{home}/work", options=options)

    def remove(self, container_id: str) -> None:
        """Remove upper and work, not the rest of the container's directory. Idempotent."""
        home = self._paths.container(container_id)
        for folder in ("upper", "work"):
            scratch.discard(f"{home}/{folder}", self._paths.tmp)

    def discard(self, container_id: str) -> None:
        """Remove the container's whole directory (layer, log, exit record, hosts) in one rename. Idempotent."""
        scratch.discard(self._paths.container(container_id), self._paths.tmp)

    def diff(self, container_id: str, lowers: tuple[str, ...]) -> list[tuple[str, str]]:
        """Return (kind, path) sorted by path: A added, C changed, D deleted; ``path`` begins with /."""
        from firkin.storage.changes import changes

        return changes(self._upper(container_id), lowers)

    def usage(self, container_id: str) -> tuple[int, int]:
        """Return (bytes, inodes) of the writable layer."""
        from firkin.storage import tree

        return tree.usage(self._upper(container_id))

    def sweep(self, live: set[str]) -> list[str]:
        """Remove the directories of containers that are not in ``live`` (all ids with a row); return their ids."""
        gone = [name for name in os.listdir(self._paths.containers) if name not in live]
        for name in gone:
            self.discard(name)
        return gone

    def _upper(self, container_id: str) -> str:
        upper = f"{self._paths.container(container_id)}/upper"
        if not os.path.isdir(upper):
            raise NotFound(f"container {container_id[:12]} has no writable layer")
        return upper


def _forget_volatile(work: str) -> None:
    # overlayfs refuses a second mount after ``volatile``, in case the machine went down between. It has not: after a
    # boot nobody prepares a --rm container again.
    mark = f"{work}/work/incompat"
    if not os.path.exists(mark):
        return
    from firkin.storage import tree

    try:
        tree.remove(mark)
    except OSError:
        pass  # the mount will be refused, and says why
