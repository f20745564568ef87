"""What an archive may cost before it is refused."""

from __future__ import annotations

from firkin.record import Record


class Limits(Record):
    """What a layer may cost: bytes of the unpacked tar stream, entries, bytes of one extended header, of one name."""

    size: int = 64 << 30
    entries: int = 10_000_000
    extended_header: int = 1 << 20
    name: int = 4095
