"""_sqlite3 is loaded without functools' following, and nobody else notices."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[3] / "src"


def run(code: str) -> str:
    head = f"import sys; sys.path.append({str(SOURCE)!r})\n"
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", head + code], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def test_neither_functools_nor_collections_is_loaded_and_statements_are_cached():
    said = run("""
from firkin.db.sqlite import connect
connection = connect(":memory:", cached_statements=2)
for number in (1, 2, 3, 1, 2, 3, 3):
    assert connection.execute(f"select {number}").fetchone() == (number,)
print("functools" in sys.modules, "collections" in sys.modules)
""")
    assert said == "False False"


def test_functools_and_sqlite3_are_whole_afterwards():
    said = run("""
from firkin.db.sqlite import connect
import functools, sqlite3
print(functools.reduce(lambda a, b: a + b, [1, 2]), sqlite3.connect(":memory:").execute("select 2").fetchone())
""")
    assert said == "3 (2,)"


def test_a_program_that_has_functools_keeps_it():
    said = run("""
import functools
from firkin.db.sqlite import connect
print(sys.modules["functools"] is functools, connect(":memory:").execute("select 1").fetchone())
""")
    assert said == "True (1,)"
