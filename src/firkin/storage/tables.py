"""The rows of volumes. SQL is spoken here and in db only."""

from __future__ import annotations

from firkin.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.db.connection import Database, Row

SCHEMA = """
create table if not exists volumes (
    name       text primary key,
    driver     text not null default 'local',
    labels     text not null default '{}',   -- JSON object of strings
    options    text not null default '{}',   -- JSON object of strings: the local driver's type, device, o
    created_ns integer not null,
    anonymous  integer not null default 0,
    filling    integer not null default 0    -- image content is being copied in: not empty, not complete
) strict, without rowid;
"""

_COLUMNS = "name, driver, labels, options, created_ns, anonymous, filling"


class VolumeRow(Record):
    """One row of ``volumes``."""

    name: str
    driver: str
    labels: dict[str, str]
    options: dict[str, str]
    created_ns: int
    anonymous: bool
    filling: bool


def insert(db: Database, row: VolumeRow) -> bool:
    """Add ``row``; False when the name is taken."""
    import json

    return (
        db.execute(
            f"insert into volumes ({_COLUMNS}) values (?, ?, ?, ?, ?, ?, ?) on conflict (name) do nothing",  # noqa: S608 - column names of ours
            (row.name, row.driver, json.dumps(row.labels), json.dumps(row.options), row.created_ns,
             int(row.anonymous), int(row.filling)),
        )
        > 0
    )  # fmt: skip


def find(db: Database, name: str) -> VolumeRow | None:
    row = db.row(f"select {_COLUMNS} from volumes where name = ?", (name,))  # noqa: S608 - constant columns
    return None if row is None else _volume(row)


def every(db: Database) -> list[VolumeRow]:
    """Return all volumes by name."""
    return [_volume(row) for row in db.rows(f"select {_COLUMNS} from volumes order by name")]  # noqa: S608 - column names of ours


def set_filling(db: Database, name: str, *, filling: bool) -> None:
    db.execute("update volumes set filling = ? where name = ?", (int(filling), name))


def delete(db: Database, name: str) -> bool:
    """Remove the row; False when there was none."""
    return db.execute("delete from volumes where name = ?", (name,)) > 0


def _volume(row: Row) -> VolumeRow:
    import json

    name, driver, labels, options, created_ns, anonymous, filling = row
    return VolumeRow(name=name, driver=driver, labels=json.loads(labels), options=json.loads(options),
                     created_ns=created_ns, anonymous=bool(anonymous), filling=bool(filling))  # fmt: skip
