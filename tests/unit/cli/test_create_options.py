"""From argv to CreateOptions."""

from __future__ import annotations

import pytest

from firkin.cli.command import Call
from firkin.cli.commands.run import COMMAND, streams_of
from firkin.cli.create_options import create_options
from firkin.cli.flags import BadFlag, parse
from firkin.cli.session import Session
from firkin.errors import FirkinError, InvalidArgument, Unsupported
from firkin.specgen.options import CreateOptions, LogConfig, PortSpec, RestartPolicy, Ulimit


def options(*argv: str) -> CreateOptions:
    values, words = parse(
        (*COMMAND.flags, *COMMAND.hidden), argv, interspersed=False, readers=COMMAND.readers
    )
    return create_options(Call(COMMAND, Session({}), values, words))


def test_nothing_but_an_image() -> None:
    assert options("busybox") == CreateOptions(image="busybox")


def test_every_flag_has_a_field_or_a_meaning_of_its_own() -> None:
    from firkin.cli.create_options import _SPECIAL

    for row in (*COMMAND.flags, *COMMAND.hidden):
        field = row[0].replace("-", "_")
        assert row[0] == "help" or row[0] in _SPECIAL or field in CreateOptions._fields, row[0]


@pytest.mark.parametrize(
    ("argv", "fields"),
    [
        (("-itd", "--rm"), {"interactive": True, "tty": True, "detach": True, "rm": True}),
        (("--name=a", "-h", "box", "-w", "/x", "-u", "1:2"), {"name": "a", "hostname": "box", "workdir": "/x", "user": "1:2"}),
        (("--entrypoint", "sh"), {"entrypoint": ("sh",)}),
        (("--entrypoint", ""), {"entrypoint": ()}),
        (("-m", "64m", "--cpus", "1.5", "--pids-limit", "-1"), {"memory": 64 << 20, "cpus": 1_500_000_000, "pids_limit": -1}),
        (("--memory-swappiness", "-1"), {"memory_swappiness": None}),
        (("-l", "a=1", "-l", "b"), {"label": {"a": "1", "b": ""}}),
        (("--sysctl", "net.a=1", "--annotation", "x=y"), {"sysctl": {"net.a": "1"}, "annotation": {"x": "y"}}),
        (("--tmpfs", "/run:size=1m", "--tmpfs", "/tmp"), {"tmpfs": {"/run": "size=1m", "/tmp": ""}}),
        (("-p", "8080-8081:80-81"), {"publish": (PortSpec(container_port=80, host_port=8080),
                                                  PortSpec(container_port=81, host_port=8081))}),
        (("--expose", "1-2"), {"expose": ("1/tcp", "2/tcp")}),
        (("--net", "none"), {"network": "none"}),
        (("--network", "default"), {"network": "bridge"}),
        (("--dns-opt", "ndots:1", "--dns-option", "rotate"), {"dns_option": ("rotate", "ndots:1")}),
        (("--ulimit", "nofile=1:2"), {"ulimit": (Ulimit(name="nofile", soft=1, hard=2),)}),
        (("--restart", "on-failure:3"), {"restart": RestartPolicy(name="on-failure", maximum_retry_count=3)}),
        (("--log-driver", "none", "--log-opt", "a=b"), {"log": LogConfig(driver="none", opts={"a": "b"})}),
        (("-a", "STDIN", "-a", "stdout"), {"attach": ("stdin", "stdout")}),
        (("--init", "--sig-proxy=false"), {"init": True, "sig_proxy": False}),
    ],
)  # fmt: skip
def test_flags(argv: tuple[str, ...], fields: dict[str, object]) -> None:
    assert options(*argv, "busybox", "a", "-b") == CreateOptions(
        image="busybox", command=("a", "-b"), **fields
    )  # type: ignore[arg-type]


def test_environment_of_files_flags_and_the_caller(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERE", "1")
    monkeypatch.delenv("THERE", raising=False)
    (tmp_path / "env").write_text("# x\nA=1\nHERE\nTHERE\n")
    assert options("--env-file", f"{tmp_path}/env", "-e", "A=2", "-e", "HERE", "-e", "THERE", "busybox").env == (
        "A=1", "HERE=1", "A=2", "HERE=1", "THERE",
    )  # fmt: skip


def test_labels_of_files_come_before_flags(tmp_path) -> None:
    (tmp_path / "labels").write_text("a=file\nb=file\n")
    assert options("--label-file", f"{tmp_path}/labels", "-l", "a=flag", "busybox").label == {
        "a": "flag",
        "b": "file",
    }


def test_health_flags() -> None:
    health = options(
        "--health-cmd", "true", "--health-interval", "10s", "--health-retries", "2", "busybox"
    ).healthcheck
    assert health is not None
    assert (health.test, health.interval, health.retries) == (("CMD-SHELL", "true"), 10_000_000_000, 2)
    off = options("--no-healthcheck", "busybox").healthcheck
    assert off is not None
    assert off.test == ("NONE",)


@pytest.mark.parametrize(
    ("argv", "kind"),
    [
        (("--rm", "--restart", "always"), InvalidArgument),
        (("-d", "-a", "stdout"), InvalidArgument),
        (("--pull", "perhaps"), InvalidArgument),
        (("--env-file", "/nonexistent"), InvalidArgument),
        (("--label-file", "/nonexistent"), InvalidArgument),
        (("--security-opt", "nosuch=1"), InvalidArgument),
        (("--network", "a", "--network", "b"), Unsupported),
        (("--cpu-count", "1"), Unsupported),
        (("--use-api-socket",), Unsupported),
        (("-v", "a:b:c:d"), FirkinError),
        (("-p", "x"), BadFlag),
        (("--mount", "type=nosuch,target=/x"), BadFlag),
        (("--pid", "nosuch"), BadFlag),
        (("-e", "=x"), BadFlag),
        (("--cpus", "x"), BadFlag),
    ],
)
def test_refuses(argv: tuple[str, ...], kind: type[Exception]) -> None:
    with pytest.raises(kind):
        options(*argv, "busybox")


def test_streams() -> None:
    assert streams_of(options("busybox")) == ("stdout", "stderr")
    assert streams_of(options("-i", "busybox")) == ("stdin", "stdout", "stderr")
    assert streams_of(options("-i", "-a", "stderr", "busybox")) == ("stderr",)
