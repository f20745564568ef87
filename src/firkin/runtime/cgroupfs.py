"""The mount of type cgroup: v2's one tree, or v1's tmpfs with a directory for each hierarchy (as runc makes it)."""

from __future__ import annotations

import errno
import os

from firkin.errors import SyscallError
from firkin.linux import mount as m
from firkin.linux.path import AT_FDCWD, CGROUP2_SUPER_MAGIC, filesystem_magic
from firkin.runtime.sources import apply_attributes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.runtime.job import Job
    from firkin.runtime.steps import Mount

_HOST = "/sys/fs/cgroup"


def mount_cgroups(job: Job, step: Mount, place: int) -> None:
    """Mount the container's view of its cgroups on ``place``."""
    host = os.open(_HOST, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    unified = filesystem_magic(host) == CGROUP2_SUPER_MAGIC
    os.close(host)
    own_namespace = "cgroup" in job.plan.new or "cgroup" in job.joins
    options = step.options
    if unified:
        tree = _unified(job, step, own_namespace)
        m.attach(tree, place, step.destination)
    else:
        tree = m.new_filesystem("tmpfs", "tmpfs", [("mode", "755")], options.add & ~m.MOUNT_ATTR_RDONLY)
        m.attach(tree, place, step.destination)
        _legacy(job, tree, options.flags(), own_namespace)
        if options.add & m.MOUNT_ATTR_RDONLY:
            m.set_attributes(tree, add=m.MOUNT_ATTR_RDONLY)
    apply_attributes(tree, step.replace(options=options.replace(add=0, remove=0)))
    os.close(tree)


def _unified(job: Job, step: Mount, own_namespace: bool) -> int:
    try:
        return m.new_filesystem("cgroup2", "cgroup", [], step.options.add)
    except SyscallError as error:
        if error.errno not in (errno.EPERM, errno.EBUSY) or not job.userns:
            raise
    # A user namespace without a cgroup namespace of its own may not mount it, but may see it.
    path = "/" if own_namespace else _own_cgroups(job).get("", "/")
    tree = m.clone_tree(AT_FDCWD, f"{_HOST}{path}", recursive=True)
    m.set_attributes(tree, add=step.options.add, recursive=True)
    return tree


def _own_cgroups(job: Job) -> dict[str, str]:
    """Return controllers (as /proc/self/cgroup joins them) -> path."""
    fd = os.open("self/cgroup", os.O_RDONLY | os.O_CLOEXEC, dir_fd=job.proc)
    text = os.read(fd, 65536).decode()
    os.close(fd)
    return {line.split(":", 2)[1]: line.split(":", 2)[2] for line in text.splitlines()}


def _host_directories(job: Job) -> dict[str, str]:
    """Return controller -> the host's directory of that v1 hierarchy, in the order they were mounted."""
    fd = os.open("self/mountinfo", os.O_RDONLY | os.O_CLOEXEC, dir_fd=job.proc)
    chunks = []
    while chunk := os.read(fd, 65536):
        chunks.append(chunk)
    os.close(fd)
    found: dict[str, str] = {}
    for line in b"".join(chunks).decode(errors="surrogateescape").splitlines():
        front, _, back = line.partition(" - ")
        if back.startswith("cgroup "):
            for word in back.split()[2].split(","):
                found.setdefault(word, front.split()[4])
    return found


def _legacy(job: Job, top: int, flags: int, own_namespace: bool) -> None:
    """Fill the tmpfs ``top``, which nobody else reaches: names in it are safe, and mount(2) is one call, not nine."""
    here = f"/proc/self/fd/{top}"
    ours = None if job.cgroup is None else job.cgroup.directories()
    own = {words.split(",")[0]: (words, path) for words, path in _own_cgroups(job).items()}
    links: list[tuple[str, str]] = []
    for first, directory in _host_directories(job).items():
        if first not in own:
            continue  # the second name of a joined pair, or a hierarchy that came later
        controllers, path = own[first]
        if ours is not None and first not in ours:
            continue  # name=systemd: the container has no cgroup there, and would see all of the host's
        name = directory.rpartition("/")[2]
        os.mkdir(f"{here}/{name}", 0o755)
        if own_namespace:
            named = controllers.startswith("name=")
            data = f"none,{controllers}" if named else controllers
            m.mount(controllers[5:] if named else "cgroup", f"{here}/{name}", "cgroup", flags, data)
        else:
            # mountinfo may name the container's own copy of the host's /sys first, which is covered by now
            source = f"{directory}{path}" if ours is None else ours[first]
            m.mount(source, f"{here}/{name}", None, m.MS_BIND)
            m.mount(None, f"{here}/{name}", None, m.MS_BIND | m.MS_REMOUNT | flags)
        links += [(word, name) for word in controllers.split(",") if "," in controllers and word != name]
    for link, target in links:
        os.symlink(target, f"{here}/{link}")
