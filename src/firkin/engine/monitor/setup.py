"""From a plan to a running program, in the monitor: each step can be undone by somebody else if we die after it.

own mount namespace      dies with us                       root mounted there        dies with us
volumes filled           kept: they are the user's          network namespace         dies with us
bridge, ports            lease row (written before us)      config.json               RUN/containers/ID
cgroup                   its name is the id                 launch                    PDEATHSIG; cgroup
state.json               RUN/containers/ID
"""

from __future__ import annotations

import errno
import os
import time

from firkin import atomic, log
from firkin.engine.monitor import files, preload
from firkin.engine.monitor.facts import facts
from firkin.engine.monitor.stdio import Streams, adopt_terminal, close_theirs, open_stdio
from firkin.engine.steps import step
from firkin.errors import CannotRun, FirkinError, Internal, SyscallError
from firkin.linux import mount, ns, process
from firkin.linux.path import open_in_root
from firkin.oci.image import ImageConfig
from firkin.oci.rootfs import OverlayRoot
from firkin.runtime.cgroup.api import Cgroup
from firkin.runtime.cgroup.layout import layout
from firkin.runtime.idmap import host_id
from firkin.runtime.launch import Launched, launch, mount_root
from firkin.specgen.facts import Facts
from firkin.specgen.generate import INIT_ANNOTATION, generate
from firkin.specgen.options import CreateOptions
from firkin.wire import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from firkin.engine.context import Context
    from firkin.engine.plan import StartPlan
    from firkin.runtime.idmap import Mappings


class Running(Streams):
    """What a start leaves in the monitor's hands."""

    def __init__(self) -> None:
        super().__init__()
        self.launched: Launched | None = None
        self.cgroup: Cgroup | None = None
        self.started_ns = 0


def set_up(ctx: Context, plan: StartPlan, running: Running) -> None:
    """Start the program. Raises what prevented it; ``running`` says what there is to clean up."""
    options = CreateOptions.from_dict(plan.options)
    bundle = ctx.config.paths.bundle(plan.container_id)
    home = ctx.config.paths.container(plan.container_id)
    rootfs = own_mounts(bundle)
    uids, gids = id_maps(plan, options)
    _mount_root(plan, rootfs, uids, gids)
    step("root-mounted")
    log.mark("mount root")
    _fill_volumes(ctx, plan, rootfs, (uids, gids))
    namespaces = dict(plan.namespaces)
    if plan.endpoint is not None and not uids:
        netns = ctx.network.new_netns()
        _connect(ctx, plan, running, netns)
        namespaces["network"] = f"/proc/self/fd/{netns}"
    cgroup_path = f"{ctx.config.cgroup_parent}/{plan.container_id}"
    volumes = _with_subpaths(plan, running)
    shm_path = _borrow_shm(plan.shm_path, bundle) if plan.shm_path else ""
    found = facts(
        plan.replace(volumes=volumes, shm_path=shm_path), options, rootfs=rootfs, cgroup_path=cgroup_path,
        namespaces=namespaces, cgroup_version=1 if layout().v1 else 2, files=files.paths(home, plan),
    )  # fmt: skip
    files.write(home, plan, options, found)
    _give(list(files.paths(home, plan).values()) if not plan.borrowed else [], uids, gids)
    if plan.kind == "host":
        found = _host_view(ctx, options, home, found, reached=not uids)
    spec = generate(options, ImageConfig.trusted(plan.image_config), found)
    atomic.write(f"{bundle}/config.json", json.dumps(spec))
    step("config-written")
    log.mark("config.json")
    cgroup = Cgroup.create(cgroup_path, spec["linux"].get("resources") or {})
    running.cgroup = cgroup
    step("cgroup-made")
    log.mark("cgroup")
    stdio = open_stdio(running, terminal=options.tty, stdin=options.interactive)
    try:
        running.launched = launch(
            spec, container_id=plan.container_id, bundle=bundle, stdio=stdio, cgroup=cgroup,
            init=INIT_ANNOTATION in spec.get("annotations", {}), parent_death_signal=9,
            cache=ctx.config.paths.cache, meanwhile=lambda: _look_ahead(ctx, plan),
            on_created=_connector(ctx, plan, running) if plan.endpoint is not None and uids else None,
        )  # fmt: skip
    except CannotRun as error:
        from firkin.engine.explain.start import explained

        raise explained(error, rootfs, spec["process"], spec["mounts"]) from None
    finally:
        close_theirs(stdio)
    running.started_ns = time.time_ns()
    adopt_terminal(running, running.launched.terminal)
    step("launched")
    log.mark("launch")
    _write_state(bundle, plan, running, cgroup_path)
    step("state-written")


