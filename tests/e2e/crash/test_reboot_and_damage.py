"""After a reboot (simulated: all processes gone, the run root empty), and with damaged files: right, or clearly refused."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from e2e.crash import machine
from e2e.crash.lab import Lab, kill, until

SLEEP = ("busybox", "sh", "-c", "echo up; sleep 1000")


def reboot(lab: Lab) -> None:
    """End every process of the engine's and empty the run root; the network goes, as it would."""
    rows = [row for row in machine.Rows(lab.root).containers if row["state"] == "running"]
    for row in rows:
        kill(row["monitor_pid"])
    for row in rows:
        until(
            lambda row=row: not machine.is_alive(row["pid"], row["start_time"]),
            "the container ends with its monitor",
        )
    empty(lab.run_root)


def empty(folder: str) -> None:
    shutil.rmtree(folder)
    os.mkdir(folder)


def test_after_a_reboot_all_is_as_it_should_be(lab: Lab):
    lab("run", "-d", "--name", "kept", "-p", "127.0.0.1::80", "-v", "/data", *SLEEP, code=0)
    lab("exec", "kept", "touch", "/data/volume", "/layer", code=0)
    lab("run", "-d", "--rm", "--name", "gone", "-p", "127.0.0.1::80", "-v", "/data", *SLEEP, code=0)
    lab("run", "--name", "done", "busybox", "sh", "-c", "exit 3", code=3)
    lab("create", "--name", "new", *SLEEP, code=0)
    reboot(lab)
    assert sorted(lab.names()) == ["done", "kept", "new"]
    assert lab.state("kept") == ("exited", 255)
    assert lab.state("done") == ("exited", 3)
    assert lab.state("new") == ("created", 0)
    lab.is_clean(idle=True)
    assert "restarted" in lab.out("explain", "kept") or "reboot" in lab.out("explain", "kept")
    assert lab.out("logs", "kept") == "up"
    for name in ("kept", "new"):
        lab("start", name, code=0)
        assert lab.state(name) == ("running", 0)
    lab("exec", "kept", "ls", "/data/volume", "/layer", code=0)
    lab.is_clean()


def test_the_run_root_is_emptied_while_containers_run(lab: Lab):
    """Somebody's tmp cleaner: what runs can be ended, and nothing is left."""
    lab("run", "-d", "--name", "runs", *SLEEP, code=0)
    empty(lab.run_root)
    assert lab.names() == ["runs"]
    lab("rm", "-f", "runs", code=0, timeout=50)
    lab.is_empty()


def clear(lab: Lab, *words: str, names: str) -> None:
    """A refusal that names the file, gives a next step, and shows no traceback (which Lab looks for)."""
    done = lab(*words)
    assert done.returncode in (1, 125), (words, done.returncode, done.stdout, done.stderr)
    assert names in done.stderr, (words, done.stderr)
    assert ";" in done.stderr, (words, "no next step", done.stderr)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"id": 4}', '{"id": "../../ab"}', "\x00\xff", '{"id": "0123456g"}',
                                     '{"id": "3f9c0a1b", "settings": []}'])  # fmt: skip
def test_a_damaged_engine_json(home: str, content: str):
    lab = Lab(home)
    lab("ps", code=0)
    Path(f"{lab.root}/engine.json").write_bytes(content.encode("latin-1"))
    for words in (("ps",), ("run", "--rm", "host", "true"), ("images",), ("rm", "x1")):
        clear(lab, *words, names="engine.json")


@pytest.mark.parametrize("damage", ["garbage", "truncated", "directory", "half", "zeros"])
def test_a_damaged_database(home: str, archive: Path, damage: str):
    lab = Lab(home)
    lab("load", "-qi", str(archive), code=0)
    lab("create", "--name", "one", "busybox", "true", code=0)
    db = Path(f"{lab.root}/firkin.db")
    with sqlite3.connect(db) as connection:  # the last to close it moves all from the log into the file
        connection.execute("pragma wal_checkpoint(truncate)")
    connection.close()
    whole = db.read_bytes()
    if damage == "directory":
        db.unlink()
        db.mkdir()
    else:
        db.write_bytes({"garbage": os.urandom(8192), "truncated": whole[:5000], "half": whole[:4096] + os.urandom(len(whole) - 4096),
                        "zeros": whole[:100] + bytes(max(0, len(whole) - 100))}[damage])  # fmt: skip
    for words in (("ps", "-a"), ("images",), ("run", "--rm", "busybox", "true"), ("rm", "one")):
        clear(lab, *words, names="firkin.db")


def test_an_empty_database_is_a_new_one(home: str):
    lab = Lab(home)
    lab("ps", code=0)
    for suffix in ("", "-wal", "-shm"):
        Path(f"{lab.root}/firkin.db{suffix}").unlink()
    assert lab.names() == []


