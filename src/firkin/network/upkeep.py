"""What happens seldom: making bridge and table, finding what nobody owns, taking all down when it is not used.

A row is there before, and until after, anything in the kernel; so whatever has no row is an orphan.
"""

from __future__ import annotations

import time

from firkin.network import firewall, ground, ipv4, links, ruleset, tables
from firkin.network.lock import EXCLUSIVE, Lock
from firkin.network.ports import bindings_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from firkin.config import Config
    from firkin.db.connection import Database
    from firkin.network.sockets import Sockets


class Upkeep:
    """The upkeep of one engine's network; its callers hold no lock and no transaction unless it is said."""

    def __init__(self, config: Config, db: Database, sockets: Sockets) -> None:
        self._config = config
        self._db = db
        self._sockets = sockets

    def build(self, subnet: ipv4.Subnet, mtu: int) -> None:
        """Make what is static: forwarding, the bridge, the table with the elements of all leases.

        The caller holds the exclusive lock. Raises Conflict, Unavailable, SyscallError.
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
        with self._lock():
            return self._sweep_elements() + self._sweep_veths(live)

    def teardown(self) -> bool:
        """Remove the bridge and the table unless somebody has a lease; say whether they are gone."""
        with self._lock():
            if tables.any_lease(self._db):
                return False
            firewall.demolish(self._sockets.netfilter(), self._config.nft_table)
            links.remove(self._sockets.route(), self._config.bridge)
        return True

    def retire(self, patience: float) -> bool:
        """Take all down once nobody has had a lease for ``patience`` seconds; say whether it was this process."""
        idle = Lock(f"{self._config.paths.locks}/network-idle", EXCLUSIVE)
        while not tables.any_lease(self._db):
            if not idle.take_now():
                return False  # another one waits already; it looks again after it lets go
            try:
                if self._stays_idle(patience):
                    return self.teardown()
            finally:
                idle.release()
        return False

    def _stays_idle(self, patience: float) -> bool:
        while True:
            before = tables.network(self._db, tables.BRIDGE)
            time.sleep(patience)
            if tables.any_lease(self._db):
                return False
            if tables.network(self._db, tables.BRIDGE) == before:  # no address was given meanwhile
                return True

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

    def _lock(self) -> Lock:
        return Lock(f"{self._config.paths.locks}/network", EXCLUSIVE)
