"""The mounts of config.json: docker's defaults, then what was asked for, shallow before deep.

/proc /dev /dev/pts /sys /sys/fs/cgroup /dev/mqueue /dev/shm      unless mounted over by the user
the image "host": the host's further mounts
volumes, binds, tmpfs, then /etc/resolv.conf hostname hosts       stable order by depth of the target
/sbin/docker-init                                                 --init
"""

from __future__ import annotations

from firkin.errors import InvalidArgument, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from firkin.specgen.facts import Facts
    from firkin.specgen.options import CreateOptions, Mount

SHM_SIZE = 64 << 20
_SHM = "/dev/shm"  # noqa: S108 - no temporary file: the mount point that POSIX shared memory needs
INIT_PATH = "/sbin/docker-init"

#     target             type      source    options
DEFAULTS = (
    ("/proc", "proc", "proc", ("nosuid", "noexec", "nodev")),
    ("/dev", "tmpfs", "tmpfs", ("nosuid", "strictatime", "mode=755", "size=65536k")),
    ("/dev/pts", "devpts", "devpts",
     ("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5")),
    ("/sys", "sysfs", "sysfs", ("nosuid", "noexec", "nodev", "ro")),
    ("/sys/fs/cgroup", "cgroup", "cgroup", ("ro", "nosuid", "noexec", "nodev")),
    ("/dev/mqueue", "mqueue", "mqueue", ("nosuid", "noexec", "nodev")),
    (_SHM, "tmpfs", "shm", ("nosuid", "noexec", "nodev", "mode=1777")),
)  # fmt: skip

# tmpfs options by the flag that they set or clear: of each pair the last one wins.
_PAIRS = (
    ("ro", "rw"), ("suid", "nosuid"), ("dev", "nodev"), ("exec", "noexec"), ("sync", "async"), ("dirsync",),
    ("mand", "nomand"), ("atime", "noatime"), ("diratime", "nodiratime"), ("relatime", "norelatime"),
    ("strictatime", "nostrictatime"),
    ("private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable"),
)  # fmt: skip
_TMPFS_DATA = ("size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol")
_TMPFS_DEFAULTS = ("noexec", "nosuid", "nodev", "rprivate")


def spec_mounts(
    options: CreateOptions, mounts: Sequence[Mount], facts: Facts, *, new_userns: bool
) -> list[dict[str, Any]]:
    """Return config.json's ``mounts``; ``mounts`` are Merged's. Raises InvalidArgument, Unsupported."""
    asked = [_asked(mount, facts) for mount in mounts]
    asked += [_tmpfs(target, text) for target, text in options.tmpfs.items()]
    taken = {mount["destination"] for mount in asked}
    asked += _shared_memory(options, facts, taken)
    asked += _network_files(options, facts, taken)
    taken.update(mount["destination"] for mount in asked)
    asked.sort(key=_depth)
    found = _defaults(options, facts, taken, new_userns=new_userns)
    for extra in facts.extra_mounts:
        if not _is_covered(extra["destination"], taken):
            found.append(extra)
    found += asked
    if facts.init_path and wants_init(options):
        found.append(_mount(INIT_PATH, "bind", facts.init_path, ["bind", "ro"]))
    return found


def wants_init(options: CreateOptions) -> bool:
    """Say whether an init goes first; a PID namespace shared with others has one already."""
    return bool(options.init) and options.pid in ("", "private")


def _mount(destination: str, kind: str, source: str, options: list[str]) -> dict[str, Any]:
    return {"destination": destination, "type": kind, "source": source, "options": options}


def _depth(mount: dict[str, Any]) -> int:
    destination: str = mount["destination"]
    return destination.count("/")


def _is_covered(path: str, taken: Iterable[str]) -> bool:
    return any(path == other or path.startswith(f"{other}/") for other in taken)


def _defaults(
    options: CreateOptions, facts: Facts, taken: set[str], *, new_userns: bool
) -> list[dict[str, Any]]:
    found = []
    own_dev = "/dev" in taken
    writable = options.privileged or facts.cgroup_writable or options.security_opt.writable_cgroups
    loosened: tuple[str, ...] = ("/sys",) if options.privileged else ()
    if writable or new_userns:
        loosened += ("/sys/fs/cgroup",)
    for target, kind, source, fixed in DEFAULTS:
        if target in taken or (own_dev and target.startswith("/dev/")):
            continue
        words = list(fixed)
        if target == _SHM:
            if options.ipc == "none":
                continue
            words.append(f"size={options.shm_size or SHM_SIZE}")
        elif target in loosened:
            words.remove("ro")
        found.append(_mount(target, kind, source, words))
    if new_userns:
        _adapt_to_userns(found, options, facts)
    return found


def _adapt_to_userns(found: list[dict[str, Any]], options: CreateOptions, facts: Facts) -> None:
    """Bind what a new user namespace may not mount anew; leave out the message queues, which would be the host's.

    user_namespaces(7): sysfs asks for the network namespace's owner, proc for the PID namespace's, mqueue for the
    IPC namespace's; gid 5 of devpts must be mapped.
    """
    foreign_network = options.network == "host" or (
        "network" in facts.namespaces and not facts.network_in_userns
    )
    foreign = {
        "/sys": foreign_network,
        "/proc": options.pid == "host" or "pid" in facts.namespaces,
    }
    if options.ipc == "host" or "ipc" in facts.namespaces:
        found[:] = [mount for mount in found if mount["destination"] != "/dev/mqueue"]
    for mount in found:
        target = mount["destination"]
        if foreign.get(target):
            words = ["rbind", *(w for w in mount["options"] if w != "ro")]
            if target == "/sys" and not options.privileged:
                words.append("rro" if facts.rro else "ro")
            mount.update(type="bind", source=target, options=words)


