"""Lets the tests here use the BPF interpreter of the unit tests and the engines of the e2e tests."""

from __future__ import annotations

import sys
from pathlib import Path

_TESTS = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(_TESTS / "unit/runtime"), str(_TESTS / "e2e")]
