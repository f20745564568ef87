"""firkin's own finder: takes exactly what importlib would take, and leaves everything else to it."""

from __future__ import annotations

import compileall
import os
import py_compile
import subprocess
import sys

import pytest

from firkin.importing import Finder


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "firkin"
    (folder / "room").mkdir(parents=True)
    for name, text in (("room/__init__.py", ""), ("room/noun.py", "VALUE = 42\n")):
        (folder / name).write_text(text)
        py_compile.compile(folder / name)
    return folder


def test_finds_a_module_with_its_code(home):
    spec = Finder(str(home)).find_spec("firkin.room.noun")
    assert spec is not None
    assert spec.origin == str(home / "room/noun.py")
    assert spec.submodule_search_locations is None
    assert spec.has_location
    assert spec.loader is not None
    module = type(sys)("firkin.room.noun")
    module.__spec__ = spec
    spec.loader.exec_module(module)
    assert module.VALUE == 42


def test_finds_a_package(home):
    spec = Finder(str(home)).find_spec("firkin.room")
    assert spec is not None
    assert spec.submodule_search_locations == [str(home / "room")]
    assert spec.origin == str(home / "room/__init__.py")


def test_leaves_a_source_that_has_changed(home):
    source = home / "room/noun.py"
    stamp = source.stat().st_mtime_ns
    source.write_text("VALUE = 4_2\n")  # another size
    os.utime(source, ns=(stamp, stamp))
    assert Finder(str(home)).find_spec("firkin.room.noun") is None
    source.write_text("VALUE = 43\n")  # the same size, another time
    os.utime(source, ns=(stamp + 10**9, stamp + 10**9))
    assert Finder(str(home)).find_spec("firkin.room.noun") is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(path.read_bytes()[:12]),
        lambda path: path.write_bytes(b"another magic..." + path.read_bytes()[16:]),
        lambda path: path.write_bytes(path.read_bytes() + bytes(1 << 16)),
    ],
    ids=["missing", "cut off", "of another Python", "too long"],
)
def test_leaves_byte_code_that_is_not_as_expected(home, spoil):
    spoil(next((home / "room/__pycache__").glob("noun.*")))
    assert Finder(str(home)).find_spec("firkin.room.noun") is None


def test_leaves_byte_code_checked_by_hash_and_byte_code_without_source(home):
    source = home / "room/noun.py"
    py_compile.compile(source, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)
    assert Finder(str(home)).find_spec("firkin.room.noun") is None
    py_compile.compile(source, invalidation_mode=py_compile.PycInvalidationMode.TIMESTAMP)
    source.unlink()
    assert Finder(str(home)).find_spec("firkin.room.noun") is None


def test_leaves_others_alone(home):
    assert Finder(str(home)).find_spec("firkinroom") is None
    assert Finder(str(home)).find_spec("os") is None
    assert Finder(str(home)).find_spec("firkin") is None


def test_all_modules_are_what_importlib_finds():
    """In a process of its own: every module that both find has the same place, package or not."""
    tree = os.path.join(os.path.dirname(__file__), "../../src/firkin")
    assert compileall.compile_dir(tree, quiet=1)  # the finder takes compiled modules alone
    code = """
import sys
from importlib.machinery import PathFinder
import firkin
from firkin.importing import Finder
import os
home = os.path.dirname(firkin.__file__)
finder, seen = Finder(home), 0
for folder, _, files in os.walk(home):
    package = "firkin" + folder[len(home):].replace("/", ".")
    for file in files:
        name = package if file == "__init__.py" else f"{package}.{file[:-3]}"
        if not file.endswith(".py") or name == "firkin":
            continue
        ours = finder.find_spec(name)
        if ours is None:
            continue
        seen += 1
        theirs = PathFinder.find_spec(name, [os.path.dirname(folder) if file == "__init__.py" else folder])
        for field in ("name", "origin", "cached", "submodule_search_locations", "has_location", "parent"):
            assert getattr(ours, field) == getattr(theirs, field), (name, field)
print(seen)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) > 20
