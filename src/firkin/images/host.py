"""The built-in image ``host``: a copy-on-write view of this machine (docs/host-image.md, docs/adr/0006-host-image.md).

    container's /            overlay: lower = the host's root file system, upper = the container's own
    a separate /home, /usr   one more overlay each, with an upper of the container's own   (COPIED file systems)
    a separate /boot on vfat read-only bind                                                (SHOWN file systems)
    tmpfs, network, FUSE, pseudo file systems, other containers' overlays                  not seen
    /run                     an empty tmpfs
    secrets, firkin's state  masked: /dev/null over a file, an empty read-only tmpfs over a directory

This is the configuration and the list of secrets; host_plan.py turns them into mounts.
"""

from __future__ import annotations

import os

from firkin.images.image import HOST, Image
from firkin.images.resolve import HOST_ID, HOST_NAMES, display
from firkin.oci.image import ImageConfig
from firkin.oci.platform import host_platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SHELLS = ("/bin/bash", "/usr/bin/bash", "/bin/sh")

# Of the machine. A name that ends in "*" stands for what the directory has with that beginning and the end after "*".
SYSTEM_SECRETS = (
    "/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/security/opasswd",
    "/etc/ssh/ssh_host_*_key", "/etc/ssl/private", "/etc/krb5.keytab", "/etc/wireguard",
    "/etc/NetworkManager/system-connections",
)  # fmt: skip

# Of each home.
HOME_SECRETS = (
    ".ssh", ".gnupg", ".aws", ".azure", ".config/gcloud", ".docker", ".kube", ".netrc", ".config/gh", ".pypirc",
    ".npmrc", ".git-credentials", ".config/git/credentials", ".config/containers/auth.json", ".password-store",
    ".local/share/keyrings", ".bash_history", ".zsh_history", ".zhistory", ".sh_history", ".ash_history",
    ".ksh_history", ".histfile", ".history", ".tcsh_history", ".local/share/fish/fish_history", ".python_history",
    ".psql_history", ".mysql_history", ".sqlite_history", ".node_repl_history", ".lesshst",
)  # fmt: skip
# The only first components with more below, so that a home without them costs one look each.
_DEEP = (".config", ".local")
_FLAT = tuple(name for name in HOME_SECRETS if "/" not in name)


def host_image(names: tuple[str, ...] = ()) -> Image:
    """Return the image as resolve gives it; ``names`` are the canonical ones that it was given besides ``host``."""
    return Image(
        id=HOST_ID,
        references=(HOST_NAMES[1], *map(display, names)),
        digests=(),
        config=host_config(),
        lowers=("/",),
        size=0,
        created_ns=0,
        kind=HOST,
        masks=tuple(secrets()),
    )


def host_config() -> ImageConfig:
    """Return the configuration: the caller's PATH is not taken, Docker's default is."""
    shell = next((path for path in _SHELLS if os.access(path, os.X_OK)), "/bin/sh")
    platform = host_platform()
    return ImageConfig(
        architecture=platform.architecture,
        variant=platform.variant,
        os="linux",
        env=(f"PATH={PATH}",),
        cmd=(shell.rpartition("/")[2],),
        comment="a copy-on-write view of this machine, built into firkin",
    )


def secrets() -> Iterator[str]:
    """Yield the paths of secrets that exist, each once, in a fixed order."""
    for pattern in SYSTEM_SECRETS:
        yield from _expand(pattern)
    for home in homes():
        yield from _of_home(home)


def homes(passwd: str = "/etc/passwd", base: str = "/home") -> list[str]:  # noqa: S107 - a path
    """Return every home that is a directory: of the accounts in ``passwd``, /root, and all below ``base``."""
    found = {"/root": True}
    try:
        with open(passwd, "rb", buffering=0) as stream:
            lines = stream.read(4 << 20).split(b"\n")
    except FileNotFoundError:
        lines = []
    for line in lines:
        parts = line.split(b":")
        if len(parts) > 5 and parts[5].startswith(b"/"):
            found[os.path.normpath(os.fsdecode(parts[5]))] = True
    try:
        found.update((f"{base}/{name}", True) for name in os.listdir(base))
    except (FileNotFoundError, NotADirectoryError):
        pass  # no /home; any other failure must not unmask what lies there
    return [home for home in found if os.path.isdir(home)]


def _of_home(home: str) -> Iterator[str]:
    prefix = home.rstrip("/")
    for name in _FLAT:
        path = f"{prefix}/{name}"
        if os.access(path, os.F_OK):
            yield path
    for first in _DEEP:
        if not os.access(f"{prefix}/{first}", os.F_OK):
            continue
        for name in HOME_SECRETS:
            path = f"{prefix}/{name}"
            if name.startswith(f"{first}/") and os.access(path, os.F_OK):
                yield path


def _expand(pattern: str) -> Iterator[str]:
    before, star, after = pattern.partition("*")
    if not star:
        if os.access(pattern, os.F_OK):
            yield pattern
        return
    folder, _, beginning = before.rpartition("/")
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return
    for name in names:
        if name.startswith(beginning) and name.endswith(after):
            yield f"{folder}/{name}"
