"""The session keyring: keyctl(2), keyrings(7)."""

from __future__ import annotations

import os

from firkin.linux import nr
from firkin.linux.libc import buffer, syscall

_JOIN_SESSION_KEYRING, _SETPERM, _DESCRIBE = 1, 5, 6
OWNER_SEARCH = 0x080000
OTHER_SEARCH = 0x8


def join_session(name: str, add_permissions: int = 0) -> None:
    """Leave the caller's session keyring for the one called ``name``, made when it is not there.

    ``add_permissions`` are added to the ring's: without search permission nobody can join it by name later.
    """
    ring = syscall("keyctl", nr.KEYCTL, _JOIN_SESSION_KEYRING, os.fsencode(name) + b"\0", 0, 0, 0)
    if not add_permissions:
        return
    text = bytearray(512)
    syscall("keyctl", nr.KEYCTL, _DESCRIBE, ring, buffer(text), len(text), 0)
    permissions = int(bytes(text).split(b";")[3], 16)
    if permissions | add_permissions != permissions:
        syscall("keyctl", nr.KEYCTL, _SETPERM, ring, permissions | add_permissions, 0, 0)
