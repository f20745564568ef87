"""Talking to the kernel by netlink: requests out, acknowledgements in, refusals with the kernel's own words.

Several requests go in one datagram; only the last asks for an acknowledgement, for a refused one is always told of.

    rtnetlink    request  request  request(ACK)                 ->  [refusals]  ack of the last
    nf_tables    begin    request  request(ACK)  end            ->  [refusals]  ack, all or nothing
    dump         request(DUMP)                                  ->  messages ... NLMSG_DONE
"""

from __future__ import annotations

import errno

from firkin.errors import Internal, SyscallError
from firkin.linux.netlink import NETLINK_NETFILTER, NETLINK_ROUTE, NetlinkSocket
from firkin.wire.netlink import (
    NLM_F_ACK,
    NLM_F_DUMP_INTR,
    NLMSG_DONE,
    NLMSG_ERROR,
    NLMSG_OVERRUN,
    Message,
    Request,
    failure,
    messages,
)
from firkin.wire.nfnl import batch_begin, batch_end

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_DUMP_TRIES = 8


class Dialogue:
    """One socket and its sequence numbers. All of it raises SyscallError for what the kernel refuses."""

    def __init__(self, protocol: int) -> None:
        self._seq = 0
        self._socket = NetlinkSocket(protocol)

    @classmethod
    def route(cls) -> Dialogue:
        """Open a socket for links, addresses and routes, in the caller's network namespace."""
        return cls(NETLINK_ROUTE)

    @classmethod
    def netfilter(cls) -> Dialogue:
        """Open a socket for nf_tables and conntrack, in the caller's network namespace."""
        return cls(NETLINK_NETFILTER)

    def close(self) -> None:
        self._socket.close()

    def abandon(self) -> None:
        """Forget the socket without closing it (see NetlinkSocket)."""
        self._socket.abandon()

    def __enter__(self) -> Dialogue:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def call(self, *requests: Request) -> None:
        """Do ``requests`` in order, in one send. The first refusal is raised; those after it are tried all the same."""
        self._exchange(requests, None, None)

    def batch(self, requests: Sequence[Request]) -> None:
        """Do ``requests`` as one transaction of nf_tables: all, or the first refusal is raised and none is done."""
        self._exchange(requests, batch_begin(), batch_end())

    def get(self, request: Request) -> Message:
        """Return the one message that answers ``request``."""
        seq = self._next()
        self._socket.send(request.pack(seq), request.name, request.target)
        while True:
            for message in self._receive(request):
                if message.seq != seq:
                    continue
                if message.kind == NLMSG_ERROR:
                    _refuse(message, request)
                    continue
                return message

    def dump(self, request: Request) -> list[Message]:
        """Return all messages that answer ``request``; read once more when they changed meanwhile."""
        for _ in range(_DUMP_TRIES):
            found = self._dump(request)
            if found is not None:
                return found
        raise Internal(f"the answer to {request.name} changed {_DUMP_TRIES} times while it was read")

    def _dump(self, request: Request) -> list[Message] | None:
        seq = self._next()
        self._socket.send(request.pack(seq), request.name, request.target)
        found: list[Message] = []
        interrupted = False
        while True:
            for message in self._receive(request):
                if message.seq != seq:
                    continue
                interrupted = interrupted or bool(message.flags & NLM_F_DUMP_INTR)
                if message.kind in (NLMSG_DONE, NLMSG_ERROR):
                    _refuse(message, request)
                    return None if interrupted else found
                found.append(message)

    def _exchange(self, requests: Sequence[Request], begin: Request | None, end: Request | None) -> None:
        if not requests:
            return
        parts = []
        known: dict[int, Request] = {}
        if begin is not None:
            known[self._next()] = begin
            parts.append(begin.pack(self._seq))
        last = len(requests) - 1
        for place, request in enumerate(requests):
            known[self._next()] = request
            parts.append(request.pack(self._seq, NLM_F_ACK if place == last else 0))
        awaited = self._seq
        if end is not None:
            parts.append(end.pack(self._next()))
        self._socket.send(b"".join(parts), requests[0].name, requests[0].target)
        self._await(awaited, known, requests[last])

    def _await(self, awaited: int, known: dict[int, Request], last: Request) -> None:
        first: SyscallError | None = None
        while True:
            try:
                incoming = self._receive(last)
            except Unanswered:
                # A batch that is refused at its beginning acknowledges nothing else.
                raise (first or Unanswered(f"the kernel did not answer {last.name}")) from None
            for message in incoming:
                culprit = known.get(message.seq)
                if culprit is None or message.kind != NLMSG_ERROR:
                    continue
                try:
                    _refuse(message, culprit)
                except SyscallError as error:
                    first = first or error
                if message.seq == awaited:
                    if first is not None:
                        raise first
                    return

    def _next(self) -> int:
        self._seq += 1
        return self._seq

    def _receive(self, request: Request) -> list[Message]:
        data = self._socket.receive(request.name, request.target)
        if data is None:
            raise Unanswered(f"the kernel did not answer {request.name}")
        found = list(messages(data))
        if any(message.kind == NLMSG_OVERRUN for message in found):
            raise SyscallError(errno.ENOBUFS, f"recv {request.name}", request.target)
        return found


class Unanswered(Internal):
    """The kernel said neither yes nor no."""


def _refuse(message: Message, request: Request) -> None:
    """Raise what an NLMSG_ERROR or NLMSG_DONE says, unless it is an acknowledgement."""
    code, words = failure(message)
    if code:
        error = SyscallError(code, request.name, request.target)
        if words:
            error.add_note(f"the kernel says: {words}")
        raise error
