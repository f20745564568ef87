"""Text to standard output and error: always UTF-8, whatever the locale, and never half a line lost."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def out(text: str) -> None:
    """Write ``text`` to standard output. Raises BrokenPipeError when nobody reads."""
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()


def err(text: str) -> None:
    """Write ``text`` to standard error; a closed one is not worth a failure."""
    try:
        sys.stderr.buffer.write(text.encode("utf-8", "surrogateescape"))
        sys.stderr.buffer.flush()
    except (OSError, ValueError, AttributeError):
        pass


def warn(warnings: Iterable[str]) -> None:
    """Write docker's warnings, one a line."""
    text = "".join(f"WARNING: {warning}\n" for warning in warnings)
    if text:
        err(text)


def lines(rows: Iterable[str]) -> None:
    """Write each row and its line's end."""
    out("".join(f"{row}\n" for row in rows))


def to_json(value: object, indent: int | None = None) -> str:
    """Return ``value`` as Go's encoder writes it: no spaces, or ``indent`` spaces a level; Unicode as it is."""
    import json

    separators = (",", ":") if indent is None else None
    return json.dumps(value, ensure_ascii=False, separators=separators, indent=indent, default=_plain)


def _plain(value: object) -> object:
    to_dict = getattr(value, "to_dict", None)
    return to_dict() if to_dict is not None else str(value)
