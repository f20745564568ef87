"""What all containers stand on: the bridge itself, forwarding, and a subnet that nothing else of this host uses."""

from __future__ import annotations

import _socket
import errno
import os

from firkin.errors import Conflict, SyscallError, Unavailable
from firkin.network import ipam, ipv4, resolv, tables
from firkin.network.ipv4 import Subnet
from firkin.network.links import index_of, remove
from firkin.wire import rtnl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from firkin.config import Config
    from firkin.db.connection import Database
    from firkin.network.dialogue import Dialogue

_FORWARD = "/proc/sys/net/ipv4/ip_forward"


def settle(config: Config, db: Database, host: Dialogue) -> None:
    """Make sure that the network's row names a usable subnet; called in a transaction, while nobody has a lease.

    It is chosen at the first use, and anew when a route of the host has come to overlap it. Raises Conflict (for the
    one that is set in engine.json), ResourceExhausted, InvalidArgument.
    """
    known = tables.network(db, tables.BRIDGE)
    taken = list(in_the_way(host, config.bridge))
    written = config.settings.get("bridge_subnet")
    if isinstance(written, str):
        subnet = ipv4.parse_subnet(written)
        refuse_overlap(subnet, taken)
    elif known is not None and _overlapping(ipv4.parse_subnet(known[0]), taken) is None:
        return
    else:
        subnet = ipam.choose_subnet([*(subnet for subnet, _ in taken), *_name_servers()])
    if known is None or known[0] != str(subnet):
        tables.put_network(db, tables.BRIDGE, str(subnet), _default_mtu(host))


def build_bridge(host: Dialogue, name: str, subnet: Subnet, mtu: int) -> None:
    """Make the bridge, or mend it. Raises SyscallError."""
    index = index_of(name)
    wanted = (ipv4.packed(subnet.gateway), subnet.prefix)
    if index and any((a.address, a.prefix) != wanted for a in _addresses(host) if a.index == index):
        remove(host, name)  # of a subnet that has been given up
        index = 0
    if not index:
        mac = bytes((0x02, 0x42)) + os.urandom(4)
        try:
            host.call(rtnl.new_bridge(name, mac, mtu))
        except SyscallError as error:
            if error.errno != errno.EEXIST:
                raise
        index = index_of(name)
    _no_ipv6(host, name)
    host.call(rtnl.new_address(index, *wanted, name), rtnl.bridge_up(name))


def enable_forwarding() -> None:
    """Let this host route IPv4. Only ever switched on: others may have come to need it since. Raises Unavailable."""
    try:
        with open(_FORWARD, "r+b", buffering=0) as sysctl:
            if sysctl.read(1) == b"0":
                sysctl.seek(0)
                sysctl.write(b"1")
    except OSError as error:
        raise Unavailable(
            f"cannot switch on IPv4 forwarding ({_FORWARD}: {error.strerror})",
            hint="run `sysctl net.ipv4.ip_forward=1`, or use --network none or host",
        ) from error


def _no_ipv6(host: Dialogue, name: str) -> None:
    """Containers must not find the host by a link-local address: the firewall is for IPv4 (IPv6 comes later)."""
    try:
        with open(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6", "wb", buffering=0) as sysctl:
            sysctl.write(b"1")
    except FileNotFoundError:
        return  # this kernel has no IPv6
    except OSError:
        host.call(rtnl.no_link_local(name))


def in_the_way(host: Dialogue, bridge: str) -> Iterator[tuple[Subnet, str]]:
    """Yield the subnets that this host routes other than to ``bridge``, with their device's name."""
    own = index_of(bridge)
    for route in (rtnl.route(message) for message in host.dump(rtnl.get_routes())):
        if route.prefix and not (own and route.index == own):
            yield (
                Subnet(base=int.from_bytes(route.destination, "big"), prefix=route.prefix),
                _name(route.index),
            )


def refuse_overlap(subnet: Subnet, taken: Iterable[tuple[Subnet, str]]) -> None:
    """Raise Conflict when one of the routes ``taken`` overlaps ``subnet``."""
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


def _default_mtu(host: Dialogue) -> int:
    """Return the MTU of the way out (a tunnel's or a cloud's is below 1500), 1500 where there is none."""
    for route in (rtnl.route(message) for message in host.dump(rtnl.get_routes())):
        if route.prefix == 0 and route.table == rtnl.RT_TABLE_MAIN and route.index:
            mtu = rtnl.link(host.get(rtnl.get_link(_name(route.index)))).mtu
            return min(1500, mtu) if mtu >= 576 else 1500
    return 1500


def ports_of(host: Dialogue, bridge: str) -> list[str]:
    """Return the names of the veths that are ports of ``bridge``."""
    index = index_of(bridge)
    if not index:
        return []
    found = (rtnl.link(message) for message in host.dump(rtnl.get_links()))
    return [link.name for link in found if link.master == index and link.name.startswith("fv")]


def changes(host: Dialogue, bridge: str) -> int:
    """Return how often the bridge has got its first port or lost its last; -1 where it is not there."""
    try:
        return rtnl.link(host.get(rtnl.get_link(bridge))).carrier_changes
    except SyscallError as error:
        if error.errno != errno.ENODEV:
            raise
        return -1


def _addresses(host: Dialogue) -> list[rtnl.Address]:
    return [rtnl.address(message) for message in host.dump(rtnl.get_addresses())]


def _name(index: int) -> str:
    try:
        return _socket.if_indextoname(index) if index else "?"
    except OSError:
        return "?"


def _overlapping(subnet: Subnet, taken: Iterable[tuple[Subnet, str]]) -> tuple[Subnet, str] | None:
    return next((item for item in taken if item[0].overlaps(subnet)), None)


def _name_servers() -> Iterator[Subnet]:
    """The host's name servers are not to be hidden behind the bridge, though no route may name them."""
    for server in resolv.servers_of(resolv.read_host()):
        if ":" not in server and server.count(".") == 3:
            yield Subnet(base=ipv4.parse(server), prefix=32)
