"""One run of the command line: what the global flags said, and the engine, opened when first needed."""

from __future__ import annotations

from firkin import __version__ as VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PROGRAM = "firkin"

__all__ = ["GLOBALS", "LEVELS", "PROGRAM", "VERSION", "Session"]

LEVELS = ("debug", "info", "warn", "error", "fatal")

#: Flags that stand before the command's name.
GLOBALS = (
    ("debug", "D", "bool", None, "Say what happens on standard error, with tracebacks of failures"),
    ("log-level", "l", "string", "info", 'How much to say ("debug", "info", "warn", "error", "fatal")'),
    ("profile", "", "bool", None, "Print where the command's milliseconds went"),
    ("profile-json", "", "string", None, "Write the same to a file as a Chrome trace"),
    ("root", "", "string", None, "Directory of all lasting state (FIRKIN_ROOT, default /var/lib/firkin)"),
    (
        "run-root",
        "",
        "string",
        None,
        "Directory of what a reboot may lose (FIRKIN_RUN_ROOT, default /run/firkin)",
    ),
    ("version", "v", "bool", None, "Print version information and quit"),
)


class Session:
    """``session.engine`` is opened at its first use; commands that need none never pay for it."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.root: str | None = values.get("root") or None
        self.run_root: str | None = values.get("run-root") or None
        self.debug: bool = bool(values.get("debug")) or values.get("log-level") == "debug"
        self.profile: bool = bool(values.get("profile"))
        self.profile_json: str | None = values.get("profile-json") or None
        self._engine: Any = None

    @property
    def engine(self) -> Any:  # noqa: ANN401 - app's Engine
        if self._engine is None:
            from firkin.app.engine import open_engine

            self._engine = open_engine(self.root, self.run_root)
        return self._engine
