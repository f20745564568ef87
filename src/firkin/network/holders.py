"""Which program has a port of the host: from /proc/net/{tcp,udp}{,6} to /proc/PID/fd."""

from __future__ import annotations

import os

from firkin.atomic import read_text
from firkin.network import ipv4
from firkin.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_TCP_LISTEN = "0A"


class Program(Record):
    """A process and its name (/proc/PID/comm)."""

    pid: int
    program: str


def listener(proto: str, host_ip: str, port: int) -> Program | None:
    """Return who listens on (tcp) or is bound to (udp) the port, or None where it cannot be seen."""
    inodes = set()
    for table in (proto, f"{proto}6"):
        inodes |= set(sockets(read_text(f"/proc/net/{table}") or "", proto, host_ip, port))
    return _owner(inodes) if inodes else None


def sockets(table: str, proto: str, host_ip: str, port: int) -> Iterator[str]:
    """Yield the inodes in the text of a /proc/net table whose local end overlaps ``host_ip``:``port``."""
    wanted = ipv4.parse(host_ip)
    for line in table.splitlines()[1:]:
        words = line.split()
        if len(words) < 10 or (proto == "tcp" and words[3] != _TCP_LISTEN):
            continue
        address, _, number = words[1].partition(":")
        if int(number, 16) != port:
            continue
        local = _address(address)
        if local is not None and (local == wanted or 0 in (local, wanted)):
            yield words[9]


def _address(digits: str) -> int | None:
    """Read the kernel's hex, native order word by word; IPv6 counts where it takes IPv4 traffic."""
    if len(digits) == 8:
        return int.from_bytes(bytes.fromhex(digits), "little")
    if digits == "0" * 32:
        return 0
    if digits.startswith("0000000000000000FFFF0000"):  # ::ffff:a.b.c.d
        return int.from_bytes(bytes.fromhex(digits[24:]), "little")
    return None


def _owner(inodes: set[str]) -> Program | None:
    targets = {f"socket:[{inode}]" for inode in inodes}
    for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):
        try:
            with os.scandir(f"/proc/{pid}/fd") as entries:
                found = any(os.readlink(entry.path) in targets for entry in entries)
        except OSError:
            continue  # gone meanwhile, or not ours to see
        if found:
            return Program(pid=pid, program=(read_text(f"/proc/{pid}/comm") or "?").strip())
    return None
