"""The shape of the tree: small rooms, empty __init__ files, no drawers for odds and ends, nothing heavy on the way in."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parents[2] / "src/firkin"
FILES = sorted(SRC.rglob("*.py"))
MOST_LINES, MOST_OF_A_FUNCTION = 400, 60
# Tables of data have the length that the world gives them.
TABLES = {"syscalls.py", "nr.py", "seccomp_default.py", "create_flags.py", "options.py"}
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc", "base", "manager"}


def lines(path: Path) -> int:
    return len(path.read_text().splitlines())


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SRC)))
def test_rooms_are_small(path):
    if path.name not in TABLES:
        assert lines(path) <= MOST_LINES, "look for the missing room"
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= MOST_OF_A_FUNCTION, f"{node.name} has {length} lines"


def test_median_and_spread():
    sizes = sorted(lines(path) for path in FILES if lines(path) > 5)
    assert sizes[len(sizes) // 2] <= 160
    assert sum(size <= 440 for size in sizes) / len(sizes) >= 0.9


def test_folders_have_empty_init_files():
    for path in SRC.rglob("__init__.py"):
        if path.parent != SRC:
            assert path.read_text().strip() == "", f"{path} is not empty"


def test_no_drawers():
    assert not [path for path in FILES if path.stem in DRAWERS or path.parent.name in DRAWERS]


def test_every_module_says_what_it_is_for():
    missing = [
        str(path.relative_to(SRC))
        for path in FILES
        if path.name != "__init__.py" and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert missing == []


def test_test_files_have_names_of_their_own():
    """pytest imports by base name: two files of one name in folders without __init__.py cannot run together."""
    tests = Path(__file__).resolve().parents[1]
    names = [path.name for path in tests.rglob("*.py") if not (path.parent / "__init__.py").exists()]
    names = [name for name in names if name != "conftest.py"]
    assert sorted({name for name in names if names.count(name) > 1}) == []
