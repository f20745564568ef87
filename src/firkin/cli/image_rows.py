"""Rows of ``firkin images``: one for each name of an image, filtered as docker filters. Pure."""

from __future__ import annotations

from firkin import ids, units
from firkin.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from firkin.images.image import Image

HEADINGS = {
    "Repository": "REPOSITORY",
    "Tag": "TAG",
    "Digest": "DIGEST",
    "ID": "IMAGE ID",
    "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT",
    "Size": "SIZE",
    "Containers": "CONTAINERS",
    "SharedSize": "SHARED SIZE",
    "UniqueSize": "UNIQUE SIZE",
    "VirtualSize": "SIZE",
}
COLUMNS = ("Repository", "Tag", "ID", "CreatedSince", "Size")
WITH_DIGESTS = ("Repository", "Tag", "Digest", "ID", "CreatedSince", "Size")
FILTERS = ("before", "dangling", "label", "reference", "since", "until")
NONE = "<none>"


def rows(
    images: Iterable[Image], now: float, *, no_trunc: bool = False, digests: bool = False
) -> list[dict[str, str]]:
    """Return the placeholders of each name (``now`` in seconds)."""
    found = []
    for image in images:
        common = _common(image, now, no_trunc)
        by_digest = {}
        for one in image.digests:
            repository, _, digest = one.partition("@")
            by_digest[repository] = digest
        for name in image.references or (NONE,):
            repository, tag = split(name)
            digest = by_digest.get(repository, NONE)
            found.append(
                {"Repository": repository, "Tag": tag, "Digest": digest if digests else NONE, **common}
            )
    return found


def split(name: str) -> tuple[str, str]:
    """Return (repository, tag): the colon after the last slash parts them."""
    repository, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        return name, NONE
    return repository, tag


def _common(image: Image, now: float, no_trunc: bool) -> dict[str, str]:
    seconds = image.created_ns / 1e9
    return {
        "ID": image.id if no_trunc else ids.short(image.id),
        "CreatedSince": f"{units.human_duration(now - seconds)} ago" if seconds else "N/A",
        "CreatedAt": stamp(seconds) if seconds else "N/A",
        "Size": units.human_size(image.size, 3),
        "VirtualSize": units.human_size(image.size, 3),
        "Containers": "N/A",
        "SharedSize": "N/A",
        "UniqueSize": "N/A",
    }


def stamp(seconds: float) -> str:
    """Return a time as Go prints it: ``2026-11-24 12:00:00 +0000 UTC``."""
    import time

    return time.strftime("%Y-%m-%d %H:%M:%S %z %Z", time.localtime(seconds))


def chosen(images: Sequence[Image], filters: Mapping[str, Sequence[str]], pattern: str = "") -> list[Image]:
    """Return the images that fit all filters (each name's values are alternatives). Raises InvalidArgument."""
    for name in filters:
        if name not in FILTERS:
            raise InvalidArgument(f"invalid filter '{name}'", hint=f"use one of {', '.join(FILTERS)}")
    found = list(images)
    for name in ("before", "since"):
        for value in filters.get(name, ()):
            pivot = _pivot(images, value)
            found = [
                i for i in found if (i.created_ns < pivot) == (name == "before") and i.created_ns != pivot
            ]
    for value in filters.get("dangling", ()):
        wanted = _truth("dangling", value)
        found = [image for image in found if image.dangling == wanted]
    for value in filters.get("label", ()):
        found = [image for image in found if _labelled(image, value)]
    for value in filters.get("until", ()):
        from firkin.cli.moment import moment

        limit = moment(value, "until")
        found = [image for image in found if image.created_ns < limit]
    patterns = [*filters.get("reference", ()), *([pattern] if pattern else [])]
    return _named(found, patterns) if patterns else found


def _named(images: Iterable[Image], patterns: Sequence[str]) -> list[Image]:
    """Keep the names that fit; an image without one is left out."""
    found = []
    for image in images:
        names = tuple(name for name in image.references if any(fits(name, pattern) for pattern in patterns))
        if names:
            found.append(image.replace(references=names))
    return found


def fits(name: str, pattern: str) -> bool:
    """Say whether a reference fits docker's pattern: ``*`` stops at a slash; without a tag, any tag fits."""
    from fnmatch import fnmatchcase

    pattern = pattern.removeprefix("docker.io/").removeprefix("library/")
    repository, tag = split(name)
    subject = name if split(pattern)[1] != NONE else repository
    del tag
    if subject.count("/") != pattern.count("/"):
        return False
    return all(fnmatchcase(a, b) for a, b in zip(subject.split("/"), pattern.split("/"), strict=True))


def _pivot(images: Iterable[Image], value: str) -> int:
    for image in images:
        if value in image.references or f"{value}:latest" in image.references:
            return image.created_ns
        if ids.is_hex(value.removeprefix("sha256:")) and image.id.startswith(
            f"sha256:{value.removeprefix('sha256:')}"
        ):
            return image.created_ns
    raise InvalidArgument(f"no such image: {value}", hint="firkin images lists them")


def _truth(name: str, value: str) -> bool:
    if value.lower() in ("1", "true", "t"):
        return True
    if value.lower() in ("0", "false", "f"):
        return False
    raise InvalidArgument(f"invalid filter '{name}={value}'", hint="use true or false")


def _labelled(image: Image, wanted: str) -> bool:
    labels: Mapping[str, Any] = image.config.labels or {}
    name, equals, value = wanted.partition("=")
    return name in labels and (not equals or labels[name] == value)
