"""What the network survives: others at the same time, deaths half-way, an administrator's flush, and its own end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import pytest
from network_machine import ENGINE, HOST, OUTSIDE, run
from network_traffic import TcpServer, tcp

from firkin.errors import SyscallError, Unavailable
from firkin.linux import netns
from firkin.linux.netlink import NetlinkSocket
from firkin.network import diagnosis, links, tables
from firkin.network.bridge import PortSpec
from firkin.network.dialogue import Dialogue
from firkin.wire import rtnl
from firkin.wire.netlink import Request

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_nft]
BRIDGE = f"fk{ENGINE}"


def _names(kind: str = "") -> list[str]:
    return [link["ifname"] for link in json.loads(run(f"ip -j link {kind}"))]


def _tables() -> str:
    return run("nft list tables")


def _forked(count: int, work) -> list[int]:
    """Run ``work(number)`` in ``count`` children at once; return their exit codes (0: it returned)."""
    pids = []
    for number in range(count):
        pid = os.fork()
        if pid == 0:
            try:
                work(number)
            except BaseException as error:  # noqa: BLE001
                os.write(2, f"{number}: {error!r}\n".encode())
                os._exit(1)
            os._exit(0)
        pids.append(pid)
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]


def test_eight_processes_attach_at_once_where_nothing_is_built_yet(on_machine):
    def body(machine):
        def work(number):
            bridge = machine.engine()
            for turn in range(3):
                endpoint = bridge.allocate(f"{number}{turn}" + "e" * 62, [PortSpec(container_port=80)])
                fd = bridge.new_netns()
                bridge.attach(endpoint, fd)
                os.close(fd)

        assert _forked(8, work) == [0] * 8
        rows = tables.leases(machine.bridge._db)
        assert len({row[2] for row in rows}) == 24
        assert machine.elements() == 24

    on_machine(body)


def test_attaching_while_others_tear_down_always_ends_attached(on_machine):
    def body(machine):
        def work(number):
            bridge = machine.engine()
            for turn in range(6):
                identity = f"{number}{turn}" + "d" * 62
                endpoint = bridge.allocate(identity)
                fd = bridge.new_netns()
                bridge.attach(endpoint, fd)
                assert endpoint.bridge in _names(f"show master {endpoint.bridge}") or links.index_of(
                    endpoint.bridge
                )
                assert "7e570001" in _tables()
                assert f"inet {endpoint.address}/16" in run("ip addr show dev eth0", fd)
                assert "0 received" not in run(f"nsenter --net=/proc/{os.getpid()}/fd/{fd} true; true")
                os.close(fd)
                bridge.detach(identity)
                bridge.teardown()

        assert _forked(4, work) == [0] * 4
        assert BRIDGE not in _names()
        assert ENGINE not in _tables()

    on_machine(body)


def test_flushed_rules_come_back_with_everybodys_ports_at_the_next_start(on_machine):
    def body(machine):
        _, fd = machine.start(PortSpec(container_port=80, host_port=8080))
        TcpServer(fd, 80)
        run("nft flush ruleset")
        assert tcp(machine.outside, HOST, 8080) == "ConnectionRefusedError"
        found = diagnosis.problems(machine.config, machine.bridge._db)
        assert [p.what for p in found if "is gone" in p.what]
        machine.start()
        assert tcp(machine.outside, HOST, 8080) == OUTSIDE
        assert diagnosis.problems(machine.config, machine.bridge._db) == []

    on_machine(body)


def test_a_bridge_removed_by_hand_is_made_again(on_machine):
    def body(machine):
        machine.start()
        run(f"ip link del {BRIDGE}")
        endpoint, fd = machine.start()
        TcpServer(machine.outside, 9000)
        assert tcp(fd, OUTSIDE, 9000) == HOST
        assert endpoint.address == "172.30.0.3"

    on_machine(body)


def test_a_half_made_bridge_is_completed(on_machine):
    def body(machine):
        run(f"ip link add {BRIDGE} type bridge; ip addr add 172.25.0.1/16 dev {BRIDGE}")
        endpoint, fd = machine.start()
        assert endpoint.gateway == "172.30.0.1"
        TcpServer(machine.outside, 9000)
        assert tcp(fd, OUTSIDE, 9000) == HOST
        assert "172.25" not in run(f"ip addr show dev {BRIDGE}")

    on_machine(body)


def test_sweep_removes_what_no_live_container_owns_and_nothing_else(on_machine):
    def body(machine):
        alive, _ = machine.start(PortSpec(container_port=80, host_port=8080))
        dead, _fd = machine.start(PortSpec(container_port=80, host_port=8081))
        # an element and a veth whose row has gone (a kill between the two halves of something)
        orphan, _fd2 = machine.start(PortSpec(container_port=80, host_port=8082))
        with machine.bridge._db.write() as db:
            tables.drop_lease(db, orphan.container_id)
        run("ip link add fvforeign00000 type bridge")  # not a port of our bridge: not ours
        gone = machine.bridge.sweep([alive.container_id])
        assert sorted(gone) == sorted([
            f"lease {dead.address} of {dead.container_id}",
            f"element of {orphan.container_id[:12]} in map any",
            f"veth {links.veth_of(dead.container_id)}",
            f"veth {links.veth_of(orphan.container_id)}",
        ])  # fmt: skip
        assert machine.elements() == 1
        assert {links.veth_of(alive.container_id), "fvforeign00000"} <= set(_names())
        assert machine.bridge.sweep([alive.container_id]) == []

    on_machine(body)


def test_sweep_without_any_container_leaves_no_bridge_and_no_table(on_machine):
    def body(machine):
        machine.start(PortSpec(container_port=80, host_port=8080))
        machine.bridge.sweep([])
        assert BRIDGE not in _names()
        assert ENGINE not in _tables()
        assert machine.bridge.sweep([]) == []

    on_machine(body)


def test_the_last_to_leave_takes_all_down_and_one_process_waits_for_it(on_machine):
    def body(machine):
        def work(number):
            bridge = machine.engine()
            identity = f"{number}" + "c" * 63
            endpoint = bridge.allocate(identity)
            fd = bridge.new_netns()
            bridge.attach(endpoint, fd)
            os.close(fd)
            bridge.detach(identity)
            os._exit(10 if bridge.retire(0.2) else 0)

        codes = _forked(5, work)
        assert codes.count(10) >= 1
        assert set(codes) <= {0, 10}
        assert BRIDGE not in _names()
        assert ENGINE not in _tables()

    on_machine(body)


def test_teardown_refuses_while_somebody_is_attached(on_machine):
    def body(machine):
        endpoint, _ = machine.start()
        assert not machine.bridge.teardown()
        assert not machine.bridge.retire(0)
        assert BRIDGE in _names()
        machine.bridge.detach(endpoint.container_id)
        assert machine.bridge.teardown()
        assert BRIDGE not in _names()
        assert machine.bridge.teardown()

    on_machine(body)


def test_restarted_while_its_former_namespace_still_lives(on_machine):
    def body(machine):
        identity = "b" * 64
        first = machine.bridge.allocate(identity, [PortSpec(container_port=80, host_port=8080)])
        old = machine.bridge.new_netns()
        machine.bridge.attach(first, old)
        second = machine.bridge.allocate(identity, [PortSpec(container_port=80, host_port=8080)])
        fresh = machine.bridge.new_netns()
        machine.bridge.attach(second, fresh)
        TcpServer(fresh, 80)
        assert tcp(machine.outside, HOST, 8080) == OUTSIDE
        assert machine.elements() == 1

    on_machine(body)


def test_a_stale_element_under_the_same_key_is_replaced(on_machine):
    def body(machine):
        first, _ = machine.start(PortSpec(container_port=80, host_port=8080))
        with machine.bridge._db.write() as db:
            tables.drop_lease(db, first.container_id)  # its monitor was killed before the element went
        _, fd = machine.start(PortSpec(container_port=80, host_port=8080))
        TcpServer(fd, 80)
        assert tcp(machine.outside, HOST, 8080) == OUTSIDE
        assert machine.elements() == 1

    on_machine(body)


def test_a_namespace_with_devices_of_its_own(on_machine):
    def body(machine):
        endpoint = machine.bridge.allocate("a" * 64)
        fd = netns.make(lambda: subprocess.run(["ip", "link", "add", "br0", "type", "bridge"], check=True))
        machine.bridge.attach(endpoint, fd)
        assert f"inet {endpoint.address}/16" in run("ip addr show dev eth0", fd)
        assert "2: br0" in run("ip link", fd)

    on_machine(body)


def test_detach_of_an_unknown_container_and_of_a_flushed_table(on_machine):
    def body(machine):
        machine.bridge.detach("f" * 64)
        endpoint, _ = machine.start(PortSpec(container_port=80, host_port=8080))
        run("nft flush ruleset")
        machine.bridge.detach(endpoint.container_id)
        assert machine.bridge.endpoint(endpoint.container_id) is None

    on_machine(body)


def test_the_endpoint_can_be_read_again_and_the_gateway_before_any(on_machine):
    def body(machine):
        assert machine.bridge.gateway == "172.30.0.1"
        endpoint, _ = machine.start(
            PortSpec(container_port=80, host_port=8080), mac="02:00:00:00:00:07", ip="172.30.9.9"
        )
        assert machine.engine().endpoint(endpoint.container_id) == endpoint
        assert endpoint.address == "172.30.9.9"
        assert machine.bridge.allocate("a" * 64).address == "172.30.0.2"

    on_machine(body)


def test_the_mtu_of_the_way_out_is_passed_on(on_machine):
    def body(machine):
        run("ip link set up0 mtu 1400")
        endpoint, fd = machine.start()
        assert endpoint.mtu == 1400
        assert "mtu 1400" in run("ip link show dev eth0", fd)

    on_machine(body)


def test_a_foreign_forward_policy_is_named_with_its_cure(on_machine):
    def body(machine):
        assert diagnosis.problems(machine.config, machine.bridge._db) == []
        run(
            "nft 'add table ip filter; add chain ip filter FORWARD {type filter hook forward priority 0; policy drop;}'"
        )
        run(
            "nft 'add table inet fw; add chain inet fw f {type filter hook forward priority 0; policy drop;}'"
        )
        told = [problem.what for problem in diagnosis.problems(machine.config, machine.bridge._db)]
        assert told == [
            "chain ip filter FORWARD drops forwarded packets that no rule of it accepts",
            "chain inet fw f drops forwarded packets that no rule of it accepts",
        ]
        _, fd = machine.start()
        TcpServer(machine.outside, 9000)
        assert tcp(fd, OUTSIDE, 9000, patience=0.3) == "TimeoutError"
        for problem in diagnosis.problems(machine.config, machine.bridge._db):
            for command in problem.cure.split("`")[1].split("; "):
                run(command.replace("iptables -I FORWARD -i", "nft insert rule ip filter FORWARD iifname")
                    .replace("iptables -I FORWARD -o", "nft insert rule ip filter FORWARD oifname")
                    .replace("-j ACCEPT", "accept"))  # fmt: skip
        assert tcp(fd, OUTSIDE, 9000) == HOST

    on_machine(body)


def test_a_refusal_carries_the_kernels_own_words(on_machine):
    def body(machine):
        with Dialogue.route() as route, pytest.raises(SyscallError) as refused:
            route.call(rtnl.new_bridge("far-too-long-a-name-for-a-device", bytes(6), 1500))
        assert refused.value.syscall == "RTM_NEWLINK"
        assert refused.value.filename == "far-too-long-a-name-for-a-device"
        assert any("the kernel says: " in note for note in refused.value.__notes__)

    on_machine(body)


def test_the_first_of_several_refusals_is_raised(on_machine):
    def body(machine):
        with Dialogue.route() as route, pytest.raises(SyscallError) as refused:
            route.call(rtnl.del_link("none-such"), rtnl.set_up(1, "lo"), rtnl.del_link("nor-such"))
        assert refused.value.filename == "none-such"
        with Dialogue.netfilter() as netfilter:
            with pytest.raises(SyscallError) as unknown:
                netfilter.call(Request(10 << 8 | 99, 0, bytes(4), "NFT_MSG_NONE", "t"))
            assert unknown.value.syscall == "NFT_MSG_NONE"
            with pytest.raises(SyscallError) as refused_batch:
                netfilter.batch([Request(10 << 8 | 99, 0, bytes(4), "NFT_MSG_NONE", "t")])
            assert refused_batch.value.syscall == "NFT_MSG_NONE"

    on_machine(body)


def test_forwarding_that_cannot_be_switched_on_says_so(on_machine, monkeypatch):
    def body(machine):
        from firkin.network import ground

        ground._FORWARD = "/proc/sys/net/ipv4/none-such"
        with pytest.raises(Unavailable, match="cannot switch on IPv4 forwarding"):
            machine.start()

    on_machine(body)


def test_idle_wait_starts_again_when_a_container_came_meanwhile(on_machine):
    def body(machine):
        endpoint, _ = machine.start()
        machine.bridge.detach(endpoint.container_id)
        pid = os.fork()
        if pid == 0:
            os._exit(10 if machine.engine().retire(0.3) else 0)
        time.sleep(0.1)
        later, _ = machine.start()
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert BRIDGE in _names()
        machine.bridge.detach(later.container_id)
        assert machine.bridge.retire(0)
        assert BRIDGE not in _names()

    on_machine(body)


def test_a_forked_process_uses_sockets_of_its_own(on_machine):
    def body(machine):
        machine.start()

        def work(number):
            # what came by the fork is not used: the parent reads from it at the same time
            for _ in range(50):
                assert links.index_of(BRIDGE)
                assert machine.bridge._sockets.route().dump(rtnl.get_links())

        assert _forked(2, work) == [0, 0]
        machine.start()

    on_machine(body)


def test_a_namespace_of_its_own_has_lo_and_is_not_pinned(on_machine):
    def body(machine):
        fd = machine.bridge.new_netns(alone=True)
        (lo,) = json.loads(run("ip -j addr", fd))
        assert "UP" in lo["flags"]
        assert [a["local"] for a in lo["addr_info"]] == ["127.0.0.1", "::1"]
        assert machine.bridge._sockets._guests == {}

    on_machine(body)


def test_tearing_down_later_holds_nothing_of_its_parent(on_machine):
    def body(machine):
        endpoint, fd = machine.start()
        os.close(fd)
        assert machine.bridge.retire_later(0.2) == 0  # there is a lease
        machine.bridge.detach(endpoint.container_id)
        read, write = os.pipe()
        pid = machine.bridge.retire_later(0.4)
        assert pid > 0
        os.close(write)
        assert os.read(read, 1) == b""  # at once: the child has closed its end
        deadline = time.monotonic() + 2
        while machine.bridge.retire_later(0.2) != 0 and time.monotonic() < deadline:
            time.sleep(0.02)  # until the child has the lock; a second one is not made then
        assert os.waitpid(pid, 0)[1] == 0
        deadline = time.monotonic() + 5
        while (BRIDGE in _names() or ENGINE in _tables()) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert BRIDGE not in _names()
        assert ENGINE not in _tables()

    on_machine(body)


@pytest.mark.parametrize("phase", ["before", "after"])
def test_killed_at_any_message_to_the_kernel_leaves_only_what_sweep_finds(on_machine, phase):
    """The whole life of a container in a process that is killed before (after) its n-th message, for every n."""

    def body(machine):
        def work(last):
            sent = 0
            send = NetlinkSocket.send

            def counting(self, *args):
                nonlocal sent
                sent += 1
                if sent == last and phase == "before":
                    os.kill(os.getpid(), signal.SIGKILL)
                send(self, *args)
                if sent == last and phase == "after":
                    os.kill(os.getpid(), signal.SIGKILL)

            NetlinkSocket.send = counting
            bridge = machine.engine()
            endpoint = bridge.allocate("a" * 64, [PortSpec(container_port=80, host_port=8080)])
            fd = bridge.new_netns()
            bridge.attach(endpoint, fd)
            os.close(fd)
            bridge.detach("a" * 64)
            assert bridge.retire(0)

        for last in range(1, 100):
            code = _forked(1, lambda _, last=last: work(last))[0]
            machine.engine().sweep([])
            assert BRIDGE not in _names(), last
            assert not [name for name in _names() if name.startswith("fv")], last
            assert ENGINE not in _tables(), last
            assert tables.leases(machine.bridge._db) == [], last
            if code == 0:
                break
            assert code == -signal.SIGKILL
        assert 15 < last < 40

    on_machine(body)