def _asked(mount: Mount, facts: Facts) -> dict[str, Any]:
    if mount.type == "tmpfs":
        words = ["ro"] if mount.read_only else []
        if mount.tmpfs_mode:
            words.append(f"mode={mount.tmpfs_mode:o}")
        if mount.tmpfs_size:
            words.append(f"size={_binary(mount.tmpfs_size)}")
        if mount.tmpfs_options:
            words.append(mount.tmpfs_options)
        return _tmpfs(mount.target, ",".join(words))
    options = ["bind" if mount.bind_recursive == "disabled" else "rbind"]
    if mount.read_only:
        options.append(_read_only(mount, facts))
    if mount.type == "volume":
        return _mount(mount.target, "bind", volume_path(mount, facts), options)
    options.append(mount.propagation or "rprivate")
    return _mount(mount.target, "bind", mount.source, options)


def volume_path(mount: Mount, facts: Facts) -> str:
    """Return the directory of a mount of type "volume", its subpath included."""
    path = facts.volumes.get(mount.target)
    if path is None:
        raise InvalidArgument(
            f"the volume for {mount.target} was not prepared",
            hint="create the container again",
            target=mount.target,
        )
    return path


def _read_only(mount: Mount, facts: Facts) -> str:
    """Read-only is recursive where the kernel can (docker 25 and later); "readonly" insists on it."""
    if facts.rro and mount.bind_recursive not in ("writable", "disabled"):
        return "rro"
    if mount.bind_recursive == "readonly":
        raise Unsupported(
            f"this kernel cannot make {mount.target} recursively read-only",
            hint="use Linux 5.12 or later, or bind-recursive=writable",
        )
    return "ro"


def _binary(size: int) -> str:
    for unit, factor in (("g", 1 << 30), ("m", 1 << 20), ("k", 1 << 10)):
        if size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)


def _tmpfs(target: str, text: str) -> dict[str, Any]:
    return _mount(target, "tmpfs", "tmpfs", tmpfs_options(text))


def tmpfs_options(text: str) -> list[str]:
    """Return the options of a tmpfs: docker's defaults, then ``text``; of contradicting ones the last.

    Raises InvalidArgument for one that docker does not know.
    """
    found: dict[object, str] = {}
    words = [*_TMPFS_DEFAULTS, *(text.split(",") if text else ())]
    for word in reversed(words):
        if word == "defaults":
            continue
        key = _tmpfs_key(word)
        if key is None:
            raise InvalidArgument(
                f'invalid tmpfs option "{word}"', hint=f"use flags, or {', '.join(_TMPFS_DATA)}", option=word
            )
        if key in ("size", "nr_inodes", "nr_blocks") and not _is_amount(word.partition("=")[2]):
            raise InvalidArgument(
                f'invalid tmpfs option "{word}"', hint=f"write it like {key}=64m", option=word
            )
        found.setdefault(key, word)
    return list(reversed(found.values()))


def _is_amount(text: str) -> bool:
    """Say whether tmpfs takes ``text`` (memparse in lib/cmdline.c, or a share of the memory)."""
    digits = text[:-1] if text[-1:] in "kmgtpeKMGTPE%" else text
    return digits.isascii() and digits.isdigit()


def _tmpfs_key(word: str) -> object:
    name, equals, value = word.partition("=")
    if equals:
        return name if name in _TMPFS_DATA and value else None
    for number, pair in enumerate(_PAIRS):
        if word in pair:
            return number
    return None


def _shared_memory(options: CreateOptions, facts: Facts, taken: set[str]) -> list[dict[str, Any]]:
    """Bind the /dev/shm that belongs to a shared IPC namespace."""
    mode = options.ipc
    source = facts.shm_path
    if mode == "host":
        source = source or _SHM
    elif mode != "shareable" and not mode.startswith("container:"):
        return []
    if not source or _SHM in taken:
        return []
    return [_mount(_SHM, "bind", source, ["rbind", "rprivate"])]


def _network_files(options: CreateOptions, facts: Facts, taken: set[str]) -> list[dict[str, Any]]:
    found = []
    for target, source in (
        ("/etc/resolv.conf", facts.resolv_conf_path),
        ("/etc/hostname", facts.hostname_path),
        ("/etc/hosts", facts.hosts_path),
    ):
        if source and target not in taken:
            words = ["rbind", "rprivate"]
            if options.read_only:
                words.insert(1, "ro")
            found.append(_mount(target, "bind", source, words))
    return found


def root_propagation(mounts: Sequence[Mount]) -> str | None:
    """Return what the root must propagate so that the mounts' own propagation works, None for the default."""
    kinds = {mount.propagation for mount in mounts}
    if kinds & {"shared", "rshared"}:
        return "shared"
    return "rslave" if kinds & {"slave", "rslave"} else None
