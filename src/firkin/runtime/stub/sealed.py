"""A stub's bytes in a sealed memfd, one a process: nothing can change what it executes."""

from __future__ import annotations

import fcntl
import os

from firkin.errors import Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

MFD_EXEC = 0x10  # Linux 6.3; vm.memfd_noexec=1 would take the x bit otherwise
_F_ADD_SEALS = 1033
_F_GET_SEALS = 1034
_ALL_SEALS = 0xF  # F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE
_MAGIC = b"firkin-exec"


class Stub:
    """One program of ours, in a memfd of this process (a fork makes its own)."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._bytes = b""
        self._fd = -1
        self._owner = (0, 0)

    def fd(self) -> int:
        """Return the memfd (close-on-exec, sealed); the caller must not close it.

        It is not shared over a fork: a container that opened it for writing (its seals forbid the write itself)
        would make execve of it ETXTBSY, and must not do that to the process that serves others.
        Raises Unsupported on a machine that has no stub, OSError.
        """
        if self._owner[0] == os.getpid() and self._is_ours():
            return self._fd
        if not self._bytes:
            self._bytes = _read(self._name)
        self._fd = _memfd(self._name, self._bytes)
        self._owner = (os.getpid(), os.fstat(self._fd).st_ino)
        return self._fd

    def _is_ours(self) -> bool:
        # A daemon's close_range may have taken the number, and another file may have it now.
        try:
            return (
                fcntl.fcntl(self._fd, _F_GET_SEALS) == _ALL_SEALS
                and os.fstat(self._fd).st_ino == self._owner[1]
            )
        except OSError:
            return False


def argv(
    path: bytes, args: Sequence[bytes], status_fd: int, confine: tuple[int, int, int] | None = None
) -> list[bytes]:
    """Return the argv that makes a stub execute ``path`` with ``args`` and report through ``status_fd``.

    ``confine`` is (descriptor, number of instructions, flags) of a seccomp program, for a process that has
    no_new_privs: the stub loads it right before its execve, so that a policy need not allow what comes before.
    """
    orders = b"%s:%d" % (_MAGIC, status_fd)
    if confine is not None:
        orders += b":%d:%d:%d" % confine
    return [orders, path, *(args or (b"",))]


def _read(name: str) -> bytes:
    machine = os.uname().machine
    path = f"{os.path.dirname(__file__)}/{name}-{machine}.elf"
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read()
    except FileNotFoundError:
        raise Unsupported(f"firkin has no {name} stub for {machine}", machine=machine) from None


def _memfd(name: str, data: bytes) -> int:
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    try:
        fd = os.memfd_create(f"firkin-{name}", flags | MFD_EXEC)
    except OSError:  # EINVAL before Linux 6.3
        fd = os.memfd_create(f"firkin-{name}", flags)
    try:
        os.write(fd, data)
        fcntl.fcntl(fd, _F_ADD_SEALS, _ALL_SEALS)
    except OSError:
        os.close(fd)
        raise
    return fd
