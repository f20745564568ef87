"""Wrong usage: one line with the object, the cause and the next step; never a traceback, never a silent yes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from e2e.target import Target

pytestmark = pytest.mark.needs_root


def ours(target: Target) -> None:
    if target.name != "firkin":
        pytest.skip(f"firkin's own words, not {target.name}'s")


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ("--profile-json /nosuch/x ps", 125, ["/nosuch/x", "No such file", "name a file in a directory"]),
        ("--root /proc/nosuch ps", 1, ["/proc/nosuch", "choose a directory of your own"]),
        ("--root /dev/null ps", 1, ["/dev/null", "not a directory", "choose a directory of your own"]),
        ("run --cpuset-cpus 7777 busybox true", 125, ["7777", "available: 0-", "choose from these"]),
        ("run --log-driver syslog busybox true", 125, ["'syslog'", "use json-file, local or none"]),
        ("run --pull always busybox true", 125, ["no registries yet", "firkin load"]),
        (
            "run --platform linux/riscv64 busybox true",
            125,
            ["linux/riscv64", "linux/", "leave --platform out"],
        ),
        ("run --host-expose /etc/shadow busybox true", 125, ["busybox", "leave it out"]),
        ("run --env-file /nosuch busybox true", 125, ["/nosuch", "no such file", "name a file"]),
        ("run --cidfile /nosuch/x busybox true", 125, ["/nosuch/x", "No such file", "name a new file"]),
        ("run --link a:b busybox true", 125, ["--link is not supported", "by its address"]),
        ("run --cgroup-parent /x busybox true", 125, ["--cgroup-parent is not supported", "leave it out"]),
        ("run --tmpfs /x:size=zz busybox true", 125, ["size=zz", "write it like size=64m"]),
        ("--run-root /dev/null ps", 1, ["/dev/null", "choose a directory of your own"]),
        ("container prune --filter x=1", 1, ["invalid filter 'x'", "use label or until"]),
        (
            "run -v /etc/passwd:/etc busybox true",
            125,
            ["/etc", "nor a file onto a directory", "name a target"],
        ),
        (
            "run -v /etc:/etc/passwd busybox true",
            125,
            ["/etc/passwd", "cannot be mounted onto a file", "name a target"],
        ),
        ("--log-level zz ps", 1, ["zz", "use debug, info"]),
        ("rmi qqqq", 1, ["qqqq:latest", "firkin images lists them"]),
        ("volume rm qqqq", 1, ["qqqq", "firkin volume ls lists them"]),
        ("load -i /nosuch", 1, ["/nosuch", "No such file", "check the path"]),
        ("doctor --format xml", 1, ["xml", "use json"]),
    ],
)
def test_a_refusal_says_what_why_and_what_next(
    target: Target, words: str, code: int, told: list[str]
) -> None:
    ours(target)
    ran = target.run(*words.split())
    assert ran.returncode == code, ran.stderr
    assert "Traceback" not in ran.stderr
    assert not [text for text in told if text not in ran.stderr], ran.stderr


def test_what_is_not_acted_on_yet_is_warned_of(target: Target, tmp_path: Path) -> None:
    ours(target)
    cidfile = tmp_path / "id"
    made = target.run(
        "create", "--restart", "always", "--health-cmd", "true", "--cidfile", str(cidfile), "busybox", "true"
    )
    assert made.returncode == 0, made.stderr
    assert made.stderr.count("WARNING: ") == 2
    assert "Restart policies" in made.stderr
    assert "Health checks" in made.stderr
    target.run("rm", cidfile.read_text())
