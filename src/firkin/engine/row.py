"""A container as its row tells it, with the JSON columns opened on demand."""

from __future__ import annotations

from firkin.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from firkin.specgen.options import CreateOptions


class Container(Record):
    """One row; the fields are the columns, in order. Times are ns since the epoch, 0 is never."""

    id: str
    name: str
    image: str  # as asked for
    image_id: str
    options: str  # JSON: what differs from CreateOptions' defaults
    image_config: str  # JSON of the OCI image config
    summary: str = "{}"  # JSON: what `ps` shows of image and options merged: command, labels, exposed
    root: str = ""  # JSON: see engine.plan.Root
    mounts: str = "[]"  # JSON: the mount points as `inspect` shows them
    rm: int = 0
    owner: str = ""  # whose death ends it ("" nobody's)
    id_base: int = 0  # first host id of its own user namespace (--userns auto)
    id_count: int = 0
    created_ns: int
    state: str
    starts: int = 0  # how often it was started; distinguishes one run's traces from the next one's
    monitor_pid: int = 0
    monitor_start: int = 0
    pid: int = 0
    start_time: int = 0
    boot_id: str = ""
    endpoint: str = ""  # JSON of the network's Endpoint while it lasts
    exit_code: int = 0
    oom: int = 0
    error: str = ""  # JSON of errors.to_wire: why the last start failed
    ending: str = ""  # JSON: exit.json of the last run
    started_ns: int = 0
    finished_ns: int = 0

    def create_options(self) -> CreateOptions:
        """Return what was asked for at creation."""
        from firkin.specgen.options import CreateOptions
        from firkin.wire import json

        return CreateOptions.from_dict(json.loads(self.options))

    def opened(self, column: str) -> Any:  # noqa: ANN401 - JSON is anything
        """Return the value in a JSON column, or None when it is empty."""
        from firkin.wire import json

        text = self.__dict__[column]
        return json.loads(text) if text else None
