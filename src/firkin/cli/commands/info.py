"""``firkin info``."""

from __future__ import annotations

import os

from firkin.cli.command import Call, Command
from firkin.cli.output import out
from firkin.cli.session import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(call: Call) -> None:
    facts = gather(call.session.engine)
    if call["format"]:
        from firkin.cli.template.render import render_one

        out(render_one(call["format"], facts))
        return
    out(text(facts))


def gather(engine: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return what docker's /info has, where firkin has it."""
    from firkin.engine.listing import ps

    states = [listed.placeholders()["State"] for listed in ps(engine, all=True)]
    kernel = os.uname()
    unified = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
    return {
        "ID": engine.config.engine_id,
        "Containers": len(states),
        "ContainersRunning": states.count("running"),
        "ContainersPaused": states.count("paused"),
        "ContainersStopped": sum(state not in ("running", "paused") for state in states),
        "Images": len(engine.images.list()),
        "Driver": "overlay",
        "LoggingDriver": "firkin",
        "CgroupDriver": "cgroupfs",
        "CgroupVersion": "2" if unified else "1",
        "KernelVersion": kernel.release,
        "OperatingSystem": _os_name(),
        "OSType": "linux",
        "Architecture": kernel.machine,
        "NCPU": len(os.sched_getaffinity(0)),
        "MemTotal": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "Name": kernel.nodename,
        "DockerRootDir": engine.config.paths.root,
        "RootDir": engine.config.paths.root,
        "RunRootDir": engine.config.paths.run_root,
        "Bridge": engine.config.bridge,
        "CgroupParent": engine.config.cgroup_parent,
        "ServerVersion": VERSION,
        "SecurityOptions": ["name=seccomp,profile=builtin"],
    }


def text(facts: dict[str, Any]) -> str:
    """Return the page for people."""
    from firkin.units import iec_size

    rows = [
        ("Containers", facts["Containers"]),
        (" Running", facts["ContainersRunning"]),
        (" Paused", facts["ContainersPaused"]),
        (" Stopped", facts["ContainersStopped"]),
        ("Images", facts["Images"]),
        ("Version", facts["ServerVersion"]),
        ("Engine ID", facts["ID"]),
        ("Root directory", facts["RootDir"]),
        ("Run directory", facts["RunRootDir"]),
        ("Storage driver", facts["Driver"]),
        ("Bridge", facts["Bridge"]),
        ("Cgroup parent", facts["CgroupParent"]),
        ("Cgroup version", facts["CgroupVersion"]),
        ("Kernel version", facts["KernelVersion"]),
        ("Operating system", facts["OperatingSystem"]),
        ("Architecture", facts["Architecture"]),
        ("CPUs", facts["NCPU"]),
        ("Total memory", iec_size(facts["MemTotal"])),
        ("Name", facts["Name"]),
    ]
    return "".join(f" {title}: {value}\n" for title, value in rows)


def _os_name() -> str:
    try:
        with open("/etc/os-release", encoding="utf-8", errors="replace") as stream:
            for line in stream:
                if line.startswith("PRETTY_NAME="):
                    return line.partition("=")[2].strip().strip("\"'")
    except OSError:
        pass
    return "Linux"


COMMAND = Command(
    name="info",
    usage="[OPTIONS]",
    short="Display what this engine is and what it runs on",
    run=run,
    aliases=("system info", "info"),
    flags=(
        ("format", "f", "string", None, "Format output using a custom template: 'json' or a Go template"),
    ),
)
