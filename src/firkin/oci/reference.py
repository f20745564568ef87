"""Image references as Docker writes them (distribution/reference, grammar in its reference.go). Pure, without ``re``.

busybox                          docker.io/library/busybox:latest
me/app:1.2                       docker.io/me/app:1.2
localhost:5000/app@sha256:...    localhost:5000/app@sha256:...
\\_____ _____/ \\_/ \\_/ \\____ __/
      domain   path  tag     digest
"""

from __future__ import annotations

from firkin.errors import InvalidArgument
from firkin.oci.digest import check_digest
from firkin.record import Record

DEFAULT_DOMAIN = "docker.io"
DEFAULT_TAG = "latest"
OFFICIAL = "library/"
MAX_NAME = 255
_LOWER = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_ALNUM = _LOWER | frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_WORD = _ALNUM | {"_"}
_TAG = _WORD | {".", "-"}
_HEX = frozenset("0123456789abcdef")


class Reference(Record):
    """A normalised reference; ``tag`` is None only where a digest is given."""

    domain: str
    path: str
    tag: str | None = None
    digest: str | None = None

    @property
    def repository(self) -> str:
        """``docker.io/library/busybox``."""
        return f"{self.domain}/{self.path}"

    @property
    def familiar_repository(self) -> str:
        """``busybox``, as listings show it."""
        if self.domain != DEFAULT_DOMAIN:
            return self.repository
        rest = self.path.removeprefix(OFFICIAL)
        return rest if self.path.startswith(OFFICIAL) and "/" not in rest else self.path

    @property
    def tagged(self) -> str:
        """``docker.io/library/busybox:latest``: the key under which the store keeps a tag."""
        return f"{self.repository}:{self.tag or DEFAULT_TAG}"

    @property
    def familiar(self) -> str:
        return f"{self.familiar_repository}{self._suffix()}"

    def __str__(self) -> str:
        return f"{self.repository}{self._suffix()}"

    def _suffix(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{tag}@{self.digest}" if self.digest else tag


def parse(text: str) -> Reference:
    """Return the normalised reference. Raises InvalidArgument with Docker's words."""
    name, at, digest_text = text.partition("@")
    try:
        digest = check_digest(digest_text) if at else None
    except InvalidArgument:
        raise _invalid(text, "after @ comes sha256: and 64 hex digits") from None
    tag = None
    colon = name.rfind(":")
    if colon > name.rfind("/"):
        name, tag = name[:colon], name[colon + 1 :]
        if not _is_tag(tag):
            raise _invalid(text, "a tag is up to 128 letters, digits, '_', '.' and '-'")
    if len(name) == 64 and _HEX.issuperset(name):
        raise InvalidArgument(f"invalid repository name ({name}), cannot specify 64-byte hexadecimal strings")
    domain, path = _split(name)
    if path != path.lower():
        raise InvalidArgument(f"invalid reference format: repository name ({path}) must be lowercase")
    if not _is_domain(domain) or not all(map(_is_component, path.split("/"))):
        raise _invalid(text, "write it like name:tag or host:port/path/name:tag")
    if len(path) + len(domain) + 1 > MAX_NAME:
        raise InvalidArgument(f"repository name must not be more than {MAX_NAME} characters")
    if tag is None and digest is None:
        tag = DEFAULT_TAG
    return Reference(domain=domain, path=path, tag=tag, digest=digest)


def familiar(canonical: str) -> str:
    """Return the short form of a stored, canonical reference (``docker.io/library/busybox:latest``)."""
    if not canonical.startswith("docker.io/"):
        return canonical
    rest = canonical[len("docker.io/") :]
    short = rest.removeprefix(OFFICIAL)
    return rest if "/" in short else short


def _split(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    # Docker's splitDockerDomain: the first part is a host if it could not be a path component.
    if slash and ("." in first or ":" in first or first == "localhost" or first != first.lower()):
        domain, path = first, rest
    else:
        domain, path = DEFAULT_DOMAIN, name
    if domain == "index.docker.io":
        domain = DEFAULT_DOMAIN
    if domain == DEFAULT_DOMAIN and "/" not in path:
        path = OFFICIAL + path
    return domain, path


def _is_tag(text: str) -> bool:
    return 0 < len(text) <= 128 and text[0] in _WORD and _TAG.issuperset(text)


def _is_component(text: str) -> bool:
    """``[a-z0-9]+ ( ( [._] | __ | -+ ) [a-z0-9]+ )*``."""
    if not text or text[0] not in _LOWER or text[-1] not in _LOWER:
        return False
    separator = ""
    for char in text:
        if char in _LOWER:
            if separator and separator not in {".", "_", "__"} and separator.strip("-"):
                return False
            separator = ""
        else:
            separator += char
    return True


def _is_domain(text: str) -> bool:
    if text.startswith("["):
        host, bracket, port = text[1:].partition("]")
        if not bracket or not host or not frozenset("0123456789abcdefABCDEF:").issuperset(host):
            return False
        return not port or (port[0] == ":" and _is_port(port[1:]))
    host, colon, port = text.partition(":")
    if colon and not _is_port(port):
        return False
    return all(
        part and _ALNUM.issuperset(part.replace("-", "")) and part[0] != "-" and part[-1] != "-"
        for part in host.split(".")
    )


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _invalid(text: str, hint: str) -> InvalidArgument:
    cut = text if len(text) <= 200 else f"{text[:200]}..."
    return InvalidArgument(f"invalid reference format: {ascii(cut)[1:-1]}", hint=hint)
