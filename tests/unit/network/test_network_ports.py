from __future__ import annotations

import os
import socket

import pytest

from firkin.errors import InvalidArgument, Unsupported
from firkin.network import holders, ports
from firkin.network.ports import PortSpec, PortTaken

LOOPBACK = "127.0.0.1"


def nobody(proto, host_ip, port):
    return None


def _free(kind=socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind((LOOPBACK, 0))
        return sock.getsockname()[1]


def test_a_wanted_port_is_given():
    port = _free()
    (given,) = ports.choose([PortSpec(container_port=80, host_port=port, host_ip=LOOPBACK)], nobody)
    assert given == ports.PortBinding(proto="tcp", host_ip=LOOPBACK, host_port=port, container_port=80)


def test_any_port_is_one_of_the_kernels_range():
    low, high = ports._bounds(PortSpec(container_port=80))
    given = ports.choose([PortSpec(container_port=80), PortSpec(container_port=80, proto="udp")], nobody)
    assert all(low <= binding.host_port <= high for binding in given)
    assert [binding.host_ip for binding in given] == ["0.0.0.0", "0.0.0.0"]


def test_any_port_is_dockers_range_where_the_kernel_does_not_say(monkeypatch):
    monkeypatch.setattr(ports, "_RANGE_FILE", "/none-such")
    assert ports._bounds(PortSpec(container_port=80)) == (49153, 65535)


def test_fixed_ports_are_given_before_free_ones(monkeypatch):
    port = _free()
    monkeypatch.setattr(ports, "_bounds", lambda spec: (port, port) if spec.host_port else (port, port + 1))
    free, fixed = PortSpec(container_port=1), PortSpec(container_port=2, host_port=port)
    given = {binding.container_port: binding.host_port for binding in ports.choose([free, fixed], nobody)}
    assert given[2] == port
    assert given[1] == port + 1


def test_the_same_port_twice_in_one_container():
    port = _free()
    twice = [
        PortSpec(container_port=80, host_port=port),
        PortSpec(container_port=81, host_port=port, host_ip=LOOPBACK),
    ]
    with pytest.raises(PortTaken, match="published twice"):
        ports.choose(twice, nobody)


def test_a_port_held_by_a_container_names_it_and_the_next_free_one():
    taken = _free()

    def holder(proto, host_ip, port):
        return ("f" * 64, "web") if port == taken else None

    with pytest.raises(PortTaken) as refused:
        ports.choose([PortSpec(container_port=80, host_port=taken)], holder)
    assert refused.value.message == f"port {taken} is taken by container web (ffffffffffff)"
    assert refused.value.hint.startswith("use -p ")
    assert refused.value.hint.endswith(":80 or stop it")
    assert refused.value.fields["container_id"] == "f" * 64


@pytest.mark.parametrize(("proto", "kind"), [("tcp", socket.SOCK_STREAM), ("udp", socket.SOCK_DGRAM)])
@pytest.mark.parametrize("address", [LOOPBACK, "0.0.0.0", "::"])
def test_a_port_held_by_a_process_names_it(proto, kind, address):
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind) as sock:
        sock.bind((address, 0))
        if proto == "tcp":
            sock.listen()
        port = sock.getsockname()[1]
        with pytest.raises(PortTaken, match=f"port {port} is taken by pid {os.getpid()} ") as refused:
            ports.choose([PortSpec(container_port=80, host_port=port, proto=proto)], nobody)
    assert refused.value.fields["pid"] == os.getpid()


def test_all_of_a_range_taken():
    port = _free()
    with pytest.raises(PortTaken, match=f"all tcp ports from {port} to {port + 1} of 0.0.0.0 are taken"):
        ports.choose(
            [PortSpec(container_port=80, host_port=port, host_port_end=port + 1)], lambda *_: ("f" * 64, "")
        )


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        (PortSpec(container_port=80, proto="sctp"), Unsupported),
        (PortSpec(container_port=80, host_ip="::1"), Unsupported),
        (PortSpec(container_port=80, host_ip="localhost"), InvalidArgument),
        (PortSpec(container_port=80, host_ip="192.0.2.77", host_port=1), InvalidArgument),  # not this host's
        (PortSpec(container_port=0), InvalidArgument),
        (PortSpec(container_port=80, host_port=65536), InvalidArgument),
        (PortSpec(container_port=80, host_port=90, host_port_end=80), InvalidArgument),
    ],
)
def test_what_cannot_be_published(spec, error):
    with pytest.raises(error):
        ports.choose([spec], nobody)


TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0 100 0 0 10 0
   1: 00000000:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 222 1 0 100 0 0 10 0
   2: 0100007F:1F90 0100007F:C000 01 00000000:00000000 00:00000000 00000000     0        0 333 1 0 100 0 0 10 0
   3: 00000000000000000000000000000000:1F92 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 444 1
   4: 0000000000000000FFFF00000100007F:1F92 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 555 1
   5: 00000000000000000000000001000000:1F92 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 666 1
   short line
"""


@pytest.mark.parametrize(
    ("proto", "host_ip", "port", "inodes"),
    [
        ("tcp", LOOPBACK, 8080, ["111"]),  # a connection is no listener
        ("tcp", "192.0.2.1", 8080, []),
        ("tcp", "0.0.0.0", 8080, ["111"]),
        ("tcp", LOOPBACK, 8081, ["222"]),
        ("tcp", LOOPBACK, 8082, ["444", "555"]),  # ::1 takes no IPv4
        ("udp", LOOPBACK, 8080, ["111", "333"]),
    ],
)
def test_sockets_are_found_in_the_kernels_table(proto, host_ip, port, inodes):
    assert list(holders.sockets(TABLE, proto, host_ip, port)) == inodes


def test_nobody_listens():
    assert holders.listener("tcp", LOOPBACK, _free()) is None
