"""Image + options by docker's rules."""

from __future__ import annotations

import pytest

from firkin.errors import InvalidArgument
from firkin.oci.image import ImageConfig
from firkin.specgen.merge import merge, replace_env
from firkin.specgen.options import CreateOptions, HealthCheck, Mount, PortSpec


def args(image: ImageConfig, **options: object) -> tuple[str, ...]:
    return merge(CreateOptions(image="x", **options), image).args


BOTH = ImageConfig(entrypoint=("/entry",), cmd=("a", "b"))
CMD = ImageConfig(cmd=("a", "b"))


@pytest.mark.parametrize(
    ("image", "options", "wanted"),
    [
        (BOTH, {}, ("/entry", "a", "b")),
        (BOTH, {"command": ("c",)}, ("/entry", "c")),
        (BOTH, {"entrypoint": ("/own",)}, ("/own",)),
        (BOTH, {"entrypoint": ("/own",), "command": ("c",)}, ("/own", "c")),
        (BOTH, {"entrypoint": ()}, ()),
        (BOTH, {"entrypoint": ("",)}, ()),
        (BOTH, {"entrypoint": (), "command": ("c",)}, ("c",)),
        (CMD, {}, ("a", "b")),
        (CMD, {"command": ("c",)}, ("c",)),
        (CMD, {"entrypoint": ("/own",)}, ("/own",)),
        (ImageConfig(), {}, ()),
    ],
)
def test_entrypoint_and_command(
    image: ImageConfig, options: dict[str, object], wanted: tuple[str, ...]
) -> None:
    assert args(image, **options) == wanted


def test_the_users_environment_comes_first_and_wins() -> None:
    image = ImageConfig(env=("PATH=/bin", "A=image", "GONE=1"))
    merged = merge(CreateOptions(image="x", env=("A=own", "GONE", "B=2")), image)
    assert merged.env == ("A=own", "GONE", "B=2", "PATH=/bin")
    assert merge(CreateOptions(image="x"), image).env == image.env


def test_variables_are_replaced_in_place() -> None:
    assert replace_env(["A=1", "B=2"], ["B=3", "C=4", "A"]) == ["B=3", "C=4"]
    assert replace_env(["A=1"], ["A=2", "A=3"]) == ["A=3"]


def test_labels_user_directory_and_signal() -> None:
    image = ImageConfig(labels={"a": "1", "b": "2"}, user="web", working_dir="/srv", stop_signal="SIGINT")
    merged = merge(CreateOptions(image="x", label={"b": "3"}, workdir="/tmp"), image)
    assert merged.labels == {"a": "1", "b": "3"}
    assert (merged.user, merged.working_dir, merged.stop_signal) == ("web", "/tmp", "SIGINT")


def test_published_ports_are_exposed() -> None:
    image = ImageConfig(exposed_ports=("80/tcp", "53/udp"))
    options = CreateOptions(image="x", publish=(PortSpec(container_port=80), PortSpec(container_port=81)))
    assert merge(options, image).exposed_ports == ("80/tcp", "53/udp", "81/tcp")


def test_the_images_volumes_become_anonymous_unless_mounted_over() -> None:
    image = ImageConfig(volumes=("/data", "/cache/", "/tmp", "/data"))
    own = Mount(type="bind", source="/a", target="/cache", create_source=True)
    merged = merge(CreateOptions(image="x", volume=(own,), tmpfs={"/tmp": ""}), image)
    assert merged.mounts == (own, Mount(type="volume", target="/data", from_image=True))


@pytest.mark.parametrize("path", ["/", "/a/..", "../../etc", "/a\0b"])
def test_an_images_volume_with_a_trick_is_refused(path: str) -> None:
    with pytest.raises(InvalidArgument, match="the image declares a volume at"):
        merge(CreateOptions(image="x"), ImageConfig(volumes=(path,)))


def test_the_health_check_inherits_what_is_not_said() -> None:
    image = ImageConfig(healthcheck={"Test": ["CMD", "check"], "Interval": 5, "Retries": 2})
    inherited = HealthCheck(test=("CMD", "check"), interval=5, retries=2)
    assert merge(CreateOptions(image="x"), image).healthcheck == inherited
    own = CreateOptions(image="x", healthcheck=HealthCheck(interval=9))
    assert merge(own, image).healthcheck == inherited.replace(interval=9)
    none = CreateOptions(image="x", healthcheck=HealthCheck(test=("NONE",)))
    found = merge(none, image).healthcheck
    assert found is not None
    assert found.test == ("NONE",)
    assert merge(own, ImageConfig()).healthcheck == HealthCheck(interval=9)


def test_the_first_mount_of_a_target_wins() -> None:
    own = Mount(type="bind", source="/a", target="/d")
    inherited = Mount(type="volume", source="data", target="/d")
    assert merge(CreateOptions(image="x", volume=(own, inherited)), ImageConfig()).mounts == (own,)
