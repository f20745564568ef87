"""Why the kernel did not execute a program: look at what execve(2) looked at, in the same order.

The kernel's answer is one errno for a dozen reasons (ENOENT: no file, no ELF interpreter, no shebang interpreter, a
shebang that ends in CRLF...). This room looks into the container's root by descriptor and finds which.
"""

from __future__ import annotations

import errno
import os
import stat

from firkin.engine.explain import elf
from firkin.engine.explain.cause import Cause
from firkin.errors import SyscallError
from firkin.linux.path import open_in_root, proc_fd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

HEAD = 1 << 16
_DEPTH = 5  # of shebangs that name scripts: the kernel's own limit
FOREIGN = ((b"MZ", "a Windows program"), (b"\xcf\xfa\xed\xfe", "a macOS program"), (b"\xca\xfe\xba\xbe", "a Java class or a macOS program"),
           (b"PK\x03\x04", "a zip archive (or jar)"), (b"\x1f\x8b", "gzip data"))  # fmt: skip


class Caller:
    """On whose behalf: user, groups, working directory and $PATH of the process that was to run.

    ``binds`` are (place inside, source) of what was mounted there; the root that we look into is without them.
    """

    def __init__(
        self, uid: int, gids: Sequence[int], cwd: str, path: str, machine: str = "",
        binds: Sequence[tuple[str, str]] = (),
    ) -> None:  # fmt: skip
        self.uid, self.gids, self.cwd = uid, tuple(gids), cwd or "/"
        self.path = path
        self.binds = sorted(binds, key=lambda bind: -len(bind[0]))
        self.machine = machine or os.uname().machine

    def may_execute(self, status: os.stat_result) -> bool:
        """The permission bits alone, as for a caller without capabilities; root needs any one x bit."""
        if self.uid == 0:
            return bool(status.st_mode & 0o111) or stat.S_ISDIR(status.st_mode)
        if status.st_uid == self.uid:
            return bool(status.st_mode & 0o100)
        if status.st_gid in self.gids:
            return bool(status.st_mode & 0o010)
        return bool(status.st_mode & 0o001)


def examine(root: int, program: str, number: int, caller: Caller) -> Cause:
    """Return why ``program`` (argv[0] as given) failed with errno ``number`` in the root that ``root`` refers to."""
    if number == errno.E2BIG:
        return Cause(code="arguments-too-long", cause="the arguments and environment are too long for the kernel",
                     proof="execve answered E2BIG", fix="pass the data in a file or on stdin")  # fmt: skip
    if not program:
        return Cause(
            code="no-command", cause="the program's name is empty", fix="name a program after the image"
        )
    if "/" not in program:
        found = [f"{folder or '.'}/{program}" for folder in caller.path.split(":")]
        found = [path for path in found if _exists(root, path, caller)]
        if not found:
            return _not_in_path(root, program, caller)
        program = found[0]
    return _examine_file(root, program, number, caller, _DEPTH)


def _exists(root: int, path: str, caller: Caller) -> bool:
    try:
        fd = _open(root, path, caller)
    except OSError:
        return False
    directory = stat.S_ISDIR(os.fstat(fd).st_mode)
    os.close(fd)
    return not directory


