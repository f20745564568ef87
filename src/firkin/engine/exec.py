"""exec: one more program in a running container, through an agent of its own (engine/monitor/agent).

The agent is forked first, as a monitor is; it joins the container, and copies the streams over the connection. It
outlives the command that started it, as docker's exec does, and ends with the program.
"""

from __future__ import annotations

import os

from firkin import log
from firkin.engine import frames, liveness, states
from firkin.engine.attach import AttachClient
from firkin.engine.plan import ExecPlan
from firkin.engine.steps import step
from firkin.errors import Conflict
from firkin.wire import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.engine.context import Context, Forker
    from firkin.engine.row import Container
    from firkin.specgen.options import ExecOptions


class Execution(AttachClient):
    """A running exec: streams as AttachClient's. With ``detach`` there are none, and no exit code to wait for."""

    def __init__(self, fd: int) -> None:
        super().__init__(fd)
        self.id = os.urandom(32).hex()
        self.pid = 0

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code; output that nobody has read is dropped. Raises TimeoutError."""
        if self.exit is None:
            self.wait_exit(timeout)
        return int(self.exit["exit_code"]) if self.exit else 137


def execute(ctx: Context, ref: str, options: ExecOptions, *, forker: Forker | None = None) -> Execution:
    """Start a program in a running container. Raises NotFound, Conflict, InvalidArgument, CannotRun (126/127)."""
    agent = (forker or ctx.forker).fork_agent()
    log.mark("fork the agent")
    execution = Execution(agent.fd)
    try:
        container = _running(ctx, ref)
        streams = () if options.detach else _streams(options)
        plan = ExecPlan(
            exec_id=execution.id,
            container_id=container.id,
            pid=container.pid,
            start_time=container.start_time,
            options=_plain(options),
            group_add=list(container.create_options().group_add),
            streams=list(streams),
            marking=log.marking(),
        )
        execution.send(frames.pack_json(frames.PLAN, plan.to_dict()))
        step("exec-plan-sent")
        started = execution.await_start()
        execution.pid = started["pid"]
        step("exec-started")
    except BaseException:
        execution.close()
        raise
    if options.detach:
        execution.close()
    return execution


def _running(ctx: Context, ref: str) -> Container:
    from firkin.engine.container import find

    container = find(ctx, ref)
    states.check("exec", container)
    if not liveness.running(container.pid, container.start_time):
        raise Conflict(
            f"container {container.name} is not running", hint=f"start it with: firkin start {container.name}"
        )
    return container


def _streams(options: ExecOptions) -> tuple[str, ...]:
    return ("stdin", "stdout", "stderr") if options.interactive else ("stdout", "stderr")


def _plain(options: ExecOptions) -> dict[str, object]:
    return dict(json.loads(json.dumps(options.to_dict())))
