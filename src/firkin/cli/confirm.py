"""The question that prune asks before it removes."""

from __future__ import annotations

import sys

from firkin.cli.complaint import Quit
from firkin.cli.output import err, out


def confirm(warning: str) -> None:
    """Ask on the terminal; anything but y ends with code 0 and nothing done, as does an end of input."""
    out(f"WARNING! {warning}\nAre you sure you want to continue? [y/N] ")
    try:
        answer = sys.stdin.readline()
    except UnicodeDecodeError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        err("Nothing was removed\n")
        raise Quit(0)
