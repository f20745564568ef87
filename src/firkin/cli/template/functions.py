"""Functions that a template may call: Go's built-in ones and those that Docker adds.

A function that refuses raises Refused; the evaluator tells where.
"""

from __future__ import annotations

from firkin.cli.template.values import GoMap, NoValue, compact, kind, show, show_float, true

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Refused(Exception):
    """The arguments make no sense together."""


class Function:
    """``types`` says what each argument must be; the last one repeats when ``least`` is smaller than their number."""

    def __init__(self, call: Callable[..., Any], types: str, least: int | None = None) -> None:
        self.call = call
        self.types = types.split()
        self.least = len(self.types) if least is None else least
        self.variadic = least is not None


def _index(value: Any, *keys: Any) -> Any:  # noqa: ANN401
    for key in keys:
        if isinstance(value, GoMap):
            value = value.get(key, "")  # Go gives the zero value, and Docker's maps hold strings mostly
        elif isinstance(value, dict):
            if key not in value:
                raise Refused(f"can't index item of type struct with {key!r}".replace("'", '"'))
            value = value[key]
        elif isinstance(value, list | tuple | str):
            if isinstance(key, bool) or not isinstance(key, int):
                raise Refused(f"cannot index slice/array with type {kind(key)}")
            if not 0 <= key < len(value):
                raise Refused(f"index out of range: {key}")
            value = ord(value[key]) if isinstance(value, str) else value[key]
        elif value is None or isinstance(value, NoValue):
            raise Refused("index of untyped nil")
        else:
            raise Refused(f"can't index item of type {kind(value)}")
    return value


def _slice(value: Any, *bounds: int) -> Any:  # noqa: ANN401
    if not isinstance(value, list | tuple | str):
        raise Refused(f"can't slice item of type {kind(value)}")
    for bound in bounds:
        if not 0 <= bound <= len(value):
            raise Refused(f"index out of range: {bound}")
    return value[slice(*bounds)] if len(bounds) > 1 else value[bounds[0] if bounds else 0 :]


def _len(value: Any) -> int:  # noqa: ANN401
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogateescape"))
    if isinstance(value, list | tuple | dict):
        return len(value)
    if value is None or isinstance(value, NoValue):
        raise Refused("len of nil pointer")
    raise Refused(f"len of type {kind(value)}")


def _same(left: object, right: object) -> bool:
    if left is None or right is None or isinstance(left, NoValue) or isinstance(right, NoValue):
        return left is right or (not true(left) and not true(right) and type(left) is type(right))
    if kind(left) != kind(right):
        raise Refused("incompatible types for comparison")
    return left == right


def _eq(first: object, *others: object) -> bool:
    if not others:
        raise Refused("missing argument for comparison")
    return any(_same(first, other) for other in others)


def _less(left: Any, right: Any) -> bool:  # noqa: ANN401
    if kind(left) != kind(right):
        raise Refused("incompatible types for comparison")
    if not isinstance(left, int | float | str) or isinstance(left, bool):
        raise Refused("invalid type for comparison")
    return bool(left < right)


def _print(*values: object) -> str:
    found = ""
    for at, value in enumerate(values):
        if at and not isinstance(value, str) and not isinstance(values[at - 1], str):
            found += " "
        found += show(value, inner=True)
    return found


def _pad(source: str, before: int, after: int) -> str:
    return " " * before + source + " " * after if source else source


def _title(text: str) -> str:
    found, previous = [], " "
    for letter in text:
        found.append(letter if previous.isalnum() or previous in "_'" else letter.title())
        previous = letter
    return "".join(found)


def _html(*values: object) -> str:
    text = _print(*values)
    for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&#34;"), ("'", "&#39;")):
        text = text.replace(sign, entity)
    return text


def _js(*values: object) -> str:
    text = _print(*values)
    for sign, escape in (("\\", "\\\\"), ("'", "\\'"), ('"', '\\"'), ("<", "\\u003C"), (">", "\\u003E"),
                         ("&", "\\u0026"), ("=", "\\u003D"), ("\n", "\\u000A"), ("\r", "\\u000D")):  # fmt: skip
        text = text.replace(sign, escape)
    return text


def _urlquery(*values: object) -> str:
    from urllib.parse import quote_plus

    return quote_plus(_print(*values), safe="")


def _join(items: Any, separator: str) -> str:  # noqa: ANN401
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
        raise Refused(f"expected []string; found {show(items)}")
    return separator.join(items)


