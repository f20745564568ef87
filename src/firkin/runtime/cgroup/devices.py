"""Which devices a container may use: linux.resources.devices folded into one verdict, as runc's emulator does.

The list is a history of devices.allow and devices.deny writes (cgroup-v1/devices.rst): a rule of type "a" resets
everything to allow or deny all, the others make exceptions. What is left is the default and its exceptions, and that
is what v1 gets as few writes and v2 as a BPF program, so both decide alike. runc's two own rules are kept: a deny
that would punch a hole into a wider allow is refused (v1 ignores it silently), and the devices that the spec promises
to every container come last.
"""

from __future__ import annotations

from firkin.errors import InvalidArgument
from firkin.record import Record
from firkin.runtime.cgroup.settings import entries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

ANY = -1
READ, WRITE, MKNOD = 2, 4, 1  # BPF_DEVCG_ACC_*; DEVCG_ACC_* are the same
ALL = READ | WRITE | MKNOD
_LETTERS = {"r": READ, "w": WRITE, "m": MKNOD}

# config-linux.md "Default Devices", the ptys, and mknod of anything: a node without access is harmless. runc's list.
PROMISED: tuple[tuple[str, int, int, int], ...] = (
    ("c", ANY, ANY, MKNOD), ("b", ANY, ANY, MKNOD),
    ("c", 1, 3, ALL), ("c", 1, 5, ALL), ("c", 1, 7, ALL), ("c", 1, 8, ALL), ("c", 1, 9, ALL),
    ("c", 5, 0, ALL), ("c", 5, 2, ALL), ("c", 136, ANY, ALL),
)  # fmt: skip


class Verdict(Record):
    """``exceptions`` map (type, major, minor) to the access bits that do not follow ``allow``."""

    allow: bool
    exceptions: dict[tuple[str, int, int], int]


EVERYTHING = Verdict(allow=True, exceptions={})


def verdict(resources: Mapping[str, Any]) -> Verdict | None:
    """Return what the rules come to; None when there are none (then the parent's verdict holds).

    Raises InvalidArgument naming the rule.
    """
    rules = entries(resources, "devices")
    if not rules:
        return None
    allow, exceptions = False, dict[tuple[str, int, int], int]()
    for i, rule in enumerate(rules):
        allowed = rule.get("allow", False)
        if not isinstance(allowed, bool):
            raise InvalidArgument(
                f"linux.resources.devices[{i}].allow must be true or false", field="devices"
            )
        kind, major, minor, access = _rule(rule, i)
        if kind == "a":
            allow, exceptions = allowed, {}
        elif allowed != allow:
            exceptions[kind, major, minor] = exceptions.get((kind, major, minor), 0) | access
        else:
            _take_back(exceptions, kind, major, minor, access, i)
    if not allow:
        for kind, major, minor, access in PROMISED:
            exceptions[kind, major, minor] = exceptions.get((kind, major, minor), 0) | access
    return Verdict(allow=allow, exceptions=exceptions)


def _rule(rule: Mapping[str, Any], i: int) -> tuple[str, int, int, int]:
    where = f"linux.resources.devices[{i}]"
    kind = rule.get("type") or "a"
    if kind not in ("a", "b", "c"):
        raise InvalidArgument(f'{where}.type must be "a", "b" or "c", not {kind!r}', field="devices")
    numbers = []
    for name in ("major", "minor"):
        number = rule.get(name)
        number = ANY if number is None else number
        if isinstance(number, bool) or not isinstance(number, int) or number >= 1 << 32:
            raise InvalidArgument(f"{where}.{name} must be a number, not {number!r}", field="devices")
        numbers.append(max(number, ANY))
    access = rule.get("access") or ("rwm" if kind == "a" else "")
    if not isinstance(access, str) or not access or not _LETTERS.keys() >= set(access):
        raise InvalidArgument(
            f'{where}.access must be made of "r", "w" and "m", not {access!r}', field="devices"
        )
    bits = 0
    for letter in access:
        bits |= _LETTERS[letter]
    return kind, numbers[0], numbers[1], bits


def _take_back(
    exceptions: dict[tuple[str, int, int], int], kind: str, major: int, minor: int, access: int, i: int
) -> None:
    for wider in ((kind, ANY, minor), (kind, major, ANY), (kind, ANY, ANY)):
        if wider != (kind, major, minor) and exceptions.get(wider, 0) & access:
            raise InvalidArgument(
                f"linux.resources.devices[{i}] would make a hole in an earlier rule for {spell(*wider, access)}",
                hint="give the narrower rules before a rule of type a, or leave the wide rule out",
                field="devices",
            )
    left = exceptions.get((kind, major, minor), 0) & ~access
    if left:
        exceptions[kind, major, minor] = left
    else:
        exceptions.pop((kind, major, minor), None)


def spell(kind: str, major: int, minor: int, access: int) -> str:
    """Write a rule as devices.allow wants it: ``c 1:3 rwm``, ``b *:* m``."""
    numbers = ":".join("*" if n == ANY else str(n) for n in (major, minor))
    return f"{kind} {numbers} {''.join(letter for letter, bit in _LETTERS.items() if access & bit)}"


def parse_list(text: str) -> Verdict:
    """Read a v1 devices.list: ``a *:* rwm`` is allow all, anything else is the exceptions of deny all.

    A list of a cgroup that allows all *but* something reads the same as one that allows all; the kernel does not tell.
    """
    exceptions: dict[tuple[str, int, int], int] = {}
    for line in text.splitlines():
        kind, numbers, letters = line.split()
        if kind == "a":
            return EVERYTHING
        major, minor = (ANY if n == "*" else int(n) for n in numbers.split(":"))
        exceptions[kind, major, minor] = sum(_LETTERS[letter] for letter in letters)
    return Verdict(allow=False, exceptions=exceptions)


def transition(now: Verdict, wanted: Verdict) -> list[tuple[str, str]]:
    """Return the (file, value) writes that lead a v1 cgroup from ``now`` to ``wanted``, never wider than either."""
    toward, back = ("devices.deny", "devices.allow") if wanted.allow else ("devices.allow", "devices.deny")
    if now.allow != wanted.allow or wanted.allow:
        # An allow-all cgroup may have exceptions that devices.list does not show: start anew.
        fresh = now == EVERYTHING == wanted
        reset = [] if fresh else [(back, "a")]
        return reset + [(toward, spell(*key, access)) for key, access in wanted.exceptions.items()]
    return [
        *((back, spell(*key, gone)) for key, gone in _less(now, wanted)),
        *((toward, spell(*key, more)) for key, more in _less(wanted, now)),
    ]


def _less(one: Verdict, other: Verdict) -> Iterable[tuple[tuple[str, int, int], int]]:
    for key, access in one.exceptions.items():
        if rest := access & ~other.exceptions.get(key, 0):
            yield key, rest
