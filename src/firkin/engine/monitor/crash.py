"""A trace of a monitor that fails by a bug of ours: ROOT/containers/ID/monitor-crash."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType


class crash_report:
    """Write what went wrong and let it go on: our death ends the container, and the next command reports it."""

    def __init__(self, home: str) -> None:
        self._home = home

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            return
        import traceback

        try:
            with open(f"{self._home}/monitor-crash", "w", encoding="utf-8") as file:
                file.write("".join(traceback.format_exception(error)))
        except OSError:
            pass
