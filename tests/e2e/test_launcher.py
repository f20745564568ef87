"""bin/firkin by itself: which interpreter it takes, and what it says where there is none."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

LAUNCHER = Path(__file__).resolve().parents[2] / "bin" / "firkin"


def launch(*words: str, program: Path = LAUNCHER, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "FIRKIN"))}
    return subprocess.run(
        [program, *words], env={**kept, **environ}, capture_output=True, text=True, cwd="/", check=False
    )


def test_no_interpreter_is_a_refusal_that_says_what_to_do() -> None:
    ran = launch("version", FIRKIN_PYTHON="/nonexistent/python")
    assert (ran.returncode, ran.stdout) == (125, "")
    assert "FIRKIN_PYTHON names /nonexistent/python" in ran.stderr
    assert "install python3" in ran.stderr


def test_python_variables_and_a_missing_path_do_not_matter(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('shadowed')")
    first, second = tmp_path / "one", tmp_path / "firkin"
    first.symlink_to(LAUNCHER)
    second.symlink_to("one")
    garbage = {"PYTHONPATH": str(tmp_path), "PYTHONHOME": "/nonexistent", "PATH": "/nonexistent"}
    ran = launch("--version", program=second, **garbage)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("firkin version ")


def test_a_launcher_without_its_package_says_so(tmp_path: Path) -> None:
    lonely = tmp_path / "firkin"
    lonely.write_bytes(LAUNCHER.read_bytes())
    lonely.chmod(0o755)
    ran = launch("version", program=lonely)
    assert ran.returncode == 125
    assert "install it again" in ran.stderr
