"""--network, by itself: `run` has it often, and the other parsers, which it needs not, take a millisecond to load."""

from __future__ import annotations

from firkin.errors import InvalidArgument


def parse_network(text: str) -> str:
    """Return the network mode: bridge (also "default"), none, host, container:NAME or a network's name."""
    if text in ("", "default"):
        return "bridge"
    if text == "container:":
        raise InvalidArgument(
            "invalid container format container:<name|id>", hint="name the container: container:web"
        )
    return text
