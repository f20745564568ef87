"""Volumes as docker's JSON has them, and who has them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from firkin.storage.volumes import Volume


def users(engine: Any, name: str) -> list[str]:  # noqa: ANN401
    """Return the names of the containers, running or not, that have the volume."""
    from firkin.engine.listing import ps

    return [str(one.placeholders()["Names"]) for one in ps(engine, all=True, filters={"volume": [name]})]


def describe(volume: Volume) -> dict[str, Any]:
    """Return docker's JSON of a volume."""
    from firkin.units import rfc3339

    return {
        "CreatedAt": rfc3339(volume.created_ns // 1_000_000_000 * 1_000_000_000),
        "Driver": volume.driver,
        "Labels": volume.labels or None,
        "Mountpoint": volume.mountpoint,
        "Name": volume.name,
        "Options": volume.options or None,
        "Scope": "local",
    }
