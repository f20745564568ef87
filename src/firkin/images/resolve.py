"""A name, digest or beginning of an id -> one row. Docker's order: whole id, name, beginning of an id."""

from __future__ import annotations

from firkin.errors import InvalidArgument
from firkin.ids import is_hex, short
from firkin.images.image import AmbiguousImage, NoSuchImage
from firkin.oci import reference
from firkin.oci.digest import PREFIX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.images.tables import ImageRow, ImageTable

HOST_NAMES = ("host", "host:latest")
# "host" in ASCII, eight times: a constant that cannot be mistaken for the digest of anything.
HOST_ID = PREFIX + "686f7374" * 8


def find(table: ImageTable, text: str) -> ImageRow | str:
    """Return the row, or HOST_ID for the built-in image (by name, tag or id).

    Raises NoSuchImage with the nearest known name, AmbiguousImage listing the candidates, InvalidArgument for
    what can be neither a name nor an id.
    """
    if text in HOST_NAMES:
        return HOST_ID
    bare = text.removeprefix(PREFIX)
    if len(bare) == 64 and is_hex(bare):
        row = table.by_id(PREFIX + bare)
        if row is None and bare == HOST_ID[len(PREFIX) :]:
            return HOST_ID
        if row is None:
            raise NoSuchImage(f"No such image: {text}")
        return row
    found: ImageRow | str | None = None
    error: InvalidArgument | None = None
    if bare == text:
        try:
            found = _named(table, reference.parse(text))
        except InvalidArgument as wrong:
            error = wrong
    if found is None and is_hex(bare):
        found = _by_beginning(table, text, PREFIX + bare)
    if found is None:
        raise error or _missing(table, text)
    return found


def _by_beginning(table: ImageTable, text: str, prefix: str) -> ImageRow | str | None:
    rows: list[ImageRow | str] = list(table.by_prefix(prefix))
    if HOST_ID.startswith(prefix):
        rows.append(HOST_ID)
    if len(rows) > 1:
        raise _ambiguous(text, rows)
    return rows[0] if rows else None


def _named(table: ImageTable, ref: reference.Reference) -> ImageRow | str | None:
    if ref.digest is not None:
        row = table.by_digest(ref.repository, ref.digest)
        if row is None or ref.tag is None or ref.tagged in row.names:
            return row
        return None
    row = table.by_name(ref.tagged)
    if row is None and table.tagged(ref.tagged) == HOST_ID:
        return HOST_ID
    return row


def _ambiguous(text: str, rows: list[ImageRow | str]) -> AmbiguousImage:
    lines = []
    for row in rows[:5]:
        if isinstance(row, str):
            lines.append(f"{short(row)} (host)")
        else:
            names = ", ".join(map(display, row.names)) or "<none>"
            lines.append(f"{short(row.id)} ({names})")
    more = " and more" if len(rows) > 5 else ""
    return AmbiguousImage(
        f"{text} is the beginning of more than one image id: {'; '.join(lines)}{more}",
        hint="give more digits",
        candidates=", ".join(lines),
    )


def display(canonical: str) -> str:
    """Return a stored name as listings show it: familiar, unless that would mean the built-in ``host``."""
    short = reference.familiar(canonical)
    return canonical if short in HOST_NAMES else short


def _missing(table: ImageTable, text: str) -> NoSuchImage:
    from difflib import get_close_matches

    try:
        shown = reference.parse(text).familiar
    except InvalidArgument:
        shown = text
    known = sorted(
        {name for canonical, _ in table.names() for name in _spellings(canonical)} | set(HOST_NAMES)
    )
    # The names alone: ":latest" on both sides would make anything look alike.
    bare = {name.rpartition(":")[0] or name: name for name in known}
    wanted = shown.rpartition(":")[0] or shown
    close = get_close_matches(wanted, bare, n=1, cutoff=0.7)
    nearest = [name for name in known if name.startswith(f"{wanted}:")][:1] or [bare[name] for name in close]
    hint = f"did you mean {nearest[0]}?" if nearest else "firkin images lists them"
    return NoSuchImage(f"No such image: {shown}", hint=hint, nearest=nearest[0] if nearest else "")


def _spellings(canonical: str) -> tuple[str, str]:
    familiar = display(canonical)
    return familiar, familiar.removesuffix(":latest")
