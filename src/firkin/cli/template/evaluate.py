"""Nodes and data -> text. Source: Go's text/template/exec.go, with missingkey as Docker sets it."""

from __future__ import annotations

from firkin.cli.template import nodes
from firkin.cli.template.functions import FUNCTIONS, Refused
from firkin.cli.template.lex import BadTemplate
from firkin.cli.template.values import NO_VALUE, OPTIONAL, GoMap, Method, NoValue, kind, member, show, true

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from firkin.cli.template.functions import Function
    from firkin.cli.template.nodes import Node
    from firkin.cli.template.parse import Parsed

_DEPTH = 200
_NOTHING: Any = object()


class _Leave(Exception):
    """break or continue."""


def evaluate(parsed: Parsed, data: object, functions: dict[str, Function] = FUNCTIONS) -> str:
    """Return the text of ``parsed`` with ``data`` as its dot. Raises BadTemplate."""
    run = _Run(parsed, functions, data)
    run.walk(parsed.body, data)
    return "".join(run.found)


class _Run:
    def __init__(self, parsed: Parsed, functions: dict[str, Function], data: object) -> None:
        self._parsed = parsed
        self._functions = functions
        self._scope: list[tuple[str, Any]] = [("$", data)]
        self._depth = 0
        self.found: list[str] = []

    def _fail(self, node: Node, message: str) -> BadTemplate:
        before = self._parsed.source[: node.at]
        line = before.count("\n") + 1
        column = len(before.rpartition("\n")[2].encode())
        return BadTemplate(
            f'template parsing error: template: :{line}:{column}: executing "" at <{node.text}>: {message}'
        )

    # nodes

    def walk(self, body: Iterable[Node], dot: Any) -> None:  # noqa: ANN401
        for node in body:
            if isinstance(node, nodes.Text):
                self.found.append(node.text)
            elif isinstance(node, nodes.Action):
                value = self._pipe(node.pipe, dot)
                if not node.pipe.variables:
                    self.found.append(show(value))
            elif isinstance(node, nodes.Branch):
                self._branch(node, dot)
            elif isinstance(node, nodes.Leave):
                raise _Leave(node.word)
            elif isinstance(node, nodes.Template):
                self._template(node, dot)

    def _branch(self, node: nodes.Branch, dot: Any) -> None:  # noqa: ANN401
        mark = len(self._scope)
        if node.word == "range":
            self._range(node, dot)
        else:
            value = self._pipe(node.pipe, dot)
            if true(value):
                self.walk(node.body, value if node.word == "with" else dot)
            else:
                self.walk(node.other, dot)
        del self._scope[mark:]

    def _range(self, node: nodes.Branch, dot: Any) -> None:  # noqa: ANN401
        value = self._pipe(node.pipe.replace(variables=()), dot)
        pairs = self._pairs(node, value)
        if not pairs:
            self.walk(node.other, dot)
            return
        mark = len(self._scope)
        names = node.pipe.variables
        for key, item in pairs:
            bound = ((names[0], item),) if len(names) == 1 else tuple(zip(names, (key, item), strict=False))
            for name, this in bound:
                if node.pipe.assign:
                    self._assign(name, this)
                else:
                    self._scope.append((name, this))
            try:
                self.walk(node.body, item)
            except _Leave as leave:
                if leave.args[0] == "break":
                    break
            finally:
                del self._scope[mark:]

    def _pairs(self, node: nodes.Branch, value: Any) -> list[tuple[Any, Any]]:  # noqa: ANN401
        if isinstance(value, list | tuple):
            return list(enumerate(value))
        if isinstance(value, dict):
            return [(key, member(key, value[key])) for key in sorted(value)]
        if value is None or isinstance(value, NoValue):
            return []
        if isinstance(value, int) and not isinstance(value, bool):
            return [(number, number) for number in range(min(value, 1_000_000))]
        raise self._fail(node.pipe, f"range can't iterate over {show(value)}")

    def _template(self, node: nodes.Template, dot: Any) -> None:  # noqa: ANN401
        body = self._parsed.named.get(node.name)
        if body is None:
            raise self._fail(node, f'template "{node.name}" not defined')
        if self._depth > _DEPTH:
            raise self._fail(node, "exceeded maximum template depth")
        value = self._pipe(node.pipe, dot) if node.pipe is not None else None
        scope, self._scope = self._scope, [("$", value)]
        self._depth += 1
        self.walk(body, value)
        self._depth -= 1
        self._scope = scope

    # pipelines

    def _pipe(self, pipe: nodes.Pipe, dot: Any) -> Any:  # noqa: ANN401
        value = _NOTHING
        for command in pipe.commands:
            value = self._command(command, dot, value)
        for name in pipe.variables:
            if pipe.assign:
                self._assign(name, value)
            else:
                self._scope.append((name, value))
        return value

    def _assign(self, name: str, value: Any) -> None:  # noqa: ANN401
        for at in range(len(self._scope) - 1, -1, -1):
            if self._scope[at][0] == name:
                self._scope[at] = (name, value)
                return

    def _command(self, command: nodes.Command, dot: Any, last: Any) -> Any:  # noqa: ANN401
        first = command.operands[0]
        if isinstance(first, nodes.Function):
            return self._call(command, first, command.operands[1:], dot, last)
        arguments = len(command.operands) - 1 + (last is not _NOTHING)
        if isinstance(first, nodes.Nil):
            raise self._fail(first, "nil is not a command")
        value = self._value(first, dot)
        if isinstance(value, Method):
            return self._method(first, value, command.operands[1:], dot, last)
        if arguments and isinstance(first, nodes.Field | nodes.Chain | nodes.Variable) and (
            not isinstance(first, nodes.Variable) or first.names
        ):  # fmt: skip
            name = first.names[-1]
            raise self._fail(first, f"wrong number of args for {name}: want 0 got {arguments}")
        if arguments:
            raise self._fail(first, f"can't give argument to non-function {first.text}")
        return value

    def _method(self, node: Node, method: Method, operands: tuple[Node, ...], dot: Any, last: Any) -> str:  # noqa: ANN401
        arguments = [self._value(operand, dot) for operand in operands]
        arguments += [last] * (last is not _NOTHING)
        if len(arguments) != 1 or not isinstance(arguments[0], str):
            name = node.text.rpartition(".")[2]
            raise self._fail(node, f"wrong number of args for {name}: want 1 got {len(arguments)}")
        return method.call(arguments[0])

    def _value(self, node: Node, dot: Any) -> Any:  # noqa: ANN401
        if isinstance(node, nodes.Constant):
            return node.value
        if isinstance(node, nodes.Nil):
            return None
        if isinstance(node, nodes.Dot):
            return dot
        if isinstance(node, nodes.Field):
            return self._fields(node, node.names, dot)
        if isinstance(node, nodes.Variable):
            value = next(value for name, value in reversed(self._scope) if name == node.name)
            return self._fields(node, node.names, value)
        if isinstance(node, nodes.Pipe):
            return self._pipe(node, dot)
        if isinstance(node, nodes.Chain):
            return self._fields(node, node.names, self._value(node.operand, dot))
        if isinstance(node, nodes.Function):
            return self._call(node, node, (), dot, _NOTHING)
        raise self._fail(node, "cannot evaluate")

    def _fields(self, node: Node, names: tuple[str, ...], value: Any) -> Any:  # noqa: ANN401
        for name in names:
            if isinstance(value, GoMap):
                value = member(name, value.get(name, NO_VALUE))
            elif isinstance(value, dict):
                if name in value:
                    value = member(name, value[name])
                elif name in OPTIONAL:
                    value = None
                else:
                    raise self._fail(node, f'map has no entry for key "{name}"')
            elif value is None or isinstance(value, NoValue):
                raise self._fail(node, f"nil pointer evaluating interface {{}}.{name}")
            else:
                raise self._fail(node, f"can't evaluate field {name} in type {kind(value)}")
        return value

    # calls

    def _call(
        self,
        whole: Node,
        node: nodes.Function,
        operands: tuple[Node, ...],
        dot: Any,  # noqa: ANN401
        last: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        name = node.name
        function = self._functions[name]
        if name in ("and", "or"):
            return self._shortcut(node, operands, dot, last)
        count = len(operands) + (last is not _NOTHING)
        if count < function.least or (not function.variadic and count > function.least):
            least = f"at least {function.least}" if function.variadic else str(function.least)
            raise self._fail(node, f"wrong number of args for {name}: want {least} got {count}")
        arguments = []
        for at, operand in enumerate(operands):
            value = self._value(operand, dot)
            self._check(operand, function, at, value)
            arguments.append(value)
        if last is not _NOTHING:
            self._check(node, function, count - 1, last)
            arguments.append(last)
        try:
            return function.call(*arguments)
        except Refused as error:
            raise self._fail(whole, f"error calling {name}: {error}") from None

    def _check(self, node: Node, function: Function, at: int, value: object) -> None:
        wanted = function.types[min(at, len(function.types) - 1)]
        fits = {
            "string": isinstance(value, str),
            "int": isinstance(value, int) and not isinstance(value, bool),
        }.get(wanted, True)  # fmt: skip
        if not fits:
            raise self._fail(node, f"expected {wanted}; found {show(value)}")

    def _shortcut(self, node: nodes.Function, operands: tuple[Node, ...], dot: Any, last: Any) -> Any:  # noqa: ANN401
        value: Any = last
        if not operands and last is _NOTHING:
            raise self._fail(node, f"wrong number of args for {node.name}: want at least 1 got 0")
        for operand in operands:
            value = self._value(operand, dot)
            if true(value) == (node.name == "or"):
                return value
        return value if last is _NOTHING else last
