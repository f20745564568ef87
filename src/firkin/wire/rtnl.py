"""rtnetlink: requests about links, addresses and routes, and what the kernel tells of them. Pure.

Names are the kernel's. Sources: rtnetlink(7), include/uapi/linux/{rtnetlink,if_link,if_addr,if_bridge,veth}.h.
IPv4 addresses are 4 bytes in network order here.
"""

from __future__ import annotations

import _struct

from firkin.record import Record
from firkin.wire.netlink import (
    NLM_F_CREATE,
    NLM_F_DUMP,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    Malformed,
    Message,
    Request,
    attr,
    attributes,
    nested,
    text,
    text_of,
    u8,
    u32,
    u32_of,
)

RTM_NEWLINK = 16
RTM_DELLINK = 17
RTM_GETLINK = 18
RTM_NEWADDR = 20
RTM_GETADDR = 22
RTM_NEWROUTE = 24
RTM_GETROUTE = 26

AF_UNSPEC = 0
AF_INET = 2
AF_INET6 = 10

IFF_UP = 0x1
IFF_LOOPBACK = 0x8

IFLA_ADDRESS = 1
IFLA_IFNAME = 3
IFLA_MTU = 4
IFLA_MASTER = 10
IFLA_LINKINFO = 18
IFLA_AF_SPEC = 26
IFLA_NET_NS_FD = 28
IFLA_EXT_MASK = 29
IFLA_CARRIER_CHANGES = 35
IFLA_INFO_KIND = 1
IFLA_INFO_DATA = 2
IFLA_INFO_SLAVE_KIND = 4
IFLA_INFO_SLAVE_DATA = 5
IFLA_BRPORT_MODE = 4  # hairpin
IFLA_INET_CONF = 1
IFLA_INET6_ADDR_GEN_MODE = 8
IN6_ADDR_GEN_MODE_NONE = 1
IPV4_DEVCONF_ROUTE_LOCALNET = 26
VETH_INFO_PEER = 1
RTEXT_FILTER_SKIP_STATS = 1 << 3

IFA_ADDRESS = 1
IFA_LOCAL = 2
IFA_BROADCAST = 4

RTA_DST = 1
RTA_OIF = 4
RTA_GATEWAY = 5
RTA_TABLE = 15
RT_TABLE_MAIN = 254
RT_TABLE_LOCAL = 255
RTPROT_BOOT = 3
RTN_UNICAST = 1
RTN_LOCAL = 2
RTN_BROADCAST = 3

_IFINFO = _struct.Struct("=BxHiII")
_IFADDR = _struct.Struct("=BBBBI")
_RTMSG = _struct.Struct("=BBBBBBBBI")


class Link(Record):
    """A network device: ``index``, ``name``, ``flags`` (IFF_*), ``master`` (index or 0), ``mtu``, ``kind``."""

    index: int
    name: str
    flags: int
    master: int
    mtu: int
    kind: str
    mac: bytes
    carrier_changes: int


class Address(Record):
    """An IPv4 address of a device."""

    index: int
    address: bytes
    prefix: int


class Route(Record):
    """An IPv4 route; ``destination`` of prefix 0 is the default route."""

    destination: bytes
    prefix: int
    index: int
    table: int
    kind: int


def ifinfo(*, index: int = 0, flags: int = 0, family: int = AF_UNSPEC) -> bytes:
    """Return a struct ifinfomsg that changes the bits in ``flags`` to 1 and no others."""
    return _IFINFO.pack(family, 0, index, flags, flags)


def new_bridge(name: str, mac: bytes, mtu: int) -> Request:
    """Make a bridge. Its address is fixed: otherwise a bridge takes its ports' lowest, and it changes."""
    body = (
        ifinfo()
        + text(IFLA_IFNAME, name)
        + attr(IFLA_ADDRESS, mac)
        + u32(IFLA_MTU, mtu)
        + nested(IFLA_LINKINFO, text(IFLA_INFO_KIND, "bridge"))
    )
    return Request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body, "RTM_NEWLINK", name)


def bridge_up(name: str) -> Request:
    """Set a bridge up, routing 127/8 (for published ports of 127.0.0.1), without an IPv6 address of its own.

    IFLA_AF_SPEC sets the sysctl net.ipv4.conf.NAME.route_localnet in the same message.
    """
    spec = nested(
        IFLA_AF_SPEC,
        nested(AF_INET, nested(IFLA_INET_CONF, u32(IPV4_DEVCONF_ROUTE_LOCALNET, 1))),
    )
    body = ifinfo(flags=IFF_UP) + text(IFLA_IFNAME, name) + spec
    return Request(RTM_NEWLINK, 0, body, "RTM_NEWLINK", name)


def no_link_local(name: str) -> Request:
    """Keep the kernel from giving the device an fe80:: address."""
    spec = nested(IFLA_AF_SPEC, nested(AF_INET6, u8(IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE)))
    return Request(RTM_NEWLINK, 0, ifinfo() + text(IFLA_IFNAME, name) + spec, "RTM_NEWLINK", name)


def new_veth(name: str, *, master: int, mtu: int, peer: str, peer_mac: bytes, netns_fd: int) -> Request:
    """Make a veth pair in one message: our end a port of bridge ``master`` and up, the peer in ``netns_fd``.

    The peer cannot be up at once: veth_open() answers ENOTCONN until the pair is joined.
    """
    inner = (
        ifinfo()
        + text(IFLA_IFNAME, peer)
        + attr(IFLA_ADDRESS, peer_mac)
        + u32(IFLA_MTU, mtu)
        + u32(IFLA_NET_NS_FD, netns_fd)
    )
    body = (
        ifinfo(flags=IFF_UP)
        + text(IFLA_IFNAME, name)
        + u32(IFLA_MTU, mtu)
        + u32(IFLA_MASTER, master)
        + nested(
            IFLA_LINKINFO,
            text(IFLA_INFO_KIND, "veth"),
            nested(IFLA_INFO_DATA, nested(VETH_INFO_PEER, inner)),
        )
    )
    return Request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body, "RTM_NEWLINK", name)


