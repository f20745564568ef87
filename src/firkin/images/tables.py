"""The rows of images: the only SQL of this room.

    images        one a configuration; ``config`` is checked and normalised (oci.image.ImageConfig.trusted reads it)
    image_layers  its layers, base first: diff id (unpacked) and blob (as it came)
    image_blobs   what else it holds in the content store: configuration, manifest
    tags          canonical name (docker.io/library/busybox:latest) -> image; also of the built-in host
    digests       repository and manifest digest -> image

``removed`` is set when a stopped container still needs an image that was removed by force: no listing and no name
shows it, its full id does, and the next sweep without that container deletes it.
"""

from __future__ import annotations

from firkin.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from firkin.db.connection import Database, Row

SCHEMA = """
create table if not exists images (
    id text primary key,
    config text not null,
    created_ns integer not null,
    loaded_ns integer not null,
    size integer not null,
    manifest text not null,
    base integer not null default 0,
    removed integer not null default 0
) without rowid;
create table if not exists image_layers (
    image text not null references images (id) on delete cascade,
    position integer not null,
    diff_id text not null,
    size integer not null,
    blob text not null,
    blob_size integer not null,
    media_type text not null,
    primary key (image, position)
) without rowid;
create index if not exists image_layers_diff_id on image_layers (diff_id);
create index if not exists image_layers_blob on image_layers (blob);
create table if not exists image_blobs (
    image text not null references images (id) on delete cascade,
    digest text not null,
    kind text not null,
    size integer not null,
    primary key (image, digest)
) without rowid;
create table if not exists tags (
    name text primary key,
    image text not null,
    tagged_ns integer not null
) without rowid;
create index if not exists tags_image on tags (image);
create table if not exists digests (
    repository text not null,
    digest text not null,
    image text not null references images (id) on delete cascade,
    primary key (repository, digest)
) without rowid;
create index if not exists digests_image on digests (image);
"""

_IMAGE = """
select i.id, i.config, i.size, i.created_ns, i.loaded_ns, i.manifest, i.base,
    (select group_concat(name, ' ') from (select name from tags where image = i.id order by name)),
    (select group_concat(repository || '@' || digest, ' ') from digests where image = i.id)
from"""


class ImageRow(Record):
    """One image as stored; ``names`` and ``digests`` are canonical, ``base`` is the lowest layer that can be seen."""

    id: str
    config: str
    size: int
    created_ns: int
    loaded_ns: int
    manifest: str
    names: tuple[str, ...]
    digests: tuple[str, ...]
    base: int = 0


class LayerRow(Record):
    """One layer of one image."""

    diff_id: str
    size: int
    blob: str
    blob_size: int
    media_type: str


class BlobRow(Record):
    digest: str
    kind: str
    size: int


def _image(row: Row) -> ImageRow:
    return ImageRow(
        id=row[0], config=row[1], size=row[2], created_ns=row[3], loaded_ns=row[4], manifest=row[5], base=row[6],
        names=tuple(row[7].split(" ")) if row[7] else (), digests=tuple(row[8].split(" ")) if row[8] else (),
    )  # fmt: skip


def any_removed(db: Database) -> bool:
    """Say whether an image waits for its last container to go; asked after each, so it needs no ImageTable."""
    return db.row("select 1 from images where removed limit 1") is not None


