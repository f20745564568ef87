"""An engine of its own for each module, with busybox in it; every test must leave it empty.

Each command runs in a forked child, as a command line would: the test's own process never opens the database.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
import traceback

import pytest

from firkin.app.engine import open_engine
from firkin.config import load, locate
from firkin.engine import liveness, steps
from firkin.errors import from_wire, to_wire
from firkin.runtime.cgroup.api import Cgroup, list_containers
from firkin.specgen.options import CreateOptions

ARCHIVE = os.path.join(os.path.dirname(__file__), "../../../../shared/images/busybox.docker.tar")


class Killed(Exception):
    """The command was ended by a signal."""


class Commands:
    """Engine verbs, each called in a process of its own."""

    def __init__(self, root: str, run_root: str) -> None:
        self.root, self.run_root = root, run_root
        self.config = load(locate(root, run_root))

    def call(self, verb, *args, die_at="", **kwargs):
        """Return what ``verb(ctx, ...)`` returned (JSON), raise what it raised, Killed when it was killed."""
        child = self.begin(verb, *args, die_at=die_at, **kwargs)
        return child.result()

    def begin(self, verb, *args, die_at="", **kwargs):
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(read)
            answer = {}
            try:
                steps.arm(die_at)
                ctx = open_engine(self.root, self.run_root)
                answer["value"] = verb(ctx, *args, **kwargs)
                ctx.close()
            except BaseException as error:  # noqa: BLE001
                answer = {"error": to_wire(error), "trace": traceback.format_exc()}
            with os.fdopen(write, "w") as stream:
                json.dump(answer, stream, default=str)
            os._exit(0)
        os.close(write)
        return Child(pid, read)

    def options(self, *command, **changes):
        values = {"image": "busybox", "network": "none", "command": tuple(command), **changes}
        return CreateOptions(**values)

    def run(self, *command, die_at="", heir="", **changes):
        """Run to the end in the foreground; return (exit code, stdout, stderr)."""
        return self.call(_run, self.options(*command, **changes), heir, die_at=die_at)

    def run_detached(self, *command, die_at="", **changes):
        """Return the id of a container that was started and left alone."""
        return self.call(_detached, self.options(*command, detach=True, **changes), die_at=die_at)

    def rows(self):
        return self.call(_rows)

    def row(self, ref):
        return next(row for row in self.rows() if ref in (row["id"], row["name"]))

    def await_state(self, ref, state):
        for _ in range(500):
            row = self.row(ref)
            if row["state"] == state:
                return row
            time.sleep(0.02)
        raise AssertionError(f"{ref} is {row['state']}, not {state}")

    def leftovers(self):
        """Return what is there besides the images."""
        found = [f"row {row['name']} {row['state']}" for row in self.rows()]
        for folder in ("containers", "tmp", "volumes"):
            found += [f"{folder}/{name}" for name in os.listdir(f"{self.root}/{folder}")]
        found += [f"run/{name}" for name in os.listdir(f"{self.run_root}/containers")]
        found += [f"locks/{n}" for n in os.listdir(f"{self.run_root}/locks") if len(n) == 64]
        found += [f"cgroup {name}" for name in list_containers(self.config.cgroup_parent)]
        found += [f"lease {row}" for row in self.call(_leases)]
        links = json.loads(subprocess.run(["ip", "-j", "link"], capture_output=True, check=True).stdout)
        found += [link["ifname"] for link in links if link.get("master") == self.config.bridge]
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/mountinfo") as file:
                    if self.run_root in file.read():
                        found.append(f"mount seen by {pid}")
            except OSError:
                continue
        return found

    def is_empty(self):
        """Say whether nothing is left; what takes a moment (a dying namespace) gets it."""
        for _ in range(100):
            left = self.leftovers()
            if not left:
                return True
            time.sleep(0.03)
        raise AssertionError(f"left behind: {left}")

    def pids(self, container_id):
        return Cgroup.open(f"{self.config.cgroup_parent}/{container_id}").pids()


class Child:
    def __init__(self, pid, fd):
        self.pid, self.fd = pid, fd

    def result(self):
        with os.fdopen(self.fd) as stream:
            text = stream.read()
        _, status = os.waitpid(self.pid, 0)
        if os.WIFSIGNALED(status):
            raise Killed(os.WTERMSIG(status))
        answer = json.loads(text)
        if "error" in answer:
            error = from_wire(answer["error"])
            error.add_note(answer["trace"])
            raise error
        return answer["value"]


def _run(ctx, options, heir=""):
    from firkin.engine.attach import STDERR, STDOUT
    from firkin.engine.ends import inherit
    from firkin.engine.run import run

    started = run(ctx, options, heir=heir)
    out = {STDOUT: b"", STDERR: b""}
    while (frames := started.client.frames()) is not None:
        for kind, data in frames:
            if kind in out:
                out[kind] += data
        if not frames:
            started.client.await_input()
    code = started.client.exit["exit_code"] if started.client.exit else None
    inherit(ctx, started.container, started.client.left)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(started.monitor_pid, 0)
    return code, out[STDOUT].decode(errors="replace"), out[STDERR].decode(errors="replace")


def _detached(ctx, options):
    from firkin.engine.run import run

    return run(ctx, options).container.id


def _rows(ctx):
    from firkin.engine import tables

    return [row.to_dict() for row in tables.listed(ctx.db)]


def _leases(ctx):
    from firkin.network import tables

    return tables.leases(ctx.db)


@pytest.fixture(scope="module")
def shared():
    if os.getuid() != 0:
        pytest.skip("needs root: containers are made")
    base = f"/tmp/firkin-test-engine-{os.getpid()}-{os.urandom(2).hex()}"
    commands = Commands(f"{base}/root", f"{base}/run")
    with open(f"{base}/root/engine.json", "w") as file:  # a subnet of our own: others test at the same time
        subnet = f"10.{100 + os.getpid() % 80}.0.0/16"
        json.dump({"id": commands.config.engine_id, "settings": {"bridge_subnet": subnet}}, file)
    assert commands.call(lambda ctx: len(ctx.images.load(ARCHIVE))) == 1
    yield commands
    for _ in range(200):  # a process that nobody waits for takes the unused bridge away
        if not os.path.exists(f"/sys/class/net/{commands.config.bridge}"):
            break
        time.sleep(0.05)
    else:
        raise AssertionError(f"the bridge {commands.config.bridge} was left behind")
    shutil.rmtree(base)


@pytest.fixture
def engine(shared):
    """The module's engine; afterwards nothing may be left in it."""
    yield shared
    assert shared.is_empty()


@pytest.fixture
def alive():
    return liveness.running
