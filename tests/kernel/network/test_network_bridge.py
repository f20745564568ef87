"""The bridge network on the real kernel, with real traffic."""

from __future__ import annotations

import json
import os
import socket

import pytest
from network_machine import ENGINE, HOST, HOST_SECOND, OUTSIDE, run
from network_traffic import TcpServer, UdpServer, made_in, tcp, udp

from firkin.errors import Conflict
from firkin.network.bridge import PortSpec
from firkin.network.ports import PortTaken, reserve

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_nft]
NO = ("TimeoutError", "ConnectionRefusedError")
LOOPBACK = "127.0.0.1"


def test_container_has_one_address_a_default_route_and_dockers_mac(on_machine):
    def body(machine):
        endpoint, fd = machine.start()
        assert (endpoint.address, endpoint.gateway, endpoint.prefix) == ("172.30.0.2", "172.30.0.1", 16)
        link, lo = (json.loads(run(f"ip -j addr show dev {dev}", fd))[0] for dev in ("eth0", "lo"))
        assert link["address"] == endpoint.mac == "02:42:ac:1e:00:02"
        assert [(a["local"], a["prefixlen"]) for a in link["addr_info"]] == [(endpoint.address, 16)]
        assert link["operstate"] == "UP"
        assert "UP" in lo["flags"]
        routes = json.loads(run("ip -j route", fd))
        assert [r["gateway"] for r in routes if r["dst"] == "default"] == [endpoint.gateway]
        assert "0% packet loss" in run(f"ping -c1 -W2 {endpoint.gateway}", fd) if _has_ping() else True

    on_machine(body)


def _has_ping() -> bool:
    return any(os.access(f"{folder}/ping", os.X_OK) for folder in ("/bin", "/usr/bin", "/sbin"))


def test_no_ipv6_on_the_bridge_nor_in_the_container(on_machine):
    def body(machine):
        endpoint, fd = machine.start()
        inside = json.loads(run("ip -j -6 addr", fd))
        assert {link["ifname"] for link in inside if link.get("addr_info")} <= {"lo"}
        outside = json.loads(run(f"ip -j -6 addr show dev {endpoint.bridge}"))
        assert not any(link.get("addr_info") for link in outside)

    on_machine(body)


def test_published_tcp_is_reached_from_outside_with_the_clients_address(on_machine):
    def body(machine):
        _, fd = machine.start(PortSpec(container_port=80, host_port=8080))
        TcpServer(fd, 80)
        for address in (HOST, HOST_SECOND):
            assert tcp(machine.outside, address, 8080) == OUTSIDE

    on_machine(body)


def test_published_udp_is_reached_from_outside(on_machine):
    def body(machine):
        _, fd = machine.start(PortSpec(container_port=53, host_port=5353, proto="udp"))
        UdpServer(fd, 53)
        assert udp(machine.outside, HOST, 5353) == OUTSIDE

    on_machine(body)


def test_published_ports_are_reached_from_the_host_by_all_its_addresses(on_machine):
    def body(machine):
        endpoint, fd = machine.start(
            PortSpec(container_port=80, host_port=8080),
            PortSpec(container_port=53, host_port=5353, proto="udp"),
        )
        held = reserve(endpoint.ports)
        TcpServer(fd, 80)
        UdpServer(fd, 53)
        for address, seen in (
            (LOOPBACK, endpoint.gateway),
            (HOST, HOST),
            (endpoint.gateway, endpoint.gateway),
        ):
            assert tcp(None, address, 8080) == seen, address
            assert udp(None, address, 5353) == seen, address
        for sock in held:
            os.close(sock)

    on_machine(body)


