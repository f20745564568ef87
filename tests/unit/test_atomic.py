from __future__ import annotations

import os

import pytest

from firkin import atomic


def test_replaces_whole_and_sets_the_mode(tmp_path):
    path = str(tmp_path / "f")
    atomic.write(path, "old")
    atomic.write(path, b"new", mode=0o640, durable=True)
    assert atomic.read_text(path) == "new"
    assert os.stat(path).st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["f"]


def test_failure_keeps_the_old_file_and_leaves_no_temporary(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    (path / "child").write_text("x")
    with pytest.raises(OSError, match="directory"):
        atomic.write(str(path), "new")
    assert os.listdir(tmp_path) == ["folder"]


def test_missing_file_reads_as_none(tmp_path):
    assert atomic.read_text(str(tmp_path / "none")) is None
