"""--since and --until."""

from __future__ import annotations

import pytest

from firkin.cli.moment import moment
from firkin.errors import InvalidArgument

NOW = 1_800_000_000_000_000_000
BILLION = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", 0),
        ("0", 0),
        ("1136073845", 1136073845 * BILLION),
        ("1136073845.000000001", 1136073845 * BILLION + 1),
        ("1136073845.5", 1136073845 * BILLION + BILLION // 2),
        ("2006-01-02T15:04:05Z", 1136214245 * BILLION),
        ("2006-01-02T15:04:05.000000999Z", 1136214245 * BILLION + 999),
        ("2006-01-02T15:04:05+07:00", (1136214245 - 7 * 3600) * BILLION),
        ("2006-01-02T15:04:05.5-07:30", (1136214245 + 7 * 3600 + 1800) * BILLION + BILLION // 2),
        ("42m", NOW - 42 * 60 * BILLION),
        ("1h30m", NOW - 5400 * BILLION),
    ],
)
def test_reads(text: str, told: int) -> None:
    assert moment(text, "since", NOW) == told


def test_without_a_zone_it_is_local_time(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "UTC-2")
    time.tzset()
    try:
        assert moment("2006-01-02T15:04:05", "since") == (1136214245 - 7200) * BILLION
        assert moment("2006-01-02", "since") == (1136160000 - 7200) * BILLION
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    "text", ["yesterday", "2006-13-01", "2006-01-02T15:04:05Q", "12:x", "--", "1e5", "9-9-9-9"]
)
def test_refuses(text: str) -> None:
    with pytest.raises(InvalidArgument, match='invalid value for "until"'):
        moment(text, "until", NOW)
