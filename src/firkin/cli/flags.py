"""Flags as Docker's users type them (the pflag library's grammar), read by a command's table.

-itd   -eFOO=1   -e FOO=1   -e=FOO=1   --flag=value   --flag value   --bool   --bool=false   --   -
"""

from __future__ import annotations

import sys

from firkin.errors import FirkinError, InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from firkin.cli.command import FlagRow


class HelpWanted(Exception):
    """--help was typed."""


class BadFlag(InvalidArgument):
    """What was typed is not in the command's table; exit code 125 and the usage line."""


def _bool(text: str) -> bool:
    if text in ("1", "t", "T", "true", "TRUE", "True"):
        return True
    if text in ("0", "f", "F", "false", "FALSE", "False"):
        return False
    raise InvalidArgument("not a boolean, use true or false")


def _int(text: str) -> int:
    try:
        return int(text, 0) if text[:1] != "0" else int(text)
    except ValueError:
        pass
    try:
        return int(text, 0)
    except ValueError:
        raise InvalidArgument("not a whole number") from None


def _uint(text: str) -> int:
    value = _int(text)
    if value < 0:
        raise InvalidArgument("not a whole number from 0")
    return value


def _uint16(text: str) -> int:
    value = _uint(text)
    if value > 0xFFFF:
        raise InvalidArgument("value out of range, at most 65535")
    return value


def _bytes(text: str) -> int:
    if text.strip() == "-1":  # --memory-swap -1: without a limit
        return -1
    from firkin.units import parse_size

    return parse_size(text)


def _duration(text: str) -> int:
    from firkin.units import parse_duration

    return parse_duration(text)


def _text(text: str) -> str:
    return text


def _csv(text: str) -> list[str]:
    return text.split(",") if text else []


def _pair(text: str) -> str:
    if "=" not in text:
        raise InvalidArgument(f"{text} must be formatted as key=value", hint="write it like name=value")
    return text


def _filter(text: str) -> str:
    if "=" not in text:
        raise InvalidArgument("bad format of filter (expected name=value)")
    name, _, value = text.partition("=")
    return f"{name.strip().lower()}={value.strip()}"


SCALARS: dict[str, Callable[[str], Any]] = {
    "bool": _bool, "string": _text, "int": _int, "uint": _uint, "uint16": _uint16, "bytes": _bytes,
    "decimal": _text, "duration": _duration, "gpu-request": _text,
}  # fmt: skip
LISTS: dict[str, Callable[[str], Any]] = {
    "list": _text, "strings": _csv, "map": _pair, "filter": _filter, "mount": _text, "network": _text, "ulimit": _text,
}  # fmt: skip


def parse(
    rows: Sequence[FlagRow],
    argv: Sequence[str],
    *,
    interspersed: bool = True,
    readers: Mapping[str, str] | None = None,
) -> tuple[dict[str, Any], list[str]]:
    """Return (values of the flags that were typed, the other words). Lists gather, scalars keep the last.

    ``readers`` names, by a flag's long name, the ``module:function`` of firkin that turns one text into a value; it
    is imported only when the flag is there. Raises HelpWanted and BadFlag.
    """
    return _Parser(rows, interspersed, readers or {}).parse(list(argv))


class _Parser:
    def __init__(self, rows: Sequence[FlagRow], interspersed: bool, readers: Mapping[str, str]) -> None:
        self._long = {row[0]: row for row in rows}
        self._short = {row[1]: row for row in rows if row[1]}
        self._interspersed = interspersed
        self._readers = readers
        self._values: dict[str, Any] = {}

    def parse(self, rest: list[str]) -> tuple[dict[str, Any], list[str]]:
        words: list[str] = []
        rest.reverse()  # a stack: the next word is its top
        while rest:
            word = rest.pop()
            if len(word) < 2 or word[0] != "-":
                words.append(word)
                if not self._interspersed:
                    break
            elif word == "--":
                break
            elif word[1] == "-":
                self._long_flag(word, rest)
            else:
                self._short_flags(word, rest)
        words.extend(reversed(rest))
        return self._values, words

    def _long_flag(self, word: str, rest: list[str]) -> None:
        name, equals, value = word[2:].partition("=")
        if not name or name[0] == "-":
            raise BadFlag(f"bad flag syntax: {word}")
        if name == "help":
            raise HelpWanted
        row = self._long.get(name)
        if row is None:
            raise BadFlag(f"unknown flag: --{name}")
        if not equals:
            if row[2] == "bool":
                value = "true"
            elif rest:
                value = rest.pop()
            else:
                raise BadFlag(f"flag needs an argument: --{name}")
        self._set(row, value)

    def _short_flags(self, word: str, rest: list[str]) -> None:
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            row = self._short.get(letter)
            if row is None:
                if letter == "h":
                    raise HelpWanted
                raise BadFlag(f"unknown shorthand flag: '{letter}' in {word}")
            if letters[:1] == "=" and len(letters) > 1:
                value, letters = letters[1:], ""
            elif row[2] == "bool":
                value = "true"
            elif letters:
                value, letters = letters, ""
            elif rest:
                value = rest.pop()
            else:
                raise BadFlag(f"flag needs an argument: '{letter}' in {word}")
            self._set(row, value)

    def _set(self, row: FlagRow, text: str) -> None:
        name, short, kind = row[:3]
        try:
            place = self._readers.get(name)
            scalar = SCALARS.get(kind)
            read = _imported(place) if place else scalar or LISTS[kind]
            if scalar is not None:
                self._values[name] = read(text)
            elif kind == "strings":
                self._values.setdefault(name, []).extend(read(text))
            else:
                self._values.setdefault(name, []).append(read(text))
        except FirkinError as error:
            shown = f"-{short}, --{name}" if short else f"--{name}"
            raise BadFlag(f'invalid argument "{text}" for "{shown}" flag: {error}') from error


def _imported(place: str) -> Callable[[str], Any]:
    module, _, function = place.partition(":")
    path = f"firkin.{module}"
    __import__(path)
    found: Callable[[str], Any] = getattr(sys.modules[path], function)
    return found
