"""Framing: golden bytes both ways, and lengths that lie. The golden ones are from strace of iproute2 and nft."""

from __future__ import annotations

import pytest

from firkin.wire import netlink
from firkin.wire.netlink import Malformed, Message, Request


def test_request_is_padded_but_its_length_is_not():
    request = Request(16, netlink.NLM_F_CREATE, b"abcde", "RTM_NEWLINK")
    assert request.pack(7, netlink.NLM_F_ACK).hex(" ") == (
        "15 00 00 00 10 00 05 04 07 00 00 00 00 00 00 00 61 62 63 64 65 00 00 00"
    )


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (netlink.attr(3, b""), "04 00 03 00"),
        (netlink.u8(4, 1), "05 00 04 00 01 00 00 00"),
        (netlink.u32(4, 1500), "08 00 04 00 dc 05 00 00"),
        (netlink.be32(2, -100), "08 00 02 00 ff ff ff 9c"),
        (netlink.text(3, "eth0"), "09 00 03 00 65 74 68 30 00 00 00 00"),
        (netlink.nested(18, netlink.text(1, "veth")), "10 00 12 80 09 00 01 00 76 65 74 68 00 00 00 00"),
    ],
)
def test_attributes_as_the_kernel_reads_them(made, expected):
    assert made.hex(" ") == expected


def test_attributes_round_trip():
    data = netlink.text(3, "lo") + netlink.u32(4, 65536) + netlink.nested(18, netlink.text(1, "bridge"))
    found = netlink.attributes(b"head" + data, 4)
    assert netlink.text_of(found[3]) == "lo"
    assert netlink.u32_of(found[4]) == 65536
    assert netlink.text_of(netlink.attributes(found[18])[1]) == "bridge"
    assert netlink.be32_of(netlink.attributes(netlink.be32(1, 0xCAFE))[1]) == 0xCAFE


def test_messages_round_trip():
    data = Request(16, 0, b"one", "a").pack(1) + Request(17, 0, b"", "b").pack(2)
    assert [(m.kind, m.seq, m.body) for m in netlink.messages(data)] == [(16, 1, b"one"), (17, 2, b"")]


@pytest.mark.parametrize(
    "data",
    [
        b"\x10",
        b"\x0f\0\0\0" + bytes(12),  # shorter than its header
        b"\x00\0\0\0" + bytes(12),  # no length: would be read for ever
        b"\x11\0\0\0" + bytes(12),  # past the end
        b"\xff\xff\xff\xff" + bytes(12),
    ],
)
def test_messages_that_lie_about_their_length(data):
    with pytest.raises(Malformed):
        list(netlink.messages(data))


@pytest.mark.parametrize(
    "data", [b"\x03\0\0\0", b"\0\0\0\0", b"\x05\0\0\0", b"\xff\xff\0\0" + bytes(8), b"\x04\0\0\0\x01"]
)
def test_attributes_that_lie_about_their_length(data):
    with pytest.raises(Malformed):
        netlink.attributes(data)


def test_a_body_shorter_than_its_fixed_part():
    with pytest.raises(Malformed):
        netlink.attributes(b"abc", 4)


def test_integers_of_the_wrong_size():
    for reader in (netlink.u32_of, netlink.be32_of):
        with pytest.raises(Malformed):
            reader(b"abc")


def _error(code: int, flags: int, rest: bytes) -> Message:
    return Message(netlink.NLMSG_ERROR, flags, 1, code.to_bytes(4, "little", signed=True) + rest)


def test_failure_with_the_kernels_words():
    header = (40).to_bytes(4, "little") + bytes(12)
    words = netlink.text(netlink.NLMSGERR_ATTR_MSG, "Invalid master device")
    capped = netlink.NLM_F_ACK_TLVS | netlink.NLM_F_CAPPED
    assert netlink.failure(_error(-22, capped, header + words)) == (22, "Invalid master device")
    whole = header + bytes(24) + words  # the request's body before the words
    assert netlink.failure(_error(-22, netlink.NLM_F_ACK_TLVS, whole)) == (22, "Invalid master device")
    assert netlink.failure(_error(0, netlink.NLM_F_CAPPED, header)) == (0, "")
    assert netlink.failure(Message(netlink.NLMSG_DONE, 2, 1, b"")) == (0, "")


def test_failure_that_is_cut_off():
    for message in (
        Message(netlink.NLMSG_ERROR, 0, 1, b"ab"),
        _error(-1, netlink.NLM_F_ACK_TLVS, b"short"),
        _error(-1, netlink.NLM_F_ACK_TLVS, b"\xff\xff\xff\xff" + bytes(12)),
    ):
        with pytest.raises(Malformed):
            netlink.failure(message)
