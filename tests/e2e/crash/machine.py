"""The audit: what is on the machine of one engine, and which of it belongs to nobody.

``audit(lab)`` compares rows, files and the kernel by reading them itself (SQLite read-only, /proc, /sys, ip, nft): it runs no
firkin, so it repairs nothing. It returns one line for each thing that no row of a live container owns.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path

SETTLED = ("created", "exited")


class Rows:
    """The database as it is now: a copy is read, for SQLite does not see through /proc/PID/root."""

    def __init__(self, root: str) -> None:
        with tempfile.TemporaryDirectory(prefix="firkin-test-rows-") as folder:
            for suffix in ("-wal", ""):  # a checkpoint in between moves rows from the first to the second
                source = Path(f"{root}/firkin.db{suffix}")
                if source.exists():
                    Path(f"{folder}/firkin.db{suffix}").write_bytes(source.read_bytes())
            db = sqlite3.connect(f"{folder}/firkin.db")
            db.row_factory = sqlite3.Row
            try:
                self._read(db)
            finally:
                db.close()

    def _read(self, db: sqlite3.Connection) -> None:
        self.containers = [dict(row) for row in db.execute("select * from containers")]
        self.leases = [row[0] for row in db.execute("select container_id from leases")]
        self.published = [
            tuple(row) for row in db.execute("select container_id, proto, host_port from published")
        ]
        self.volumes = {row[0] for row in db.execute("select name from volumes")}
        blobs = "select digest from image_blobs union select blob from image_layers"
        self.blobs = {row[0].partition(":")[2] for row in db.execute(blobs)}
        self.layers = {row[0].partition(":")[2] for row in db.execute("select diff_id from image_layers")}
        self.integrity = db.execute("pragma integrity_check").fetchone()[0]


def audit(root: str, run_root: str, *, idle: bool = False, view: str = "") -> list[str]:
    """Return what no live container owns.

    Bridge and table wait a second for the next container before they go: they are a complaint when it is ``idle`` longer.
    ``view`` is where the engine's file system is seen from here (/proc/PID/root).
    """
    engine = json.loads(Path(f"{view}{root}/engine.json").read_text())["id"]
    rows = Rows(view + root)
    ids = {row["id"] for row in rows.containers}
    live = {row["id"]: row for row in rows.containers if row["state"] == "running"}
    found = [f"database: {rows.integrity}"] if rows.integrity != "ok" else []
    found += [f"row {row['name']} is {row['state']}" for row in rows.containers
              if row["state"] not in (*SETTLED, "running")]  # fmt: skip
    found += _half_alive(live)
    found += [f"lease of {one[:12]}" for one in rows.leases if one not in live]
    found += [
        f"published {port}/{proto} of {one[:12]}" for one, proto, port in rows.published if one not in live
    ]
    found += _files(view + root, view + run_root, rows, ids, live)
    found += _cgroups(engine, live)
    found += _network(engine, rows, live, idle=idle)
    found += _processes(engine, root, run_root, live, idle=idle)
    return found


def nothing_is_left(
    root: str, run_root: str, *, idle: bool = False, view: str = "", patience: float = 4.0
) -> None:
    """Fail with what the audit finds; what the kernel or the network's last user take away a moment later may."""
    limit = time.monotonic() + patience
    while found := audit(root, run_root, idle=idle, view=view):
        assert time.monotonic() < limit, "\n".join(["nobody owns:", *found])
        time.sleep(0.05)


