"""Why the kernel would not execute a program: read from the file itself, on the scene, after execve has failed.

why             what was found                                        exit code
empty           the file has no content                               126
no-shebang      text without "#!" (a shell would run it, execve not)  126
machine         ELF for another machine                               126
format          neither ELF nor script                                126
interpreter     the ELF's PT_INTERP is not in the image               127
shebang         the script's interpreter is not in the image          127
crlf            the shebang line ends in CR LF                        127
noexec          the file system is mounted noexec                     126
permission, directory, not-found, busy, refused                       126 / 127
"""

from __future__ import annotations

import errno
import os
import stat
from _struct import unpack_from

from firkin.errors import CannotRun
from firkin.linux.path import open_in_root
from firkin.runtime import program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# linux/elf-em.h
_MACHINES = {
    3: "i386", 8: "mips", 20: "ppc", 21: "ppc64le", 22: "s390x", 40: "arm", 62: "x86_64", 183: "aarch64",
    243: "riscv64", 258: "loongarch64",
}  # fmt: skip
_ELF_NUMBER = {name: number for number, name in _MACHINES.items()}
_PT_INTERP = 3
_ST_NOEXEC = 8
_HEAD = 4096
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Scene:
    """The container's root and mount namespace, held open while its program starts, for a look at what failed."""

    def __init__(self, pid: int, name: str, env: Iterable[str], cwd: str = "/") -> None:
        self._name = name
        self._env = env
        self._cwd = cwd
        self._fds: list[int] = []
        try:
            self._fds.append(os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
            # without it the mounts below the root would go with the process
            self._fds.append(os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC))
        except OSError:
            pass  # without rights for a look there is still errno

    def close(self) -> None:
        for fd in self._fds:
            os.close(fd)
        self._fds = []

    def explain(self, number: int) -> CannotRun:
        """Return the error for execve's ``number``."""
        path, why, said, hint = self._name, "", "", None
        if self._fds:
            try:
                path, why, said, hint = self._look(number)
            except (OSError, ValueError):
                pass
        if not why:
            why = {errno.ENOENT: "not-found", errno.EACCES: "permission", errno.ETXTBSY: "busy"}.get(
                number, "refused"
            )
        words = f"exec {path}: {program.reason(number)}"
        return CannotRun(
            f"{words}: {said}" if said else words,
            hint=hint, exit_code=program.exit_code(number), path=path, errno=number, why=why, name=self._name,
        )  # fmt: skip

    def _look(self, number: int) -> tuple[str, str, str, str | None]:
        path, fd = self._find()
        try:
            info = os.fstat(fd)
            if not stat.S_ISREG(info.st_mode):
                return path, "", "", None
            if number == errno.EACCES and os.fstatvfs(fd).f_flag & _ST_NOEXEC:
                return (
                    path,
                    "noexec",
                    "its file system is mounted noexec",
                    "mount it with exec, or move the program",
                )
            with open(f"/proc/self/fd/{fd}", "rb", buffering=0) as file:
                head = file.read(_HEAD)
            why, said, hint = explain_head(head, number, os.uname().machine, self._exists)
            return path, why, said, hint
        finally:
            os.close(fd)

    def _find(self) -> tuple[str, int]:
        if "/" in self._name:
            path = self._name if self._name.startswith("/") else f"{self._cwd}/{self._name}"
            return self._name, open_in_root(self._fds[0], path)
        search = next((e[5:] for e in reversed(list(self._env)) if e.startswith("PATH=")), _DEFAULT_PATH)
        for directory in search.split(":"):
            try:
                path = f"{directory}/{self._name}"
                return path, open_in_root(self._fds[0], path)
            except OSError:
                continue
        raise FileNotFoundError(self._name)

    def _exists(self, path: str) -> bool:
        try:
            os.close(open_in_root(self._fds[0], path))
        except OSError:
            return False
        return True


def explain_head(
    head: bytes, number: int, machine: str, exists: Callable[[str], bool]
) -> tuple[str, str, str | None]:
    """Return (why, what is wrong in words, hint) for a file that begins with ``head``; pure."""
    if not head:
        return "empty", "the file is empty", "rebuild the image: the file was not written whole"
    if head.startswith(b"\x7fELF"):
        return _explain_elf(head, machine, exists)
    if head.startswith(b"#!"):
        return _explain_shebang(head, exists)
    if number == errno.ENOEXEC:
        if b"\0" not in head[:512]:
            return "no-shebang", "a script without a shebang line", "begin it with #!/bin/sh, or run: sh FILE"
        return "format", "neither an ELF program nor a script", None
    return "", "", None


def _explain_elf(head: bytes, machine: str, exists: Callable[[str], bool]) -> tuple[str, str, str | None]:
    if len(head) < 64:
        return "format", "the ELF header is cut off", None
    order = "<" if head[5] == 1 else ">"
    number = unpack_from(f"{order}H", head, 18)[0]
    if number != _ELF_NUMBER.get(machine) and not (machine == "x86_64" and number == _ELF_NUMBER["i386"]):
        other = _MACHINES.get(number, f"machine {number}")
        return (
            "machine", f"the program is for {other}, this machine is {machine}",
            "use an image built for this machine's architecture",
        )  # fmt: skip
    interpreter = elf_interpreter(head, order)
    if interpreter and not exists(interpreter):
        return (
            "interpreter", f"its ELF interpreter {interpreter} is not in the image",
            "install the libc that the program was linked against, or link it statically",
        )  # fmt: skip
    return "", "", None


def elf_interpreter(head: bytes, order: str) -> str:
    """Return PT_INTERP's path from the first bytes of an ELF file, "" without one in sight."""
    wide = head[4] == 2
    offset, size, count = (
        unpack_from(f"{order}Q", head, 32)[0] if wide else unpack_from(f"{order}I", head, 28)[0],
        *unpack_from(f"{order}HH", head, 54 if wide else 42),
    )
    for index in range(count):
        at = offset + index * size
        if at + size > len(head):
            break
        if unpack_from(f"{order}I", head, at)[0] == _PT_INTERP:
            if wide:
                start, length = (
                    unpack_from(f"{order}Q", head, at + 8)[0],
                    unpack_from(f"{order}Q", head, at + 32)[0],
                )
            else:
                start, length = (
                    unpack_from(f"{order}I", head, at + 4)[0],
                    unpack_from(f"{order}I", head, at + 16)[0],
                )
            return os.fsdecode(head[start : start + length].split(b"\0")[0])
    return ""


def _explain_shebang(head: bytes, exists: Callable[[str], bool]) -> tuple[str, str, str | None]:
    line = head[2:].split(b"\n", 1)[0]
    words = line.strip(b" \t").split()
    interpreter = os.fsdecode(words[0]) if words else ""
    if line.endswith(b"\r"):
        return (
            "crlf", "its shebang line ends in CR LF, so the kernel looks for an interpreter whose name ends in CR",
            "convert the file to Unix line ends (dos2unix)",
        )  # fmt: skip
    if not interpreter:
        return "shebang", "its shebang line names no interpreter", None
    if not exists(interpreter):
        return (
            "shebang", f"its interpreter {interpreter} is not in the image",
            f"install {interpreter} or change the shebang line",
        )  # fmt: skip
    return "", "", None
