"""Points in time as --since and --until take them: RFC 3339, parts of it, seconds since the epoch, or ``42m`` ago."""

from __future__ import annotations

from firkin.errors import InvalidArgument

_BILLION = 1_000_000_000
_FORMS = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d", "%H:%M:%S")


def moment(text: str, flag: str, now_ns: int | None = None) -> int:
    """Return nanoseconds since the epoch, 0 for an empty ``text``. Raises InvalidArgument naming ``flag``."""
    if not text:
        return 0
    bare, found = text.strip(), None
    if bare.replace(".", "", 1).isdigit() and bare.isascii():
        seconds, _, fraction = bare.partition(".")
        found = int(seconds or 0) * _BILLION + int(fraction[:9].ljust(9, "0") or 0)
    elif bare[:1].isdigit() and "-" in bare:
        found = _stamp(bare)
    else:
        found = _ago(bare, now_ns)
    if found is None:
        raise InvalidArgument(
            f'invalid value for "{flag}": failed to parse value as time or duration: {text!r}'.replace(
                "'", '"'
            ),
            hint="write it like 2026-01-02T13:23:37Z or 42m",
        )
    return found


def _ago(text: str, now_ns: int | None) -> int | None:
    import time

    from firkin.units import parse_duration

    try:
        return (time.time_ns() if now_ns is None else now_ns) - parse_duration(text)
    except InvalidArgument:
        return None


def _stamp(text: str) -> int | None:
    import calendar
    import time

    zone: int | None = None
    if text[-1:] in "zZ":
        text, zone = text[:-1], 0
    elif len(text) > 6 and text[-6] in "+-" and text[-3] == ":" and "T" in text:
        try:
            zone = (int(text[-5:-3]) * 3600 + int(text[-2:]) * 60) * (-1 if text[-6] == "-" else 1)
        except ValueError:
            return None
        text = text[:-6]
    text, dot, digits = text.partition(".")
    if dot and not (digits.isdigit() and digits.isascii() and "T" in text):
        return None
    fraction = int(digits[:9].ljust(9, "0")) if dot else 0
    for form in _FORMS:
        try:
            parsed = time.strptime(text, form)
        except ValueError:
            continue
        try:
            seconds = int(time.mktime(parsed)) if zone is None else calendar.timegm(parsed) - zone
        except OverflowError:
            return None
        return seconds * _BILLION + fraction
    return None
