"""The bridge and its veth pairs: what is asked of rtnetlink, and what of /proc/sys.

    host                                         container's network namespace
    fkENGINE  172.30.0.1/16, routes 127/8        eth0  172.30.0.2/16, default via 172.30.0.1
      └── fvCONTAINER ═════════ veth ═══════════  ┘

A pair is made with both ends in their places by one message; nothing is ever moved. Our end comes up by it too, eth0 by
the message that gives it its address (veth refuses to come up before it knows its peer). It is not removed either: the
namespace's death takes it, without anybody waiting for the kernel (15 ms and more).
"""

from __future__ import annotations

import _socket
import errno
import os

from firkin.errors import SyscallError, Unavailable
from firkin.network import ipv4
from firkin.network.ipv4 import Subnet
from firkin.wire import rtnl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from firkin.network.dialogue import Dialogue

PEER = "eth0"
# In a fresh namespace lo is 1 and this is free, unless the kernel puts tunnels of its own into each (then EBUSY).
_PEER_INDEX = 2
_FORWARD = "/proc/sys/net/ipv4/ip_forward"


def veth_of(container_id: str) -> str:
    """Return the name of the host's end."""
    return f"fv{container_id[:13]}"


def index_of(name: str) -> int:
    """Return a device's index in the caller's namespace, 0 for none."""
    try:
        return _socket.if_nametoindex(name)
    except OSError:
        return 0


def connect(
    host: Dialogue, guest: Dialogue, *, veth: str, bridge: int, mtu: int, mac: bytes, netns_fd: int,
    address: int, subnet: Subnet, hairpin: bool,
) -> None:  # fmt: skip
    """Put ``address`` into the namespace by a new veth pair. Raises SyscallError (ENODEV: the bridge has gone)."""
    index = _make_pair(
        host, guest, veth=veth, bridge=bridge, mtu=mtu, mac=mac, netns_fd=netns_fd, hairpin=hairpin
    )
    guest.call(
        rtnl.set_up(index, PEER),
        rtnl.new_address(index, ipv4.packed(address), subnet.prefix, PEER),
        rtnl.default_route(ipv4.packed(subnet.gateway), index),
    )


def _make_pair(
    host: Dialogue, guest: Dialogue, *, veth: str, bridge: int, mtu: int, mac: bytes, netns_fd: int, hairpin: bool
) -> int:  # fmt: skip
    index = _PEER_INDEX
    for _ in range(3):
        made = rtnl.new_veth(
            veth, master=bridge, mtu=mtu, peer=PEER, peer_index=index, peer_mac=mac, netns_fd=netns_fd
        )
        try:
            host.call(made, *([rtnl.hairpin(veth)] if hairpin else []))
            break
        except SyscallError as error:
            if error.errno == errno.EEXIST and index_of(veth):
                remove(host, veth)  # of a dying namespace that this container had before
            elif error.errno in (errno.EBUSY, errno.EEXIST) and index:
                index = 0
            else:
                raise
    return index or rtnl.link(guest.get(rtnl.get_link(PEER))).index


def remove(host: Dialogue, name: str) -> None:
    """Remove a device; gone already is no error."""
    try:
        host.call(rtnl.del_link(name))
    except SyscallError as error:
        if error.errno != errno.ENODEV:
            raise


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


def default_mtu(host: Dialogue) -> int:
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


def _addresses(host: Dialogue) -> list[rtnl.Address]:
    return [rtnl.address(message) for message in host.dump(rtnl.get_addresses())]


def _name(index: int) -> str:
    try:
        return _socket.if_indextoname(index) if index else "?"
    except OSError:
        return "?"
