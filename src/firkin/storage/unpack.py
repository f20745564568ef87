"""Entries -> a directory that is an overlay lower layer; nothing outside that directory is ever touched.

A name is cleaned lexically (leading slashes and "." go; ".." that would climb out is refused), its parent is opened
with openat2(RESOLVE_IN_ROOT) below the layer's descriptor, the last component is never followed. So, as in docker's
chroot: a parent that this layer made a symbolic link leads on *inside* the layer, missing directories are made there.

    the tar says                what becomes of it
    .wh.NAME                    NAME: character device 0:0 (overlayfs' whiteout); if this layer has a NAME of its own,
                                a whiteout hides only lower layers: a directory becomes opaque, others just stay
    .wh..wh..opq                trusted.overlay.opaque=y on the directory
    .wh..wh.ANYTHING            nothing (aufs' own records)
    NAME again                  the later one replaces the earlier; directory over directory keeps the content
    hard link                   to a name of this layer; to any other: InvalidArgument
    xattr trusted.overlay.*     nothing: they are overlayfs' language and ours, not a layer's (nor user.overlay.*)
    xattr security.selinux      nothing: a label of another machine
    mtime of directories        set at the end; their default ACLs too, so that nothing inherits them
"""

from __future__ import annotations

import errno
import os
from _stat import S_IFBLK, S_IFCHR, S_IFIFO, S_ISCHR, S_ISDIR, S_ISLNK

from firkin.errors import FirkinError, InvalidArgument, PermissionDenied, ResourceExhausted, SyscallError
from firkin.linux import path as at
from firkin.storage import tree
from firkin.storage.header import BLOCKDEV, CHAR, DIRECTORY, FIFO, FILE, LINK, SYMLINK, Entry, shown
from firkin.storage.late import LateDirectories

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.storage.reader import TarReader

OPAQUE = "trusted.overlay.opaque"
_DEFAULT_ACL = "system.posix_acl_default"
_NOT_OURS = ("trusted.overlay.", "user.overlay.", "security.selinux")
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DIR = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_CACHED = 24
_XATTR_SMALL = 2048  # ext4 without ea_inode says ENOSPC to what does not fit its one block
_OUR_FAULT = (errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EROFS)


