"""What a container may not do, tried from inside. Each attack is a line of shell that succeeds with status 0."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import pytest

pytestmark = pytest.mark.needs_root


def disk() -> tuple[int, int]:
    """Return major and minor of the device that the root file system is on, or of the first disk."""
    device = os.stat("/").st_dev
    if os.major(device) == 0:
        numbers = next(Path("/sys/block").glob("*/dev")).read_text().split(":")
        return int(numbers[0]), int(numbers[1])
    return os.major(device), os.minor(device)


def attacks() -> dict[str, str]:
    major, minor = disk()
    return {
        "read the disk": f"mknod /d b {major} {minor}; head -c 512 /d",
        "write the disk": f"mknod /d2 b {major} {minor} && exec 3<>/d2",
        "read memory": "mknod /m c 1 1; head -c 1 /m",
        "read kernel memory": "mknod /p c 1 4; head -c 1 /p",
        "read the kernel's log": "mknod /k c 1 11; timeout 1 head -c 1 /k",
        "loop devices": "mknod /lc c 10 237 && exec 3<>/lc",
        "the host's terminal": "mknod /t c 4 0 && exec 3<>/t",
        "fuse": "mknod /f c 10 229 && exec 3<>/f",
        "mount a tmpfs": "mount -t tmpfs none /tmp",
        "mount proc": "mkdir /pr; mount -t proc none /pr",
        "mount a cgroup": "mkdir /cg; mount -t cgroup -o memory none /cg",
        "bind": "mount -o bind / /tmp",
        "remount proc": "mount -o remount,rw /proc/sys",
        "remount sys": "mount -o remount,rw /sys",
        "remount the masks": "mount -o remount,bind,rw /proc/kcore /proc/keys /sys/firmware",
        "remount cgroup": "mount -o remount,rw /sys/fs/cgroup/memory",
        "umount a mask": "umount /proc/keys",
        "umount a masked directory": "umount /sys/firmware || umount -l /proc/acpi",
        "umount read-only": "umount /proc/sys",
        "umount the hosts file": "umount /etc/hosts",
        "move the hosts file": "mv /etc/hosts /etc/hosts2 || rm /etc/hosts || ln -sf /etc/passwd /etc/hosts",
        "core_pattern": "echo '|/evil' > /proc/sys/kernel/core_pattern",
        "modprobe": "echo /evil > /proc/sys/kernel/modprobe",
        "swappiness": "echo 60 > /proc/sys/vm/swappiness",
        "binfmt": "echo x > /proc/sys/fs/binfmt_misc/register",
        "sysrq": "[ -e /proc/sysrq-trigger ] && echo h > /proc/sysrq-trigger",
        "irq": "echo 1 > /proc/irq/default_smp_affinity",
        "the host's name": "hostname broken",
        "uevent helper": "echo /evil > /sys/kernel/uevent_helper",
        "sysfs": "echo 0 > /sys/kernel/mm/ksm/run || echo mem > /sys/power/state",
        "release agent": "echo /evil > /sys/fs/cgroup/memory/release_agent",
        "own memory limit": "echo -1 > /sys/fs/cgroup/memory/memory.limit_in_bytes",
        "own devices": "echo a > /sys/fs/cgroup/devices/devices.allow",
        "leave the cgroup": "echo $$ > /sys/fs/cgroup/pids/cgroup.procs || mkdir /sys/fs/cgroup/pids/own",
        "a cgroup": "mkdir /sys/fs/cgroup/memory/own || rmdir /sys/fs/cgroup/memory",
        "OOM score": "echo -1000 > /proc/self/oom_score_adj",
        "kcore": "[ $(head -c 64 /proc/kcore | wc -c) -gt 0 ]",
        "keys": "[ $(cat /proc/keys | wc -c) -gt 0 ]",
        "timers": "[ $(cat /proc/timer_list | wc -c) -gt 0 ]",
        "firmware": "[ -n \"$(ls -A /sys/firmware)\" ]",
        "new user namespace": "unshare -U true",
        "new mount namespace": "unshare -m true",
        "new network namespace": "unshare -n true",
        "enter process 1": "nsenter -t 1 -m true",
        "root of process 1 is another": "[ $(stat -c %d:%i /proc/1/root/) != $(stat -c %d:%i /) ]",
        "a process of the host": "cat /proc/[0-9]*/comm | grep -E 'python|pytest|kthreadd|firkin-monitor'",
        "pivot_root": "mkdir /pv; pivot_root /pv /pv",
        "swap": "dd if=/dev/zero of=/sw bs=4096 count=16; mkswap /sw; swapon /sw",
        "reboot": "reboot -f -n || poweroff -f -n",
        "a module": "touch /x.ko; insmod /x.ko",
        "the log by syslog": "[ -n \"$(dmesg)\" ]",
        "the network": "ip link set lo down || ip addr add 1.2.3.4/32 dev lo || ip link add d type dummy",
        "the network's settings": "echo 64 > /proc/sys/net/ipv4/ip_default_ttl",
        "quota": "nice -n -20 true && [ $(nice -n -20 nice) = -20 ]",
        "limits": "ulimit -Hn 99999999",
        "a device in /dev": f"mknod /dev/disk b {major} {minor} && head -c 1 /dev/disk",
    }  # fmt: skip


@pytest.mark.parametrize("flags", [("--network", "none"), ("--network", "none", "--userns", "auto"), ("--network", "none", "-u", "1000"),
                                   ("--network", "none", "--security-opt", "seccomp=unconfined", "--cap-drop", "MKNOD"), ("--network", "none", "--init", "--ipc", "host", "--uts", "host"),
                                   ], ids=["default", "userns", "user", "without seccomp", "shared"])  # fmt: skip
def test_all_is_denied(firkin, flags: tuple[str, ...]) -> None:
    tried = attacks()
    if "seccomp=unconfined" in flags:
        del tried["new user namespace"]  # the kernel gives one to everybody: it is the policy that does not
    assert firkin.denied(list(flags), tried) == []


def test_with_the_capability_they_succeed(firkin) -> None:
    """The attacks are real: where they are allowed, they succeed."""
    some = {
        name: attacks()[name] for name in ("mount a tmpfs", "bind", "new mount namespace", "umount a mask")
    }
    done = firkin.denied(["--network", "none", "--cap-add", "SYS_ADMIN"], some)
    assert done == [f"SUCCEEDED {name}" for name in some]


def test_the_devices_that_are_given_are_all(firkin) -> None:
    major, minor = disk()
    told = firkin.denied(["--network", "none", "--device", "/dev/loop0:/dev/ro:r"],
                         {"write": "exec 3<>/dev/ro", "other": f"mknod /d b {major} {minor}; head -c 1 /d"})  # fmt: skip
    assert told == []


def test_the_hosts_files_are_not_the_containers(firkin) -> None:
    before = {path: Path(path).read_bytes() for path in ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf")}
    name = f"t{uuid.uuid4().hex[:8]}"
    for network in ("none", "bridge", "host"):
        firkin.run("run", "--rm", "--network", network, "busybox", "sh", "-c",
                   "for f in hosts hostname resolv.conf; do echo broken > /etc/$f; done", check=True)  # fmt: skip
    assert {path: Path(path).read_bytes() for path in before} == before
    firkin.run(
        "run",
        "--name",
        name,
        "--network",
        "none",
        "busybox",
        "sh",
        "-c",
        "echo broken > /etc/hosts",
        check=True,
    )
    assert (
        "broken"
        not in firkin.out("start", "-a", name)
        + (firkin.home / "root/containers")
        .joinpath(firkin.out("inspect", "-f", "{{.Id}}", name), "hostname")
        .read_text()
    )
    firkin.run("rm", name, check=True)


def test_processes_of_the_host_are_out_of_reach(firkin) -> None:
    """--pid host shows them; their roots, programs and memory stay theirs."""
    root = os.stat("/")
    told = firkin.out("run", "--rm", "--network", "none", "--pid", "host", "busybox", "sh", "-c",
                      "n=0; for p in /proc/[0-9]*; do n=$((n + 1)); "
                      f"[ \"$(stat -c %d:%i $p/root/ 2>/dev/null)\" = {root.st_dev}:{root.st_ino} ] && echo root $p; "
                      "[ \"$(cat $p/comm 2>/dev/null)\" = firkin-monitor ] && readlink $p/exe $p/fd/0 $p/cwd && echo monitor $p; "
                      f"done; head -c 1 /proc/{os.getpid()}/environ; readlink /proc/{os.getpid()}/exe; ls /proc/1/root/; "
                      "echo looked $n")  # fmt: skip
    *found, last = told.splitlines()
    assert found == []
    assert int(last.split()[1]) > 10


def test_a_joined_pid_namespace_gives_no_more_than_its_own_capabilities(firkin) -> None:
    name = f"t{uuid.uuid4().hex[:8]}"
    firkin.run(
        "run",
        "-d",
        "--name",
        name,
        "--network",
        "none",
        "--privileged",
        "busybox",
        "sleep",
        "1000",
        check=True,
    )
    try:
        told = firkin.denied(["--network", "none", "--pid", f"container:{name}"], {
            "root": "ls /proc/1/root/", "disk": "head -c 1 /proc/1/root/dev/vda", "exe": "readlink /proc/1/exe",
            "namespaces": "nsenter -t 1 -m true", "memory": "exec 3<>/proc/1/mem", "descriptors": "readlink /proc/1/fd/0",
        })  # fmt: skip
        assert told == []
    finally:
        firkin.run("rm", "-f", name)


def test_setuid_gives_nothing_under_no_new_privileges(firkin) -> None:
    script = "cp /usr/bin/id /tmp/id-suid && chmod 4755 /tmp/id-suid && exec setpriv --reuid 1000 --regid 1000 --clear-groups /tmp/id-suid"
    plain = firkin.out("run", "--rm", "--network", "none", "host", "sh", "-c", script)
    assert "euid=0" in plain
    held = firkin.out(
        "run", "--rm", "--network", "none", "--security-opt", "no-new-privileges", "host", "sh", "-c", script
    )
    assert "euid=0" not in held


def test_a_false_null_device_shows_nothing(firkin, tmp_path: Path) -> None:
    """CVE-2025-31133: what masks is the null device or the start fails; never what stands in its place."""
    (tmp_path / "null").symlink_to("/proc/sys/kernel/core_pattern")
    ran = firkin.run("run", "--rm", "--network", "none", "-v", f"{tmp_path}:/dev", "busybox", "sh", "-c",
                     "head -c 9 /proc/keys | wc -c; stat -c %t:%T /proc/keys; cat /proc/self/mountinfo | grep -c core_pattern")  # fmt: skip
    assert ran.returncode != 0 or ran.stdout.split()[:2] == ["0", "1:3"]
    assert "core_pattern" not in ran.stdout