def test_a_missing_layer_is_named(lab: Lab):
    lab("create", "--name", "one", "busybox", "true", code=0)
    layers = Path(f"{lab.root}/layers")
    (layer,) = layers.iterdir()
    layer.rename(f"{lab.home}/away")
    try:
        clear(lab, "start", "one", names=str(layers))
        assert "one" in lab.names()
        lab("run", "--rm", "busybox", "true", code=0)  # unpacks it again
        lab("start", "one", code=0)
    finally:
        shutil.rmtree(f"{lab.home}/away")


def test_a_missing_container_directory(lab: Lab):
    lab("run", "--name", "one", "busybox", "true", code=0)
    shutil.rmtree(f"{lab.root}/containers/{lab.row('one')['id']}")
    assert lab.state("one") == ("exited", 0)
    for words in (("logs", "one"), ("diff", "one"), ("explain", "one"), ("ps", "-as")):
        lab(*words)
    lab("rm", "one", code=0)
    lab.is_empty()


@pytest.mark.parametrize(
    "torn", ["", "{", '{"starts": 1', "null", "[1]", '{"starts": 1}', '{"starts": "1"}', "\x00" * 200]
)
def test_a_torn_exit_json(lab: Lab, torn: str):
    """The monitor died while it wrote, and the disk kept half: the end counts as not seen."""
    lab("run", "-d", "--name", "one", *SLEEP, code=0)
    row = lab.row("one")
    Path(f"{lab.root}/containers/{row['id']}/exit.json").write_text(torn)
    kill(row["monitor_pid"])
    assert lab.state("one") == ("exited", 137)
    assert "monitor" in lab.out("explain", "one")
    lab("start", "one", code=0)
    assert lab.state("one") == ("running", 0)


@pytest.mark.parametrize("torn", ["", "{", "null", '{"pid": "x"}', "\x00" * 64])
def test_a_torn_state_json(lab: Lab, torn: str):
    lab("run", "-d", "--name", "one", *SLEEP, code=0)
    row = lab.row("one")
    Path(f"{lab.run_root}/containers/{row['id']}/state.json").write_text(torn)
    assert lab.state("one") == ("running", 0)
    kill(row["monitor_pid"])
    assert lab.state("one") == ("exited", 137)


@pytest.mark.parametrize("torn", ["", "{", "null", "\x00" * 64])
def test_a_torn_config_json_in_the_run_root(lab: Lab, torn: str):
    lab("run", "-d", "--name", "one", *SLEEP, code=0)
    row = lab.row("one")
    Path(f"{lab.run_root}/containers/{row['id']}/config.json").write_text(torn)
    done = lab("exec", "one", "true")
    assert done.returncode in (1, 125, 126), done
    assert "config.json" in done.stderr, done.stderr
    lab("stop", "-t", "0", "one", code=0)
    assert lab.state("one") == ("exited", 137)


@pytest.mark.parametrize("cut", [1, 3, 4, 5, 10, 20])
def test_the_logs_last_frame_is_torn(lab: Lab, cut: int):
    lab("run", "--name", "one", "busybox", "sh", "-c", "echo first; sleep 0.1; echo second", code=0)
    log = Path(f"{lab.root}/containers/{lab.row('one')['id']}/log")
    log.write_bytes(log.read_bytes()[:-cut])
    assert lab.out("logs", "one").startswith("first")
    for words in (("-n", "1"), ("-t",), ("--since", "1m"), ("-f",)):
        lab("logs", *words, "one", code=0)
    lab("start", "-a", "one", code=0)
    assert lab.out("logs", "one").splitlines()[-2:] == ["first", "second"]


def test_a_log_of_garbage(lab: Lab):
    lab("run", "--name", "one", "busybox", "echo", "first", code=0)
    log = Path(f"{lab.root}/containers/{lab.row('one')['id']}/log")
    for content in (os.urandom(100_000), b"\0" * 5000, b"", b"x"):
        log.write_bytes(content)
        for words in ((), ("-n", "1"), ("-t",), ("-f",)):
            lab("logs", *words, "one", code=0)
    log.unlink()
    lab("logs", "one")
    lab("rm", "one", code=0)


def test_options_in_a_row_that_nobody_understands(home: str, archive: Path):
    """A row of a firkin that knew more, or less: the container is named, and can be removed."""
    lab = Lab(home)
    lab("load", "-qi", str(archive), code=0)
    lab("create", "--name", "one", "busybox", "true", code=0)
    with sqlite3.connect(f"{lab.root}/firkin.db") as db:
        db.execute("update containers set options = ?", (json.dumps({"image": "busybox", "novel": 4}),))
    db.close()
    for words in (("ps", "-a"), ("inspect", "one"), ("start", "one")):
        lab(*words)
    lab("rm", "-f", "one", code=0)
