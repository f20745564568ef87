"""The way in: what is said on a wrong word, by whom, with which exit code; failures in one line."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from firkin.cli.commands import create, exec, run
from firkin.cli.complaint import Quit, exit_code, explain, sentences
from firkin.cli.main import main
from firkin.errors import CannotRun, Conflict, InvalidArgument, NotFound, SyscallError

WRONG = (
    ("run", "--foo"),
    ("run", "-Z"),
    ("run", "-e"),
    ("ps", "a"),
    ("foo",),
    ("container", "foo"),
    ("--foo",),
    ("ps", "--format"),
    ("tag", "a"),
)


@pytest.mark.parametrize("argv", WRONG, ids=" ".join)
def test_wrong_words_are_answered_as_docker_answers(
    argv: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    docker = shutil.which("docker")
    if docker is None:
        pytest.skip("the docker command line is not installed")
    code = main(list(argv))
    mine = capfd.readouterr()
    theirs = subprocess.run([docker, *argv], capture_output=True, text=True)
    told = theirs.stderr.replace("docker", "firkin").rstrip()
    assert (code, mine.out, mine.err.rstrip()) == (theirs.returncode, "", told)


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (
            ("run", "--foo"),
            125,
            "unknown flag: --foo\n\nUsage:  firkin run [OPTIONS] IMAGE [COMMAND] [ARG...]\n\n",
        ),
        (("run",), 1, "firkin: 'firkin run' requires at least 1 argument\n"),
        (("exec", "x"), 1, "firkin: 'firkin exec' requires at least 2 arguments\n"),
        (("ps", "x"), 1, "firkin: 'firkin ps' accepts no arguments\n"),
        (("images", "x", "y"), 1, "firkin: 'firkin images' requires at most 1 argument\n"),
        (("tag", "x"), 1, "firkin: 'firkin tag' requires 2 arguments\n"),
        (("pull", "x"), 1, "firkin: unknown command: firkin pull\n"),
        (("container", "x"), 1, "firkin: unknown command: firkin container x\n"),
        (("create", "--rm", "--restart=always", "x"), 125, "firkin: conflicting options: "),
        (("run", "--rm", "--restart=always", "x"), 125, "firkin: conflicting options: "),
        (("completion", "tcsh"), 1, "firkin: no completion for tcsh; choose one of bash, fish, zsh\n"),
        (("version", "--format", "{{"), 1, "firkin: template parsing error: template: :1: unclosed action\n"),
    ],
)
def test_wrong_words(
    argv: tuple[str, ...], code: int, message: str, capfd: pytest.CaptureFixture[str], tmp_path
) -> None:
    assert main(["--root", f"{tmp_path}/root", "--run-root", f"{tmp_path}/run", *argv]) == code
    ran = capfd.readouterr()
    assert ran.out == ""
    assert ran.err.startswith(message)


def test_help_in_every_way(capfd: pytest.CaptureFixture[str]) -> None:
    for argv in (
        ["run", "--help"],
        ["help", "run"],
        ["container", "run", "--help"],
        ["run", "-it", "--help", "x"],
    ):
        assert main(argv) == 0
        assert capfd.readouterr().out.startswith("Usage:  firkin run [OPTIONS] IMAGE [COMMAND] [ARG...]\n")
    for argv in ([], ["--help"], ["help"]):
        assert main(argv) == 0
        assert capfd.readouterr().out.startswith("Usage:  firkin [OPTIONS] COMMAND\n")
    assert main(["image", "--help"]) == 0
    assert capfd.readouterr().out.startswith("Usage:  firkin image COMMAND\n")
    assert main(["-v"]) == 0
    assert capfd.readouterr().out.startswith("firkin version ")


def said(
    error: BaseException, capfd: pytest.CaptureFixture[str], command=run.COMMAND, debug: bool = False
) -> tuple[int, str]:
    code = explain(error, command, debug=debug)
    return code, capfd.readouterr().err


def test_a_failure_is_one_line_with_the_next_step(capfd: pytest.CaptureFixture[str]) -> None:
    assert said(NotFound("no image x", hint="load it"), capfd) == (125, "firkin: no image x; load it\n")


def test_groups_are_flattened_and_said_once(capfd: pytest.CaptureFixture[str]) -> None:
    group = ExceptionGroup("x", [NotFound("a"), ExceptionGroup("y", [Conflict("b"), NotFound("a")])])
    assert said(group, capfd) == (125, "firkin: a\nfirkin: b\n")


def test_the_kernels_refusal_names_call_path_and_context(capfd: pytest.CaptureFixture[str]) -> None:
    error = SyscallError(13, "mount", "/x")
    error.add_note("while mounting /data")
    assert said(error, capfd) == (125, "firkin: mount: Permission denied (/x), while mounting /data\n")


def test_a_bug_shows_no_traceback_without_debug(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> BaseException:
        try:
            raise KeyError("x")
        except KeyError as error:
            return error

    code, text = said(fail(), capfd)
    assert code == 125
    assert text.startswith("firkin: internal error: KeyError: 'x'; this is a bug")
    assert "Traceback" not in text
    assert "Traceback" in said(fail(), capfd, debug=True)[1]


def test_ways_out_say_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    assert said(KeyboardInterrupt(), capfd) == (130, "")
    assert said(Quit(7), capfd) == (7, "")


@pytest.mark.parametrize(
    ("error", "codes"),
    [  # of run, exec, create
        (CannotRun("x", exit_code=127), (127, 127, 1)),
        (CannotRun("x", exit_code=126), (126, 126, 1)),
        (NotFound("no container"), (125, 1, 1)),
        (Conflict("it does not run"), (125, 1, 1)),
        (InvalidArgument("no user x"), (125, 125, 1)),
        (SyscallError(28, "write"), (125, 125, 1)),
        (ExceptionGroup("x", [NotFound("a")]), (125, 1, 1)),
        (KeyError("x"), (125, 125, 125)),
    ],
)
def test_exit_codes(error: BaseException, codes: tuple[int, int, int]) -> None:
    assert tuple(exit_code(error, module.COMMAND) for module in (run, exec, create)) == codes


def test_sentences_carry_hints() -> None:
    assert list(sentences(Conflict("a", hint="b"))) == ["a; b"]
