"""An image store of its own for each test."""

from __future__ import annotations

import os
import shutil

import imagestore
import pytest


@pytest.fixture
def home():
    path = f"/var/tmp/firkin-test-images-{os.getpid()}-{os.urandom(3).hex()}"
    os.mkdir(path)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def store(home):
    made = imagestore.open_store(home)
    yield made
    made.db.close()
