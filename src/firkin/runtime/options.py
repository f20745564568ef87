"""Mount options of config.json, read into what the kernel takes. Pure.

Source: runtime-spec config.md "Linux mount options"; mount(8); mount_setattr(2). Later options win over earlier ones,
as in runc. What the table does not know is data for the file system.
"""

from __future__ import annotations

from firkin.linux import mount as m
from firkin.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_ATIME = m.MOUNT_ATTR__ATIME

# option -> (attributes added, attributes removed first); "r" + name does the same to the whole tree
ATTRIBUTES = {
    "ro": (m.MOUNT_ATTR_RDONLY, 0), "rw": (0, m.MOUNT_ATTR_RDONLY),
    "nosuid": (m.MOUNT_ATTR_NOSUID, 0), "suid": (0, m.MOUNT_ATTR_NOSUID),
    "nodev": (m.MOUNT_ATTR_NODEV, 0), "dev": (0, m.MOUNT_ATTR_NODEV),
    "noexec": (m.MOUNT_ATTR_NOEXEC, 0), "exec": (0, m.MOUNT_ATTR_NOEXEC),
    "nodiratime": (m.MOUNT_ATTR_NODIRATIME, 0), "diratime": (0, m.MOUNT_ATTR_NODIRATIME),
    "nosymfollow": (m.MOUNT_ATTR_NOSYMFOLLOW, 0), "symfollow": (0, m.MOUNT_ATTR_NOSYMFOLLOW),
    "noatime": (m.MOUNT_ATTR_NOATIME, _ATIME), "atime": (0, _ATIME),
    "relatime": (m.MOUNT_ATTR_RELATIME, _ATIME), "norelatime": (0, _ATIME),
    "strictatime": (m.MOUNT_ATTR_STRICTATIME, _ATIME), "nostrictatime": (0, _ATIME),
}  # fmt: skip

# option -> (super block flag, whether it is set); only MS_* has them all
SUPERBLOCK = {
    "sync": (m.MS_SYNCHRONOUS, True), "async": (m.MS_SYNCHRONOUS, False),
    "dirsync": (m.MS_DIRSYNC, True),
    "mand": (m.MS_MANDLOCK, True), "nomand": (m.MS_MANDLOCK, False),
    "lazytime": (m.MS_LAZYTIME, True), "nolazytime": (m.MS_LAZYTIME, False),
    "iversion": (m.MS_I_VERSION, True), "noiversion": (m.MS_I_VERSION, False),
    "silent": (m.MS_SILENT, True), "loud": (m.MS_SILENT, False),
}  # fmt: skip

PROPAGATION = {
    "shared": m.MS_SHARED, "rshared": m.MS_SHARED | m.MS_REC,
    "slave": m.MS_SLAVE, "rslave": m.MS_SLAVE | m.MS_REC,
    "private": m.MS_PRIVATE, "rprivate": m.MS_PRIVATE | m.MS_REC,
    "unbindable": m.MS_UNBINDABLE, "runbindable": m.MS_UNBINDABLE | m.MS_REC,
}  # fmt: skip

_FSCONFIG_FLAGS = (
    (m.MS_SYNCHRONOUS, "sync"),
    (m.MS_DIRSYNC, "dirsync"),
    (m.MS_LAZYTIME, "lazytime"),
    (m.MS_MANDLOCK, "mand"),
)
_TO_MS = (
    (m.MOUNT_ATTR_RDONLY, m.MS_RDONLY), (m.MOUNT_ATTR_NOSUID, m.MS_NOSUID), (m.MOUNT_ATTR_NODEV, m.MS_NODEV),
    (m.MOUNT_ATTR_NOEXEC, m.MS_NOEXEC), (m.MOUNT_ATTR_NOATIME, m.MS_NOATIME),
    (m.MOUNT_ATTR_STRICTATIME, m.MS_STRICTATIME), (m.MOUNT_ATTR_NODIRATIME, m.MS_NODIRATIME),
    (m.MOUNT_ATTR_NOSYMFOLLOW, m.MS_NOSYMFOLLOW),
)  # fmt: skip


