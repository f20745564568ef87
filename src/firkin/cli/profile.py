"""``--profile`` and ``--profile-json``: where the milliseconds went, from the process's start as the kernel has it.

    fork by the shell ──► launcher (sh) ──exec──► python3 ──► firkin ──marks──► the command's end
    ^ taskstats' ac_etime, µs                                ^ main.ENTERED

Phases end at marks (firkin.log.mark); a monitor's marks come through its socket with the same clock. The sum of the
phases of the command line's own process is its wall time; what the monitor did meanwhile is shown beside it.

Where taskstats is refused (no CAP_NET_ADMIN, CONFIG_TASKSTATS=n), two bounds are put together: the 10 ms tick of
/proc/self/stat, and the time that the scheduler knows this process to have run or waited for a CPU
(/proc/self/schedstat). The report then says ``within 10 ms``.
"""

from __future__ import annotations

import os
import time

from firkin import log
from firkin.cli.command import BAD_FLAG
from firkin.cli.output import err
from firkin.cli.session import PROGRAM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from firkin.cli.session import Session

    Mark = tuple[str, int, int]

_TICK_NS = 10_000_000


def profiled(session: Session, entered_ns: int, run: Callable[[], int]) -> int:
    """Run the command with marks on, then report on standard error and into the trace's file."""
    log.enable_marks()
    started, exact = process_start()  # now, so that what it costs is in the sum
    log.mark("profile")
    code = run()
    own = os.getpid()
    marks = [("launcher and interpreter", entered_ns, own), *log.marks(), ("end", time.monotonic_ns(), own)]
    if session.profile:
        err(table(started, marks, own, exact=exact))
    if session.profile_json:
        from firkin import atomic
        from firkin.wire import json

        text = json.dumps({"traceEvents": trace(started, marks, own), "displayTimeUnit": "ms"})
        try:
            atomic.write(session.profile_json, text + "\n", 0o644)
        except OSError as error:
            err(f"{PROGRAM}: cannot write --profile-json {session.profile_json}: {error.strerror}; "
                "name a file in a directory that is there and can be written\n")  # fmt: skip
            return code or BAD_FLAG
    return code


def process_start() -> tuple[int, bool]:
    """Return (CLOCK_MONOTONIC ns at which this process began, whether that is exact to the microsecond)."""
    from firkin.linux.taskstats import started_monotonic_ns

    found = started_monotonic_ns(os.getpid())
    if found is not None:
        return found, True
    return _estimated(), False


def _estimated() -> int:
    now_boot, now = time.clock_gettime_ns(time.CLOCK_BOOTTIME), time.monotonic_ns()
    with open("/proc/self/stat", "rb") as stream:
        ticks = int(stream.read().rpartition(b")")[2].split()[19])
    tick = now - (now_boot - ticks * 1_000_000_000 // os.sysconf("SC_CLK_TCK"))
    latest = now
    try:
        with open("/proc/self/schedstat", "rb") as stream:
            ran, waited = stream.read().split()[:2]
        latest = now - int(ran) - int(waited)
    except (OSError, ValueError):
        pass
    # It began within the tick, and no later than the CPU time that it has had allows.
    return max(tick, min(latest, tick + _TICK_NS))


def phases(started: int, marks: list[Mark], own: int) -> list[tuple[str, int, int, int]]:
    """Return (phase, begin, end, pid), each process's phases one after the other."""
    before = {own: started}
    found: list[tuple[str, int, int, int]] = []
    for name, at, pid in sorted(marks, key=lambda mark: mark[1]):
        begin = before.get(pid)
        if begin is None:
            # Another process's first mark: it began where ours stood then.
            begin = max((end for _, _, end, whose in found if whose == own and end <= at), default=started)
        found.append((name, begin, at, pid))
        before[pid] = at
    return found


def table(started: int, marks: list[Mark], own: int, *, exact: bool) -> str:
    """Return the report: one line a phase, then the sum."""
    found = phases(started, marks, own)
    total = max(end for _, _, end, pid in found if pid == own) - started
    lines = ["        ms    %  phase\n"]
    for name, begin, end, pid in found:
        if pid == own:
            lines.append(f"{(end - begin) / 1e6:10.2f} {(end - begin) * 100 / total:4.0f}  {name}\n")
    lines.append(
        f"{total / 1e6:10.2f}  100  {'from the start of the process' if exact else 'within 10 ms'}\n"
    )
    others = [phase for phase in found if phase[3] != own]
    if others:
        lines.append("meanwhile, in the container's monitor:\n")
        lines.extend(f"{(end - begin) / 1e6:10.2f}       {name}\n" for name, begin, end, _ in others)
    return "".join(lines)


def trace(started: int, marks: list[Mark], own: int) -> list[dict[str, object]]:
    """Return the phases as Chrome's complete events (ph X), in microseconds from the start."""
    names = {own: "firkin"}
    events: list[dict[str, object]] = [
        {
            "name": name,
            "ph": "X",
            "ts": (begin - started) / 1000,
            "dur": (end - begin) / 1000,
            "pid": own,
            "tid": pid,
        }
        for name, begin, end, pid in phases(started, marks, own)
    ]
    threads = dict.fromkeys(pid for _, _, pid in marks)
    events += [
        {
            "name": "thread_name",
            "ph": "M",
            "pid": own,
            "tid": pid,
            "args": {"name": names.get(pid, "monitor")},
        }
        for pid in threads
    ]
    return events
