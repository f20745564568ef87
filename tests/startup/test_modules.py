"""What the start-up path loads: a module more is milliseconds more, in every command. Asserted, never timed.

``expected/COMMAND.PROCESS`` holds the modules of firkin that each process of a command loads, one a line: exactly those.
Where a change is meant, write them anew and look at the difference: ``FIRKIN_STARTUP_WRITE=1 pytest tests/startup``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

import pytest

REPO = Path(__file__).resolve().parents[2]
MAIN = REPO / "src" / "firkin" / "__main__.py"
ARCHIVE = REPO.parent / "shared" / "images" / "busybox.docker.tar"
EXPECTED = Path(__file__).parent / "expected"

#: What the interpreter itself has loaded under -I -S, and the parts of the standard library that we allow ourselves.
ALLOWED = frozenset((
    "__future__", "_blake2", "_collections_abc", "_ctypes", "_functools", "_json", "_locale", "_random", "_sha2", "_sha256", "_sha512",
    "_signal", "_socket", "_sqlite3", "_stat", "_struct", "_heapq", "abc", "_abc", "array", "atexit", "binascii", "codecs", "_codecs",
    "encodings", "errno", "fcntl", "gc", "genericpath", "io", "itertools", "math", "os", "posix", "posixpath", "resource", "select",
    "stat", "sys", "termios", "time", "zipimport", "zlib", "_io", "_thread", "_weakref", "_weakrefset", "marshal", "builtins", "site",
    "pwd", "encodings.aliases", "encodings.utf_8", "_frozen_importlib", "_frozen_importlib_external", "_imp", "_warnings", "winreg",
    "_bootlocale", "encodings.ascii", "encodings.latin_1", "syslog", "_posixsubprocess", "_multibytecodec",
))  # fmt: skip
#: What depends on the machine: the cgroup version, the processor.
MACHINE = ("firkin.runtime.cgroup.", "firkin.runtime.seccomp.compile", "firkin.runtime.seccomp.abi",
           "firkin.runtime.seccomp.tables", "firkin.linux.bpf", "firkin.specgen.caps")  # fmt: skip

WATCH = """
import os, sys
sys.argv = {argv!r}
def watch(event, arguments):
    if event == "import":
        fd = os.open({log!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(fd, f"{{os.getpid()}} {{arguments[0]}}\\n".encode())
        os.close(fd)
sys.addaudithook(watch)
with open({main!r}) as file:
    exec(compile(file.read(), {main!r}, "exec"), {{"__name__": "__main__", "__file__": {main!r}}})
"""


def processes(*words: str, root: str) -> list[set[str]]:
    """Return what each process of ``firkin WORDS`` imports, in the order of their first import: the command comes first.

    An audit hook survives the fork into the monitor. Raises AssertionError when the command fails.
    """
    with tempfile.NamedTemporaryFile("r", dir=root) as log:
        argv = [str(MAIN), "--root", f"{root}/root", "--run-root", f"{root}/run", *words]
        code = WATCH.format(argv=argv, log=log.name, main=str(MAIN))
        ran = subprocess.run(
            [sys.executable, "-I", "-S", "-c", code],
            capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        found = _read(log)
        deadline = time.monotonic() + 10
        # A monitor has work left when the command returns, and it may import for that.
        while any(os.path.exists(f"/proc/{pid}") for pid in list(found)[:2]) and time.monotonic() < deadline:
            time.sleep(0.01)
        found = _read(log)
    return list(found.values())


def _read(log: IO[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    log.seek(0)
    for line in log:
        pid, name = line.split()
        found.setdefault(pid, set()).add(name)
    return found


def check(found: set[str]) -> None:
    strange = {name for name in found if not name.startswith("firkin") and name not in ALLOWED}
    assert not strange, f"the start-up path loads {sorted(strange)}"


def compare(name: str, found: set[str], *, exact: bool = True) -> None:
    """Assert that ``found`` is what ``expected/NAME`` says, or without ``exact`` no more than that."""
    check(found)
    ours = sorted(m for m in found if m.startswith("firkin") and not m.startswith(MACHINE))
    file = EXPECTED / name
    if os.environ.get("FIRKIN_STARTUP_WRITE"):
        file.parent.mkdir(exist_ok=True)
        file.write_text("".join(f"{module}\n" for module in ours))
    known = file.read_text().split()
    more, less = sorted(set(ours) - set(known)), sorted(set(known) - set(ours))
    assert not more, f"{name} loads {more}: see this file's head"
    assert not less or not exact, f"{name} no longer loads {less}: see this file's head"


@pytest.fixture(scope="module")
def root():
    if os.getuid() != 0 or not ARCHIVE.exists():
        pytest.skip("needs root and ../shared/images")
    with tempfile.TemporaryDirectory(prefix="firkin-test-startup-") as folder:
        roots = ["--root", f"{folder}/root", "--run-root", f"{folder}/run"]
        firkin = [sys.executable, "-I", "-S", str(MAIN), *roots]
        subprocess.run([*firkin, "load", "-i", str(ARCHIVE)], check=True, capture_output=True)
        # The first start compiles the seccomp policy, the first end writes the layers back.
        subprocess.run(
            [*firkin, "run", "--rm", "--network", "none", "busybox", "true"], check=True, capture_output=True
        )
        yield folder
        engine = json.loads(Path(folder, "root/engine.json").read_text())["id"]
        deadline = time.monotonic() + 10
        while os.path.exists(f"/sys/class/net/fk{engine}") and time.monotonic() < deadline:
            time.sleep(0.1)  # whoever takes the bridge away needs the locks in this folder


def test_run_without_network(root: str) -> None:
    command, monitor, *others = processes("run", "--rm", "--network", "none", "busybox", "true", root=root)
    compare("run.command", command)
    compare("run.monitor", monitor)
    assert not others, "the container's own process imports something, after the fork"


def test_exec(root: str) -> None:
    firkin = [sys.executable, "-I", "-S", str(MAIN), "--root", f"{root}/root", "--run-root", f"{root}/run"]
    words = ["run", "-d", "--network", "none", "--name", "startup", "busybox", "sleep", "60"]
    subprocess.run([*firkin, *words], check=True, capture_output=True)
    try:
        command, agent, *others = processes("exec", "startup", "true", root=root)
    finally:
        subprocess.run([*firkin, "rm", "-f", "startup"], check=True, capture_output=True)
    compare("exec.command", command)
    compare("exec.agent", agent)
    assert not others, "exec's process imports something, after the fork"


@pytest.mark.parametrize("word", ["ps", "images", "version"])
def test_listings(root: str, word: str) -> None:
    [command] = processes(word, root=root)
    compare(f"{word}.command", command)


def test_options_load_no_foreign_module(root: str) -> None:
    words = (
        "run",
        "--rm",
        "-e",
        "A=1",
        "-v",
        "/tmp:/mnt",
        "-m",
        "64m",
        "--network",
        "none",
        "busybox",
        "true",
    )
    for found in processes(*words, root=root):
        check(found)
    for found in processes("ps", "-aq", root=root):
        check(found)


def test_run_on_the_bridge(root: str) -> None:
    """The first one makes the bridge and loads more than the next ones do: last of all here."""
    command, monitor, *_ = processes("run", "--rm", "busybox", "true", root=root)
    compare("run-bridge.command", command, exact=False)
    compare("run-bridge.monitor", monitor, exact=False)
