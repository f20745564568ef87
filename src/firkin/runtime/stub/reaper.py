"""The init reaper of ``--init``: process 1 that forks the program, hands signals on and buries orphans.

Started exactly as the exec stub is (``exec_argv``, ``read_status``); reaper.c tells what it does.
"""

from __future__ import annotations

from firkin.runtime.stub.sealed import Stub

_stub = Stub("reaper")

reaper_fd = _stub.fd
