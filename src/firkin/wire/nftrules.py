"""nf_tables: tables, chains, rules and maps as messages, expressions as bytes. Pure.

A rule is a list of expressions that hand values on in registers: NFT_REG_1 is 16 bytes, and NFT_REG32_00 to _03 are
its four words, so that a key of several parts is loaded word by word and looked up as one. For instance
``dnat to meta l4proto . th dport map @any`` is

    meta l4proto -> REG_1    payload @th,16,16 -> REG32_01    lookup any REG_1 -> REG_1    dnat REG_1, REG32_01

Sources: include/uapi/linux/netfilter/nf_tables.h; the numbers of types, which only nft(8) reads, are from nftables'
include/datatype.h.
"""

from __future__ import annotations

from firkin.record import Record
from firkin.wire.netlink import (
    NLM_F_APPEND,
    NLM_F_CREATE,
    NLM_F_DUMP,
    Request,
    attr,
    attributes,
    be32,
    be32_of,
    nested,
    sequence,
    text,
    text_of,
)
from firkin.wire.nfnl import GENMSG_SIZE, NFNL_SUBSYS_NFTABLES, NFPROTO_IPV4, NFPROTO_UNSPEC, genmsg
from firkin.wire.nft import comment_of, request, udata

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.wire.netlink import Message

NFT_MSG_NEWTABLE = 0
NFT_MSG_NEWCHAIN = 3
NFT_MSG_GETCHAIN = 4
NFT_MSG_NEWRULE = 6
NFT_MSG_NEWSET = 9
NFT_MSG_GETSETELEM = 13

NF_INET_PRE_ROUTING, NF_INET_LOCAL_IN, NF_INET_FORWARD, NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING = range(5)
PRIORITY_RAW, PRIORITY_DSTNAT, PRIORITY_FILTER, PRIORITY_SRCNAT = -300, -100, 0, 100
NF_DROP, NF_ACCEPT, NFT_RETURN = 0, 1, -5

NFT_REG_VERDICT, NFT_REG_1 = 0, 1
NFT_REG32_00, NFT_REG32_01, NFT_REG32_02 = 8, 9, 10
NFT_META_IIFNAME, NFT_META_OIFNAME, NFT_META_L4PROTO = 6, 7, 16
NFT_PAYLOAD_NETWORK_HEADER, NFT_PAYLOAD_TRANSPORT_HEADER = 1, 2
NFT_CMP_EQ, NFT_CMP_NEQ = 0, 1
NFT_CT_STATE, NFT_CT_STATUS = 0, 2
CT_ESTABLISHED, CT_RELATED = 1 << 1, 1 << 2  # NF_CT_STATE_BIT
IPS_DST_NAT = 1 << 5
NFT_FIB_RESULT_ADDRTYPE, NFTA_FIB_F_DADDR = 3, 1 << 1
NFT_NAT_DNAT = 1
NFT_SET_MAP = 0x8

TYPE_IPADDR, TYPE_INET_PROTOCOL, TYPE_INET_SERVICE = 7, 12, 13
_IFNAMSIZ = 16


class Chain(Record):
    """A base chain as the kernel tells of it; ``hook`` is -1 for one without."""

    family: int
    table: str
    name: str
    hook: int
    policy: int


def concatenated(*types: int) -> int:
    """Return nft(8)'s number for a key or value of several parts."""
    number = 0
    for kind in types:
        number = number << 6 | kind
    return number


# Expressions ---------------------------------------------------------------------------------------------------


def expression(name: str, *parts: bytes) -> bytes:
    """Return one element of a rule's list: NFTA_LIST_ELEM { NFTA_EXPR_NAME, NFTA_EXPR_DATA }."""
    return nested(1, text(1, name), nested(2, *parts))


def meta(key: int, register: int = NFT_REG_1) -> bytes:
    return expression("meta", be32(1, register), be32(2, key))


def payload(base: int, offset: int, size: int, register: int = NFT_REG_1) -> bytes:
    return expression("payload", be32(1, register), be32(2, base), be32(3, offset), be32(4, size))


def compare(operator: int, value: bytes, register: int = NFT_REG_1) -> bytes:
    return expression("cmp", be32(1, register), be32(2, operator), nested(3, attr(1, value)))


def bitwise(size: int, mask: bytes, xor: bytes, register: int = NFT_REG_1) -> bytes:
    return expression(
        "bitwise",
        be32(1, register),
        be32(2, register),
        be32(3, size),
        nested(4, attr(1, mask)),
        nested(5, attr(1, xor)),
    )


def conntrack(key: int, register: int = NFT_REG_1) -> bytes:
    return expression("ct", be32(1, register), be32(2, key))


def fib_addrtype(register: int = NFT_REG_1) -> bytes:
    """Load the route type (RTN_*, native u32) of the packet's destination."""
    return expression("fib", be32(1, register), be32(2, NFT_FIB_RESULT_ADDRTYPE), be32(3, NFTA_FIB_F_DADDR))


def lookup(name: str, source: int = NFT_REG_1, destination: int = NFT_REG_1) -> bytes:
    """Replace the key in ``source`` by the map's value, or end the rule without a match."""
    return expression("lookup", text(1, name), be32(2, source), be32(3, destination))