class MountOptions(Record):
    """``add``/``remove`` are MOUNT_ATTR_* for the mount, ``tree_*`` for all below too; ``superblock`` is MS_*."""

    add: int = 0
    remove: int = 0
    tree_add: int = 0
    tree_remove: int = 0
    superblock: int = 0
    propagation: tuple[int, ...] = ()
    data: tuple[str, ...] = ()
    bind: bool = False
    recursive: bool = False
    remount: bool = False
    copy_up: bool = False
    idmap: str = ""

    def parameters(self) -> list[tuple[str, str | None]]:
        """Return data and super block flags in fsconfig(2)'s form."""
        result: list[tuple[str, str | None]] = []
        for item in self.data:
            key, equals, value = item.partition("=")
            result.append((key, value if equals else None))
        if self.add & m.MOUNT_ATTR_RDONLY:
            result.append(("ro", None))  # as mount(2) does: for a new file system both sides are read-only
        result += [(name, None) for flag, name in _FSCONFIG_FLAGS if self.superblock & flag]
        return result

    def flags(self) -> int:
        """Return all as MS_* for mount(2)."""
        return self.superblock | sum(old for new, old in _TO_MS if self.add & new)

    def only_old(self) -> bool:
        """Say whether something here can be said to mount(2) only."""
        return bool(self.superblock & (m.MS_I_VERSION | m.MS_SILENT))


_FLAGS = {
    "bind": ("bind",), "rbind": ("bind", "recursive"), "remount": ("remount",), "tmpcopyup": ("copy_up",),
    "defaults": (),
}  # fmt: skip
_RECURSIVE = {f"r{name}": change for name, change in ATTRIBUTES.items()}


def parse_options(options: Sequence[str]) -> MountOptions:
    """Read one mount's ``options``."""
    add = remove = tree_add = tree_remove = superblock = 0
    propagation: list[int] = []
    data: list[str] = []
    flags: dict[str, bool] = {}
    idmap = ""
    for option in options:
        if option in ATTRIBUTES:
            add, remove = _change(add, remove, option, ATTRIBUTES[option])
        elif option in _FLAGS:
            flags.update(dict.fromkeys(_FLAGS[option], True))
        elif option in PROPAGATION:
            propagation.append(PROPAGATION[option])
        elif option in _RECURSIVE:
            tree_add, tree_remove = _change(tree_add, tree_remove, option[1:], _RECURSIVE[option])
        elif option in SUPERBLOCK:
            flag, on = SUPERBLOCK[option]
            superblock = superblock | flag if on else superblock & ~flag
        elif option in ("idmap", "ridmap"):
            idmap = option
        elif option:
            data += option.split(",")
    return MountOptions(
        add=add, remove=remove, tree_add=tree_add, tree_remove=tree_remove, superblock=superblock,
        propagation=tuple(propagation), data=tuple(data), idmap=idmap, **flags,
    )  # fmt: skip


_NO_OP_UNLESS = {"norelatime": m.MOUNT_ATTR_RELATIME, "nostrictatime": m.MOUNT_ATTR_STRICTATIME}


def _change(add: int, remove: int, name: str, change: tuple[int, int]) -> tuple[int, int]:
    added, removed = change
    if name in _NO_OP_UNLESS and add & _ATIME != _NO_OP_UNLESS[name]:
        return add, remove  # "no relatime" does not take a noatime back
    return add & ~removed | added, remove & ~added | removed


def known_options() -> list[str]:
    """Return every option that is not file system data (for ``features``)."""
    names = {*ATTRIBUTES, *_RECURSIVE, *SUPERBLOCK, *PROPAGATION, *_FLAGS, "idmap", "ridmap"}
    return sorted(names)
