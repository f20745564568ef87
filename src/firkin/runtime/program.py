"""Find and execute the program, with the words that runc and docker use when it cannot be.

exec: "foo": executable file not found in $PATH          127
exec: "/foo": stat /foo: no such file or directory       127
exec: "/etc/passwd": permission denied                   126
exec /foo: exec format error                             126
"""

from __future__ import annotations

import errno
import os
import stat

from firkin.errors import CannotRun

_NOT_FOUND = (errno.ENOENT,)
_DEFAULT_MODE_BITS = 0o111


def reason(number: int) -> str:
    """Return the kernel's word for errno as Go prints it: lower case."""
    text = os.strerror(number)
    return text[:1].lower() + text[1:]


def exit_code(number: int) -> int:
    """Return 127 when something was not there, 126 for every other reason."""
    return 127 if number in _NOT_FOUND else 126


def find(name: str, search: str) -> str:
    """Return the path of program ``name`` as the calling user sees it; ``search`` is $PATH. Raises CannotRun."""
    if "/" in name:
        number = _refusal(name)
        if number:
            where = f"stat {name}: " if number in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP) else ""
            raise cannot_run(name, name, number, f'exec: "{name}": {where}{reason(number)}')
        return name
    for directory in search.split(":") if name else ():
        path = f"{directory or '.'}/{name}"
        if not _refusal(path):
            if not directory.startswith("/"):
                break  # Go's ErrDot: never the current directory by accident
            return path
    raise CannotRun(
        f'exec: "{name}": executable file not found in $PATH',
        exit_code=127, path=name, errno=errno.ENOENT, why="not-found", search=search,
    )  # fmt: skip


def cannot_run(name: str, path: str, number: int, message: str) -> CannotRun:
    """Return the error with its fields."""
    why = {errno.ENOENT: "not-found", errno.EACCES: "permission", errno.EISDIR: "directory"}.get(
        number, "refused"
    )
    return CannotRun(message, exit_code=exit_code(number), path=path, errno=number, why=why, name=name)


def refused(name: str, number: int) -> CannotRun:
    """Return the error for what the stub's execve answered: the file is there, and the kernel does not take it."""
    why = {
        errno.ENOENT: "interpreter",
        errno.ENOEXEC: "format",
        errno.ETXTBSY: "busy",
        errno.EACCES: "permission",
    }
    return CannotRun(
        f"exec {name}: {reason(number)}",
        exit_code=exit_code(number), path=name, errno=number, why=why.get(number, "refused"), name=name,
    )  # fmt: skip


def _refusal(path: str) -> int:
    """Return the errno of what forbids executing ``path``, 0 when nothing does (Go's findExecutable)."""
    try:
        info = os.stat(path)
        if stat.S_ISDIR(info.st_mode):
            return errno.EISDIR
        if os.access(path, os.X_OK, effective_ids=True):
            return 0
    except OSError as error:
        return error.errno or errno.EIO
    except ValueError:
        return errno.EINVAL  # a NUL byte
    return errno.EACCES


def home_of(uid: int) -> str:
    """Return the home directory that the container's /etc/passwd has for ``uid``, ``/`` without one."""
    try:
        fd = os.open("/etc/passwd", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                return "/"
            data = os.read(fd, 1 << 20)
        finally:
            os.close(fd)
    except OSError:
        return "/"
    wanted = b"%d" % uid
    for line in data.split(b"\n"):
        fields = line.split(b":")
        if len(fields) >= 7 and fields[2] == wanted:
            return os.fsdecode(fields[5]) or "/"
    return "/"
