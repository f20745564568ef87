"""Device nodes, the links in /dev, and /dev/console."""

from __future__ import annotations

import errno
import os
import stat

from firkin.errors import InvalidArgument, PermissionDenied, SyscallError
from firkin.linux import mount as m
from firkin.linux.path import (
    RESOLVE_BENEATH,
    RESOLVE_NO_SYMLINKS,
    create_in_root,
    mkdir_in_root,
    open_in_root,
    openat2,
)  # fmt: skip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.runtime.job import Job
    from firkin.runtime.steps import Device, Link

_KINDS = {"c": stat.S_IFCHR, "b": stat.S_IFBLK, "p": stat.S_IFIFO}


class Directories:
    """Descriptors of the few directories (mostly /dev) that devices and links go into."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._open: dict[str, int] = {}

    def of(self, path: str) -> tuple[int, str]:
        """Return the directory of ``path``, made when it is missing, and the last name."""
        parent, _, name = path.rstrip("/").rpartition("/")
        if name in ("", ".", ".."):
            raise InvalidArgument(f"{path} is not a path of a device or link")
        if parent not in self._open:
            self._open[parent] = mkdir_in_root(self._root, parent)
        return self._open[parent], name

    def close(self) -> None:
        for fd in self._open.values():
            os.close(fd)
        self._open.clear()


def make_device(job: Job, directories: Directories, step: Device) -> None:
    """Make the node, or bind the host's where a user namespace may not make any."""
    directory, name = directories.of(step.path)
    try:
        if job.userns and step.kind != "p":
            _bind(step, directory, name)
        else:
            _make_node(step, directory, name)
    except (OSError, InvalidArgument) as error:
        error.add_note(
            f"while making the device {step.path}"
            + (f", linux.devices[{step.number}]" if step.number >= 0 else "")
        )
        raise


def _make_node(step: Device, directory: int, name: str) -> None:
    kind, number = _KINDS[step.kind], os.makedev(step.major, step.minor) if step.kind != "p" else 0
    try:
        os.mknod(name, kind | step.mode, number, dir_fd=directory)  # the umask is 0 here
    except FileExistsError:
        info = os.stat(name, dir_fd=directory, follow_symlinks=False)
        if stat.S_IFMT(info.st_mode) != kind or (step.kind != "p" and info.st_rdev != number):
            raise InvalidArgument(
                f"{step.path} exists and is not the device {step.major}:{step.minor}"
            ) from None
        os.chmod(name, step.mode, dir_fd=directory)
        os.chown(name, step.uid, step.gid, dir_fd=directory, follow_symlinks=False)
        return
    except PermissionError:
        _bind(step, directory, name)
        return
    if step.uid or step.gid:
        os.chown(name, step.uid, step.gid, dir_fd=directory, follow_symlinks=False)


def _bind(step: Device, directory: int, name: str) -> None:
    """Bind the host's node of the device: that of the same path, else the one that the kernel names."""
    source = _host_node(step, step.path)
    if source < 0:
        source = _host_node(step, _kernels_name(step))
    if source < 0:
        raise InvalidArgument(f"the host has no node of the device {step.major}:{step.minor} ({step.path})")
    try:
        os.close(
            os.open(name, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666, dir_fd=directory)
        )
    except FileExistsError:
        pass
    place = openat2(directory, name, os.O_PATH | os.O_NOFOLLOW, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)
    tree = m.clone_tree(source)
    m.attach(tree, place, step.path)
    for fd in (tree, place, source):
        os.close(fd)


def _host_node(step: Device, path: str) -> int:
    """Return a descriptor (O_PATH) of ``path`` if that is the step's device, else -1."""
    try:
        source = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return -1
    info = os.fstat(source)
    if stat.S_IFMT(info.st_mode) == _KINDS[step.kind] and info.st_rdev == os.makedev(step.major, step.minor):
        return source
    os.close(source)
    return -1


def _kernels_name(step: Device) -> str:
    """Return the host's path of a device by its number, from sysfs; "" when there is none such."""
    kind = "block" if step.kind == "b" else "char"
    try:
        with open(f"/sys/dev/{kind}/{step.major}:{step.minor}/uevent", "rb", buffering=0) as file:
            lines = file.read(4096).split(b"\n")
    except OSError:
        return ""
    return next((f"/dev/{os.fsdecode(line[8:])}" for line in lines if line.startswith(b"DEVNAME=")), "")


def make_link(job: Job, directories: Directories, step: Link) -> None:
    """Make the symlink, unless something stands there; /dev/ptmx replaces a node of the image's (as runc does)."""
    if step.when:
        try:
            os.close(open_in_root(job.root, step.when))
        except SyscallError:
            return
    directory, name = directories.of(step.path)
    try:
        os.symlink(step.target, name, dir_fd=directory)
    except FileExistsError:
        if name == "ptmx" and not stat.S_ISLNK(
            os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode
        ):
            os.unlink(name, dir_fd=directory)
            os.symlink(step.target, name, dir_fd=directory)
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.EACCES):
            raise


def mount_console(job: Job, slave: int) -> None:
    """Put the terminal on /dev/console. CVE-2025-52565: by descriptors, onto a plain file and nothing else."""
    if not os.isatty(slave):
        raise PermissionDenied("the console is not a terminal")
    place = create_in_root(job.root, "/dev/console", 0o620)
    info = os.fstat(place)
    if not (stat.S_ISREG(info.st_mode) or stat.S_ISCHR(info.st_mode)):
        raise InvalidArgument("/dev/console exists and is neither a file nor a device")
    tree = m.clone_tree(slave)
    m.attach(tree, place, "/dev/console")
    os.close(tree)
    os.close(place)
