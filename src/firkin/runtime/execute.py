"""Start another process in a running container.

    caller                                     child
      borrow init's pid namespace
      clone3 -------------------------------->   setns(init's pidfd): all of the container's namespaces at once
      rlimits, oom_score_adj                     "ready"
      "go" ---------------------------------->   as launch: user, capabilities, seccomp, the stub

The process is not dumpable from before it is born into the container's pid namespace until the stub's execve, and has
none of the caller's descriptors then: a container that looks for the interpreter (CVE-2019-5736, CVE-2016-9962) or for
a way to the host's directories (CVE-2024-21626) finds neither.
"""

from __future__ import annotations

import errno
import os

from firkin.errors import Conflict, SyscallError
from firkin.linux import fdpass, ns, process
from firkin.oci.spec import validate_process
from firkin.runtime import channel
from firkin.runtime.become import become, join_container
from firkin.runtime.job import Job, Launched, Stdio
from firkin.runtime.pending import finish, gather, open_proc
from firkin.runtime.steps import Plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from firkin.runtime.cgroup.api import Cgroup

# all that setns(2) takes with a pidfd; those that are the caller's own already are left out
_KINDS = ("user", "mount", "pid", "network", "ipc", "uts", "cgroup", "time")


def execute(
    process_spec: dict[str, Any],
    *,
    init_pid: int,
    spec: dict[str, Any],
    stdio: Stdio,
    cgroup: Cgroup | None,
    init_pidfd: int | None = None,
    container_id: str = "",
    privileged: bool = False,
    parent_death_signal: int = 0,
    preserve_fds: int = 0,
    cache: str | None = None,
) -> Launched:
    """Run ``process_spec`` (OCI's process object) in the container whose process 1 is ``init_pid``.

    ``spec`` is the container's config.json: its seccomp filter holds here too, unless ``privileged``. The caller has
    one thread, is the process's parent, and reaps ``pidfd``. ``init_pidfd`` saves opening one, and is the only way to
    be sure that ``init_pid`` was not given to another process since.

    Raises CannotRun (126, 127) as ``launch`` does, Conflict when the container is gone, InvalidArgument, SyscallError.
    """
    validate_process(process_spec, shape=True)
    container = {**spec, "process": process_spec}
    if privileged:
        container["linux"] = {**(spec.get("linux") or {}), "seccomp": None}
    pidfd = _open(init_pid) if init_pidfd is None else init_pidfd
    held: list[int] = [] if init_pidfd is not None else [pidfd]
    try:
        kinds = _foreign_namespaces(init_pid)
        job = Job(container, Plan(new=(), joins=(), steps=()), container_id, stdio)
        job.cgroup, job.parent_death_signal, job.preserve_fds = cgroup, parent_death_signal, preserve_fds
        job.cache, job.keyring, job.userns = cache, bool(container_id), "user" in kinds
        warnings = gather(job, new_userns=job.userns)
        job.proc = open_proc()
        held.append(job.proc)
        ours, job.channel = fdpass.pair()
        held.append(job.channel)
        try:
            pid, child_fd = _clone(job, pidfd, init_pid, kinds)
        except BaseException:
            os.close(ours)
            raise
    finally:
        for fd in held:
            os.close(fd)
    pending = finish(job, pid, child_fd, ours, warnings)
    try:
        return pending.start()
    except BaseException:
        pending.abort()
        raise


def _foreign_namespaces(init_pid: int) -> tuple[str, ...]:
    """Return the kinds in which the container differs from the caller (setns of the own user namespace is EINVAL)."""
    try:
        return tuple(kind for kind in _KINDS if ns.namespace_id(kind, init_pid) != ns.namespace_id(kind))
    except FileNotFoundError:
        raise _gone(init_pid) from None


def _open(init_pid: int) -> int:
    try:
        return process.pidfd_open(init_pid)
    except SyscallError as error:
        if error.errno != errno.ESRCH:
            raise
        raise _gone(init_pid) from None


def _gone(init_pid: int) -> Conflict:
    return Conflict(f"the container's process {init_pid} has ended", pid=init_pid)


def _clone(job: Job, pidfd: int, init_pid: int, kinds: tuple[str, ...]) -> tuple[int, int]:
    dumpable = process.get_dumpable()
    into = job.cgroup.open_fd() if job.cgroup is not None else None
    job.born_in_cgroup = into is not None
    own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    process.prctl(process.PR_SET_DUMPABLE, 0)
    try:
        if "pid" in kinds:
            ns.setns(pidfd, ns.CLONE_NEWPID)
        try:
            pid, child = process.clone3(0, -1 if into is None else into)
        except SyscallError as error:
            if into is None or error.errno not in (errno.EBUSY, errno.EOPNOTSUPP):
                raise
            # The container has made cgroups of its own below: the child goes where process 1 is (Cgroup.enter).
            job.born_in_cgroup = False
            pid, child = process.clone3(0)
        if pid == 0:
            _run(job, pidfd, init_pid, kinds)
    except SyscallError as error:
        if error.errno in (errno.ESRCH, errno.ENOMEM) and error.syscall in ("setns", "clone3"):
            raise _gone(init_pid) from None  # a pid namespace without its process 1 takes no more
        raise
    finally:
        if "pid" in kinds:
            ns.setns(own, ns.CLONE_NEWPID)
        process.prctl(process.PR_SET_DUMPABLE, dumpable)
        os.close(own)
        if into is not None:
            os.close(into)
    return pid, child


def _run(job: Job, pidfd: int, init_pid: int, kinds: tuple[str, ...]) -> None:
    """The child: join everything, then become the program. Does not return."""
    try:
        if job.parent_death_signal:
            process.set_parent_death_signal(job.parent_death_signal)
        if job.cgroup is not None and not job.born_in_cgroup:
            job.cgroup.enter(0, beside=init_pid)
        flags = sum(ns.TYPES[kind][0] for kind in kinds if kind != "pid")
        if flags:
            ns.setns(pidfd, flags)
        os.setsid()
        slave = join_container(job)
        channel.await_word(job.channel, channel.GO)
        become(job, slave)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the caller must hear of it
        channel.report(job.channel, error)
    os._exit(1)
