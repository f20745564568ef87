"""config.json field by field; tests/kernel/specgen compares it with what dockerd writes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from firkin.errors import InvalidArgument, PermissionDenied, Unsupported
from firkin.oci.image import ImageConfig
from firkin.specgen.caps import DEFAULT, NAMES
from firkin.specgen.facts import Device, Facts
from firkin.specgen.generate import INIT_ANNOTATION, MASKED_PATHS, READONLY_PATHS, generate
from firkin.specgen.options import (
    CreateOptions,
    DeviceMapping,
    DeviceRule,
    IdMap,
    Mount,
    SecurityOpt,
    Throttle,
    TimeOffset,
    Ulimit,
)

IMAGE = ImageConfig(env=("PATH=/bin",), cmd=("sh",))
FACTS = Facts(
    container_id="c0ffee" + "0" * 58,
    rootfs="/run/root",
    cgroup_path="firkin/e/c0ffee",
    passwd=b"root:x:0:0::/root:\nweb:x:33:34::/var/www:\n",
    group=b"web:x:34:\naudio:x:29:web\n",
    seccomp={"defaultAction": "SCMP_ACT_ERRNO"},
)


def spec(facts: Facts = FACTS, image: ImageConfig = IMAGE, **options: Any) -> dict[str, Any]:
    return generate(CreateOptions(image="x", **options), image, facts)


def mounts(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {mount["destination"]: mount for mount in found["mounts"]}


def kinds(found: dict[str, Any]) -> dict[str, str | None]:
    return {ns["type"]: ns.get("path") for ns in found["linux"]["namespaces"]}


def test_the_default_is_what_docker_28_gives() -> None:
    found = spec()
    assert found["ociVersion"] == "1.2.0"
    assert found["root"] == {"path": "/run/root"}
    assert found["hostname"] == "c0ffee000000"
    assert found["process"] == {
        "terminal": False,
        "user": {"uid": 0, "gid": 0, "additionalGids": [0]},
        "args": ["sh"],
        "env": ["PATH=/bin", "HOSTNAME=c0ffee000000", "HOME=/root"],
        "cwd": "/",
        "capabilities": {name: list(DEFAULT) for name in ("bounding", "effective", "permitted")},
        "noNewPrivileges": False,
        "oomScoreAdj": 0,
    }
    assert [(m["destination"], m["type"], ",".join(m["options"])) for m in found["mounts"]] == [
        ("/proc", "proc", "nosuid,noexec,nodev"),
        ("/dev", "tmpfs", "nosuid,strictatime,mode=755,size=65536k"),
        ("/dev/pts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"),
        ("/sys", "sysfs", "nosuid,noexec,nodev,ro"),
        ("/sys/fs/cgroup", "cgroup", "ro,nosuid,noexec,nodev"),
        ("/dev/mqueue", "mqueue", "nosuid,noexec,nodev"),
        ("/dev/shm", "tmpfs", "nosuid,noexec,nodev,mode=1777,size=67108864"),
    ]
    linux = found["linux"]
    assert linux["maskedPaths"] == list(MASKED_PATHS)
    assert linux["readonlyPaths"] == list(READONLY_PATHS)
    assert kinds(found) == dict.fromkeys(("mount", "network", "uts", "pid", "ipc", "cgroup"))
    assert linux["cgroupsPath"] == "firkin/e/c0ffee"
    assert linux["sysctl"] == {
        "net.ipv4.ip_unprivileged_port_start": "0",
        "net.ipv4.ping_group_range": "0 2147483647",
    }
    assert linux["seccomp"] == FACTS.seccomp
    assert linux["resources"].keys() == {"devices"}
    assert linux["resources"]["devices"][0] == {"allow": False, "access": "rwm"}


def test_the_spec_is_json_and_two_specs_share_nothing() -> None:
    first = spec()
    text = json.dumps(first)
    for mount in first["mounts"]:
        mount["options"].append("spoiled")
    for part in (first["process"], first["linux"]):
        for value in part.values():
            if isinstance(value, list):
                value.append("spoiled")
    assert json.dumps(spec()) == text


def test_a_user_other_than_root_can_use_no_capability() -> None:
    process = spec(user="web")["process"]
    assert process["user"] == {"uid": 33, "gid": 34, "additionalGids": [34, 29]}
    assert process["capabilities"] == {"bounding": list(DEFAULT)}
    assert process["env"][-1] == "HOME=/var/www"


def test_the_environment() -> None:
    process = spec(tty=True, env=("PATH=/own", "HOME=/h", "X=1"), hostname="box")["process"]
    assert process["env"] == ["PATH=/own", "HOSTNAME=box", "TERM=xterm", "HOME=/h", "X=1"]
    assert process["terminal"] is True
    assert (
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        in spec(image=ImageConfig(cmd=("sh",)))["process"]["env"]
    )
    assert not any(text.startswith("TERM") for text in spec(tty=True, env=("TERM",))["process"]["env"])


@pytest.mark.parametrize(
    ("text", "cwd"), [("", "/"), ("/a/../b//c/", "/b/c"), ("rel", "/rel"), ("../../x", "/x"), ("//x", "/x")]
)
def test_the_working_directory_never_leaves_the_root(text: str, cwd: str) -> None:
    image = ImageConfig(cmd=("sh",), working_dir=text)
    assert spec(image=image)["process"]["cwd"] == cwd


def test_nothing_to_run_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="no command specified"):
        spec(image=ImageConfig())


def test_privileged() -> None:
    facts = FACTS.replace(
        host_devices=(Device(path="/dev/kvm", type="c", major=10, minor=232, mode=0o660, gid=104),),
        capabilities=NAMES[:24],
        thermal_throttle=(0,),
    )
    found = spec(facts, privileged=True)
    assert found["process"]["capabilities"]["effective"] == list(NAMES[:24])
    assert "maskedPaths" not in found["linux"]
    assert "readonlyPaths" not in found["linux"]
    assert "seccomp" not in found["linux"]
    assert "ro" not in mounts(found)["/sys"]["options"]
    assert "ro" not in mounts(found)["/sys/fs/cgroup"]["options"]
    assert found["linux"]["resources"]["devices"] == [{"allow": True, "access": "rwm"}]
    assert found["linux"]["devices"] == [
        {"path": "/dev/kvm", "type": "c", "major": 10, "minor": 232, "fileMode": 0o660, "uid": 0, "gid": 104}
    ]
    profile = SecurityOpt(seccomp="builtin")
    assert spec(facts, privileged=True, security_opt=profile)["linux"]["seccomp"] == FACTS.seccomp


def test_what_the_image_host_masks_stays_masked() -> None:
    facts = FACTS.replace(extra_masked=("/etc/shadow",), thermal_throttle=(0, 1))
    assert spec(facts, privileged=True)["linux"]["maskedPaths"] == ["/etc/shadow"]
    assert spec(facts)["linux"]["maskedPaths"] == [
        *MASKED_PATHS,
        "/sys/devices/system/cpu/cpu0/thermal_throttle",
        "/sys/devices/system/cpu/cpu1/thermal_throttle",
        "/etc/shadow",
    ]


def test_security_options() -> None:
    unconfined = spec(security_opt=SecurityOpt(seccomp="unconfined", system_paths_unconfined=True))
    assert "seccomp" not in unconfined["linux"]
    assert "maskedPaths" not in unconfined["linux"]
    assert spec(security_opt=SecurityOpt(no_new_privileges=True))["process"]["noNewPrivileges"] is True
    facts = FACTS.replace(apparmor=True, apparmor_profile="docker-default")
    assert spec(facts)["process"]["apparmorProfile"] == "docker-default"
    assert spec(facts, privileged=True)["process"]["apparmorProfile"] == "unconfined"
    assert spec(facts, security_opt=SecurityOpt(apparmor="own"))["process"]["apparmorProfile"] == "own"
    with pytest.raises(Unsupported, match="AppArmor is not enabled"):
        spec(security_opt=SecurityOpt(apparmor="own"))
    own = SecurityOpt(seccomp='{"defaultAction":"SCMP_ACT_ALLOW"}')
    assert spec(security_opt=own)["linux"]["seccomp"] == {"defaultAction": "SCMP_ACT_ALLOW"}
    with pytest.raises(Unsupported, match="seccomp is not enabled"):
        spec(FACTS.replace(seccomp_supported=False), security_opt=own)
    assert "seccomp" not in spec(FACTS.replace(seccomp_supported=False))["linux"]
    labelled = spec(FACTS.replace(process_label="p", mount_label="m"))
    assert (labelled["process"]["selinuxLabel"], labelled["linux"]["mountLabel"]) == ("p", "m")


def test_mounts_are_sorted_by_depth_and_stable() -> None:
    facts = FACTS.replace(
        volumes={"/data": "/v/data/_data", "/a/b/c": "/v/x/_data"},
        hosts_path="/h/hosts",
        hostname_path="/h/hostname",
        resolv_conf_path="/h/resolv.conf",
    )
    found = spec(
        facts,
        volume=(
            Mount(type="bind", source="/s", target="/etc/deep/er"),
            Mount(type="bind", source="/s", target="/z"),
        ),
        mount=(Mount(type="volume", source="data", target="/data"), Mount(type="volume", target="/a/b/c")),
        tmpfs={"/t": ""},
    )
    assert [mount["destination"] for mount in found["mounts"][7:]] == [
        "/z", "/data", "/t", "/etc/resolv.conf", "/etc/hostname", "/etc/hosts", "/etc/deep/er", "/a/b/c",
    ]  # fmt: skip
    assert mounts(found)["/data"] == {
        "destination": "/data", "type": "bind", "source": "/v/data/_data", "options": ["rbind"],
    }  # fmt: skip
    assert mounts(found)["/z"]["options"] == ["rbind", "rprivate"]
    assert mounts(found)["/t"]["options"] == ["noexec", "nosuid", "nodev", "rprivate"]


def test_a_volume_that_was_not_prepared_is_an_error() -> None:
    with pytest.raises(InvalidArgument, match="the volume for /data was not prepared"):
        spec(mount=(Mount(type="volume", source="data", target="/data"),))


@pytest.mark.parametrize(
    ("mount", "rro", "options"),
    [
        ({}, True, ["rbind", "rprivate"]),
        ({"read_only": True}, True, ["rbind", "rro", "rprivate"]),
        ({"read_only": True}, False, ["rbind", "ro", "rprivate"]),
        ({"read_only": True, "bind_recursive": "writable"}, True, ["rbind", "ro", "rprivate"]),
        ({"read_only": True, "bind_recursive": "readonly"}, True, ["rbind", "rro", "rprivate"]),
        ({"bind_recursive": "disabled", "read_only": True}, True, ["bind", "ro", "rprivate"]),
        ({"propagation": "rshared"}, True, ["rbind", "rshared"]),
    ],
)
def test_how_a_directory_is_bound(mount: dict[str, Any], rro: bool, options: list[str]) -> None:
    found = spec(FACTS.replace(rro=rro), mount=(Mount(type="bind", source="/s", target="/d", **mount),))
    assert mounts(found)["/d"]["options"] == options


def test_recursive_read_only_is_refused_where_it_cannot_be() -> None:
    with pytest.raises(Unsupported, match="recursively read-only"):
        spec(
            FACTS.replace(rro=False),
            mount=(Mount(type="bind", source="/s", target="/d", read_only=True, bind_recursive="readonly"),),
        )


@pytest.mark.parametrize(
    ("propagation", "root"),
    [("", None), ("rprivate", None), ("rslave", "rslave"), ("shared", "shared"), ("rshared", "shared")],
)
def test_the_roots_propagation_follows_the_mounts(propagation: str, root: str | None) -> None:
    found = spec(mount=(Mount(type="bind", source="/s", target="/d", propagation=propagation),))
    assert found["linux"].get("rootfsPropagation") == root


def test_tmpfs_options_override_the_defaults() -> None:
    found = mounts(spec(
        tmpfs={"/a": "exec,size=1m,mode=1770,ro,rw", "/b": "size=1,size=2,defaults,noexec"},
        mount=(Mount(type="tmpfs", target="/c", tmpfs_size=3 << 20, tmpfs_mode=0o700, read_only=True),),
    ))  # fmt: skip
    assert found["/a"]["options"] == ["nosuid", "nodev", "rprivate", "exec", "size=1m", "mode=1770", "rw"]
    assert found["/b"]["options"] == ["nosuid", "nodev", "rprivate", "size=2", "noexec"]
    assert found["/c"]["options"] == ["noexec", "nosuid", "nodev", "rprivate", "ro", "mode=700", "size=3m"]
    for text in ("foo", "size=", "context=x"):
        with pytest.raises(InvalidArgument, match="invalid tmpfs option"):
            spec(tmpfs={"/a": text})


def test_a_users_mount_replaces_a_default_one() -> None:
    found = mounts(spec(volume=(Mount(type="bind", source="/dev", target="/dev"),)))
    assert "/dev/pts" not in found
    assert found["/dev"]["type"] == "bind"
    assert mounts(spec(tmpfs={"/dev/shm": "size=1m"}))["/dev/shm"]["options"][-1] == "size=1m"
    facts = FACTS.replace(hosts_path="/h/hosts", hostname_path="/h/hostname")
    found = mounts(spec(facts, volume=(Mount(type="bind", source="/mine", target="/etc/hosts"),)))
    assert found["/etc/hosts"]["source"] == "/mine"
    assert found["/etc/hostname"]["source"] == "/h/hostname"


def test_the_host_images_mounts_give_way_to_the_users() -> None:
    extra = tuple(
        {"destination": path, "type": "bind", "source": path, "options": ["bind"]}
        for path in ("/home", "/home/x", "/usr")
    )
    found = spec(FACTS.replace(extra_mounts=extra), volume=(Mount(type="bind", source="/s", target="/home"),))
    assert [m["destination"] for m in found["mounts"][7:]] == ["/usr", "/home"]


def test_a_read_only_root() -> None:
    found = spec(FACTS.replace(hosts_path="/h/hosts"), read_only=True)
    assert found["root"]["readonly"] is True
    assert mounts(found)["/etc/hosts"]["options"] == ["rbind", "ro", "rprivate"]


def test_init_goes_first_unless_the_pid_namespace_is_shared() -> None:
    assert spec(init=True)["annotations"][INIT_ANNOTATION] == "1"
    assert INIT_ANNOTATION not in spec(init=True, pid="host").get("annotations", {})
    found = spec(FACTS.replace(init_path="/usr/bin/tini"), init=True)
    assert found["process"]["args"] == ["/sbin/docker-init", "--", "sh"]
    assert found["mounts"][-1] == {
        "destination": "/sbin/docker-init", "type": "bind", "source": "/usr/bin/tini", "options": ["bind", "ro"],
    }  # fmt: skip


def test_the_hosts_namespaces_are_left_out() -> None:
    facts = FACTS.replace(hostname="machine", cgroup_version=1)
    found = spec(facts, network="host", pid="host", ipc="host", uts="host")
    assert kinds(found) == {"mount": None}
    assert "hostname" not in found
    assert "HOSTNAME=machine" in found["process"]["env"]
    assert "sysctl" not in found["linux"]
    assert mounts(found)["/dev/shm"] == {
        "destination": "/dev/shm", "type": "bind", "source": "/dev/shm", "options": ["rbind", "rprivate"],
    }  # fmt: skip
    assert spec(facts, network="host")["hostname"] == "machine"
    assert "HOSTNAME=c0ffee000000" in spec(facts, uts="host")["process"]["env"]
    assert "cgroup" in kinds(spec(facts, cgroupns="private"))
    assert "cgroup" not in kinds(spec(cgroupns="host"))


def test_anothers_namespaces_are_joined_by_path() -> None:
    facts = FACTS.replace(
        namespaces={"network": "/proc/5/ns/net", "ipc": "/proc/5/ns/ipc", "pid": "/proc/5/ns/pid",
                    "user": "/proc/5/ns/user"},
        shm_path="/run/shm",
    )  # fmt: skip
    found = spec(
        facts,
        network="container:a",
        ipc="container:a",
        pid="container:a",
        userns="container:a",
        cgroupns="host",
    )
    assert kinds(found) == {"mount": None, "uts": None, **facts.namespaces}
    assert mounts(found)["/dev/shm"]["source"] == "/run/shm"
    assert "uidMappings" not in found["linux"]
    assert "sysctl" not in found["linux"]
    with pytest.raises(InvalidArgument, match="cannot join the ipc namespace of web: it is not running"):
        spec(ipc="container:web")


def test_ipc_none_has_no_shared_memory() -> None:
    assert "/dev/shm" not in mounts(spec(ipc="none"))
    assert mounts(spec(FACTS.replace(shm_path="/s"), ipc="shareable"))["/dev/shm"]["source"] == "/s"
    assert mounts(spec(shm_size=1 << 20))["/dev/shm"]["options"][-1] == "size=1048576"


def test_a_user_namespace_of_its_own() -> None:
    maps = (IdMap(container_id=0, host_id=100000, size=65536),)
    facts = FACTS.replace(uid_maps=maps, gid_maps=maps)
    for found in (spec(facts, userns="auto"), spec(userns="", uidmap=maps), spec(gidmap=maps)):
        assert "user" in kinds(found)
        wanted = [{"containerID": 0, "hostID": 100000, "size": 65536}]
        assert found["linux"]["uidMappings"] == found["linux"]["gidMappings"] == wanted
        assert "net.ipv4.ping_group_range" not in found["linux"]["sysctl"]
        assert "ro" not in mounts(found)["/sys/fs/cgroup"]["options"]
    assert "user" not in kinds(spec(facts, userns="host"))
    with pytest.raises(InvalidArgument, match="no id mapping"):
        spec(userns="auto")
    twice = (*maps, IdMap(container_id=100, host_id=300000, size=1))
    with pytest.raises(InvalidArgument, match="--uidmap: ranges overlap at 100"):
        spec(uidmap=twice)


def test_a_user_namespace_binds_what_it_may_not_mount() -> None:
    maps = (IdMap(container_id=0, host_id=100000, size=65536),)
    facts = FACTS.replace(uid_maps=maps, gid_maps=maps)
    assert mounts(spec(facts, userns="auto"))["/sys"]["type"] == "sysfs"
    found = mounts(spec(facts, userns="auto", network="host", pid="host", ipc="host"))
    assert found["/sys"]["options"] == ["rbind", "nosuid", "noexec", "nodev", "rro"]
    assert [found[path]["type"] for path in ("/sys", "/proc")] == ["bind"] * 2
    assert "/dev/mqueue" not in found  # a bind of the host's would show the host's queues
    made = facts.replace(namespaces={"network": "/proc/self/fd/9"})
    assert mounts(spec(made, userns="auto"))["/sys"]["type"] == "bind"
    assert mounts(spec(made.replace(network_in_userns=True), userns="auto"))["/sys"]["type"] == "sysfs"


def test_a_time_namespace() -> None:
    found = spec(time_offset=(TimeOffset(clock="boottime", seconds=-2, nanoseconds=5),))
    assert "time" in kinds(found)
    assert found["linux"]["timeOffsets"] == {"boottime": {"secs": -2, "nanosecs": 5}}


def test_sysctls_of_the_hosts_namespaces_are_refused() -> None:
    assert spec(sysctl={"net.core.somaxconn": "9"})["linux"]["sysctl"]["net.core.somaxconn"] == "9"
    with pytest.raises(InvalidArgument, match=r'sysctl "net\.x" not allowed in host network namespace'):
        spec(network="host", sysctl={"net.x": "1"})
    with pytest.raises(InvalidArgument, match=r'sysctl "kernel\.shmmax" not allowed in host ipc namespace'):
        spec(ipc="host", sysctl={"kernel.shmmax": "1"})


def test_limits() -> None:
    facts = FACTS.replace(device_numbers={"/dev/sda": (8, 0)})
    disk = (Throttle(path="/dev/sda", rate=100),)
    found = spec(
        facts, memory=64 << 20, memory_reservation=32 << 20, memory_swappiness=5, oom_kill_disable=True,
        cpus=1_500_000_000, cpu_shares=1, cpuset_cpus="0-1", cpuset_mems="0", pids_limit=7, blkio_weight=50,
        blkio_weight_device=disk, device_read_bps=disk, device_write_iops=disk,
    )["linux"]["resources"]  # fmt: skip
    assert found["memory"] == {
        "limit": 64 << 20, "reservation": 32 << 20, "swap": 128 << 20, "swappiness": 5, "disableOOMKiller": True,
    }  # fmt: skip
    assert found["cpu"] == {"shares": 2, "period": 100_000, "quota": 150_000, "cpus": "0-1", "mems": "0"}
    assert found["pids"] == {"limit": 7}
    assert found["blockIO"] == {
        "weight": 50,
        "weightDevice": [{"major": 8, "minor": 0, "weight": 100}],
        "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 100}],
        "throttleWriteIOPSDevice": [{"major": 8, "minor": 0, "rate": 100}],
    }
    with pytest.raises(InvalidArgument, match="cannot limit device /dev/sda"):
        spec(device_read_bps=disk)


@pytest.mark.parametrize(
    ("options", "memory"),
    [
        ({"memory": 64 << 20}, {"limit": 64 << 20, "swap": 128 << 20}),
        ({"memory": 64 << 20, "memory_swap": 64 << 20}, {"limit": 64 << 20, "swap": 64 << 20}),
        ({"memory": 64 << 20, "memory_swap": -1}, {"limit": 64 << 20}),
        ({"memory_swappiness": -1}, None),
    ],
)
def test_swap(options: dict[str, int], memory: dict[str, int] | None) -> None:
    assert spec(**options)["linux"]["resources"].get("memory") == memory


def test_pids_without_limit() -> None:
    for limit in (None, 0, -1):
        assert "pids" not in spec(pids_limit=limit)["linux"]["resources"]


def test_rlimits() -> None:
    found = spec(ulimit=(Ulimit(name="nofile", soft=1, hard=2), Ulimit(name="core", soft=-1, hard=-1),
                         Ulimit(name="nofile", soft=3, hard=4)))["process"]["rlimits"]  # fmt: skip
    assert found == [
        {"type": "RLIMIT_NOFILE", "soft": 3, "hard": 4},
        {"type": "RLIMIT_CORE", "soft": 2**64 - 1, "hard": 2**64 - 1},
    ]


def test_devices() -> None:
    fuse = Device(path="/dev/fuse", type="c", major=10, minor=229, mode=0o666)
    found = spec(
        FACTS.replace(devices={"/dev/fuse": (fuse,)}),
        device=(DeviceMapping(path_on_host="/dev/fuse", path_in_container="/dev/fuse", permissions="rw"),),
        device_cgroup_rule=(DeviceRule(type="c", major=13, minor=-1, access="r"),),
    )["linux"]
    assert found["devices"] == [
        {"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o666, "uid": 0, "gid": 0}
    ]
    assert found["resources"]["devices"][-2:] == [
        {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rw"},
        {"allow": True, "type": "c", "major": 13, "access": "r"},
    ]
    snd = tuple(
        Device(path=f"/dev/snd/{name}", type="c", major=116, minor=n) for n, name in enumerate(("a", "b/c"))
    )
    found = spec(
        FACTS.replace(devices={"/dev/snd": snd}),
        device=(DeviceMapping(path_on_host="/dev/snd", path_in_container="/dev/audio", permissions="r"),),
    )["linux"]
    assert [node["path"] for node in found["devices"]] == ["/dev/audio/a", "/dev/audio/b/c"]
    assert [rule["access"] for rule in found["resources"]["devices"][-2:]] == ["r", "r"]
    with pytest.raises(InvalidArgument, match='custom device "/dev/nope": no such file or directory'):
        spec(device=(DeviceMapping(path_on_host="/dev/nope", path_in_container="/dev/nope"),))


def test_the_oom_score_can_only_be_lowered_by_who_may() -> None:
    lacking = FACTS.replace(capabilities=("CAP_CHOWN",), oom_score_adj=100)
    assert spec(oom_score_adj=-5)["process"]["oomScoreAdj"] == -5
    assert spec(lacking, oom_score_adj=500)["process"]["oomScoreAdj"] == 500
    assert spec(lacking)["process"]["oomScoreAdj"] == 100
    with pytest.raises(PermissionDenied, match="cannot lower the OOM score to -5"):
        spec(lacking, oom_score_adj=-5)


def test_annotations_and_domain_name() -> None:
    found = spec(annotation={"a": "b"}, domainname="example.org", env=("HOME=/",))
    assert found["annotations"] == {"a": "b"}
    assert found["domainname"] == "example.org"
