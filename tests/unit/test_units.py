from __future__ import annotations

import pytest

from firkin import units
from firkin.errors import InvalidArgument


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("512", 512),
        ("64m", 64 << 20),
        ("1.5g", 3 << 29),
        ("2GB", 2 << 30),
        ("1 KiB", 1024),
        ("7b", 7),
        ("0", 0),
        ("1T", 1 << 40),
    ],
)
def test_sizes(text, value):
    assert units.parse_size(text) == value


@pytest.mark.parametrize("text", ["", "m", "-1", "1x", "1e400", "nan", "inf", "9999999p", "1 2", "0x10"])
def test_bad_sizes(text):
    with pytest.raises(InvalidArgument):
        units.parse_size(text)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0B"),
        (999, "999B"),
        (1000, "1kB"),
        (4_261_502, "4.262MB"),
        (74_800_000, "74.8MB"),
        (10**15, "1PB"),
    ],
)
def test_human_sizes(count, text):
    assert units.human_size(count) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("10s", 10**10),
        ("1h30m", 5400 * 10**9),
        ("1.5ms", 1_500_000),
        ("-2m", -120 * 10**9),
        ("100us", 100_000),
        ("1m30s", 90 * 10**9),
    ],
)
def test_durations(text, value):
    assert units.parse_duration(text) == value


@pytest.mark.parametrize("text", ["", "10", "s", "1d", "1.2.3s", "--1s", "1ss"])
def test_bad_durations(text):
    with pytest.raises(InvalidArgument):
        units.parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "Less than a second"), (1, "1 second"), (59, "59 seconds"), (60, "About a minute"), (125, "2 minutes"), (3599, "59 minutes"),
     (3600, "About an hour"), (7200, "2 hours"), (86400 * 3, "3 days"), (86400 * 20, "2 weeks"), (86400 * 90, "3 months"), (86400 * 800, "2 years")],
)  # fmt: skip
def test_human_durations(seconds, text):
    assert units.human_duration(seconds) == text


def test_times():
    assert units.rfc3339(0) == "0001-01-01T00:00:00Z"
    assert units.rfc3339(1_700_000_000_000_000_001) == "2023-11-14T22:13:20.000000001Z"
    assert units.rfc3339(1_700_000_000_500_000_000) == "2023-11-14T22:13:20.5Z"