def _look_ahead(ctx: Context, plan: StartPlan) -> None:
    """Get ready for the end while the program's process makes its mounts: a short program should not wait for it."""
    try:
        preload.end(rm=plan.rm, heir=bool(plan.heir))
        if not plan.heir:
            _ = ctx.db
    except (FirkinError, OSError):
        pass  # it is tried again when it is needed


def _connect(ctx: Context, plan: StartPlan, running: Running, netns: int) -> None:
    """Attach the network namespace, whose descriptor ``running`` keeps from now on, to the bridge."""
    from firkin.network import ports
    from firkin.network.bridge import Endpoint

    assert plan.endpoint is not None
    running.spare.append(netns)
    bindings = tuple(ports.PortBinding(**port) for port in plan.endpoint["ports"])
    dns = tuple(plan.endpoint.get("dns", ()))
    endpoint = Endpoint(**{**plan.endpoint, "ports": bindings, "dns": dns})
    running.spare += ports.reserve(endpoint.ports)
    ctx.network.attach(endpoint, netns)
    step("network-attached")
    log.mark("network")


def _connector(ctx: Context, plan: StartPlan, running: Running) -> Callable[[Launched], None]:
    """Return what connects a network namespace that the container's own user namespace had to make."""

    def connect(launched: Launched) -> None:
        netns = os.open(f"/proc/{launched.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        ctx.network.adopt_netns(netns)
        _connect(ctx, plan, running, netns)

    return connect


def own_mounts(bundle: str) -> str:
    """Move into a mount namespace of our own; return the place for the root, whose mounts nobody else sees.

    Only the mount below the bundle is cut off from the host's: the others stay in their peer groups, so that
    -v SOURCE:TARGET:rshared means what it says and what the host unmounts is not kept busy by us.
    """
    ns.unshare(ns.CLONE_NEWNS)
    rootfs = f"{bundle}/rootfs"
    try:
        os.mkdir(rootfs, 0o700)
    except FileExistsError:
        pass
    holder = bundle
    while True:
        try:
            mount.mount(None, holder, None, mount.MS_SLAVE)
            break
        except SyscallError as error:
            if error.errno != errno.EINVAL or holder == "/":  # EINVAL: not a mount point
                raise
            holder = holder.rpartition("/")[0] or "/"
    step("own-mounts")
    return rootfs


def _mount_root(plan: StartPlan, rootfs: str, uids: Mappings, gids: Mappings) -> None:
    root = _root(plan.root)
    try:
        if plan.kind == "host":  # not mapped: its files keep their owners towards a user namespace
            mount_root(root, rootfs)
        else:
            mount_root(root, rootfs, uids=uids, gids=gids)
    except SyscallError:
        for lower in root.lowers:
            if not os.path.isdir(lower):
                raise Internal(
                    f"the image's layer {lower} is missing", hint="load or import the image again"
                ) from None
        raise


def _root(value: dict[str, Any]) -> OverlayRoot:
    return OverlayRoot(
        lowers=tuple(value["lowers"]),
        upper=value["upper"],
        work=value["work"],
        options=tuple(value["options"]),
    )


def _fill_volumes(ctx: Context, plan: StartPlan, rootfs: str, maps: tuple[Mappings, Mappings]) -> None:
    """Copy the image's content into volumes that are new, as docker does when it creates the container.

    An empty one is given to the root of the container's user namespace, if it has one.
    """
    if not plan.fresh:
        return
    root = os.open(rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for target, volume in plan.fresh.items():
            _fill(ctx, root, target, volume)
            if not os.listdir(plan.volumes[target]):
                _give([plan.volumes[target]], *maps)
            step("volume-filled")
    finally:
        os.close(root)


def _fill(ctx: Context, root: int, target: str, volume: str) -> None:
    try:
        source = open_in_root(root, target, os.O_RDONLY | os.O_DIRECTORY)
    except SyscallError:
        return  # the image has nothing there
    try:
        ctx.volumes.fill(volume, source)
    finally:
        os.close(source)


def id_maps(plan: StartPlan, options: CreateOptions) -> tuple[Mappings, Mappings]:
    """Return the OCI mappings of the container's user namespace, two empty ones if it has the host's."""
    if not (plan.uid_maps or options.uidmap or options.gidmap):
        return (), ()
    from firkin.specgen.options import IdMap
    from firkin.specgen.spec_namespaces import id_mappings

    known = [tuple(IdMap.from_dict(item) for item in maps) for maps in (plan.uid_maps, plan.gid_maps)]
    uids, gids = id_mappings(
        options, Facts(container_id=plan.container_id, uid_maps=known[0], gid_maps=known[1])
    )
    whole = {"containerID": 0, "hostID": 0, "size": (1 << 32) - 1}
    return ((), ()) if [whole] == uids == gids else (uids, gids)


def _give(paths: Sequence[str], uids: Mappings, gids: Mappings) -> None:
    """Give files of root's to the root of the container's user namespace."""
    owner, group = host_id(uids, 0), host_id(gids, 0)
    for path in paths if owner is not None and group is not None else ():
        if os.stat(path).st_uid == 0:
            os.chown(path, owner or 0, group or 0)


def _borrow_shm(mount_namespace: str, bundle: str) -> str:
    """Return a place where the /dev/shm of another container is mounted for us: only from inside can it be copied."""
    here, there = (
        os.open(path, os.O_RDONLY | os.O_CLOEXEC) for path in ("/proc/self/ns/mnt", mount_namespace)
    )
    try:
        ns.setns(there, ns.CLONE_NEWNS)
        try:
            tree = mount.clone_tree(-1, "/dev/shm", follow=False)  # noqa: S108 - no file is made
        finally:
            ns.setns(here, ns.CLONE_NEWNS)
    except SyscallError as error:
        error.add_note("while borrowing /dev/shm of the container whose IPC namespace is joined")
        raise
    finally:
        os.close(here)
        os.close(there)
    os.makedirs(f"{bundle}/shm", mode=0o700, exist_ok=True)
    place = os.open(f"{bundle}/shm", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    mount.attach(tree, place)
    os.close(place)
    os.close(tree)
    return f"{bundle}/shm"


def _with_subpaths(plan: StartPlan, running: Running) -> dict[str, str]:
    """Return plan.volumes, with our descriptor in the place of each volume of which only a part is mounted."""
    volumes = dict(plan.volumes)
    for target, subpath in plan.subpaths.items():
        from firkin.engine.mounts import open_subpath

        fd = open_subpath(volumes[target], subpath)
        running.spare.append(fd)
        volumes[target] = f"/proc/self/fd/{fd}"
    return volumes


def _host_view(ctx: Context, options: CreateOptions, home: str, found: Facts, *, reached: bool) -> Facts:
    """Add the host image's mounts. Not ``reached``: a user namespace's root cannot walk to every secret (/root is
    0700); among maskedPaths such a one is left out, where a mount would fail."""
    from firkin.images.host_plan import host_plan

    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as stream:
        mountinfo = stream.read()
    seen = host_plan(ctx.config.paths, mountinfo, options.host_expose, home)
    for folder in seen.folders:
        os.makedirs(folder, mode=0o755, exist_ok=True)
    if reached:
        return found.replace(extra_mounts=seen.mounts)
    others = tuple(entry for entry in seen.mounts if entry["destination"] not in seen.masked)
    return found.replace(extra_mounts=others, extra_masked=seen.masked)


def _write_state(bundle: str, plan: StartPlan, running: Running, cgroup_path: str) -> None:
    assert running.launched is not None
    state = {
        "id": plan.container_id,
        "starts": plan.starts,
        "pid": running.launched.pid,
        "start_time": running.launched.start_time,
        "monitor_pid": os.getpid(),
        "monitor_start": process.start_time(os.getpid()),
        "cgroup": cgroup_path,
        "started_ns": running.started_ns,
    }
    atomic.write(f"{bundle}/state.json", json.dumps(state))
