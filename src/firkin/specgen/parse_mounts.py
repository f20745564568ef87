"""-v, --mount, --tmpfs and --volumes-from: docker's grammar -> Mount. Pure: relative sources need ``cwd``.

-v        [SOURCE:]TARGET[:OPTION,...]     SOURCE absolute or "./x": a directory; else a volume's name
--mount   key=value,...  (CSV)             type=bind|volume|tmpfs, source, target, readonly, ...
--tmpfs   TARGET[:OPTION,...]
"""

from __future__ import annotations

import posixpath

from firkin.errors import InvalidArgument, Unsupported
from firkin.specgen.options import Mount
from firkin.units import parse_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PROPAGATIONS = ("private", "rprivate", "shared", "rshared", "slave", "rslave")
_CONSISTENCIES = ("consistent", "cached", "delegated", "default")
_RECURSIVE = ("enabled", "disabled", "writable", "readonly")
_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")
_NAME_FIRST = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_NAME_REST = _NAME_FIRST | frozenset("_.-")
_VOLUME_HINT = "write it like /host/dir:/dir, name:/dir:ro or /dir"
_MOUNT_HINT = "write it like type=bind,source=/host/dir,target=/dir,readonly"


def parse_bool(text: str) -> bool | None:
    """Return Go's strconv.ParseBool, None for what it refuses."""
    return True if text in _TRUE else False if text in _FALSE else None


def clean_target(target: str) -> str:
    """Return the absolute, normalised path in the container. Raises InvalidArgument."""
    if not target.startswith("/"):
        raise InvalidArgument(
            f"invalid mount path: '{target}' mount path must be absolute", hint="start it with '/'"
        )
    clean = "/" + posixpath.normpath(target).lstrip("/")
    if clean == "/":
        raise InvalidArgument(
            "invalid specification: destination can't be '/'", hint="mount onto a directory below /"
        )
    if "\0" in clean:
        raise InvalidArgument("a mount path contains a NUL byte", hint="remove it")
    return clean


def check_volume_name(name: str) -> str:
    """Return ``name`` if it can name a volume, else refuse as docker does."""
    if len(name) < 2 or name[0] not in _NAME_FIRST or not _NAME_REST.issuperset(name):
        raise InvalidArgument(
            f'"{name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" '
            "are allowed",
            hint="if you intended to pass a host directory, use absolute path",
        )
    return name


def _source_path(source: str, cwd: str) -> str:
    if source.startswith("."):
        source = f"{cwd}/{source}"
    return "/" + posixpath.normpath(source).lstrip("/")


def parse_volume(text: str, cwd: str = "/", driver: str = "") -> Mount:
    """Return the Mount of one -v; its source is made when missing, as docker does. Raises InvalidArgument."""
    parts = text.split(":")
    invalid = f"invalid volume specification: '{text}'"
    if not 1 <= len(parts) <= 3 or not all(parts):
        raise InvalidArgument(invalid, hint=_VOLUME_HINT)
    if len(parts) == 2 and _mode_options(parts[1]) is not None:
        raise InvalidArgument(invalid, hint=_VOLUME_HINT)
    mode = parts[2] if len(parts) == 3 else ""
    options = _mode_options(mode)
    if options is None:
        raise InvalidArgument(f"{invalid}: invalid mode: {mode}", hint="use ro, rw, z, Z, nocopy, rslave ...")
    source, target = ("", parts[0]) if len(parts) == 1 else (parts[0], parts[1])
    kind = "bind" if source.startswith(("/", ".")) else "volume"
    try:
        target = clean_target(target)
        if source and kind == "volume":
            check_volume_name(source)
    except InvalidArgument as error:
        message = f'{invalid}: invalid mount config for type "{kind}": {error.message}'
        raise InvalidArgument(message, hint=error.hint) from None
    if kind == "volume" and ("propagation" in options or "bind_recursive" in options):
        raise InvalidArgument(
            f"{invalid}: propagation and rro are for host directories",
            hint="drop them, or give an absolute path",
        )
    return Mount(
        type=kind,
        target=target,
        source=_source_path(source, cwd) if kind == "bind" else source,
        create_source=kind == "bind",
        driver=driver if kind == "volume" else "",
        mode=mode,
        **options,
    )


