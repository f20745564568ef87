"""inspect of whatever kind: find each object, print what was found, tell what was not."""

from __future__ import annotations

from firkin.errors import FirkinError, InvalidArgument, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from firkin.cli.command import Call


def show(call: Call, kinds: tuple[str, ...], *, size: bool = False) -> int:
    """Print what was found of ``call.words``; what was not found is told after it, and gives 1."""
    from firkin.cli.complaint import sentences
    from firkin.cli.output import err, out
    from firkin.cli.session import PROGRAM

    found: list[dict[str, Any]] = []
    missing: list[str] = []
    for reference in call.words:
        try:
            found.append(_look(call.session.engine, reference, kinds, size))
        except FirkinError as error:
            missing.extend(sentences(error))
    try:
        out(render(call["format"], found))
    finally:
        err("".join(f"{PROGRAM}: {line}\n" for line in missing))
    return int(bool(missing))


def render(form: str, found: list[dict[str, Any]]) -> str:
    """Return the objects as docker prints them: indented by four, in one line, or by a template."""
    from firkin.cli.output import to_json

    if not form:
        return f"{to_json(found, 4)}\n"
    if form == "json":
        return f"{to_json(found)}\n"
    from firkin.cli.template.render import compiled

    template = compiled(form)
    return "".join(f"{template(one)}\n" for one in found)


def _look(engine: Any, reference: str, kinds: tuple[str, ...], size: bool) -> dict[str, Any]:  # noqa: ANN401
    readers: dict[str, Callable[[], dict[str, Any]]] = {
        "container": lambda: _container(engine, reference, size),
        "image": lambda: engine.images.inspect(reference),
        "volume": lambda: _volume(engine, reference),
    }
    refusal: FirkinError | None = None
    for kind in kinds:
        try:
            return readers[kind]()
        except (NotFound, InvalidArgument) as error:
            # The first kind's own words are the most telling, unless a later one found something wrong with the name.
            refusal = refusal or error
            if len(kinds) == 1:
                raise
    assert refusal is not None
    raise NotFound(f"No such object: {reference}", hint=refusal.hint)


def _container(engine: Any, reference: str, size: bool) -> dict[str, Any]:  # noqa: ANN401
    from firkin.engine.inspect import inspect

    found: dict[str, Any] = inspect(engine, reference, size=size)
    return found


def _volume(engine: Any, reference: str) -> dict[str, Any]:  # noqa: ANN401
    from firkin.cli.volumes import describe

    return describe(engine.volumes.get(reference))
