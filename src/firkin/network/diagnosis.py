"""What is wrong with the network, for ``doctor`` and ``explain``: each problem with its cost and its cure.

Nothing here is on the way of a start. An accept in our table does not undo a drop in another one (nf_tables runs every
base chain of a hook), so a foreign FORWARD policy can only be told of.
"""

from __future__ import annotations

import errno

from firkin.atomic import read_text
from firkin.errors import SyscallError
from firkin.network import firewall, ground, ipv4, tables
from firkin.network.dialogue import Dialogue
from firkin.record import Record
from firkin.wire import nfnl, nftrules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from firkin.config import Config
    from firkin.db.connection import Database

_LEGACY = "/proc/net/ip_tables_names"


class Problem(Record):
    """``what`` is wrong, what it ``costs``, and the ``cure`` in the imperative."""

    what: str
    costs: str
    cure: str


def problems(config: Config, db: Database | None = None) -> list[Problem]:
    """Look at this host's network. Without a database the subnet and the leases are left out."""
    with Dialogue.route() as route, Dialogue.netfilter() as netfilter:
        try:
            found = list(_dropping(netfilter, config))
        except SyscallError as error:
            return [_no_nft(error)]
        if db is not None:
            found += _of_rows(config, db, route, netfilter)
    return found


def _no_nft(error: SyscallError) -> Problem:
    if error.errno in (errno.EPERM, errno.EACCES):
        return Problem(
            what="nf_tables may not be used", costs="no bridge network", cure="run as root (CAP_NET_ADMIN)"
        )
    return Problem(
        what=f"this kernel does not do nf_tables ({error})",
        costs="no bridge network and no published ports; --network none and host work",
        cure="load it (modprobe nf_tables) or use a kernel with CONFIG_NF_TABLES, NFT_NAT, NFT_MASQ and NFT_FIB_IPV4",
    )


def _dropping(netfilter: Dialogue, config: Config) -> Iterator[Problem]:
    bridge = config.bridge
    for chain in (nftrules.chain(message) for message in netfilter.dump(nftrules.get_chains())):
        concerns = chain.family in (nfnl.NFPROTO_INET, nfnl.NFPROTO_IPV4)
        if not concerns or chain.hook != nftrules.NF_INET_FORWARD or chain.policy != nftrules.NF_DROP:
            continue
        family = "ip" if chain.family == nfnl.NFPROTO_IPV4 else "inet"
        place = f"{family} {chain.table} {chain.name}"
        if (family, chain.table, chain.name) == ("ip", "filter", "FORWARD"):
            where = "DOCKER-USER" if "DOCKER-USER" in _chain_names(netfilter) else "FORWARD"
            cure = (
                f"run `iptables -I {where} -i {bridge} -j ACCEPT; iptables -I {where} -o {bridge} -j ACCEPT`"
            )
        else:
            cure = (
                f"run `nft insert rule {place} iifname {bridge} accept; "
                f"nft insert rule {place} oifname {bridge} accept`"
            )
        yield Problem(
            what=f"chain {place} drops forwarded packets that no rule of it accepts",
            costs="containers may not reach the outside, nor the outside their published ports",
            cure=cure,
        )
    if "filter" in (read_text(_LEGACY) or "").split():
        yield Problem(
            what="legacy iptables has a filter table, whose FORWARD policy nf_tables cannot see",
            costs="if it is DROP, containers do not reach the outside",
            cure=f"look at `iptables-legacy -S FORWARD`; accept {bridge} there if its policy is DROP",
        )


def _of_rows(config: Config, db: Database, route: Dialogue, netfilter: Dialogue) -> Iterator[Problem]:
    known = tables.network(db, tables.BRIDGE)
    if known is None:
        return
    subnet = ipv4.parse_subnet(known[0])
    for other, device in ground.in_the_way(route, config.bridge):
        if other.overlaps(subnet):
            yield Problem(
                what=f"the route to {other} by {device} overlaps the bridge network's {subnet}",
                costs="containers and that network cannot reach each other",
                cure="remove the route, or stop all containers on the bridge: the next one gets another subnet",
            )
    if not tables.any_lease(db):
        return
    if (read_text("/proc/sys/net/ipv4/ip_forward") or "").strip() == "0":
        yield Problem(
            what="IPv4 forwarding was switched off (net.ipv4.ip_forward = 0)",
            costs="containers do not reach the outside",
            cure="run `sysctl net.ipv4.ip_forward=1`",
        )
    if not firewall.stands(netfilter, config.nft_table, subnet):
        yield Problem(
            what=f"table ip {config.nft_table} is gone (did something run `nft flush ruleset`?)",
            costs="no NAT and no published ports for running containers",
            cure="start any container on the bridge: that makes it anew, with everybody's ports",
        )


def _chain_names(netfilter: Dialogue) -> set[str]:
    return {nftrules.chain(message).name for message in netfilter.dump(nftrules.get_chains())}
