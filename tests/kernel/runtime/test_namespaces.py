"""User namespaces, joined and inherited ones."""

from __future__ import annotations

import os
import socket
import subprocess

import pytest
from box import MAP, NAMESPACES, in_monitor, in_userns, make_spec, read_all, run, run_here, start

from firkin.linux import ns, process
from firkin.runtime.launch import mount_root

pytestmark = pytest.mark.needs_root


def drop(spec, *kinds):
    spec["linux"]["namespaces"] = [n for n in spec["linux"]["namespaces"] if n["type"] not in kinds]
    return spec


def test_user_namespace(mapped):
    script = "id; cat /proc/self/uid_map; ls -ln /dev/null /etc/passwd; cat /proc/self/status; stat -c '%u %n' /dev/mqueue /dev/shm; touch /root/x"
    box = run(in_userns(make_spec(mapped, "sh", "-c", script)))
    assert box.code == 0, box
    assert box.lines[0].startswith("uid=0(root) gid=0(root)")
    assert box.lines[1].split() == ["0", "100000", "65536"]
    assert "0 /dev/mqueue" in box.lines
    assert "0 /dev/shm" in box.lines
    status = dict(line.split(":", 1) for line in box.lines if ":" in line)
    assert int(status["CapEff"], 16) == 0xA80425FB
    assert os.stat(mapped / "root/x").st_uid == 100000


def test_user_namespace_with_an_unmapped_user(mapped):
    spec = in_userns(make_spec(mapped, "id"))
    spec["process"]["user"] = {"uid": 70000, "gid": 0}
    box = run(spec)
    assert box.error["kind"] == "InvalidArgument"
    assert "uid 70000: not mapped" in box.error["message"]
    assert box.left == []


def test_user_namespace_with_maps_that_the_kernel_refuses(mapped):
    spec = in_userns(make_spec(mapped, "id"))
    spec["linux"]["uidMappings"] = [*MAP, {"containerID": 5, "hostID": 5, "size": 5}]
    box = run(spec)
    assert box.error["kind"] == "SyscallError"
    assert any("uid map" in note for note in box.notes)
    assert box.left == []


def test_user_namespace_below_a_directory_that_nobody_may_walk(mapped, tmp_path):
    source = tmp_path / "secret/volume"
    source.mkdir(parents=True)
    (source / "file").write_text("reached\n")
    (tmp_path / "secret").chmod(0o700)
    spec = in_userns(make_spec(mapped, "cat", "/data/file"))
    spec["mounts"].append(
        {"destination": "/data", "type": "bind", "source": str(source), "options": ["rbind"]}
    )
    assert run(spec).out == "reached\n"


