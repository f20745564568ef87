"""-p and --expose as docker's nat package reads them."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firkin.errors import InvalidArgument
from firkin.specgen.options import PortSpec
from firkin.specgen.parse_ports import is_ipv4, is_ipv6, parse_expose, parse_port


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("80", [PortSpec(container_port=80)]),
        ("80/udp", [PortSpec(container_port=80, proto="udp")]),
        ("8080:80", [PortSpec(container_port=80, host_port=8080)]),
        ("8080:80/UDP", [PortSpec(container_port=80, host_port=8080, proto="udp")]),
        ("127.0.0.1::80", [PortSpec(container_port=80, host_ip="127.0.0.1")]),
        ("127.0.0.1:8080:80/sctp",
         [PortSpec(container_port=80, host_ip="127.0.0.1", host_port=8080, proto="sctp")]),
        ("[::1]:8080:80", [PortSpec(container_port=80, host_ip="::1", host_port=8080)]),
        ("::1:8080:80", [PortSpec(container_port=80, host_ip="::1", host_port=8080)]),
        ("8000-8001:80-81",
         [PortSpec(container_port=80, host_port=8000), PortSpec(container_port=81, host_port=8001)]),
        ("80-81", [PortSpec(container_port=80), PortSpec(container_port=81)]),
        ("8000-8010:80", [PortSpec(container_port=80, host_port=8000, host_port_end=8010)]),
        ("0:80", [PortSpec(container_port=80)]),
        ("published=8080,target=80,protocol=udp", [PortSpec(container_port=80, host_port=8080, proto="udp")]),
        ("target=80", [PortSpec(container_port=80)]),
    ],
)  # fmt: skip
def test_a_port_is_read(text: str, ports: list[PortSpec]) -> None:
    assert list(parse_port(text)) == ports


# The texts were taken from docker 28.2.2.
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("foo", "invalid containerPort: foo"),
        ("99999:80", "invalid hostPort: 99999"),
        ("80:80:80:80", "invalid IP address: 80:80"),
        ("1-3:1-2", "invalid ranges specified for container and host Ports: 1-2 and 1-3"),
        ("1.2.3:80:80", "invalid IP address: 1.2.3"),
        ("80/foo", "invalid proto: foo"),
        ("8080:", "no port specified: 8080:<empty>"),
        ("80-70", "invalid containerPort: 80-70"),
        ("0", "invalid containerPort: 0"),
        ("target=80,foo", "invalid publish opts format (should be name=value but got 'foo')"),
    ],
)
def test_a_bad_port_is_refused_with_dockers_words(text: str, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse_port(text)
    assert caught.value.message == message
    assert caught.value.hint


def test_expose_expands_ranges() -> None:
    assert parse_expose("80") == ("80/tcp",)
    assert parse_expose("80-82/udp") == ("80/udp", "81/udp", "82/udp")
    with pytest.raises(InvalidArgument, match="invalid port format for --expose: 80:80"):
        parse_expose("80:80")
    with pytest.raises(InvalidArgument, match="invalid range format for --expose: a"):
        parse_expose("a")


@given(st.text(max_size=30))
def test_any_text_is_a_port_or_an_invalid_argument(text: str) -> None:
    try:
        ports = parse_port(text)
    except InvalidArgument:
        return
    assert all(0 < port.container_port < 65536 and 0 <= port.host_port < 65536 for port in ports)


@given(st.one_of(st.ip_addresses(v=6).map(str), st.text(alphabet="0123456789abcdef:.", max_size=40)))
def test_ipv6_agrees_with_the_standard_library(text: str) -> None:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        assert not is_ipv6(text)
    else:
        assert is_ipv6(text)


@given(st.one_of(st.ip_addresses(v=4).map(str), st.text(alphabet="0123456789.", max_size=16)))
def test_ipv4_agrees_with_the_standard_library(text: str) -> None:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        assert not is_ipv4(text)
    else:
        assert is_ipv4(text)
