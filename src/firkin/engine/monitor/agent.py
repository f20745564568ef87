"""The life of an exec's agent: receive the plan, join the container, copy, tell the exit code."""

from __future__ import annotations

import os
import time

from firkin import log
from firkin.engine import frames, liveness
from firkin.engine.monitor import channel as channels
from firkin.engine.monitor.client import Client
from firkin.engine.monitor.facts import image_users, machine
from firkin.engine.monitor.loop import Loop
from firkin.engine.monitor.stdio import Streams, adopt_terminal, close_theirs, open_stdio
from firkin.engine.plan import ExecPlan
from firkin.engine.steps import step
from firkin.errors import CannotRun, Conflict, Internal
from firkin.runtime.cgroup.api import Cgroup
from firkin.runtime.execute import execute
from firkin.specgen.facts import Facts
from firkin.specgen.options import ExecOptions
from firkin.specgen.process import exec_process
from firkin.wire import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from firkin.engine.context import Context
    from firkin.runtime.launch import Launched


def main(ctx: Context, channel: int) -> None:
    """Run one exec. Returns when its program has ended; errors of the start have been reported."""
    channels.warm()
    payload = channels.receive_plan(channel)
    if payload is None:
        return
    plan = ExecPlan(**json.loads(payload))
    if plan.marking and not log.marking():
        log.enable_marks()
    streams = Streams()
    try:
        launched = _launch(ctx, plan, streams)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the starter must hear it
        channels.send_marks(channel)
        channels.report(channel, error)
        return
    step("exec-launched")
    loop = Loop(
        pidfd=launched.pidfd,
        outputs=streams.outputs,
        stdin=streams.stdin,
        terminal=streams.terminal,
        stdin_once=True,
    )
    channels.send_marks(channel)
    channels.send(channel, frames.STARTED, {"pid": launched.pid, "start_time": launched.start_time})
    if plan.streams:
        loop.add(Client(channel, plan.streams, starter=True))
    else:
        os.close(channel)
    loop.run()
    _end(loop, streams)


def _launch(ctx: Context, plan: ExecPlan, streams: Streams) -> Launched:
    options = ExecOptions.from_dict(plan.options)
    spec = _spec(f"{ctx.config.paths.bundle(plan.container_id)}/config.json")
    root = f"/proc/{plan.pid}/root"
    if not liveness.running(plan.pid, plan.start_time):
        raise Conflict("the container has just ended")
    process = exec_process(
        spec, options, Facts(container_id=plan.container_id, **image_users(root), **machine()), plan.group_add
    )
    log.mark("process")
    stdio = open_stdio(streams, terminal=options.tty, stdin=options.interactive)
    try:
        launched: Launched = execute(
            process, init_pid=plan.pid, spec=spec, stdio=stdio,
            cgroup=Cgroup.open(f"{ctx.config.cgroup_parent}/{plan.container_id}"), cache=ctx.config.paths.cache,
            parent_death_signal=9,
        )  # fmt: skip
        adopt_terminal(streams, launched.terminal)
        return launched
    except CannotRun as error:
        from firkin.engine.explain.start import explained

        raise explained(error, root, process) from None
    finally:
        close_theirs(stdio)


def _spec(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb", buffering=0) as file:
            spec = json.loads(b"".join(iter(lambda: file.read(1 << 16), b"")))
        if isinstance(spec, dict):
            return spec
        error = "no JSON object"
    except FileNotFoundError:
        raise Conflict("the container has just ended") from None
    except (OSError, ValueError) as reason:
        error = str(reason)
    raise Internal(f"{path} is damaged ({error})", hint="restart the container: firkin restart NAME")


def _end(loop: Loop, streams: Streams) -> None:
    result = os.waitid(os.P_PIDFD, loop.pidfd, os.WEXITED)
    assert result is not None
    by_signal = result.si_code != os.CLD_EXITED
    for fd in streams.spare:
        os.close(fd)
    loop.drain()
    record: dict[str, Any] = {
        "exit_code": 128 + result.si_status if by_signal else result.si_status,
        "signal": result.si_status if by_signal else 0,
        "oom": False,
        "error": None,
        "finished_ns": time.time_ns(),
    }
    loop.announce(frames.EXIT, json.dumps(record).encode())
    loop.farewell()
