"""The door: a template's text and data in, text out."""

from __future__ import annotations

from firkin.cli.template.evaluate import evaluate
from firkin.cli.template.functions import FUNCTIONS
from firkin.cli.template.parse import parse
from firkin.cli.template.values import GoMap, Method, compact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_UNCHANGED = ("join", "json", "lower", "pad", "split", "title", "truncate", "upper")


def compiled(source: str) -> Callable[[object], str]:
    """Return a function of the data. Raises BadTemplate at once for a bad ``source``."""
    parsed = parse(source, FUNCTIONS)
    return lambda data: evaluate(parsed, data)


def render_one(form: str, data: object) -> str:
    """Return what ``--format FORM`` prints for one object: ``json`` or a template, and the line's end."""
    return f"{compact(data) if form == 'json' else compiled(form)(data)}\n"


def header(source: str, headings: Mapping[str, str]) -> str:
    """Return the heading line of ``table SOURCE``: functions leave a column's name as it is."""
    from firkin.cli.template.functions import Function

    names = {name: Function(lambda text, *_: text, "any", 1) for name in _UNCHANGED}
    return evaluate(
        parse(source, FUNCTIONS), GoMap({**headings, "Label": Method(_label)}), {**FUNCTIONS, **names}
    )


def _label(name: str) -> str:
    return name.rpartition(".")[2].replace("-", " ").replace("_", " ")
