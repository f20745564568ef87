"""A process that stands in its container while its program waits: the caller's side of ``launch`` and ``execute``."""

from __future__ import annotations

import os

from firkin.errors import PermissionDenied, SyscallError
from firkin.linux import process
from firkin.linux.path import PROC_SUPER_MAGIC, filesystem_magic
from firkin.runtime import channel, identity, idmap, program
from firkin.runtime.job import Job, Launched
from firkin.runtime.stub.exec import FILTER_REFUSED, exec_fd
from firkin.runtime.stub.reaper import reaper_fd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SIGKILL = 9


class Pending:
    """A container that stands, whose program waits: ``start`` or ``abort`` it."""

    def __init__(self, launched: Launched, sock: int, name: str) -> None:
        self.launched = launched
        self._sock = sock
        self._name = name

    def start(self) -> Launched:
        """Let the program run; return when it does. Raises CannotRun and what the child reports."""
        try:
            channel.say(self._sock, channel.GO)
            channel.listen(self._sock)  # end of file
        except channel.ProgramFailed as failure:
            if failure.errno & FILTER_REFUSED:
                raise SyscallError(failure.errno & ~FILTER_REFUSED, "seccomp") from None
            raise program.refused(self._name, failure.errno) from None
        except BrokenPipeError:
            raise channel.ChildEnded("the container's first process ended before its program ran") from None
        finally:
            self._close()
        return self.launched

    def abort(self) -> None:
        """End the process, reap it, close everything (``launched``'s descriptors too). Idempotent."""
        self._close()
        launched = self.launched
        if launched.pidfd < 0:
            return
        _end(launched.pidfd)
        if launched.terminal is not None:
            os.close(launched.terminal)
        self.launched = launched.replace(pidfd=-1, terminal=None)

    def _close(self) -> None:
        if self._sock >= 0:
            os.close(self._sock)
            self._sock = -1


def gather(job: Job, *, new_userns: bool) -> list[str]:
    """Fill in what a process of ``job.process`` needs; return warnings. Shared with ``execute``."""
    spec = job.process
    identity.check_labels(spec, job.linux.get("mountLabel") or "")
    available = identity.available_capabilities(new_userns=new_userns)
    job.capabilities, warnings = identity.capability_sets(spec.get("capabilities"), available)
    job.limits = identity.limits_of(spec)
    job.arguments = [os.fsencode(argument) for argument in spec["args"]]
    for entry in spec.get("env") or ():
        name, _, value = entry.partition("=")
        job.environment[os.fsencode(name)] = os.fsencode(value)  # the last one wins, as in runc
    if job.linux.get("seccomp"):
        _compile_seccomp(job)
    exec_fd()  # read its bytes now: there is no way to them from inside the root
    if job.reaper:
        reaper_fd()
    return warnings


def _compile_seccomp(job: Job) -> None:
    from firkin.linux.seccomp import load
    from firkin.runtime.seccomp.cache import cached_filter
    from firkin.runtime.seccomp.profile import flags_of

    profile = job.linux["seccomp"]
    job.seccomp = cached_filter(profile, os.uname().machine, job.cache)
    flags = job.seccomp_flags = flags_of(profile)
    job.load_seccomp = lambda program: load(program, flags)


def open_proc() -> int:
    """Return the host's /proc (O_PATH), checked to be procfs (CVE-2019-16884, CVE-2019-19921)."""
    fd = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    if filesystem_magic(fd) != PROC_SUPER_MAGIC:
        os.close(fd)
        raise PermissionDenied("/proc is not procfs")
    return fd


def finish(
    job: Job,
    pid: int,
    pidfd: int,
    ours: int,
    warnings: list[str],
    meanwhile: Callable[[], None] | None = None,
) -> Pending:
    """Do the monitor's part until the child is ready. Shared with ``execute``."""
    terminal: int | None = None
    try:
        if pid == 0:
            channel.listen(ours)
            raise channel.ChildEnded("the process that joins the namespaces ended without a word")
        start = process.start_time(pid)
        idmap.write_oom_score(pid, job.process.get("oomScoreAdj"))
        if "user" in job.plan.new:
            idmap.write_maps(pid, job.linux.get("uidMappings") or (), job.linux.get("gidMappings") or ())
            channel.say(ours, channel.MAPPED)
        if meanwhile is not None:
            meanwhile()
        word, terminal = channel.listen(ours)
        if word == channel.OFFSETS:
            idmap.write_offsets(pid, job.linux["timeOffsets"])
            channel.say(ours, channel.TIMED)
            word, terminal = channel.listen(ours)
        if word != channel.READY:
            raise channel.ChildEnded("the container's first process ended while it was being set up")
        if job.userns and job.limits:
            identity.raise_limits(pid, job.limits)
        launched = Launched(
            pid=pid, pidfd=pidfd, start_time=start, terminal=terminal, warnings=tuple(warnings)
        )
        return Pending(launched, ours, job.process["args"][0])
    except BaseException:
        os.close(ours)
        if terminal is not None:
            os.close(terminal)
        if pidfd >= 0:
            _end(pidfd)
        raise


def _end(pidfd: int) -> None:
    process.pidfd_send_signal(pidfd, SIGKILL)
    try:
        process.wait_pidfd(pidfd)
    except OSError:
        pass  # reaped by the caller's SIGCHLD handler
    os.close(pidfd)