def _open(root: int, path: str, caller: Caller) -> int:
    """Open ``path`` as the program saw it: below the innermost bind mount, else in the root."""
    whole = os.path.normpath(_absolute(path, caller))
    for place, source in caller.binds:
        if whole == place:
            return os.open(source, os.O_PATH | os.O_CLOEXEC)
        if whole.startswith(f"{place}/"):
            folder = os.open(source, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                return open_in_root(folder, whole[len(place) :])
            finally:
                os.close(folder)
    return open_in_root(root, _absolute(path, caller))


def _absolute(path: str, caller: Caller) -> str:
    return path if path.startswith("/") else f"{caller.cwd}/{path}"


def _not_in_path(root: int, program: str, caller: Caller) -> Cause:
    names: set[str] = set()
    for folder in caller.path.split(":"):
        try:
            fd = open_in_root(root, folder or caller.cwd, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            continue
        try:
            names.update(os.listdir(fd)[:5000])
        finally:
            os.close(fd)
    fix = "check the spelling, or install it in the image"
    if names:
        import difflib

        close = difflib.get_close_matches(program, names, 1, 0.7)
        fix = f"did you mean {close[0]!r}? Else install it in the image" if close else fix
    else:
        fix = "the image has no program in $PATH at all: give the full path of one that it has"
    return Cause(code="not-in-path", cause=f"the image has no program {program!r} in $PATH",
                 proof=f"looked in {caller.path or '(an empty $PATH)'}", fix=fix)  # fmt: skip


def _examine_file(root: int, path: str, number: int, caller: Caller, depth: int) -> Cause:
    try:
        fd = _open(root, path, caller)
    except SyscallError as error:
        return _unreachable(root, path, error, caller)
    try:
        status = os.fstat(fd)
        if stat.S_ISDIR(status.st_mode):
            return Cause(code="is-a-directory", cause=f"{path} is a directory, not a program",
                         fix="name the program inside it")  # fmt: skip
        if not stat.S_ISREG(status.st_mode):
            return Cause(code="not-a-file", cause=f"{path} is not a regular file", proof=stat.filemode(status.st_mode),
                         fix="name a program")  # fmt: skip
        blocked = _blocked_parent(root, path, caller)
        if blocked:
            return blocked
        if not caller.may_execute(status):
            return Cause(
                code="not-executable", cause=f"{path} is not executable for uid {caller.uid}",
                proof=f"its mode is {stat.S_IMODE(status.st_mode):04o}, owner {status.st_uid}:{status.st_gid}",
                fix=f"chmod +x it in the image, or name its interpreter: sh {path}")  # fmt: skip
        if os.fstatvfs(fd).f_flag & os.ST_NOEXEC:
            return Cause(code="noexec-mount", cause=f"{path} is on a mount with the option noexec",
                         proof="statvfs says ST_NOEXEC", fix="mount it with exec (--tmpfs PATH:exec), or move the program")  # fmt: skip
        with open(proc_fd(fd), "rb") as stream:
            head = stream.read(HEAD)
        return _examine_content(root, path, head, status.st_size, number, caller, depth)
    finally:
        os.close(fd)


def _unreachable(root: int, path: str, error: SyscallError, caller: Caller) -> Cause:
    walked = ""
    for part in _absolute(path, caller).split("/")[1:]:
        if not part:
            continue
        walked = f"{walked}/{part}"
        try:
            fd = open_in_root(root, walked, os.O_PATH | os.O_NOFOLLOW)
        except SyscallError:
            break
        try:
            status = os.fstat(fd)
            if stat.S_ISLNK(status.st_mode):
                target = os.readlink("", dir_fd=fd)
                try:
                    os.close(open_in_root(root, walked))
                except SyscallError as reason:
                    what = "itself, in a circle" if reason.errno == errno.ELOOP else "nothing"
                    return Cause(code="dangling-symlink", cause=f"{walked} is a symbolic link to {what}",
                                 proof=f"it points to {target}", fix="add the target to the image")  # fmt: skip
            elif not stat.S_ISDIR(status.st_mode) and walked != _absolute(path, caller):
                return Cause(code="not-a-directory", cause=f"{walked}, on the way to {path}, is not a directory",
                             proof=stat.filemode(status.st_mode), fix="correct the path")  # fmt: skip
        finally:
            os.close(fd)
    if error.errno == errno.ENAMETOOLONG:
        return Cause(code="name-too-long", cause="the program's path is too long", fix="correct the path")
    missing = f"{walked} is not there" if walked != _absolute(path, caller) else ""
    return Cause(code="no-such-file", cause=f"the image has no file {path}", proof=missing, fix="correct the path, or add the file to the image")  # fmt: skip


def _blocked_parent(root: int, path: str, caller: Caller) -> Cause | None:
    if caller.uid == 0:
        return None
    walked = ""
    for part in _absolute(path, caller).split("/")[1:-1]:
        walked = f"{walked}/{part}"
        try:
            fd = open_in_root(root, walked or "/")
        except SyscallError:
            return None
        status = os.fstat(fd)
        os.close(fd)
        if not caller.may_execute(status):
            return Cause(code="parent-not-searchable", cause=f"uid {caller.uid} may not enter {walked}, so not reach {path}",
                         proof=f"its mode is {stat.S_IMODE(status.st_mode):04o}, owner {status.st_uid}:{status.st_gid}",
                         fix="chmod +x the directory in the image, or run as another user (-u)")  # fmt: skip
    return None


def _examine_content(
    root: int, path: str, head: bytes, size: int, number: int, caller: Caller, depth: int
) -> Cause:
    if size == 0:
        return Cause(code="empty-file", cause=f"{path} is an empty file", proof="its size is 0 bytes",
                     fix="was the copy into the image cut short? Put the program there")  # fmt: skip
    if head.startswith(b"#!"):
        return _examine_shebang(root, path, head, number, caller, depth)
    if head.startswith(elf.MAGIC):
        return _examine_elf(root, path, head, size, number, caller)
    for magic, what in FOREIGN:
        if head.startswith(magic):
            return Cause(code="foreign-format", cause=f"{path} is {what}, which Linux does not execute",
                         proof=f"it begins with {magic!r}", fix="use the Linux build of the program")  # fmt: skip
    if number == errno.ENOEXEC:
        return Cause(code="no-shebang", cause=f"{path} is neither an ELF program nor a script with a #! line",
                     proof=f"it begins with {head[:12]!r}", fix=f"begin it with #!/bin/sh, or run: sh {path}")  # fmt: skip
    return refused(path, number)


def _examine_shebang(root: int, path: str, head: bytes, number: int, caller: Caller, depth: int) -> Cause:
    line = head[2:256].split(b"\n")[0]
    interpreter = line.split(b"\r")[0].split()[0].decode(errors="replace") if line.split() else ""
    if not interpreter:
        return Cause(code="shebang-empty", cause=f"the #! line of {path} names no interpreter",
                     proof=f"it is {head[:20]!r}", fix="begin it with #!/bin/sh")  # fmt: skip
    if b"\r" in line:
        return Cause(
            code="shebang-crlf", cause=f"the #! line of {path} ends in CRLF, so the kernel looks for {interpreter!r} plus a carriage return",
            proof=f"it is {head[: len(line) + 3]!r}", fix=f"save {path} with Unix line ends (dos2unix, sed -i 's/\\r$//')")  # fmt: skip
    if not depth:
        return Cause(code="shebang-loop", cause=f"the #! lines below {path} name scripts without end",
                     fix="name a program, not a script, in the #! line")  # fmt: skip
    below = _examine_file(root, interpreter, number, caller, depth - 1)
    if below.code in ("no-such-file", "dangling-symlink"):
        return Cause(code="shebang-interpreter-missing", cause=f"{path} is a script for {interpreter}, which the image lacks",
                     proof=f"its first line is #!{line.decode(errors='replace')}",
                     fix=f"install {interpreter} in the image, or correct the first line")  # fmt: skip
    return below.replace(cause=f"the interpreter of {path}: {below.cause}")


def _examine_elf(root: int, path: str, head: bytes, size: int, number: int, caller: Caller) -> Cause:
    found = elf.parse(head, size)
    if found.machine and not elf.runs_on(found.machine, caller.machine):
        return Cause(code="wrong-architecture", cause=f"{path} is a program for {found.machine}, this machine is {caller.machine}",
                     proof=f"its ELF header says {found.machine}, {found.bits} bit",
                     fix=f"use the {caller.machine} variant of the image (--platform), or install qemu-user-static with binfmt")  # fmt: skip
    if found.damage:
        return Cause(code="damaged-elf", cause=f"{path} is a damaged ELF program", proof=found.damage,
                     fix="was the copy into the image cut short? Put the program there again")  # fmt: skip
    if found.type not in (elf.ET_EXEC, elf.ET_DYN):
        return Cause(code="elf-not-a-program", cause=f"{path} is {found.type_name}, not a program",
                     proof="the type in its ELF header", fix="link it into a program")  # fmt: skip
    if found.interpreter:
        try:
            fd = open_in_root(root, found.interpreter)
        except SyscallError:
            libc = "musl" if "musl" in found.interpreter else "glibc"
            return Cause(
                code="elf-interpreter-missing", cause=f"{path} needs the dynamic loader {found.interpreter}, which the image lacks",
                proof="PT_INTERP of its ELF header", fix=f"install {libc} in the image, or link the program statically")  # fmt: skip
        mode = os.fstat(fd).st_mode
        os.close(fd)
        if not mode & 0o111:
            return Cause(code="elf-interpreter-not-executable", cause=f"the dynamic loader {found.interpreter} of {path} is not executable",
                         proof=f"its mode is {stat.S_IMODE(mode):04o}", fix="chmod +x it in the image")  # fmt: skip
    return refused(path, number)


def refused(path: str, number: int) -> Cause:
    """The file is in order as far as we can see: pass on the kernel's own word."""
    name = errno.errorcode.get(number, str(number))
    reasons = {
        errno.ETXTBSY: ("text-busy", "somebody has it open for writing", "wait until it is written, then start again"),
        errno.EPERM: ("exec-not-permitted", "a seccomp profile or security module forbids it",
                      "check --security-opt seccomp= and the host's audit log"),
        errno.EACCES: ("exec-denied", "a security module or a file system option forbids it",
                       "check AppArmor or SELinux labels and the mount's options"),
        errno.ENOMEM: ("exec-out-of-memory", "there is not enough memory to load it", "raise --memory"),
        errno.ENOEXEC: ("exec-format", "the kernel does not know its format", "use a program built for this machine"),
    }  # fmt: skip
    code, cause, fix = reasons.get(number, ("exec-refused", os.strerror(number).lower(), "run firkin doctor"))
    return Cause(
        code=code, cause=f"the kernel refused {path}: {cause}", proof=f"execve answered {name}", fix=fix
    )
