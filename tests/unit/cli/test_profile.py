"""Phases add up, whatever process they come from."""

from __future__ import annotations

import os
import time

from firkin.cli.profile import _estimated, phases, process_start, table, trace
from firkin.linux.taskstats import started_monotonic_ns

MS = 1_000_000
MARKS = [("launcher", 10 * MS, 1), ("options", 12 * MS, 1), ("mount", 15 * MS, 2), ("launch", 19 * MS, 2), ("row", 20 * MS, 1),
         ("end", 30 * MS, 1)]  # fmt: skip


def test_own_phases_sum_to_the_wall_time() -> None:
    own = [(name, (end - begin) // MS) for name, begin, end, pid in phases(2 * MS, MARKS, 1) if pid == 1]
    assert own == [("launcher", 8), ("options", 2), ("row", 8), ("end", 10)]
    assert sum(length for _, length in own) == 28


def test_another_process_begins_where_we_stood() -> None:
    assert [p for p in phases(2 * MS, MARKS, 1) if p[3] == 2] == [
        ("mount", 12 * MS, 15 * MS, 2),
        ("launch", 15 * MS, 19 * MS, 2),
    ]


def test_the_report() -> None:
    assert table(2 * MS, MARKS, 1, exact=True) == (
        "        ms    %  phase\n"
        "      8.00   29  launcher\n"
        "      2.00    7  options\n"
        "      8.00   29  row\n"
        "     10.00   36  end\n"
        "     28.00  100  from the start of the process\n"
        "meanwhile, in the container's monitor:\n"
        "      3.00       mount\n"
        "      4.00       launch\n"
    )


def test_the_trace_is_of_complete_events() -> None:
    events = trace(2 * MS, MARKS, 1)
    assert [(e["name"], e["ts"], e["dur"], e["tid"]) for e in events if e["ph"] == "X"][:2] == [
        ("launcher", 0.0, 8000.0, 1),
        ("options", 8000.0, 2000.0, 1),
    ]
    assert [e["args"] for e in events if e["ph"] == "M"] == [{"name": "firkin"}, {"name": "monitor"}]


def test_both_ways_to_learn_the_start_agree_within_a_tick() -> None:
    exact = started_monotonic_ns(os.getpid())
    begin, known = process_start()
    assert known == (exact is not None)
    assert begin < time.monotonic_ns()
    assert abs(begin - _estimated()) < 25 * MS


def test_a_process_that_is_not_there_has_no_start() -> None:
    assert started_monotonic_ns((1 << 22) + 1) is None
