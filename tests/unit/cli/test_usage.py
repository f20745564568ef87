"""Help pages have docker's form: given docker's own words, they are docker's own bytes."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from firkin.cli import index, usage
from firkin.cli.command import Command
from firkin.cli.main import main

EXEC = Command(
    name="exec",
    usage="[OPTIONS] CONTAINER COMMAND [ARG...]",
    short="Execute a command in a running container",
    aliases=("container exec", "exec"),
    run=lambda call: None,
    flags=(
        ("detach", "d", "bool", None, "Detached mode: run command in the background"),
        ("detach-keys", "", "string", None, "Override the key sequence for detaching a container"),
        ("env", "e", "list", None, "Set environment variables"),
        ("env-file", "", "list", None, "Read in a file of environment variables"),
        ("interactive", "i", "bool", None, "Keep STDIN open even if not attached"),
        ("privileged", "", "bool", None, "Give extended privileges to the command"),
        ("tty", "t", "bool", None, "Allocate a pseudo-TTY"),
        ("user", "u", "string", None, 'Username or UID (format: "<name|uid>[:<group|gid>]")'),
        ("workdir", "w", "string", None, "Working directory inside the container"),
    ),
)
LOGS = Command(
    name="logs",
    usage="[OPTIONS] CONTAINER",
    short="Fetch the logs of a container",
    aliases=("container logs", "logs"),
    run=lambda call: None,
    flags=(
        ("details", "", "bool", None, "Show extra details provided to logs"),
        ("follow", "f", "bool", None, "Follow log output"),
        ("since", "", "string", None, 'Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative '
         '(e.g. "42m" for 42 minutes)'),
        ("tail", "n", "string", "all", "Number of lines to show from the end of the logs"),
        ("timestamps", "t", "bool", None, "Show timestamps"),
        ("until", "", "string", None, 'Show logs before a timestamp (e.g. "2013-01-02T13:23:37Z") or relative '
         '(e.g. "42m" for 42 minutes)'),
    ),
)  # fmt: skip

LOGS_PAGE = """\
Usage:  firkin logs [OPTIONS] CONTAINER

Fetch the logs of a container

Aliases:
  firkin container logs, firkin logs

Options:
      --details        Show extra details provided to logs
  -f, --follow         Follow log output
      --since string   Show logs since timestamp (e.g.
                       "2013-01-02T13:23:37Z") or relative (e.g. "42m"
                       for 42 minutes)
  -n, --tail string    Number of lines to show from the end of the logs
                       (default "all")
  -t, --timestamps     Show timestamps
      --until string   Show logs before a timestamp (e.g.
                       "2013-01-02T13:23:37Z") or relative (e.g. "42m"
                       for 42 minutes)
"""


def test_a_page_has_dockers_bytes() -> None:
    assert usage.page(LOGS, 80) == LOGS_PAGE


@pytest.mark.parametrize("command", [EXEC, LOGS], ids=lambda command: command.name)
def test_a_page_equals_what_the_docker_command_prints(command: Command) -> None:
    docker = shutil.which("docker")
    if docker is None:
        pytest.skip("the docker command line is not installed; the golden page above still holds")
    told = subprocess.run(
        [docker, command.name, "--help"], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
    ).stdout
    assert usage.page(command, 80) == told.replace("docker", "firkin").rstrip("\n") + "\n"


def test_narrow_terminals_get_a_block_below() -> None:
    assert usage.wrap(60, 79, "some words that are too long for here") == (
        "\n" + " " * 16 + "some words that are too long for here"
    )
    assert usage.wrap(10, 20, "a\nb") == "\n" + " " * 16 + "a\n" + " " * 16 + "b"


PLACES = sorted(
    {place for table in (index.TOP, *(t for _, t in index.GROUPS.values())) for place in table.values()}
)


@pytest.mark.parametrize("place", PLACES)
def test_every_command_has_a_sound_table(place: str) -> None:
    from firkin.cli import flags

    command = index.load(place)
    names = [row[0] for row in command.flags]
    shorts = [row[1] for row in command.flags if row[1]]
    assert len(set(names)) == len(names)
    assert len(set(shorts)) == len(shorts)
    for _, short, kind, _, text in command.flags:
        assert len(short) < 2
        assert kind in flags.SCALARS or kind in flags.LISTS
        assert text
        assert not text.endswith(".")
    for alias in command.aliases:
        words = alias.split()
        table = index.TOP if len(words) == 1 else index.GROUPS[words[0]][1]
        assert table[words[-1]] == place
    assert usage.page(command, 80).startswith(f"Usage:  firkin {command.name}")
    assert all(
        len(line) < 81 for line in usage.page(command, 80).splitlines() if not line.startswith("  firkin ")
    )


def test_top_page_lists_every_command_once(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    told = capfd.readouterr().out
    for name in (*index.TOP, *index.GROUPS):
        assert sum(line.startswith(f"  {name} ") for line in told.splitlines()) == 1
    assert "\nGlobal Options:\n" in told


def test_group_page_leaves_aliases_out(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["container"]) == 0
    told = capfd.readouterr().out
    assert told.startswith("Usage:  firkin container COMMAND\n\nManage containers\n\nCommands:\n")
    assert "  ls          List containers\n" in told
    assert "  list " not in told
    assert told.endswith("Run 'firkin container COMMAND --help' for more information on a command.\n")
