"""The netlink sockets of one process: two in the host's network namespace, one in each fresh one of a container."""

from __future__ import annotations

import os

from firkin.linux import netns
from firkin.network.dialogue import Dialogue


class Sockets:
    """Opened when first used, and anew after a fork: two processes on one would read each other's answers."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._host: dict[str, Dialogue] = {}
        self._guests: dict[tuple[int, int], Dialogue] = {}

    def route(self) -> Dialogue:
        """Links, addresses and routes of the host."""
        self._after_fork()
        if "route" not in self._host:
            self._host["route"] = Dialogue.route()
        return self._host["route"]

    def netfilter(self) -> Dialogue:
        """nf_tables and conntrack of the host."""
        self._after_fork()
        if "netfilter" not in self._host:
            self._host["netfilter"] = Dialogue.netfilter()
        return self._host["netfilter"]

    def keep(self, netns_fd: int, guest: Dialogue) -> None:
        """Remember a socket that was opened in a namespace, for ``take``."""
        self._after_fork()
        self._guests[_identity(netns_fd)] = guest

    def take(self, netns_fd: int) -> Dialogue:
        """Return the socket kept for the namespace, or open one there; the caller closes it."""
        self._after_fork()
        known = self._guests.pop(_identity(netns_fd), None)
        if known is not None:
            return known
        opened: list[Dialogue] = []
        netns.visit(netns_fd, lambda: opened.append(Dialogue.route()))
        return opened[0]

    def close(self) -> None:
        for dialogue in (*self._host.values(), *self._guests.values()):
            dialogue.close()
        self._host, self._guests = {}, {}

    def _after_fork(self) -> None:
        if self._pid != os.getpid():
            for dialogue in (*self._host.values(), *self._guests.values()):
                dialogue.abandon()
            self._host, self._guests = {}, {}
            self._pid = os.getpid()


def _identity(fd: int) -> tuple[int, int]:
    status = os.fstat(fd)
    return status.st_dev, status.st_ino
