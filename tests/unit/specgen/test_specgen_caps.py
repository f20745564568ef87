"""Which capabilities a container gets."""

from __future__ import annotations

import pytest

from firkin.errors import InvalidArgument, PermissionDenied
from firkin.specgen.caps import DEFAULT, NAMES, choose

LACKING = tuple(name for name in NAMES if name != "CAP_SYS_RESOURCE")


def test_the_default_is_dockers_fourteen() -> None:
    assert len(DEFAULT) == 14
    assert choose((), ()) == DEFAULT
    assert choose((), (), held=LACKING) == DEFAULT


@pytest.mark.parametrize(
    ("add", "drop", "names"),
    [
        (("net_admin",), (), {*DEFAULT, "CAP_NET_ADMIN"}),
        (("CAP_NET_ADMIN", "chown"), (), {*DEFAULT, "CAP_NET_ADMIN"}),
        ((), ("chown",), set(DEFAULT) - {"CAP_CHOWN"}),
        ((), ("all",), set()),
        (("chown",), ("ALL",), {"CAP_CHOWN"}),
        (("all",), ("chown",), set(NAMES) - {"CAP_CHOWN"}),
        (("ALL",), (), set(NAMES)),
    ],
)
def test_adding_and_dropping(add: tuple[str, ...], drop: tuple[str, ...], names: set[str]) -> None:
    found = choose(add, drop)
    assert set(found) == names
    assert len(found) == len(names)


def test_privileged_is_all_that_the_caller_has() -> None:
    assert choose((), ("all",), privileged=True) == NAMES
    assert choose((), (), privileged=True, held=LACKING) == LACKING
    assert choose(("all",), (), held=LACKING) == LACKING
    assert choose((), (), privileged=True, last_cap=37) == NAMES[:38]


def test_what_the_caller_lacks_cannot_be_added() -> None:
    with pytest.raises(PermissionDenied, match="cannot add capability CAP_SYS_RESOURCE"):
        choose(("sys_resource",), (), held=LACKING)
    assert "CAP_CHOWN" not in choose((), (), held=("CAP_KILL",))


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(InvalidArgument, match='invalid capability: "CAP_FOO"'):
        choose(("foo",), ())
