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
    tree = _unified(job, step, own_namespace) if unified else _legacy(job, step, own_namespace)
    apply_attributes(tree, step.replace(options=step.options.replace(add=0, remove=0)))
    m.attach(tree, place, step.destination)
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


def _legacy(job: Job, step: Mount, own_namespace: bool) -> int:
    """Make the tmpfs and the hierarchies in it. One where the container has no cgroup of its own (name=systemd) stays
    away: it would show all of the host's."""
    attributes = step.options.add
    top = m.new_filesystem("tmpfs", "tmpfs", [("mode", "755")], attributes & ~m.MOUNT_ATTR_RDONLY)
    top_fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=top)
    own = {words.split(",")[0]: (words, path) for words, path in _own_cgroups(job).items()}
    ours = None if job.cgroup is None else job.cgroup.directories()
    links: list[tuple[str, str]] = []
    mounts: list[tuple[str, int]] = []
    for first, directory in _host_directories(job).items():
        if first not in own:
            continue  # the second name of a joined pair, or a hierarchy that came later
        controllers, path = own[first]
        if ours is not None and first not in ours:
            continue
        name = directory.rpartition("/")[2]
        os.mkdir(name, 0o755, dir_fd=top_fd)
        if own_namespace:
            mounts.append((name, _hierarchy(controllers, attributes)))
        else:
            tree = m.clone_tree(AT_FDCWD, f"{directory}{path}")
            m.set_attributes(tree, add=attributes)
            mounts.append((name, tree))
        links += [(word, name) for word in controllers.split(",") if "," in controllers and word != name]
    for link, target in links:
        os.symlink(target, link, dir_fd=top_fd)
    _attach_all(top_fd, mounts)
    if attributes & m.MOUNT_ATTR_RDONLY:
        m.set_attributes(top, add=m.MOUNT_ATTR_RDONLY)
    os.close(top_fd)
    return top


def _hierarchy(controllers: str, attributes: int) -> int:
    if controllers.startswith("name="):
        name = controllers[5:]
        return m.new_filesystem("cgroup", name, [("none", None), ("name", name)], attributes)
    return m.new_filesystem("cgroup", "cgroup", [(word, None) for word in controllers.split(",")], attributes)


def _attach_all(top: int, mounts: list[tuple[str, int]]) -> None:
    for name, tree in mounts:
        place = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=top)
        m.attach(tree, place, name)
        os.close(place)
        os.close(tree)
