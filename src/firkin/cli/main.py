"""The way in: global flags, then the wanted command's own module, then one translation of what went wrong.

firkin [OPTIONS] COMMAND [ARG...]
"""

from __future__ import annotations

import time

ENTERED = time.monotonic_ns()  # before anything else is imported: where --profile's own time begins

import os  # noqa: E402
import sys  # noqa: E402

from firkin.cli import index  # noqa: E402
from firkin.cli.command import BAD_FLAG, Call  # noqa: E402
from firkin.cli.flags import BadFlag, HelpWanted, parse  # noqa: E402
from firkin.cli.output import err, out  # noqa: E402
from firkin.cli.session import GLOBALS, LEVELS, PROGRAM, VERSION, Session  # noqa: E402

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from firkin.cli.command import Command


def main(argv: list[str]) -> int:
    """Run ``firkin ARGV`` and return the exit code. Never raises, never leaves a traceback without --debug."""
    try:
        values, words = parse(GLOBALS, argv, interspersed=False)
    except HelpWanted:
        return _show_top()
    except BadFlag as error:
        return _usage_error(error, f"{PROGRAM} [OPTIONS] COMMAND [ARG...]", PROGRAM)
    if values.get("log-level", "info") not in LEVELS:
        err(f"{PROGRAM}: unable to parse logging level: {values['log-level']}; use {', '.join(LEVELS)}\n")
        return 1
    session = Session(values)
    if session.profile or session.profile_json:
        from firkin.cli.profile import profiled

        return profiled(session, ENTERED, lambda: _dispatch(session, values, words))
    return _dispatch(session, values, words)


def leave(code: int) -> NoReturn:
    """End the process without the interpreter's own farewell: all is flushed, and the kernel frees faster."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass
    os._exit(code)


def _dispatch(session: Session, values: dict[str, object], words: list[str]) -> int:
    if session.debug:
        from firkin import log

        log.enable_debug()
    if values.get("version"):
        return _guarded(session, None, lambda: out(f"{PROGRAM} version {VERSION}\n"))
    if not words:
        return _show_top()
    if words[0] == "help":
        words = [*words[1:], "--help"]
    name, rest = words[0], words[1:]
    if name == "--help":
        return _show_top()
    place = index.TOP.get(name)
    if place is None:
        group = index.GROUPS.get(name)
        if group is None:
            return _unknown(name, "")
        if not rest or rest[0].startswith("-"):
            return _group(session, name, rest)
        place = group[1].get(rest[0])
        if place is None:
            return _unknown(f"{name} {rest[0]}", f"{PROGRAM} {name}")
        rest = rest[1:]
    return _run(session, index.load(place), rest)


def _run(session: Session, command: Command, argv: list[str]) -> int:
    try:
        values, words = parse(
            (*command.flags, *command.hidden),
            argv,
            interspersed=command.interspersed,
            readers=command.readers,
        )
    except HelpWanted:
        from firkin.cli.usage import page

        return _guarded(session, command, lambda: out(page(command)))
    except BadFlag as error:
        from firkin.cli.usage import usage_line

        return _usage_error(error, usage_line(command)[8:], f"{PROGRAM} {command.name}")
    low, high = command.arguments
    if len(words) < low or (high is not None and len(words) > high):
        return _arguments_error(command, low, high)
    call = Call(command, session, values, words)
    return _guarded(session, command, lambda: command.run(call))


def _guarded(session: Session, command: Command | None, run: Callable[[], int | None]) -> int:
    try:
        return run() or 0
    except BaseException as error:  # noqa: BLE001 - the last frame before the interpreter's own traceback
        from firkin.cli.complaint import explain

        return explain(error, command, debug=session.debug)


def _group(session: Session, name: str, rest: list[str]) -> int:
    from firkin.cli.usage import group_page

    if rest and rest[0] not in ("--help", "-h"):
        return _usage_error(BadFlag(f"unknown flag: {rest[0]}"), f"{PROGRAM} {name}", f"{PROGRAM} {name}")
    return _guarded(session, None, lambda: out(group_page(name)))


def _show_top() -> int:
    from firkin.cli.usage import top_page

    return _guarded(Session({}), None, lambda: out(top_page()))


def _unknown(words: str, parent: str) -> int:
    usage = f"\nUsage:  {parent}\n" if parent else ""
    err(
        f"{PROGRAM}: unknown command: {PROGRAM} {words}\n{usage}\n"
        f"Run '{parent or PROGRAM} --help' for more information\n"
    )
    return 1


def _usage_error(error: BadFlag, usage: str, who: str) -> int:
    err(f"{error}\n\nUsage:  {usage}\n\nRun '{who} --help' for more information\n")
    return BAD_FLAG


def _arguments_error(command: Command, low: int, high: int | None) -> int:
    from firkin.cli.usage import usage_line

    who = f"{PROGRAM} {command.name}"
    wanted = (
        "accepts no arguments" if high == 0
        else f"requires {low} argument{'' if low == 1 else 's'}" if low == high
        else f"requires at least {low} argument{'' if low == 1 else 's'}" if high is None
        else f"requires at most {high} argument{'' if high == 1 else 's'}" if low == 0
        else f"requires at least {low} and at most {high} arguments"
    )  # fmt: skip
    err(f"{PROGRAM}: '{who}' {wanted}\n\n{usage_line(command)}\n\nRun '{who} --help' for more information\n")
    return 1