def _mode_options(mode: str) -> dict[str, Any] | None:
    """Return what ``ro,z,rslave`` says, None when it is not a mode (each sort at most once)."""
    found: dict[str, Any] = {}
    if not mode:
        return found
    for word in mode.split(","):
        if word in ("ro", "rw"):
            new: dict[str, Any] = {"read_only": word == "ro"}
        elif word == "rro":
            new = {"read_only": True, "bind_recursive": "readonly"}
        elif word in ("z", "Z"):
            new = {"relabel": word}
        elif word in PROPAGATIONS:
            new = {"propagation": word}
        elif word == "nocopy":
            new = {"no_copy": True}
        elif word in _CONSISTENCIES:
            new = {"consistency": word}
        else:
            return None
        if found.keys() & new.keys():
            return None
        found.update(new)
    return found


def split_csv(text: str) -> list[str]:
    """Return the fields of one CSV line; a field in double quotes may contain commas and "" for a quote."""
    if '"' not in text:
        return text.split(",")
    fields: list[str] = []
    rest = text
    while True:
        if not rest.startswith('"'):
            field, comma, rest = rest.partition(",")
            if '"' in field:
                raise InvalidArgument(
                    f'bare " in non-quoted field: {field}', hint='quote the whole field: "a=b,c"'
                )
        else:
            field, rest = _quoted(rest)
            if rest and not rest.startswith(","):
                raise InvalidArgument(
                    f'extraneous or missing " in quoted field: {text}', hint='write "" for a quote'
                )
            comma, rest = rest[:1], rest[1:]
        fields.append(field)
        if not comma:
            return fields


def _quoted(rest: str) -> tuple[str, str]:
    """Split ``"a""b",c`` into ``a"b`` and ``,c``."""
    end = rest.find('"', 1)
    while end >= 0 and rest[end + 1 : end + 2] == '"':
        end = rest.find('"', end + 2)
    if end < 0:
        raise InvalidArgument(f'extraneous or missing " in quoted field: {rest}', hint="close the quote")
    return rest[1:end].replace('""', '"'), rest[end + 1 :]


def parse_mount(text: str, cwd: str = "/") -> Mount:
    """Return the Mount of one --mount. Raises InvalidArgument with docker's texts."""
    values: dict[str, Any] = {"type": "volume", "target": "", "source": ""}
    labels: dict[str, str] = {}
    driver_opts: dict[str, str] = {}
    for field in split_csv(text):
        key, equals, value = field.partition("=")
        key = key.lower()
        if not equals and key not in (
            "readonly",
            "ro",
            "volume-nocopy",
            "bind-nonrecursive",
            "bind-create-src",
        ):
            raise InvalidArgument(f"invalid field '{field}' must be a key=value pair", hint=_MOUNT_HINT)
        if key in ("volume-label", "volume-opt"):
            name, _, content = value.partition("=")
            (labels if key == "volume-label" else driver_opts)[name] = content
            values["volume-option"] = True
        else:
            _mount_field(values, key, value if equals else "true", field)
    return _checked_mount(values, labels, driver_opts, cwd)


_FIELDS = {
    "type": "type", "source": "source", "src": "source", "target": "target", "dst": "target",
    "destination": "target", "readonly": "read_only", "ro": "read_only", "consistency": "consistency",
    "bind-propagation": "propagation", "bind-nonrecursive": "nonrecursive", "bind-recursive": "bind_recursive",
    "bind-create-src": "create_source", "volume-nocopy": "no_copy", "volume-subpath": "subpath",
    "volume-driver": "driver", "tmpfs-size": "tmpfs_size", "tmpfs-mode": "tmpfs_mode",
}  # fmt: skip


def _mount_field(values: dict[str, Any], key: str, value: str, field: str) -> None:
    name = _FIELDS.get(key)
    if name is None:
        raise InvalidArgument(f"unexpected key '{key}' in '{field}'", hint=_MOUNT_HINT)
    if not value and key != "consistency":
        raise InvalidArgument(f"invalid value for '{key}': value is empty", hint=_MOUNT_HINT)
    read: Any = value
    if name in ("read_only", "nonrecursive", "no_copy", "create_source"):
        read = parse_bool(value)
    elif name == "tmpfs_size":
        try:
            read = parse_size(value)
        except InvalidArgument:
            read = None
    elif name == "tmpfs_mode":
        read = int(value, 8) if 0 < len(value) <= 8 and not value.strip("01234567") else None
    elif name in ("type", "consistency", "propagation"):
        read = value.lower()
    if read is None:
        raise InvalidArgument(f"invalid value for {key}: {value}", hint=_MOUNT_HINT)
    if name == "bind_recursive" and value not in _RECURSIVE:
        raise InvalidArgument(
            f'invalid value for {key}: {value} (must be "enabled", "disabled", "writable", or "readonly")',
            hint=_MOUNT_HINT,
        )
    values[name] = read
    family = key.partition("-")[0]
    if family != key and family in ("bind", "volume", "tmpfs"):
        values[f"{family}-option"] = True


