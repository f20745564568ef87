"""Compiled filters, kept as files: a start reads two kilobytes instead of compiling for 10 ms.

    DIRECTORY/seccomp-<digest of profile, machine, compiler>.bpf      magic, digest of the program, program

A file that is not what it should be is compiled anew; one that cannot be written is done without. The directory must
belong to the engine alone: who can write it can take the filter away.
"""

from __future__ import annotations

import os
from _blake2 import blake2b

from firkin import atomic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

VERSION = 1  # raise it with every change of what compile_filter returns
_MAGIC = b"firkin-seccomp-1"
_HEADER = len(_MAGIC) + 16


def cached_filter(seccomp: Mapping[str, Any], machine: str, directory: str | None) -> bytes:
    """Return ``compile_filter(seccomp, machine)``, from ``directory`` when it is there (None: no cache).

    Raises what compile_filter raises, and nothing because of the cache.
    """
    if directory is None:
        return _compile(seccomp, machine)
    path = f"{directory}/seccomp-{digest(seccomp, machine)}.bpf"
    found = _read(path)
    if found is not None:
        return found
    program = _compile(seccomp, machine)
    try:
        os.makedirs(directory, 0o700, exist_ok=True)
        atomic.write(path, _MAGIC + _sum(program) + program)
    except OSError:
        pass
    return program


def digest(seccomp: Mapping[str, Any], machine: str) -> str:
    """Return the key of a profile: its repr (of what JSON can hold) is stable and made in C, in 20 us."""
    return _sum(f"{VERSION} {machine} {seccomp!r}".encode(errors="surrogatepass")).hex()


def _sum(data: bytes) -> bytes:
    return blake2b(data, digest_size=16).digest()


def _read(path: str) -> bytes | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        data = os.read(fd, 65536)
    finally:
        os.close(fd)
    program = data[_HEADER:]
    if data[: len(_MAGIC)] != _MAGIC or len(program) % 8 or data[len(_MAGIC) : _HEADER] != _sum(program):
        return None
    return program or None


def _compile(seccomp: Mapping[str, Any], machine: str) -> bytes:
    from firkin.runtime.seccomp.compile import compile_filter

    return compile_filter(seccomp, machine)