class Unpacker:
    """Unpacks one layer into ``root`` (a descriptor); ``scratch`` is a directory of the same file system for waste."""

    def __init__(self, root: int, scratch: str) -> None:
        self._root = root
        self._scratch = scratch
        self._open: dict[bytes, int] = {}
        self._late = LateDirectories(scratch)
        self._waste = 0
        self.size = 0
        self.entries = 0
        self.opaque = False

    def unpack(self, reader: TarReader) -> None:
        """Take all entries of ``reader``.

        Raises InvalidArgument, ResourceExhausted, PermissionDenied, each naming the entry.
        """
        entry: Entry | None = None
        try:
            while (entry := reader.next()) is not None:
                self._one(entry, reader)
            self._late.apply(self._root)
        except OSError as error:
            raise _explained(error, entry) from error
        finally:
            self._late.close()
            self._forget()

    def _one(self, entry: Entry, reader: TarReader) -> None:
        name = clean(entry.name, entry)
        parent, _, base = name.rpartition(b"/")
        if base.startswith(b".wh."):
            if not parent.startswith(b".wh..wh."):
                self._whiteout(entry, parent, base)
            return
        if b".wh." in parent and any(part.startswith(b".wh.") for part in parent.split(b"/")):
            if not name.startswith(b".wh..wh."):
                raise _refused(entry, "lies below a whiteout")
            return
        self.entries += 1
        kind = entry.kind
        if kind == DIRECTORY:
            self._directory(entry, name, parent, base)
        elif not base:
            raise _refused(entry, "would replace the layer's own directory")
        elif kind == FILE:
            self._file(entry, parent, base, reader)
        elif kind == SYMLINK:
            self._symlink(entry, parent, base)
        elif kind == LINK:
            self._link(entry, parent, base)
        elif kind in (CHAR, BLOCKDEV, FIFO):
            self._node(entry, parent, base)
        else:
            raise _refused(entry, f"has the unknown type {bytes((kind,))!r}")

    # ---- directories ----

    def _at(self, path: bytes) -> int:
        """Return a descriptor of the directory ``path``, made when missing. Valid until the next call."""
        fd = self._open.get(path)
        if fd is not None:
            return fd
        if not path:
            return self._root
        name = os.fsdecode(path)
        for _ in range(path.count(b"/") + 2):
            try:
                fd = at.mkdir_in_root(self._root, name)
            except SyscallError as error:
                if error.errno != errno.ENOTDIR or not self._revive(path):
                    raise
                continue
            self._keep(path, fd)
            return fd
        raise SyscallError(errno.ENOTDIR, "openat2", name)

    def _keep(self, path: bytes, fd: int) -> None:
        if len(self._open) >= _CACHED:
            os.close(self._open.pop(next(iter(self._open))))
        self._open[path] = fd

    def _forget(self) -> None:
        for fd in self._open.values():
            os.close(fd)
        self._open.clear()

    def _revive(self, path: bytes) -> bool:
        """Turn the first whiteout on the way to ``path`` into an opaque directory; False when there is none."""
        parts = path.split(b"/")
        for count in range(1, len(parts) + 1):
            parent, base = b"/".join(parts[: count - 1]), parts[count - 1]
            try:
                directory = at.open_in_root(self._root, os.fsdecode(parent), os.O_PATH | os.O_DIRECTORY)
            except SyscallError:
                return False
            try:
                info = os.stat(base, dir_fd=directory, follow_symlinks=False)
                if is_whiteout(info):
                    os.unlink(base, dir_fd=directory)
                    os.mkdir(base, 0o755, dir_fd=directory)
                    at.set_xattr_at(directory, os.fsdecode(base), OPAQUE, b"y")
                    return True
            finally:
                os.close(directory)
        return False

    def _directory(self, entry: Entry, path: bytes, parent: bytes, base: bytes) -> None:
        if not base:
            fd = os.dup(self._root)
        else:
            directory = self._at(parent)
            try:
                os.mkdir(base, 0o700, dir_fd=directory)
            except FileExistsError:
                info = os.stat(base, dir_fd=directory, follow_symlinks=False)
                if not S_ISDIR(info.st_mode):
                    self._clear(directory, base, info)
                    directory = self._at(parent)
                    os.mkdir(base, 0o700, dir_fd=directory)
                    if is_whiteout(info):
                        at.set_xattr_at(directory, os.fsdecode(base), OPAQUE, b"y")
            fd = os.open(base, _DIR | os.O_NOFOLLOW, dir_fd=directory)
        default_acl = b""
        try:
            os.fchown(fd, entry.uid, entry.gid)
            os.fchmod(fd, entry.mode & 0o7777)
            if entry.xattrs:
                default_acl = entry.xattrs.pop(_DEFAULT_ACL, b"")
                _set_xattrs(fd, entry.xattrs)
        except BaseException:
            os.close(fd)
            raise
        if base and path not in self._open:
            self._keep(path, fd)
        else:
            os.close(fd)
        self._late.add(path, entry.mtime_ns, default_acl)

    # ---- everything else ----

    def _file(self, entry: Entry, parent: bytes, base: bytes, reader: TarReader) -> None:
        directory = self._at(parent)
        try:
            fd = os.open(base, _NEW_FILE, 0o600, dir_fd=directory)
        except FileExistsError:
            self._clear(directory, base)
            fd = os.open(base, _NEW_FILE, 0o600, dir_fd=self._at(parent))
        try:
            if entry.sparse is not None:
                for offset, length in entry.sparse:
                    os.lseek(fd, offset, os.SEEK_SET)
                    reader.copy_to(fd, length)
                os.ftruncate(fd, entry.size)
            elif entry.stored:
                reader.copy_to(fd)
            self.size += entry.size
            os.fchown(fd, entry.uid, entry.gid)
            os.fchmod(fd, entry.mode & 0o7777)
            if entry.xattrs:
                _set_xattrs(fd, entry.xattrs)
            os.utime(fd, ns=(entry.mtime_ns, entry.mtime_ns))
        finally:
            os.close(fd)

    def _symlink(self, entry: Entry, parent: bytes, base: bytes) -> None:
        self.size += len(entry.linkname)  # docker counts it
        if not entry.linkname:
            raise _refused(entry, "is a symbolic link to nothing")
        directory = self._at(parent)
        try:
            os.symlink(entry.linkname, base, dir_fd=directory)
        except FileExistsError:
            self._clear(directory, base)
            directory = self._at(parent)
            os.symlink(entry.linkname, base, dir_fd=directory)
        self._finish(entry, directory, base)

    def _node(self, entry: Entry, parent: bytes, base: bytes) -> None:
        directory = self._at(parent)
        mode = entry.mode & 0o7777 | {CHAR: S_IFCHR, BLOCKDEV: S_IFBLK, FIFO: S_IFIFO}[entry.kind]
        if not (0 <= entry.major < 1 << 12 and 0 <= entry.minor < 1 << 20):  # the kernel's MINORBITS
            raise _refused(entry, f"is the device {entry.major}:{entry.minor}, which Linux cannot have")
        device = os.makedev(entry.major, entry.minor)
        try:
            os.mknod(base, mode, device, dir_fd=directory)
        except FileExistsError:
            self._clear(directory, base)
            directory = self._at(parent)
            os.mknod(base, mode, device, dir_fd=directory)
        self._finish(entry, directory, base)

    def _finish(self, entry: Entry, directory: int, base: bytes) -> None:
        """Set what a symbolic link or a node, made just now, has; without opening it."""
        os.chown(base, entry.uid, entry.gid, dir_fd=directory, follow_symlinks=False)
        if entry.kind != SYMLINK:
            os.chmod(base, entry.mode & 0o7777, dir_fd=directory)
        if entry.xattrs:
            _set_xattrs(f"/proc/self/fd/{directory}/{os.fsdecode(base)}", entry.xattrs)
        os.utime(base, ns=(entry.mtime_ns, entry.mtime_ns), dir_fd=directory, follow_symlinks=False)

    def _link(self, entry: Entry, parent: bytes, base: bytes) -> None:
        target = clean(entry.linkname, entry)
        folder, _, name = target.rpartition(b"/")
        missing = _refused(entry, f"is a hard link to {shown(target)}, which this layer does not have")
        try:
            source = at.open_in_root(self._root, os.fsdecode(folder), os.O_PATH | os.O_DIRECTORY)
        except SyscallError as error:
            raise missing from error
        try:
            info = os.stat(name or b".", dir_fd=source, follow_symlinks=False)
            if S_ISDIR(info.st_mode) or is_whiteout(info):
                raise _refused(entry, f"is a hard link to {shown(target)}, a directory or a whiteout")
            directory = self._at(parent)
            try:
                os.link(name, base, src_dir_fd=source, dst_dir_fd=directory, follow_symlinks=False)
            except FileExistsError:
                present = os.stat(base, dir_fd=directory, follow_symlinks=False)
                if (present.st_dev, present.st_ino) == (info.st_dev, info.st_ino):
                    return
                self._clear(directory, base, present)
                os.link(name, base, src_dir_fd=source, dst_dir_fd=self._at(parent), follow_symlinks=False)
        except FileNotFoundError as error:
            raise missing from error
        finally:
            os.close(source)

    # ---- what goes away ----

    def _whiteout(self, entry: Entry, parent: bytes, base: bytes) -> None:
        hidden = base[4:]
        if base == b".wh..wh..opq":
            if not parent:
                self.opaque = True
            fd = self._at(parent)
            os.setxattr(at.proc_fd(fd), OPAQUE, b"y")
            return
        if hidden.startswith(b".wh."):
            return
        if hidden in (b"", b".", b".."):
            raise _refused(entry, "is a whiteout of no name")
        directory = self._at(parent)
        try:
            os.mknod(hidden, S_IFCHR, 0, dir_fd=directory)
        except FileExistsError:
            info = os.stat(hidden, dir_fd=directory, follow_symlinks=False)
            if S_ISDIR(info.st_mode):
                at.set_xattr_at(directory, os.fsdecode(hidden), OPAQUE, b"y")

    def _clear(self, directory: int, base: bytes, info: os.stat_result | None = None) -> None:
        """Make room for a new ``base``. No descriptor that ``_at`` gave is valid afterwards."""
        info = info or os.stat(base, dir_fd=directory, follow_symlinks=False)
        if S_ISDIR(info.st_mode):
            self._waste += 1
            waste = f"{self._scratch}/waste-{self._waste}"
            os.rename(base, waste, src_dir_fd=directory)
            tree.remove(waste)
        else:
            os.unlink(base, dir_fd=directory)
        if S_ISDIR(info.st_mode) or S_ISLNK(info.st_mode):
            self._forget()  # some of them may have been found through ``base``


