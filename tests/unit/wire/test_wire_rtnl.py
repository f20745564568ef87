"""rtnetlink requests as bytes, and answers as values."""

from __future__ import annotations

import pytest

from firkin.wire import ctnl, nfnl, nft, nftrules, rtnl
from firkin.wire.netlink import Malformed, Message, attr, attributes, nested, text, u32


def test_new_address_as_iproute2_sends_it():
    # strace -e trace=sendmsg -e write=3 ip addr replace 172.30.0.2/16 broadcast + dev eth0
    request = rtnl.new_address(2, bytes((172, 30, 0, 2)), 16, "eth0")
    assert (request.kind, request.flags) == (20, 0x500)
    assert request.body.hex(" ") == (
        "02 10 00 00 02 00 00 00 08 00 02 00 ac 1e 00 02 08 00 01 00 ac 1e 00 02 08 00 04 00 ac 1e ff ff"
    )


def test_default_route_as_iproute2_sends_it():
    request = rtnl.default_route(bytes((172, 30, 0, 1)), 2)
    assert (request.kind, request.flags) == (24, 0x500)
    assert request.body.hex(" ") == (
        "02 00 00 00 fe 03 00 01 00 00 00 00 08 00 05 00 ac 1e 00 01 08 00 04 00 02 00 00 00"
    )


def test_veth_has_its_peer_inside():
    request = rtnl.new_veth(
        "fv1", master=9, mtu=1400, peer="eth0", peer_mac=b"\x02\x42\xac\x1e\0\2", netns_fd=5
    )
    top = attributes(request.body, 16)
    assert request.body[:16] == rtnl.ifinfo(flags=rtnl.IFF_UP)
    assert top[rtnl.IFLA_IFNAME] == b"fv1\0"
    assert top[rtnl.IFLA_MASTER] == (9).to_bytes(4, "little")
    data = attributes(attributes(top[rtnl.IFLA_LINKINFO])[rtnl.IFLA_INFO_DATA])[rtnl.VETH_INFO_PEER]
    assert data[:16] == bytes(16)  # its struct ifinfomsg: down, no index
    peer = attributes(data, 16)
    assert peer[rtnl.IFLA_IFNAME] == b"eth0\0"
    assert peer[rtnl.IFLA_NET_NS_FD] == (5).to_bytes(4, "little")
    assert peer[rtnl.IFLA_ADDRESS] == b"\x02\x42\xac\x1e\0\2"
    assert peer[rtnl.IFLA_MTU] == top[rtnl.IFLA_MTU] == (1400).to_bytes(4, "little")


def test_hairpin_is_set_as_a_property_of_a_bridges_port():
    assert rtnl.hairpin("fvx").body[16:].hex(" ") == (
        "08 00 03 00 66 76 78 00 1c 00 12 80 0b 00 04 00 62 72 69 64 67 65 00 00 0c 00 05 80 05 00 04 00 01 00 00 00"
    )


def test_link_is_read():
    body = (
        rtnl.ifinfo(index=4, flags=rtnl.IFF_UP)
        + text(rtnl.IFLA_IFNAME, "fv1")
        + u32(rtnl.IFLA_MASTER, 3)
        + u32(rtnl.IFLA_MTU, 1500)
        + attr(rtnl.IFLA_ADDRESS, b"\x02" * 6)
        + nested(rtnl.IFLA_LINKINFO, text(rtnl.IFLA_INFO_KIND, "veth"))
    )
    link = rtnl.link(Message(rtnl.RTM_NEWLINK, 0, 1, body))
    assert (link.index, link.name, link.master, link.mtu, link.kind, link.mac) == (
        4,
        "fv1",
        3,
        1500,
        "veth",
        b"\x02" * 6,
    )
    assert link.flags == rtnl.IFF_UP


def test_routes_and_addresses_are_read():
    request = rtnl.default_route(bytes((10, 0, 0, 1)), 7)
    route = rtnl.route(Message(24, 0, 1, request.body))
    assert (route.destination, route.prefix, route.index, route.table) == (bytes(4), 0, 7, 254)
    narrow = bytes((2, 24, 0, 0, 255, 0, 0, 1, 0, 0, 0, 0)) + attr(1, bytes((10, 1, 2, 0))) + u32(15, 1000)
    route = rtnl.route(Message(24, 0, 1, narrow))
    assert (route.destination, route.prefix, route.table) == (bytes((10, 1, 2, 0)), 24, 1000)
    given = rtnl.new_address(3, bytes((192, 0, 2, 1)), 24, "x")
    address = rtnl.address(Message(20, 0, 1, given.body))
    assert (address.index, address.address, address.prefix) == (3, bytes((192, 0, 2, 1)), 24)