def hairpin(name: str) -> Request:
    """Let a bridge send a frame back through the port it came from (own published port, with br_netfilter)."""
    body = (
        ifinfo()
        + text(IFLA_IFNAME, name)
        + nested(
            IFLA_LINKINFO,
            text(IFLA_INFO_SLAVE_KIND, "bridge"),
            nested(IFLA_INFO_SLAVE_DATA, u8(IFLA_BRPORT_MODE, 1)),
        )
    )
    return Request(RTM_NEWLINK, 0, body, "RTM_NEWLINK", name)


def set_up(index: int, name: str) -> Request:
    """Set a device up."""
    return Request(RTM_NEWLINK, 0, ifinfo(index=index, flags=IFF_UP), "RTM_NEWLINK", name)


def del_link(name: str) -> Request:
    """Remove a device; a veth takes its peer along."""
    return Request(RTM_DELLINK, 0, ifinfo() + text(IFLA_IFNAME, name), "RTM_DELLINK", name)


def get_link(name: str) -> Request:
    """Ask for one device."""
    body = ifinfo() + text(IFLA_IFNAME, name) + u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)
    return Request(RTM_GETLINK, 0, body, "RTM_GETLINK", name)


def get_links() -> Request:
    """Ask for all devices."""
    body = ifinfo() + u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)
    return Request(RTM_GETLINK, NLM_F_DUMP, body, "RTM_GETLINK")


def new_address(index: int, address: bytes, prefix: int, target: str) -> Request:
    """Give the device an IPv4 address; there already: it is left as it is."""
    mask = (1 << (32 - prefix)) - 1
    broadcast = (int.from_bytes(address, "big") | mask).to_bytes(4, "big")
    body = (
        _IFADDR.pack(AF_INET, prefix, 0, 0, index)
        + attr(IFA_LOCAL, address)
        + attr(IFA_ADDRESS, address)
        + attr(IFA_BROADCAST, broadcast)
    )
    return Request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, body, "RTM_NEWADDR", target)


def default_route(gateway: bytes, index: int) -> Request:
    """Send everything else through ``gateway``."""
    body = (
        _RTMSG.pack(AF_INET, 0, 0, 0, RT_TABLE_MAIN, RTPROT_BOOT, 0, RTN_UNICAST, 0)
        + attr(RTA_GATEWAY, gateway)
        + u32(RTA_OIF, index)
    )
    return Request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, body, "RTM_NEWROUTE", "default")


def get_routes() -> Request:
    """Ask for all IPv4 routes of all tables."""
    body = _RTMSG.pack(AF_INET, 0, 0, 0, 0, 0, 0, 0, 0)
    return Request(RTM_GETROUTE, NLM_F_DUMP, body, "RTM_GETROUTE")


def get_addresses() -> Request:
    """Ask for all IPv4 addresses."""
    return Request(RTM_GETADDR, NLM_F_DUMP, _IFADDR.pack(AF_INET, 0, 0, 0, 0), "RTM_GETADDR")


def link(message: Message) -> Link:
    """Read an RTM_NEWLINK. Raises Malformed."""
    _family, _type, index, flags, _change = _fixed(_IFINFO, message)
    found = attributes(message.body, _IFINFO.size)
    info = attributes(found.get(IFLA_LINKINFO, b""))
    return Link(
        index=index,
        name=text_of(found.get(IFLA_IFNAME, b"")),
        flags=flags,
        master=_number(found, IFLA_MASTER),
        mtu=_number(found, IFLA_MTU),
        kind=text_of(info.get(IFLA_INFO_KIND, b"")),
        mac=found.get(IFLA_ADDRESS, b""),
        carrier_changes=_number(found, IFLA_CARRIER_CHANGES),
    )


def address(message: Message) -> Address:
    """Read an RTM_NEWADDR. Raises Malformed."""
    _family, prefix, _flags, _scope, index = _fixed(_IFADDR, message)
    found = attributes(message.body, _IFADDR.size)
    value = found.get(IFA_LOCAL) or found.get(IFA_ADDRESS) or b""
    return Address(index=index, address=_ipv4(value, prefix), prefix=prefix)


def route(message: Message) -> Route:
    """Read an RTM_NEWROUTE. Raises Malformed."""
    _family, prefix, _src, _tos, table, _proto, _scope, kind, _flags = _fixed(_RTMSG, message)
    found = attributes(message.body, _RTMSG.size)
    return Route(
        destination=_ipv4(found.get(RTA_DST, bytes(4)), prefix),
        prefix=prefix,
        index=_number(found, RTA_OIF),
        table=_number(found, RTA_TABLE) or table,
        kind=kind,
    )


def _number(found: dict[int, bytes], kind: int) -> int:
    payload = found.get(kind)
    return u32_of(payload) if payload is not None else 0


def _fixed(layout: _struct.Struct, message: Message) -> tuple[int, ...]:
    if len(message.body) < layout.size:
        raise Malformed(f"rtnetlink message of {len(message.body)} bytes, at least {layout.size} expected")
    return layout.unpack_from(message.body)


def _ipv4(value: bytes, prefix: int) -> bytes:
    if len(value) != 4 or prefix > 32:
        raise Malformed(f"IPv4 address of {len(value)} bytes with prefix {prefix}")
    return value
