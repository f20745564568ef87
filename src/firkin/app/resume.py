"""The way in of a lean monitor (engine/monitor/lean). Imports as little as can be: its memory is the point."""

from __future__ import annotations

from firkin.engine.monitor.crash import crash_report
from firkin.engine.monitor.ending import end
from firkin.engine.monitor.lean import resumed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from firkin.engine.context import Context


def main(argv: Sequence[str]) -> None:
    """Watch the container that memfd ``argv[0]`` describes; then root and run root."""
    _name("firkin-monitor")
    charge, loop = resumed(int(argv[0]))

    def open_context() -> Context:
        from firkin.app.engine import open_engine

        return open_engine(argv[1], argv[2]).for_monitor()

    with crash_report(charge.home):
        loop.run()
        end(charge, loop, open_context)


def _name(text: str) -> None:
    try:
        with open("/proc/self/comm", "wb", buffering=0) as file:
            file.write(text.encode())
    except OSError:
        pass  # only ps would have shown it
