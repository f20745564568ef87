"""-it: raw mode and its end, the size, detach keys, signals."""

from __future__ import annotations

import signal
import time

import pytest

from e2e.terminal import Terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from e2e.target import Target


def test_a_shell_at_a_terminal(target: Target, name: str) -> None:
    with Terminal(target, "run", "-it", "--name", name, "busybox", "sh") as screen:
        screen.expect("# ")
        screen.type("tty && echo $((6*7))\n")
        screen.expect("/dev/pts/0")
        screen.expect("42")
        screen.type("exit 5\n")
        assert screen.wait() == 5
        assert screen.mended


def test_the_size_follows(target: Target, name: str) -> None:
    with Terminal(target, "run", "-it", "--name", name, "busybox", "sh", rows=33, columns=101) as screen:
        screen.expect("# ")
        until(screen, "stty size\n", "33 101")
        screen.resize(20, 70)
        screen.process.send_signal(signal.SIGWINCH)
        until(screen, "stty size\n", "20 70")
        screen.type("exit\n")
        screen.wait()


def until(screen: Terminal, question: str, answer: str) -> None:
    """Ask until the answer comes: the size arrives a moment after the start."""
    for _ in range(50):
        screen.type(question)
        told = screen.expect("# ")
        if answer in told:
            return
        time.sleep(0.1)
    raise AssertionError(f"{answer!r} never came, but {told!r}")


def test_control_c_is_for_the_program(target: Target, name: str) -> None:
    with Terminal(target, "run", "-it", "--name", name, "busybox", "sh") as screen:
        screen.expect("# ")
        screen.type("sleep 100; echo interrupted\n")
        time.sleep(0.3)
        screen.type(b"\x03")
        screen.expect("# ")
        screen.type("exit 4\n")
        assert screen.wait() == 4


@pytest.mark.differs("podman", "4.3 does not end at the detach keys from inside nsenter")
@pytest.mark.parametrize(("keys", "typed"), [((), b"\x10\x11"), (("--detach-keys", "ctrl-a,x"), b"\x01x")])
def test_detach_keys_leave_it_running(target: Target, name: str, keys: tuple[str, ...], typed: bytes) -> None:
    with Terminal(target, "run", "-it", *keys, "--name", name, "busybox", "sh") as screen:
        screen.expect("# ")
        screen.type("A=kept\n")
        screen.expect("# ")
        screen.type(typed)
        assert screen.wait() == 0
        assert screen.mended
    assert target.out("inspect", "-f", "{{.State.Running}}", name) == "true"
    with Terminal(target, "attach", *keys, name) as screen:
        screen.type("echo $A-again\n")
        screen.expect("kept-again")
        screen.type("exit 6\n")
        assert screen.wait() == 6
        assert screen.mended


def test_exec_at_a_terminal(target: Target, sleeper: str) -> None:
    with Terminal(target, "exec", "-it", sleeper, "sh") as screen:
        screen.expect("# ")
        screen.type("exit 8\n")
        assert screen.wait() == 8
        assert screen.mended


@pytest.mark.only("firkin")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_the_terminal_whole(target: Target, name: str, number: int) -> None:
    with Terminal(target, "run", "-it", "--name", name, "busybox", "sh") as screen:
        screen.expect("# ")
        assert not screen.mended
        screen.process.send_signal(number)
        assert screen.wait() == 128 + number
        assert screen.mended
    assert target.out("inspect", "-f", "{{.State.Running}}", name) == "true"


def test_the_programs_death_leaves_the_terminal_whole(target: Target, name: str) -> None:
    with Terminal(target, "run", "-it", "--name", name, "busybox", "sh") as screen:
        screen.expect("# ")
        target.run("kill", name, check=True)
        assert screen.wait() == 137
        assert screen.mended


def test_t_alone_gives_a_terminal_without_input(target: Target) -> None:
    ran = target.run("run", "--rm", "-t", "busybox", "sh", "-c", "tty; echo err >&2", text=False)
    assert ran.stdout == b"/dev/pts/0\r\nerr\r\n"
