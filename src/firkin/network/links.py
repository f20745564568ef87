"""A container's veth pair: what is asked of rtnetlink.

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

from firkin.errors import SyscallError
from firkin.network import ipv4
from firkin.wire import rtnl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.network.dialogue import Dialogue
    from firkin.network.ipv4 import Subnet

PEER = "eth0"


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
    made = rtnl.new_veth(veth, master=bridge, mtu=mtu, peer=PEER, peer_mac=mac, netns_fd=netns_fd)
    requests = (made, rtnl.hairpin(veth)) if hairpin else (made,)
    try:
        host.call(*requests)
    except SyscallError as error:
        if error.errno != errno.EEXIST or not index_of(veth):
            raise
        remove(host, veth)  # of a dying namespace that this container had before
        host.call(*requests)
    # Asked, not guessed: the namespace may have devices of its own. (veth_newlink ignores a number for the peer.)
    index = rtnl.link(guest.get(rtnl.get_link(PEER))).index
    guest.call(
        rtnl.set_up(index, PEER),
        rtnl.new_address(index, ipv4.packed(address), subnet.prefix, PEER),
        rtnl.default_route(ipv4.packed(subnet.gateway), index),
    )


def remove(host: Dialogue, name: str) -> None:
    """Remove a device; gone already is no error."""
    try:
        host.call(rtnl.del_link(name))
    except SyscallError as error:
        if error.errno != errno.ENODEV:
            raise
