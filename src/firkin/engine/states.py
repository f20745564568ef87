"""What a container can be, and what may be done to it then. One table; there is no other rule.

    creating ──► created ──► starting ──► running ──► exited ──► (start: starting)
        │            │           │            │          │
        └────────────┴───────────┴── removing ┴──────────┘

``creating``, ``starting``, ``running`` and ``removing`` are unsettled: somebody must be alive who works on the
container (its monitor, or the holder of its lock). If nobody is, ``reconcile`` finishes what he began.
"""

from __future__ import annotations

from firkin.errors import Conflict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.engine.row import Container

CREATING, CREATED, STARTING, RUNNING, PAUSED, EXITED, REMOVING = (
    "creating", "created", "starting", "running", "paused", "exited", "removing",
)  # fmt: skip
SETTLED = (CREATED, EXITED)
LIVE = (STARTING, RUNNING, PAUSED)

# verb -> the states in which it may be used
ALLOWED: dict[str, tuple[str, ...]] = {
    "start": (CREATED, EXITED),
    "attach": (RUNNING,),
    "exec": (RUNNING,),
    "kill": (RUNNING, PAUSED),
    "top": (RUNNING, PAUSED),
    "remove": (CREATED, EXITED, REMOVING),
}
# What docker calls them in `ps` and `inspect`.
SHOWN = {CREATING: CREATED, STARTING: CREATED}


def shown(state: str) -> str:
    """Return docker's word for ``state``."""
    return SHOWN.get(state, state)


def check(verb: str, container: Container) -> None:
    """Refuse ``verb`` (Conflict) when the container's state forbids it."""
    if container.state in ALLOWED[verb]:
        return
    state = shown(container.state)
    what = f"cannot {verb} container {container.name}: it is {state}"
    hint = None
    if state in (CREATED, EXITED):
        hint = f"start it with: firkin start {container.name}"
    elif verb == "remove":
        hint = f"stop it first, or use: firkin rm -f {container.name}"
    raise Conflict(what, hint=hint, state=state)
