"""user[:group] and --group-add by libcontainer's rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firkin.errors import InvalidArgument
from firkin.specgen.users import User, additional, resolve

PASSWD = b"""\
root:x:0:0:root:/root:/bin/sh

# a comment
web:x:33:34::/var/www:
bad:x:zz:0::/bad:
42:x:7:8:numeric name:/seven:
short:x:9:9
"""
GROUP = b"""\
root:x:0:
web:x:34:
audio:x:29:web,root
video:x:44:root,web
broken:x:yy:web
12:x:99:
"""


@pytest.mark.parametrize(
    ("text", "user"),
    [
        ("", User(uid=0, gid=0, groups=(29, 44), home="/root")),
        ("root", User(uid=0, gid=0, groups=(29, 44), home="/root")),
        ("0", User(uid=0, gid=0, groups=(29, 44), home="/root")),
        ("web", User(uid=33, gid=34, groups=(29, 44), home="/var/www")),
        ("33", User(uid=33, gid=34, groups=(29, 44), home="/var/www")),
        ("web:video", User(uid=33, gid=44, home="/var/www")),
        ("web:12", User(uid=33, gid=12, home="/var/www")),
        ("web:777", User(uid=33, gid=777, home="/var/www")),
        ("1000", User(uid=1000, gid=0, home="/")),
        ("1000:1001", User(uid=1000, gid=1001, home="/")),
        (":video", User(uid=0, gid=44, home="/root")),
        ("42", User(uid=42, gid=0, home="/")),  # a number is an id, never a name
        ("short", User(uid=9, gid=9, home="/")),
    ],
)
def test_a_user_is_found(text: str, user: User) -> None:
    assert resolve(text, PASSWD, GROUP) == user


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nobody", "unable to find user nobody: no matching entries in passwd file"),
        ("bad", "unable to find user bad: no matching entries in passwd file"),
        ("web:nogroup", "unable to find group nogroup: no matching entries in group file"),
        ("web:broken", "unable to find group broken: no matching entries in group file"),
        ("-1", "uids and gids must be in range 0-2147483647"),
        ("2147483648", "uids and gids must be in range 0-2147483647"),
        ("0:4294967295", "uids and gids must be in range 0-2147483647"),
    ],
)
def test_an_unknown_user_is_refused_with_dockers_words(text: str, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        resolve(text, PASSWD, GROUP)
    assert caught.value.message == message


def test_an_image_without_passwd_knows_numbers_only() -> None:
    assert resolve("", None, None) == User(uid=0, gid=0, home="/")
    assert resolve("5:6", None, None) == User(uid=5, gid=6, home="/")
    with pytest.raises(InvalidArgument, match="unable to find user root"):
        resolve("root", None, None)


def test_groups_are_added_by_name_and_by_number() -> None:
    assert additional((), GROUP) == ()
    assert additional(("video", "5", "audio", "29"), GROUP) == (5, 29, 44)
    assert additional(("12",), GROUP) == (99,)  # a group's name comes before a number
    with pytest.raises(
        InvalidArgument, match="unable to find group nogroup: no matching entries in group file"
    ):
        additional(("nogroup",), GROUP)


@given(st.text(max_size=20), st.binary(max_size=60), st.binary(max_size=60))
def test_hostile_files_never_make_root_of_a_name(text: str, passwd: bytes, group: bytes) -> None:
    try:
        user = resolve(text, passwd, group)
    except InvalidArgument:
        return
    assert 0 <= user.uid < 1 << 64
