"""Names of commands and the module that holds each; a module is imported only when its command is wanted.

The value is ``module`` or ``module:ATTRIBUTE`` below firkin.cli.commands. In a group, the first name that leads to
a command is the one that help shows; the others are aliases.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.cli.command import Command

COMMON = ("run", "exec", "ps", "images", "version", "info")

TOP: dict[str, str] = {
    "run": "run",
    "exec": "exec",
    "ps": "ps",
    "images": "images",
    "version": "version",
    "info": "info",
    "attach": "attach",
    "completion": "completion",
    "create": "create",
    "diff": "diff",
    "doctor": "doctor",
    "explain": "explain",
    "history": "history",
    "import": "import_",
    "inspect": "inspect",
    "kill": "kill",
    "load": "load",
    "logs": "logs",
    "rename": "rename",
    "restart": "restart",
    "rm": "rm",
    "rmi": "rmi",
    "start": "start",
    "stop": "stop",
    "tag": "tag",
    "top": "top",
    "wait": "wait",
}

_CONTAINER = {
    "attach": "attach",
    "create": "create",
    "diff": "diff",
    "exec": "exec",
    "explain": "explain",
    "inspect": "inspect:CONTAINER",
    "kill": "kill",
    "logs": "logs",
    "ls": "ps",
    "list": "ps",
    "ps": "ps",
    "prune": "prune:CONTAINERS",
    "rename": "rename",
    "restart": "restart",
    "rm": "rm",
    "remove": "rm",
    "run": "run",
    "start": "start",
    "stop": "stop",
    "top": "top",
    "wait": "wait",
}
_IMAGE = {
    "history": "history",
    "import": "import_",
    "inspect": "inspect:IMAGE",
    "load": "load",
    "ls": "images",
    "list": "images",
    "prune": "prune:IMAGES",
    "rm": "rmi",
    "remove": "rmi",
    "tag": "tag",
}
_SYSTEM = {"info": "info"}
_VOLUME = {
    "create": "volume:CREATE",
    "inspect": "volume:INSPECT",
    "ls": "volume:LIST",
    "list": "volume:LIST",
    "prune": "prune:VOLUMES",
    "rm": "volume:REMOVE",
    "remove": "volume:REMOVE",
}

GROUPS: dict[str, tuple[str, dict[str, str]]] = {
    "container": ("Manage containers", _CONTAINER),
    "image": ("Manage images", _IMAGE),
    "system": ("Manage firkin", _SYSTEM),
    "volume": ("Manage volumes", _VOLUME),
}


def load(place: str) -> Command:
    """Import the command that an entry of the tables names."""
    module, _, attribute = place.partition(":")
    path = f"firkin.cli.commands.{module}"
    __import__(path)  # importlib's own function would first import warnings
    found: Command = getattr(sys.modules[path], attribute or "COMMAND")
    return found


def canonical(table: dict[str, str]) -> dict[str, str]:
    """Return ``table`` without aliases."""
    seen: set[str] = set()
    return {name: place for name, place in table.items() if not (place in seen or seen.add(place))}  # type: ignore[func-returns-value]  # add says None: first of its kind
