"""docs/library.md does what it says; types are right; an installed firkin works without the source tree."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from e2e.target import REPO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from e2e.library.conftest import Lab

pytestmark = pytest.mark.only("firkin")
GUIDE = (REPO / "docs" / "library.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
TITLES = [re.findall(r"^## (.*)", GUIDE[: GUIDE.index(block)], re.MULTILINE)[-1] for block in BLOCKS]

SAMPLE = """
from collections.abc import Iterator

import firkin
from firkin.errors import CannotRun


def answer() -> int:
    try:
        with firkin.run("host", ["python3", "-c", "print(6*7)"], network="none", memory="64m", cpus=1.5) as c:
            code: int = c.wait(timeout=10)
            data: bytes = c.logs()
            chunks: Iterator[bytes] = c.logs(follow=True)
            ran = c.exec(["true"], stdin=b"".join(chunks) + data)
            return code + ran.exit_code
    except CannotRun as error:
        return error.exit_code


with firkin.Engine(root="/tmp/x") as engine:
    images: list[firkin.Image] = engine.images.load("x.tar")
    c: firkin.Container = engine.create(images[0], "true", ports={"80/tcp": 8080}, env={"A": "b"}, detach=True)
    c.stdin.write(b"x")
"""
WRONG = {
    'firkin.run("host", memry="64m")': 'Unexpected keyword argument "memry"',
    'firkin.run("host", tty="yes")': 'Argument "tty" has incompatible type',
    "firkin.run(5)": "incompatible type",
    'text: str = firkin.run("host").logs()': "Incompatible types in assignment",
}


@pytest.mark.parametrize("block", BLOCKS, ids=[f"{n}-{title[:20]}" for n, title in enumerate(TITLES)])
def test_the_guide(lab: Lab, block: str) -> None:
    lab.run(block)


def mypy(folder: Path, code: str) -> str:
    (folder / "sample.py").write_text(code)
    argv = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--cache-dir",
        str(REPO / ".mypy_cache" / "sample"),
        "sample.py",
    ]
    environ = {**os.environ, "MYPYPATH": str(REPO / "src")}
    return subprocess.run(argv, cwd=folder, env=environ, capture_output=True, text=True).stdout


def test_types(tmp_path: Path) -> None:
    assert "Success" in mypy(tmp_path, SAMPLE)
    said = mypy(tmp_path, "import firkin\n" + "\n".join(WRONG)).splitlines()
    assert len(said) == len(WRONG) + 1
    for line, words in zip(said, WRONG.values(), strict=False):
        assert re.search(words, line)


def test_keywords_are_the_options() -> None:
    from firkin.sdk.keywords import RunOptions
    from firkin.sdk.options import ALIASES, NOT_HERE
    from firkin.specgen.options import CreateOptions

    known = (set(CreateOptions._fields) | set(ALIASES)) - set(NOT_HERE) - {"image", "command"}
    assert set(RunOptions.__annotations__) == known


def test_installed(lab: Lab, tmp_path: Path) -> None:
    """pip install . into a directory of its own: library, py.typed, stubs and the launcher are there and work."""
    source = tmp_path / "source"
    listed = subprocess.run(["git", "-C", str(REPO), "ls-files", "-co", "--exclude-standard", "src", "bin", "pyproject.toml", "README.md"],
                            capture_output=True, text=True, check=True).stdout.split()  # fmt: skip
    for name in listed:
        if (REPO / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((REPO / name).read_bytes())
            (source / name).chmod((REPO / name).stat().st_mode)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    done = subprocess.run([sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", source],
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr
    environ = {k: v for k, v in lab.environ.items() if k != "PYTHONPATH"}
    code = (
        "import firkin, os; home = os.path.dirname(firkin.__file__); assert os.path.exists(home + '/py.typed')\n"
        "with firkin.run('busybox', ['sh', '-c', 'exit 3'], network='none') as c: print(c.wait(), home)"
    )
    done = subprocess.run([python, "-W", "error", "-c", code], env=environ, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"3 {tmp_path}/venv/")
    argv = [
        tmp_path / "venv" / "bin" / "firkin",
        "run",
        "--rm",
        "--network",
        "none",
        "busybox",
        "echo",
        "works",
    ]
    done = subprocess.run(argv, env=environ, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "works\n", "")
