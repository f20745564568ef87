"""Namespaces: namespaces(7), unshare(2), setns(2), ioctl_ns(2)."""

from __future__ import annotations

import errno
import fcntl
import os

from firkin.errors import InvalidArgument, SyscallError
from firkin.linux.libc import c_char_p, c_int, c_ulong, checked

CLONE_NEWTIME = 0x00000080
CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

# the OCI spec's name -> (flag, name below /proc/PID/ns)
TYPES = {
    "user": (CLONE_NEWUSER, "user"),
    "cgroup": (CLONE_NEWCGROUP, "cgroup"),
    "ipc": (CLONE_NEWIPC, "ipc"),
    "uts": (CLONE_NEWUTS, "uts"),
    "network": (CLONE_NEWNET, "net"),
    "pid": (CLONE_NEWPID, "pid"),
    "mount": (CLONE_NEWNS, "mnt"),
    "time": (CLONE_NEWTIME, "time"),
}

_NS_GET_NSTYPE = 0xB703
_unshare = checked("unshare", c_int)
_setns = checked("setns", c_int, c_int)
_sethostname = checked("sethostname", c_char_p, c_ulong)
_setdomainname = checked("setdomainname", c_char_p, c_ulong)


def unshare(flags: int) -> None:
    """Leave the namespaces of ``flags`` for new ones (pid and time: for children only)."""
    _unshare(flags)


def setns(fd: int, flags: int = 0) -> None:
    """Join the namespace(s) of ``fd``: a namespace file, or a pidfd with ``flags`` naming which of its process's."""
    _setns(fd, flags)


def open_namespace(path: str, kind: str) -> int:
    """Open the namespace file at ``path``; raise InvalidArgument when it is not one of OCI type ``kind``."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        actual = fcntl.ioctl(fd, _NS_GET_NSTYPE)
    except OSError as error:
        os.close(fd)
        if error.errno != errno.ENOTTY:
            raise SyscallError(error.errno or 0, "ioctl(NS_GET_NSTYPE)", path) from None
        raise InvalidArgument(f"{path} is not a namespace", path=path) from None
    if actual != TYPES[kind][0]:
        os.close(fd)
        other = next((name for name, (flag, _) in TYPES.items() if flag == actual), "unknown")
        raise InvalidArgument(f"{path} is a {other} namespace, not a {kind} namespace", path=path)
    return fd


def set_host_name(name: str) -> None:
    """sethostname(2), in the caller's UTS namespace."""
    data = os.fsencode(name)
    _sethostname(data, len(data))


def set_domain_name(name: str) -> None:
    """setdomainname(2), in the caller's UTS namespace."""
    data = os.fsencode(name)
    _setdomainname(data, len(data))


def namespace_id(kind: str, pid: int | str = "self") -> int:
    """Return the inode number that names ``pid``'s namespace of OCI type ``kind``."""
    return os.stat(f"/proc/{pid}/ns/{TYPES[kind][1]}").st_ino