def clean(name: bytes, entry: Entry) -> bytes:
    """Return ``name`` relative to the layer, without "." and ".."; b"" is the layer itself. Refuses to climb out."""
    if name.startswith(b"./"):
        name = name[2:]
    name = name.rstrip(b"/")
    if name and name[0] not in b"/." and b"/." not in name and b"//" not in name:
        return name
    parts: list[bytes] = []
    for part in name.split(b"/"):
        if part == b"..":
            if not parts:
                raise _refused(entry, f"has the name {shown(name)}, which leads out of the layer")
            parts.pop()
        elif part not in (b"", b"."):
            parts.append(part)
    return b"/".join(parts)


def is_whiteout(info: os.stat_result) -> bool:
    """Say whether it is overlayfs' mark of a deleted name (a character device 0:0)."""
    return S_ISCHR(info.st_mode) and info.st_rdev == 0


def _set_xattrs(where: int | str, xattrs: dict[str, bytes]) -> None:
    for key, value in xattrs.items():
        if key.startswith(_NOT_OURS):
            continue
        try:
            if isinstance(where, int):
                os.setxattr(where, key, value)
            else:
                os.setxattr(where, key, value, follow_symlinks=False)
        except OSError as error:
            if error.errno == errno.ENOSPC and len(value) > _XATTR_SMALL:
                raise OSError(errno.E2BIG, f"xattr {key} of {len(value)} bytes is too large here") from error
            # What this file system or this kind of file cannot hold is left out, as docker does.
            if error.errno not in (errno.EOPNOTSUPP, errno.EPERM) or key.startswith("security.capability"):
                raise


def _refused(entry: Entry, why: str) -> InvalidArgument:
    return InvalidArgument(f"layer entry {shown(entry.name)} {why}", entry=shown(entry.name))


def _explained(error: OSError, entry: Entry | None) -> FirkinError | OSError:
    name = shown(entry.name) if entry is not None else "(the end)"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ResourceExhausted(
            f"no space left for layer entry {name}", hint="free space or choose another --root", entry=name
        )
    if error.errno in (errno.EPERM, errno.EACCES):
        return PermissionDenied(f"cannot unpack layer entry {name}: {error}", hint="run as root", entry=name)
    if error.errno in _OUR_FAULT:
        error.add_note(f"while unpacking layer entry {name}")
        return error
    return InvalidArgument(f"layer entry {name} cannot be unpacked: {error.strerror}", entry=name)
