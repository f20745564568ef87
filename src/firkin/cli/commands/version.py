"""``firkin version``."""

from __future__ import annotations

from firkin.cli.command import Call, Command
from firkin.cli.output import out
from firkin.cli.session import VERSION

_FORMAT = 'Format output using a custom template: "json" or a Go template'


def run(call: Call) -> None:
    import os
    import sys

    kernel = os.uname()
    facts = {
        "Version": VERSION,
        "PythonVersion": sys.version.split()[0],
        "Os": "linux",
        "Arch": {"x86_64": "amd64", "aarch64": "arm64"}.get(kernel.machine, kernel.machine),
        "KernelVersion": kernel.release,
    }
    view = call["format"]
    if view:
        from firkin.cli.template.render import render_one

        # Docker's scripts ask for .Server.Version and .Client.Version; both are this program.
        out(render_one(view, {"Client": facts, "Server": facts, **facts}))
        return
    names = {"PythonVersion": "Python", "KernelVersion": "Kernel", "Os": "OS"}
    out("".join(f" {names.get(name, name) + ':':<10} {value}\n" for name, value in facts.items()))


COMMAND = Command(
    name="version",
    usage="[OPTIONS]",
    short="Show firkin's version and what it runs on",
    run=run,
    flags=(("format", "f", "string", None, _FORMAT),),
)
