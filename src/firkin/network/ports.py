"""Published ports: what was asked for, what was given, and sockets that keep others off them.

A published port is carried by the firewall's maps; nothing listens there. So that no other program takes it meanwhile,
the monitor holds a socket bound to it (``reserve``) for as long as the container runs.
"""

from __future__ import annotations

import _socket
import errno
import os

from firkin.atomic import read_text
from firkin.errors import Conflict, InvalidArgument, SyscallError, Unsupported
from firkin.network import ipv4
from firkin.network.ipv4 import ANY
from firkin.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Protocol

    class Wanted(Protocol):
        """What -p asks for, as specgen's PortSpec and the one below have it."""

        @property
        def container_port(self) -> int: ...
        @property
        def proto(self) -> str: ...
        @property
        def host_ip(self) -> str: ...
        @property
        def host_port(self) -> int: ...
        @property
        def host_port_end(self) -> int: ...

    Holder = Callable[[str, str, int], tuple[str, str] | None]

TCP, UDP = "tcp", "udp"
PROTOCOLS = {TCP: 6, UDP: 17}
_RANGE_FILE = "/proc/sys/net/ipv4/ip_local_port_range"
_RANGE_DEFAULT = (49153, 65535)  # Docker's, where the kernel does not say


class PortSpec(Record):
    """One port to publish. ``host_port`` 0 is any free one; ``host_port_end`` > 0 is any free one of a range."""

    container_port: int
    proto: str = TCP
    host_ip: str = ""  # "" is all addresses
    host_port: int = 0
    host_port_end: int = 0


class PortBinding(Record):
    """One published port; ``host_ip`` 0.0.0.0 is all addresses of the host."""

    proto: str
    host_ip: str
    host_port: int
    container_port: int


def bindings_of(rows: Iterable[tuple[str, str, int, str, int]]) -> tuple[PortBinding, ...]:
    """Read rows of ``published`` (tables.Port)."""
    return tuple(
        PortBinding(proto=proto, host_ip=host_ip, host_port=host_port, container_port=container_port)
        for proto, host_ip, host_port, _, container_port in rows
    )


class PortTaken(Conflict):
    """Somebody has the port: ``fields`` say ``container_id`` or ``pid`` and ``program``."""


def choose(wanted: Iterable[Wanted], holder: Holder) -> tuple[PortBinding, ...]:
    """Give each wanted port a free one of the host.

    ``holder(proto, host_ip, port)`` names the container that publishes a port. Raises PortTaken, InvalidArgument,
    Unsupported. Ports with a number of their own are given first, so that a free choice does not take them.
    """
    given: list[PortBinding] = []
    listed = list(wanted)
    for spec in sorted(listed, key=lambda spec: (spec.host_port == 0, spec.host_port_end > 0)):
        _check(spec)
        host_ip = spec.host_ip or ANY

        def own(proto: str, ip: str, port: int) -> bool:
            return any(_overlap(b, proto, ip, port) for b in given)

        given.append(_choose_one(spec, host_ip, own, holder))
    return tuple(given)


def reserve(bindings: Iterable[PortBinding]) -> list[int]:
    """Return one fd a binding: a socket (TCP: listening) that keeps other programs off the port until it is closed.

    Close them before ``Bridge.detach``: who is given the port next takes it at once. Raises PortTaken.
    """
    held: list[int] = []
    for binding in bindings:
        try:
            held.append(_bind(binding.proto, binding.host_ip, binding.host_port))
        except OSError as error:
            for fd in held:
                os.close(fd)
            raise _refusal(error, binding.proto, binding.host_ip, binding.host_port) from error
    return held


def _choose_one(
    spec: Wanted, host_ip: str, own: Callable[[str, str, int], bool], holder: Holder
) -> PortBinding:
    several = spec.host_port == 0 or spec.host_port_end > spec.host_port
    for port in _numbers(spec):
        if own(spec.proto, host_ip, port):
            if several:
                continue
            raise PortTaken(
                f"port {port} ({spec.proto}) is published twice by this container",
                hint="drop one of the two -p",
            )
        other = holder(spec.proto, host_ip, port)
        if other is not None:
            if several:
                continue
            identity, name = other
            who = f"{name} ({identity[:12]})" if name else identity[:12]
            raise PortTaken(
                f"port {port} is taken by container {who}",
                hint=_instead(spec, host_ip, holder),
                port=port,
                proto=spec.proto,
                container_id=identity,
                container=name,
            )
        try:
            os.close(_bind(spec.proto, host_ip, port))
        except OSError as error:
            if several and error.errno in (errno.EADDRINUSE, errno.EACCES):
                continue
            raise _refusal(error, spec.proto, host_ip, port, _instead(spec, host_ip, holder)) from error
        return PortBinding(
            proto=spec.proto, host_ip=host_ip, host_port=port, container_port=spec.container_port
        )
    first, last = _bounds(spec)
    raise PortTaken(
        f"all {spec.proto} ports from {first} to {last} of {host_ip} are taken", hint="choose another range"
    )


