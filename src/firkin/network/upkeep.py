"""What happens seldom: making bridge and table, finding what nobody owns, taking all down when it is not used.

A row is there before, and until after, anything in the kernel; so whatever has no row is an orphan.
"""

from __future__ import annotations

import gc
import os
import time

from firkin.linux.process import close_range, reset_signals
from firkin.network import firewall, ground, ipv4, links, ruleset, tables
from firkin.network.lock import BUILD, EXCLUSIVE, IDLE, USERS, Lock
from firkin.network.ports import bindings_of
from firkin.network.sockets import Sockets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from firkin.config import Config
    from firkin.db.connection import Database


class Upkeep:
    """The upkeep of one engine's network; its callers hold no lock and no transaction unless it is said."""

    def __init__(self, config: Config, db: Database, sockets: Sockets) -> None:
        self._config = config
        self._db = db
        self._sockets = sockets

    def build(self, subnet: ipv4.Subnet, mtu: int) -> None:
        """Make what is static: forwarding, the bridge, the table with the elements of all leases.

        The caller holds the lock. Raises Conflict, Unavailable, SyscallError.
        """
        config, host = self._config, self._sockets.route()
        ground.refuse_overlap(subnet, ground.in_the_way(host, config.bridge))
        ground.enable_forwarding()
        ground.build_bridge(host, config.bridge, subnet, mtu)
        netfilter = self._sockets.netfilter()
        if not firewall.stands(netfilter, config.nft_table, subnet):
            netfilter.batch(ruleset.plan(config.nft_table, config.bridge, subnet, self._elements()))

    def sweep(self, live: Collection[str]) -> list[str]:
        """Remove elements without a row and veths without a container in ``live``; say which."""
        with self._lock(BUILD):
            return self._sweep_elements() + self._sweep_veths(live)

    def teardown(self) -> bool:
        """Remove the bridge and the table unless somebody is attached; say whether they are gone."""
        users = self._lock(USERS)
        if not users.take_now():
            return False
        try:
            with self._lock(BUILD):
                firewall.demolish(self._sockets.netfilter(), self._config.nft_table)
                links.remove(self._sockets.route(), self._config.bridge)
        finally:
            users.release()
        return True

    def retire(self, patience: float) -> bool:
        """Tear down once nobody has been attached for ``patience`` seconds; say whether it was this process.

        One process waits at a time. Who has detached and finds another one waiting leaves it to that one, which looks
        at the users once more after it has let go of the lock.
        """
        idle = self._lock(IDLE)
        while self._unused():
            if not idle.take_now():
                return False
            try:
                while self._unused():
                    if self._stays_idle(patience) and self.teardown():
                        return True
            finally:
                idle.release()
        return False

    def retire_later(self, patience: float) -> int:
        """Let a child of ours ``retire``; return its pid, or 0 where it is in use or another waits already."""
        idle = self._lock(IDLE)
        if not self._unused() or not idle.take_now():
            return 0
        idle.release()
        pid = os.fork()
        if pid:
            return pid
        try:
            _leave_everything()
            # No database here: SQLite's bookkeeping of its files came by the fork and is no longer true.
            Upkeep(self._config, self._db, Sockets()).retire(patience)
        finally:
            os._exit(0)

    def _unused(self) -> bool:
        users = self._lock(USERS)
        free = users.take_now()
        users.release()
        return free

    def _stays_idle(self, patience: float) -> bool:
        """Wait, and say whether the bridge has seen nobody come or go."""
        before = ground.changes(self._sockets.route(), self._config.bridge)
        time.sleep(patience)
        return ground.changes(self._sockets.route(), self._config.bridge) == before

    def _sweep_elements(self) -> list[str]:
        table, netfilter = self._config.nft_table, self._sockets.netfilter()
        wanted = {(item.map, item.key): item.data for item in self._elements()}
        orphans = [
            item
            for item in ruleset.present(netfilter, table)
            if wanted.get((item.map, item.key)) != item.data
        ]
        if orphans:
            firewall.withdraw(netfilter, table, orphans)
        return [f"element of {item.comment or '?'} in map {item.map}" for item in orphans]

    def _sweep_veths(self, live: Collection[str]) -> list[str]:
        owned = {links.veth_of(container_id) for container_id in live}
        host = self._sockets.route()
        orphans = [veth for veth in ground.ports_of(host, self._config.bridge) if veth not in owned]
        for veth in orphans:
            links.remove(host, veth)
        return [f"veth {veth}" for veth in orphans]

    def _elements(self) -> list[firewall.Element]:
        rows = tables.all_ports(self._db)
        return [firewall.element(bindings_of([row[:5]])[0], row[5], row[3]) for row in rows]

    def _lock(self, name: str) -> Lock:
        return Lock(self._config.paths.locks, name, EXCLUSIVE)


def _leave_everything() -> None:
    """Keep nothing of the process we were forked from: no terminal, no pipe somebody reads to its end, no lock."""
    gc.disable()  # what it collected would close numbers that are other files' by now
    os.setsid()
    reset_signals()
    close_range(0)
    os.chdir("/")
    for _ in range(3):
        os.open("/dev/null", os.O_RDWR)
