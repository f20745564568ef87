"""``firkin completion``."""

from __future__ import annotations

from firkin.cli.command import Call, Command
from firkin.errors import InvalidArgument


def run(call: Call) -> None:
    from firkin.cli.completion import SHELLS
    from firkin.cli.output import out

    write = SHELLS.get(call.words[0])
    if write is None:
        raise InvalidArgument(
            f"no completion for {call.words[0]}", hint=f"choose one of {', '.join(sorted(SHELLS))}"
        )
    out(write())


COMMAND = Command(
    name="completion",
    usage="bash|zsh|fish",
    short="Print what makes a shell complete firkin's commands, flags and names",
    run=run,
    long="Load it with one of:\n"
    "  bash   source <(firkin completion bash)\n"
    "  zsh    source <(firkin completion zsh)\n"
    "  fish   firkin completion fish | source",
    arguments=(1, 1),
    dynamic="shell",
)
