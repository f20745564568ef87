"""The default network: one IPv4 address a container on a bridge of ours, NAT to the outside, published ports.

    allocate   rows: an address, host ports                            in one transaction, before anything exists
    new_netns  a network namespace with lo up
    attach     kernel: veth, address, route, map elements              bridge and table are made when they are missing
    detach     elements, then rows                                     the veth goes with its namespace
    sweep      whatever belongs to no live container
    teardown   bridge and table, once no lease is left

Rows come first and go last, so whatever is in the kernel can be traced to a row by its name at any moment.

Locks: ``locks/network`` is held shared while a container is attached and exclusively while the bridge and the table are
made or removed, so neither can vanish under an attach. It is taken outside of any transaction.
"""

from __future__ import annotations

import errno
import fcntl
import os

from firkin.errors import Conflict, SyscallError
from firkin.linux import netns
from firkin.network import firewall, ipam, ipv4, links, ports, tables
from firkin.network.dialogue import Dialogue
from firkin.network.ports import PortBinding
from firkin.record import Record
from firkin.wire import rtnl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from firkin.config import Config
    from firkin.db.connection import Database
    from firkin.network.ipv4 import Subnet
    from firkin.network.ports import Wanted

NETWORK = "bridge"


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
    network: str = NETWORK
    dns: tuple[str, ...] = ()

    @property
    def subnet(self) -> Subnet:
        bits = 32 - self.prefix
        return ipv4.Subnet(base=ipv4.parse(self.gateway) >> bits << bits, prefix=self.prefix)


