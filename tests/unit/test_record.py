from __future__ import annotations

import pytest

from firkin.record import Record


class Point(Record):
    x: int
    y: int = 0
    tags: tuple[str, ...] = ()
    extra: dict[str, int] = {}


class Named(Point):
    name: str


def test_defaults_equality_hash_and_repr():
    assert Point(x=1) == Point(x=1, y=0)
    assert Point(x=1) != Point(x=2)
    assert repr(Point(x=1)) == "Point(x=1, y=0, tags=(), extra={})"


def test_subclass_inherits_fields():
    assert Named(x=1, name="a").to_dict() == {"x": 1, "y": 0, "tags": [], "extra": {}, "name": "a"}


def test_missing_unknown_and_assignment_are_refused():
    with pytest.raises(TypeError, match="missing"):
        Point()
    with pytest.raises(TypeError, match="unknown"):
        Point(x=1, z=2)
    with pytest.raises(AttributeError, match="frozen"):
        Point(x=1).x = 2


def test_missing_and_unknown_together_are_refused():
    with pytest.raises(TypeError):
        Point(z=1)


def test_mutable_default_is_not_shared():
    one, other = Point(x=1), Point(x=1)
    one.extra["k"] = 1
    assert other.extra == {}


def test_replace_keeps_the_rest():
    assert Point(x=1, y=2).replace(x=5) == Point(x=5, y=2)
