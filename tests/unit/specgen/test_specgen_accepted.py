"""Whatever options are given together: the runtime's own rules (oci/spec.py) accept what we generate for them."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from firkin.errors import FirkinError
from firkin.oci.image import ImageConfig
from firkin.oci.spec import validate as accept
from firkin.oci.spec import validate_process
from firkin.specgen.caps import NAMES
from firkin.specgen.facts import Device, Facts
from firkin.specgen.generate import generate
from firkin.specgen.options import (
    CreateOptions,
    DeviceMapping,
    DeviceRule,
    ExecOptions,
    IdMap,
    Mount,
    SecurityOpt,
    Throttle,
    TimeOffset,
    Ulimit,
)
from firkin.specgen.process import exec_process
from firkin.specgen.validate import validate

MAPS = (IdMap(container_id=0, host_id=100000, size=65536),)
DISK = (Throttle(path="/dev/sda", rate=100),)
IMAGE = ImageConfig(
    cmd=("sh",),
    env=("PATH=/bin", "BARE"),
    working_dir="rel/../x",
    volumes=("/data",),
    user="web",
    healthcheck={"Test": ["CMD", "x"]},
)

# field: values that may be given together with any of the others
CHOICES: dict[str, tuple[Any, ...]] = {
    "command": (("echo", "a b"),),
    "entrypoint": (("/e",),),
    "env": (("A=1", "PATH", "HOME=/x"),),
    "user": ("0", "web:audio", "5:6"),
    "workdir": ("/a//b/..",),
    "group_add": (("audio", "7"),),
    "tty": (True,),
    "init": (True,),
    "ulimit": ((Ulimit(name="nofile", soft=1, hard=-1), Ulimit(name="core", soft=-1, hard=-1)),),
    "oom_score_adj": (-10, 500),
    "annotation": ({"a": "b"},),
    "volume": ((Mount(type="bind", source="/s", target="/d", read_only=True),),
               (Mount(type="bind", source="/s", target="/dev", propagation="rslave"),)),
    "mount": ((Mount(type="volume", source="v1", target="/data"),),
              (Mount(type="tmpfs", target="/t", tmpfs_size=1 << 20, tmpfs_mode=0o700),),
              (Mount(type="bind", source="/s", target="/e/f", bind_recursive="disabled", propagation="shared"),)),
    "tmpfs": ({"/run": "size=1m,exec", "/dev/shm": ""},),
    "read_only": (True,),
    "shm_size": (1 << 20,),
    "privileged": (True,),
    "cap_add": (("ALL",), ("net_admin",)),
    "cap_drop": (("all",), ("CHOWN",)),
    "security_opt": (SecurityOpt(no_new_privileges=True), SecurityOpt(seccomp="unconfined"),
                     SecurityOpt(seccomp='{"defaultAction":"SCMP_ACT_ALLOW"}', system_paths_unconfined=True)),
    "device": ((DeviceMapping(path_on_host="/dev/fuse", path_in_container="/dev/f", permissions="r"),),),
    "device_cgroup_rule": ((DeviceRule(type="a", major=-1, minor=-1, access="rwm"),),),
    "sysctl": ({"net.core.somaxconn": "5", "kernel.shmmax": "1"},),
    "cgroupns": ("host", "private"),
    "ipc": ("none", "private", "shareable", "host", "container:a"),
    "pid": ("private", "host", "container:a"),
    "uts": ("private", "host", "container:a"),
    "userns": ("auto", "host", "container:a"),
    "time_offset": ((TimeOffset(clock="boottime", seconds=-1, nanoseconds=5),),),
    "network": ("none", "host", "container:a"),
    "hostname": ("box",),
    "domainname": ("example.org",),
    "memory": (6 << 20,),
    "memory_reservation": (6 << 20,),
    "memory_swap": (64 << 20, -1),
    "memory_swappiness": (0, 100),
    "oom_kill_disable": (True,),
    "cpus": (1_500_000_000,),
    "cpu_shares": (1, 1 << 30),
    "cpuset_cpus": ("0-1",),
    "pids_limit": (-1, 5),
    "blkio_weight": (10,),
    "blkio_weight_device": (DISK,),
    "device_read_bps": (DISK,),
    "device_write_iops": (DISK,),
}  # fmt: skip

FACTS = Facts(
    container_id="c" * 64,
    rootfs="/r",
    cgroup_path="firkin/e/c",
    hosts_path="/h",
    hostname_path="/n",
    resolv_conf_path="/c",
    volumes={"/data": "/v"},
    passwd=b"root:x:0:0::/root:\nweb:x:33:34::/var/www:\n",
    group=b"audio:x:29:web\n",
    capabilities=NAMES[:24] + NAMES[25:],
    devices={"/dev/fuse": (Device(path="/dev/fuse", type="c", major=10, minor=229),)},
    host_devices=(Device(path="/dev/kvm", type="c", major=10, minor=232),),
    device_numbers={"/dev/sda": (8, 0)},
    uid_maps=MAPS,
    gid_maps=MAPS,
    extra_masked=("/etc/shadow",),
    extra_mounts=({"destination": "/home", "type": "bind", "source": "/home", "options": ["rbind"]},),
    thermal_throttle=(0,),
)


@st.composite
def options(draw: st.DrawFn) -> CreateOptions:
    names = draw(st.lists(st.sampled_from(sorted(CHOICES)), unique=True, max_size=12))
    return CreateOptions(image="x", **{name: draw(st.sampled_from(CHOICES[name])) for name in names})


@settings(max_examples=300)
@given(options(), st.sampled_from((1, 2)))
def test_the_runtime_accepts_what_create_accepts(chosen: CreateOptions, cgroup_version: int) -> None:
    facts = FACTS.replace(
        cgroup_version=cgroup_version,
        namespaces={kind: f"/proc/5/ns/{kind}" for kind in ("ipc", "pid", "uts", "user", "network")
                    if getattr(chosen, "userns" if kind == "user" else kind).startswith("container:")},
    )  # fmt: skip
    try:
        validate(chosen, facts)
        spec = generate(chosen, IMAGE, facts)
    except FirkinError as error:
        if not error.hint:
            raise
        return
    accept(spec)
    assert json.loads(json.dumps(spec)) == spec
    again = CreateOptions.from_dict(json.loads(json.dumps(chosen.to_dict())))
    assert generate(again, IMAGE, facts) == spec
    process = exec_process(spec, ExecOptions(command=("id",), user="0", env=("B=1",), tty=True), facts)
    validate_process(process, shape=True)
