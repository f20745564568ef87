"""ctnetlink: find and forget connections that conntrack remembers. Pure.

Source: include/uapi/linux/netfilter/nfnetlink_conntrack.h; the filter's bits are from
net/netfilter/nf_internals.h (they are ABI without a uapi header).
"""

from __future__ import annotations

from firkin.wire.netlink import NLM_F_DUMP, Message, Request, attr, attributes, nested, u8, u32
from firkin.wire.nfnl import GENMSG_SIZE, NFNL_SUBSYS_CTNETLINK, NFPROTO_IPV4, genmsg

IPCTNL_MSG_CT_GET = 1
IPCTNL_MSG_CT_DELETE = 2

CTA_TUPLE_ORIG = 1
CTA_TUPLE_REPLY = 2
CTA_ID = 12
CTA_FILTER = 25
CTA_FILTER_ORIG_FLAGS = 1
CTA_FILTER_REPLY_FLAGS = 2
CTA_TUPLE_IP = 1
CTA_TUPLE_PROTO = 2
CTA_IP_V4_SRC = 1
CTA_PROTO_NUM = 1
CTA_PROTO_DST_PORT = 3

_F_IP_SRC = 1 << 0
_F_PROTO_NUM = 1 << 3
_F_PROTO_DST_PORT = 1 << 5


class Flow:
    """One connection: its tuples as the kernel wrote them."""

    __slots__ = ("identity", "original", "reply")

    def __init__(self, original: bytes, reply: bytes, identity: bytes) -> None:
        self.original = original
        self.reply = reply
        self.identity = identity

    def reply_source(self) -> bytes:
        """The address that answers: a published port's container, after DNAT."""
        return attributes(attributes(self.reply).get(CTA_TUPLE_IP, b"")).get(CTA_IP_V4_SRC, b"")

    def original_port(self) -> tuple[int, int]:
        """(protocol, destination port) that the client asked for."""
        proto = attributes(attributes(self.original).get(CTA_TUPLE_PROTO, b""))
        number = proto.get(CTA_PROTO_NUM, b"\0")
        return number[0] if number else 0, int.from_bytes(proto.get(CTA_PROTO_DST_PORT, b""), "big")


def flows_to_port(proto: int, port: int) -> Request:
    """Ask for the connections whose first packet went to ``port`` (a kernel before 5.8 sends all)."""
    tuple_ = nested(
        CTA_TUPLE_ORIG,
        nested(CTA_TUPLE_PROTO, u8(CTA_PROTO_NUM, proto), attr(CTA_PROTO_DST_PORT, port.to_bytes(2, "big"))),
    )
    flags = u32(CTA_FILTER_ORIG_FLAGS, _F_PROTO_NUM | _F_PROTO_DST_PORT) + u32(CTA_FILTER_REPLY_FLAGS, 0)
    return _dump(tuple_ + nested(CTA_FILTER, flags))


def flows_of_server(address: bytes) -> Request:
    """Ask for the connections that ``address`` answers (a kernel before 5.8 sends all)."""
    tuple_ = nested(CTA_TUPLE_REPLY, nested(CTA_TUPLE_IP, attr(CTA_IP_V4_SRC, address)))
    flags = u32(CTA_FILTER_ORIG_FLAGS, 0) + u32(CTA_FILTER_REPLY_FLAGS, _F_IP_SRC)
    return _dump(tuple_ + nested(CTA_FILTER, flags))


def forget(flow: Flow) -> Request:
    """Remove one connection; gone already is ENOENT."""
    body = genmsg(NFPROTO_IPV4) + nested(CTA_TUPLE_ORIG, flow.original) + attr(CTA_ID, flow.identity)
    kind = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE
    return Request(kind, 0, body, "IPCTNL_MSG_CT_DELETE")


def flow(message: Message) -> Flow:
    """Read an IPCTNL_MSG_CT_NEW. Raises Malformed."""
    found = attributes(message.body, GENMSG_SIZE)
    return Flow(found.get(CTA_TUPLE_ORIG, b""), found.get(CTA_TUPLE_REPLY, b""), found.get(CTA_ID, b""))


def _dump(body: bytes) -> Request:
    kind = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET
    return Request(kind, NLM_F_DUMP, genmsg(NFPROTO_IPV4) + body, "IPCTNL_MSG_CT_GET")
