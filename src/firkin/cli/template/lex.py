"""Text of a Go template -> tokens: literal text, and the words between ``{{`` and ``}}``.

Source: Go's text/template/parse/lex.go. A token is (kind, text, offset); the kinds are one word each:

    text  open  close  space  field  variable  word  dot  string  char  number  pipe  declare  assign  comma
    lparen  rparen  eof
"""

from __future__ import annotations

from firkin.errors import InvalidArgument

Token = tuple[str, str, int]

_SPACE = " \t\r\n"
_SIGNS = {"|": "pipe", "(": "lparen", ")": "rparen", ",": "comma", "=": "assign"}


class BadTemplate(InvalidArgument):
    """The template cannot be read or carried out."""


def fail(source: str, offset: int, message: str) -> BadTemplate:
    """Return the error of Go's parser for ``offset`` of ``source``."""
    line = source.count("\n", 0, offset) + 1
    return BadTemplate(f"template parsing error: template: :{line}: {message}")


def tokens(source: str) -> list[Token]:
    """Return the tokens of ``source``. Raises BadTemplate."""
    found: list[Token] = []
    position = 0
    while True:
        start = source.find("{{", position)
        if start < 0:
            _add_text(found, source[position:], position)
            found.append(("eof", "", len(source)))
            return found
        text = source[position:start]
        inside = start + 2
        if source.startswith("- ", inside) or source[inside : inside + 2] in ("-\t", "-\n", "-\r"):
            text = text.rstrip(_SPACE)
            inside += 1
        _add_text(found, text, position)
        bare = inside + len(source[inside:]) - len(source[inside:].lstrip(_SPACE))
        if source.startswith("/*", inside) or source.startswith("/*", bare):
            position = _comment(source, inside)
            continue
        found.append(("open", "{{", start))
        position = _action(source, inside, found)


def _add_text(found: list[Token], text: str, offset: int) -> None:
    if text:
        found.append(("text", text, offset))


def _close(source: str, at: int) -> int | None:
    """Return the offset after ``}}`` (and after the space that ``-}}`` eats) if the action ends at ``at``."""
    if source.startswith("}}", at):
        return at + 2
    if source[at : at + 1] in _SPACE and source[at : at + 1]:
        after = at + len(source[at:]) - len(source[at:].lstrip(_SPACE))
        if source.startswith("-}}", after):
            after += 3
            return after + len(source[after:]) - len(source[after:].lstrip(_SPACE))
    return None


def _comment(source: str, at: int) -> int:
    end = source.find("*/", at)
    if end < 0:
        raise fail(source, at, "unclosed comment")
    after = _close(source, end + 2)
    if after is None:
        raise fail(source, at, "comment ends before closing delimiter")
    return after


def _action(source: str, at: int, found: list[Token]) -> int:
    depth = 0
    while True:
        after = _close(source, at)
        if after is not None:
            if depth:
                raise fail(source, at, "unclosed left paren")
            found.append(("close", source[at:after], at))
            return after
        if at >= len(source):
            raise fail(source, at, "unclosed action")
        token = _token(source, at)
        kind = token[0]
        depth += (kind == "lparen") - (kind == "rparen")
        if depth < 0:
            raise fail(source, at, "unexpected right paren")
        found.append(token)
        at += len(token[1])


def _token(source: str, at: int) -> Token:
    sign = source[at]
    if sign in _SPACE:
        rest = source[at:]
        return ("space", rest[: len(rest) - len(rest.lstrip(_SPACE))], at)
    if sign in "\"'`":
        return _quoted(source, at)
    if source.startswith(":=", at):
        return ("declare", ":=", at)
    if sign in _SIGNS:
        return (_SIGNS[sign], sign, at)
    if sign == "$":
        return ("variable", _name(source, at), at)
    if sign == "." and not source[at + 1 : at + 2].isdigit():
        name = _name(source, at)
        return ("dot" if name == "." else "field", name, at)
    if sign.isdigit() or sign == "." or (sign in "+-" and source[at + 1 : at + 2].isdigit()):
        return _number(source, at)
    if sign.isalpha() or sign == "_":
        return ("word", _name(source, at), at)
    raise fail(source, at, f"unexpected bad character U+{ord(sign):04X} '{sign}' in command"
               if sign not in "}{" else f"bad character U+{ord(sign):04X} '{sign}'")  # fmt: skip


def _name(source: str, at: int) -> str:
    end = at + 1
    while end < len(source) and (source[end].isalnum() or source[end] == "_"):
        end += 1
    return source[at:end]


def _number(source: str, at: int) -> Token:
    end = at + 1
    while end < len(source) and (
        source[end].isalnum() or source[end] in "._" or (source[end] in "+-" and source[end - 1] in "eEpP")
    ):
        end += 1
    return ("number", source[at:end], at)


def _quoted(source: str, at: int) -> Token:
    quote, end = source[at], at + 1
    what = {'"': "quoted string", "`": "raw quoted string", "'": "character constant"}[quote]
    while end < len(source):
        if source[end] == quote:
            return ("char" if quote == "'" else "string", source[at : end + 1], at)
        end += 2 if source[end] == "\\" and quote != "`" else 1
    raise fail(source, at, f"unterminated {what}")
