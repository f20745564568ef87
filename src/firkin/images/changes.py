"""``import --change``: Dockerfile instructions that set an image's configuration. Pure.

    CMD ENTRYPOINT          exec form ["a", "b"], else the shell form: /bin/sh -c "..."
    ENV LABEL               key=value ..., "quoted values", back-slashes; or the old form: key value to the end
    EXPOSE VOLUME           words (VOLUME also as a JSON array)
    WORKDIR USER STOPSIGNAL one value; a relative WORKDIR is below the one before
    HEALTHCHECK             NONE | [--interval= --timeout= --start-period= --start-interval= --retries=] CMD ...
    ONBUILD SHELL

``$NAME`` and ``${NAME}`` are replaced from ENV where docker does so: everywhere but in CMD, ENTRYPOINT, HEALTHCHECK,
ONBUILD and SHELL.
"""

from __future__ import annotations

import posixpath

from firkin.errors import InvalidArgument
from firkin.units import parse_duration
from firkin.wire import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from firkin.oci.image import ImageConfig

_SHELL = ("/bin/sh", "-c")
_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_PORT = frozenset("0123456789-")
_TIMES = {
    "interval": "Interval",
    "timeout": "Timeout",
    "start-period": "StartPeriod",
    "start-interval": "StartInterval",
}


class BadChange(InvalidArgument):
    """A --change that is no instruction, or one that docker does not allow here; ``fields['change']``."""

    def __init__(self, change: str, why: str) -> None:
        super().__init__(f"--change {change[:120]!r}: {why}", change=change)


def apply_changes(config: ImageConfig, changes: Sequence[str]) -> ImageConfig:
    """Return ``config`` after each instruction in order. Raises BadChange."""
    for change in changes:
        for line in _lines(change):
            config = _apply(config, line)
    return config


def _lines(change: str) -> list[str]:
    joined = change.replace("\\\r\n", "").replace("\\\n", "")
    return [line.strip() for line in joined.splitlines() if line.strip() and not line.strip().startswith("#")]


def _apply(config: ImageConfig, line: str) -> ImageConfig:
    name, _, rest = line.replace("\t", " ", 1).partition(" ")
    rest = rest.strip()
    verb = _VERBS.get(name.upper())
    if verb is None:
        raise BadChange(line, f"{name.upper()} is not a valid change; valid are {', '.join(sorted(_VERBS))}")
    if not rest and name.upper() not in {"CMD", "ENTRYPOINT"}:
        raise BadChange(line, f"{name.upper()} requires an argument")
    if "\0" in line:
        raise BadChange(line, "NUL bytes are not possible")
    return verb(config, rest, line)


def _json_words(text: str) -> tuple[str, ...] | None:
    """Return the words of an exec form, None where it is no JSON array of strings (then it is a shell form)."""
    if not text.startswith("["):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        return None
    return tuple(value)


def _command(config: ImageConfig, text: str) -> tuple[str, ...]:
    words = _json_words(text)
    if words is not None:
        return words
    return (*(config.shell or _SHELL), text) if text else (config.shell or _SHELL)


def _cmd(config: ImageConfig, text: str, _line: str) -> ImageConfig:
    return config.replace(cmd=_command(config, text))


def _entrypoint(config: ImageConfig, text: str, _line: str) -> ImageConfig:
    # Nothing, and an empty array, take it away; for CMD docker keeps the shell alone, or an empty array.
    return config.replace(entrypoint=(_command(config, text) if text else None) or None)


def _env(config: ImageConfig, text: str, line: str) -> ImageConfig:
    env = dict(item.partition("=")[::2] for item in config.env or ())
    env.update(_pairs(text, line, dict(env)))
    return config.replace(env=tuple(f"{key}={value}" for key, value in env.items()))


def _label(config: ImageConfig, text: str, line: str) -> ImageConfig:
    return config.replace(labels={**config.labels, **_pairs(text, line, _environment(config))})


def _expose(config: ImageConfig, text: str, line: str) -> ImageConfig:
    ports = list(config.exposed_ports)
    for word in _words(text, line, _environment(config)):
        number, _, protocol = word.lower().partition("/")
        first, dash, last = number.partition("-")
        bounds = (first, last) if dash else (first,)
        fine = all(_PORT.issuperset(b) and b.isdigit() and 0 < int(b) < 65536 for b in bounds)
        if not fine or protocol not in {"", "tcp", "udp", "sctp"} or (dash and int(first) > int(last)):
            raise BadChange(line, f"invalid port {word}; write it like 80, 53/udp or 8000-8010/tcp")
        ports += [f"{port}/{protocol or 'tcp'}" for port in range(int(first), int(bounds[-1]) + 1)]
    return config.replace(exposed_ports=tuple(dict.fromkeys(ports)))


def _volume(config: ImageConfig, text: str, line: str) -> ImageConfig:
    words = _json_words(text)
    paths = list(words) if words is not None else _words(text, line, _environment(config))
    if not all(path.strip() for path in paths):
        raise BadChange(line, "VOLUME specified can not be an empty string")
    return config.replace(volumes=tuple(dict.fromkeys((*config.volumes, *paths))))


def _workdir(config: ImageConfig, text: str, line: str) -> ImageConfig:
    path = _one(config, text, line)
    return config.replace(working_dir=posixpath.normpath(posixpath.join(config.working_dir or "/", path)))


def _user(config: ImageConfig, text: str, line: str) -> ImageConfig:
    return config.replace(user=_one(config, text, line))


