"""Times as RFC 3339 has them (JSON of Go programs), to nanoseconds; ``datetime`` would cost 2 ms to import."""

from __future__ import annotations


def parse_time(text: str) -> int | None:
    """Return nanoseconds since the epoch for ``2026-11-24T06:45:09.766103781Z`` or an offset instead of Z.

    0 for times before 1970 (Go's zero time among them); None for what is no time.
    """
    try:
        year, month, day = int(text[0:4]), int(text[5:7]), int(text[8:10])
        hour, minute, second = int(text[11:13]), int(text[14:16]), int(text[17:19])
        marks = text[4] + text[7] + text[10] + text[13] + text[16]
        rest, nanoseconds = text[19:], 0
        if rest.startswith((".", ",")):
            digits = rest[1 : 1 + len(rest[1:]) - len(rest[1:].lstrip("0123456789"))]
            nanoseconds, rest = int(digits[:9].ljust(9, "0")), rest[1 + len(digits) :]
        offset = 0 if rest in {"Z", "z"} else _offset(rest)
    except (ValueError, IndexError):
        return None
    if marks.upper() != "--T::" or not text.isascii():
        return None
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second <= 60):
        return None
    days = _days(year, month, day)
    return max(0, (days * 86400 + hour * 3600 + minute * 60 + second - offset) * 1_000_000_000 + nanoseconds)


def _offset(text: str) -> int:
    if len(text) != 6 or text[3] != ":" or text[0] not in "+-":
        raise ValueError(text)
    seconds = int(text[1:3]) * 3600 + int(text[4:6]) * 60
    return -seconds if text[0] == "-" else seconds


def _days(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 in the proleptic Gregorian calendar."""
    shifted = year - (month <= 2)
    era, of_era = divmod(shifted, 400)
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468
