"""Programs of all kinds that use the library: threads, asyncio, forks, no standard streams, signals of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from e2e.library.conftest import Lab

pytestmark = pytest.mark.only("firkin")


def test_sixteen_threads(lab: Lab) -> None:
    said = lab.run("""
        import threading
        with firkin.run("busybox", ["sleep", "1000"], network="none") as shared:
            found = []
            def work(number):
                for _ in range(2):
                    with firkin.run("busybox", ["sh", "-c", f"echo {number}; exit {number}"], network="none") as c:
                        found.append((number, c.wait(), int(c.logs()), shared.exec(f"echo {number}").stdout))
            threads = [threading.Thread(target=work, args=(n,)) for n in range(16)]
            [t.start() for t in threads]; [t.join() for t in threads]
            assert all(one == (one[0], one[0], one[0], b"%d\\n" % one[0]) for one in found), found
            print(len(found), threading.active_count())
    """)
    assert said == "32 1\n"


def test_asyncio(lab: Lab) -> None:
    said = lab.run("""
        import asyncio
        def one(number):
            with firkin.run("busybox", f"echo {number}", network="none") as c:
                c.wait()
                return int(c.logs())
        async def main():
            return await asyncio.gather(*(asyncio.to_thread(one, n) for n in range(6)))
        print(asyncio.run(main()))
    """)
    assert said == "[0, 1, 2, 3, 4, 5]\n"


def test_after_a_fork_each_has_its_own(lab: Lab) -> None:
    said = lab.run("""
        with firkin.run("busybox", ["sleep", "1000"], network="none") as c:
            child = os.fork()
            if child == 0:
                with c, firkin.run("busybox", ["sh", "-c", "exit 3"], network="none") as own:
                    code = own.wait()
                firkin.run("busybox", ["sleep", "1000"], network="none")  # nobody waits for it
                sys.exit(code if c.status == "running" else 99)
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), c.status, len(firkin.containers.list()))
            assert c.exec("true").exit_code == 0
    """)
    assert said == "3 running 1\n"


def test_forks_of_a_program_whose_threads_have_used_the_library(lab: Lab) -> None:
    said = lab.run("""
        import threading
        ready, stop = threading.Barrier(5), threading.Event()
        def work():
            with firkin.run("busybox", "true", network="none") as c:
                c.wait()
                ready.wait()
                stop.wait()
        threads = [threading.Thread(target=work) for _ in range(4)]
        [t.start() for t in threads]
        ready.wait()
        codes = []
        for _ in range(4):
            child = os.fork()
            if child == 0:
                with firkin.run("busybox", "true", network="none") as c:
                    code = c.wait()
                os._exit(code)
            codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        stop.set()
        [t.join() for t in threads]
        print(codes)
    """)
    assert said == "[0, 0, 0, 0]\n"


def test_a_child_that_was_forked_in_the_middle_holds_no_container(lab: Lab) -> None:
    said = lab.run("""
        import signal
        from firkin.engine import locks
        from firkin.app.engine import open_engine
        with firkin.run("busybox", "true", network="none") as c:
            paths = open_engine().config.paths
            held = locks.lock(paths, c.id)  # what another thread does for milliseconds
            child = os.fork()
            if child == 0:
                signal.pause()
            held.release()
            free = locks.try_lock(paths, c.id)
            print(free is not None)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            free.release()
    """)
    assert said == "True\n"


def test_multiprocessing(lab: Lab, tmp_path) -> None:
    script = tmp_path / "pool.py"
    script.write_text(
        "import firkin, multiprocessing\n"
        "def one(number):\n"
        "    with firkin.run('busybox', ['sh', '-c', f'exit {number}'], network='none') as c:\n"
        "        return c.wait()\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('fork').Pool(3) as pool:\n"
        "        print(pool.map(one, range(6)))\n"
    )
    done = subprocess.run(
        [sys.executable, script], env=lab.environ, capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("[0, 1, 2, 3, 4, 5]\n", "")


def test_without_standard_streams(lab: Lab, tmp_path) -> None:
    answer = tmp_path / "answer"
    program = lab.program(
        """
        os.closerange(0, 3)
        with firkin.run("busybox", ["cat"], network="none", interactive=True) as c:
            c.stdin.write(b"hello"); c.stdin.close()
            code = c.wait()
            text = f"{code} {c.logs()}"
        fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
        os.write(fd, f"{text} {fd}".encode())
        """,
        str(answer),
    )
    assert program.wait(60) == 0
    program.communicate()
    assert answer.read_text().startswith("0 b'hello' ")


def test_a_host_with_signals_timeouts_and_masks_of_its_own(lab: Lab) -> None:
    said = lab.run("""
        import signal, socket, threading
        socket.setdefaulttimeout(0.05)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        before = [signal.getsignal(s) for s in signal.valid_signals()], signal.pthread_sigmask(signal.SIG_BLOCK, ())
        before += (signal.set_wakeup_fd(-1), os.getcwd(), os.umask(0o22), threading.active_count())
        with firkin.run("busybox", ["sleep", "0.3"], network="none", interactive=True) as c:
            given = c.stdin
            assert c.wait() == 0
            try:
                while True: given.write(b"x" * 65536)
            except BrokenPipeError:
                pass
        # A signal handler that was there, mask, wakeup descriptor, directory: all as they were.
        after = [signal.getsignal(s) for s in signal.valid_signals()], signal.pthread_sigmask(signal.SIG_BLOCK, ())
        after += (signal.set_wakeup_fd(-1), os.getcwd(), os.umask(0o22), threading.active_count())
        assert before == after, (before, after)
        print("same")
    """)
    assert said == "same\n"


def test_signals_of_the_host_reach_no_container(lab: Lab) -> None:
    said = (
        lab.run("""
        import signal
        signal.signal(signal.SIGINT, lambda *_: None)
        with firkin.run("busybox", ["sleep", "1000"], network="none") as c:
            os.killpg(0, signal.SIGINT)  # what Ctrl-C does
            assert firkin.run("busybox", "true", network="none").wait() == 0
            print(c.status)
    """)
        if os.getpgid(0) == os.getpid()
        else lab.run("""
        import signal
        os.setpgid(0, 0)
        signal.signal(signal.SIGINT, lambda *_: None)
        with firkin.run("busybox", ["sleep", "1000"], network="none") as c:
            os.killpg(0, signal.SIGINT)
            assert firkin.run("busybox", "true", network="none").wait() == 0
            print(c.status)
    """)
    )
    assert said == "running\n"


def test_an_interrupted_run_leaves_nothing_and_the_next_one_works(lab: Lab) -> None:
    said = lab.run("""
        import signal, threading, time
        # Python itself swallows, and prints, a Ctrl-C that comes while a __del__ runs.
        sys.unraisablehook = lambda told: told.exc_type is KeyboardInterrupt or sys.__unraisablehook__(told)
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        firkin.run("busybox", "true", network="none").wait()
        hit = 0
        for delay in range(1, 40, 2):
            signal.setitimer(signal.ITIMER_REAL, delay / 1000)
            try:
                with firkin.run("busybox", ["true"], network="none") as c:
                    c.wait()
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                hit += 1
            assert firkin.run("busybox", ["sh", "-c", "exit 4"], network="none").wait() == 4
        assert hit > 3, hit
        print("works")
    """)
    assert said == "works\n"


def test_two_hundred_runs_leave_no_descriptor_thread_zombie_or_memory(lab: Lab) -> None:
    told = json.loads(
        lab.run("""
        import json, threading
        def children():
            found = []
            for pid in filter(str.isdigit, os.listdir("/proc")):
                try:
                    with open(f"/proc/{pid}/stat") as stream: words = stream.read().rpartition(")")[2].split()
                except OSError: continue
                if words[1] == str(os.getpid()): found.append(words[0])
            return found
        def state():
            with open("/proc/self/statm") as stream: pages = int(stream.read().split()[1])
            return [len(os.listdir("/proc/self/fd")), threading.active_count(), children(), pages * 4]
        def runs(count):
            for number in range(count):
                with firkin.run("busybox", "true", network="none") as c:
                    c.wait(); c.logs()
            def once():
                with firkin.run("busybox", ["sleep", "1000"], network="none") as c: c.exec(["true"])
            thread = threading.Thread(target=once); thread.start(); thread.join()
            return state()
        print(json.dumps([runs(20), runs(200)]))
    """)
    )
    before, after = told
    assert after[:3] == before[:3]
    assert after[2] in (["S"], ["R"])  # the spawner
    assert after[3] - before[3] < 2048  # KiB


def test_import_loads_nothing_heavy(lab: Lab) -> None:
    said = lab.run("""
        print(*sorted(name for name in sys.modules if name.startswith("firkin")))
        heavy = {"asyncio", "json", "socket", "sqlite3", "ctypes", "subprocess", "logging", "typing", "threading", "dataclasses", "re"}
        bare = set(sys.argv[1].split())
        print(*sorted(set(sys.modules) & heavy - bare))
    """, subprocess.run([sys.executable, "-c", "import sys; print(*sys.modules)"], env=lab.environ, capture_output=True, text=True).stdout)  # fmt: skip
    assert said == "firkin\n\n"


@pytest.mark.parametrize(
    "line",
    [
        "from firkin import errors; errors.CannotRun",
        "from firkin import run, containers, images, volumes, Engine, Container, Image; print(images.list())",
        "import firkin.errors; firkin.errors.NotFound",
        "import firkin.sdk.engine; firkin.images.list()",
        "import firkin; firkin.images.list(); firkin.run; assert set(firkin.__all__) <= set(dir(firkin))",
        "import firkin\ntry: firkin.nosuchname\nexcept AttributeError as error: assert 'nosuchname' in str(error)",
    ],
)
def test_ways_to_import(lab: Lab, line: str) -> None:
    lab.run(line)


def test_help_says_what_there_is(lab: Lab) -> None:
    text = lab.run("help(firkin.run)")
    for word in (
        "image",
        "command",
        "detach",
        "keep",
        "network=",
        "memory=",
        "volumes=",
        "CannotRun",
        "NotFound",
        "SIGKILL",
    ):
        assert word in text, word
    undocumented = lab.run("""
        import inspect
        from firkin.sdk import collections, container, engine, image, streams
        for cls in (engine.Engine, container.Container, container.Ran, image.Image, streams.Stdin,
                    collections.Containers, collections.Images, collections.Volumes):
            for name, member in inspect.getmembers(cls):
                if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, property)):
                    if not member.__doc__: print(f"{cls.__name__}.{name}")
            if not cls.__doc__: print(cls)
    """)
    assert undocumented == ""
