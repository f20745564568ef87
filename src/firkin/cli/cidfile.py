"""--cidfile: a file that must not be there yet, and that holds the container's id afterwards."""

from __future__ import annotations

import os

from firkin.errors import AlreadyExists, InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self


class CidFile:
    """``with CidFile(path) as file: ...; file.write(id)``: without a write, the file is gone again."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd = -1
        self._written = False

    def __enter__(self) -> Self:
        if self._path:
            try:
                self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            except FileExistsError:
                raise AlreadyExists(
                    "container ID file found, make sure the other container isn't running or delete "
                    + self._path
                ) from None
            except OSError as error:
                raise InvalidArgument(
                    f"failed to create the container ID file {self._path}: {error.strerror}",
                    hint="name a new file in a directory that is there",
                ) from error
        return self

    def write(self, identifier: str) -> None:
        if self._fd >= 0:
            os.write(self._fd, identifier.encode())
            self._written = True

    def __exit__(self, *_: object) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            if not self._written:
                os.unlink(self._path)