class Bridge:
    """The bridge network of one engine. One object a process: a forked one opens sockets of its own."""

    def __init__(self, config: Config, db: Database) -> None:
        self._config = config
        self._db = db
        self._pid = 0
        self._dialogues: dict[str, Dialogue] = {}
        self._guests: dict[tuple[int, int], Dialogue] = {}

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
        Unsupported, ResourceExhausted; then no row has changed.
        """
        if mac:
            ipam.parse_mac(mac)
        self.detach(container_id)
        with self._db.write() as db:
            subnet, mtu, last = self._network()
            if ip:
                address = ipam.check_address(subnet, ip)
                other = tables.holder_of_address(db, NETWORK, address)
                if other is not None:
                    raise Conflict(
                        f"address {ip} is taken by container {other[4] or other[0][:12]}",
                        hint="choose another, or leave out --ip",
                        container_id=other[0],
                    )
            else:
                address = ipam.choose_address(
                    subnet, last, lambda a: tables.holder_of_address(db, NETWORK, a) is not None
                )
            given = ports.choose(wanted, lambda *port: tables.holder_of_port(db, *port))
            row = (container_id, NETWORK, address, mac or ipam.mac_of(address), name)
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
        return self._endpoint(row, _bindings(tables.ports(self._db, container_id)), subnet, mtu)

    @property
    def gateway(self) -> str:
        """The host as containers see it (host-gateway). Chooses the subnet when there is none yet."""
        with self._db.write():
            return ipv4.text(self._network()[0].gateway)

    def new_netns(self) -> int:
        """Return the fd of a new network namespace with lo up; the caller closes it. Must be called single-threaded.

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
        self._fresh()
        self._guests[_identity(fd)] = opened[0]
        return fd

    def attach(self, endpoint: Endpoint, netns_fd: int) -> None:
        """Connect the namespace and publish the ports; after a failure nothing of it is left in the kernel.

        Raises SyscallError, Conflict (a route of the host overlaps), Unavailable (forwarding cannot be switched on).
        """
        guest = self._guest(netns_fd)
        try:
            with self._locked(fcntl.LOCK_SH):
                done = self._try_attach(endpoint, guest, netns_fd)
            if not done:
                with self._locked(fcntl.LOCK_EX):
                    self._build(endpoint.subnet, endpoint.mtu)
                    if not self._try_attach(endpoint, guest, netns_fd):
                        raise SyscallError(errno.ENODEV, "RTM_NEWLINK", endpoint.bridge)
        finally:
            guest.close()

    def detach(self, container_id: str) -> None:
        """Give back ports and address; nothing there is no error. The veth goes with the container's namespace."""
        row = tables.lease(self._db, container_id)
        if row is None:
            return
        bindings = _bindings(tables.ports(self._db, container_id))
        if bindings:
            self._unpublish(bindings, row[2], container_id)
        with self._db.write() as db:
            tables.drop_lease(db, container_id)

    def sweep(self, live: Collection[str]) -> list[str]:
        """Remove leases, map elements and veths of this engine that no container in ``live`` owns; say which."""
        gone = []
        for row in tables.leases(self._db):
            if row[0] not in live:
                self.detach(row[0])
                gone.append(f"lease {ipv4.text(row[2])} of {row[0]}")
        with self._locked(fcntl.LOCK_EX):
            return gone + self._sweep_elements() + self._sweep_veths(live)

    def teardown(self) -> bool:
        """Remove the bridge and the table unless somebody has a lease; say whether they are gone.

        It waits for the kernel (tens of ms): call it when nobody waits for you.
        """
        with self._locked(fcntl.LOCK_EX):
            if tables.any_lease(self._db):
                return False
            firewall.demolish(self._netfilter(), self._config.nft_table)
            links.remove(self._route(), self._config.bridge)
        return True

    def close(self) -> None:
        """Close the sockets."""
        for dialogue in (*self._dialogues.values(), *self._guests.values()):
            dialogue.close()
        self._dialogues, self._guests = {}, {}

    # One container ---------------------------------------------------------------------------------------------

    def _try_attach(self, endpoint: Endpoint, guest: Dialogue, netns_fd: int) -> bool:
        """Attach, or say False when the bridge or the table is missing."""
        index = links.index_of(endpoint.bridge)
        subnet = endpoint.subnet
        table = self._config.nft_table
        if not index or not firewall.stands(self._netfilter(), table, subnet):
            return False
        address = ipv4.parse(endpoint.address)
        veth = links.veth_of(endpoint.container_id)
        try:
            links.connect(
                self._route(), guest, veth=veth, bridge=index, mtu=endpoint.mtu, netns_fd=netns_fd,
                mac=ipam.parse_mac(endpoint.mac), address=address, subnet=subnet, hairpin=bool(endpoint.ports),
            )  # fmt: skip
            if endpoint.ports:
                items = [firewall.element(b, address, endpoint.container_id) for b in endpoint.ports]
                firewall.publish(self._netfilter(), table, items)
                self._forget_flows(endpoint.ports, address, gone=False)
        except SyscallError as error:
            links.remove(self._route(), veth)
            if error.errno in (errno.ENODEV, errno.ENOENT):
                return (
                    False  # an administrator removed the bridge or flushed the rules between two of our calls
                )
            error.add_note(f"while attaching container {endpoint.container_id[:12]} to {endpoint.bridge}")
            raise
        return True

    def _unpublish(self, bindings: tuple[PortBinding, ...], address: int, container_id: str) -> None:
        items = [firewall.element(b, address, container_id) for b in bindings]
        firewall.withdraw(self._netfilter(), self._config.nft_table, items)
        self._forget_flows(bindings, address, gone=True)

    def _forget_flows(self, bindings: tuple[PortBinding, ...], address: int, *, gone: bool) -> None:
        if any(binding.proto == ports.UDP for binding in bindings):
            from firkin.network import flows

            (flows.forget_server if gone else flows.forget_others)(self._netfilter(), bindings, address)

    # The network -----------------------------------------------------------------------------------------------

    def _network(self) -> tuple[Subnet, int, int]:
        """Return (subnet, mtu, last address); chosen at first use, and anew when it overlaps and nobody has a lease."""
        known = tables.network(self._db, NETWORK)
        if known is not None and tables.any_lease(self._db):
            return self._row()
        taken = list(links.in_the_way(self._route(), self._config.bridge))
        written = self._config.settings.get("bridge_subnet")
        if isinstance(written, str):
            subnet = ipv4.parse_subnet(written)
            _refuse_overlap(subnet, taken)
        elif known is not None and not _overlapping(ipv4.parse_subnet(known[0]), taken):
            return self._row()
        else:
            subnet = ipam.choose_subnet([*(subnet for subnet, _ in taken), *_name_servers()])
        if known is None or known[0] != str(subnet):
            tables.put_network(self._db, NETWORK, str(subnet), links.default_mtu(self._route()))
        return self._row()

    def _row(self) -> tuple[Subnet, int, int]:
        row = tables.network(self._db, NETWORK)
        if row is None:
            raise Conflict("the bridge network has not been used yet", hint="start a container on it")
        return ipv4.parse_subnet(row[0]), row[1], row[2]

    def _build(self, subnet: Subnet, mtu: int) -> None:
        """Make what is static: forwarding, the bridge, the table with the elements of all leases."""
        _refuse_overlap(subnet, links.in_the_way(self._route(), self._config.bridge))
        links.enable_forwarding()
        links.build_bridge(self._route(), self._config.bridge, subnet, mtu)
        if not firewall.stands(self._netfilter(), self._config.nft_table, subnet):
            batch = firewall.plan(
                self._config.nft_table, self._config.bridge, subnet, self._elements_of_rows()
            )
            self._netfilter().batch(batch)

    def _elements_of_rows(self) -> list[firewall.Element]:
        rows = tables.all_ports(self._db)
        return [firewall.element(_bindings([row[:5]])[0], row[5], row[3]) for row in rows]

    def _sweep_elements(self) -> list[str]:
        table = self._config.nft_table
        wanted = {(item.map, item.key): item.data for item in self._elements_of_rows()}
        orphans = [
            item
            for item in firewall.present(self._netfilter(), table)
            if wanted.get((item.map, item.key)) != item.data
        ]
        if orphans:
            firewall.withdraw(self._netfilter(), table, orphans)
        return [f"element of {item.comment or '?'} in map {item.map}" for item in orphans]

    def _sweep_veths(self, live: Collection[str]) -> list[str]:
        owned = {links.veth_of(container_id) for container_id in live}
        orphans = [v for v in links.ports_of(self._route(), self._config.bridge) if v not in owned]
        for veth in orphans:
            links.remove(self._route(), veth)
        return [f"veth {veth}" for veth in orphans]

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

    # Sockets and locks -----------------------------------------------------------------------------------------

    def _fresh(self) -> None:
        """Forget sockets that came by a fork: two processes on one would read each other's answers."""
        if self._pid != os.getpid():
            self.close()
            self._pid = os.getpid()

    def _route(self) -> Dialogue:
        self._fresh()
        if "route" not in self._dialogues:
            self._dialogues["route"] = Dialogue.route()
        return self._dialogues["route"]

    def _netfilter(self) -> Dialogue:
        self._fresh()
        if "netfilter" not in self._dialogues:
            self._dialogues["netfilter"] = Dialogue.netfilter()
        return self._dialogues["netfilter"]

    def _guest(self, fd: int) -> Dialogue:
        """Return the socket that ``new_netns`` opened in the namespace, or open one there."""
        self._fresh()
        known = self._guests.pop(_identity(fd), None)
        if known is not None:
            return known
        opened: list[Dialogue] = []
        netns.visit(fd, lambda: opened.append(Dialogue.route()))
        return opened[0]

    def _locked(self, how: int) -> _Lock:
        return _Lock(f"{self._config.paths.locks}/network", how)