def _stopsignal(config: ImageConfig, text: str, line: str) -> ImageConfig:
    import signal

    name = _one(config, text, line)
    known = {s.name for s in signal.Signals} | {s.name.removeprefix("SIG") for s in signal.Signals}
    if not (name.isdigit() and 0 < int(name) < 65) and name.upper() not in known:
        raise BadChange(line, f"invalid signal: {name}")
    return config.replace(stop_signal=name)


def _shell(config: ImageConfig, text: str, line: str) -> ImageConfig:
    words = _json_words(text)
    if not words:
        raise BadChange(line, "SHELL requires the arguments to be in JSON form")
    return config.replace(shell=words)


def _onbuild(config: ImageConfig, text: str, line: str) -> ImageConfig:
    trigger = text.partition(" ")[0].upper()
    if trigger in {"ONBUILD", "FROM", "MAINTAINER"}:
        raise BadChange(line, f"{trigger} isn't allowed as an ONBUILD trigger")
    return config.replace(on_build=(*(config.on_build or ()), text))


def _healthcheck(config: ImageConfig, text: str, line: str) -> ImageConfig:
    health: dict[str, Any] = {}
    while text.startswith("--"):
        option, _, text = text.partition(" ")
        key, _, value = option[2:].partition("=")
        text = text.lstrip()
        try:
            if key == "retries":
                health["Retries"] = int(value)
            else:
                health[_TIMES[key]] = parse_duration(value)
        except (KeyError, ValueError, InvalidArgument) as error:
            raise BadChange(line, f"--{key}={value}: {error}") from None
    kind, _, command = text.partition(" ")
    if kind.upper() == "NONE" and not command and not health:
        return config.replace(healthcheck={"Test": ["NONE"]})
    command = command.strip()
    if kind.upper() != "CMD" or not command:
        raise BadChange(line, "HEALTHCHECK is followed by NONE, or options and CMD")
    words = _json_words(command)
    test = ["CMD", *words] if words is not None else ["CMD-SHELL", command]
    return config.replace(healthcheck={"Test": test, **health})


_VERBS: dict[str, Callable[[ImageConfig, str, str], ImageConfig]] = {
    "CMD": _cmd, "ENTRYPOINT": _entrypoint, "ENV": _env, "LABEL": _label, "EXPOSE": _expose, "VOLUME": _volume,
    "WORKDIR": _workdir, "USER": _user, "STOPSIGNAL": _stopsignal, "SHELL": _shell, "ONBUILD": _onbuild,
    "HEALTHCHECK": _healthcheck,
}  # fmt: skip


def _environment(config: ImageConfig) -> dict[str, str]:
    return dict(item.partition("=")[::2] for item in config.env or ())


def _one(config: ImageConfig, text: str, line: str) -> str:
    words = _words(text, line, _environment(config))
    if len(words) != 1:
        raise BadChange(line, "exactly one argument is required")
    return words[0]


def _pairs(text: str, line: str, environment: dict[str, str]) -> dict[str, str]:
    first = text.split(None, 1)
    if "=" not in first[0]:
        if len(first) < 2:
            raise BadChange(line, "write it like key=value")
        return {first[0]: _unquoted(first[1], line, environment)}
    out = {}
    for word in _split(text, line):
        key, equals, value = word.partition("=")
        key = _unquoted(key, line, environment)
        if not equals or not key:
            raise BadChange(line, f"{word}: write it like key=value")
        out[key] = _unquoted(value, line, environment)
    return out


def _words(text: str, line: str, environment: dict[str, str]) -> list[str]:
    return [word for raw in _split(text, line) if (word := _unquoted(raw, line, environment))]


def _split(text: str, line: str) -> list[str]:
    """Split at blanks outside quotes; quotes and back-slashes stay for ``_unquoted``."""
    words, current, quote, escaped, open_word = [], "", "", False, False
    for char in text:
        if escaped:
            escaped = False
        elif char == "\\" and quote != "'":
            escaped = True
        elif quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char in " \t":
            if open_word:
                words.append(current)
            current, open_word = "", False
            continue
        current, open_word = current + char, True
    if quote:
        raise BadChange(line, f"the quote {quote} is not closed")
    return [*words, current] if open_word else words


def _unquoted(text: str, line: str, environment: dict[str, str]) -> str:
    out, quote, at = [], "", 0
    while at < len(text):
        char = text[at]
        at += 1
        if char == "\\" and quote != "'" and at < len(text):
            following = text[at]
            at += 1
            # Inside double quotes a back-slash keeps its meaning before these alone (as in sh).
            out.append(following if not quote or following in '"\\$' else char + following)
        elif quote and char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote = char
        elif char == "$" and quote != "'":
            value, at = _variable(text, at, line, environment)
            out.append(value)
        else:
            out.append(char)
    return "".join(out)


def _variable(text: str, at: int, line: str, environment: dict[str, str]) -> tuple[str, int]:
    if text[at : at + 1] == "{":
        end = text.find("}", at)
        if end < 0:
            raise BadChange(line, "${ without }")
        name = text[at + 1 : end]
        for sign in (":-", ":+"):
            key, found, word = name.partition(sign)
            if found:
                value = environment.get(key, "")
                return (value or word) if sign == ":-" else (word if value else ""), end + 1
        if not name or not _WORD.issuperset(name):
            raise BadChange(line, f"${{{name}}} is not supported")
        return environment.get(name, ""), end + 1
    end = at
    while end < len(text) and text[end] in _WORD:
        end += 1
    return (environment.get(text[at:end], ""), end) if end > at else ("$", at)
