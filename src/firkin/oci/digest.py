"""Digests: ``sha256:`` and 64 lower-case hex digits (OCI image-spec, descriptor.md). Pure.

sha512 is a registered algorithm too; the store keeps content by sha256 alone and says so.
"""

from __future__ import annotations

from firkin.errors import InvalidArgument, Unsupported

PREFIX = "sha256:"
LENGTH = len(PREFIX) + 64
_HEX = frozenset("0123456789abcdef")
_OTHERS = {"sha512": 128, "sha384": 96, "blake3": 64}


def is_digest(text: str) -> bool:
    """Say whether ``text`` is a whole sha256 digest."""
    return len(text) == LENGTH and text.startswith(PREFIX) and _HEX.issuperset(text[len(PREFIX) :])


def check_digest(text: str) -> str:
    """Return ``text`` if it is a digest that the store can hold.

    Raises Unsupported for another registered algorithm, InvalidArgument for anything else.
    """
    if is_digest(text):
        return text
    algorithm, _, encoded = text.partition(":")
    if _OTHERS.get(algorithm) == len(encoded) and _HEX.issuperset(encoded):
        raise Unsupported(f"digest algorithm {algorithm} is not supported", hint="use sha256")
    shown = text if len(text) <= 100 else f"{text[:100]}..."
    raise InvalidArgument(f"invalid digest {shown!r}", hint="a digest is sha256: and 64 hex digits")


def hex_of(digest: str) -> str:
    """Return the 64 digits."""
    return digest[len(PREFIX) :]


def sha256(data: bytes) -> str:
    """Return the digest of ``data``."""
    import hashlib

    return PREFIX + hashlib.sha256(data).hexdigest()


def chain_ids(diff_ids: tuple[str, ...]) -> tuple[str, ...]:
    """Return the chain id of each layer (image-spec, config.md, "Layer ChainID").

    ``chain(0) = diff(0)``, ``chain(n) = sha256(chain(n-1) + " " + diff(n))``.
    """
    chain: list[str] = []
    for diff_id in diff_ids:
        chain.append(sha256(f"{chain[-1]} {diff_id}".encode()) if chain else diff_id)
    return tuple(chain)
