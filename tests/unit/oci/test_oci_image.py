"""The image configuration."""

from __future__ import annotations

import datetime
import json

import pytest

from firkin.errors import InvalidArgument
from firkin.oci.image import ImageConfig
from firkin.oci.times import parse_time

DIFF = "sha256:" + "1" * 64
FULL = {
    "created": "2026-11-24T06:45:09.766103781Z",
    "author": "me",
    "architecture": "arm64",
    "variant": "v8",
    "os": "linux",
    "os.version": "1",
    "os.features": ["x"],
    "comment": "c",
    "docker_version": "28",
    "config": {
        "User": "1:2",
        "ExposedPorts": {"80/tcp": {}, "53/udp": {}},
        "Env": ["PATH=/bin", "EMPTY="],
        "Entrypoint": ["/e"],
        "Cmd": [],
        "Volumes": {"/data": {}},
        "WorkingDir": "/w",
        "Labels": {"a": "ä", "b": ""},
        "StopSignal": "SIGINT",
        "ArgsEscaped": True,
        "Healthcheck": {"Test": ["CMD", "true"], "Interval": 5, "Retries": 3},
        "OnBuild": ["RUN x"],
        "Shell": ["/bin/bash", "-c"],
    },
    "rootfs": {"type": "layers", "diff_ids": [DIFF]},
    "history": [{"created": "2026-11-24T06:45:09Z", "created_by": "x", "empty_layer": True}],
}


def parse(value):
    return ImageConfig.parse(json.dumps(value).encode(), "config.json")


def test_every_field_survives_the_round_trip():
    image = parse(FULL)
    assert json.loads(image.to_json()) == FULL
    assert ImageConfig.parse(image.to_json()) == image
    assert ImageConfig.trusted(image.to_json().decode()) == image


def test_the_least_image():
    image = parse({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}})
    assert image.cmd is None
    assert image.labels == {}
    assert ImageConfig.trusted(image.to_json().decode()) == image


def test_null_is_absent_as_docker_writes_it():
    image = parse(
        {"architecture": "amd64", "config": {"Env": None, "Cmd": None, "Volumes": None, "Labels": None}}
    )
    assert (image.env, image.cmd, image.volumes, image.labels) == (None, None, (), {})


def at(path, value):
    copy = json.loads(json.dumps(FULL))
    place = copy
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return copy


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (["architecture"], 5, "architecture"),
        (["os"], ["linux"], "os"),
        (["created"], "yesterday", "created"),
        (["created"], "2026-13-24T06:45:09Z", "created"),
        (["created"], 5, "created"),
        (["config"], [], "config"),
        (["config", "Env"], "A=1", "config.Env"),
        (["config", "Env"], {"A": "1"}, "config.Env"),
        (["config", "Env"], ["A=1", None], r"config.Env\[1\]"),
        (["config", "Env"], ["A=\0"], r"config.Env\[0\]"),
        (["config", "Env"], ["=A"], r"config.Env\[0\]"),
        (["config", "Cmd"], "sh", "config.Cmd"),
        (["config", "Cmd"], ["a\0b"], r"config.Cmd\[0\]"),
        (["config", "Entrypoint"], [["a"]], r"config.Entrypoint\[0\]"),
        (["config", "User"], 0, "config.User"),
        (["config", "WorkingDir"], "/\0", "config.WorkingDir"),
        (["config", "Labels"], {"a": 1}, "config.Labels.a"),
        (["config", "Labels"], ["a"], "config.Labels"),
        (["config", "ExposedPorts"], {"80/icmp": {}}, "config.ExposedPorts"),
        (["config", "ExposedPorts"], {"; rm -rf /": {}}, "config.ExposedPorts"),
        (["config", "ExposedPorts"], ["80/tcp"], "config.ExposedPorts"),
        (["config", "Volumes"], {"": {}}, "config.Volumes"),
        (["config", "Volumes"], {"/a": 1}, "config.Volumes./a"),
        (["config", "Healthcheck"], {"Test": "true"}, "config.Healthcheck.Test"),
        (["config", "Healthcheck"], {"Interval": "5s"}, "config.Healthcheck.Interval"),
        (["rootfs"], "x", "rootfs"),
        (["rootfs", "type"], "windows", "rootfs.type"),
        (["rootfs", "diff_ids"], ["sha256:../../etc"], r"rootfs.diff_ids\[0\]"),
        (["rootfs", "diff_ids"], [None], r"rootfs.diff_ids\[0\]"),
        (["rootfs", "diff_ids"], [DIFF] * 2000, "rootfs.diff_ids"),
        (["history"], {"a": 1}, "history"),
        (["history"], ["a"], r"history\[0\]"),
        (["history"], [None], r"history\[0\]"),
        (["history"], [{"empty_layer": "yes"}], r"history\[0\].empty_layer"),
    ],
)
def test_wrong_types_are_named_with_file_and_field(path, value, field):
    with pytest.raises(InvalidArgument, match=f"^config.json: {field}"):
        parse(at(path, value))


def test_not_an_object():
    with pytest.raises(InvalidArgument, match="expected an object, found an array"):
        ImageConfig.parse(b"[]", "x")


@pytest.mark.parametrize(
    "text",
    [
        "1970-01-01T00:00:00Z",
        "2000-02-29T23:59:59Z",
        "2026-11-24T06:45:09+02:00",
        "2024-12-31T00:00:00-11:30",
    ],
)
def test_times_agree_with_datetime(text):
    assert parse_time(text) == int(datetime.datetime.fromisoformat(text).timestamp()) * 10**9


def test_times_have_nanoseconds_and_go_zero_is_zero():
    assert parse_time("1970-01-01T00:00:01.5Z") == 1_500_000_000
    assert parse_time("1970-01-01T00:00:00.123456789123Z") == 123_456_789
    assert parse_time("0001-01-01T00:00:00Z") == 0


@pytest.mark.parametrize(
    "text", ["", "x", "2026-11-24", "2026-11-24T06:45:09", "2026/11/24T06:45:09Z", "2026-11-24T25:00:00Z"]
)
def test_what_is_no_time(text):
    assert parse_time(text) is None
