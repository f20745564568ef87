"""Who was killed for memory, and whose limit it was.

A kill counts in the victim's own cgroup (v1: there alone, so nested ones are summed; v2: and in all above it).
The limit may have been an ancestor's, or nobody's: then the machine itself ran out ("host").
"""

from __future__ import annotations

from firkin.runtime.cgroup import tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NOTHING: dict[str, Any] = {"kills": 0, "level": None, "limit": None, "peak": None}
_BATCH = (
    64 * 4096
)  # the kernel charges that much at once; some kernels since 6.13 leave failcnt at 0, so the peak tells
_V1_UNLIMITED = 1 << 62  # the kernel prints LONG_MAX rounded down to a page


def counter(text: str, name: str) -> int:
    """Return the number beside ``name`` in a flat keyed file, 0 when it is not there."""
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    return 0


def _read(path: str) -> str:
    try:
        return tree.read(path)
    except OSError:  # gone, or not in this kernel
        return ""


def number(path: str) -> int | None:
    """Return a control file's number; None for "max" and where there is none."""
    shown = _read(path).strip()
    return int(shown) if shown.isdigit() else None


def number_or_max(path: str) -> int:
    """Return the first number of a control file, -1 for "max"."""
    word = _read(path).split(" ")[0].strip()
    return int(word) if word.isdigit() else -1


def v1_kills(directory: str) -> int:
    return sum(counter(_read(f"{each}/memory.oom_control"), "oom_kill") for each in tree.walk(directory))


def v2_kills(directory: str) -> int:
    return counter(_read(f"{directory}/memory.events"), "oom_kill")


def _levels(mount: str, path: str) -> list[str]:
    """Cgroups whose limit may have bound, innermost first: what the container made, itself, its parents."""
    inner = [each[len(mount) + 1 :] for each in tree.walk(f"{mount}/{path}", top_last=True)]
    parents = []
    parent = path.rpartition("/")[0]
    while parent:
        parents.append(parent)
        parent = parent.rpartition("/")[0]
    return [*(inner or [path]), *parents]


def v1_report(mount: str, path: str) -> dict[str, Any]:
    """The level is the innermost that has a limit and has hit it, memory before memory and swap."""
    report = {**NOTHING, "kills": v1_kills(f"{mount}/{path}")}
    if not report["kills"]:
        return report
    for level in _levels(mount, path):
        for kind in ("memory", "memory.memsw"):
            directory = f"{mount}/{level}"
            limit = number(f"{directory}/{kind}.limit_in_bytes")
            if not limit or limit >= _V1_UNLIMITED:
                continue
            peak = number(f"{directory}/{kind}.max_usage_in_bytes") or 0
            if number(f"{directory}/{kind}.failcnt") or peak + _BATCH >= limit:
                return {**report, "level": level, "limit": limit, "peak": peak}
    return {**report, "level": "host", "peak": number(f"{mount}/{path}/memory.max_usage_in_bytes")}


def v2_report(mount: str, path: str) -> dict[str, Any]:
    """The level is the innermost whose own limit went out of memory (``oom`` in memory.events.local, 5.2)."""
    report = {**NOTHING, "kills": v2_kills(f"{mount}/{path}")}
    if not report["kills"]:
        return report
    for level in _levels(mount, path):
        directory = f"{mount}/{level}"
        if counter(_read(f"{directory}/memory.events.local"), "oom"):
            peak = number(f"{directory}/memory.peak")  # 5.19
            return {**report, "level": level, "limit": number(f"{directory}/memory.max"), "peak": peak}
    return {**report, "level": "host", "peak": number(f"{mount}/{path}/memory.peak")}