class _Lock:
    """flock(2) on a file of its own, from entering to leaving; the kernel frees it when the process dies."""

    def __init__(self, path: str, how: int) -> None:
        self._path = path
        self._how = how

    def __enter__(self) -> None:
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, self._how)
        except BaseException:
            os.close(self._fd)
            raise

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


def _bindings(rows: Iterable[tables.Port]) -> tuple[PortBinding, ...]:
    return tuple(
        PortBinding(proto=proto, host_ip=host_ip, host_port=host_port, container_port=container_port)
        for proto, host_ip, host_port, _, container_port in rows
    )


def _identity(fd: int) -> tuple[int, int]:
    status = os.fstat(fd)
    return status.st_dev, status.st_ino


def _overlapping(subnet: Subnet, taken: Iterable[tuple[Subnet, str]]) -> tuple[Subnet, str] | None:
    return next((item for item in taken if item[0].overlaps(subnet)), None)


def _refuse_overlap(subnet: Subnet, taken: Iterable[tuple[Subnet, str]]) -> None:
    found = _overlapping(subnet, taken)
    if found is not None:
        other, device = found
        raise Conflict(
            f"the bridge network's subnet {subnet} overlaps the host's route to {other} by {device}",
            hint="remove that route, or stop all containers on the bridge: the next one gets another subnet",
            subnet=str(subnet),
            route=str(other),
            device=device,
        )


def _name_servers() -> Iterator[Subnet]:
    """The host's name servers are not to be hidden behind the bridge, though no route may name them."""
    from firkin.network import resolv

    for server in resolv.servers_of(resolv.read_host()):
        if ":" not in server and server.count(".") == 3:
            yield ipv4.Subnet(base=ipv4.parse(server), prefix=32)


def _no_ipv6_by_default() -> None:
    try:
        with open("/proc/sys/net/ipv6/conf/default/disable_ipv6", "wb", buffering=0) as sysctl:
            sysctl.write(b"1")
    except OSError:
        pass  # no IPv6 in this kernel, or /proc/sys is read-only: a link-local address is all it gets
