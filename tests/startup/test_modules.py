"""What the start-up path loads: a module more is milliseconds more, in every command. Asserted, never timed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
MAIN = REPO / "src" / "firkin" / "__main__.py"
ARCHIVE = REPO.parent / "shared" / "images" / "busybox.docker.tar"

#: What the interpreter itself has loaded under -I -S, and the parts of the standard library that we allow ourselves.
ALLOWED = frozenset((
    "__future__", "_collections_abc", "_ctypes", "_json", "_locale", "_random", "_sha2", "_sha256", "_sha512", "_signal", "_socket", "_sqlite3",
    "_stat", "_struct", "_heapq", "abc", "_abc", "array", "atexit", "binascii", "codecs", "_codecs", "encodings", "errno", "fcntl",
    "gc", "genericpath", "io", "itertools", "math", "os", "posix", "posixpath", "resource", "select", "stat", "sys",
    "termios", "time", "zipimport", "zlib", "_io", "_thread", "_weakref", "_weakrefset", "marshal", "builtins", "site", "pwd",
    "encodings.aliases", "encodings.utf_8", "_frozen_importlib", "_frozen_importlib_external", "_imp", "_warnings", "winreg",
    "_bootlocale", "encodings.ascii", "encodings.latin_1", "syslog", "_posixsubprocess", "_multibytecodec",
))  # fmt: skip
#: _sqlite3 itself imports functools (for the cache of its statements), and that the others.
OF_SQLITE = frozenset((
    "functools", "_functools", "collections", "_collections", "keyword", "operator", "_operator", "reprlib", "types",
))  # fmt: skip
#: Rooms that have no business on the way of ``run``.
FOREIGN = ("firkin.sdk", "firkin.cli.template", "firkin.cli.usage", "firkin.cli.completion", "firkin.cli.listing",
           "firkin.images.load", "firkin.storage.unpack", "firkin.app.doctor", "firkin.engine.explain")  # fmt: skip


def modules(*words: str, root: str) -> set[str]:
    """Return the modules that ``firkin WORDS`` loads, in the command line's process and in what it forks."""
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-X", "importtime", str(MAIN), "--root", f"{root}/root", "--run-root", f"{root}/run", *words],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60,
    )  # fmt: skip
    lines = [line for line in ran.stderr.splitlines() if line.startswith("import time:")]
    told = [line for line in ran.stderr.splitlines() if not line.startswith("import time:")]
    assert ran.returncode == 0, told
    return {line.rpartition("|")[2].strip() for line in lines[1:]}


def check(found: set[str]) -> None:
    strange = {name for name in found if not name.startswith("firkin") and name not in ALLOWED | OF_SQLITE}
    assert not strange, f"the start-up path loads {sorted(strange)}"


@pytest.fixture(scope="module")
def root():
    if os.getuid() != 0 or not ARCHIVE.exists():
        pytest.skip("needs root and ../shared/images")
    with tempfile.TemporaryDirectory(prefix="firkin-test-startup-") as folder:
        subprocess.run(
            [sys.executable, "-I", "-S", str(MAIN), "--root", f"{folder}/root", "--run-root", f"{folder}/run", "load", "-i", str(ARCHIVE)],
            check=True, capture_output=True,
        )  # fmt: skip
        yield folder


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--rm", "--network", "none", "busybox", "true"),
        ("run", "--rm", "-e", "A=1", "-v", "/tmp:/mnt", "-m", "64m", "--network", "none", "busybox", "true"),
        ("ps",),
        ("ps", "-aq"),
        ("images",),
        ("version",),
    ],
    ids=" ".join,
)
def test_loads_nothing_heavy(root: str, words: tuple[str, ...]) -> None:
    check(modules(*words, root=root))


def test_run_on_the_bridge_loads_nothing_heavy_and_no_foreign_room(root: str) -> None:
    found = modules("run", "--rm", "busybox", "true", root=root)
    check(found)
    assert not {name for name in found if name.startswith(FOREIGN)}


def test_exec_loads_nothing_heavy(root: str) -> None:
    modules("run", "-d", "--network", "none", "--name", "startup", "busybox", "sleep", "60", root=root)
    try:
        check(modules("exec", "startup", "true", root=root))
    finally:
        modules("rm", "-f", "startup", root=root)
