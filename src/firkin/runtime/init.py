"""The container's first process, from the fork to its program. Order is everything here:

    cgroup, cgroup namespace -> joined namespaces -> (user namespace: wait for the maps, be its root)
    -> keyring -> time offsets -> loopback -> root stands -> the plan's steps -> pivot
    -> "ready", wait for "go" -> the program (become.py)

Nothing is imported, logged or looked up in codecs after the fork. The process is not dumpable from before the fork to
the stub's execve: /proc/PID/exe (the host's interpreter, CVE-2019-5736), /proc/PID/fd and ptrace are out of reach.
"""

from __future__ import annotations

import errno
import os

from firkin.errors import SyscallError
from firkin.linux import keyring, loopback, ns, path, process
from firkin.runtime import channel, identity, masks, rooting
from firkin.runtime.become import become, cwd_error, join_keyring, open_terminal
from firkin.runtime.devices import Directories, make_device, make_link, mount_console
from firkin.runtime.filesystems import perform_mount
from firkin.runtime.steps import (
    Console,
    Device,
    Freeze,
    Hostname,
    Link,
    Mask,
    Mount,
    Settle,
    Sysctl,
    WorkingDirectory,
)  # fmt: skip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from firkin.record import Record
    from firkin.runtime.job import Job
    from firkin.runtime.steps import Plan

_JOIN_ORDER = ("cgroup", "ipc", "uts", "network", "time", "mount")


def run(job: Job) -> NoReturn:
    """Become the container's program, or tell the monitor why not and end."""
    try:
        _enter(job)
        master, slave = _build(job)
        channel.say(job.channel, channel.READY, master if master >= 0 else None)
        channel.await_word(job.channel, channel.GO)
        if job.wait_to_exec is not None:
            job.wait_to_exec()
        become(job, slave)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the monitor must hear of it
        channel.report(job.channel, error)
    os._exit(1)


def _enter(job: Job) -> None:
    """Cgroup and namespaces."""
    if job.parent_death_signal:
        process.set_parent_death_signal(job.parent_death_signal)
    if job.cgroup is not None and not job.born_in_cgroup:
        job.cgroup.enter(0)
    for kind in _JOIN_ORDER:
        if kind in job.joins:
            ns.setns(job.joins[kind], ns.TYPES[kind][0])
    if "cgroup" in job.plan.new:
        ns.unshare(ns.CLONE_NEWCGROUP)
    os.setsid()
    if "user" in job.plan.new:
        channel.await_word(job.channel, channel.MAPPED)
    if job.userns:
        identity.become_namespace_root()
    if job.keyring:
        join_keyring(job.container_id, keyring.OTHER_SEARCH if job.userns else keyring.OWNER_SEARCH)
    _make_late_namespaces(job)


def late_namespaces(plan: Plan) -> int:
    """Return the flags of what is made once the user namespace has its maps: its root then owns what is in there.

    That is mqueue's file system, and lo and the queues in /sys/class/net.
    """
    kinds = ("ipc", "network") if "user" in plan.new else ()
    return sum(ns.TYPES[kind][0] for kind in kinds if kind in plan.new)


def _make_late_namespaces(job: Job) -> None:
    late = late_namespaces(job.plan)
    if late:
        ns.unshare(late)
    if "time" in job.plan.new:
        # Offsets are written before the first process enters; this one enters at its execve (time_namespaces(7)).
        ns.unshare(ns.CLONE_NEWTIME)
        if job.linux.get("timeOffsets"):
            channel.say(job.channel, channel.OFFSETS)
            channel.await_word(job.channel, channel.TIMED)
    if "network" in job.plan.new:
        loopback.bring_up()


class Work:
    """What the steps share."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.directories = Directories(job.root)
        self.covers = masks.Masks(job)
        self.terminal = (-1, -1)

    def console(self) -> None:
        self.terminal = open_terminal(self.job)
        mount_console(self.job, self.terminal[1])


_PERFORM: dict[type[Record], Callable[[Work, Any], None]] = {
    Mount: lambda work, step: perform_mount(work.job, step),
    Device: lambda work, step: make_device(work.job, work.directories, step),
    Link: lambda work, step: make_link(work.job, work.directories, step),
    Console: lambda work, step: work.console(),
    Sysctl: lambda work, step: _write_sysctl(work.job, step),
    Freeze: lambda work, step: masks.freeze(work.job, step.path),
    Settle: lambda work, step: masks.settle(work.job, step.path),
    Mask: lambda work, step: work.covers.mask(step.path),
    Hostname: lambda work, step: set_names(step),
    WorkingDirectory: lambda work, step: _make_cwd(work.job, step.path),
}


def _build(job: Job) -> tuple[int, int]:
    """Root and everything in it; return the terminal's (master, slave), -1 for none."""
    os.umask(0)
    own_mounts = "mount" in job.plan.new
    if own_mounts:
        job.null = masks.open_host_null()
        rooting.stand(job)
    elif not job.plan.joined("mount"):
        rooting.chroot(job)
    work = Work(job)
    for step in job.plan.steps:
        try:
            _PERFORM[type(step)](work, step)
        except OSError as error:
            if not hasattr(error, "__notes__"):
                error.add_note(f"while doing: {step}")
            raise
    work.directories.close()
    if own_mounts:
        rooting.pivot(job)
    if job.process.get("terminal") and work.terminal[1] < 0 and job.stdio.terminal is not None:
        return -1, job.stdio.terminal
    return work.terminal


def set_names(step: Hostname) -> None:
    if step.domain:
        ns.set_domain_name(step.name)
    else:
        ns.set_host_name(step.name)


def _write_sysctl(job: Job, step: Sysctl) -> None:
    key = step.key
    dot, slash = key.find("."), key.find("/")
    name = key.replace(".", "/") if slash < 0 or 0 <= dot < slash else key
    try:
        fd = path.openat2(
            job.proc, f"sys/{name}", os.O_WRONLY, 0, path.RESOLVE_BENEATH | path.RESOLVE_NO_SYMLINKS
        )
        try:
            os.write(fd, os.fsencode(step.value))
        finally:
            os.close(fd)
    except OSError as error:
        error.add_note(f"while setting the sysctl {key} to {step.value}")
        raise


def _make_cwd(job: Job, cwd: str) -> None:
    # Never through a magic link, or the host's directories come in (CVE-2024-21626).
    try:
        os.close(path.mkdir_in_root(job.root, cwd))
    except SyscallError as error:
        if error.errno in (errno.EROFS, errno.EACCES):
            return  # then chdir says what is wrong
        raise cwd_error(cwd, error.errno or 0) from None
