"""firkin: the container stack as a library. ``import firkin`` costs nothing; names load on first use.

    with firkin.run("host", ["python3", "-c", "print(6*7)"], network="none", memory="64m") as c:
        c.wait()
        print(c.logs().decode())

Names: run, create, containers, images, volumes (of the default engine), Engine, Container, Image, errors.
See firkin.sdk for what each does.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin import errors
    from firkin.sdk.collections import Containers, Images, Volumes
    from firkin.sdk.container import Container
    from firkin.sdk.engine import Engine
    from firkin.sdk.image import Image

    run = Engine().run
    create = Engine().create
    containers: Containers
    images: Images
    volumes: Volumes

__version__ = "0.1.0"
__all__ = [
    "Container",
    "Engine",
    "Image",
    "__version__",
    "containers",
    "create",
    "errors",
    "images",
    "run",
    "volumes",
]

_OF_ENGINE = ("run", "create", "containers", "images", "volumes")
_HOMES = {"Engine": "engine", "Container": "container", "Image": "image"}


def __getattr__(name: str) -> object:
    if name in _OF_ENGINE:
        from firkin.sdk.engine import default_engine

        return getattr(default_engine(), name)
    if name == "errors":  # "from firkin import errors" would ask here again
        __import__("firkin.errors")
        return sys.modules["firkin.errors"]
    if name in _HOMES:
        module_name = f"firkin.sdk.{_HOMES[name]}"
        __import__(module_name)
        return getattr(sys.modules[module_name], name)
    raise AttributeError(f"module 'firkin' has no attribute {name!r}")


class _Package(type(sys)):  # type: ignore[misc]  # a module's class, made at run time
    """``firkin.images`` is the collection for people and a room's folder for the import system.

    The import of firkin.images.store sets the attribute "images" of this package to the folder; a property with a
    setter that does nothing keeps the collection there. Our own code names the room in full (from firkin.images.x).
    """

    @property
    def images(self) -> object:
        return __getattr__("images")

    @images.setter
    def images(self, folder: object) -> None:
        pass


sys.modules[__name__].__class__ = _Package


def __dir__() -> list[str]:
    return sorted(__all__)
