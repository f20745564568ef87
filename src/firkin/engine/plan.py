"""What a monitor is told: all that a start needs, decided and looked up by the command, as one JSON value.

A monitor asks no database on its way in, so the same value starts a container from a forked child, from a child of
the spawner and, written down, from anywhere else.
"""

from __future__ import annotations

from firkin.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


STARTER, OWNER = "starter", "owner"


class StartPlan(Record):
    """JSON-able all through."""

    container_id: str
    name: str
    starts: int  # number of this run
    options: dict[str, Any]  # CreateOptions
    image_config: str  # JSON, as the image has it
    root: dict[str, Any]  # OverlayRoot
    kind: str = "image"  # or "host"
    masks: list[str] = []  # what the image "host" hides
    volumes: dict[str, str] = {}  # mount target -> directory of the volume
    subpaths: dict[str, str] = {}  # target -> what of its volume is mounted
    fresh: dict[str, str] = {}  # target -> volume that takes the image's content if it is empty
    endpoint: dict[str, Any] | None = None  # network.Endpoint, for the bridge
    namespaces: dict[str, str] = {}  # to join: OCI type -> /proc/PID/ns/...
    borrowed: dict[
        str, str
    ] = {}  # /etc/hosts, hostname and resolv.conf of the container whose network is joined
    shm_path: str = ""  # mount namespace of the container whose /dev/shm is shared
    uid_maps: list[dict[str, int]] = []
    gid_maps: list[dict[str, int]] = []
    boot_id: str = ""
    rm: bool = False
    streams: list[str] = []  # of the starter's connection
    heir: str = (
        ""  # who settles the row at the end, should he live then: STARTER, OWNER, "" nobody but the monitor
    )
    marking: bool = False  # send MARKS


class ExecPlan(Record):
    """What an exec's agent is told. JSON-able."""

    exec_id: str
    container_id: str
    pid: int  # the container's first process
    start_time: int
    options: dict[str, Any]  # ExecOptions
    group_add: list[str] = []  # the container's --group-add
    streams: list[str] = []
    marking: bool = False
