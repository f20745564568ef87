"""Whether a layer may not be on the disk yet: for those who would load storage/layers only to see that all are."""

from __future__ import annotations

import os

MARK = "unsynced"


def any_unsynced(folder: str) -> bool:
    """Say whether a layer in ``folder`` (ROOT/layers) carries the mark."""
    return any(os.path.exists(f"{folder}/{name}/{MARK}") for name in os.listdir(folder))