def test_user_namespace_with_limits_oom_score_terminal(mapped):
    spec = in_userns(make_spec(mapped, "sh", "-c", "tty; ulimit -n; cat /proc/self/oom_score_adj"))
    spec["process"]["terminal"] = True
    spec["process"]["oomScoreAdj"] = 100
    spec["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 99, "hard": 100}]
    assert run(spec).lines == ["/dev/pts/0", "99", "100"]


def test_user_namespace_with_time_offsets(mapped):
    spec = in_userns(make_spec(mapped, "cat", "/proc/uptime"))
    spec["linux"]["namespaces"].append({"type": "time"})
    spec["linux"]["timeOffsets"] = {"boottime": {"secs": 4000000}}
    assert float(run(spec).out.split()[0]) > 4000000


def test_user_namespace_with_the_hosts_network(mapped):
    """sysfs may not be mounted then; the host's is shown instead, read-only."""
    spec = drop(in_userns(make_spec(mapped, "sh", "-c", "ls /sys/class; touch /sys/x")), "network")
    box = run(spec)
    assert "net" in box.lines
    assert "Read-only" in box.out


def test_inherited_namespaces_are_the_hosts(root):
    spec = drop(
        make_spec(root, "sh", "-c", "for n in net uts pid ipc; do readlink /proc/self/ns/$n; done"),
        "network",
        "uts",
        "pid",
        "ipc",
    )
    del spec["hostname"]
    box = run(spec)
    expected = [os.readlink(f"/proc/self/ns/{name}") for name in ("net", "uts", "pid", "ipc")]
    assert box.lines == expected


@pytest.mark.parametrize("userns", [False, True])
def test_joined_namespaces(root, userns):
    """Like --network/--ipc/--uts/--pid container:NAME."""
    if userns:
        subprocess.run(["chown", "-hR", "100000:100000", str(root)], check=True)

    def monitor():
        mount_root(str(root), str(root))
        null = os.open("/dev/null", os.O_RDWR)
        first = make_spec(root, "sleep", "60")
        first = in_userns(first) if userns else first
        target = start(first, null)
        second = make_spec(
            root,
            "sh",
            "-c",
            "for n in net uts pid ipc user mnt; do readlink /proc/self/ns/$n; done; hostname; ps",
        )
        del second["hostname"]
        joined = ["network", "uts", "ipc", "pid", *(["user"] if userns else [])]
        second["linux"]["namespaces"] = [
            {"type": kind, "path": f"/proc/{target.pid}/ns/{ns.TYPES[kind][1]}"} for kind in joined
        ] + [{"type": "mount"}, {"type": "cgroup"}]
        reader, writer = os.pipe()
        launched = start(second, writer)
        os.close(writer)
        out = read_all(reader)
        code = process.wait_pidfd(launched.pidfd)
        links = [
            os.readlink(f"/proc/{target.pid}/ns/{name}")
            for name in ("net", "uts", "pid", "ipc", "user", "mnt")
        ]
        own = os.readlink("/proc/self/ns/pid_for_children") == os.readlink("/proc/self/ns/pid")
        process.pidfd_send_signal(target.pidfd, 9)
        process.wait_pidfd(target.pidfd)
        return [out, links, code, own]

    out, links, code, own = in_monitor(monitor)
    lines = out.splitlines()
    assert code == 0
    assert lines[:5] == links[:5]
    assert lines[5] != links[5]
    assert lines[6] == "box"
    assert "sleep 60" in out
    assert own


def test_joined_network_by_descriptor(root):
    def monitor():
        here = os.open("/proc/self/ns/net", os.O_RDONLY)
        ns.unshare(ns.CLONE_NEWNET)
        made = os.open("/proc/self/ns/net", os.O_RDONLY)
        ns.setns(here, ns.CLONE_NEWNET)
        mount_root(str(root), str(root))
        spec = make_spec(root, "readlink", "/proc/self/ns/net")
        spec["linux"]["namespaces"] = [
            {"type": "network", "path": f"/proc/self/fd/{made}"} if n["type"] == "network" else n
            for n in spec["linux"]["namespaces"]
        ]
        return [run_here(spec, {})["out"].strip(), f"net:[{os.fstat(made).st_ino}]"]

    inside, expected = in_monitor(monitor)
    assert inside == expected


def test_a_new_user_namespace_with_a_joined_network(mapped):
    def monitor():
        here = os.open("/proc/self/ns/net", os.O_RDONLY)
        ns.unshare(ns.CLONE_NEWNET)
        made = os.open("/proc/self/ns/net", os.O_RDONLY)
        ns.setns(here, ns.CLONE_NEWNET)
        mount_root(str(mapped), str(mapped))
        spec = in_userns(make_spec(mapped, "sh", "-c", "readlink /proc/self/ns/net; cat /proc/self/uid_map"))
        spec["linux"]["namespaces"] = [
            {"type": "network", "path": f"/proc/self/fd/{made}"} if n["type"] == "network" else n
            for n in spec["linux"]["namespaces"]
        ]
        return [run_here(spec, {}), f"net:[{os.fstat(made).st_ino}]"]

    values, expected = in_monitor(monitor)
    assert values["out"].splitlines()[0] == expected, values
    assert "100000" in values["out"]


@pytest.mark.parametrize("bad", ["/proc/self/ns/uts", "/etc/passwd", "/no/such/file"])
def test_a_namespace_path_of_another_kind_is_refused(root, bad):
    spec = make_spec(root, "true")
    spec["linux"]["namespaces"][1]["path"] = bad
    box = run(spec)
    assert box.error["kind"] == ("SyscallError" if "such" in bad else "InvalidArgument")
    assert box.left == []


def test_no_mount_namespace_means_chroot(root):
    spec = make_spec(root, "ls", "/")
    spec["linux"] = {"namespaces": [{"type": "pid"}]}
    del spec["hostname"]
    spec["mounts"] = []
    assert "etc" in run(spec).lines


def test_everything_at_once(mapped):
    spec = in_userns(
        make_spec(
            mapped,
            "sh",
            "-c",
            "for n in mnt net uts pid ipc cgroup user time; do readlink /proc/self/ns/$n; done",
        )
    )
    spec["linux"]["namespaces"].append({"type": "time"})
    inside = run(spec).lines
    outside = [
        os.readlink(f"/proc/self/ns/{name}")
        for name in ("mnt", "net", "uts", "pid", "ipc", "cgroup", "user", "time")
    ]
    assert len(inside) == len(NAMESPACES) + 2
    assert not set(inside) & set(outside)


def test_hosts_name_stays(root):
    before = socket.gethostname()
    run(make_spec(root, "true"))
    assert socket.gethostname() == before
