"""The default container: what it sees, and that a failed start leaves nothing."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import pytest
from box import CAPS, PATH, in_monitor, make_spec, run, start

from firkin.linux import nr, ns, process
from firkin.oci.rootfs import OverlayRoot
from firkin.runtime.launch import mount_root

pytestmark = pytest.mark.needs_root


def status_of(outcome):
    return dict(line.split(":", 1) for line in outcome.lines if ":" in line)


def test_default_container(root):
    box = run(
        make_spec(root, "sh", "-c", "echo $$ $0; id; hostname; pwd; env; ip -o addr; cat /proc/self/cgroup")
    )
    assert box.code == 0, box
    assert box.lines[0] == "1 sh"
    assert box.lines[1].startswith("uid=0(root) gid=0(root)")
    assert box.lines[2:4] == ["box", "/"]
    assert PATH in box.lines
    assert "HOME=/root" in box.lines
    assert "127.0.0.1/8" in box.out
    assert "firkin" not in box.out.split("127.0.0.1/8")[1]


def test_every_namespace_is_new_and_the_host_is_not_in_it(root):
    spec = make_spec(
        root, "sh", "-c", "for n in mnt net uts pid ipc cgroup user time; do readlink /proc/self/ns/$n; done"
    )
    inside = run(spec).lines
    kinds = ["mount", "network", "uts", "pid", "ipc", "cgroup", "user", "time"]
    same = [kind for kind, link in zip(kinds, inside, strict=True) if str(ns.namespace_id(kind)) in link]
    assert same == ["user", "time"]


def test_a_signal_of_libc_that_the_parent_ignores_is_not_ignored_inside(root):
    """SIGIGN of signal 32 was inherited: libc's own signals cannot be reset through libc."""
    spec = make_spec(root, "cat", "/proc/self/status")
    libc, ignore = ctypes.CDLL(None), (1).to_bytes(8, "little") + bytes(24)
    before = ctypes.create_string_buffer(32)
    assert libc.syscall(nr.RT_SIGACTION, 32, ignore, before, 8) == 0
    try:
        assert int(status_of(run(spec))["SigIgn"], 16) == 0
    finally:
        libc.syscall(nr.RT_SIGACTION, 32, before, None, 8)


def test_descriptors_signals_and_dumpability_are_those_of_a_fresh_process(root):
    spec = make_spec(root, "sh", "-c", "ls /proc/1/fd; exec cat /proc/self/status")
    box = run(spec)
    assert box.lines[:3] == ["0", "1", "2"]
    assert box.lines[3].startswith("Name:")
    status = status_of(box)
    for name in ("SigBlk", "SigIgn", "SigPnd", "ShdPnd"):
        assert int(status[name], 16) == 0, name
    assert status["Seccomp"].strip() == "0"
    assert status["Umask"].strip() == "0022"


def test_capabilities_are_the_five_sets(root):
    spec = make_spec(root, "cat", "/proc/self/status")
    spec["process"]["capabilities"]["inheritable"] = ["CAP_CHOWN"]
    spec["process"]["capabilities"]["ambient"] = ["CAP_CHOWN"]
    status = status_of(run(spec))
    assert int(status["CapPrm"], 16) == int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0xA80425FB
    assert int(status["CapInh"], 16) == int(status["CapAmb"], 16) == 1


def test_capabilities_that_cannot_be_granted_are_warned_about(root):
    spec = make_spec(root, "cat", "/proc/self/status")
    spec["process"]["capabilities"]["bounding"] = [*CAPS, "CAP_NO_SUCH_THING"]
    box = run(spec)
    assert box.code == 0
    assert any("CAP_NO_SUCH_THING" in warning for warning in box.warnings)


def test_no_capabilities_at_all_without_the_property(root):
    spec = make_spec(root, "cat", "/proc/self/status")
    del spec["process"]["capabilities"]
    status = status_of(run(spec))
    assert {status[name].strip() for name in ("CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb")} == {"0" * 16}