def dnat(address: int, port: int) -> bytes:
    """Send the connection to the IPv4 address and port in these registers; this ends the chain."""
    return expression("nat", be32(1, NFT_NAT_DNAT), be32(2, NFPROTO_IPV4), be32(3, address), be32(5, port))


def masquerade() -> bytes:
    return expression("masq")


def verdict(code: int) -> bytes:
    return expression("immediate", be32(1, NFT_REG_VERDICT), nested(2, nested(2, be32(1, code))))


# Matches made of them --------------------------------------------------------------------------------------------


def iifname(operator: int, name: str) -> bytes:
    return meta(NFT_META_IIFNAME) + compare(operator, name.encode().ljust(_IFNAMSIZ, b"\0"))


def oifname(operator: int, name: str) -> bytes:
    return meta(NFT_META_OIFNAME) + compare(operator, name.encode().ljust(_IFNAMSIZ, b"\0"))


def in_subnet(offset: int, network: bytes, prefix: int) -> bytes:
    """Match the IPv4 address at ``offset`` of the IP header (12 source, 16 destination).

    A whole number of bytes is compared alone, as nft(8) does; else a mask is laid over the word.
    """
    if prefix % 8 == 0:
        size = prefix // 8
        return payload(NFT_PAYLOAD_NETWORK_HEADER, offset, size) + compare(NFT_CMP_EQ, network[:size])
    mask = (0xFFFFFFFF << (32 - prefix) & 0xFFFFFFFF).to_bytes(4, "big")
    return (
        payload(NFT_PAYLOAD_NETWORK_HEADER, offset, 4)
        + bitwise(4, mask, bytes(4))
        + compare(NFT_CMP_EQ, network)
    )


def ct_any(key: int, bits: int) -> bytes:
    """Match when one of ``bits`` is set in the connection's state or status."""
    return conntrack(key) + bitwise(4, bits.to_bytes(4, "little"), bytes(4)) + compare(NFT_CMP_NEQ, bytes(4))


# Messages and answers ----------------------------------------------------------------------------------------


def new_table(table: str, comment: str) -> Request:
    body = text(1, table) + attr(6, udata(comment))
    return request(NFT_MSG_NEWTABLE, NLM_F_CREATE, body, "NFT_MSG_NEWTABLE", table)


def new_chain(table: str, name: str, kind: str, hook: int, priority: int) -> Request:
    """Make a base chain with policy accept."""
    body = (
        text(1, table)
        + text(3, name)
        + nested(4, be32(1, hook), be32(2, priority))
        + be32(5, NF_ACCEPT)
        + text(7, kind)
    )
    return request(NFT_MSG_NEWCHAIN, NLM_F_CREATE, body, "NFT_MSG_NEWCHAIN", f"{table} {name}")


def new_rule(table: str, chain: str, *expressions: bytes) -> Request:
    """Append a rule."""
    body = text(1, table) + text(2, chain) + nested(4, *expressions)
    flags = NLM_F_CREATE | NLM_F_APPEND
    return request(NFT_MSG_NEWRULE, flags, body, "NFT_MSG_NEWRULE", f"{table} {chain}")


def new_map(table: str, name: str, set_id: int, key: tuple[int, int], data: tuple[int, int]) -> Request:
    """Make a map; ``key`` and ``data`` are (nft(8)'s type, bytes)."""
    body = (
        text(1, table)
        + text(2, name)
        + be32(3, NFT_SET_MAP)
        + be32(4, key[0])
        + be32(5, key[1])
        + be32(6, data[0])
        + be32(7, data[1])
        + be32(10, set_id)
    )
    return request(NFT_MSG_NEWSET, NLM_F_CREATE, body, "NFT_MSG_NEWSET", f"{table} {name}")


def get_chains() -> Request:
    """Ask for all chains of all families."""
    kind = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN
    return Request(kind, NLM_F_DUMP, genmsg(NFPROTO_UNSPEC), "NFT_MSG_GETCHAIN")


def get_elements(table: str, name: str) -> Request:
    body = text(1, table) + text(2, name)
    return request(NFT_MSG_GETSETELEM, NLM_F_DUMP, body, "NFT_MSG_GETSETELEM", f"{table} {name}")


def chain(message: Message) -> Chain:
    """Read an NFT_MSG_NEWCHAIN. Raises Malformed."""
    found = attributes(message.body, GENMSG_SIZE)
    hook = attributes(found[4]) if 4 in found else {}
    return Chain(
        family=message.body[0],
        table=text_of(found.get(1, b"")),
        name=text_of(found.get(3, b"")),
        hook=be32_of(hook[1]) if 1 in hook else -1,
        policy=be32_of(found[5]) if 5 in found else NF_ACCEPT,
    )


def elements(message: Message) -> list[tuple[bytes, bytes, str]]:
    """Read an NFT_MSG_NEWSETELEM: (key, data, comment) of each element. Raises Malformed."""
    result = []
    # The list is nlattr after nlattr of one type, so a dict would keep the last alone.
    listing = attributes(message.body, GENMSG_SIZE).get(3, b"")
    for _, item in sequence(listing):
        found = attributes(item)
        key = attributes(found.get(1, b"")).get(1, b"")
        data = attributes(found.get(2, b"")).get(1, b"")
        result.append((key, data, comment_of(found.get(6, b""))))
    return result
