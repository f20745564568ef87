from __future__ import annotations

import multiprocessing
import os

import pytest

from firkin import config
from firkin.errors import Internal


def paths(tmp_path):
    return config.locate(str(tmp_path / "root"), str(tmp_path / "run"), {})


def test_roots_come_from_argument_then_environment_then_default():
    environ = {"FIRKIN_ROOT": "/x/root", "FIRKIN_RUN_ROOT": "/x/run"}
    assert config.locate("/a", "/b", environ).root == "/a"
    assert config.locate(None, None, environ).run_root == "/x/run"
    assert config.locate(None, None, {}).root == config.DEFAULT_ROOT
    assert config.locate(None, None, {}).run_root == config.DEFAULT_RUN_ROOT


def test_two_roots_never_share_a_run_root_by_accident():
    one, other = config.locate("/a/b", None, {}), config.locate("/a/c", None, {})
    assert len({one.run_root, other.run_root, config.DEFAULT_RUN_ROOT}) == 3


def test_identity_is_made_once_and_lasts(tmp_path):
    first = config.load(paths(tmp_path))
    assert config.load(paths(tmp_path)) == first
    assert len(first.engine_id) == 8
    assert os.listdir(first.paths.tmp) == []


def test_run_root_comes_back_after_a_boot(tmp_path):
    first = config.load(paths(tmp_path))
    os.rename(first.paths.run_root, tmp_path / "gone")
    config.load(paths(tmp_path))
    assert os.path.isdir(first.paths.locks)


def _identity(folder, queue):
    queue.put(config.load(config.locate(f"{folder}/root", f"{folder}/run", {})).engine_id)


def test_sixteen_founders_agree(tmp_path):
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    workers = [context.Process(target=_identity, args=(str(tmp_path), queue)) for _ in range(16)]
    for worker in workers:
        worker.start()
    found = {queue.get(timeout=30) for _ in workers}
    for worker in workers:
        worker.join()
    assert len(found) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", '{"id": 5}', '{"id": "12345678", "settings": []}'])
def test_damaged_identity_is_named(tmp_path, text):
    where = config.load(paths(tmp_path)).paths
    with open(where.engine_json, "w") as stream:
        stream.write(text)
    with pytest.raises(Internal, match=r"engine\.json is damaged"):
        config.load(where)
