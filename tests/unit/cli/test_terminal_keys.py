"""Detach keys, raw mode and back, on a pseudo-terminal."""

from __future__ import annotations

import os
import pty
import termios

import pytest

from firkin.cli.complaint import Quit
from firkin.cli.converse import Conversation
from firkin.cli.terminal import Raw, detach_keys, size
from firkin.errors import InvalidArgument


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("", b"\x10\x11"),
        ("ctrl-p,ctrl-q", b"\x10\x11"),
        ("a", b"a"),
        ("ctrl-@,x", b"\0x"),
        ("ctrl-[,ctrl-_", b"\x1b\x1f"),
    ],
)
def test_detach_keys(text: str, keys: bytes) -> None:
    assert detach_keys(text) == keys


@pytest.mark.parametrize("text", ["ctrl-", "ctrl-ab", "shift-a", "ab", "ctrl-1", "a,,b", "é"])
def test_refuses_detach_keys(text: str) -> None:
    with pytest.raises(InvalidArgument, match="invalid detach keys"):
        detach_keys(text)


def test_raw_and_back_even_after_a_failure() -> None:
    master, slave = pty.openpty()
    try:
        before = termios.tcgetattr(slave)
        with pytest.raises(KeyError), Raw(slave):
            inside = termios.tcgetattr(slave)
            assert not inside[3] & (termios.ECHO | termios.ICANON | termios.ISIG)
            raise KeyError
        assert termios.tcgetattr(slave) == before
        assert size(slave) is not None
    finally:
        os.close(master)
        os.close(slave)


def test_what_is_no_terminal_is_left_alone() -> None:
    read, write = os.pipe()
    try:
        with Raw(read) as raw:
            assert not raw.on
        assert size(read) is None
    finally:
        os.close(read)
        os.close(write)


def test_signal_handlers_come_back() -> None:
    import signal

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)}
    with Conversation(streams=("stdout",), tty=False) as talk:
        assert all(signal.getsignal(number) == talk._on_signal for number in before)
        os.kill(os.getpid(), signal.SIGUSR1)  # held, until there is a container
        assert talk._held == [signal.SIGUSR1]
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(Quit, match="130"):  # asked twice
            os.kill(os.getpid(), signal.SIGINT)
    assert {number: signal.getsignal(number) for number in before} == before
    assert signal.set_wakeup_fd(-1) == -1


def test_input_must_be_a_terminal_for_it(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "isatty", lambda fd: False)
    with pytest.raises(Quit) as ended:
        Conversation(streams=("stdin",), tty=True)
    assert ended.value.code == 1
    assert "the input device is not a TTY" in capfd.readouterr().err
