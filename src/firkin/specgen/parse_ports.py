"""-p and --expose: ``[[IP:][HOST]:]CONTAINER[/PROTO]`` with ranges and [IPv6], as docker's nat.ParsePortSpec."""

from __future__ import annotations

from firkin.errors import InvalidArgument
from firkin.specgen.options import PortSpec

_HINT = "write it like 8080:80, 127.0.0.1:8080:80/udp or 8000-8010:8000-8010"


def is_ipv4(text: str) -> bool:
    """Say whether ``text`` is a dotted IPv4 address as Go reads it (no leading zeros)."""
    parts = text.split(".")
    return len(parts) == 4 and all(
        p.isascii() and p.isdigit() and len(p) <= 3 and int(p) <= 255 and (p == "0" or p[0] != "0")
        for p in parts
    )


def is_ipv6(text: str) -> bool:
    """Say whether ``text`` is an IPv6 address (no zone)."""
    if ":" not in text or text.count("::") > 1:
        return False
    groups = text.split(":")
    wanted = 8
    if "." in groups[-1]:
        if not is_ipv4(groups.pop()):
            return False
        wanted = 6
    if text.startswith("::"):
        groups = groups[1:]
    elif not groups[0]:
        return False
    if text.endswith("::"):
        groups = groups[:-1]
    elif text.endswith(":"):
        return False
    filled = [g for g in groups if g]
    if any(len(g) > 4 or g.strip("0123456789abcdefABCDEF") for g in filled):
        return False
    return len(filled) < wanted if "::" in text else len(filled) == wanted == len(groups)


def is_ip(text: str) -> bool:
    return is_ipv4(text) or is_ipv6(text)


def _port(text: str) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) <= 5):
        return None
    value = int(text)
    return value if value <= 65535 else None


def parse_port_range(text: str) -> tuple[int, int] | None:
    """Return (first, last) of ``80`` or ``80-90``, None when it is not one."""
    first, dash, last = text.partition("-")
    start = _port(first)
    end = _port(last) if dash else start
    if start is None or end is None or end < start:
        return None
    return start, end


def parse_port(text: str) -> tuple[PortSpec, ...]:
    """Return one PortSpec for each container port of one -p. Raises InvalidArgument."""
    raw = _long_form(text) if "=" in text else text
    parts = raw.rsplit(":", 2)
    container = parts.pop()
    host = parts.pop() if parts else ""
    host_ip = parts[0] if parts else ""
    if host_ip.startswith("[") and host_ip.endswith("]"):
        host_ip = host_ip[1:-1]
        if not is_ipv6(host_ip):
            raise InvalidArgument(f"invalid IP address: {host_ip}", hint=_HINT)
    elif host_ip and not is_ip(host_ip):
        raise InvalidArgument(f"invalid IP address: {host_ip}", hint=_HINT)
    container, _, proto = container.partition("/")
    proto = proto.lower() or "tcp"
    if not container:
        raise InvalidArgument(f"no port specified: {raw}<empty>", hint=_HINT)
    inside = parse_port_range(container)
    if inside is None or inside[0] == 0:
        raise InvalidArgument(f"invalid containerPort: {container}", hint=_HINT)
    outside = parse_port_range(host) if host else (0, 0)
    if outside is None:
        raise InvalidArgument(f"invalid hostPort: {host}", hint=_HINT)
    if proto not in ("tcp", "udp", "sctp"):
        raise InvalidArgument(f"invalid proto: {proto}", hint="use tcp, udp or sctp")
    span = inside[1] - inside[0]
    if host and span != outside[1] - outside[0]:
        if span:
            raise InvalidArgument(
                f"invalid ranges specified for container and host Ports: {container} and {host}",
                hint="make both ranges equally long",
            )
        # One container port and a range of host ports: any free one of it.
        return (
            PortSpec(container_port=inside[0], proto=proto, host_ip=host_ip, host_port=outside[0],
                     host_port_end=outside[1]),
        )  # fmt: skip
    return tuple(
        PortSpec(
            container_port=inside[0] + step,
            proto=proto,
            host_ip=host_ip,
            host_port=outside[0] + step if host and outside[0] else 0,
        )
        for step in range(span + 1)
    )


def _long_form(text: str) -> str:
    """Turn ``published=8080,target=80,protocol=udp`` into ``8080:80/udp``."""
    values = {"published": "", "target": "", "protocol": "tcp"}
    for item in text.split(","):
        key, equals, value = item.partition("=")
        if not equals:
            raise InvalidArgument(
                f"invalid publish opts format (should be name=value but got '{item}')", hint=_HINT
            )
        values[key] = value
    return f"{values['published']}:{values['target']}/{values['protocol']}"


def parse_expose(text: str) -> tuple[str, ...]:
    """Return ``("80/tcp", ...)`` for one --expose or one EXPOSE of an image. Raises InvalidArgument."""
    if ":" in text:
        raise InvalidArgument(f"invalid port format for --expose: {text}", hint="write it like 80 or 53/udp")
    ports, _, proto = text.partition("/")
    proto = proto.lower() or "tcp"
    found = parse_port_range(ports)
    if found is None:
        raise InvalidArgument(
            f"invalid range format for --expose: {text}", hint="write it like 80 or 80-90/tcp"
        )
    if proto not in ("tcp", "udp", "sctp"):
        raise InvalidArgument(f"invalid proto: {proto}", hint="use tcp, udp or sctp")
    return tuple(f"{port}/{proto}" for port in range(found[0], found[1] + 1))