@pytest.mark.parametrize("bridge_netfilter", [0, 1])
def test_hairpin_a_container_reaches_itself_and_others_by_the_hosts_addresses(on_machine, bridge_netfilter):
    def body(machine):
        endpoint, fd = machine.start(
            PortSpec(container_port=80, host_port=8080),
            PortSpec(container_port=53, host_port=5353, proto="udp"),
        )
        _, other = machine.start()
        switch = "/proc/sys/net/bridge/bridge-nf-call-iptables"
        if os.path.exists(switch):
            with open(switch, "w") as stream:
                stream.write(str(bridge_netfilter))
        TcpServer(fd, 80)
        UdpServer(fd, 53)
        for address in (HOST, endpoint.gateway):
            for client in (fd, other):
                assert tcp(client, address, 8080) == endpoint.gateway
                assert udp(client, address, 5353) == endpoint.gateway
        # and directly, without the detour, under its own address
        assert tcp(other, endpoint.address, 80) == "172.30.0.3"

    on_machine(body)


def test_containers_reach_the_outside_behind_the_hosts_address(on_machine):
    def body(machine):
        _, fd = machine.start()
        TcpServer(machine.outside, 9000)
        UdpServer(machine.outside, 9001)
        assert tcp(fd, OUTSIDE, 9000) == HOST
        assert udp(fd, OUTSIDE, 9001) == HOST
        with open("/proc/sys/net/ipv4/ip_forward") as stream:
            assert stream.read() == "1\n"

    on_machine(body)


def test_a_port_of_one_host_address_is_not_reached_by_another(on_machine):
    def body(machine):
        endpoint, fd = machine.start(PortSpec(container_port=80, host_port=8080, host_ip=HOST_SECOND))
        TcpServer(fd, 80)
        assert tcp(machine.outside, HOST_SECOND, 8080) == OUTSIDE
        assert tcp(None, HOST_SECOND, 8080) in (HOST, HOST_SECOND)
        assert tcp(machine.outside, HOST, 8080) == "ConnectionRefusedError"
        assert tcp(None, LOOPBACK, 8080) == "ConnectionRefusedError"
        assert tcp(None, endpoint.gateway, 8080) == "ConnectionRefusedError"

    on_machine(body)


def test_a_port_of_127_0_0_1_is_reached_from_the_host_alone(on_machine):
    def body(machine):
        _, fd = machine.start(PortSpec(container_port=80, host_port=8080, host_ip=LOOPBACK))
        TcpServer(fd, 80)
        assert tcp(None, LOOPBACK, 8080) == "172.30.0.1"
        assert tcp(None, HOST, 8080) == "ConnectionRefusedError"
        assert tcp(machine.outside, HOST, 8080) == "ConnectionRefusedError"
        # A neighbour that sends 127.0.0.1 over the wire: no lo there, so nothing keeps it from doing that.
        run(
            f"sysctl -qw net.ipv4.conf.all.route_localnet=1; ip route add 127.0.0.1/32 via {HOST} dev up1",
            machine.outside,
        )
        assert tcp(machine.outside, LOOPBACK, 8080, source=OUTSIDE, patience=0.4) in NO

    on_machine(body)


def test_a_container_cannot_reach_the_hosts_loopback_though_the_bridge_routes_it(on_machine):
    def body(machine):
        endpoint, fd = machine.start(PortSpec(container_port=80, host_port=8080))
        TcpServer(None, 7000, LOOPBACK)
        run(
            "ip addr del 127.0.0.1/8 dev lo; sysctl -qw net.ipv4.conf.all.route_localnet=1;"
            f"ip route add 127.0.0.1/32 via {endpoint.gateway} dev eth0 src {endpoint.address}",
            fd,
        )
        assert tcp(None, LOOPBACK, 7000) == LOOPBACK
        assert tcp(fd, LOOPBACK, 7000, source=endpoint.address, patience=0.4) in NO

    on_machine(body)


def test_what_is_not_published_is_not_reached_from_outside_even_by_its_own_address(on_machine):
    def body(machine):
        endpoint, fd = machine.start(PortSpec(container_port=80, host_port=8080, host_ip=LOOPBACK))
        TcpServer(fd, 80)
        TcpServer(fd, 81)
        run(f"ip route add 172.30.0.0/16 via {HOST}", machine.outside)
        for port in (80, 81):
            assert tcp(machine.outside, endpoint.address, port, patience=0.4) in NO
            assert tcp(None, endpoint.address, port) == endpoint.gateway  # as with Docker: the host may

    on_machine(body)


