"""What a parsed template is made of. ``text`` is the source as Go prints it in messages, ``at`` its offset."""

from __future__ import annotations

from firkin.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Node(Record):
    at: int
    text: str = ""


class Text(Node):
    """Literal text between actions (``text`` itself)."""


class Constant(Node):
    value: Any


class Nil(Node):
    pass


class Dot(Node):
    pass


class Field(Node):
    """``.A.B``: fields of dot."""

    names: tuple[str, ...]


class Variable(Node):
    """``$x.A.B``."""

    name: str
    names: tuple[str, ...] = ()


class Function(Node):
    name: str


class Chain(Node):
    """``(pipeline).A.B``."""

    operand: Node
    names: tuple[str, ...]


class Command(Node):
    """A function or value, and its arguments."""

    operands: tuple[Node, ...]


class Pipe(Node):
    """``$a, $b := command | command``; ``assign`` is for ``=`` instead of ``:=``."""

    commands: tuple[Command, ...]
    variables: tuple[str, ...] = ()
    assign: bool = False


class Action(Node):
    pipe: Pipe


class Branch(Node):
    """if, with or range."""

    word: str
    pipe: Pipe
    body: tuple[Node, ...]
    other: tuple[Node, ...]


class Leave(Node):
    """break or continue."""

    word: str


class Template(Node):
    """``{{template "name" pipeline}}``."""

    name: str
    pipe: Pipe | None
