"""A machine for each test: a network namespace that plays the host, another one that plays the outside.

    outside (198.51.100.2, 198.51.100.3) --- up1 ==== up0 --- host (198.51.100.1, 198.51.100.9) --- bridge --- containers

The test's body runs in a forked child that has moved into the host's namespace: the real machine is never touched.
"""

from __future__ import annotations

import json
import os
import subprocess
import traceback
from typing import TYPE_CHECKING

from firkin.config import Config
from firkin.db.connection import open_database
from firkin.linux import netns
from firkin.network import tables
from firkin.network.bridge import Bridge
from firkin.network.dialogue import Dialogue
from firkin.paths import Paths
from firkin.wire import rtnl

if TYPE_CHECKING:
    from pathlib import Path

ENGINE = "7e570001"
HOST, HOST_SECOND, OUTSIDE = "198.51.100.1", "198.51.100.9", "198.51.100.2"


def run(command: str, netns_fd: int | None = None) -> str:
    """Run ``command`` by the shell, in a namespace; return its output."""
    prefix = [] if netns_fd is None else ["nsenter", f"--net=/proc/{os.getpid()}/fd/{netns_fd}"]
    done = subprocess.run([*prefix, "sh", "-ec", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


class Machine:
    """The host that a test plays on."""

    def __init__(self, root: Path, settings: dict[str, object] | None = None) -> None:
        self.root = root
        (root / "run/locks").mkdir(parents=True, exist_ok=True)
        self.config = Config(
            paths=Paths(root=str(root), run_root=str(root / "run")), engine_id=ENGINE, settings=settings or {}
        )
        self.outside = netns.make(lambda: None)
        run(
            f"ip link set lo up; ip link add up0 type veth peer name up1 netns /proc/{os.getpid()}/fd/{self.outside};"
            f"ip addr add {HOST}/24 dev up0; ip addr add {HOST_SECOND}/24 dev up0; ip link set up0 up;"
            f"ip route add default via {OUTSIDE}"
        )
        run(
            f"ip addr add {OUTSIDE}/24 dev up1; ip addr add 198.51.100.3/24 dev up1; ip link set up1 up",
            self.outside,
        )
        self.bridge = self.engine()

    def engine(self) -> Bridge:
        """What a firkin process makes for itself."""
        db = open_database(self.config.paths.database, 1, lambda: iter([tables.SCHEMA]))
        return Bridge(self.config, db)

    def start(self, *ports, **more):
        """Return (endpoint, fd of the namespace) of a new container on the bridge."""
        endpoint = self.bridge.allocate(os.urandom(32).hex(), ports, **more)
        fd = self.bridge.new_netns()
        self.bridge.attach(endpoint, fd)
        return endpoint, fd

    def elements(self) -> int:
        """How many elements the maps have, asked of nft."""
        listing = json.loads(run(f"nft -j list table ip firkin_{ENGINE}"))["nftables"]
        return sum(len(item["map"].get("elem", ())) for item in listing if "map" in item)


def play_in_child(report: int, root: Path, body) -> None:
    made: list[Dialogue] = []
    try:
        fd = netns.make(lambda: made.append(Dialogue.route()))
        made[0].call(rtnl.set_up(1, "lo"))
        netns._setns(fd, netns.CLONE_NEWNET)
        body(Machine(root))
    except BaseException:  # noqa: BLE001 - whatever it is, the parent tells of it
        os.write(report, traceback.format_exc().encode()[-60_000:])
        os._exit(1)
    os._exit(0)