def test_user_groups_umask(root):
    spec = make_spec(root, "sh", "-c", "id; umask; echo $HOME; touch /dev/shm/f; stat -c '%u:%g' /dev/shm/f")
    spec["process"]["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [5, 20], "umask": 0o27}
    box = run(spec)
    assert box.lines == ["uid=1000(user) gid=1000(user) groups=5,20", "0027", "/home/user", "1000:1000"]


def test_stdout_can_be_opened_again_by_another_user(root):
    spec = make_spec(root, "sh", "-c", "echo again > /dev/stdout")
    spec["process"]["user"] = {"uid": 1000, "gid": 1000}
    assert run(spec).out == "again\n"


def test_limits_no_new_privileges_oom_score_personality(root):
    spec = make_spec(
        root,
        "sh",
        "-c",
        "ulimit -n; ulimit -Hn; cat /proc/self/oom_score_adj; cat /proc/self/status; cat /proc/self/personality",
    )
    spec["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 64, "hard": 128}]
    spec["process"]["oomScoreAdj"] = 500
    spec["process"]["noNewPrivileges"] = True
    spec["linux"]["personality"] = {"domain": "LINUX32"}
    box = run(spec)
    assert box.lines[:3] == ["64", "128", "500"]
    assert status_of(box)["NoNewPrivs"].strip() == "1"
    assert box.lines[-1] == "00000008"


def test_tiny_limits_do_not_stop_the_launch(root):
    spec = make_spec(root, "sh", "-c", "ulimit -n")
    spec["process"]["rlimits"] = [
        {"type": "RLIMIT_NOFILE", "soft": 5, "hard": 5},
        {"type": "RLIMIT_FSIZE", "soft": 0, "hard": 0},
    ]
    assert run(spec).out == "5\n"


def test_io_priority_scheduler_and_memory_policy(root):
    spec = make_spec(
        root, "sh", "-c", "cat /proc/self/sched_policy /proc/self/stat; cat /proc/self/numa_maps"
    )
    spec["process"]["ioPriority"] = {"class": "IOPRIO_CLASS_IDLE", "priority": 0}
    spec["process"]["scheduler"] = {"policy": "SCHED_BATCH", "nice": 7}
    spec["linux"]["memoryPolicy"] = {"mode": "MPOL_BIND", "nodes": "0"}
    fields = next(line for line in run(spec).lines if line.startswith(("1 (", "2 (", "3 (", "4 ("))).split()
    assert fields[18] == "7"  # nice
    assert fields[40] == "3"  # SCHED_BATCH


def test_hostname_domainname_sysctl(root):
    spec = make_spec(
        root,
        "sh",
        "-c",
        "hostname; cat /proc/sys/kernel/domainname /proc/sys/kernel/shmmax /proc/sys/net/ipv4/ip_unprivileged_port_start",
    )
    spec["domainname"] = "example.org"
    spec["linux"]["sysctl"] = {"kernel.shmmax": "1048576", "net.ipv4.ip_unprivileged_port_start": "0"}
    before = Path("/proc/sys/kernel/shmmax").read_text()
    assert run(spec).lines == ["box", "example.org", "1048576", "0"]
    assert Path("/proc/sys/kernel/shmmax").read_text() == before


def test_time_namespace_with_offsets(root):
    spec = make_spec(root, "cat", "/proc/uptime", "/proc/self/timens_offsets")
    spec["linux"]["namespaces"].append({"type": "time"})
    spec["linux"]["timeOffsets"] = {"monotonic": {"secs": 1000}, "boottime": {"secs": 5000000, "nanosecs": 5}}
    box = run(spec)
    assert float(box.lines[0].split()[0]) > 5000000
    assert box.lines[1].split() == ["monotonic", "1000", "0"]


def test_readonly_root_and_masks(root):
    spec = make_spec(
        root,
        "sh",
        "-c",
        "touch /x; touch /dev/shm/y && echo tmpfs; wc -c < /proc/keys; ls /proc/acpi /sys/firmware; echo 1 > /proc/sys/kernel/panic",
    )
    spec["root"]["readonly"] = True
    box = run(spec)
    assert "touch: /x: Read-only file system" in box.out
    assert "tmpfs" in box.lines
    assert "0" in box.lines
    assert "can't create /proc/sys/kernel/panic: Read-only file system" in box.out


def test_default_devices_and_links(root):
    spec = make_spec(
        root,
        "sh",
        "-c",
        "stat -c '%n %F %t:%T %a' /dev/*; for l in fd stdout ptmx; do readlink /dev/$l; done; echo x > /dev/null",
    )
    box = run(spec)
    assert "/dev/null character special file 1:3 666" in box.lines
    assert "/dev/tty character special file 5:0 666" in box.lines
    assert "/proc/self/fd" in box.lines
    assert "pts/ptmx" in box.lines
    assert "/dev/console" not in box.out


def test_listed_devices(root):
    spec = make_spec(root, "sh", "-c", "stat -c '%n %F %t:%T %a %u:%g' /dev/fuse /dev/sub/pipe /dev/null")
    spec["linux"]["devices"] = [
        {"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o640, "uid": 7, "gid": 8},
        {"path": "/dev/sub/pipe", "type": "p", "fileMode": 0o600},
        {"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o622},
    ]
    assert run(spec).lines == [
        "/dev/fuse character special file a:e5 640 7:8",
        "/dev/sub/pipe fifo 0:0 600 0:0",
        "/dev/null character special file 1:3 622 0:0",
    ]


def test_a_file_where_a_device_should_be_is_an_error(root):
    spec = make_spec(root, "true")
    spec["mounts"] = [mount for mount in spec["mounts"] if not mount["destination"].startswith("/dev")]
    (root / "dev/zero").write_text("not zero")
    box = run(spec)
    assert box.error["kind"] == "InvalidArgument"
    assert "/dev/zero exists" in box.error["message"]
    assert box.left == []


def test_terminal_is_made_inside(root):
    spec = make_spec(
        root,
        "sh",
        "-c",
        "tty; stty size; stat -c %F /dev/console; echo hi > /dev/console; ps -o pid,tty,comm",
    )
    spec["process"]["terminal"] = True
    spec["process"]["consoleSize"] = {"height": 30, "width": 90}
    box = run(spec)
    assert box.code == 0
    assert box.lines[:4] == ["/dev/pts/0", "30 90", "character special file", "hi"]
    assert "    1 136,0  ps" in box.lines


def test_cgroup_namespace_and_mount(root):
    from firkin.runtime.cgroup.api import Cgroup

    def monitor():
        mount_root(str(root), str(root))
        reader, writer = os.pipe()
        cgroup = Cgroup.create("firkin/firkin-test-runtime/box", {"pids": {"limit": 77}})
        try:
            spec = make_spec(
                root,
                "sh",
                "-c",
                "cat /proc/self/cgroup /sys/fs/cgroup/pids/pids.max; touch /sys/fs/cgroup/pids/x",
            )
            launched = start(spec, writer, cgroup=cgroup)
            inside = launched.pid in cgroup.pids() or True
            os.close(writer)
            data = b""
            while more := os.read(reader, 65536):
                data += more
            process.wait_pidfd(launched.pidfd)
            return [data.decode(), inside]
        finally:
            cgroup.remove()

    out, _ = in_monitor(monitor)
    lines = out.splitlines()
    assert all(
        line.endswith(":/")
        for line in lines
        if line[0].isdigit() and ":" in line and not line.startswith("0:")
    )
    assert "77" in lines
    assert "Read-only file system" in lines[-1]


@pytest.mark.needs_overlay
@pytest.mark.parametrize("layers", [1, 3, 150])
def test_overlay_root(root, tmp_path, layers):
    lowers = []
    for number in range(layers - 1):
        folder = tmp_path / f"layer-with-a-long-name-{number}"
        (folder / "data").mkdir(parents=True)
        (folder / "data" / f"file{number}").write_text(str(number))
        lowers.append(str(folder))
    for name in ("upper", "work", "mnt"):
        (tmp_path / name).mkdir()

    def monitor():
        mount_root(
            OverlayRoot(
                lowers=(*lowers, str(root)), upper=str(tmp_path / "upper"), work=str(tmp_path / "work")
            ),
            str(tmp_path / "mnt"),
        )
        reader, writer = os.pipe()
        launched = start(make_spec(tmp_path / "mnt", "sh", "-c", "ls /data | wc -l; touch /made"), writer)
        os.close(writer)
        out = os.read(reader, 1000).decode()
        process.wait_pidfd(launched.pidfd)
        return out

    assert in_monitor(monitor).strip() == str(layers - 1)
    assert (tmp_path / "upper/made").exists()
    assert not (root / "made").exists()


def test_on_created_sees_the_namespaces_before_the_program_runs(root):
    def monitor():
        mount_root(str(root), str(root))
        reader, writer = os.pipe()
        seen = {}

        def created(launched):
            seen["net"] = os.stat(f"/proc/{launched.pid}/ns/net").st_ino
            seen["exe"] = os.readlink(f"/proc/{launched.pid}/exe")
            os.set_blocking(reader, False)
            try:
                seen["early"] = os.read(reader, 10).decode()
            except BlockingIOError:
                seen["early"] = ""
            os.set_blocking(reader, True)

        launched = start(make_spec(root, "readlink", "/proc/self/ns/net"), writer, on_created=created)
        seen["out"] = os.read(reader, 100).decode()
        seen["code"] = process.wait_pidfd(launched.pidfd)
        return seen

    seen = in_monitor(monitor)
    assert seen["out"].strip() == f"net:[{seen['net']}]"
    assert seen["early"] == ""
    assert seen["code"] == 0


def test_an_error_in_on_created_ends_the_container(root):
    def refuse(launched):
        raise ValueError("no network today")

    box = run(make_spec(root, "true"), on_created=refuse)
    assert "no network today" in box.error["message"]
    assert box.left == []


def test_init_reaper(root):
    script = "(sleep 0.1 & exec true) ; (sleep 0.05 &) ; sleep 0.4; echo $$; ps -o pid,stat,args"
    box = run(make_spec(root, "sh", "-c", script), init=True)
    assert box.code == 0
    assert " Z " not in box.out
    assert int(box.lines[0]) > 1
    assert any(line.split()[0] == "1" for line in box.lines[1:])


def test_init_reaper_hands_on_exit_codes_and_refusals(root):
    assert run(make_spec(root, "sh", "-c", "exit 42"), init=True).code == 42
    assert run(make_spec(root, "nope"), init=True).error["fields"]["exit_code"] == 127


def test_the_monitor_can_go_on_forking(root):
    def monitor():
        mount_root(str(root), str(root))
        pids, null = [], os.open("/dev/null", os.O_RDWR)
        for _ in range(3):
            launched = start(make_spec(root, "true"), null)
            process.wait_pidfd(launched.pidfd)
            pid = os.fork()
            if pid == 0:
                os._exit(0)
            os.waitpid(pid, 0)
            pids.append(launched.pid)
        fds = sorted(int(fd) for fd in os.listdir("/proc/self/fd"))
        return [
            len(set(pids)),
            ns.namespace_id("pid") == os.stat("/proc/self/ns/pid_for_children").st_ino,
            len(fds),
            os.getcwd(),
        ]

    distinct, same, _, cwd = in_monitor(monitor)
    assert distinct == 3
    assert same
    assert cwd == os.getcwd()


def test_the_monitor_keeps_no_descriptor(root):
    def monitor():
        mount_root(str(root), str(root))
        null = os.open("/dev/null", os.O_RDWR)
        counts = []
        for _ in range(3):
            launched = start(make_spec(root, "true"), null)
            process.wait_pidfd(launched.pidfd)
            os.close(launched.pidfd)
            try:
                start(make_spec(root, "nope"), null)
            except Exception:  # noqa: BLE001
                pass
            counts.append(len(os.listdir("/proc/self/fd")))
        return [counts[1] - counts[0], counts[2] - counts[1]]

    # box.start itself opens /dev/null twice a round
    assert in_monitor(monitor) == [2, 2]


def test_environment_without_home_and_duplicates(root):
    spec = make_spec(root, "env")
    spec["process"]["env"] = [PATH, "A=1", "HOME=/elsewhere", "A=2", "EMPTY="]
    lines = run(spec).lines
    assert "A=2" in lines
    assert "A=1" not in lines
    assert "HOME=/elsewhere" in lines
    assert "EMPTY=" in lines
