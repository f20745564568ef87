"""Completions for bash, zsh and fish, written from the same tables as the parser. Off the start-up path.

The scripts hold commands and flags; names of containers and images are asked of firkin when Tab is pressed.
"""

from __future__ import annotations

from firkin.cli import index
from firkin.cli.session import GLOBALS, PROGRAM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from firkin.cli.command import Command

_NAMES = {
    "container": f"{PROGRAM} ps -a --format '{{{{.Names}}}}' 2>/dev/null",
    "image": f"{PROGRAM} images --format '{{{{.Repository}}}}:{{{{.Tag}}}}' 2>/dev/null",
    "volume": f"{PROGRAM} volume ls -q 2>/dev/null",
    "object": (
        f"{{ {PROGRAM} ps -a --format '{{{{.Names}}}}'; "
        f"{PROGRAM} images --format '{{{{.Repository}}}}:{{{{.Tag}}}}'; {PROGRAM} volume ls -q; }} 2>/dev/null"
    ),
    "shell": "echo bash zsh fish",
}
#: Flags whose value is a container of a mode, or a file.
_FILES = ("cidfile", "env-file", "input", "label-file", "profile-json")


def commands() -> Iterator[tuple[str, Command]]:
    """Yield (words, command) of every name, aliases included."""
    for name, place in index.TOP.items():
        yield name, index.load(place)
    for group, (_, table) in index.GROUPS.items():
        for name, place in table.items():
            yield f"{group} {name}", index.load(place)


def _flags(command: Command) -> list[str]:
    return [f"--{row[0]}" for row in command.flags] + ["--help"] * all(
        row[0] != "help" for row in command.flags
    )


def _with_value(command: Command) -> list[str]:
    rows = [row for row in command.flags if row[2] != "bool"]
    return [f"--{row[0]}" for row in rows] + [f"-{row[1]}" for row in rows if row[1]]


def _top_words() -> str:
    return " ".join(sorted((*index.TOP, *index.GROUPS, "help")))


def bash() -> str:
    """Return the script for bash; zsh uses it too."""
    cases, valued, kinds = [], [], []
    for words, command in commands():
        cases.append(f'        "{words}") flags="{" ".join(_flags(command))}" ;;')
        if takes := _with_value(command):
            valued.append(f'        "{words}") valued=" {" ".join(takes)} " ;;')
        if command.dynamic:
            kinds.append(f'        "{words}") kind={command.dynamic} ;;')
    groups = "\n".join(
        f'        {group}) words="{" ".join(table)}" ;;' for group, (_, table) in index.GROUPS.items()
    )
    names = "\n".join(f"        {kind}) {command} ;;" for kind, command in _NAMES.items())
    top = " ".join(f"--{row[0]}" for row in GLOBALS)
    top_valued = " ".join(
        f"--{row[0]}" + (f" -{row[1]}" if row[1] else "") for row in GLOBALS if row[2] != "bool"
    )
    return (
        _BASH.replace("@TOP@", _top_words())
        .replace("@GLOBALS@", top)
        .replace("@GLOBALS_VALUED@", top_valued)
        .replace("@GROUP_NAMES@", "|".join(index.GROUPS))
        .replace("@GROUPS@", groups)
        .replace("@FLAGS@", "\n".join(cases))
        .replace("@VALUED@", "\n".join(valued))
        .replace("@KINDS@", "\n".join(kinds))
        .replace("@NAMES@", names)
        .replace("@FILES@", "|".join(f"--{name}" for name in _FILES))
    )


