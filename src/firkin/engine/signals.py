"""Names and numbers of signals, as docker takes them. Pure."""

from __future__ import annotations

from firkin.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
else:
    import _signal

_ALSO = {"CLD": "CHLD", "POLL": "IO", "IOT": "ABRT", "UNUSED": "SYS"}


def number_of(signal: int | str) -> int:
    """Return the number of ``9``, ``"9"``, ``"KILL"``, ``"sigkill"``, ``"RTMIN+3"``. Raises InvalidArgument."""
    text = str(signal).strip().upper()
    if text.isascii() and text.isdigit():
        number = int(text)
        if 1 <= number <= 64:
            return number
        raise _invalid(signal)
    name = text.removeprefix("SIG")
    for base in ("RTMIN", "RTMAX"):
        if name.startswith(base):
            return _real_time(base, name.removeprefix(base), signal)
    found = getattr(_signal, f"SIG{_ALSO.get(name, name)}", None)
    if not isinstance(found, int) or name.startswith("_"):
        raise _invalid(signal)
    return int(found)


def _real_time(base: str, offset: str, signal: int | str) -> int:
    start = 34 if base == "RTMIN" else 64
    if not offset:
        return start
    sign, digits = offset[0], offset[1:]
    if not digits.isdigit() or sign != ("+" if base == "RTMIN" else "-") or int(digits) > 30:
        raise _invalid(signal)
    return start + int(digits) if sign == "+" else start - int(digits)


def _invalid(signal: int | str) -> InvalidArgument:
    return InvalidArgument(
        f"invalid signal: {signal}", hint="use a name like TERM or a number from 1 to 64 (signal(7))"
    )
