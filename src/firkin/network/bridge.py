"""The default network: one IPv4 address a container on a bridge of ours, NAT to the outside, published ports.

    allocate   rows: an address, host ports                            in one transaction, before anything exists
    new_netns  a network namespace with lo up
    attach     kernel: veth, address, route, map elements              bridge and table are made when they are missing
    detach     elements, then rows                                     the veth goes with its namespace
    sweep      whatever belongs to no live container
    retire     bridge and table, once no container has been attached for a while

Rows come first and go last, so whatever is in the kernel can be traced to a row by its name at any moment. The locks
are in lock.py.
"""

from __future__ import annotations

import errno

from firkin.errors import Conflict, NotFound, ResourceExhausted, SyscallError
from firkin.linux import netns
from firkin.network import firewall, ipam, ipv4, links, ports, tables
from firkin.network.dialogue import Dialogue
from firkin.network.lock import BUILD, EXCLUSIVE, SHARED, USERS, Lock
from firkin.network.ports import PortBinding, PortSpec, PortTaken, bindings_of
from firkin.network.sockets import Sockets
from firkin.record import Record
from firkin.wire import rtnl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from firkin.config import Config
    from firkin.db.connection import Database
    from firkin.network.ipv4 import Subnet
    from firkin.network.ports import Wanted
    from firkin.network.upkeep import Upkeep

__all__ = ["Bridge", "Endpoint", "PortBinding", "PortSpec", "PortTaken"]


class Endpoint(Record):
    """A container's place in the network. Addresses are text, ``prefix`` and ``mtu`` numbers."""

    container_id: str
    address: str
    prefix: int
    gateway: str
    mac: str
    ports: tuple[PortBinding, ...]
    bridge: str
    mtu: int = 1500
    network: str = tables.BRIDGE
    dns: tuple[str, ...] = ()

    @property
    def subnet(self) -> Subnet:
        bits = 32 - self.prefix
        return ipv4.Subnet(base=ipv4.parse(self.gateway) >> bits << bits, prefix=self.prefix)


