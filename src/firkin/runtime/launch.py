"""Start a container's first process from an OCI config.json.

    launch(spec, ...)                     = prepare, on_created, Pending.start

    monitor                                   child (init.py)
      validate, plan, open what is the host's
      clone3 into the new namespaces ------->   cgroup, root, mounts, ... "ready"
      id maps, oom_score_adj
      on_created(launched)                      (namespaces and mounts stand, the program does not run yet)
      "go" --------------------------------->   user, capabilities, seccomp, execve
      the channel closes: it runs

A user namespace together with joined ones takes a middle process (``_clone_between``): what is joined must be joined
with the rights of the outer user namespace, what is made must belong to the inner one.
"""

from __future__ import annotations

import errno
import os

from firkin.errors import InvalidArgument, SyscallError, Unsupported
from firkin.linux import fdpass, ns, process
from firkin.oci.spec import validate
from firkin.runtime import channel, init
from firkin.runtime.job import Job, Launched, Stdio
from firkin.runtime.pending import Pending, finish, gather, open_proc
from firkin.runtime.plan import plan as make_plan
from firkin.runtime.rooting import mount_root
from firkin.runtime.sources import open_sources

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from firkin.runtime.cgroup.api import Cgroup

__all__ = ["Launched", "Pending", "Stdio", "launch", "mount_root", "prepare"]

# namespaces that the child is born into; cgroup and time ones it makes itself, at the right moment
_AT_CLONE = ("user", "mount", "ipc", "uts", "network", "pid")


def launch(
    spec: dict[str, Any],
    *,
    container_id: str,
    bundle: str,
    stdio: Stdio,
    cgroup: Cgroup | None,
    wait_to_exec: Callable[[], None] | None = None,
    on_created: Callable[[Launched], None] | None = None,
    meanwhile: Callable[[], None] | None = None,
    init: bool = False,
    parent_death_signal: int = 0,
    preserve_fds: int = 0,
    keyring: bool = True,
    cache: str | None = None,
) -> Launched:
    """Start ``spec``'s process in its container; return when its execve has succeeded.

    ``spec`` is config.json; root.path is absolute and mounted already (``mount_root``). The caller has one thread and
    is in a mount namespace of its own. ``on_created`` is called here when all namespaces and mounts stand and the
    program does not run yet (attach the network to /proc/PID/ns/net there); ``wait_to_exec`` is called in the child,
    just before it gives up its privileges. ``meanwhile`` is called here while the child makes its mounts (2-4 ms).
    ``init`` puts the reaper at pid 1. ``parent_death_signal`` goes to the process when the caller's thread ends.
    ``preserve_fds`` descriptors from 3 on are handed down. ``cache`` is a directory of the engine's own for compiled
    seccomp filters.

    Raises CannotRun (fields path, errno, why; exit_code 126 or 127), InvalidArgument, Unsupported, SyscallError with
    notes on what was being done. Then nothing is left: no process, no mount (the cgroup and the root are the caller's).
    """
    pending = prepare(
        spec, container_id=container_id, bundle=bundle, stdio=stdio, cgroup=cgroup, wait_to_exec=wait_to_exec,
        init=init, parent_death_signal=parent_death_signal, preserve_fds=preserve_fds, keyring=keyring,
        cache=cache, meanwhile=meanwhile,
    )  # fmt: skip
    try:
        if on_created is not None:
            on_created(pending.launched)
        return pending.start()
    except BaseException:
        pending.abort()
        raise


def prepare(
    spec: dict[str, Any],
    *,
    container_id: str,
    bundle: str,
    stdio: Stdio,
    cgroup: Cgroup | None,
    wait_to_exec: Callable[[], None] | None = None,
    init: bool = False,
    parent_death_signal: int = 0,
    preserve_fds: int = 0,
    keyring: bool = True,
    cache: str | None = None,
    meanwhile: Callable[[], None] | None = None,
) -> Pending:
    """Do all of ``launch`` up to the program."""
    validate(spec)
    _refuse_what_is_not_done(spec)
    job = Job(spec, make_plan(spec), container_id, stdio)
    job.cache, job.bundle = cache, bundle
    job.cgroup, job.reaper, job.preserve_fds = cgroup, init, preserve_fds
    job.parent_death_signal, job.wait_to_exec, job.keyring = parent_death_signal, wait_to_exec, keyring
    if not job.process.get("args"):
        raise InvalidArgument("process.args: there is no program to run")
    warnings = gather(job, new_userns="user" in job.plan.new)
    held: list[int] = []
    try:
        _open_host_side(job, spec, bundle, held)
        ours, job.channel = fdpass.pair()
        held.append(job.channel)
        try:
            pid, pidfd = _start_child(job)
        except BaseException:
            os.close(ours)
            raise
    finally:
        for fd in held:
            os.close(fd)
    return finish(job, pid, pidfd, ours, warnings, meanwhile)


