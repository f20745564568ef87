"""User namespaces beside podman's (Debian's docker has them for the whole daemon only)."""

from __future__ import annotations

import uuid

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from e2e.isolation.conftest import Pair
    from e2e.target import Target

pytestmark = pytest.mark.needs_root

MAPS = ("--uidmap", "0:200000:1000", "--gidmap", "0:200000:1000")

# Not compared: capabilities, groups and the policy, which are docker's here and podman's there.
SCRIPT = r"""
id -u; id -g; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups | tr -s ' '
grep -E '^(Uid|Gid|NoNewPrivs):' /proc/self/status
stat -c '%u %g' /; stat -c '%n %a %u %g' /bin /bin/busybox /etc/shadow /tmp /dev /dev/shm /dev/null /dev/pts /proc/self /v /etc/hosts
touch /made /etc/made /v/made /dev/shm/made && stat -c '%n %u %g' /made /etc/made /v/made /dev/shm/made
chown 5:6 /made && stat -c '%u %g' /made; chown 5000 /made 2>&1 | sed 's/.*: //'
rm /bin/cat && mkdir /bin/cat && rmdir /bin/cat && echo layers may be changed
(echo 1 > /proc/sys/kernel/domainname) 2>&1 | sed 's/.*: //'
mount -t tmpfs t /tmp 2>&1 | sed 's/.*: //'
"""


def test_mapped_ids(podman_pair: Pair) -> None:
    theirs, ours = podman_pair.out(
        "run", "--rm", *MAPS, "--network", "none", "-v", "mapped:/v", "busybox", "sh", "-c", SCRIPT
    )
    assert ours.splitlines() == [line for line in theirs.splitlines() if line]
    for engine in (podman_pair.reference, podman_pair.firkin):
        engine.run("volume", "rm", "mapped", check=True)


def test_a_mapped_user(podman_pair: Pair) -> None:
    theirs, ours = podman_pair.out("run", "--rm", *MAPS, "--network", "none", "-u", "33", "-w", "/tmp", "--tmpfs", "/t",
                                   "busybox", "sh", "-c", "id -u; pwd; stat -c '%n %a %u' /t . ; touch /t/x && echo made")  # fmt: skip
    assert ours == theirs


def out(engine: Target, *words: str) -> list[str]:
    return engine.out(*words).split("\n")


def test_auto_gives_every_container_ids_of_its_own(firkin: Target) -> None:
    names = [f"t{uuid.uuid4().hex[:8]}" for _ in range(2)]
    try:
        maps = []
        for name in names:
            firkin.run(
                "run",
                "-d",
                "--name",
                name,
                "--userns",
                "auto:size=3000",
                "busybox",
                "sleep",
                "1000",
                check=True,
            )
            maps.append(out(firkin, "exec", name, "cat", "/proc/self/uid_map")[0].split())
        assert [m[0] for m in maps] == ["0", "0"]
        assert [m[2] for m in maps] == ["3000", "3000"]
        assert abs(int(maps[0][1]) - int(maps[1][1])) >= 3000
        joined = out(firkin, "run", "--rm", "--userns", f"container:{names[0]}", "busybox", "sh", "-c",
                     "cat /proc/self/uid_map; touch /x; stat -c %u /bin/busybox /x")  # fmt: skip
        assert (joined[0].split(), joined[1:]) == (maps[0], ["0", "0"])
        # what it wrote is its own after a restart, too
        firkin.run("exec", names[0], "touch", "/kept", check=True)
        firkin.run("stop", "-t", "0", names[0], check=True)
        firkin.run("start", names[0], check=True)
        assert out(firkin, "exec", names[0], "stat", "-c", "%u %g", "/kept") == ["0 0"]
    finally:
        firkin.run("rm", "-f", *names)


def test_a_user_namespace_with_the_default_network(firkin: Target) -> None:
    name = f"t{uuid.uuid4().hex[:8]}"
    try:
        firkin.run(
            "run",
            "-d",
            "--name",
            name,
            "--userns",
            "auto",
            "busybox",
            "sh",
            "-c",
            "httpd -f -p 80 -h /etc",
            check=True,
        )
        address = firkin.out("inspect", "-f", "{{.NetworkSettings.IPAddress}}", name)
        seen = firkin.out("run", "--rm", "--userns", "auto", "busybox", "sh", "-c",
                          f"for i in 1 2 3 4 5 6 7 8 9; do wget -qO- http://{address}/hostname && break; sleep 0.1; done")  # fmt: skip
        assert seen == firkin.out("exec", name, "hostname")
        # its own root may set up its network, as the capabilities that it was not given do not forbid
        assert firkin.run("exec", name, "ip", "link", "set", "eth0", "down").returncode != 0
    finally:
        firkin.run("rm", "-f", name)


def test_a_renamed_device_in_a_user_namespace(firkin: Target) -> None:
    told = firkin.out("run", "--rm", "--userns", "auto", "--network", "none", "--device", "/dev/zero:/dev/mine", "busybox",
                      "sh", "-c", "head -c 5 /dev/mine | wc -c")  # fmt: skip
    assert told == "5"


def test_the_host_image_in_a_user_namespace(firkin: Target) -> None:
    told = firkin.out("run", "--rm", "--userns", "auto", "--network", "none", "host", "sh", "-c",
                      "id -u; touch /tmp/in-userns && echo /tmp; head -c 9 /etc/shadow | wc -c; ls /root 2>&1 | tail -1")  # fmt: skip
    lines = told.splitlines()
    assert lines[:3] == ["0", "/tmp", "0"]
    assert "Permission denied" in lines[3]


@pytest.mark.parametrize("flags", [("--ipc", "host"), ("--pid", "host"), ("--uts", "host"), ("--network", "host"),
                                   ("--cgroupns", "private"), ("--read-only", "--init"), ("--privileged",)], ids=" ".join)  # fmt: skip
def test_a_user_namespace_beside(firkin: Target, flags: tuple[str, ...]) -> None:
    told = firkin.out("run", "--rm", "--userns", "auto", *flags, "busybox", "sh", "-c",
                      "id -u; stat -c %u /bin/busybox; (echo 60 > /proc/sys/vm/swappiness) 2>/dev/null && echo written; true")  # fmt: skip
    assert told.split() == ["0", "0"]


def test_no_view_of_the_hosts_message_queues(firkin: Target) -> None:
    name = f"t{uuid.uuid4().hex[:8]}"
    firkin.run("run", "-d", "--name", name, "--ipc", "shareable", "busybox", "sleep", "1000", check=True)
    try:
        told = firkin.out(
            "run", "--rm", "--userns", "auto", "--ipc", f"container:{name}", "busybox", "cat", "/proc/mounts"
        )
        assert "mqueue" not in told
    finally:
        firkin.run("rm", "-f", name)


def test_a_bind_in_a_user_namespace_keeps_the_hosts_ids(podman_pair: Pair, tmp_path: Path) -> None:
    (tmp_path / "of-root").write_text("x")
    (tmp_path / "of-root").chmod(0o600)
    tmp_path.chmod(0o755)
    theirs, ours = podman_pair.out("run", "--rm", *MAPS, "--network", "none", "-v", f"{tmp_path}:/b", "busybox", "sh", "-c",
                                   "stat -c '%u %g' /b/of-root; cat /b/of-root 2>&1; touch /b/y 2>&1; true")  # fmt: skip
    assert ours == theirs
    assert "Permission denied" in ours
