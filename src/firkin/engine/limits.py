"""What this machine can limit: asked only when a limit is wanted."""

from __future__ import annotations

import os

from firkin.specgen.validate import validate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.specgen.options import CreateOptions


def swap_limit() -> bool:
    """Say whether the memory controller counts swap."""
    from firkin.runtime.cgroup.layout import layout

    where = layout()
    if where.v1:
        memory = where.v1.get("memory")
        return memory is not None and os.path.exists(f"{memory}/memory.memsw.limit_in_bytes")
    with open("/proc/self/cgroup", encoding="ascii", errors="replace") as file:
        own = file.read().strip().rpartition(":")[2]
    return own == "/" or os.path.exists(f"{where.unified}{own}/memory.swap.max")


def checked(options: CreateOptions, container_id: str) -> list[str]:
    """Refuse options that contradict themselves or this machine (InvalidArgument); return warnings."""
    limited = (
        options.memory
        or options.cpus
        or options.cpuset_cpus
        or options.oom_kill_disable
        or options.memory_swappiness is not None
    )
    if not limited:
        return validate(options)
    from firkin.runtime.cgroup.layout import layout
    from firkin.specgen.facts import Facts

    facts = Facts(
        container_id=container_id,
        cpus=os.cpu_count() or 0,
        cgroup_version=1 if layout().v1 else 2,
        swap_limit=swap_limit(),
    )
    return validate(options, facts)
