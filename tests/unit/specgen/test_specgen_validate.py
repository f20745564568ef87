"""What `create` refuses, in docker's words, and what it warns of."""

from __future__ import annotations

from typing import Any

import pytest

from firkin.errors import InvalidArgument
from firkin.specgen.facts import Facts
from firkin.specgen.options import (
    CreateOptions,
    IdMap,
    LogConfig,
    Mount,
    PortSpec,
    RestartPolicy,
    TimeOffset,
)
from firkin.specgen.validate import validate

FACTS = Facts(container_id="a" * 64, cpus=2, cgroup_version=2)
MB = 1 << 20
BIND = Mount(type="bind", source="/a", target="/d")


def check(**options: Any) -> list[str]:
    return validate(CreateOptions(image="x", **options), FACTS)


def test_the_plain_container_is_fine() -> None:
    assert check() == []
    assert validate(CreateOptions(image="x", name="web", memory=6 * MB)) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "a b"}, "invalid container name (a b)"),
        ({"rm": True, "restart": RestartPolicy(name="always")},
         "conflicting options: cannot specify both --restart and --rm"),
        ({"restart": RestartPolicy(name="foo")}, "invalid restart policy: unknown policy 'foo'"),
        ({"restart": RestartPolicy(name="always", maximum_retry_count=1)}, "maximum retry count can only be used"),
        ({"restart": RestartPolicy(name="on-failure", maximum_retry_count=-1)}, "cannot be negative"),
        ({"detach": True, "attach": ("stdin",)}, "conflicting options: cannot specify both --attach and --detach"),
        ({"stop_signal": "FOO"}, "invalid signal: FOO"),
        ({"stop_timeout": -2}, "invalid stop timeout"),
        ({"workdir": "rel"}, "the working directory 'rel' is invalid, it needs to be an absolute path"),
        ({"user": "a:b:c"}, "invalid user"),
        ({"hostname": "a" * 65}, "invalid hostname format"),
        ({"hostname": "a b"}, "invalid hostname format"),
        ({"command": ("a\0b",)}, "NUL"),
        ({"env": ("=x",)}, "invalid environment variable: =x"),
        ({"cap_add": ("foo",)}, 'invalid capability: "CAP_FOO"'),
        ({"pid": "foo"}, "--pid: invalid PID mode"),
        ({"uts": "host", "hostname": "a"}, "conflicting options: hostname and the UTS mode"),
        ({"network": "container:a", "hostname": "a"}, "conflicting options: hostname and the network mode"),
        ({"network": "container:a", "dns": ("1.1.1.1",)}, "conflicting options: dns and the network mode"),
        ({"network": "container:a", "add_host": ("a:1.1.1.1",)}, "custom host-to-IP mapping and the network mode"),
        ({"network": "container:a", "mac_address": "x"}, "mac-address and the network mode"),
        ({"network": "container:a", "publish": (PortSpec(container_port=80),)},
         "conflicting options: port publishing and the container type network mode"),
        ({"network": "container:a", "publish_all": True}, "port publishing and the container type network mode"),
        ({"network": "container:a", "expose": ("80/tcp",)}, "port exposing and the container type network mode"),
        ({"network": "container:a", "link": ("b",)}, "container type network can't be used with links"),
        ({"network": "host", "link": ("b",)}, "host type networking can't be used with links"),
        ({"network": "container:"}, "invalid container format"),
        ({"network": "none", "ip": "1.2.3.4"}, "conflicting options: --ip and --network none"),
        ({"network_alias": ("a",)}, "network-scoped aliases are only supported for user-defined networks"),
        ({"volume": (BIND,), "mount": (BIND,)}, "Duplicate mount point: /d"),
        ({"volume": (BIND,), "tmpfs": {"/d": ""}}, "Duplicate mount point: /d"),
        ({"tmpfs": {"/d": "foo"}}, 'invalid tmpfs option "foo"'),
        ({"storage_opt": {"size": "1"}}, "--storage-opt is not supported"),
        ({"memory": 5 * MB}, "Minimum memory limit allowed is 6MB"),
        ({"memory": 64 * MB, "memory_swap": 32 * MB}, "Minimum memoryswap limit should be larger than memory limit"),
        ({"memory_swap": 32 * MB}, "You should always set the Memory limit when using Memoryswap limit"),
        ({"memory_swap": -2}, "invalid memory swap limit"),
        ({"memory_reservation": MB}, "Minimum memory reservation allowed is 6MB"),
        ({"memory": 64 * MB, "memory_reservation": 65 * MB},
         "Minimum memory limit can not be less than memory reservation limit"),
        ({"memory_swappiness": 101}, "valid memory swappiness range is 0-100"),
        ({"oom_score_adj": 1001}, "invalid value 1001, range for oom score adj is [-1000, 1000]"),
        ({"cpus": 3 * 10**9}, "range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available"),
        ({"cpus": 10**6}, "range of CPUs is from 0.01"),
        ({"cpus": 10**9, "cpu_period": 1000}, "Nano CPUs and CPU Period cannot both be set"),
        ({"cpus": 10**9, "cpu_quota": 1000}, "Nano CPUs and CPU Quota cannot both be set"),
        ({"cpu_period": 999}, "CPU cfs period can not be less than 1ms"),
        ({"cpu_quota": 999}, "CPU cfs quota can not be less than 1ms"),
        ({"cpuset_cpus": "x"}, "invalid value x for cpuset"),
        ({"blkio_weight": 5}, "range of blkio weight is from 10 to 1000"),
        ({"pids_limit": -2}, "invalid pids limit"),
        ({"sysctl": {"kernel.hostname": "x"}}, "sysctl 'kernel.hostname=x' is not allowed"),
        ({"isolation": "hyperv"}, "invalid isolation 'hyperv' on linux"),
        ({"gpus": "all"}, "could not select device driver"),
        ({"runtime": "foo"}, "unknown or invalid runtime name: foo"),
        ({"log": LogConfig(driver="none", opts={"a": "b"})}, "invalid logging opts for driver none"),
        ({"userns": "host", "uidmap": (IdMap(container_id=0, host_id=0, size=1),)}, "--uidmap or --gidmap and --userns"),
        ({"time_offset": (TimeOffset(clock="boottime", seconds=1),) * 2}, "--time-offset is given twice"),
    ],
)  # fmt: skip
def test_a_contradiction_is_refused_with_a_way_out(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check(**options)
    assert words in caught.value.message
    assert caught.value.hint


def test_odd_things_are_warned_of() -> None:
    published = (PortSpec(container_port=80),)
    assert check(network="host", publish=published) == [
        "Published ports are discarded when using host network mode"
    ]
    assert any("OOM killer is disabled" in text for text in check(oom_kill_disable=True))
    assert any("swappiness discarded" in text for text in check(memory_swappiness=5))
    assert any("deprecated" in text for text in check(kernel_memory=1))
    no_swap = FACTS.replace(swap_limit=False)
    assert any("swap limit" in text for text in validate(CreateOptions(image="x", memory=64 * MB), no_swap))
