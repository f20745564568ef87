"""Rows of the network room: which subnet, who has which address, who publishes which port.

``published.host_ip`` 0.0.0.0 is every address, so it also stands in the way of each single one.
"""

from __future__ import annotations

from firkin.network.ipv4 import ANY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from firkin.db.connection import Database

BRIDGE = "bridge"  # the default network's name

SCHEMA = """
create table if not exists networks (
    name text primary key,
    subnet text not null,
    mtu integer not null,
    last_address integer not null
) without rowid;
create table if not exists leases (
    container_id text primary key,
    network text not null references networks (name),
    address integer not null,
    mac text not null,
    container_name text not null,
    unique (network, address)
) without rowid;
create table if not exists published (
    proto text not null,
    host_ip text not null,
    host_port integer not null,
    container_id text not null references leases (container_id) on delete cascade,
    container_port integer not null,
    primary key (proto, host_port, host_ip)
) without rowid;
create index if not exists published_by_container on published (container_id);
"""

Lease = tuple[str, str, int, str, str]  # container_id, network, address, mac, container_name
Port = tuple[str, str, int, str, int]  # proto, host_ip, host_port, container_id, container_port


def network(db: Database, name: str) -> tuple[str, int, int] | None:
    """Return (subnet, mtu, last address) or None."""
    return db.row("select subnet, mtu, last_address from networks where name = ?", (name,))


def put_network(db: Database, name: str, subnet: str, mtu: int) -> None:
    db.execute(
        "insert into networks values (?, ?, ?, 0) on conflict (name) do update set"
        " subnet = excluded.subnet, mtu = excluded.mtu, last_address = 0",
        (name, subnet, mtu),
    )


def any_lease(db: Database) -> bool:
    return db.row("select 1 from leases limit 1") is not None


def lease(db: Database, container_id: str) -> Lease | None:
    return db.row("select * from leases where container_id = ?", (container_id,))


def leases(db: Database) -> list[Lease]:
    return db.rows("select * from leases order by address")


def holder_of_address(db: Database, name: str, address: int) -> Lease | None:
    return db.row("select * from leases where network = ? and address = ?", (name, address))


def put_lease(db: Database, row: Lease, *, advance: bool) -> None:
    """Insert a lease; ``advance`` makes the next free address be looked for after this one."""
    db.execute("insert into leases values (?, ?, ?, ?, ?)", row)
    if advance:
        db.execute("update networks set last_address = ? where name = ?", (row[2], row[1]))


def put_ports(db: Database, rows: Iterable[Port]) -> None:
    for row in rows:
        db.execute("insert into published values (?, ?, ?, ?, ?)", row)


def ports(db: Database, container_id: str) -> list[Port]:
    return db.rows(
        "select * from published where container_id = ? order by host_port, proto", (container_id,)
    )


def all_ports(db: Database) -> list[tuple[str, str, int, str, int, int]]:
    """Return every published port with its container's address at the end."""
    return db.rows("select p.*, l.address from published p join leases l using (container_id)")


def holder_of_port(db: Database, proto: str, host_ip: str, host_port: int) -> tuple[str, str] | None:
    """Return (container id, container name) of who publishes a port that overlaps this one, or None."""
    return db.row(
        "select l.container_id, l.container_name from published p join leases l using (container_id)"
        " where p.proto = ? and p.host_port = ? and (p.host_ip = ? or p.host_ip = ? or ? = ?)",
        (proto, host_port, host_ip, ANY, host_ip, ANY),
    )


def drop_lease(db: Database, container_id: str) -> None:
    """Remove the lease, and its ports with it (on delete cascade)."""
    db.execute("delete from leases where container_id = ?", (container_id,))