def test_udp_client_that_keeps_its_port_follows_the_container_to_its_successor(on_machine):
    def body(machine):
        spec = PortSpec(container_port=53, host_port=5353, proto="udp")
        client = made_in(machine.outside, socket.SOCK_DGRAM)
        # before anything is published: conntrack remembers a flow to the host itself
        assert udp(None, HOST, 5353, client=client, patience=0.2) in (
            "TimeoutError",
            "ConnectionRefusedError",
        )
        first, fd = machine.start(spec)
        UdpServer(fd, 53, "first ")
        assert udp(None, HOST, 5353, client=client) == f"first {OUTSIDE}"
        machine.bridge.detach(first.container_id)
        second, fd_second = machine.start(spec)
        assert second.address != first.address
        UdpServer(fd_second, 53, "second ")
        assert udp(None, HOST, 5353, client=client) == f"second {OUTSIDE}"

    on_machine(body)


def test_ports_taken_name_the_container_or_the_process(on_machine):
    def body(machine):
        endpoint, _ = machine.start(PortSpec(container_port=80, host_port=8080), name="web")
        with pytest.raises(PortTaken) as by_container:
            machine.start(PortSpec(container_port=80, host_port=8080, host_ip=LOOPBACK))
        short = endpoint.container_id[:12]
        assert str(by_container.value) == (
            f"port 8080 is taken by container web ({short}); use -p 127.0.0.1:8081:80 or stop it"
        )
        TcpServer(None, 9000)
        with pytest.raises(PortTaken) as by_process:
            machine.start(PortSpec(container_port=80, host_port=9000))
        assert by_process.value.message.startswith(f"port 9000 is taken by pid {os.getpid()} (")
        assert by_process.value.hint == "use -p 9001:80 or stop it"
        assert len(machine.bridge._db.rows("select * from leases")) == 1
        # a range goes on to the next one, and tcp and udp do not meet
        ranged, _ = machine.start(PortSpec(container_port=80, host_port=8080, host_port_end=8082))
        assert ranged.ports[0].host_port == 8081
        machine.start(PortSpec(container_port=80, host_port=8080, proto="udp"))

    on_machine(body)


def test_reserved_ports_keep_other_programs_off_until_closed(on_machine):
    def body(machine):
        endpoint, _ = machine.start(
            PortSpec(container_port=80, host_port=8080),
            PortSpec(container_port=53, host_port=5353, proto="udp"),
        )
        held = reserve(endpoint.ports)
        for kind, port in ((socket.SOCK_STREAM, 8080), (socket.SOCK_DGRAM, 5353)):
            with socket.socket(socket.AF_INET, kind) as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                with pytest.raises(OSError, match="in use"):
                    sock.bind(("0.0.0.0", port))
        with pytest.raises(PortTaken, match="port 8080 is taken by pid"):
            reserve(endpoint.ports)
        for fd in held:
            os.close(fd)
        for fd in reserve(endpoint.ports):
            os.close(fd)

    on_machine(body)


def test_only_ports_of_containers_that_publish_send_frames_back(on_machine):
    def body(machine):
        publishing, _ = machine.start(PortSpec(container_port=80, host_port=8080))
        quiet, _ = machine.start()
        for endpoint, mode in ((publishing, "on"), (quiet, "off")):
            shown = run(f"ip -d link show dev fv{endpoint.container_id[:13]}")
            assert f"hairpin {mode}" in shown

    on_machine(body)


