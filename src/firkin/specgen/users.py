"""``user[:group]`` and --group-add against the image's own passwd and group files (libcontainer's GetExecUser).

name, or a number       -> uid, and the gid and home of its passwd entry
number without an entry -> that uid, gid 0, home /
:group                  -> replaces the gid; then no supplementary groups are taken from the group file
no group, entry found   -> all groups that list the user's name
"""

from __future__ import annotations

from firkin.errors import InvalidArgument
from firkin.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_ID = (1 << 31) - 1
DEFAULT_HOME = "/"


class User(Record):
    """Who the process is. ``groups`` are the supplementary ones, as found (the gid itself is not among them)."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    home: str = DEFAULT_HOME


def _entries(data: bytes | None, fields: int) -> Iterator[list[str]]:
    """Yield the lines of passwd or group, split and padded; damaged numbers make a line unusable, not 0."""
    for line in (data or b"").split(b"\n"):
        line = line.strip()
        if line and not line.startswith(b"#"):
            parts = line.decode("utf-8", "surrogateescape").split(":")
            yield parts + [""] * (fields - len(parts))


def _number(text: str) -> int | None:
    digits = text[1:] if text[:1] in ("+", "-") else text
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) < 20 else None


def _in_range(number: int, text: str) -> int:
    if not 0 <= number <= MAX_ID:
        raise InvalidArgument(
            f"uids and gids must be in range 0-{MAX_ID}", hint=f"{text} is not one", value=text
        )
    return number


def resolve(user: str, passwd: bytes | None, group: bytes | None) -> User:
    """Return the user of ``user[:group]`` ("" is root). Raises InvalidArgument when a name is in no file."""
    wanted, _, group_wanted = user.partition(":")
    number = _number(wanted) if wanted else 0
    name, uid, gid, home = "", 0, 0, DEFAULT_HOME
    for entry in _entries(passwd, 7):
        entry_uid, entry_gid = _number(entry[2]), _number(entry[3])
        if entry_uid is None or entry_gid is None:
            continue
        if entry_uid == number if number is not None else entry[0] == wanted:
            name, uid, gid, home = entry[0], entry_uid, entry_gid, entry[5] or DEFAULT_HOME
            break
    else:
        if number is None:
            raise InvalidArgument(
                f"unable to find user {wanted}: no matching entries in passwd file",
                hint="use a user of the image, or a number",
                user=wanted,
            )
        uid = _in_range(number, wanted)
    if group_wanted:
        return User(uid=uid, gid=_group_id(group_wanted, group), home=home)
    groups = _groups_of(name, group) if name else ()
    return User(uid=uid, gid=gid, groups=groups, home=home)


def _groups_of(name: str, group: bytes | None) -> tuple[int, ...]:
    found = []
    for entry in _entries(group, 4):
        gid = _number(entry[2])
        if gid is not None and name in entry[3].split(","):
            found.append(gid)
    return tuple(found)


def _group_id(wanted: str, group: bytes | None) -> int:
    number = _number(wanted)
    if number is not None:
        return _in_range(number, wanted)
    for entry in _entries(group, 4):
        gid = _number(entry[2])
        if gid is not None and entry[0] == wanted:
            return gid
    raise InvalidArgument(
        f"unable to find group {wanted}: no matching entries in group file",
        hint="use a group of the image, or a number",
        group=wanted,
    )


def additional(wanted: Sequence[str], group: bytes | None) -> tuple[int, ...]:
    """Return the gids of --group-add: names of the image's group file first, then numbers, ascending.

    Raises InvalidArgument for an unknown name.
    """
    if not wanted:
        return ()
    names: dict[str, int] = {}
    for entry in _entries(group, 4):
        gid = _number(entry[2])
        if gid is not None:
            names.setdefault(entry[0], gid)
    return tuple(sorted({names[text] if text in names else _group_id(text, None) for text in wanted}))
