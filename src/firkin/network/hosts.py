"""A container's /etc/hosts, as Docker writes it. Pure."""

from __future__ import annotations

from firkin.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

HOST_GATEWAY = "host-gateway"
_LOCAL = """\
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
"""


def contents(
    *,
    hostname: str = "",
    domainname: str = "",
    addresses: Sequence[str] = (),
    extra: Sequence[str] = (),
    gateway: str = "",
    host: str | None = None,
) -> str:
    """Return the file's text.

    ``addresses`` are the container's own (none on --network none), ``extra`` the --add-host values, ``gateway`` the
    host as containers see it, for host-gateway. ``host`` is the host's own file, for --network host: it is kept whole.
    Raises InvalidArgument.
    """
    lines = [f"{address}\t{name}\n" for name, address in (parse_extra(item, gateway) for item in extra)]
    if host is not None:
        if host and not host.endswith("\n"):
            host += "\n"
        return host + "".join(lines)
    names = f"{hostname}.{domainname} {hostname}" if domainname else hostname
    if hostname:
        lines += [f"{address}\t{names}\n" for address in addresses]
    return _LOCAL + "".join(lines)


def parse_extra(item: str, gateway: str = "") -> tuple[str, str]:
    """Return (name, address) of ``name:address`` or ``name=address``; brackets around IPv6 go.

    Raises InvalidArgument.
    """
    cut = min((place for place in (item.find(":"), item.find("=")) if place > 0), default=-1)
    name, address = item[:cut], item[cut + 1 :]
    if cut < 0 or not address:
        raise InvalidArgument(f"bad format for add-host: '{item}'", hint="write it like name:192.0.2.1")
    if address == HOST_GATEWAY:
        if not gateway:
            raise InvalidArgument(
                "host-gateway needs a network with a gateway",
                hint="give an address, or use the bridge network",
            )
        return name, gateway
    if address.startswith("[") and address.endswith("]"):
        address = address[1:-1]
    if not _is_address(address):
        raise InvalidArgument(
            f"invalid IP address in add-host: '{address}'", hint="write it like name:192.0.2.1"
        )
    return name, address


def _is_address(text: str) -> bool:
    import _socket

    for family in (_socket.AF_INET, _socket.AF_INET6):
        try:
            _socket.inet_pton(family, text)
        except OSError:
            continue
        return True
    return False
