"""IPv4 addresses and subnets as integers (the ``ipaddress`` module costs 5 ms at start-up). Pure."""

from __future__ import annotations

from firkin.errors import InvalidArgument
from firkin.record import Record

ANY = "0.0.0.0"  # noqa: S104 - a value to compare with, not a socket to open


def parse(text: str) -> int:
    """Return ``192.0.2.1`` as an integer: four decimal numbers without leading zeros. Raises InvalidArgument."""
    parts = text.split(".")
    good = len(parts) == 4 and all(
        part.isascii() and part.isdigit() and len(part) <= 3 and str(int(part)) == part and int(part) < 256
        for part in parts
    )
    if not good:
        raise InvalidArgument(f"'{text}' is not an IPv4 address", hint="write it like 192.0.2.1")
    return int.from_bytes(bytes(int(part) for part in parts), "big")


def text(value: int) -> str:
    """Return the dotted form."""
    return ".".join(map(str, value.to_bytes(4, "big")))


def packed(value: int) -> bytes:
    """Return 4 bytes in network order."""
    return value.to_bytes(4, "big")


def is_loopback(value: int) -> bool:
    return value >> 24 == 127


class Subnet(Record):
    """A block of addresses: the lowest as an integer, and the length of its prefix."""

    base: int
    prefix: int

    @property
    def size(self) -> int:
        return 1 << (32 - self.prefix)

    @property
    def gateway(self) -> int:
        """The first usable address: the bridge's own."""
        return self.base + 1

    def holds(self, address: int) -> bool:
        return self.base <= address < self.base + self.size

    def overlaps(self, other: Subnet) -> bool:
        return self.base < other.base + other.size and other.base < self.base + self.size

    def __str__(self) -> str:
        return f"{text(self.base)}/{self.prefix}"


def parse_subnet(written: str) -> Subnet:
    """Return ``172.30.0.0/16``. Raises InvalidArgument, also when bits beyond the prefix are set."""
    address, slash, length = written.partition("/")
    if not slash or not length.isdigit() or not 1 <= int(length) <= 30:
        raise InvalidArgument(f"'{written}' is not a subnet", hint="write it like 172.30.0.0/16")
    subnet = Subnet(base=parse(address), prefix=int(length))
    if subnet.base & (subnet.size - 1):
        fitting = text(subnet.base & ~(subnet.size - 1))
        raise InvalidArgument(
            f"'{written}' has bits beyond its prefix", hint=f"write {fitting}/{subnet.prefix}"
        )
    return subnet