def _checked_mount(
    values: dict[str, Any], labels: dict[str, str], driver_opts: dict[str, str], cwd: str
) -> Mount:
    kind = values["type"]
    if kind not in ("bind", "volume", "tmpfs"):
        if kind in ("image", "npipe", "cluster"):
            raise Unsupported(f"mounts of type {kind} are not supported", hint="use bind, volume or tmpfs")
        raise InvalidArgument(
            f'invalid mount config for type "{kind}": mount type unknown', hint="use bind, volume or tmpfs"
        )
    if not values["target"]:
        raise InvalidArgument("target is required", hint=_MOUNT_HINT)
    for family in ("bind", "volume", "tmpfs"):
        if values.pop(f"{family}-option", False) and family != kind:
            raise InvalidArgument(
                f"cannot mix '{family}-*' options with mount type '{kind}'", hint=_MOUNT_HINT
            )
    if values.pop("nonrecursive", False):
        if values.get("bind_recursive", "disabled") != "disabled":
            raise InvalidArgument(
                "bind-nonrecursive and bind-recursive contradict each other", hint="drop one"
            )
        values["bind_recursive"] = "disabled"
    try:
        values["target"] = clean_target(values["target"])
        _check_source(values, cwd)
    except InvalidArgument as error:
        message = f'invalid mount config for type "{kind}": {error.message}'
        raise InvalidArgument(message, hint=error.hint) from None
    _check_recursive(values)
    return Mount(labels=labels, driver_opts=driver_opts, **values)


def _check_source(values: dict[str, Any], cwd: str) -> None:
    kind, source, subpath = values["type"], values["source"], values.get("subpath", "")
    if kind == "bind":
        if not source:
            raise InvalidArgument("field Source must not be empty", hint=_MOUNT_HINT)
        if not source.startswith(("/", ".")):
            raise InvalidArgument(
                f"invalid mount path: '{source}' mount path must be absolute",
                hint="start the source with '/'",
            )
        values["source"] = _source_path(source, cwd)
        propagation = values.get("propagation", "rprivate")
        if propagation not in PROPAGATIONS:
            raise InvalidArgument(
                f"invalid propagation mode: {propagation}", hint="use rprivate, rslave or rshared"
            )
    elif kind == "tmpfs":
        if source:
            raise InvalidArgument("field Source must not be specified", hint="a tmpfs has no source")
    else:
        if source:
            check_volume_name(source)
        elif values.get("read_only"):
            raise InvalidArgument(
                "must not set ReadOnly mode when using anonymous volumes", hint="name the volume with source="
            )
        if subpath and not source:
            raise InvalidArgument("must not set Subpath when using anonymous volumes", hint="name the volume")
        if subpath.startswith("/") or ".." in subpath.split("/"):
            raise InvalidArgument(
                "subpath must be a relative path within the volume", hint="write it like a/b"
            )


def _check_recursive(values: dict[str, Any]) -> None:
    wish = values.get("bind_recursive", "")
    if wish in ("writable", "readonly") and not values.get("read_only"):
        raise InvalidArgument(
            f"option 'bind-recursive={wish}' requires 'readonly' to be specified in conjunction",
            hint=_MOUNT_HINT,
        )
    if wish == "readonly" and values.get("propagation") != "rprivate":
        raise InvalidArgument(
            "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction",
            hint=_MOUNT_HINT,
        )


def parse_tmpfs(text: str) -> tuple[str, str]:
    """Return (target, options) of one --tmpfs. Raises InvalidArgument."""
    target, _, options = text.partition(":")
    return clean_target(target), options


def parse_volumes_from(text: str) -> tuple[str, bool]:
    """Return (container, read only) of one --volumes-from. Raises InvalidArgument."""
    name, _, mode = text.partition(":")
    if not name:
        raise InvalidArgument(
            "volumes-from specification cannot be an empty string", hint="write it like NAME or NAME:ro"
        )
    options = _mode_options(mode)
    if options is None or options.keys() & {"propagation", "no_copy", "bind_recursive"}:
        raise InvalidArgument(f"invalid mode: {mode}", hint="use ro or rw")
    return name, bool(options.get("read_only"))
