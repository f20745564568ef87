"""create: a row, a writable layer, the volumes. Nothing runs.

row (creating)            the name is ours; whoever finds it so without its lock held removes it all
ROOT/containers/ID        upper, work
volumes                   made when missing
row (created)
"""

from __future__ import annotations

import os
import time

from firkin import ids, log
from firkin.engine import locks, mounts, states, tables
from firkin.engine.row import Container
from firkin.engine.steps import step
from firkin.errors import AlreadyExists, FirkinError, InvalidArgument, NotFound
from firkin.specgen.merge import merge
from firkin.wire import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from firkin.engine.context import Context
    from firkin.engine.locks import Lock
    from firkin.images.image import Image
    from firkin.specgen.merge import Merged
    from firkin.specgen.options import CreateOptions


def create(ctx: Context, options: CreateOptions) -> Container:
    """Make a container and return it. Raises NotFound (image), AlreadyExists (name), InvalidArgument, ..."""
    return create_warned(ctx, options)[0]


def create_warned(ctx: Context, options: CreateOptions) -> tuple[Container, list[str]]:
    """``create``, and docker's warnings for what is merely odd."""
    container, lock, warnings = make(ctx, options)
    with lock:
        tables.update(ctx.db, container.id, state=states.CREATED)
    return container.replace(state=states.CREATED), warnings


def make(ctx: Context, options: CreateOptions, owner: str = "") -> tuple[Container, Lock, list[str]]:
    """Make a container whose row still says creating; return it with its lock held, and warnings.

    What fails leaves nothing.
    """
    from firkin.engine.limits import checked

    image = ctx.images.resolve(options.image)
    _suits(image, options)
    log.mark("image")
    container_id = ids.new_id()
    warnings = [*_foreign(image, options), *checked(options, container_id)]
    if options.volumes_from:
        options = options.replace(volume=options.volume + tuple(mounts.inherited(ctx, options.volumes_from)))
    merged = merge(options, image.config)
    if not merged.args:
        raise InvalidArgument(
            "no command specified",
            hint="the image has no CMD and no ENTRYPOINT: give the command after its name",
        )
    lock = locks.lock(ctx.config.paths, container_id)
    try:
        points = mounts.plan(merged.mounts)
        container = _insert(ctx, container_id, options, image, owner, merged, points)
        step("row-inserted")
        log.mark("row")
        try:
            ctx.snapshots.prepare(container_id, image.lowers)
            step("snapshot-made")
            if points:
                mounts.make(ctx, merged.mounts, points)
                step("volumes-made")
                container = container.replace(mounts=json.dumps(points))
                tables.update(ctx.db, container_id, mounts=container.mounts)
        except BaseException:
            from firkin.engine.erase import erase

            erase(ctx, container_id, volumes=True)
            raise
    except BaseException:
        locks.forget(ctx.config.paths, container_id)
        lock.release()
        raise
    log.mark("snapshot")
    return container, lock, warnings


def _suits(image: Image, options: CreateOptions) -> None:
    if options.host_expose and image.kind != "host":
        raise InvalidArgument(
            f"--host-expose is for the image host; of {options.image} nothing is masked", hint="leave it out"
        )
    if options.platform and image.config.architecture:
        from firkin.oci.platform import Platform, parse_platform, rank

        own = Platform(
            os=image.config.os, architecture=image.config.architecture, variant=image.config.variant
        )
        if rank(own, parse_platform(options.platform)) is None:
            raise NotFound(
                f"image with reference {options.image} was found but its platform ({own}) does not match the "
                f"specified platform ({options.platform})",
                hint=f"firkin load --platform {options.platform} one, or leave --platform out",
            )


def _foreign(image: Image, options: CreateOptions) -> tuple[str, ...]:
    """Return docker's warning for an image of another machine that nobody asked for by its platform."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine)
    if options.platform or image.config.architecture in ("", machine):
        return ()
    from firkin.oci.platform import host_platform, normalized, rank

    own = normalized(image.config.os, image.config.architecture, image.config.variant)
    if rank(own, host_platform()) is not None:
        return ()
    return (
        f"The requested image's platform ({own}) does not match the detected host platform ({host_platform()}) "
        "and no specific platform was requested",
    )


def _insert(
    ctx: Context,
    container_id: str,
    options: CreateOptions,
    image: Image,
    owner: str,
    merged: Merged,
    points: list[dict[str, Any]],
) -> Container:
    from firkin.engine.names import generate

    now = time.time_ns()
    given = options.name
    name = ids.check_name(given) if given else ""
    for attempt in range(100):
        container = Container(
            id=container_id,
            name=name or generate(os.urandom(4), attempt),
            image=options.image,
            image_id=image.id,
            options=json.dumps(sparse(options)),
            image_config=image.config.to_json().decode(),
            summary=json.dumps(
                {"command": merged.args, "labels": merged.labels, "exposed": merged.exposed_ports}
            ),
            root=json.dumps({"lowers": list(image.lowers), "kind": image.kind}),
            mounts=json.dumps(points),
            rm=int(options.rm),
            owner=owner,
            created_ns=now,
            state=states.CREATING,
        )
        try:
            with ctx.db.write():
                ctx.images.hold(image.id)
                tables.insert(ctx.db, container)
        except AlreadyExists:
            if name:
                raise
            continue
        return container
    raise FirkinError("no free name was found", hint="give one with --name")


def sparse(options: CreateOptions) -> dict[str, Any]:
    """Return what differs from the defaults: a row of a few hundred bytes instead of four thousand."""
    default = type(options)(image="")
    changed = {name: value for name, value in options.__dict__.items() if value != default.__dict__[name]}
    changed["image"] = options.image
    return {name: _plain(value) for name, value in changed.items()}


def _plain(value: object) -> object:
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    to_dict = getattr(value, "to_dict", None)
    return to_dict() if to_dict is not None else value