@pytest.mark.parametrize("reader", [rtnl.link, rtnl.route, rtnl.address])
def test_bodies_that_are_too_short(reader):
    with pytest.raises(Malformed):
        reader(Message(0, 0, 1, b"\0" * 7))


def test_addresses_that_are_none():
    with pytest.raises(Malformed):
        rtnl.route(Message(24, 0, 1, bytes((2, 33, 0, 0, 254, 0, 0, 1, 0, 0, 0, 0)) + attr(1, bytes(4))))
    with pytest.raises(Malformed):
        rtnl.address(Message(20, 0, 1, bytes((2, 24, 0, 0, 1, 0, 0, 0)) + attr(2, bytes(16))))


def test_batch_envelope_as_nft_sends_it():
    assert (
        nfnl.batch_begin().pack(0).hex(" ") == "14 00 00 00 10 00 01 00 00 00 00 00 00 00 00 00 00 00 00 0a"
    )
    assert nfnl.batch_end().pack(1).hex(" ") == "14 00 00 00 11 00 01 00 01 00 00 00 00 00 00 00 00 00 00 0a"


def test_map_element_round_trips_with_its_comment():
    made = nft.new_element("t", "any", b"\x06\0\0\0\x1f\x90\0\0", b"\xac\x1e\0\2\0\x50\0\0", "3f9c0a1b2c3d")
    assert made.kind == 0x0A0C
    assert nftrules.elements(Message(made.kind, 0, 1, made.body)) == [
        (b"\x06\0\0\0\x1f\x90\0\0", b"\xac\x1e\0\2\0\x50\0\0", "3f9c0a1b2c3d")
    ]


def test_expression_as_nft_sends_it():
    # strace -x -e write=3 nft 'add rule ip t c tcp dport 80 drop' (there with register 1)
    assert nftrules.payload(2, 2, 2, 9).hex(" ") == (
        "34 00 01 80 0c 00 01 00 70 61 79 6c 6f 61 64 00 24 00 02 80 08 00 01 00 00 00 00 09"
        " 08 00 02 00 00 00 00 02 08 00 03 00 00 00 00 02 08 00 04 00 00 00 00 02"
    )
    assert nftrules.verdict(nftrules.NF_DROP).hex(" ") == (
        "30 00 01 80 0e 00 01 00 69 6d 6d 65 64 69 61 74 65 00 00 00 1c 00 02 80 08 00 01 00 00 00 00 00"
        " 10 00 02 80 0c 00 02 80 08 00 01 00 00 00 00 00"
    )


def test_concatenated_types_as_nft_counts_them():
    # meta l4proto . ip daddr . th dport: 12, 7, 13 in six bits each
    assert nftrules.concatenated(12, 7, 13) == (12 << 12) | (7 << 6) | 13


def test_subnets_are_compared_by_bytes_or_by_a_mask():
    whole = nftrules.in_subnet(12, bytes((172, 30, 0, 0)), 16)
    assert b"bitwise" not in whole
    odd = nftrules.in_subnet(12, bytes((172, 16, 0, 0)), 12)
    assert b"bitwise" in odd
    assert b"\xff\xf0\0\0" in odd


def test_chain_and_table_answers_are_read():
    made = nftrules.new_chain("t", "c", "filter", nftrules.NF_INET_FORWARD, 0)
    chain = nftrules.chain(Message(0, 0, 1, made.body))
    assert (chain.table, chain.name, chain.hook, chain.policy) == ("t", "c", 2, nftrules.NF_ACCEPT)
    table = nftrules.new_table("t", "words")
    assert nft.table_comment(Message(0, 0, 1, table.body)) == "words"
    assert nft.table_comment(Message(0, 0, 1, nft.get_table("t").body)) == ""


def test_flow_is_read():
    proto = attr(ctnl.CTA_PROTO_NUM, b"\x11") + attr(ctnl.CTA_PROTO_DST_PORT, (5353).to_bytes(2, "big"))
    body = (
        nfnl.genmsg(2)
        + nested(ctnl.CTA_TUPLE_ORIG, nested(ctnl.CTA_TUPLE_PROTO, proto))
        + nested(ctnl.CTA_TUPLE_REPLY, nested(ctnl.CTA_TUPLE_IP, attr(ctnl.CTA_IP_V4_SRC, b"\xac\x1e\0\2")))
        + attr(ctnl.CTA_ID, b"1234")
    )
    flow = ctnl.flow(Message(0, 0, 1, body))
    assert flow.original_port() == (17, 5353)
    assert flow.reply_source() == b"\xac\x1e\0\2"
    forget = attributes(ctnl.forget(flow).body, 4)
    assert forget[ctnl.CTA_ID] == b"1234"
    assert attributes(forget[ctnl.CTA_TUPLE_ORIG])[ctnl.CTA_TUPLE_PROTO] == proto