def printf(form: str, *values: object) -> str:
    """Go's fmt.Sprintf, for the verbs that make sense in a template: v s d q x X o b t f g e c T %."""
    found, at, used = [], 0, 0
    while at < len(form):
        start = form.find("%", at)
        if start < 0:
            break
        found.append(form[at:start])
        end = start + 1
        while end < len(form) and form[end] in "+-# 0123456789.*":
            end += 1
        flags, verb = form[start + 1 : end], form[end : end + 1]
        at = end + 1
        if verb == "%":
            found.append("%")
            continue
        while "*" in flags and used < len(values):
            flags = flags.replace("*", str(values[used]), 1)
            used += 1
        if not verb:
            found.append("%!(NOVERB)")
        elif used >= len(values):
            found.append(f"%!{verb}(MISSING)")
        else:
            found.append(_verb(flags, verb, values[used]))
            used += 1
    found.append(form[at:])
    if used < len(values):
        extra = ", ".join(f"{kind(value)}={show(value, inner=True)}" for value in values[used:])
        found.append(f"%!(EXTRA {extra})")
    return "".join(found)


def _verb(flags: str, verb: str, value: object) -> str:
    text = _converted(flags, verb, value)
    if text is None:
        return f"%!{verb}({kind(value)}={show(value, inner=True)})"
    width = flags.lstrip("+-# 0").partition(".")[0]
    if not width:
        return text
    if "-" in flags:
        return text.ljust(int(width))
    zero = "0" in flags[: len(flags) - len(flags.lstrip("+-# 0"))] and not isinstance(value, str)
    return text.zfill(int(width)) if zero else text.rjust(int(width))


def _converted(flags: str, verb: str, value: object) -> str | None:
    _, dot, digits = flags.partition(".")
    precision = int(digits or 0) if dot else None
    whole = isinstance(value, int) and not isinstance(value, bool)
    text: str | None = None
    if verb in ("v", "s") and not (verb == "s" and isinstance(value, int | float)):
        text = show(value, inner=True)
        if isinstance(value, str) and precision is not None:
            text = text[:precision]
    elif verb == "q" and isinstance(value, str):
        from firkin.cli.output import to_json

        text = to_json(value)
    elif verb == "T":
        text = kind(value)
    elif verb == "t" and isinstance(value, bool):
        text = show(value)
    elif verb in "xX" and isinstance(value, str):
        text = value.encode().hex()
        text = text.upper() if verb == "X" else text
    elif verb == "c" and whole:
        text = chr(int(value))  # type: ignore[call-overload]  # the template's values are objects
    elif verb in "dxXob" and whole:
        text = format(
            value, f"{'+' if '+' in flags else ''}{'#' if '#' in flags and verb in 'xXo' else ''}{verb}"
        )
    elif verb in "feEgG" and isinstance(value, float):
        shortest = verb == "g" and precision is None
        text = show_float(value) if shortest else f"{value:.{6 if precision is None else precision}{verb}}"
    return text


FUNCTIONS: dict[str, Function] = {
    # Go's
    "eq": Function(_eq, "any any", 1),
    "ne": Function(lambda left, right: not _same(left, right), "any any"),
    "lt": Function(_less, "any any"),
    "le": Function(lambda left, right: not _less(right, left), "any any"),
    "gt": Function(lambda left, right: _less(right, left), "any any"),
    "ge": Function(lambda left, right: not _less(left, right), "any any"),
    "html": Function(_html, "any", 0),
    "index": Function(_index, "any any", 1),
    "js": Function(_js, "any", 0),
    "len": Function(_len, "any"),
    "not": Function(lambda value: not true(value), "any"),
    "print": Function(_print, "any", 0),
    "printf": Function(printf, "string any", 1),
    "println": Function(lambda *values: " ".join(show(v, inner=True) for v in values) + "\n", "any", 0),
    "slice": Function(_slice, "any int", 1),
    "urlquery": Function(_urlquery, "any", 0),
    # these two are carried out by the evaluator, which stops at the first argument that decides
    "and": Function(lambda *values: values[-1], "any", 1),
    "or": Function(lambda *values: values[-1], "any", 1),
    # Docker's
    "join": Function(_join, "any string"),
    "json": Function(compact, "any"),
    "lower": Function(str.lower, "string"),
    "pad": Function(_pad, "string int int"),
    "split": Function(lambda text, sep: text.split(sep) if sep else list(text), "string string"),
    "title": Function(_title, "string"),
    "truncate": Function(lambda text, size: text[:size], "string int"),
    "upper": Function(str.upper, "string"),
}
