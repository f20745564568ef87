"""The life of a monitor: receive the plan, start the program, copy, record the end, clean up."""

from __future__ import annotations

import os

from firkin import log
from firkin.engine import frames
from firkin.engine.attachpoint import listen
from firkin.engine.logfile import LogWriter
from firkin.engine.monitor import channel as channels
from firkin.engine.monitor import lean, preload
from firkin.engine.monitor.charge import Charge
from firkin.engine.monitor.client import Client
from firkin.engine.monitor.crash import crash_report
from firkin.engine.monitor.ending import end
from firkin.engine.monitor.loop import Loop
from firkin.engine.monitor.outcome import give_up, record_failure
from firkin.engine.monitor.setup import Running, set_up
from firkin.engine.plan import StartPlan
from firkin.engine.steps import step
from firkin.units import parse_size
from firkin.wire import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.engine.context import Context


def main(ctx: Context, channel: int, owner: int, *, network: bool = True) -> None:
    """Run one container, on the bridge perhaps (``network``).

    Returns when nothing is left to do; errors of the start have been reported.
    """
    if network:
        _ = ctx.network
    preload.start()
    channels.warm()
    payload = channels.receive_plan(channel)
    if payload is None:
        return
    plan = StartPlan(**json.loads(payload))
    if plan.marking and not log.marking():
        log.enable_marks()
    running = Running()
    try:
        loop = _start(ctx, plan, running, channel, owner)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the starter must hear it and nothing may be left
        if log.debugging():
            import traceback

            error.add_note(traceback.format_exc())
        give_up(ctx, plan, running)
        channels.send_marks(channel)
        step("start-undone")
        if not channels.report(channel, error):
            record_failure(ctx, plan, error)
        os.close(channel)
        if plan.endpoint is not None:
            ctx.network.retire_later()
        return
    _watch(ctx, plan, running, loop)


def _watch(ctx: Context, plan: StartPlan, running: Running, loop: Loop) -> None:
    """Copy to the end, then clean up; become lean when it lasts."""
    paths = ctx.config.paths
    charge = Charge(
        container_id=plan.container_id,
        starts=plan.starts,
        home=paths.container(plan.container_id),
        bundle=paths.bundle(plan.container_id),
        cgroup_path=f"{ctx.config.cgroup_parent}/{plan.container_id}",
        network=plan.endpoint is not None,
        users_fd=ctx.network.users_fd(plan.container_id) if plan.endpoint is not None else -1,
        rm=plan.rm,
        heir=plan.heir,
        started_ns=running.started_ns,
        marks=len(log.marks()),
        spare=running.spare,
    )
    with crash_report(charge.home):
        if not lean.run_until_lasting(loop):
            lean.become(charge, loop, paths.root, paths.run_root)
            loop.run()  # it could not: go on as we are
        end(charge, loop, lambda: ctx)


def _start(ctx: Context, plan: StartPlan, running: Running, channel: int, owner: int) -> Loop:
    bundle = ctx.config.paths.bundle(plan.container_id)
    os.makedirs(bundle, mode=0o711, exist_ok=True)
    listener = listen(bundle)
    step("listening")
    logfile = open_log(ctx, plan)
    set_up(ctx, plan, running)
    assert running.launched is not None
    loop = Loop(
        pidfd=running.launched.pidfd,
        outputs=running.outputs,
        stdin=running.stdin,
        terminal=running.terminal,
        log=logfile,
        listener=listener,
        owner=owner,
        stdin_once="stdin" in plan.streams,
    )
    channels.send_marks(channel)
    started = {
        "pid": running.launched.pid,
        "start_time": running.launched.start_time,
        "started_ns": running.started_ns,
        "warnings": list(running.launched.warnings),
    }
    channels.send(channel, frames.STARTED, started)
    step("reported")
    if plan.streams:
        loop.add(Client(channel, plan.streams, starter=True))
    else:
        os.close(channel)
    return loop


def open_log(ctx: Context, plan: StartPlan) -> LogWriter | None:
    """Open the container's log as --log-driver and --log-opt say; None for the driver "none"."""
    config = plan.options.get("log") or {}
    if config.get("driver") == "none":
        return None
    opts = config.get("opts") or {}
    size = parse_size(opts["max-size"]) if opts.get("max-size", "-1") != "-1" else 0
    return LogWriter(
        f"{ctx.config.paths.container(plan.container_id)}/log", size, int(opts.get("max-file", 1))
    )
