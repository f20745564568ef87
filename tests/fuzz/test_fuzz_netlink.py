"""Whatever bytes come, the netlink decoders answer with a value or Malformed, and come to an end."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from firkin.wire import ctnl, netlink, nft, nftrules, rtnl
from firkin.wire.netlink import Malformed, Message, Request, attr, nested, text, u32

READERS = (
    rtnl.link, rtnl.address, rtnl.route, nft.table_comment, nftrules.chain, nftrules.elements, netlink.failure,
    ctnl.flow,
)  # fmt: skip

GOOD = (
    rtnl.ifinfo(index=4) + text(3, "fv1") + u32(10, 3) + nested(18, text(1, "veth"), nested(2, u32(1, 5))),
    rtnl.default_route(bytes(4), 7).body,
    nft.new_element("t", "any", b"k" * 8, b"d" * 8, "comment").body,
    nftrules.new_chain("t", "c", "nat", 0, -100).body,
    bytes(4) + nested(1, nested(1, attr(1, b"abcd")), nested(2, attr(1, b"\x11"))) + attr(12, b"idid"),
)


def _read(reader, body: bytes, flags: int) -> None:
    for kind in (netlink.NLMSG_ERROR, netlink.NLMSG_DONE, 16):
        try:
            found = reader(Message(kind, flags, 1, body))
            if isinstance(found, ctnl.Flow):
                found.reply_source()
                found.original_port()
        except Malformed:
            pass


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=200))
def test_datagrams_of_noise(data):
    try:
        found = list(netlink.messages(data))
    except Malformed:
        return
    assert sum(16 + len(message.body) for message in found) <= len(data)


@settings(max_examples=300, deadline=None)
@given(body=st.binary(max_size=120), flags=st.integers(0, 0xFFFF))
def test_bodies_of_noise(body, flags):
    for reader in READERS:
        _read(reader, body, flags)


@settings(max_examples=300, deadline=None)
@given(
    body=st.sampled_from(GOOD),
    cut=st.integers(0, 200),
    place=st.integers(0, 199),
    byte=st.integers(0, 255),
    flags=st.sampled_from([0, 0x100, 0x200, 0x300]),
)
def test_good_bodies_cut_short_and_with_one_byte_changed(body, cut, place, byte, flags):
    hurt = bytearray(body[: cut or None])
    if hurt:
        hurt[place % len(hurt)] = byte
    for reader in READERS:
        _read(reader, bytes(hurt), flags)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=40)), max_size=6))
def test_messages_survive_the_round_trip(listed):
    data = b"".join(Request(kind, 0, body, "x").pack(seq) for seq, (kind, body) in enumerate(listed))
    assert [(m.kind, m.body) for m in netlink.messages(data)] == listed


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.integers(0, 0x3FFF), st.binary(max_size=40), max_size=6))
def test_attributes_survive_the_round_trip(values):
    assert netlink.attributes(b"".join(attr(kind, value) for kind, value in values.items())) == values
