"""The engine's rows. All SQL about containers is here.

What is decided once (name, options, image) and what was last heard (state, pids, exit) are one row, so that
`ps` is one query. ``state`` is reconciled with the kernel when it is read (engine/reconcile).
"""

from __future__ import annotations

from firkin.engine.row import Container
from firkin.errors import AlreadyExists, Conflict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from firkin.db.connection import Database, Row, Value

SCHEMA = """
create table if not exists containers (
    id text primary key,
    name text not null unique,
    image text not null,
    image_id text not null,
    options text not null,
    image_config text not null,
    summary text not null default '{}',
    root text not null default '',
    mounts text not null default '[]',
    rm integer not null default 0,
    owner text not null default '',
    id_base integer not null default 0,
    id_count integer not null default 0,
    created_ns integer not null,
    state text not null,
    starts integer not null default 0,
    monitor_pid integer not null default 0,
    monitor_start integer not null default 0,
    pid integer not null default 0,
    start_time integer not null default 0,
    boot_id text not null default '',
    endpoint text not null default '',
    exit_code integer not null default 0,
    oom integer not null default 0,
    error text not null default '',
    ending text not null default '',
    started_ns integer not null default 0,
    finished_ns integer not null default 0
) without rowid;
create index if not exists containers_created on containers (created_ns);
create index if not exists containers_image on containers (image_id);
"""

_COLUMNS = ", ".join(Container._fields)
_SELECT = f"select {_COLUMNS} from containers"  # noqa: S608 - our own column names


def _container(row: Row) -> Container:
    return Container(**dict(zip(Container._fields, row, strict=True)))


def insert(db: Database, container: Container) -> None:
    """Add the row. Raises AlreadyExists when the name is taken."""
    marks = ", ".join("?" * len(Container._fields))
    values = [container.__dict__[field] for field in Container._fields]
    with db.write():
        refuse_taken(db, container.name)
        db.execute(f"insert into containers ({_COLUMNS}) values ({marks})", values)  # noqa: S608 - column names of ours


def refuse_taken(db: Database, name: str) -> None:
    """Raise AlreadyExists when a container has this name."""
    taken = db.row("select id from containers where name = ?", (name,))
    if taken:
        raise AlreadyExists(
            f'Conflict. The container name "/{name}" is already in use by container "{taken[0]}"',
            hint=f"remove it (firkin rm {name}), rename it, or choose another --name",
            by=taken[0],
        )


def get(db: Database, container_id: str) -> Container | None:
    """Return the container of this full id."""
    row = db.row(f"{_SELECT} where id = ?", (container_id,))
    return _container(row) if row else None


def matching(db: Database, ref: str) -> list[Container]:
    """Return the container named ``ref`` or with that id; else all (two at most) whose id starts so."""
    rows = db.rows(f"{_SELECT} where name = ? or id = ?", (ref, ref))
    if not rows and ref and set(ref) <= set("0123456789abcdef"):
        rows = db.rows(f"{_SELECT} where id >= ? and id < ? limit 2", (ref, ref + "g"))
    exact = [row for row in rows if row[1] == ref]
    return [_container(row) for row in (exact or rows)]


def names(db: Database) -> list[str]:
    """Return all names."""
    return [row[0] for row in db.rows("select name from containers order by name")]


def listed(db: Database) -> list[Container]:
    """Return all containers, newest first."""
    return [_container(row) for row in db.rows(f"{_SELECT} order by created_ns desc, id")]


def to_check(db: Database) -> list[tuple[str, str, int, int, str]]:
    """Return (id, state, monitor_pid, monitor_start, owner) of those somebody should be working on or living for."""
    return [
        (row[0], row[1], row[2], row[3], row[4])
        for row in db.rows(
            "select id, state, monitor_pid, monitor_start, owner from containers"
            " where state not in ('created', 'exited') or owner != ''"
        )
    ]


def count(db: Database) -> int:
    """Return how many containers there are."""
    row = db.row("select count(*) from containers")
    return int(row[0]) if row else 0


def owned_by(db: Database, owner: str) -> list[Container]:
    """Return the containers bound to ``owner``."""
    return [_container(row) for row in db.rows(f"{_SELECT} where owner = ?", (owner,))]


def id_ranges(db: Database) -> list[tuple[int, int]]:
    """Return (first, count) of the host ids that containers with a user namespace of their own have."""
    return [
        (row[0], row[1]) for row in db.rows("select id_base, id_count from containers where id_base != 0")
    ]


def ids(db: Database) -> set[str]:
    """Return the ids of all containers."""
    return {row[0] for row in db.rows("select id from containers")}


def image_users(db: Database, image_id: str) -> list[Container]:
    """Return the containers made from this image."""
    return [_container(row) for row in db.rows(f"{_SELECT} where image_id = ?", (image_id,))]


def update(
    db: Database, container_id: str, where: str = "", args: Sequence[Value] = (), **values: Value
) -> int:
    """Set columns; ``where`` is a further condition. Returns the number of rows changed (0 or 1)."""
    assert values.keys() <= set(Container._fields)
    setting = ", ".join(f"{column} = ?" for column in values)
    condition = f" and {where}" if where else ""
    return db.execute(
        f"update containers set {setting} where id = ?{condition}",  # noqa: S608 - column names of ours
        (*values.values(), container_id, *args),
    )


def starting(
    db: Database, container_id: str, starts: int, monitor: tuple[int, int], boot_id: str, endpoint: str
) -> None:
    """Write, before anything of a start is done, what a survivor needs to undo it. Raises Conflict."""
    changed = update(
        db, container_id, "starts = ? and state in ('creating', 'created', 'exited')", (starts - 1,),
        state="starting", starts=starts, monitor_pid=monitor[0], monitor_start=monitor[1], pid=0, start_time=0,
        boot_id=boot_id, endpoint=endpoint, exit_code=0, oom=0, error="", ending="", started_ns=0, finished_ns=0,
    )  # fmt: skip
    if not changed:
        raise Conflict("the container was started or removed by somebody else", hint="try again")


def running(db: Database, container_id: str, starts: int, pid: int, start_time: int, started_ns: int) -> None:
    """Record a start that worked, unless the container has ended meanwhile."""
    update(
        db, container_id, "state = 'starting' and starts = ?", (starts,),
        state="running", pid=pid, start_time=start_time, started_ns=started_ns,
    )  # fmt: skip


def failed(db: Database, container_id: str, exit_code: int, error: str, finished_ns: int) -> None:
    """Record a start that did not work: docker leaves such a container in state created."""
    update(
        db, container_id, "state in ('creating', 'starting')",
        state="created", exit_code=exit_code, error=error, finished_ns=finished_ns,
        monitor_pid=0, monitor_start=0, pid=0, start_time=0, endpoint="",
    )  # fmt: skip


def exited(
    db: Database, container_id: str, starts: int, *, exit_code: int, oom: bool, ending: str,
    started_ns: int, finished_ns: int,
) -> None:  # fmt: skip
    """Record the end of run number ``starts``."""
    update(
        db, container_id, "starts = ? and state in ('starting', 'running', 'paused')", (starts,),
        state="exited", exit_code=exit_code, oom=int(oom), ending=ending, started_ns=started_ns,
        finished_ns=finished_ns, monitor_pid=0, monitor_start=0, pid=0, start_time=0, endpoint="",
    )  # fmt: skip


def delete(db: Database, container_id: str) -> None:
    """Forget the container."""
    db.execute("delete from containers where id = ?", (container_id,))
