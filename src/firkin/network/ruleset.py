"""The engine's one nf_tables table: rules that never change, maps that containers' published ports go into.

    table ip firkin_ID {
      map exact { inet_proto . ipv4_addr . inet_service : ipv4_addr . inet_service }   -p 192.0.2.7:8080:80
      map any   { inet_proto . inet_service : ipv4_addr . inet_service }               -p 8080:80

      raw_prerouting  (raw)     from the bridge to 127/8: drop         the bridge routes 127/8, see below
      prerouting      (dstnat)  not to this host: return;  to 127/8 but not from lo: return;  dnat by exact, by any
      output          (dstnat)  not to this host: return;  dnat by exact, by any
      forward         (filter)  into the bridge from elsewhere: replies and dnat alone, else drop
      postrouting     (srcnat)  out of the bridge's subnet: masquerade;  hairpin and from 127/8 into it: masquerade
    }

What follows from it: a port published on 127.0.0.1 is reached from this host alone; a port that is not published is not
reached from outside, though a neighbour may know the subnet and route there; every host address, 127.0.0.1 too, leads
to a published port from the host and from containers. The host's own 127.0.0.1 reaches a container by routing 127/8 on
the bridge (route_localnet), so what containers send to 127/8 is dropped before anything else sees it.

Our table accepts; it cannot undo what another table drops (see diagnosis.py).
"""

from __future__ import annotations

import errno

from firkin.errors import SyscallError
from firkin.network import ipv4
from firkin.network.firewall import Element, added, signature
from firkin.wire import nftrules as nft
from firkin.wire.nft import del_table
from firkin.wire.rtnl import RTN_LOCAL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from firkin.network.dialogue import Dialogue
    from firkin.network.ipv4 import Subnet
    from firkin.wire.netlink import Request

_EQ, _NEQ = nft.NFT_CMP_EQ, nft.NFT_CMP_NEQ
_SRC, _DST = 12, 16  # offsets in the IPv4 header
_TRANSPORT = nft.TYPE_IPADDR, nft.TYPE_INET_SERVICE


def plan(table: str, bridge: str, subnet: Subnet, elements: Iterable[Element]) -> list[Request]:
    """Return the batch that makes the table with all its elements, in place of any that is there."""
    comment = signature(subnet)
    return [
        nft.new_table(table, comment),  # so that the next one finds something to remove
        del_table(table),
        nft.new_table(table, comment),
        *_maps(table),
        *_chains(table),
        *_rules(table, bridge, subnet),
        *(added(table, item) for item in elements),
    ]


def present(dialogue: Dialogue, table: str) -> list[Element]:
    """Return the elements that are in the kernel; none where there is no table."""
    found = []
    for name in ("exact", "any"):
        try:
            answers = dialogue.dump(nft.get_elements(table, name))
        except SyscallError as error:
            if error.errno == errno.ENOENT:
                return []
            raise
        for answer in answers:
            for key, data, comment in nft.elements(answer):
                found.append(Element(map=name, key=key, data=data, comment=comment))
    return found


def _maps(table: str) -> list[Request]:
    data = (nft.concatenated(*_TRANSPORT), 8)
    any_key = (nft.concatenated(nft.TYPE_INET_PROTOCOL, nft.TYPE_INET_SERVICE), 8)
    exact_key = (nft.concatenated(nft.TYPE_INET_PROTOCOL, *_TRANSPORT), 12)
    return [nft.new_map(table, "exact", 1, exact_key, data), nft.new_map(table, "any", 2, any_key, data)]


def _chains(table: str) -> list[Request]:
    return [
        nft.new_chain(table, "raw_prerouting", "filter", nft.NF_INET_PRE_ROUTING, nft.PRIORITY_RAW),
        nft.new_chain(table, "prerouting", "nat", nft.NF_INET_PRE_ROUTING, nft.PRIORITY_DSTNAT),
        nft.new_chain(table, "output", "nat", nft.NF_INET_LOCAL_OUT, nft.PRIORITY_DSTNAT),
        nft.new_chain(table, "forward", "filter", nft.NF_INET_FORWARD, nft.PRIORITY_FILTER),
        nft.new_chain(table, "postrouting", "nat", nft.NF_INET_POST_ROUTING, nft.PRIORITY_SRCNAT),
    ]


def _rules(table: str, bridge: str, subnet: Subnet) -> list[Request]:
    loopback = nft.in_subnet(_DST, bytes((127, 0, 0, 0)), 8)
    from_subnet = nft.in_subnet(_SRC, ipv4.packed(subnet.base), subnet.prefix)
    accept, drop, give_up = (nft.verdict(code) for code in (nft.NF_ACCEPT, nft.NF_DROP, nft.NFT_RETURN))
    into, elsewhere = nft.oifname(_EQ, bridge), nft.oifname(_NEQ, bridge)
    not_local = nft.fib_addrtype() + nft.compare(_NEQ, RTN_LOCAL.to_bytes(4, "little"))
    translated = nft.ct_any(nft.NFT_CT_STATUS, nft.IPS_DST_NAT)
    replies = nft.ct_any(nft.NFT_CT_STATE, nft.CT_ESTABLISHED | nft.CT_RELATED)
    rules: dict[str, list[tuple[bytes, ...]]] = {
        "raw_prerouting": [(nft.iifname(_EQ, bridge), loopback, drop)],
        "prerouting": [
            (not_local, give_up),
            (nft.iifname(_NEQ, "lo"), loopback, give_up),
            (_dnat_exact(),),
            (_dnat_any(),),
        ],
        "output": [(not_local, give_up), (_dnat_exact(),), (_dnat_any(),)],
        "forward": [
            (elsewhere, accept),
            (nft.iifname(_EQ, bridge), accept),
            (replies, accept),
            (translated, accept),
            (drop,),
        ],
        "postrouting": [
            (from_subnet, elsewhere, nft.oifname(_NEQ, "lo"), nft.masquerade()),
            (from_subnet, into, translated, nft.masquerade()),
            (nft.in_subnet(_SRC, bytes((127, 0, 0, 0)), 8), into, nft.masquerade()),
        ],
    }
    return [nft.new_rule(table, chain, *rule) for chain, listed in rules.items() for rule in listed]


def _dnat_exact() -> bytes:
    """``dnat to meta l4proto . ip daddr . th dport map @exact``"""
    return (
        nft.meta(nft.NFT_META_L4PROTO)
        + nft.payload(nft.NFT_PAYLOAD_NETWORK_HEADER, _DST, 4, nft.NFT_REG32_01)
        + nft.payload(nft.NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, nft.NFT_REG32_02)
        + nft.lookup("exact")
        + nft.dnat(nft.NFT_REG_1, nft.NFT_REG32_01)
    )


def _dnat_any() -> bytes:
    """``dnat to meta l4proto . th dport map @any``"""
    return (
        nft.meta(nft.NFT_META_L4PROTO)
        + nft.payload(nft.NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, nft.NFT_REG32_01)
        + nft.lookup("any")
        + nft.dnat(nft.NFT_REG_1, nft.NFT_REG32_01)
    )
