from __future__ import annotations

import pytest

from firkin.errors import InvalidArgument, ResourceExhausted
from firkin.network import ipam, ipv4
from firkin.network.ipv4 import Subnet, parse_subnet


def test_addresses_round_trip():
    for text in ("0.0.0.0", "172.30.0.2", "255.255.255.255"):
        assert ipv4.text(ipv4.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.x", "1.2.3.-4", "1.2.3.٤", " 1.2.3.4", "::1"],
)
def test_what_is_no_address(text):
    with pytest.raises(InvalidArgument):
        ipv4.parse(text)


@pytest.mark.parametrize(
    "text", ["172.30.0.0", "172.30.0.0/", "172.30.0.0/31", "172.30.0.0/0", "172.30.0.0/x", "172.30.1.0/16"]
)
def test_what_is_no_subnet(text):
    with pytest.raises(InvalidArgument):
        parse_subnet(text)


def test_subnet_with_bits_beyond_its_prefix_is_told_the_right_one():
    with pytest.raises(InvalidArgument, match=r"write 172\.30\.0\.0/16"):
        parse_subnet("172.30.1.0/16")


def test_the_first_subnet_is_far_from_dockers():
    assert str(ipam.choose_subnet([])) == "172.30.0.0/16"


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        (["172.30.7.0/24"], "172.29.0.0/16"),  # a smaller one inside
        (["172.16.0.0/12"], "10.239.0.0/16"),  # a larger one around
        (["172.16.0.0/12", "10.0.0.0/8"], "192.168.254.0/24"),
        (["172.30.0.5/32", "172.29.0.0/16"], "172.28.0.0/16"),
    ],
)
def test_subnets_of_the_host_are_avoided(taken, expected):
    subnets = []
    for text in taken:
        base, _, prefix = text.partition("/")
        subnets.append(Subnet(base=ipv4.parse(base), prefix=int(prefix)))
    assert str(ipam.choose_subnet(subnets)) == expected


def test_no_subnet_left():
    everything = [parse_subnet("172.16.0.0/12"), parse_subnet("10.0.0.0/8"), parse_subnet("192.168.0.0/16")]
    with pytest.raises(ResourceExhausted, match="bridge_subnet"):
        ipam.choose_subnet(everything)


def test_addresses_go_round_and_are_never_the_gateways_or_the_ends():
    subnet = parse_subnet("10.9.8.0/29")
    base = subnet.base
    assert ipam.choose_address(subnet, 0, lambda a: False) == base + 2
    assert ipam.choose_address(subnet, base + 2, lambda a: False) == base + 3
    assert ipam.choose_address(subnet, base + 6, lambda a: False) == base + 2
    given = set()
    for _ in range(5):
        given.add(ipam.choose_address(subnet, max(given, default=0), given.__contains__))
    assert given == set(range(base + 2, base + 7))
    with pytest.raises(ResourceExhausted):
        ipam.choose_address(subnet, base + 4, given.__contains__)


@pytest.mark.parametrize("text", ["172.30.0.0", "172.30.0.1", "172.30.255.255", "10.0.0.5"])
def test_addresses_a_person_cannot_have(text):
    with pytest.raises(InvalidArgument):
        ipam.check_address(parse_subnet("172.30.0.0/16"), text)


def test_macs():
    assert ipam.mac_of(ipv4.parse("172.30.0.2")) == "02:42:ac:1e:00:02"
    assert ipam.parse_mac("02:42:AC-1e:00:02") == bytes((2, 0x42, 0xAC, 0x1E, 0, 2))
    for bad in (
        "",
        "02:42:ac:1e:00",
        "02:42:ac:1e:00:02:03",
        "zz:42:ac:1e:00:02",
        "2:42:ac:1e:00:02",
        "01:00:5e:00:00:01",
        "00:00:00:00:00:00",
    ):
        with pytest.raises(InvalidArgument):
            ipam.parse_mac(bad)