def _refuse_what_is_not_done(spec: dict[str, Any]) -> None:
    """A property that would be passed over in silence is an error (config.md: unsupported values MUST be one)."""
    linux = spec.get("linux") or {}
    hooks = spec.get("hooks") or {}
    asked = [f"hooks.{name}" for name, entries in hooks.items() if entries]
    asked += [f"linux.{name}" for name in ("netDevices", "intelRdt") if linux.get(name)]
    if (linux.get("seccomp") or {}).get("listenerPath"):
        asked.append("linux.seccomp.listenerPath")
    if asked:
        raise Unsupported(
            f"config.json asks for {', '.join(asked)}, which firkin does not do", field=asked[0]
        )


def _open_host_side(job: Job, spec: dict[str, Any], bundle: str, held: list[int]) -> None:
    job.proc = open_proc()
    held.append(job.proc)
    for join in job.plan.joins:
        try:
            job.joins[join.kind] = ns.open_namespace(join.path, join.kind)
        except OSError as error:
            error.add_note(f"while joining the {join.kind} namespace of config.json")
            raise
        held.append(job.joins[join.kind])
    job.sources = open_sources(job.plan, spec, bundle)
    held += job.sources.values()


def _start_child(job: Job) -> tuple[int, int]:
    """Clone the child with the root as its working directory; return (pid, pidfd)."""
    root = (job.spec.get("root") or {}).get("path") or "/"
    here = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    dumpable = process.get_dumpable()
    into = job.cgroup.open_fd() if job.cgroup is not None else None
    job.born_in_cgroup = into is not None
    try:
        try:
            os.chdir(root)
        except OSError as error:
            failure = SyscallError(error.errno or 0, "chdir", root)
            failure.add_note("while entering root.path of config.json")
            raise failure from None
        process.prctl(process.PR_SET_DUMPABLE, 0)
        if job.userns and job.joins:
            return _clone_between(job, into)
        return _clone(job, into)
    finally:
        process.prctl(process.PR_SET_DUMPABLE, dumpable)
        os.fchdir(here)
        os.close(here)
        if into is not None:
            os.close(into)


def _flags(job: Job) -> int:
    flags = sum(ns.TYPES[kind][0] for kind in _AT_CLONE if kind in job.plan.new)
    return flags & ~init.late_namespaces(job.plan)


def _clone(job: Job, into: int | None, *, parent: bool = False) -> tuple[int, int]:
    outer = job.joins.pop("pid", None)
    own = -1
    if outer is not None:
        # A pid namespace is joined for children only: borrow it for the one child.
        own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        ns.setns(outer, ns.CLONE_NEWPID)
    try:
        pid, pidfd = process.clone3(_flags(job), -1 if into is None else into, parent=parent)
        if pid == 0:
            init.run(job)
    finally:
        if outer is not None:
            if not parent:  # the middle process ends, and may not go back from a user namespace it joined
                ns.setns(own, ns.CLONE_NEWPID)
            os.close(own)
    return pid, pidfd


def _clone_between(job: Job, into: int | None) -> tuple[int, int]:
    """Join in a middle process, which then makes the child as the monitor's own (CLONE_PARENT)."""
    reader, writer = os.pipe()
    middle, middle_fd = process.clone3(0)
    if middle == 0:
        try:
            _join_all(job)
            # its parent's death signal must come from the monitor, which it is born a child of
            child, _ = _clone(job, into, parent=True)
            os.write(writer, b"%d" % child)
        except BaseException as error:  # noqa: BLE001 - the monitor must hear of it
            channel.report(job.channel, error)
        os._exit(0)
    os.close(writer)
    number = os.read(reader, 32)
    os.close(reader)
    process.wait_pidfd(middle_fd)
    os.close(middle_fd)
    if not number:
        return 0, -1
    return int(number), process.pidfd_open(int(number))


def _join_all(job: Job) -> None:
    """Join namespaces, the user namespace last but for those that only its rights open (as runc does)."""
    later: list[str] = []
    outside = [kind for kind in job.joins if kind not in ("user", "pid", "mount", "cgroup")]
    for kind in outside:
        try:
            ns.setns(job.joins[kind], ns.TYPES[kind][0])
        except SyscallError as error:
            if error.errno != errno.EPERM or "user" not in job.joins:
                raise
            later.append(kind)
    user = job.joins.pop("user", None)
    if user is not None:
        ns.setns(user, ns.CLONE_NEWUSER)
    for kind in later:
        ns.setns(job.joins[kind], ns.TYPES[kind][0])
    for kind in outside:
        del job.joins[kind]
