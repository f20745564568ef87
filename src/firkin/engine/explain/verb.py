"""``firkin explain NAME``: what a container is doing, or why it does not, in one line and a few facts."""

from __future__ import annotations

import json  # noqa: TID253 - explaining is off the start-up path

from firkin import units
from firkin.engine.container import find
from firkin.engine.explain.cause import Cause
from firkin.engine.explain.death import explain_death
from firkin.engine.explain.start import failed_start
from firkin.engine.states import CREATED, EXITED, LIVE, shown
from firkin.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from firkin.engine.context import Context
    from firkin.engine.row import Container


class Explanation(Record):
    """``facts`` are (title, text) pairs in the order to show them."""

    container: str
    id: str
    state: str
    cause: Cause
    facts: tuple[tuple[str, str], ...] = ()


def explain(ctx: Context, ref: str) -> Explanation:
    """Return why the container ``ref`` is in the state it is in. Raises NotFound."""
    container = find(ctx, ref)
    return Explanation(
        container=container.name,
        id=container.id,
        state=shown(container.state),
        cause=_cause(container),
        facts=tuple(_facts(ctx, container)),
    )


def _cause(container: Container) -> Cause:
    if container.state in LIVE:
        return Cause(code="running", cause=f"it is {shown(container.state)}, as pid {container.pid}",
                     fix=f"see its output with firkin logs {container.name}")  # fmt: skip
    if container.error:
        return failed_start(json.loads(container.error))
    if container.state == EXITED:
        record = json.loads(container.ending) if container.ending else {}
        record.setdefault("exit_code", container.exit_code)
        record.setdefault("oom", bool(container.oom))
        return explain_death(record)
    if container.state == CREATED:
        return Cause(code="never-started", cause="it was created and not started yet",
                     fix=f"firkin start {container.name}")  # fmt: skip
    return Cause(code=container.state, cause=f"it is {container.state}")


def _facts(ctx: Context, container: Container) -> list[tuple[str, str]]:
    from firkin.engine.inspect import inspect

    seen = inspect(ctx, container.id)
    config, host, state = seen["Config"], seen["HostConfig"], seen["State"]
    words = [*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())]
    facts = [
        ("image", f"{container.image} ({container.image_id.removeprefix('sha256:')[:12]})"),
        ("command", " ".join(words)),
    ]
    if container.started_ns:
        facts.append(("started", units.rfc3339(container.started_ns)))
    if container.finished_ns:
        lasted = ""
        if container.started_ns and container.finished_ns > container.started_ns:
            lasted = f", after {units.human_duration((container.finished_ns - container.started_ns) / 1e9).lower()}"
        facts.append(
            ("ended", f"{units.rfc3339(container.finished_ns)}{lasted}, exit code {state['ExitCode']}")
        )
    if host.get("Memory"):
        facts.append(("memory limit", units.iec_size(host["Memory"])))
    ports = (seen.get("NetworkSettings") or {}).get("Ports") or {}
    facts.extend(
        ("open port", f"{one['HostIp'] or '*'}:{one['HostPort']} -> {inside}")
        for inside, outside in ports.items()
        for one in outside or ()
    )
    facts.extend(("mount", _mount(mount)) for mount in seen.get("Mounts") or ())
    if host.get("Privileged"):
        facts.append(("isolation", "none to speak of: it is --privileged"))
    return facts


def _mount(mount: Mapping[str, Any]) -> str:
    only = "" if mount.get("RW", True) else " (read-only)"
    return f"{mount.get('Source') or mount['Type']} -> {mount['Destination']}{only}"
