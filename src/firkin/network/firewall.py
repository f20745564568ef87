"""Published ports in the engine's table: one element of a map for each; the rules around them are in ruleset.py.

Each element has the container's short id as its comment, so that it can be traced to a row.
"""

from __future__ import annotations

import errno

from firkin.errors import SyscallError
from firkin.ids import short
from firkin.network import ipv4
from firkin.network.ipv4 import ANY
from firkin.network.ports import PROTOCOLS
from firkin.record import Record
from firkin.wire import nft

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from firkin.network.dialogue import Dialogue
    from firkin.network.ipv4 import Subnet
    from firkin.network.ports import PortBinding
    from firkin.wire.netlink import Request

_LAYOUT = 1  # raised whenever ruleset.py changes: a table of another layout is made anew


class Element(Record):
    """One entry of a map: ``map`` is "exact" or "any"."""

    map: str
    key: bytes
    data: bytes
    comment: str


def element(binding: PortBinding, address: int, container_id: str) -> Element:
    """Return the entry that publishes ``binding`` of the container with ``address``."""
    proto = bytes((PROTOCOLS[binding.proto], 0, 0, 0))
    key = _port(binding.host_port)
    if binding.host_ip != ANY:
        key = ipv4.packed(ipv4.parse(binding.host_ip)) + key
    return Element(
        map="any" if binding.host_ip == ANY else "exact",
        key=proto + key,
        data=ipv4.packed(address) + _port(binding.container_port),
        comment=short(container_id),
    )


def signature(subnet: Subnet) -> str:
    """Return the table's comment: of another layout or subnet, a table is made anew."""
    return f"firkin layout {_LAYOUT} for {subnet}"


def added(table: str, item: Element) -> Request:
    return nft.new_element(table, item.map, item.key, item.data, item.comment)


def removed(table: str, item: Element) -> Request:
    return nft.del_element(table, item.map, item.key)


def stands(dialogue: Dialogue, table: str, subnet: Subnet) -> bool:
    """Say whether the table is there and the one that ``plan`` makes."""
    try:
        return nft.table_comment(dialogue.get(nft.get_table(table))) == signature(subnet)
    except SyscallError as error:
        if error.errno == errno.ENOENT:
            return False
        raise


def publish(dialogue: Dialogue, table: str, items: Sequence[Element]) -> None:
    """Add elements in one transaction; what a dead container left under the same key is replaced."""
    try:
        dialogue.batch([added(table, item) for item in items])
    except SyscallError as error:
        if error.errno not in (errno.EEXIST, errno.EBUSY):
            raise
        for item in items:
            withdraw(dialogue, table, [item])
        dialogue.batch([added(table, item) for item in items])


def withdraw(dialogue: Dialogue, table: str, items: Sequence[Element]) -> None:
    """Remove elements; those that are gone already (or the whole table) are no error."""
    try:
        dialogue.batch([removed(table, item) for item in items])
        return
    except SyscallError as error:
        if error.errno != errno.ENOENT:
            raise
    if len(items) > 1:  # one was missing, so none was removed
        for item in items:
            withdraw(dialogue, table, [item])


def demolish(dialogue: Dialogue, table: str) -> None:
    """Remove the table; none there is no error."""
    try:
        dialogue.batch([nft.del_table(table)])
    except SyscallError as error:
        if error.errno != errno.ENOENT:
            raise


def _port(number: int) -> bytes:
    """A port as a part of a concatenation: big-endian, padded to a word."""
    return number.to_bytes(2, "big") + b"\0\0"
