"""``firkin history``: the steps that made an image, newest first, with docker's fields."""

from __future__ import annotations

from firkin.images.resolve import display, find
from firkin.oci.image import ImageConfig
from firkin.oci.times import parse_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from firkin.images.shelf import Shelf

MISSING = "<missing>"


def history(store: Shelf, text: str) -> list[dict[str, Any]]:
    """Return Id, Created (seconds since the epoch), CreatedBy, Tags, Size, Comment of each step.

    Only the newest step has the image's id; the others' images are not here, as after a pull. A layer without a step
    (a configuration without history) gets one, so that the sizes always add up. ``DiffId`` is "" for a step that made
    no layer.
    """
    found = find(store.table, text)
    if isinstance(found, str):
        image = store.image(found)
        step = _step(image.id, 0, "", "built into firkin", 0, "")
        return [{**step, "Tags": list(image.references)}]
    config = ImageConfig.trusted(found.config)
    layers = list(store.table.layers(found.id))
    steps: list[dict[str, Any]] = []
    for entry in config.history:
        layer = layers.pop(0) if layers and not entry.get("empty_layer") else None
        seconds = (parse_time(entry.get("created") or "") or 0) // 1_000_000_000
        size, diff_id = (layer.size, layer.diff_id) if layer else (0, "")
        by, comment = entry.get("created_by") or "", entry.get("comment") or ""
        steps.append(_step(MISSING, seconds, by, comment, size, diff_id))
    created = found.created_ns // 1_000_000_000
    steps += [_step(MISSING, created, "", "", layer.size, layer.diff_id) for layer in layers]
    if not steps:
        steps = [_step(MISSING, created, "", config.comment, 0, "")]
    steps[-1]["Id"] = found.id
    steps[-1]["Tags"] = [display(name) for name in found.names] or None
    return steps[::-1]


def _step(identifier: str, created: int, by: str, comment: str, size: int, diff_id: str) -> dict[str, Any]:
    return {"Id": identifier, "Created": created, "CreatedBy": by, "Tags": None, "Size": size, "Comment": comment,
            "DiffId": diff_id}  # fmt: skip
