"""Tokens -> nodes. Source: Go's text/template/parse/parse.go."""

from __future__ import annotations

from firkin.cli.template import nodes
from firkin.cli.template.lex import BadTemplate, Token, fail, tokens

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

    from firkin.cli.template.nodes import Node

_ENDS = ("end", "else")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'", "a": "\a", "b": "\b", "f": "\f",
            "v": "\v"}  # fmt: skip


class Parsed:
    """A template and those that it defines."""

    def __init__(self, source: str, body: tuple[Node, ...], named: dict[str, tuple[Node, ...]]) -> None:
        self.source = source
        self.body = body
        self.named = named


def parse(source: str, functions: Container[str]) -> Parsed:
    """Parse ``source``; ``functions`` are the names that may be called. Raises BadTemplate."""
    return _Parser(source, functions).parse()


class _Parser:
    def __init__(self, source: str, functions: Container[str]) -> None:
        self._source = source
        self._functions = functions
        self._tokens = tokens(source)
        self._position = 0
        self._variables = ["$"]
        self._loops = 0
        self._named: dict[str, tuple[Node, ...]] = {}

    def parse(self) -> Parsed:
        body, end = self._list(top=True)
        if end is not None:
            raise self._fail(f"unexpected {{{{{end}}}}}")
        return Parsed(self._source, body, self._named)

    # tokens

    def _peek(self) -> Token:
        return self._tokens[self._position]

    def _next(self) -> Token:
        token = self._tokens[self._position]
        self._position += token[0] != "eof"
        return token

    def _skip_space(self) -> Token:
        while self._peek()[0] == "space":
            self._position += 1
        return self._peek()

    def _fail(self, message: str) -> BadTemplate:
        return fail(self._source, self._peek()[2], message)

    def _unexpected(self, token: Token, where: str) -> BadTemplate:
        shown = "EOF" if token[0] == "eof" else f'"{token[1]}"' if token[0] != "string" else token[1]
        return self._fail(f"unexpected {shown} in {where}")

    def _close(self, where: str) -> None:
        token = self._skip_space()
        if token[0] != "close":
            raise self._unexpected(token, where)
        self._next()

    # lists of nodes

    def _list(self, *, top: bool = False) -> tuple[tuple[Node, ...], str | None]:
        """Return the nodes up to the ``end`` or ``else`` that closes them, which is left unread."""
        found: list[Node] = []
        while True:
            kind, text, at = self._peek()
            if kind == "eof":
                if top:
                    return tuple(found), None
                raise self._fail("unexpected EOF")
            if kind == "text":
                self._next()
                found.append(nodes.Text(at=at, text=text))
                continue
            start = self._position
            self._next()
            token = self._skip_space()
            if token[0] == "word" and token[1] in _ENDS:
                if not top:
                    self._position = start
                return tuple(found), token[1]
            node = self._action(token)
            if node is not None:
                found.append(node)

    def _action(self, token: Token) -> Node | None:
        kind, word, at = token
        if kind == "word" and word in ("if", "with", "range"):
            self._next()
            return self._branch(word, at)
        if kind == "word" and word in ("break", "continue"):
            self._next()
            self._close(f"{{{{{word}}}}}")
            if not self._loops:
                raise self._fail(f"{{{{{word}}}}} outside {{{{range}}}}")
            return nodes.Leave(at=at, word=word)
        if kind == "word" and word in ("template", "define", "block"):
            self._next()
            return self._named_template(word, at)
        pipe = self._pipeline("command")
        self._close("command")
        return nodes.Action(at=at, pipe=pipe)

    def _branch(self, word: str, at: int) -> Node:
        known = len(self._variables)
        pipe = self._pipeline(word)
        self._close(word)
        self._loops += word == "range"
        body, end = self._list()
        self._loops -= word == "range"
        other: tuple[Node, ...] = ()
        self._next()
        self._skip_space()
        self._next()  # the word itself
        if end == "else":
            token = self._skip_space()
            if token[0] == "word" and token[1] in ("if", "with") and word == token[1]:
                self._next()
                other = (self._branch(word, token[2]),)  # takes the one {{end}} of both
                del self._variables[known:]
                return nodes.Branch(at=at, word=word, pipe=pipe, body=body, other=other)
            self._close("else")
            other, end = self._list()
            if end == "else":
                raise self._fail("expected end; found {{else}}")
            self._next()
            self._skip_space()
            self._next()
        self._close("end")
        del self._variables[known:]
        return nodes.Branch(at=at, word=word, pipe=pipe, body=body, other=other)

    def _named_template(self, word: str, at: int) -> Node | None:
        token = self._skip_space()
        if token[0] != "string":
            raise self._unexpected(token, f"{word} clause")
        name = self._unquote(self._next())
        pipe = None
        if self._skip_space()[0] != "close" and word != "define":
            pipe = self._pipeline(word)
        self._close(f"{word} clause")
        text = f'{{{{template "{name}"}}}}'
        if word == "template":
            return nodes.Template(at=at + len("template "), text=text, name=name, pipe=pipe)
        variables, self._variables = self._variables, ["$"]
        body, end = self._list()
        if end != "end":
            raise self._fail("unexpected {{else}} in define clause")
        self._next()
        self._skip_space()
        self._next()
        self._close("end")
        self._variables = variables
        self._named[name] = body
        return nodes.Template(at=at, text=text, name=name, pipe=pipe) if word == "block" else None

    # pipelines

    def _pipeline(self, where: str) -> nodes.Pipe:
        at = self._skip_space()[2]
        variables, assign = self._declared(where)
        commands: list[nodes.Command] = []
        while True:
            token = self._skip_space()
            if token[0] in ("close", "rparen"):
                if not commands:
                    raise self._fail(f"missing value for {where}")
                break
            if token[0] == "pipe":
                raise self._fail(
                    f"missing value for {where}" if not commands else 'unexpected "|" in operand'
                )
            commands.append(self._command(where))
            if self._skip_space()[0] == "pipe":
                self._next()
                if self._skip_space()[0] in ("close", "rparen"):
                    raise self._fail(f"missing value for {where}")
        for command in commands[1:]:
            if isinstance(command.operands[0], nodes.Constant | nodes.Dot | nodes.Nil):
                raise self._fail(f"non executable command in pipeline stage {commands.index(command) + 1}")
        if not assign:
            self._variables.extend(variables)
        text = " | ".join(command.text for command in commands)
        return nodes.Pipe(at=at, text=text, commands=tuple(commands), variables=variables, assign=assign)

    def _declared(self, where: str) -> tuple[tuple[str, ...], bool]:
        start = self._position
        names: list[str] = []
        while self._skip_space()[0] == "variable":
            names.append(self._next()[1])
            token = self._skip_space()
            if token[0] in ("declare", "assign"):
                self._next()
                for name in names:
                    if token[0] == "assign" and name not in self._variables:
                        raise self._fail(f'undefined variable "{name}"')
                return tuple(names), token[0] == "assign"
            if token[0] != "comma" or where != "range" or len(names) > 1:
                break
            self._next()
        self._position = start
        return (), False

    def _command(self, where: str) -> nodes.Command:
        at = self._peek()[2]
        operands: list[Node] = []
        while self._skip_space()[0] not in ("close", "rparen", "pipe"):
            operands.append(self._operand(where))
            token = self._peek()
            if token[0] not in ("space", "close", "rparen", "pipe"):
                raise self._unexpected(token, "operand")
        text = " ".join(node.text for node in operands)
        return nodes.Command(at=at, text=text, operands=tuple(operands))

    def _operand(self, where: str) -> Node:
        node = self._term(where)
        names: list[str] = []
        second = self._peek()[2]
        while self._peek()[0] == "field":
            names.append(self._next()[1][1:])
        if not names:
            return node
        text = node.text + "".join(f".{name}" for name in names)
        if isinstance(node, nodes.Field):
            return nodes.Field(at=second, text=text, names=(*node.names, *names))
        if isinstance(node, nodes.Variable):
            return nodes.Variable(at=second, text=text, name=node.name, names=tuple(names))
        if isinstance(node, nodes.Constant | nodes.Nil | nodes.Dot):
            raise self._fail(f"unexpected . after term {node.text!r}".replace("'", '"'))
        return nodes.Chain(at=second, text=text, operand=node, names=tuple(names))

    def _term(self, where: str) -> Node:
        kind, text, at = token = self._next()
        if kind == "word":
            return self._word(text, at)
        if kind == "dot":
            return nodes.Dot(at=at, text=text)
        if kind == "field":
            return nodes.Field(at=at, text=text, names=(text[1:],))
        if kind == "variable":
            if text not in self._variables:
                raise self._fail(f'undefined variable "{text}"')
            return nodes.Variable(at=at, text=text, name=text)
        if kind == "number":
            return nodes.Constant(at=at, text=text, value=self._number(text))
        if kind in ("string", "char"):
            value: object = self._unquote(token)
            return nodes.Constant(at=at, text=text, value=ord(str(value)) if kind == "char" else value)
        if kind == "lparen":
            pipe = self._pipeline("parenthesized pipeline")
            self._skip_space()
            self._next()
            return pipe.replace(text=f"({pipe.text})")
        raise self._unexpected(token, "operand" if kind in ("eof",) else where)

    def _word(self, text: str, at: int) -> Node:
        if text in ("true", "false"):
            return nodes.Constant(at=at, text=text, value=text == "true")
        if text == "nil":
            return nodes.Nil(at=at, text=text)
        if text not in self._functions:
            raise self._fail(f'function "{text}" not defined')
        return nodes.Function(at=at, text=text, name=text)

    def _number(self, text: str) -> int | float:
        bare = text.replace("_", "")
        try:
            if bare.lstrip("+-")[:1] == "0" and bare.lstrip("+-").isdigit():
                return int(bare, 8)
            return int(bare, 0)
        except ValueError:
            pass
        try:
            value = float(bare)
        except ValueError:
            raise self._fail(f'bad number syntax: "{text}"') from None
        # Go's untyped constants: 1e3 is the integer 1000, 1000000.0 stays a float.
        return int(value) if "." not in text and value == int(value) else value

    def _unquote(self, token: Token) -> str:
        quoted, found, at = token[1], [], 1
        if quoted[0] == "`":
            return quoted[1:-1]
        while at < len(quoted) - 1:
            if quoted[at] != "\\":
                found.append(quoted[at])
                at += 1
                continue
            letter = quoted[at + 1]
            width = {"x": 2, "u": 4, "U": 8}.get(letter, 0)
            try:
                if width:
                    found.append(chr(int(quoted[at + 2 : at + 2 + width], 16)))
                else:
                    found.append(_ESCAPES[letter])
            except (KeyError, ValueError):
                raise self._fail(f"malformed string: {quoted}") from None
            at += 2 + width
        return "".join(found)
