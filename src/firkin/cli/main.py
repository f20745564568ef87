"""The way in: global flags, then the wanted command's own module, then one translation of what went wrong."""

from __future__ import annotations

import sys

VERSION = "0.1.0"


def main(argv: list[str]) -> int:
    """Run ``firkin ARGV`` and return the exit code."""
    if argv and argv[0] in ("version", "-v", "--version"):
        sys.stdout.write(f"firkin version {VERSION}\n")
        return 0
    sys.stderr.write("firkin: no such command yet\n")
    return 125
