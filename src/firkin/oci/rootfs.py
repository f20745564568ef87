"""What storage hands to the runtime: the directories that make a container's root. No I/O."""

from __future__ import annotations

from firkin.record import Record


class OverlayRoot(Record):
    """An overlay: read-only ``lowers`` (the top one first) below the container's own ``upper``.

    ``options`` are mount options without value or ``name=value`` (``volatile``, ``index=off``), in overlayfs' words;
    Documentation/filesystems/overlayfs.rst.
    """

    lowers: tuple[str, ...]
    upper: str
    work: str
    options: tuple[str, ...] = ()
