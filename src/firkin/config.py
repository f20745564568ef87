"""What this engine is: its two roots, its identity and its settings.

``ROOT/engine.json`` is written once, when the root is first used:

    {"id": "3f9c0a1b", "settings": {}}

``id`` (8 hex digits) goes into the name of every kernel object that the engine makes, so that each can be traced
to its engine and two engines never touch each other's:

    cgroup  firkin/<id>/<container>      bridge  fk<id>       veth  fv<first 13 digits of container>
    nft     table ip firkin_<id>         loopback, tmpfs and overlay: in the monitor's mount namespace
"""

from __future__ import annotations

import os

from firkin import atomic
from firkin.errors import Internal, PermissionDenied, Unavailable
from firkin.paths import Paths
from firkin.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_ROOT = "/var/lib/firkin"
DEFAULT_RUN_ROOT = "/run/firkin"
_HEX = set("0123456789abcdef")


class Config(Record):
    """One engine. ``settings`` are the keys of engine.json that a person may change."""

    paths: Paths
    engine_id: str
    settings: dict[str, object]

    @property
    def cgroup_parent(self) -> str:
        """Cgroup below which the containers' own are made, relative to each hierarchy's mount point."""
        return f"firkin/{self.engine_id}"

    @property
    def bridge(self) -> str:
        return f"fk{self.engine_id}"

    @property
    def nft_table(self) -> str:
        return f"firkin_{self.engine_id}"


def locate(
    root: str | None = None,
    run_root: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Paths:
    """Return the roots: the argument, else FIRKIN_ROOT / FIRKIN_RUN_ROOT, else the defaults.

    A root given without a run root gets ``RUN/<name>`` of its own below the default run root, so that two roots
    never share one by accident.
    """
    chosen = root or environ.get("FIRKIN_ROOT") or DEFAULT_ROOT
    chosen = os.path.abspath(chosen)
    run = run_root or environ.get("FIRKIN_RUN_ROOT")
    if not run:
        run = DEFAULT_RUN_ROOT
        if chosen != DEFAULT_ROOT:
            run = f"/run/firkin-roots/{chosen.strip('/').replace('/', '-')}"
    return Paths(root=chosen, run_root=os.path.abspath(run))


def load(paths: Paths) -> Config:
    """Return the engine of ``paths``, founding it if the root is new.

    Raises PermissionDenied or Unavailable when the roots cannot be made, Internal when engine.json is damaged.
    """
    try:
        try:
            text = atomic.read_text(paths.engine_json)
        except (NotADirectoryError, PermissionError) as error:
            raise _unusable(paths, error) from error
        if text is None:
            text = _found(paths)
        elif not os.path.isdir(paths.locks):
            try:
                _make_run_root(paths)
            except OSError as error:
                raise _unusable(paths, error) from error
        data = _parsed(text)
        engine_id, settings = data["id"], data.get("settings", {})
        if not (isinstance(engine_id, str) and len(engine_id) == 8 and set(engine_id) <= _HEX):
            raise ValueError("its id is not 8 hexadecimal digits")
        if not isinstance(settings, dict):
            raise TypeError("its settings are no object")
    except (ValueError, KeyError, TypeError) as error:
        raise Internal(
            f"{paths.engine_json} is damaged ({error})",
            hint="restore it from a backup; its id is in the names of the engine's cgroups",
        ) from error
    return Config(paths=paths, engine_id=engine_id, settings=settings)


def _parsed(text: str) -> dict[str, object]:
    """Return the object in engine.json; as ``_found`` wrote it, it is read without the 6 ms that json costs."""
    head, tail = '{"id": "', '", "settings": {}}\n'
    if len(text) == len(head) + 8 + len(tail) and text.startswith(head) and text.endswith(tail):
        return {"id": text[len(head) : -len(tail)], "settings": {}}
    import json

    data: dict[str, object] = json.loads(text)
    return data


def _found(paths: Paths) -> str:
    try:
        for folder in (paths.root, paths.containers, paths.blobs, paths.layers, paths.volumes,
                       paths.cache, paths.tmp):  # fmt: skip
            os.makedirs(folder, mode=0o711 if folder == paths.root else 0o700, exist_ok=True)
        _make_run_root(paths)
        text = f'{{"id": "{os.urandom(4).hex()}", "settings": {{}}}}\n'
        temporary = f"{paths.tmp}/engine.{os.getpid()}"
        with open(temporary, "w", encoding="utf-8") as stream:
            stream.write(text)
        try:
            os.link(temporary, paths.engine_json)  # the first founder wins, whoever else is at it
        except FileExistsError:
            text = atomic.read_text(paths.engine_json) or ""
        finally:
            os.unlink(temporary)
    except OSError as error:
        raise _unusable(paths, error) from error
    return text


def _unusable(paths: Paths, error: OSError) -> PermissionDenied | Unavailable:
    kind = PermissionDenied if isinstance(error, PermissionError) else Unavailable
    return kind(
        f"cannot use {error.filename or paths.root} as a root of firkin's: {(error.strerror or str(error)).lower()}",
        hint="run as root, or choose a directory of your own with --root and --run-root",
    )


def _make_run_root(paths: Paths) -> None:
    for folder in (paths.run_root, paths.run_containers, paths.locks):
        os.makedirs(folder, mode=0o711, exist_ok=True)
