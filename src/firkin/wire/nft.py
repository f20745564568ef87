"""nf_tables: what starting and stopping a container says: elements of maps, and whether the table stands. Pure.

Tables, chains, rules and maps, which are made once, are in nftrules.py: this is on the start-up path, that is not.
Sources: include/uapi/linux/netfilter/nf_tables.h; user data is libnftnl's (include/udata.h).
"""

from __future__ import annotations

from firkin.wire.netlink import NLM_F_CREATE, Request, attr, attributes, nested, text, text_of
from firkin.wire.nfnl import GENMSG_SIZE, NFNL_SUBSYS_NFTABLES, NFPROTO_IPV4, genmsg

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.wire.netlink import Message

NFT_MSG_GETTABLE = 1
NFT_MSG_DELTABLE = 2
NFT_MSG_NEWSETELEM = 12
NFT_MSG_DELSETELEM = 14

_COMMENT = 0  # NFTNL_UDATA_*_COMMENT: nft(8) shows it


def new_element(table: str, name: str, key: bytes, data: bytes, comment: str) -> Request:
    """Add a map's element; one that is there with other data is EEXIST or EBUSY."""
    element = nested(1, nested(1, attr(1, key)), nested(2, attr(1, data)), attr(6, udata(comment)))
    body = text(1, table) + text(2, name) + nested(3, element)
    return request(NFT_MSG_NEWSETELEM, NLM_F_CREATE, body, "NFT_MSG_NEWSETELEM", f"{table} {name}")


def del_element(table: str, name: str, key: bytes) -> Request:
    """Remove a map's element; none there is ENOENT."""
    body = text(1, table) + text(2, name) + nested(3, nested(1, nested(1, attr(1, key))))
    return request(NFT_MSG_DELSETELEM, 0, body, "NFT_MSG_DELSETELEM", f"{table} {name}")


def del_table(table: str) -> Request:
    return request(NFT_MSG_DELTABLE, 0, text(1, table), "NFT_MSG_DELTABLE", table)


def get_table(table: str) -> Request:
    return request(NFT_MSG_GETTABLE, 0, text(1, table), "NFT_MSG_GETTABLE", table)


def table_comment(message: Message) -> str:
    """Read the comment of an NFT_MSG_NEWTABLE; "" for none. Raises Malformed."""
    return comment_of(attributes(message.body, GENMSG_SIZE).get(6, b""))


def request(kind: int, flags: int, body: bytes, name: str, target: str) -> Request:
    return Request(NFNL_SUBSYS_NFTABLES << 8 | kind, flags, genmsg(NFPROTO_IPV4) + body, name, target)


def udata(comment: str) -> bytes:
    """libnftnl's user data: type u8, length u8, value with its NUL."""
    value = comment.encode()[:250] + b"\0"
    return bytes((_COMMENT, len(value))) + value


def comment_of(udata: bytes) -> str:
    while len(udata) >= 2:
        kind, size = udata[0], udata[1]
        if kind == _COMMENT:
            return text_of(udata[2 : 2 + size])
        udata = udata[2 + size :]
    return ""
