"""The spawner: containers for programs with threads, bound to the program's life."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time

SOURCE = os.path.join(os.path.dirname(__file__), "../../../src")

PROGRAM = """
import json, os, sys, threading, time
sys.path.append({source!r})
from firkin.app.engine import open_engine
from firkin.engine.spawner import Spawner
from firkin.specgen.options import CreateOptions, ExecOptions
from firkin.engine.attach import STDOUT
threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
ctx = open_engine({root!r}, {run!r})
spawner = Spawner.start(ctx)
def options(*command, **changes):
    return CreateOptions(**{{"image": "busybox", "network": "none", "command": command, "detach": True, **changes}})
def say(**values):
    print(json.dumps(values), flush=True)
{body}
"""


class Program:
    def __init__(self, engine, body):
        code = PROGRAM.format(
            source=SOURCE, root=engine.root, run=engine.run_root, body=textwrap.dedent(body)
        )
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", code], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
        )

    def hear(self):
        line = self.process.stdout.readline()
        assert line, self.process.wait()
        return json.loads(line)

    def end(self, number=0):
        if number:
            self.process.send_signal(number)
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait()


def test_a_bound_container_ends_and_goes_when_its_program_is_killed(engine):
    program = Program(
        engine,
        """
        ids = [spawner.run(ctx, options("sleep", "1000"), bound=True).container.id]
        ids.append(spawner.run(ctx, options("true"), bound=True).container.id)
        free = spawner.run(ctx, options("sleep", "1000"), bound=False).container.id
        say(bound=ids, free=free)
        time.sleep(1000)
        """,
    )
    said = program.hear()
    assert len(engine.pids(said["bound"][0])) == 1
    assert program.end(signal.SIGKILL) == -signal.SIGKILL
    assert _gone(engine, said["bound"])
    assert engine.row(said["free"])["state"] == "running"
    engine.call(_remove, said["free"])


def test_closing_the_spawner_removes_what_is_bound(engine):
    program = Program(
        engine,
        """
        name = spawner.run(ctx, options("sleep", "1000"), bound=True).container.id
        spawner.close()
        from firkin.engine import tables
        say(left=tables.count(ctx.db))
        """,
    )
    assert program.hear() == {"left": 0}
    assert program.end() == 0


def test_a_killed_spawner_takes_what_is_bound_along(engine):
    program = Program(
        engine,
        """
        name = spawner.run(ctx, options("sleep", "1000"), bound=True).container.id
        say(name=name, spawner=spawner._client._pid)
        sys.stdin.read()
        """,
    )
    said = program.hear()
    os.kill(said["spawner"], signal.SIGKILL)
    assert _gone(engine, [said["name"]])
    program.end()


def test_program_and_spawner_are_killed_and_the_next_command_cleans_up(engine):
    program = Program(
        engine,
        """
        ended = spawner.run(ctx, options("true"), bound=True).container.id
        from firkin.engine.wait import wait
        wait(ctx, ended)
        say(ended=ended, spawner=spawner._client._pid)
        time.sleep(1000)
        """,
    )
    said = program.hear()
    os.kill(said["spawner"], signal.SIGSTOP)
    program.end(signal.SIGKILL)
    os.kill(said["spawner"], signal.SIGKILL)
    assert engine.rows() == []


def test_many_threads_run_and_execute(engine):
    program = Program(
        engine,
        """
        name = spawner.run(ctx, options("sleep", "1000"), bound=True).container.id
        codes = []
        def work(number):
            mine = open_engine(ctx.config.paths.root, ctx.config.paths.run_root)
            execution = spawner.execute(mine, name, ExecOptions(command=("sh", "-c", f"exit {number}")))
            started = spawner.run(mine, options("sh", "-c", f"exit {number}", rm=True), bound=True)
            codes.append((number, execution.wait()))
            mine.close()
        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        [t.start() for t in threads]; [t.join() for t in threads]
        say(codes=sorted(codes))
        spawner.close()
        """,
    )
    assert program.hear() == {"codes": [[n, n] for n in range(8)]}
    assert program.end() == 0


def test_errors_come_through(engine):
    program = Program(
        engine,
        """
        from firkin.errors import CannotRun
        try:
            spawner.run(ctx, options("/nonexistent", rm=True), bound=True)
        except CannotRun as error:
            say(code=error.exit_code)
        spawner.close()
        """,
    )
    assert program.hear() == {"code": 127}
    assert program.end() == 0


def _gone(engine, names):
    for _ in range(200):
        if not {row["id"] for row in engine.rows()} & set(names):
            return True
        time.sleep(0.02)
    return False


def _remove(ctx, ref):
    from firkin.engine.remove import remove

    remove(ctx, ref, force=True)