class ImageTable:
    """Queries by name; writes belong in the caller's transaction."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def by_name(self, name: str) -> ImageRow | None:
        row = self.db.row(f"{_IMAGE} tags t join images i on i.id = t.image where t.name = ?", (name,))
        return _image(row) if row else None

    def by_id(self, identifier: str) -> ImageRow | None:
        row = self.db.row(f"{_IMAGE} images i where i.id = ?", (identifier,))
        return _image(row) if row else None

    def by_digest(self, repository: str, digest: str) -> ImageRow | None:
        sql = f"{_IMAGE} digests d join images i on i.id = d.image where d.repository = ? and d.digest = ?"
        row = self.db.row(sql, (repository, digest))
        return _image(row) if row else None

    def by_prefix(self, prefix: str) -> list[ImageRow]:
        """Return those whose id begins with ``prefix`` (``sha256:ab``); 'g' sorts after all digits."""
        sql = f"{_IMAGE} images i where i.id >= ? and i.id < ? and not i.removed limit 6"
        return [_image(row) for row in self.db.rows(sql, (prefix, prefix + "g"))]

    def all(self) -> list[ImageRow]:
        """Return all that are not removed, newest first."""
        sql = f"{_IMAGE} images i where not i.removed order by i.created_ns desc, i.id"
        return [_image(row) for row in self.db.rows(sql)]

    def names(self) -> list[tuple[str, str]]:
        """Return all (canonical name, image id)."""
        return [(row[0], row[1]) for row in self.db.rows("select name, image from tags order by name")]

    def tagged(self, name: str) -> str | None:
        """Return the id that ``name`` leads to."""
        row = self.db.row("select image from tags where name = ?", (name,))
        return str(row[0]) if row else None

    def names_of(self, identifier: str) -> tuple[str, ...]:
        sql = "select name from tags where image = ? order by name"
        return tuple(row[0] for row in self.db.rows(sql, (identifier,)))

    def last_tagged(self, identifier: str) -> int:
        row = self.db.row("select max(tagged_ns) from tags where image = ?", (identifier,))
        return int(row[0]) if row and row[0] else 0

    def layers(self, identifier: str) -> tuple[LayerRow, ...]:
        """Return the layers, base first."""
        sql = ("select diff_id, size, blob, blob_size, media_type from image_layers"
               " where image = ? order by position")  # fmt: skip
        return tuple(
            LayerRow(diff_id=row[0], size=row[1], blob=row[2], blob_size=row[3], media_type=row[4])
            for row in self.db.rows(sql, (identifier,))
        )

    def layer_uses(self) -> list[tuple[str, str, int]]:
        """Return (image, diff id, size) of all images that are listed."""
        sql = ("select distinct l.image, l.diff_id, l.size from image_layers l"
               " join images i on i.id = l.image where not i.removed")  # fmt: skip
        return [(row[0], row[1], row[2]) for row in self.db.rows(sql)]

    def blobs(self, identifier: str) -> tuple[BlobRow, ...]:
        sql = "select digest, kind, size from image_blobs where image = ?"
        rows = self.db.rows(sql, (identifier,))
        return tuple(BlobRow(digest=row[0], kind=row[1], size=row[2]) for row in rows)

    def known_pairs(self) -> set[tuple[str, str]]:
        """Return the (diff id, blob) that were proven to be the same layer."""
        return {(row[0], row[1]) for row in self.db.rows("select distinct diff_id, blob from image_layers")}

    def held_layers(self) -> set[str]:
        """Return the diff ids that any image needs, removed ones included."""
        return {row[0] for row in self.db.rows("select distinct diff_id from image_layers")}

    def held_blobs(self) -> set[str]:
        """Return the digests that any image needs."""
        sql = "select blob from image_layers union select digest from image_blobs"
        return {row[0] for row in self.db.rows(sql)}

    def removed(self) -> list[str]:
        return [row[0] for row in self.db.rows("select id from images where removed")]

    def insert(self, row: ImageRow, layers: Sequence[LayerRow], blobs: Sequence[BlobRow]) -> None:
        """Add an image (one that was there is left as it is, but wanted again)."""
        added = self.db.execute(
            "insert into images (id, config, created_ns, loaded_ns, size, manifest, base) values (?, ?, ?, ?, ?, ?, ?)"
            " on conflict (id) do nothing",
            (row.id, row.config, row.created_ns, row.loaded_ns, row.size, row.manifest, row.base),
        )
        if not added:
            self.db.execute("update images set removed = 0 where id = ? and removed", (row.id,))
            # The same layers compressed in another way: its manifest names these blobs.
            blobs = (*blobs, *(BlobRow(digest=one.blob, kind="layer", size=one.blob_size) for one in layers))
        else:
            for position, layer in enumerate(layers):
                self.db.execute(
                    "insert into image_layers values (?, ?, ?, ?, ?, ?, ?)",
                    (
                        row.id,
                        position,
                        layer.diff_id,
                        layer.size,
                        layer.blob,
                        layer.blob_size,
                        layer.media_type,
                    ),
                )
        for blob in blobs:
            self.db.execute(
                "insert into image_blobs values (?, ?, ?, ?) on conflict do nothing",
                (row.id, blob.digest, blob.kind, blob.size),
            )

    def tag(self, name: str, identifier: str, now_ns: int) -> None:
        """Point ``name`` at the image, away from whatever had it."""
        self.db.execute(
            "insert into tags values (?, ?, ?)"
            " on conflict (name) do update set image = excluded.image, tagged_ns = excluded.tagged_ns",
            (name, identifier, now_ns),
        )

    def untag(self, name: str) -> bool:
        return self.db.execute("delete from tags where name = ?", (name,)) > 0

    def add_digest(self, repository: str, digest: str, identifier: str) -> None:
        self.db.execute(
            "insert into digests values (?, ?, ?) on conflict do update set image = excluded.image",
            (repository, digest, identifier),
        )

    def drop_digests(self, identifier: str, repository: str | None = None) -> list[str]:
        """Forget digests (of one repository, or all); return them as ``repository@digest``."""
        rows = self.db.rows(
            "select repository, digest from digests where image = ? and repository = coalesce(?, repository)",
            (identifier, repository),
        )
        self.db.execute(
            "delete from digests where image = ? and repository = coalesce(?, repository)",
            (identifier, repository),
        )
        return [f"{row[0]}@{row[1]}" for row in rows]

    def mark_removed(self, identifier: str) -> None:
        self.db.execute("update images set removed = 1 where id = ?", (identifier,))

    def delete(self, identifier: str) -> None:
        """Forget an image, its layers' rows, blobs' rows, names and digests."""
        self.db.execute("delete from tags where image = ?", (identifier,))
        self.db.execute("delete from images where id = ?", (identifier,))