def start_time(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        return -1


def is_alive(pid: int, start: int) -> bool:
    """Say whether the process is there and no zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return int(fields[19]) == start and fields[0] not in "ZX"


def _half_alive(live: dict[str, dict]) -> list[str]:
    found = []
    for row in live.values():
        for what, pid, start in (
            ("monitor", row["monitor_pid"], row["monitor_start"]),
            ("program", row["pid"], row["start_time"]),
        ):
            if not is_alive(pid, start):
                found.append(f"{row['name']} is running, but its {what} {pid} is dead")
    return found


def _files(root: str, run_root: str, rows: Rows, ids: set[str], live: dict[str, dict]) -> list[str]:
    found = [f"{folder}/{name}" for folder, known in (
        (f"{root}/containers", ids), (f"{run_root}/containers", live), (f"{root}/volumes", rows.volumes),
        (f"{root}/tmp", ()), (f"{root}/blobs/sha256", rows.blobs), (f"{root}/layers", rows.layers),
    ) for name in _names(folder) if name not in known]  # fmt: skip
    found += [
        f"{run_root}/locks/{name}"
        for name in _names(f"{run_root}/locks")
        if len(name) == 64 and name not in ids
    ]
    found += [f"no directory of {row['name']}" for row in rows.containers
              if row["state"] in (*SETTLED, "running") and not os.path.isdir(f"{root}/containers/{row['id']}")]  # fmt: skip
    for base in (root, run_root):
        for folder, folders, names in os.walk(base):
            folders[:] = [
                name for name in folders if name not in ("upper", "work", "diff", "_data", "rootfs")
            ]
            found += [f"{folder}/{name}" for name in names if name.endswith(".tmp")]
    found += [
        f"{run_root}/{name}" for name in _names(run_root) if name not in ("containers", "locks", "swept")
    ]
    return found


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def hierarchies() -> list[str]:
    """Return the mount points of every cgroup hierarchy, version 1 and 2."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    return [line.split()[1] for line in lines if line.split()[2] in ("cgroup", "cgroup2")]


def _cgroups(engine: str, live: dict[str, dict]) -> list[str]:
    found = []
    for base in hierarchies():
        parent = f"{base}/firkin/{engine}"
        found += [f"cgroup {parent}/{name}" for name in _names(parent)
                  if os.path.isdir(f"{parent}/{name}") and name not in live]  # fmt: skip
        found += [f"cgroup {parent}"] if not live and os.path.isdir(parent) else []
    return found


def _network(engine: str, rows: Rows, live: dict[str, dict], *, idle: bool) -> list[str]:
    links = json.loads(subprocess.run(["ip", "-j", "link"], capture_output=True, check=True).stdout)
    bridge, table = f"fk{engine}", f"firkin_{engine}"
    veths = {f"fv{one[:13]}" for one in rows.leases if one in live}
    found = [f"link {link['ifname']}" for link in links
             if link.get("master") == bridge and link["ifname"] not in veths]  # fmt: skip
    listed = subprocess.run(
        ["nft", "-j", "list", "table", "ip", table], capture_output=True, text=True, check=False
    )
    text = listed.stdout if listed.returncode == 0 else ""
    if not veths and idle:
        found += [f"bridge {bridge}"] if any(link["ifname"] == bridge for link in links) else []
        found += [f"nft table {table}"] if text else []
    elements = [str(element) for item in (json.loads(text)["nftables"] if text else ())
                for element in item.get("map", {}).get("elem", ())]  # fmt: skip
    ports = [str(port) for one, _, port in rows.published if one in live]
    found += [f"nft element {element}" for element in elements if not any(port in element for port in ports)]
    found += [f"port {port} of a live container is in no nft element" for port in ports
              if not any(port in element for element in elements)]  # fmt: skip
    return found


def _processes(engine: str, root: str, run_root: str, live: dict[str, dict], *, idle: bool) -> list[str]:
    """Processes that are ours by cgroup, by what they have mounted, or by their command line."""
    monitors = {row["monitor_pid"]: row["id"] for row in live.values()}
    groups, parents = {}, {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            cgroup = Path(f"/proc/{name}/cgroup").read_text()
            parents[int(name)] = int(Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        place = cgroup.partition(f"/firkin/{engine}/")[2].split("\n")[0].split("/")[0]
        if place:
            groups[int(name)] = place
    agents = {parents[pid] for pid, place in groups.items() if place in live}
    found = [
        f"process {pid} in the cgroup of {place[:12]}" for pid, place in groups.items() if place not in live
    ]
    for pid in parents:
        if pid in groups or pid in monitors or pid in agents or pid == os.getpid():
            continue
        if not idle and _waits_for_idleness(pid, run_root):
            continue
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            mounts = Path(f"/proc/{pid}/mountinfo").read_text(errors="replace")
        except OSError:
            continue
        if f"{run_root}/" in mounts or f"={root}/" in mounts or f":{root}/" in mounts:
            found.append(f"process {pid} sees a mount of ours: {line[:120]}")
        elif f" {root} " in line and "python3 -I -S" in line:
            found.append(f"process {pid}: {line[:200]}")
    return found


def _waits_for_idleness(pid: int, run_root: str) -> bool:
    """Say whether it is the one that takes bridge and table away in a second."""
    try:
        return any(
            os.readlink(f"/proc/{pid}/fd/{fd}") == f"{run_root}/locks/network-idle"
            for fd in os.listdir(f"/proc/{pid}/fd")
        )
    except OSError:
        return False
