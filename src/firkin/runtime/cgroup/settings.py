"""Values for control files: what a plan (v1_plan, v2_plan) consists of, and the loop that writes them.

A plan is a list of Setting. Nothing here knows what the files mean; a refusal names the field of config.json.
"""

from __future__ import annotations

import errno
import os

from firkin.errors import Conflict, InvalidArgument, PermissionDenied, SyscallError, Unsupported
from firkin.record import Record
from firkin.runtime.cgroup import tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

UNLIMITED = -1


class Setting(Record):
    """One write. ``field`` is relative to linux.resources.

    Where the kernel lacks ``file``, ``other`` gets ``other_value`` (or the same value).
    """

    controller: str
    file: str
    value: str
    field: str
    other: str = ""
    other_value: str = ""


class Missing(Unsupported):
    """A limit is wanted and the kernel has no controller for it: fields ``field`` and ``controller``."""


def missing(field: str, controller: str) -> Missing:
    return Missing(
        f"cannot set linux.resources.{field}: this machine has no {controller} cgroup controller",
        hint=f"enable the {controller} controller or drop the limit",
        field=field,
        controller=controller,
    )


def section(resources: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the object ``name`` of linux.resources, {} when it is absent or null."""
    value = resources.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidArgument(f"linux.resources.{name} must be an object", field=name)
    return value


def entries(holder: Mapping[str, Any], field: str) -> list[dict[str, Any]]:
    """Return the list of objects whose name is the last word of ``field``, [] when absent or null."""
    value = holder.get(field.rpartition(".")[2])
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise InvalidArgument(f"linux.resources.{field} must be a list of objects", field=field)
    return value


def integer(holder: Mapping[str, Any], field: str, low: int = UNLIMITED) -> int | None:
    """Return the number whose name is the last word of ``field``, None when absent or null."""
    value = holder.get(field.rpartition(".")[2])
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < low or value >= 1 << 64:
        raise InvalidArgument(
            f"linux.resources.{field} must be an integer >= {low}, not {value!r}", field=field
        )
    return value


def text(holder: Mapping[str, Any], field: str) -> str | None:
    """Return the string whose name is the last word of ``field``; None when absent or empty."""
    value = holder.get(field.rpartition(".")[2])
    if value is None or value == "":
        return None
    if not isinstance(value, str) or "\n" in value or "\0" in value:
        raise InvalidArgument(f"linux.resources.{field} must be a one-line string", field=field)
    return value


def write_all(plan: list[Setting], directory: Callable[[str], str | None]) -> None:
    """Write the plan; ``directory`` returns a controller's cgroup directory, None where there is none.

    Raises Missing, Unsupported, InvalidArgument, Conflict, PermissionDenied or SyscallError, all naming the field.
    """
    for setting in plan:
        where = directory(setting.controller)
        if where is None:
            raise missing(setting.field, setting.controller)
        try:
            try:
                tree.write(f"{where}/{setting.file}", setting.value)
            except FileNotFoundError:
                if not setting.other:
                    raise
                tree.write(f"{where}/{setting.other}", setting.other_value or setting.value)
        except OSError as error:
            raise refused(error, setting, where) from error


def refused(error: OSError, setting: Setting, where: str) -> Exception:
    """Say what the kernel's refusal of a write means for the configuration."""
    what = f"linux.resources.{setting.field}"
    facts = {"field": setting.field, "controller": setting.controller, "path": f"{where}/{setting.file}"}
    why = f"{setting.file}: {os.strerror(error.errno or 0)}"
    match error.errno:
        case errno.ENOENT if os.path.isdir(where):
            return Unsupported(f"cannot set {what}: this kernel has no {setting.file}", **facts)
        case errno.EINVAL | errno.ERANGE | errno.ENODEV | errno.EOPNOTSUPP | errno.ENOSPC:
            return InvalidArgument(
                f"the kernel refuses {what} = {setting.value} ({why})", hint="choose another value", **facts
            )
        case errno.EBUSY:
            return Conflict(
                f"{what} = {setting.value} is below what is used now ({why})",
                hint="choose a higher one",
                **facts,
            )
        case errno.EPERM | errno.EACCES | errno.EROFS:
            return PermissionDenied(f"cannot set {what} ({why})", **facts)
        case _:
            pass
    refusal = SyscallError(error.errno or 0, "write", f"{where}/{setting.file}")
    refusal.add_note(f"while setting {what} to {setting.value}")
    return refusal


def check_usage(limit: int | None, usage: int) -> None:
    """Refuse a limit below what is used now (linux.resources.memory.checkBeforeUpdate)."""
    if limit and 0 < limit < usage:
        raise Conflict(
            f"linux.resources.memory.limit = {limit} is below the {usage} bytes that are used now",
            hint="free memory in the container first",
            field="memory.limit",
        )
