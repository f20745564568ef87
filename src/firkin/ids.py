"""Identifiers: 64 hex digits as Docker's, their short forms, and the names people give."""

from __future__ import annotations

import os

from firkin.errors import InvalidArgument

SHORT = 12
_FIRST = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_REST = _FIRST | frozenset("_.-")
_HEX = frozenset("0123456789abcdef")


def new_id() -> str:
    """Return a fresh 64-digit identifier from the kernel's random source."""
    while True:
        fresh = os.urandom(32).hex()
        # Docker's rule: a short id of digits alone could be read as a number (of a host name, say).
        if not fresh[:SHORT].isdigit():
            return fresh


def short(identifier: str) -> str:
    """Return the 12 digits that listings show; a ``sha256:`` prefix is dropped."""
    return identifier.removeprefix("sha256:")[:SHORT]


def is_hex(text: str) -> bool:
    """Say whether ``text`` could be (the start of) an identifier."""
    return 0 < len(text) <= 64 and _HEX.issuperset(text)


def check_name(name: str, what: str = "container") -> str:
    """Return ``name`` if it matches Docker's ``[a-zA-Z0-9][a-zA-Z0-9_.-]+``, else refuse."""
    bare = name.removeprefix("/")
    if len(bare) < 2 or len(bare) > 253 or bare[0] not in _FIRST or not _REST.issuperset(bare):
        raise InvalidArgument(
            f"invalid {what} name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
            hint="use two or more letters, digits, '_', '.' or '-', starting with a letter or digit",
        )
    return bare
