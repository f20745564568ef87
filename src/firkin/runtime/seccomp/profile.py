"""linux.seccomp of config.json read into plain rules: types checked, names of actions and operators resolved.

What runc and crun agree on is kept: a rule that does what the default does anyway is dropped; comparisons that name one
argument twice are alternatives (libseccomp cannot join them), all others hold together.
"""

from __future__ import annotations

from firkin.errors import InvalidArgument
from firkin.linux import seccomp as kernel
from firkin.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

ACTIONS = {
    "SCMP_ACT_KILL": kernel.RET_KILL_THREAD,
    "SCMP_ACT_KILL_THREAD": kernel.RET_KILL_THREAD,
    "SCMP_ACT_KILL_PROCESS": kernel.RET_KILL_PROCESS,
    "SCMP_ACT_TRAP": kernel.RET_TRAP,
    "SCMP_ACT_ERRNO": kernel.RET_ERRNO,
    "SCMP_ACT_TRACE": kernel.RET_TRACE,
    "SCMP_ACT_LOG": kernel.RET_LOG,
    "SCMP_ACT_ALLOW": kernel.RET_ALLOW,
    "SCMP_ACT_NOTIFY": kernel.RET_USER_NOTIF,
}
FLAGS = {
    "SECCOMP_FILTER_FLAG_TSYNC": kernel.FILTER_FLAG_TSYNC,
    "SECCOMP_FILTER_FLAG_LOG": kernel.FILTER_FLAG_LOG,
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW": kernel.FILTER_FLAG_SPEC_ALLOW,
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV": kernel.FILTER_FLAG_WAIT_KILLABLE_RECV,
}
OPERATORS = ("NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ")  # SCMP_CMP_*
_EPERM = 1
_MOST_ERRNO = 4095


class Comparison(Record):
    """``mask`` is all ones but for MASKED_EQ: (argument & mask) == value."""

    index: int
    operator: str
    value: int
    mask: int = 0xFFFFFFFFFFFFFFFF


class Rule(Record):
    """For each of ``names``: when all comparisons hold, return ``action`` (SECCOMP_RET_* with its data)."""

    names: tuple[str, ...]
    action: int
    comparisons: tuple[Comparison, ...] = ()


class Profile(Record):
    default: int
    rules: tuple[Rule, ...]
    architectures: tuple[str, ...]  # SCMP_ARCH_*; () means the machine's own


def flags_of(seccomp: Mapping[str, Any]) -> int:
    """Return the flags for ``linux.seccomp.install``. Raises InvalidArgument.

    Without ``flags`` it is SPEC_ALLOW, as in runc: the mitigation costs speed, and the kernel's own default since 5.16
    is to leave it off. A listener excludes TSYNC, and there is one thread only.
    """
    named = seccomp.get("flags")
    if named is None:
        flags = kernel.FILTER_FLAG_SPEC_ALLOW
    else:
        flags = 0
        for name in _strings(seccomp, "flags", ""):
            if name not in FLAGS:
                raise _wrong("flags", f"unknown flag {name!r}")
            flags |= FLAGS[name]
    if _notifies(seccomp):
        flags = flags & ~kernel.FILTER_FLAG_TSYNC | kernel.FILTER_FLAG_NEW_LISTENER
    else:
        flags &= ~kernel.FILTER_FLAG_WAIT_KILLABLE_RECV
    return flags


def _notifies(seccomp: Mapping[str, Any]) -> bool:
    return any(rule.get("action") == "SCMP_ACT_NOTIFY" for rule in seccomp.get("syscalls") or ())


def read(seccomp: Mapping[str, Any]) -> Profile:
    """Return the profile. Raises InvalidArgument naming the place in config.json."""
    default = _action(seccomp, "defaultAction", "defaultErrnoRet", "")
    if default == kernel.RET_USER_NOTIF:
        raise _wrong("defaultAction", "SCMP_ACT_NOTIFY cannot be the default")
    rules: list[Rule] = []
    for i, entry in enumerate(_objects(seccomp, "syscalls", "")):
        where = f"syscalls[{i}]"
        names = tuple(_strings(entry, "names", f"{where}."))
        if not names:
            raise _wrong(f"{where}.names", "must name a system call")
        action = _action(entry, "action", "errnoRet", f"{where}.")
        if action == kernel.RET_USER_NOTIF and "write" in names:
            raise _wrong(where, "SCMP_ACT_NOTIFY for write would stop the runtime itself")
        if action != default:
            rules.extend(_rules(names, action, _objects(entry, "args", f"{where}."), where))
    architectures = tuple(_strings(seccomp, "architectures", ""))
    return Profile(default=default, rules=tuple(rules), architectures=architectures)


def _rules(names: tuple[str, ...], action: int, args: list[dict[str, Any]], where: str) -> list[Rule]:
    comparisons = [_comparison(arg, f"{where}.args[{i}]") for i, arg in enumerate(args)]
    if len({c.index for c in comparisons}) < len(comparisons):
        return [Rule(names=names, action=action, comparisons=(c,)) for c in comparisons]
    return [Rule(names=names, action=action, comparisons=tuple(comparisons))]


def _comparison(arg: dict[str, Any], where: str) -> Comparison:
    operator = str(arg.get("op")).removeprefix("SCMP_CMP_")
    if operator not in OPERATORS:
        raise _wrong(f"{where}.op", f"unknown operator {arg.get('op')!r}")
    index = _number(arg, "index", where, 5)
    value = _number(arg, "value", where, (1 << 64) - 1)
    if operator == "MASKED_EQ":
        datum = _number({"valueTwo": 0, **arg}, "valueTwo", where, (1 << 64) - 1)
        return Comparison(index=index, operator=operator, value=datum & value, mask=value)
    return Comparison(index=index, operator=operator, value=value)


def _action(holder: Mapping[str, Any], name: str, errno_name: str, where: str) -> int:
    named = holder.get(name)
    if named not in ACTIONS:
        raise _wrong(f"{where}{name}", f"unknown action {named!r}")
    action = ACTIONS[named]
    wants_data = action in (kernel.RET_ERRNO, kernel.RET_TRACE)
    if holder.get(errno_name) is None:
        return action | _EPERM if wants_data else action
    if not wants_data:
        raise _wrong(f"{where}{errno_name}", f"{named} returns no errno")
    return action | _number(holder, errno_name, where.rstrip("."), _MOST_ERRNO)


def _number(holder: Mapping[str, Any], name: str, where: str, most: int) -> int:
    value = holder.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise _wrong(f"{where}.{name}".lstrip("."), f"must be a number from 0 to {most}, not {value!r}")
    return value


def _objects(holder: Mapping[str, Any], name: str, where: str) -> list[dict[str, Any]]:
    value = holder.get(name) or []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise _wrong(f"{where}{name}", "must be a list of objects")
    return value


def _strings(holder: Mapping[str, Any], name: str, where: str) -> list[str]:
    value = holder.get(name) or []
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise _wrong(f"{where}{name}", "must be a list of strings")
    return list(value)


def _wrong(where: str, what: str) -> InvalidArgument:
    return InvalidArgument(f"linux.seccomp.{where}: {what}", field=f"linux.seccomp.{where}")