class Bridge:
    """The bridge network of one engine, as one process sees it (a database never crosses a fork)."""

    def __init__(self, config: Config, db: Database) -> None:
        self._config = config
        self._db = db
        self._sockets = Sockets()
        self._attached: dict[str, Lock] = {}

    def allocate(
        self,
        container_id: str,
        wanted: Iterable[Wanted] = (),
        *,
        mac: str | None = None,
        ip: str | None = None,
        name: str = "",
    ) -> Endpoint:
        """Give the container an address and its ports; what it had before is given back first.

        ``name`` is for the messages of those who find a port taken. Raises PortTaken, Conflict, InvalidArgument,
        Unsupported, ResourceExhausted; then the container has nothing.
        """
        if mac:
            ipam.parse_mac(mac)
        self.detach(container_id)
        with self._db.write() as db:
            subnet, mtu, last = self._network()
            address = self._free_address(subnet, ip, last)
            given = ports.choose(wanted, lambda *port: tables.holder_of_port(db, *port))
            row = (container_id, tables.BRIDGE, address, mac or ipam.mac_of(address), name)
            tables.put_lease(db, row, advance=not ip)
            tables.put_ports(
                db, ((b.proto, b.host_ip, b.host_port, container_id, b.container_port) for b in given)
            )
        return self._endpoint(row, given, subnet, mtu)

    def endpoint(self, container_id: str) -> Endpoint | None:
        """Return what ``allocate`` gave the container, or None."""
        row = tables.lease(self._db, container_id)
        if row is None:
            return None
        subnet, mtu, _ = self._row()
        return self._endpoint(row, bindings_of(tables.ports(self._db, container_id)), subnet, mtu)

    @property
    def gateway(self) -> str:
        """The host as containers see it (host-gateway). Chooses the subnet when there is none yet."""
        with self._db.write():
            return ipv4.text(self._network()[0].gateway)

    def new_netns(self, *, alone: bool = False) -> int:
        """Return the fd of a new network namespace with lo up; the caller closes it. Must be called single-threaded.

        ``alone``: nothing will be attached to it, so no socket is kept in it (one pins the namespace).
        IPv6 is off on what comes into it later (this network has none), as Docker has it on eth0; lo keeps ::1.
        """
        opened: list[Dialogue] = []

        def within() -> None:
            guest = Dialogue.route()
            opened.append(guest)
            guest.call(rtnl.set_up(1, "lo"))
            _no_ipv6_by_default()

        try:
            fd = netns.make(within)
        except BaseException:
            for guest in opened:
                guest.close()
            raise
        if alone:
            opened[0].close()
        else:
            self._sockets.keep(fd, opened[0])
        return fd

    def adopt_netns(self, fd: int) -> None:
        """Make a network namespace that somebody else made (a container's user namespace owns it) like ours."""
        netns.visit(fd, _no_ipv6_by_default)

    def attach(self, endpoint: Endpoint, netns_fd: int) -> None:
        """Connect the namespace and publish the ports. After a failure no link is left; ``detach`` does the rest.

        Raises SyscallError, Conflict (a route of the host overlaps), Unavailable (forwarding cannot be switched on).
        """
        guest = self._sockets.take(netns_fd)
        users = Lock(self._config.paths.locks, USERS, SHARED)
        try:
            users.take()  # from here on nobody takes the bridge away
            if not self._try_attach(endpoint, guest, netns_fd):
                with Lock(self._config.paths.locks, BUILD, EXCLUSIVE):
                    self._upkeep().build(endpoint.subnet, endpoint.mtu)
                if not self._try_attach(endpoint, guest, netns_fd):
                    raise SyscallError(errno.ENODEV, "RTM_NEWLINK", endpoint.bridge)
        except BaseException:
            users.release()
            raise
        finally:
            guest.close()
        self._attached[endpoint.container_id] = users

    def users_fd(self, container_id: str) -> int:
        """Return the descriptor that says "attached" while it is open, -1 for none: an execve must pass it on."""
        users = self._attached.get(container_id)
        return users.fileno() if users is not None else -1

    def detach(self, container_id: str) -> None:
        """Give back ports and address; nothing there is no error. The veth goes with the container's namespace."""
        try:
            row = tables.lease(self._db, container_id)
            if row is not None:
                self._release(row)
        finally:
            users = self._attached.pop(container_id, None)
            if users is not None:
                users.release()

    def sweep(self, live: Collection[str]) -> list[str]:
        """Remove leases, elements and veths of this engine that no container in ``live`` owns; say which.

        With none live and no process about to do it (see ``retire``), bridge and table go too.
        """
        gone = []
        for row in tables.leases(self._db):
            if row[0] not in live:
                self.detach(row[0])
                gone.append(f"lease {ipv4.text(row[2])} of {row[0]}")
        upkeep = self._upkeep()
        gone += upkeep.sweep(live)
        if links.index_of(self._config.bridge) and upkeep.retire(0):
            gone.append(f"bridge {self._config.bridge}")
        return gone

    def teardown(self) -> bool:
        """Remove the bridge and the table unless a container is attached; say whether they are gone."""
        return self._upkeep().teardown()

    def retire(self, patience: float = 1.0) -> bool:
        """Tear down once no container has come for ``patience`` seconds; returns at once where others see to it."""
        return self._upkeep().retire(patience)

    def retire_later(self, patience: float = 1.0) -> int:
        """``retire`` in a forked child that keeps nothing of this process open; return its pid, or 0 for none.

        To be called after a ``detach``, single-threaded, last of all. Containers that are run one after the other then
        find their bridge made, and the last one leaves nothing.
        """
        return self._upkeep().retire_later(patience)

    def close(self) -> None:
        """Close the sockets."""
        self._sockets.close()

    def _try_attach(self, endpoint: Endpoint, guest: Dialogue, netns_fd: int) -> bool:
        """Attach, or say False when the bridge or the table is missing."""
        index = links.index_of(endpoint.bridge)
        subnet = endpoint.subnet
        table, netfilter = self._config.nft_table, self._sockets.netfilter()
        if not index or not firewall.stands(netfilter, table, subnet):
            return False
        address = ipv4.parse(endpoint.address)
        veth = links.veth_of(endpoint.container_id)
        try:
            links.connect(
                self._sockets.route(), guest, veth=veth, bridge=index, mtu=endpoint.mtu, netns_fd=netns_fd,
                mac=ipam.parse_mac(endpoint.mac), address=address, subnet=subnet, hairpin=bool(endpoint.ports),
            )  # fmt: skip
            if endpoint.ports:
                items = [firewall.element(b, address, endpoint.container_id) for b in endpoint.ports]
                firewall.publish(netfilter, table, items)
                self._forget_flows(endpoint.ports, address, gone=False)
        except SyscallError as error:
            links.remove(self._sockets.route(), veth)
            if error.errno in (errno.ENODEV, errno.ENOENT):
                return (
                    False  # an administrator removed the bridge or flushed the rules between two of our calls
                )
            if error.errno == errno.EXFULL:  # BR_MAX_PORTS
                raise ResourceExhausted(
                    f"bridge {endpoint.bridge} has 1023 containers, and the kernel lets it have no more",
                    hint="stop some, or use another --root: it has a bridge of its own",
                ) from error
            error.add_note(f"while attaching container {endpoint.container_id[:12]} to {endpoint.bridge}")
            raise
        return True

    def _release(self, row: tables.Lease) -> None:
        container_id, address = row[0], row[2]
        bindings = bindings_of(tables.ports(self._db, container_id))
        if bindings:
            items = [firewall.element(b, address, container_id) for b in bindings]
            firewall.withdraw(self._sockets.netfilter(), self._config.nft_table, items)
            self._forget_flows(bindings, address, gone=True)
        with self._db.write() as db:
            tables.drop_lease(db, container_id)

    def _forget_flows(self, bindings: tuple[PortBinding, ...], address: int, *, gone: bool) -> None:
        if any(binding.proto == ports.UDP for binding in bindings):
            from firkin.network import flows

            forget = flows.forget_server if gone else flows.forget_others
            forget(self._sockets.netfilter(), bindings, address)

    def _network(self) -> tuple[Subnet, int, int]:
        """Return (subnet, mtu, last address) in a transaction; the subnet is settled before the bridge is made."""
        known = tables.network(self._db, tables.BRIDGE)
        if known is None or not (links.index_of(self._config.bridge) or tables.any_lease(self._db)):
            from firkin.network import ground

            ground.settle(self._config, self._db, self._sockets.route())
        return self._row()

    def _row(self) -> tuple[Subnet, int, int]:
        row = tables.network(self._db, tables.BRIDGE)
        if row is None:
            raise NotFound("the bridge network has not been used yet", hint="start a container on it")
        return ipv4.parse_subnet(row[0]), row[1], row[2]

    def _free_address(self, subnet: Subnet, asked: str | None, last: int) -> int:
        if not asked:
            return ipam.choose_address(subnet, last, lambda address: self._holder(address) is not None)
        address = ipam.check_address(subnet, asked)
        holder = self._holder(address)
        if holder is not None:
            raise Conflict(
                f"address {asked} is taken by container {holder[4] or holder[0][:12]}",
                hint="choose another, or leave out --ip",
                container_id=holder[0],
            )
        return address

    def _holder(self, address: int) -> tables.Lease | None:
        return tables.holder_of_address(self._db, tables.BRIDGE, address)

    def _endpoint(
        self, row: tables.Lease, given: tuple[PortBinding, ...], subnet: Subnet, mtu: int
    ) -> Endpoint:
        return Endpoint(
            container_id=row[0],
            address=ipv4.text(row[2]),
            prefix=subnet.prefix,
            gateway=ipv4.text(subnet.gateway),
            mac=row[3],
            ports=given,
            bridge=self._config.bridge,
            mtu=mtu,
        )

    def _upkeep(self) -> Upkeep:
        from firkin.network.upkeep import Upkeep

        return Upkeep(self._config, self._db, self._sockets)


def _no_ipv6_by_default() -> None:
    try:
        with open("/proc/sys/net/ipv6/conf/default/disable_ipv6", "wb", buffering=0) as sysctl:
            sysctl.write(b"1")
    except OSError:
        pass  # no IPv6 in this kernel, or /proc/sys is read-only: a link-local address is all it gets
