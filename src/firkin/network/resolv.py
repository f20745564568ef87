"""A container's /etc/resolv.conf, made from the host's by Docker's rule. Pure, but for ``read_host``.

On a bridge network the host's loopback name servers (systemd-resolved's 127.0.0.53, dnsmasq) cannot be reached, and
IPv6 ones neither: they are left out. systemd-resolved's real upstreams are in a file of its own. When none is left,
Google's are used, as by Docker. On the host's network the file is taken as it is.
"""

from __future__ import annotations

from firkin.atomic import read_text
from firkin.errors import InvalidArgument
from firkin.network import ipv4

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HOST_FILE = "/etc/resolv.conf"
SYSTEMD_FILE = "/run/systemd/resolve/resolv.conf"
STUB = "127.0.0.53"
FALLBACK = ("8.8.8.8", "8.8.4.4")


def read_host() -> str:
    """Return the text of the host's resolv.conf, or of systemd-resolved's upstreams when it has its stub alone."""
    text = read_text(HOST_FILE) or ""
    if _values(text, "nameserver") == [STUB]:
        return read_text(SYSTEMD_FILE) or text
    return text


def contents(
    host: str,
    *,
    servers: Sequence[str] = (),
    search: Sequence[str] = (),
    options: Sequence[str] = (),
    shared: bool = False,
) -> str:
    """Return the file's text. ``servers``, ``search``, ``options`` (--dns...) replace the host's each for itself.

    ``shared`` says that the container is on the host's network: then loopback servers work and stay.
    A search list of "." alone is an empty one.
    """
    chosen = list(servers)
    if not chosen:
        chosen = _values(host, "nameserver")
        if not shared:
            chosen = [server for server in chosen if _reachable(server)] or list(FALLBACK)
    domains = [domain for domain in search if domain != "."] if search else _last(host, ("search", "domain"))
    settings = list(options) if options else _last(host, ("options",))
    lines = [f"nameserver {server}" for server in chosen]
    if domains:
        lines.append(f"search {' '.join(domains)}")
    if settings:
        lines.append(f"options {' '.join(settings)}")
    return "".join(f"{line}\n" for line in lines)


def servers_of(text: str) -> tuple[str, ...]:
    """Return the name servers of a resolv.conf."""
    return tuple(_values(text, "nameserver"))


def _lines(text: str) -> Iterable[list[str]]:
    for line in text.splitlines():
        words = line.split()
        if words and words[0][0] not in "#;":
            yield words


def _values(text: str, keyword: str) -> list[str]:
    return [words[1] for words in _lines(text) if words[0] == keyword and len(words) > 1]


def _last(text: str, keywords: tuple[str, ...]) -> list[str]:
    """resolv.conf(5): of several search or domain lines, the last wins."""
    found = [words[1:] for words in _lines(text) if words[0] in keywords]
    return [word for word in found[-1] if word != "."] if found else []


def _reachable(server: str) -> bool:
    if ":" in server:
        return False
    try:
        return not ipv4.is_loopback(ipv4.parse(server))
    except InvalidArgument:
        return False