TABLE = """\
table ip firkin_7e570001 {
	comment "firkin layout 1 for 172.30.0.0/16"
	map exact {
		type inet_proto . ipv4_addr . inet_service : ipv4_addr . inet_service
		elements = { udp . 127.0.0.1 . 5353 comment "ID" : 172.30.0.2 . 53 }
	}

	map any {
		type inet_proto . inet_service : ipv4_addr . inet_service
		elements = { tcp . 8080 comment "ID" : 172.30.0.2 . 80 }
	}

	chain raw_prerouting {
		type filter hook prerouting priority raw; policy accept;
		iifname "fk7e570001" ip daddr 127.0.0.0/8 drop
	}

	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		fib daddr type != local return
		iifname != "lo" ip daddr 127.0.0.0/8 return
		dnat ip to meta l4proto . ip daddr . th dport map @exact
		dnat ip to meta l4proto . th dport map @any
	}

	chain output {
		type nat hook output priority dstnat; policy accept;
		fib daddr type != local return
		dnat ip to meta l4proto . ip daddr . th dport map @exact
		dnat ip to meta l4proto . th dport map @any
	}

	chain forward {
		type filter hook forward priority filter; policy accept;
		oifname != "fk7e570001" accept
		iifname "fk7e570001" accept
		ct state established,related accept
		ct status dnat accept
		drop
	}

	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr 172.30.0.0/16 oifname != "fk7e570001" oifname != "lo" masquerade
		ip saddr 172.30.0.0/16 oifname "fk7e570001" ct status dnat masquerade
		ip saddr 127.0.0.0/8 oifname "fk7e570001" masquerade
	}
}
"""


def test_the_table_reads_as_it_is_meant(on_machine):
    def body(machine):
        endpoint, _ = machine.start(
            PortSpec(container_port=80, host_port=8080),
            PortSpec(container_port=53, host_port=5353, host_ip=LOOPBACK, proto="udp"),
        )
        listed = run(f"nft list table ip firkin_{ENGINE}")
        listed = listed.replace(endpoint.container_id[:12], "ID")
        assert (
            listed.replace("output priority -100", "output priority dstnat") == TABLE
        )  # as newer nft(8) has it

    on_machine(body)


def test_two_hundred_containers_come_and_go_and_leave_the_maps_empty(on_machine):
    def body(machine):
        machine.start()
        for number in range(200):
            endpoint, fd = machine.start(
                PortSpec(container_port=80, host_port=8000 + number),
                PortSpec(container_port=80, host_ip=LOOPBACK, host_port=9000 + number),
                *([PortSpec(container_port=53, proto="udp")] if number % 20 == 0 else []),
            )
            os.close(fd)
            machine.bridge.detach(endpoint.container_id)
            machine.bridge.detach(endpoint.container_id)
        assert machine.elements() == 0
        assert len(machine.bridge._db.rows("select * from published")) == 0

    on_machine(body)


def test_a_route_of_the_host_is_avoided_and_a_later_one_is_named(on_machine):
    def body(machine):
        run("ip route add 172.30.5.0/24 dev up0")
        endpoint = machine.bridge.allocate("a" * 64)
        assert endpoint.gateway == "172.29.0.1"
        run("ip route add 172.29.0.0/20 dev up0")
        fd = machine.bridge.new_netns()
        with pytest.raises(Conflict) as refused:
            machine.bridge.attach(endpoint, fd)
        assert "172.29.0.0/16 overlaps the host's route to 172.29.0.0/20 by up0" in refused.value.message
        machine.bridge.detach("a" * 64)
        assert machine.bridge.allocate("b" * 64).gateway == "172.28.0.1"

    on_machine(body)


def test_two_engines_on_one_host_do_not_meet(on_machine):
    def body(machine):
        from firkin.network.bridge import Bridge

        _, fd = machine.start(PortSpec(container_port=80, host_port=8080))
        TcpServer(fd, 80)
        other_config = machine.config.replace(
            engine_id="7e570002", paths=machine.config.paths.replace(root=str(machine.root / "second"))
        )
        (machine.root / "second").mkdir()
        from firkin.db.connection import open_database
        from firkin.network import tables

        other = Bridge(
            other_config, open_database(other_config.paths.database, 1, lambda: iter([tables.SCHEMA]))
        )
        endpoint = other.allocate("c" * 64)
        other_fd = other.new_netns()
        other.attach(endpoint, other_fd)
        assert endpoint.gateway == "172.29.0.1"
        assert tcp(other_fd, "172.30.0.2", 80, patience=0.4) in NO  # isolated
        assert tcp(other_fd, HOST, 8080) == "172.30.0.1"  # but for what is published, as from anywhere
        assert other.sweep([]) != []
        assert f"fk{ENGINE}" in run("ip link")
        assert tcp(machine.outside, HOST, 8080) == OUTSIDE

    on_machine(body)
