"""SQLite's C module, without what it would drag in.

``_sqlite3`` imports functools for one function, the cache of its statements, and functools imports six more modules:
2 ms. That cache is C itself (``_functools``), so here it is handed to _sqlite3 under functools' name.
"""

from __future__ import annotations

import sys


def _lend_functools() -> bool:
    """Put a stand-in where _sqlite3 looks; False when the real one is there (as in all that has threads)."""
    if "functools" in sys.modules:
        return False
    from _functools import _lru_cache_wrapper  # type: ignore[import-not-found]  # C accelerator without stubs

    stand_in = type(sys)("functools")
    stand_in.lru_cache = lambda size: lambda make: _lru_cache_wrapper(make, size, False, tuple)  # type: ignore[attr-defined]  # a stand-in for functools
    sys.modules["functools"] = stand_in
    return True


_lent = _lend_functools()
try:
    from _sqlite3 import DatabaseError, OperationalError, connect
finally:
    if _lent:
        del sys.modules["functools"]

__all__ = ["DatabaseError", "OperationalError", "connect"]
