"""CreateOptions goes to the database row as JSON and comes back the same."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firkin.errors import InvalidArgument
from firkin.specgen.options import (
    CreateOptions,
    DeviceMapping,
    DeviceRule,
    ExecOptions,
    HealthCheck,
    IdMap,
    LogConfig,
    Mount,
    PortSpec,
    RestartPolicy,
    SecurityOpt,
    Throttle,
    TimeOffset,
    Ulimit,
)

EVERYTHING = CreateOptions(
    image="busybox",
    command=("sh", "-c", "exit 3"),
    entrypoint=(),
    env=("A=1", "B"),
    init=True,
    stop_timeout=3,
    ulimit=(Ulimit(name="nofile", soft=1, hard=-1),),
    restart=RestartPolicy(name="on-failure", maximum_retry_count=2),
    healthcheck=HealthCheck(test=("CMD-SHELL", "true"), interval=5),
    log=LogConfig(driver="json-file", opts={"max-size": "1m"}),
    label={"a": "b"},
    volume=(Mount(type="bind", target="/b", source="/a", create_source=True),),
    mount=(Mount(type="tmpfs", target="/t", tmpfs_mode=0o700, labels={"x": "y"}),),
    tmpfs={"/run": "size=1m"},
    security_opt=SecurityOpt(no_new_privileges=True, label=("disable",)),
    device=(DeviceMapping(path_on_host="/dev/a", path_in_container="/dev/b"),),
    device_cgroup_rule=(DeviceRule(type="c", major=1, minor=-1, access="r"),),
    uidmap=(IdMap(container_id=0, host_id=5, size=7),),
    time_offset=(TimeOffset(clock="boottime", seconds=-1, nanoseconds=5),),
    publish=(PortSpec(container_port=80, host_port=8080),),
    device_read_bps=(Throttle(path="/dev/sda", rate=1),),
    memory=64 << 20,
)


def test_everything_survives_json() -> None:
    text = json.dumps(EVERYTHING.to_dict())
    assert CreateOptions.from_dict(json.loads(text)) == EVERYTHING


def test_the_empty_entrypoint_is_not_the_missing_one() -> None:
    missing = CreateOptions(image="x")
    empty = CreateOptions(image="x", entrypoint=())
    assert CreateOptions.from_dict(missing.to_dict()).entrypoint is None
    assert CreateOptions.from_dict(empty.to_dict()).entrypoint == ()


def test_every_record_in_a_field_is_declared_to_be_one() -> None:
    nested = dict(CreateOptions.NESTED)
    for name in CreateOptions._fields:
        value = getattr(EVERYTHING, name)
        items = value if isinstance(value, tuple) else (value,)
        records = [item for item in items if hasattr(item, "to_dict")]
        assert all(type(item) is nested[name] for item in records)


def test_a_row_of_a_newer_version_is_refused_by_name() -> None:
    with pytest.raises(InvalidArgument, match="CreateOptions has no field 'teleport'"):
        CreateOptions.from_dict({"image": "x", "teleport": True})


@given(st.lists(st.text(max_size=5), max_size=4), st.dictionaries(st.text(max_size=4), st.text(max_size=4)))
def test_any_strings_survive_json(words: list[str], labels: dict[str, str]) -> None:
    options = CreateOptions(image="x", command=tuple(words), label=labels)
    assert CreateOptions.from_dict(json.loads(json.dumps(options.to_dict()))) == options


def test_exec_options_survive_json() -> None:
    options = ExecOptions(command=("sh",), env=("A=1",), tty=True)
    assert ExecOptions.from_dict(json.loads(json.dumps(options.to_dict()))) == options
