"""Files that are there whole or not at all, whatever dies in between.

write  <dir>/.<name>.<random>.tmp  ->  fsync (when durable)  ->  rename over <name>
"""

from __future__ import annotations

import os


def write(path: str, data: bytes | str, mode: int = 0o600, *, durable: bool = False) -> None:
    """Replace ``path`` with ``data``; ``durable`` also survives a power cut (fsync of file and folder).

    Raises OSError; then ``path`` is what it was, and no temporary file is left.
    """
    payload = data.encode() if isinstance(data, str) else data
    folder, name = os.path.split(path)
    temporary = f"{folder or '.'}/.{name}.{os.urandom(6).hex()}.tmp"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        try:
            view = memoryview(payload)
            while view:
                view = view[os.write(fd, view) :]
            if durable:
                os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    if durable:
        sync_directory(folder or ".")


def sync_directory(path: str) -> None:
    """Make the names in ``path`` durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def read_text(path: str) -> str | None:
    """Return the file's text, or None where there is no such file."""
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except FileNotFoundError:
        return None
