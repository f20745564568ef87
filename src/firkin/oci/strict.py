"""JSON from strangers: bounded in size, depth and number of values, no duplicates, and a typed cursor.

    node = parse(data, "manifest.json")        # InvalidArgument: not JSON, too large, too deep, a key twice, NaN
    node["config"]["Env"].strings()            # InvalidArgument: manifest.json: config.Env[2]: expected a string, ...

Absent and null are the same, as in Go's decoder, which wrote nearly all of these files.
"""

from __future__ import annotations

from firkin.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, NoReturn

MAX_BYTES = 8 << 20
MAX_DEPTH = 32
MAX_VALUES = 250_000
MAX_INT = (1 << 63) - 1
_MAX_DIGITS = 20


class BadMetadata(InvalidArgument):
    """A file of an image is not what its format says; fields: file, field, expected."""

    def __init__(self, file: str, field: str, expected: str, found: str = "") -> None:
        place = f"{file}: {field}" if field else file
        tail = f", found {found}" if found else ""
        super().__init__(f"{place}: expected {expected}{tail}", file=file, field=field, expected=expected)


def parse(data: bytes, file: str) -> Node:
    """Return the document's root. Raises BadMetadata, which names ``file``."""
    if len(data) > MAX_BYTES:
        raise BadMetadata(file, "", f"at most {MAX_BYTES >> 20} MiB of JSON", f"{len(data)} bytes")
    # Each value but the first follows one of these; so this bounds memory before anything is built.
    if data.count(b",") + data.count(b"[") + data.count(b"{") > MAX_VALUES:
        raise BadMetadata(file, "", f"at most {MAX_VALUES} values")
    return Node(_decode(data, file), file, "")


def _decode(data: bytes, file: str) -> Any:  # noqa: ANN401 - JSON is anything
    import json

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(items)
        if len(made) != len(items):
            names = [name for name, _ in items]
            twice = next(name for name in names if names.count(name) > 1)
            raise BadMetadata(file, shown(twice), "each key once", "it twice")
        return made

    def integer(text: str) -> int:
        if len(text) > _MAX_DIGITS or not -MAX_INT <= int(text) <= MAX_INT:
            raise BadMetadata(file, "", "integers below 2^63", shown(text))
        return int(text)

    def constant(text: str) -> NoReturn:
        raise BadMetadata(file, "", "numbers as RFC 8259 has them", text)

    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadMetadata(file, "", "UTF-8", f"byte {data[error.start]:#04x} at {error.start}") from None
    try:
        value = json.loads(text, object_pairs_hook=pairs, parse_int=integer, parse_constant=constant)
    except RecursionError:
        raise BadMetadata(file, "", f"at most {MAX_DEPTH} levels") from None
    except ValueError as error:
        raise BadMetadata(file, "", "JSON", f"{error}") from None
    _check_depth(value, file)
    return value


def _check_depth(value: object, file: str) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        below: list[object] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        if not below:
            return
        level = below
    raise BadMetadata(file, "", f"at most {MAX_DEPTH} levels")


def shown(text: str, limit: int = 60) -> str:
    """Return ``text`` quoted, cut and free of control characters, fit for a message."""
    cut = text if len(text) <= limit else text[:limit] + "..."
    return ascii(cut)


def _kind(value: object) -> str:
    names: dict[type, str] = {bool: "a boolean", int: "an integer", float: "a fraction", str: "a string",
                              list: "an array", dict: "an object", type(None): "null"}  # fmt: skip
    return names.get(type(value), "something else")


class Node:
    """A value with its place in the file; the methods check and give the plain value."""

    def __init__(self, value: Any, file: str, field: str) -> None:  # noqa: ANN401 - JSON is anything
        self.value = value
        self.file = file
        self.field = field

    @property
    def present(self) -> bool:
        return self.value is not None

    def fail(self, expected: str, found: str | None = None) -> NoReturn:
        """Raise BadMetadata about this value."""
        raise BadMetadata(self.file, self.field, expected, _kind(self.value) if found is None else found)

    def object(self) -> dict[str, Any]:
        if self.value is None:
            return {}
        if not isinstance(self.value, dict):
            self.fail("an object")
        return self.value

    def __getitem__(self, key: str) -> Node:
        return Node(self.object().get(key), self.file, f"{self.field}.{key}" if self.field else key)

    def items(self) -> Iterator[Node]:
        """Yield the elements of an array."""
        if self.value is None:
            return
        if not isinstance(self.value, list):
            self.fail("an array")
        for index, item in enumerate(self.value):
            yield Node(item, self.file, f"{self.field}[{index}]")

    def string(self, default: str = "") -> str:
        """Return text without NUL and without lone surrogates (it must be able to leave as UTF-8)."""
        if self.value is None:
            return default
        if not isinstance(self.value, str):
            self.fail("a string")
        if "\0" in self.value:
            self.fail("a string without NUL", shown(self.value))
        if not self.value.isascii():
            try:
                self.value.encode()
            except UnicodeEncodeError:
                self.fail("valid Unicode", shown(self.value))
        return self.value

    def required(self) -> str:
        text = self.string()
        if not text:
            self.fail("a string that is not empty", None if self.present else "nothing")
        return text

    def strings(self) -> tuple[str, ...] | None:
        if self.value is None:
            return None
        out = []
        for item in self.items():
            if item.value is None:
                item.fail("a string")
            out.append(item.string())
        return tuple(out)

    def integer(self, default: int = 0, least: int = 0) -> int:
        if self.value is None:
            return default
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            self.fail("an integer")
        if self.value < least:
            self.fail(f"an integer of at least {least}", str(self.value))
        return self.value

    def boolean(self) -> bool:
        if self.value is None:
            return False
        if not isinstance(self.value, bool):
            self.fail("true or false")
        return self.value

    def string_map(self) -> dict[str, str]:
        out = {}
        for key in self.object():
            Node(key, self.file, f"{self.field} key").string()
            out[key] = self[key].string()
        return out

    def keys(self) -> tuple[str, ...]:
        """Return the keys of an object used as a set (``{"80/tcp": {}}``)."""
        out = []
        for key, value in self.object().items():
            if value is not None and value != {}:
                self[key].fail("an empty object")
            out.append(Node(key, self.file, f"{self.field} key").string())
        return tuple(out)