def _numbers(spec: Wanted) -> Iterator[int]:
    first, last = _bounds(spec)
    if spec.host_port:
        yield from range(first, last + 1)
        return
    # From a random place on, so that containers started at the same time do not try the same ones.
    start = first + int.from_bytes(os.urandom(4), "big") % (last - first + 1)
    yield from range(start, last + 1)
    yield from range(first, start)


def _bounds(spec: Wanted) -> tuple[int, int]:
    if spec.host_port:
        return spec.host_port, max(spec.host_port, spec.host_port_end)
    try:
        low, high = map(int, (read_text(_RANGE_FILE) or "").split())
    except (ValueError, OSError):
        return _RANGE_DEFAULT
    return low, high


def _check(spec: Wanted) -> None:
    if spec.proto not in PROTOCOLS:
        raise Unsupported(f"cannot publish {spec.proto} ports", hint="tcp and udp can be published")
    if ":" in spec.host_ip:
        raise Unsupported(
            f"cannot publish on {spec.host_ip}: the bridge network has IPv4 only", hint="give an IPv4 address"
        )
    if spec.host_ip:
        ipv4.parse(spec.host_ip)
    for port in (spec.container_port, spec.host_port or 1, spec.host_port_end or 1):
        if not 1 <= port <= 65535:
            raise InvalidArgument(f"invalid port {port}", hint="ports are from 1 to 65535")
    if spec.host_port_end and spec.host_port_end < spec.host_port:
        raise InvalidArgument(
            f"invalid port range {spec.host_port}-{spec.host_port_end}", hint="write the lower number first"
        )


def _overlap(binding: PortBinding, proto: str, ip: str, port: int) -> bool:
    return (
        binding.proto == proto
        and binding.host_port == port
        and (binding.host_ip == ip or ANY in (binding.host_ip, ip))
    )


def _bind(proto: str, host_ip: str, port: int) -> int:
    kind = _socket.SOCK_STREAM if proto == TCP else _socket.SOCK_DGRAM
    sock = _socket.socket(_socket.AF_INET, kind | _socket.SOCK_CLOEXEC, 0)
    try:
        if proto == TCP:
            # Without it, connections in TIME_WAIT would stand in the way; listening keeps other users of it off.
            sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
        else:
            sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_RCVBUF, 0)  # nobody reads here
        sock.bind((host_ip, port))
        if proto == TCP:
            sock.listen(0)
        return sock.detach()
    except BaseException:
        sock.close()
        raise


def _refusal(
    error: OSError, proto: str, host_ip: str, port: int, hint: str = "stop it or choose another port"
) -> Exception:
    """Say why the port cannot be bound, and by whom."""
    if error.errno == errno.EADDRNOTAVAIL:
        return InvalidArgument(
            f"{host_ip} is not an address of this host",
            hint="give one that `ip address` shows, or none for all",
        )
    if error.errno != errno.EADDRINUSE:
        refused = SyscallError(error.errno or 0, "bind", f"{host_ip}:{port}")
        refused.add_note(f"while publishing {proto} port {port}")
        return refused
    from firkin.network import holders  # seldom needed

    found = holders.listener(proto, host_ip, port)
    fields: dict[str, object] = {"port": port, "proto": proto}
    who = "a program that cannot be seen from here"
    if found is not None:
        who = f"pid {found.pid} ({found.program})"
        fields |= {"pid": found.pid, "program": found.program}
    return PortTaken(f"port {port} is taken by {who}", hint=hint, **fields)


def _instead(spec: Wanted, host_ip: str, holder: Holder) -> str:
    """Say what to do about a port that is taken: the next free one, or stop who has it."""
    where = "" if host_ip == ANY else f"{host_ip}:"
    suffix = "" if spec.proto == TCP else f"/{spec.proto}"
    free = _next_free(spec, host_ip, holder)
    if not free:
        return "stop it or choose another port"
    return f"use -p {where}{free}:{spec.container_port}{suffix} or stop it"


def _next_free(spec: Wanted, host_ip: str, holder: Holder) -> int:
    for port in range(spec.host_port + 1, min(spec.host_port + 200, 65536)):
        if holder(spec.proto, host_ip, port) is not None:
            continue
        try:
            os.close(_bind(spec.proto, host_ip, port))
        except OSError:
            continue
        return port
    return 0
