"""nfnetlink: the envelope around what nf_tables and conntrack are told. Pure.

    nfgenmsg  | family u8 | version u8 | res_id be16 |  attributes, integers big-endian

A change of nf_tables goes in a batch (begin, messages, end), which the kernel does as one transaction or not at all.
Source: include/uapi/linux/netfilter/nfnetlink.h.
"""

from __future__ import annotations

import _struct

from firkin.wire.netlink import Request

NFPROTO_UNSPEC = 0
NFPROTO_INET = 1
NFPROTO_IPV4 = 2

NFNL_SUBSYS_CTNETLINK = 1
NFNL_SUBSYS_NFTABLES = 10
NFNL_MSG_BATCH_BEGIN = 16
NFNL_MSG_BATCH_END = 17

_GENMSG = _struct.Struct(">BBH")
GENMSG_SIZE = 4


def genmsg(family: int, *, version: int = 0, res_id: int = 0) -> bytes:
    """Return a struct nfgenmsg."""
    return _GENMSG.pack(family, version, res_id)


def batch_begin() -> Request:
    body = genmsg(NFPROTO_UNSPEC, res_id=NFNL_SUBSYS_NFTABLES)
    return Request(NFNL_MSG_BATCH_BEGIN, 0, body, "NFNL_MSG_BATCH_BEGIN")


def batch_end() -> Request:
    body = genmsg(NFPROTO_UNSPEC, res_id=NFNL_SUBSYS_NFTABLES)
    return Request(NFNL_MSG_BATCH_END, 0, body, "NFNL_MSG_BATCH_END")
