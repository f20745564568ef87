"""Which subnet the bridge gets, and which address a container. Pure: what is taken is given.

Subnets are tried from 172.30.0.0/16 down to 172.17.0.0/16 (Docker goes the other way, so that the two meet last), then
10.239.0.0/16 down to 10.192.0.0/16, then /24s of 192.168. Addresses go round: the next one after the last given, so
that a fresh container does not inherit the connections of one that has just gone.
"""

from __future__ import annotations

import itertools

from firkin.errors import InvalidArgument, ResourceExhausted
from firkin.network import ipv4
from firkin.network.ipv4 import Subnet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


def candidates() -> Iterator[Subnet]:
    """Yield the subnets to try, best first."""
    for second in range(30, 16, -1):
        yield Subnet(base=172 << 24 | second << 16, prefix=16)
    for second in range(239, 191, -1):
        yield Subnet(base=10 << 24 | second << 16, prefix=16)
    for third in range(254, 99, -1):
        yield Subnet(base=192 << 24 | 168 << 16 | third << 8, prefix=24)


def choose_subnet(taken: Iterable[Subnet]) -> Subnet:
    """Return the first candidate that overlaps nothing in ``taken``. Raises ResourceExhausted."""
    obstacles = list(taken)
    for subnet in candidates():
        if not any(subnet.overlaps(obstacle) for obstacle in obstacles):
            return subnet
    raise ResourceExhausted(
        "every private subnet overlaps a route of this host",
        hint="choose one: set bridge_subnet in engine.json's settings",
    )


def choose_address(subnet: Subnet, last: int, taken: Callable[[int], bool]) -> int:
    """Return the first free address after ``last``, going round. Raises ResourceExhausted."""
    lowest, highest = subnet.gateway + 1, subnet.base + subnet.size - 2
    start = last + 1 if lowest <= last < highest else lowest
    address: int
    for address in itertools.chain(range(start, highest + 1), range(lowest, start)):
        if not taken(address):
            return address
    raise ResourceExhausted(f"no address is free in {subnet}", hint="remove containers that are not needed")


def check_address(subnet: Subnet, written: str) -> int:
    """Return the address a person asked for. Raises InvalidArgument; who holds it is the caller's to refuse."""
    address = ipv4.parse(written)
    if not subnet.gateway < address < subnet.base + subnet.size - 1:
        raise InvalidArgument(
            f"address {written} is not one that a container can have in {subnet}",
            hint=f"choose one from {ipv4.text(subnet.gateway + 1)} to {ipv4.text(subnet.base + subnet.size - 2)}",
        )
    return address


def mac_of(address: int) -> str:
    """Return Docker's 02:42 and the address: as unique as it, so that a neighbour's cache is never wrong."""
    return "02:42:" + ":".join(f"{byte:02x}" for byte in ipv4.packed(address))


def parse_mac(written: str) -> bytes:
    """Return 6 bytes. Raises InvalidArgument, also for a group address."""
    parts = written.replace("-", ":").split(":")
    try:
        value = bytes(int(part, 16) for part in parts if len(part) == 2)
    except ValueError:
        value = b""
    if len(value) != 6 or len(parts) != 6:
        raise InvalidArgument(f"'{written}' is not a MAC address", hint="write it like 02:42:ac:1e:00:02")
    if value[0] & 1 or not any(value):
        raise InvalidArgument(
            f"'{written}' cannot be a device's own MAC address", hint="clear its lowest bit"
        )
    return value
