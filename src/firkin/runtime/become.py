"""From a process inside the container's namespaces to its program: the way that ``launch`` and ``execute`` share.

    keyring, terminal -> "ready", wait for "go"  (execute; launch has more to do there: init.py)
    scheduling, limits -> terminal, 0-2, close all else -> cwd -> seccomp, if it may gain privileges
    -> bounding set, user, capabilities -> cwd again -> find the program
    -> execve of the stub in its sealed memfd, which loads seccomp, if it may not, and executes the program

Nothing is imported, logged or looked up in codecs after the fork.
"""

from __future__ import annotations

import errno
import fcntl
import os

from firkin.errors import CannotRun, InvalidArgument, SyscallError
from firkin.linux import keyring, process, tty
from firkin.runtime import channel, identity, program
from firkin.runtime.stub.exec import exec_argv, exec_fd
from firkin.runtime.stub.reaper import reaper_fd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from firkin.runtime.job import Job


def join_keyring(container_id: str, search: int) -> None:
    """Join the container's own session keyring; a kernel without keys, or one that forbids, is none the worse."""
    try:
        keyring.join_session(f"_ses.{container_id}", search)
    except SyscallError as error:
        if error.errno not in (errno.ENOSYS, errno.EPERM, errno.EACCES, errno.EDQUOT):
            raise


def join_container(job: Job) -> int:
    """In ``execute``'s child, once it is in the namespaces: ids, keyring, terminal; say ready. Return the slave."""
    if job.userns:
        identity.become_namespace_root()
    if job.keyring:
        join_keyring(job.container_id, 0)
    job.root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    master, slave = open_terminal(job) if job.process.get("terminal") else (-1, -1)
    channel.say(job.channel, channel.READY, master if master >= 0 else None)
    return slave


def open_terminal(job: Job) -> tuple[int, int]:
    """Return (master or -1, slave): the caller's terminal, or a new one on the container's /dev/pts."""
    if job.stdio.terminal is not None:
        return -1, job.stdio.terminal
    master, slave = tty.open_pair(job.root)
    size = job.process.get("consoleSize")
    if size:
        tty.set_size(master, size["height"], size["width"])
    return master, slave


def cwd_error(cwd: str, number: int) -> CannotRun:
    said = program.reason(number)
    message = f'chdir to cwd ("{cwd}") set in config.json failed: {said}'
    return CannotRun(message, exit_code=program.exit_code(number), path=cwd, errno=number, why="cwd")


def become(job: Job, slave: int) -> NoReturn:
    """From full privileges inside the container to the program."""
    spec = job.process
    user: dict[str, Any] = spec.get("user") or {}
    identity.apply_scheduling(spec, job.linux)
    identity.set_exec_labels(job.proc, spec)
    os.umask(user["umask"] if user.get("umask") is not None else 0o022)
    no_new = bool(spec.get("noNewPrivileges"))
    status, stub, confine = _only_needed_descriptors(job, slave, late_filter=no_new)
    identity.own_stdio(user.get("uid") or 0)
    identity.apply_limits(job.limits)
    cwd = spec.get("cwd") or "/"
    there = _change_directory(cwd)
    if no_new:
        process.prctl(process.PR_SET_NO_NEW_PRIVS, 1)
    elif job.seccomp:
        job.load_seccomp(job.seccomp)
    environment = job.environment
    if b"HOME" not in environment:
        environment[b"HOME"] = os.fsencode(program.home_of(user.get("uid") or 0))
    identity.apply_privileges(job.capabilities, user, userns=job.userns)
    if job.parent_death_signal:
        process.set_parent_death_signal(job.parent_death_signal)  # a change of ids has cleared it
    if there:
        _change_directory(cwd, last=True)
    _check_cwd(cwd)
    found = program.find(spec["args"][0], os.fsdecode(environment.get(b"PATH", b"")))
    arguments = exec_argv(os.fsencode(found), job.arguments, status, confine)
    process.reset_signals()
    os.execve(stub, arguments, environment)  # noqa: S606 - no shell is the point


def _only_needed_descriptors(
    job: Job, slave: int, *, late_filter: bool
) -> tuple[int, int, tuple[int, int, int] | None]:
    """Set up 0-2; close the rest but the preserved ones; return (channel, stub, orders for the stub's seccomp)."""
    stub = reaper_fd() if job.reaper else exec_fd()
    first = 3 + job.preserve_fds
    if slave >= 0:
        tty.make_controlling(slave)
        wanted = [slave, slave, slave]
    else:
        wanted = [job.stdio.stdin, job.stdio.stdout, job.stdio.stderr]
    kept = [_copy_above(fd, first + 5) for fd in (*wanted, job.channel, stub)]
    confine = None
    if late_filter and job.seccomp:
        policy = _copy_above(os.memfd_create("seccomp", os.MFD_CLOEXEC), first + 5)
        os.write(policy, job.seccomp)
        confine = (os.dup2(policy, first + 2), len(job.seccomp) // 8, job.seccomp_flags)
    for target, fd in enumerate(kept[:3]):
        os.dup2(fd, target)
    status = os.dup2(kept[3], first)
    inner = os.dup2(kept[4], first + 1, inheritable=False)
    job.channel = status
    for fd in range(3, first):
        os.set_inheritable(fd, True)
    process.close_range(first + (2 if confine is None else 3))
    return status, inner, confine


def _copy_above(fd: int, lowest: int) -> int:
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, lowest)


def _change_directory(cwd: str, *, last: bool = False) -> int:
    """Go there; return the errno when the user may succeed where root did not (a directory on NFS, say)."""
    try:
        os.chdir(cwd)
    except OSError as error:
        number = error.errno or errno.EIO
        if last or number not in (errno.EACCES, errno.EPERM):
            raise cwd_error(cwd, number) from None
        return number
    return 0


def _check_cwd(cwd: str) -> None:
    """CVE-2024-21626: whatever way led here, the directory must be inside the root."""
    try:
        here = process.getcwd()
    except SyscallError:
        here = ""
    if not here.startswith("/"):
        raise InvalidArgument(f"current working directory {cwd} is outside of the container's root")
