"""UDP connections that conntrack remembers with an answer that is no longer true.

NAT is decided at a connection's first packet. A UDP client that keeps sending keeps its entry alive, so it would go on
talking to nobody (a port published meanwhile) or to a container that is gone. TCP heals itself by resets.
"""

from __future__ import annotations

import errno

from firkin.atomic import read_text
from firkin.errors import SyscallError
from firkin.network import ipv4
from firkin.network.ports import PROTOCOLS, UDP
from firkin.wire import ctnl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from firkin.network.dialogue import Dialogue
    from firkin.network.ports import PortBinding
    from firkin.wire.netlink import Request


def forget_others(dialogue: Dialogue, bindings: Iterable[PortBinding], address: int) -> None:
    """Forget the UDP flows to these host ports that do not lead to ``address``."""
    server = ipv4.packed(address)
    for binding in bindings:
        if binding.proto == UDP:
            wanted = (PROTOCOLS[UDP], binding.host_port)
            _forget(dialogue, ctnl.flows_to_port(*wanted), _Elsewhere(wanted, server))


class _Elsewhere:
    """Tells the flows to a host port that another than ``server`` answers."""

    def __init__(self, wanted: tuple[int, int], server: bytes) -> None:
        self._wanted = wanted
        self._server = server

    def __call__(self, flow: ctnl.Flow) -> bool:
        return flow.original_port() == self._wanted and flow.reply_source() != self._server


def forget_server(dialogue: Dialogue, bindings: Iterable[PortBinding], address: int) -> None:
    """Forget the flows that ``address`` answers, where it published a UDP port."""
    server = ipv4.packed(address)
    if any(binding.proto == UDP for binding in bindings):
        _forget(dialogue, ctnl.flows_of_server(server), lambda flow: flow.reply_source() == server)


_COUNT = "/proc/sys/net/netfilter/nf_conntrack_count"


def _forget(dialogue: Dialogue, question: Request, stale: Callable[[ctnl.Flow], bool]) -> None:
    if (read_text(_COUNT) or "").strip() == "0":
        return  # a dump walks the whole hash table, 10 ms for one of 262,144 buckets, even if it is empty
    try:
        flows = [ctnl.flow(message) for message in dialogue.dump(question)]
    except SyscallError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EINVAL):
            return  # this kernel has no ctnetlink: entries time out after 30 to 120 s without traffic
        raise
    for flow in flows:
        if not stale(flow):
            continue
        try:
            dialogue.call(ctnl.forget(flow))
        except SyscallError as error:
            if error.errno != errno.ENOENT:
                raise
