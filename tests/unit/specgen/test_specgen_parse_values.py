"""Amounts, devices, NAME=VALUE lists and words with a meaning, as docker reads them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firkin.errors import InvalidArgument
from firkin.specgen import parse_limits, parse_lines, parse_modes, parse_network
from firkin.specgen.options import (
    DeviceMapping,
    DeviceRule,
    HealthCheck,
    IdMap,
    RestartPolicy,
    SecurityOpt,
    Throttle,
    TimeOffset,
    Ulimit,
)

if TYPE_CHECKING:
    from fractions import Fraction


def no_file(path: str) -> str:
    raise FileNotFoundError(2, "No such file or directory", path)


def opts(*texts: str) -> SecurityOpt:
    return parse_modes.parse_security_opts(texts, no_file)


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (parse_limits.parse_memory_swap, "-1", -1),
        (parse_limits.parse_memory_swap, "1g", 1 << 30),
        (parse_limits.parse_cpus, "1.5", 1_500_000_000),
        (parse_limits.parse_cpus, ".5", 500_000_000),
        (parse_limits.parse_cpus, "2", 2_000_000_000),
        (parse_limits.parse_cpus, "1/4", 250_000_000),
        (parse_limits.parse_cpus, "15e-1", 1_500_000_000),
        (parse_limits.parse_ulimit, "nofile=1024:2048", Ulimit(name="nofile", soft=1024, hard=2048)),
        (parse_limits.parse_ulimit, "core=-1", Ulimit(name="core", soft=-1, hard=-1)),
        (parse_limits.parse_ulimit, "core=5:-1", Ulimit(name="core", soft=5, hard=-1)),
        (parse_limits.parse_throttle_bps, "/dev/sda:1mb", Throttle(path="/dev/sda", rate=1 << 20)),
        (parse_limits.parse_throttle_iops, "/dev/sda:10", Throttle(path="/dev/sda", rate=10)),
        (parse_limits.parse_weight_device, "/dev/sda:100", Throttle(path="/dev/sda", rate=100)),
        (parse_limits.parse_device, "/dev/a", DeviceMapping(path_on_host="/dev/a", path_in_container="/dev/a")),
        (parse_limits.parse_device, "/dev/a:r",
         DeviceMapping(path_on_host="/dev/a", path_in_container="/dev/a", permissions="r")),
        (parse_limits.parse_device, "/dev/a:/dev/b:rw",
         DeviceMapping(path_on_host="/dev/a", path_in_container="/dev/b", permissions="rw")),
        (parse_limits.parse_device_rule, "c 13:* rwm", DeviceRule(type="c", major=13, minor=-1, access="rwm")),
        (parse_limits.parse_device_rule, "a *:* r", DeviceRule(type="a", major=-1, minor=-1, access="r")),
        (parse_limits.parse_device_rule, "b 0:5 m", DeviceRule(type="b", major=0, minor=5, access="m")),
        (parse_limits.parse_cpuset, "0-3,7", "0-3,7"),
        (parse_lines.parse_label, "a=b=c", ("a", "b=c")),
        (parse_lines.parse_label, "a", ("a", "")),
        (parse_lines.parse_sysctl, "net.core.somaxconn=5", ("net.core.somaxconn", "5")),
        (parse_lines.parse_sysctl, "kernel.shmmax=5", ("kernel.shmmax", "5")),
        (parse_network.parse_network, "default", "bridge"),
        (parse_network.parse_network, "container:web", "container:web"),
        (parse_modes.parse_id_map, "0:100000:65536", IdMap(container_id=0, host_id=100000, size=65536)),
        (parse_modes.parse_id_map, "5:7", IdMap(container_id=5, host_id=7, size=1)),
        (parse_modes.parse_restart, "", RestartPolicy()),
        (parse_modes.parse_restart, "on-failure:3", RestartPolicy(name="on-failure", maximum_retry_count=3)),
        (parse_modes.parse_restart, "unless-stopped", RestartPolicy(name="unless-stopped")),
        (parse_modes.parse_user, "1000:1000", "1000:1000"),
        (parse_modes.parse_add_host, "a:1.2.3.4", "a:1.2.3.4"),
        (parse_modes.parse_add_host, "a=::1", "a:::1"),
        (parse_modes.parse_add_host, "a:[::1]", "a:::1"),
        (parse_modes.parse_add_host, "a:host-gateway", "a:host-gateway"),
        (parse_modes.parse_ip, " 1.1.1.1 ", "1.1.1.1"),
        (parse_modes.parse_dns_search, "example.org", "example.org"),
        (parse_modes.parse_dns_search, ".", "."),
        (parse_modes.parse_mac, "92-D0-c6:0a:29:33", "92:d0:c6:0a:29:33"),
        (parse_modes.parse_attach, "STDIN", "stdin"),
        (parse_modes.parse_time_offset, "boottime=-1.5",
         TimeOffset(clock="boottime", seconds=-2, nanoseconds=500_000_000)),
        (parse_modes.parse_time_offset, "monotonic=60", TimeOffset(clock="monotonic", seconds=60)),
        (parse_modes.check_signal, "TERM", 15),
        (parse_modes.check_signal, "sigkill", 9),
        (parse_modes.check_signal, "SIGRTMIN+3", 37),
        (parse_modes.check_signal, "SIGRTMAX-1", 63),
        (parse_modes.check_signal, "10", 10),
        (parse_modes.parse_swappiness, -1, None),
    ],
)  # fmt: skip
def test_a_value_is_read(parse, text, value) -> None:
    assert parse(text) == value


# The texts were taken from docker 28.2.2.
@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        (parse_limits.parse_cpus, "foo", "failed to parse foo as a rational number"),
        (parse_limits.parse_cpus, "1/0", "failed to parse 1/0 as a rational number"),
        (parse_limits.parse_cpus, "0.00000000001", "value is too precise"),
        (parse_limits.parse_ulimit, "nofile", "invalid ulimit argument: nofile"),
        (parse_limits.parse_ulimit, "foo=1", "invalid ulimit type: foo"),
        (parse_limits.parse_ulimit, "nofile=5:3",
         "ulimit soft limit must be less than or equal to hard limit: 5 > 3"),
        (parse_limits.parse_ulimit, "nofile=1:2:3",
         "too many limit value arguments - 1:2:3, can only have up to two, `soft[:hard]`"),
        (parse_limits.parse_device_rule, "foo", "invalid device cgroup format 'foo'"),
        (parse_limits.parse_device_rule, "c 1:2 rr", "invalid device cgroup format 'c 1:2 rr'"),
        (parse_limits.parse_throttle_bps, "a", "bad format: a"),
        (parse_limits.parse_throttle_bps, "a:1", "bad format for device path: a:1"),
        (parse_limits.parse_throttle_iops, "/dev/a:x",
         "invalid rate for device: /dev/a:x. The correct format is <device-path>:<number>. Number must be a positive "
         "integer"),
        (parse_limits.parse_weight_device, "/dev/a:1", "invalid weight for device: /dev/a:1"),
        (parse_limits.parse_device, "/dev/a:/dev/b:rwx", "bad mode specified: rwx"),
        (parse_limits.parse_device, "/dev/a:b", "b is not an absolute path"),
        (parse_limits.parse_device, "a:b:c:d", "bad format for path: a:b:c:d"),
        (parse_limits.parse_cpuset, "3-1", "invalid value 3-1 for cpuset"),
        (parse_lines.parse_label, "=x", "invalid label '=x': empty name"),
        (parse_lines.parse_sysctl, "foo=1", "sysctl 'foo=1' is not allowed"),
        (parse_lines.parse_sysctl, "net.a/../b=1", "sysctl 'net.a/../b=1' is not allowed"),
        (parse_modes.parse_add_host, "foo", 'bad format for add-host: "foo"'),
        (parse_modes.parse_add_host, "foo:300.1.1.1", 'invalid IP address in add-host: "300.1.1.1"'),
        (parse_modes.parse_restart, "on-failure:x",
         "invalid restart policy format: maximum retry count must be an integer"),
        (parse_modes.parse_restart, "always:3",
         "invalid restart policy: maximum retry count can only be used with 'on-failure'"),
        (parse_modes.parse_restart, "on-failure:-1", "invalid restart policy: maximum retry count cannot be negative"),
        (parse_modes.parse_ip, "foo", "IP address is not correctly formatted: foo"),
        (parse_modes.parse_dns_search, "...", "... is not a valid domain"),
        (parse_modes.parse_mac, "foo", "foo is not a valid mac address"),
        (parse_modes.parse_attach, "foo", "valid streams are STDIN, STDOUT and STDERR"),
        (parse_modes.parse_id_map, "1:2:0", 'invalid ID map "1:2:0"'),
        (parse_network.parse_network, "container:", "invalid container format container:<name|id>"),
        (parse_modes.check_signal, "FOO", "invalid signal: FOO"),
        (parse_modes.check_signal, "RTMIN+99", "invalid signal: RTMIN+99"),
        (parse_modes.check_signal, "_DFL", "invalid signal: _DFL"),
        (parse_modes.parse_user, "a:b:c", "invalid user: 'a:b:c'"),
        (parse_modes.parse_time_offset, "boottime=x", 'invalid time offset "boottime=x"'),
        (parse_modes.parse_swappiness, 101, "invalid value: 101. Valid memory swappiness range is 0-100"),
        (opts, "foo", 'Invalid --security-opt: "foo"'),
        (opts, "foo=bar", 'invalid --security-opt 2: "foo=bar"'),
        (opts, "no-new-privileges=x", 'invalid --security-opt 2: "no-new-privileges=x"'),
        (opts, "seccomp=/nonexist",
         "opening seccomp profile (/nonexist) failed: open /nonexist: no such file or directory"),
    ],
)  # fmt: skip
def test_a_bad_value_is_refused_with_dockers_words(parse, text, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse(text)
    assert caught.value.message == message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("flag", "good", "bad", "message"),
    [
        ("pid", ("", "host", "private", "container:x"), "foo", "--pid: invalid PID mode"),
        ("uts", ("", "host", "container:x"), "none", "--uts: invalid UTS mode"),
        (
            "ipc",
            ("", "none", "private", "shareable", "host", "container:x"),
            "container:",
            "--ipc: invalid IPC mode",
        ),
        ("cgroupns", ("", "host", "private"), "container:x", "--cgroupns: invalid CGROUP mode"),
        ("userns", ("", "host", "auto", "auto:size=5", "container:x"), "keep", "--userns: invalid USER mode"),
    ],
)
def test_a_namespace_mode_is_checked(flag: str, good: tuple[str, ...], bad: str, message: str) -> None:
    for text in good:
        assert parse_modes.parse_mode(flag, text) == text
    with pytest.raises(InvalidArgument) as caught:
        parse_modes.parse_mode(flag, bad)
    assert caught.value.message == message


def test_the_size_of_an_automatic_user_namespace() -> None:
    assert parse_modes.userns_size("auto") is None
    assert parse_modes.userns_size("auto:size=1000") == 1000
    with pytest.raises(InvalidArgument, match="invalid userns mode"):
        parse_modes.userns_size("auto:size=0")


def test_security_options_come_together() -> None:
    found = parse_modes.parse_security_opts(
        (
            "no-new-privileges",
            "label=disable",
            "label:type:x",
            "apparmor=foo",
            "systempaths=unconfined",
            "seccomp=/p",
        ),
        lambda path: '{ "defaultAction" : "SCMP_ACT_ALLOW" }',
    )
    assert found == SecurityOpt(
        no_new_privileges=True,
        label=("disable", "type:x"),
        apparmor="foo",
        system_paths_unconfined=True,
        seccomp='{"defaultAction":"SCMP_ACT_ALLOW"}',
    )
    assert found.texts() == [
        "label=disable",
        "label=type:x",
        "apparmor=foo",
        'seccomp={"defaultAction":"SCMP_ACT_ALLOW"}',
        "no-new-privileges=true",
    ]
    assert opts("seccomp=unconfined").seccomp == "unconfined"
    assert opts("no-new-privileges:false").no_new_privileges is False
    with pytest.raises(InvalidArgument, match="compacting json"):
        parse_modes.parse_security_opts(("seccomp=/p",), lambda path: "{")


def test_the_health_check_is_put_together() -> None:
    make = parse_modes.make_healthcheck
    assert make() is None
    assert make(disable=True) == HealthCheck(test=("NONE",))
    assert make(cmd="true", retries=3) == HealthCheck(test=("CMD-SHELL", "true"), retries=3)
    with pytest.raises(InvalidArgument, match="--no-healthcheck conflicts with --health-"):
        make(cmd="true", disable=True)
    with pytest.raises(InvalidArgument, match="--health-interval cannot be negative"):
        make(interval=-1)


def test_a_bare_variable_takes_the_callers_value() -> None:
    environ = {"A": "1"}
    assert parse_lines.parse_env("A", environ) == "A=1"
    assert parse_lines.parse_env("B", environ) == "B"
    assert parse_lines.parse_env("B=", environ) == "B="
    with pytest.raises(InvalidArgument, match="invalid environment variable: =x"):
        parse_lines.parse_env("=x", environ)


def test_an_env_file_is_read() -> None:
    data = b"\xef\xbb\xbf# comment\n\nA=1 2\r\n  B=\nHERE\nGONE\nC==#x\n"
    assert parse_lines.parse_env_file(data, "f", {"HERE": "yes"}) == ("A=1 2", "B=", "HERE=yes", "C==#x")
    assert parse_lines.parse_label_file(b"a=b\nc\n", "f") == {"a": "b", "c": ""}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"A B=1", "invalid env file (f): variable 'A B' contains whitespaces"),
        (b"=x", "invalid env file (f): no variable name on line '=x'"),
        (b"A=1\n\xff\n", "invalid env file (f): invalid utf8 bytes at line 2"),
    ],
)
def test_a_bad_env_file_is_refused_with_dockers_words(data: bytes, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse_lines.parse_env_file(data, "f", {})
    assert caught.value.message == message


@given(st.fractions(min_value=0, max_value=1000).filter(lambda f: (f * 10**9).denominator == 1))
def test_cpus_are_exact(value: Fraction) -> None:
    assert parse_limits.parse_cpus(f"{value.numerator}/{value.denominator}") == value * 10**9


@given(st.integers(0, 10**12))
def test_decimal_cpus_are_exact(billionths: int) -> None:
    whole, fraction = divmod(billionths, 10**9)
    assert parse_limits.parse_cpus(f"{whole}.{fraction:09d}") == billionths


@given(st.text(max_size=30))
def test_any_text_is_a_value_or_an_invalid_argument(text: str) -> None:
    for parse in (
        parse_limits.parse_cpus, parse_limits.parse_memory_swap, parse_limits.parse_ulimit, parse_limits.parse_device,
        parse_limits.parse_device_rule, parse_limits.parse_throttle_bps, parse_limits.parse_throttle_iops,
        parse_limits.parse_cpuset, parse_lines.parse_label, parse_lines.parse_sysctl, parse_modes.parse_id_map,
        parse_modes.parse_restart, parse_modes.parse_user, parse_modes.parse_add_host, parse_modes.parse_ip,
        parse_modes.parse_dns_search, parse_modes.parse_mac, parse_modes.parse_time_offset, parse_modes.check_signal,
        opts,
    ):  # fmt: skip
        with contextlib.suppress(InvalidArgument):
            assert parse(text) is not None


@given(st.binary(max_size=60))
def test_any_bytes_are_an_env_file_or_an_invalid_argument(data: bytes) -> None:
    try:
        found = parse_lines.parse_env_file(data, "f", {})
    except InvalidArgument:
        return
    assert all("=" in line for line in found)
