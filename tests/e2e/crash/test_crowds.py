"""Sixteen commands at once, on one container and on many: all end, complain clearly or not at all, and corrupt nothing."""

from __future__ import annotations

import os
import random
import subprocess
import threading

from e2e.crash.lab import Lab

CROWD = 16
ROUNDS = int(os.environ.get("FIRKIN_TEST_CROWDS", "2"))
VERBS = (
    ("start", "NAME"), ("stop", "-t", "0", "NAME"), ("kill", "NAME"), ("exec", "NAME", "true"), ("logs", "NAME"),
    ("inspect", "NAME"), ("ps", "-a"), ("restart", "-t", "0", "NAME"), ("rm", "-f", "NAME"), ("rm", "NAME"), ("top", "NAME"),
    ("run", "-d", "--name", "NAME", "-p", "127.0.0.1::80", "busybox", "sleep", "1000"), ("explain", "NAME"), ("diff", "NAME"),
    ("create", "--name", "NAME", "busybox", "sleep", "1000"), ("rename", "NAME", "NAME-2"),
    ("run", "--rm", "--name", "NAME", "busybox", "true"), ("ps", "-as"),
)  # fmt: skip
CLEAR = (
    "No such container", "already in use", "is not running", "already running", "has just ended", "cannot", "Cannot",
    "was started or removed", "it is created", "it is exited", "No such object", "is being removed", "has ended",
)  # fmt: skip


def together(
    lab: Lab, commands: list[tuple[str, ...]], limit: float = 60
) -> list[subprocess.CompletedProcess[str]]:
    """Run all at once; every one must end in time."""
    done: list[subprocess.CompletedProcess[str]] = []

    def one(words: tuple[str, ...]) -> None:
        try:
            done.append(lab(*words, timeout=limit))
        except (AssertionError, subprocess.TimeoutExpired) as error:
            done.append(subprocess.CompletedProcess(words, 999, "", f"{error!r}"))

    threads = [threading.Thread(target=one, args=(words,)) for words in commands]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done


def named(words: tuple[str, ...], name: str) -> tuple[str, ...]:
    return tuple(word.replace("NAME", name) for word in words)


def all_clear(done: list[subprocess.CompletedProcess[str]]) -> None:
    for ran in done:
        assert ran.returncode != 999, (ran.args, ran.stderr)
        for line in ran.stderr.splitlines():
            assert any(sign in line for sign in CLEAR), (ran.args, ran.returncode, line)


def clear_away(lab: Lab) -> None:
    for name in lab.names():
        lab("rm", "-f", "-v", name, code=0)
    lab.is_empty()


def test_sixteen_commands_on_the_same_container(lab: Lab):
    chance = random.Random(4)
    for _ in range(ROUNDS):
        lab("run", "-d", "--name", "same", "busybox", "sleep", "1000", code=0)
        waiter = lab.begin("wait", "same", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        all_clear(together(lab, [named(chance.choice(VERBS), "same") for _ in range(CROWD)]))
        clear_away(lab)
        waiter.wait(timeout=10)


def test_sixteen_commands_on_containers_of_their_own(lab: Lab):
    chance = random.Random(5)
    for _ in range(ROUNDS):
        names = [f"own{number}" for number in range(CROWD)]
        done = together(
            lab, [("run", "-d", "--name", name, "-p", "80", "busybox", "sleep", "1000") for name in names]
        )
        assert [ran.returncode for ran in done] == [0] * CROWD, [ran.stderr for ran in done if ran.stderr]
        lab.is_clean()
        all_clear(together(lab, [named(chance.choice(VERBS), name) for name in names]))
        lab.names()
        lab.is_clean()
        clear_away(lab)


def test_sixteen_removals_of_one_container(lab: Lab):
    lab("run", "-d", "--name", "same", "-p", "80", "busybox", "sleep", "1000", code=0)
    done = together(lab, [("rm", "-f", "same")] * CROWD)
    assert all(
        ran.returncode in (0, 1) and (not ran.stderr or "No such container" in ran.stderr) for ran in done
    ), done
    lab.is_empty()


def test_sixteen_starts_of_one_container(lab: Lab):
    lab("create", "--name", "same", "busybox", "sleep", "1000", code=0)
    done = together(lab, [("start", "same")] * CROWD)
    assert lab.state("same") == ("running", 0)
    assert any(ran.returncode == 0 for ran in done)
    all_clear(done)
    lab.is_clean()


def test_sixteen_runs_of_one_name_give_one_container(lab: Lab):
    done = together(lab, [("run", "-d", "--name", "same", "busybox", "sleep", "1000")] * CROWD)
    assert sorted(ran.returncode for ran in done) == [0] + [125] * (CROWD - 1)
    assert lab.names() == ["same"]
    lab.is_clean()


def test_sixteen_first_commands_found_one_engine(home: str, archive):
    lab = Lab(home)
    done = together(
        lab, [("load", "-qi", str(archive)) if number % 2 else ("ps", "-a") for number in range(CROWD)]
    )
    assert [ran.returncode for ran in done] == [0] * CROWD, [ran.stderr for ran in done]
    assert lab.out("run", "--rm", "--network", "none", "busybox", "echo", "well") == "well"
    lab.is_empty()
