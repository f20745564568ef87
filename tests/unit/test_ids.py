from __future__ import annotations

import pytest

from firkin import ids
from firkin.errors import InvalidArgument


def test_new_ids_are_64_hex_digits_and_differ():
    one, other = ids.new_id(), ids.new_id()
    assert one != other
    assert len(one) == 64
    assert ids.is_hex(one)
    assert not ids.short(one).isdigit()


def test_short_drops_the_algorithm():
    assert ids.short("sha256:" + "ab" * 32) == "ab" * 6


@pytest.mark.parametrize("name", ["web", "/web", "a1", "A.b-c_d", "0a"])
def test_good_names(name):
    assert ids.check_name(name) == name.removeprefix("/")


@pytest.mark.parametrize("name", ["", "a", "-a", ".hidden", "a b", "a/b", "é1", "a\n", "x" * 254])
def test_bad_names(name):
    with pytest.raises(InvalidArgument):
        ids.check_name(name)