_BASH = """\
# bash completion for firkin, made by `firkin completion bash`
_firkin_names() {
    case $1 in
@NAMES@
    esac
}
_firkin() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
    local command="" words="" flags="" valued="" kind="" i=1 word
    local start=0
    COMPREPLY=()
    # The command's words: what comes after the global flags.
    while [ $i -lt $COMP_CWORD ]; do
        word=${COMP_WORDS[i]}
        case " @GLOBALS_VALUED@ " in
            *" $word "*) i=$((i + 2)); continue ;;
        esac
        case $word in
            -*) i=$((i + 1)); continue ;;
        esac
        command=$word
        start=$((i + 1))
        case $word in
            @GROUP_NAMES@)
                if [ $((i + 1)) -lt $COMP_CWORD ]; then
                    command="$word ${COMP_WORDS[i+1]}"
                    start=$((i + 2))
                fi ;;
        esac
        break
    done
    case $prev in
        @FILES@) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    esac
    if [ -z "$command" ]; then
        case $cur in
            -*) COMPREPLY=($(compgen -W "@GLOBALS@ --help" -- "$cur")) ;;
            *) COMPREPLY=($(compgen -W "@TOP@" -- "$cur")) ;;
        esac
        return
    fi
    case $command in
@GROUPS@
    esac
    if [ -n "$words" ]; then
        COMPREPLY=($(compgen -W "$words" -- "$cur"))
        return
    fi
    case $command in
@FLAGS@
        *) return ;;
    esac
    case $command in
@VALUED@
    esac
    case $command in
@KINDS@
    esac
    case $cur in
        -*) COMPREPLY=($(compgen -W "$flags" -- "$cur")); return ;;
    esac
    case $valued in
        *" $prev "*)
            case $prev in
                --volumes-from) COMPREPLY=($(compgen -W "$(_firkin_names container)" -- "$cur")) ;;
                *) COMPREPLY=($(compgen -f -- "$cur")) ;;
            esac
            return ;;
    esac
    # What follows the image or the container of run, create and exec is a path inside: complete files.
    case $command in
        run|create|exec|"container run"|"container create"|"container exec")
            i=$start
            while [ $i -lt $COMP_CWORD ]; do
                word=${COMP_WORDS[i]}
                case $valued in
                    *" $word "*) i=$((i + 2)); continue ;;
                esac
                case $word in
                    -*) i=$((i + 1)) ;;
                    *) COMPREPLY=($(compgen -f -- "$cur")); return ;;
                esac
            done ;;
    esac
    if [ -n "$kind" ]; then
        COMPREPLY=($(compgen -W "$(_firkin_names $kind)" -- "$cur"))
        # A colon ends a word for bash: cut what it has already.
        case $cur in
            *:*) type __ltrim_colon_completions >/dev/null 2>&1 && __ltrim_colon_completions "$cur" ;;
        esac
    else
        COMPREPLY=($(compgen -f -- "$cur"))
    fi
}
complete -F _firkin firkin
"""


def zsh() -> str:
    """Return the script for zsh: its own loader around the bash functions."""
    return (
        "#compdef firkin\n# zsh completion for firkin, made by `firkin completion zsh`\n"
        "autoload -U +X bashcompinit && bashcompinit\n" + bash()
    )


def fish() -> str:
    """Return the script for fish."""
    lines = [
        "# fish completion for firkin, made by `firkin completion fish`",
        "function __firkin_at",
        "    # Say whether the words so far begin with the command in the arguments (global flags left out).",
        "    set -l words (commandline -opc)",
        "    set -e words[1]",
        "    set -l bare",
        "    for word in $words",
        "        string match -q -- '-*' $word; or set -a bare $word",
        "    end",
        "    test (count $bare) -ge (count $argv); or return 1",
        '    test "$bare[1..'  # the rest of the line follows
        + '(count $argv)]" = "$argv"',
        "end",
        "function __firkin_first",
        "    set -l words (commandline -opc)",
        "    set -e words[1]",
        "    for word in $words",
        "        string match -q -- '-*' $word; or return 1",
        "    end",
        "end",
        "complete -c firkin -f",
    ]
    for name, place in index.TOP.items():
        lines.append(_fish("-n __firkin_first", f"-a {name}", index.load(place).short))
    for group, (short, table) in index.GROUPS.items():
        lines.append(_fish("-n __firkin_first", f"-a {group}", short))
        lines.extend(
            _fish(
                f"-n '__firkin_at {group}; and not __firkin_at {group} {name}'",
                f"-a {name}",
                index.load(place).short,
            )
            for name, place in table.items()
        )
    for words, command in commands():
        where = f"-n '__firkin_at {words}'"
        for long, short, kind, _, text in command.flags:
            value = "" if kind == "bool" else " -r"
            files = " -F" if long in _FILES else ""
            lines.append(_fish(where, f"-l {long}{f' -s {short}' if short else ''}{value}{files}", text))
        if command.dynamic:
            lines.append(f"complete -c firkin {where} -a '({_escaped(_NAMES[command.dynamic])})'")
    for long, short, kind, _, text in GLOBALS:
        value = "" if kind == "bool" else " -r"
        lines.append(_fish("-n __firkin_first", f"-l {long}{f' -s {short}' if short else ''}{value}", text))
    return "\n".join((*lines, ""))


def _fish(where: str, what: str, text: str) -> str:
    return f"complete -c firkin {where} {what} -d '{_escaped(text.splitlines()[0])}'"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'").replace("{ ", "begin; ").replace("; } ", "; end ")


SHELLS: dict[str, Callable[[], str]] = {"bash": bash, "zsh": zsh, "fish": fish}
