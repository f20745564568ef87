"""-v, --mount, --tmpfs, --volumes-from as docker reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firkin.errors import InvalidArgument, Unsupported
from firkin.specgen.options import Mount
from firkin.specgen.parse_mounts import (
    parse_mount,
    parse_tmpfs,
    parse_volume,
    parse_volumes_from,
    split_csv,
)


def bind(source: str, target: str, **more: object) -> Mount:
    return Mount(type="bind", source=source, target=target, create_source=True, **more)


@pytest.mark.parametrize(
    ("text", "mount"),
    [
        ("/a:/b", bind("/a", "/b")),
        ("/a/../c/:/b//x/", bind("/c", "/b/x")),
        ("/a:/b:ro", bind("/a", "/b", read_only=True, mode="ro")),
        ("/a:/b:rw", bind("/a", "/b", read_only=False, mode="rw")),
        ("/a:/b:rro", bind("/a", "/b", read_only=True, bind_recursive="readonly", mode="rro")),
        ("/a:/b:ro,rslave,z", bind("/a", "/b", read_only=True, propagation="rslave", relabel="z", mode="ro,rslave,z")),
        ("./x:/b", bind("/work/x", "/b")),
        (".:/b", bind("/work", "/b")),
        ("../x:/b", bind("/x", "/b")),
        ("data:/b", Mount(type="volume", source="data", target="/b")),
        ("data:/b:ro,nocopy", Mount(type="volume", source="data", target="/b", read_only=True, no_copy=True,
                                    mode="ro,nocopy")),
        ("/b", Mount(type="volume", target="/b")),
    ],
)  # fmt: skip
def test_a_volume_is_read(text: str, mount: Mount) -> None:
    assert parse_volume(text, cwd="/work") == mount


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "invalid volume specification: ''"),
        (":", "invalid volume specification: ':'"),
        ("::", "invalid volume specification"),
        ("/a:", "invalid volume specification"),
        ("/a:/b:ro:rw", "invalid volume specification"),
        ("/foo:rw", "invalid volume specification: '/foo:rw'"),
        ("/a:/b:foo", "invalid mode: foo"),
        ("/a:/b:ro,rw", "invalid mode: ro,rw"),
        ("/a:/b:rslave,rshared", "invalid mode"),
        ("/a:b", "invalid mount path: 'b' mount path must be absolute"),
        ("/a:/", "destination can't be '/'"),
        ("/a:/b/..", "destination can't be '/'"),
        ("a/b:/c", "includes invalid characters for a local volume name"),
        ("x:/c", "includes invalid characters for a local volume name"),
        ("data:/b:rslave", "propagation"),
    ],
)
def test_a_bad_volume_is_refused_with_dockers_words(text: str, words: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse_volume(text)
    assert words in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "mount"),
    [
        ("type=bind,source=/a,target=/b", Mount(type="bind", source="/a", target="/b")),
        ("type=bind,src=/a,dst=/b,ro", Mount(type="bind", source="/a", target="/b", read_only=True)),
        ("type=bind,src=./a,destination=/b,readonly=0", Mount(type="bind", source="/work/a", target="/b")),
        ('type=bind,"src=/a,b",dst=/b', Mount(type="bind", source="/a,b", target="/b")),
        ("type=bind,src=/a,dst=/b,bind-propagation=rshared",
         Mount(type="bind", source="/a", target="/b", propagation="rshared")),
        ("type=bind,src=/a,dst=/b,bind-nonrecursive",
         Mount(type="bind", source="/a", target="/b", bind_recursive="disabled")),
        ("type=bind,src=/a,dst=/b,ro,bind-recursive=writable",
         Mount(type="bind", source="/a", target="/b", read_only=True, bind_recursive="writable")),
        ("target=/b", Mount(type="volume", target="/b")),
        ("source=data,target=/b,volume-nocopy,volume-subpath=x/y,volume-label=a=b,volume-driver=local,volume-opt=o=size=1",
         Mount(type="volume", source="data", target="/b", no_copy=True, subpath="x/y", labels={"a": "b"},
               driver="local", driver_opts={"o": "size=1"})),
        ("type=tmpfs,dst=/t,tmpfs-size=64m,tmpfs-mode=1770",
         Mount(type="tmpfs", target="/t", tmpfs_size=64 << 20, tmpfs_mode=0o1770)),
    ],
)  # fmt: skip
def test_a_mount_is_read(text: str, mount: Mount) -> None:
    assert parse_mount(text, cwd="/work") == mount


# The texts were taken from docker 28.2.2.
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("type=bind", "target is required"),
        ("foo", "invalid field 'foo' must be a key=value pair"),
        ("type=bind,bar=1,target=/x", "unexpected key 'bar' in 'bar=1'"),
        ("type=volume,ro=foo,target=/a", "invalid value for ro: foo"),
        ("type=tmpfs,target=/x,bind-propagation=shared", "cannot mix 'bind-*' options with mount type 'tmpfs'"),
        ("type=bind,src=/a,target=/x,volume-opt=a=b", "cannot mix 'volume-*' options with mount type 'bind'"),
        ("type=bind,source=/a,target=/x,bind-recursive=foo",
         'invalid value for bind-recursive: foo (must be "enabled", "disabled", "writable", or "readonly")'),
        ("type=bind,source=/a,target=/x,bind-recursive=readonly",
         "option 'bind-recursive=readonly' requires 'readonly' to be specified in conjunction"),
        ("type=bind,source=/a,target=/x,ro,bind-recursive=readonly",
         "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction"),
        ("type=tmpfs,target=/x,tmpfs-mode=9", "invalid value for tmpfs-mode: 9"),
        ("type=tmpfs,target=/x,tmpfs-size=x", "invalid value for tmpfs-size: x"),
        ("type=foo,target=/x", 'invalid mount config for type "foo": mount type unknown'),
        ("type=tmpfs,source=a,target=/x", 'invalid mount config for type "tmpfs": field Source must not be specified'),
        ("type=bind,target=/x", 'invalid mount config for type "bind": field Source must not be empty'),
        ("type=bind,src=a,target=/x",
         "invalid mount config for type \"bind\": invalid mount path: 'a' mount path must be absolute"),
        ("type=bind,src=/a,target=/x,bind-propagation=foo",
         'invalid mount config for type "bind": invalid propagation mode: foo'),
        ("type=volume,target=/x,ro",
         'invalid mount config for type "volume": must not set ReadOnly mode when using anonymous volumes'),
        ("type=volume,src=ab,target=/x,volume-subpath=../y",
         'invalid mount config for type "volume": subpath must be a relative path within the volume'),
        ("type=volume,target=/x,volume-subpath=y",
         'invalid mount config for type "volume": must not set Subpath when using anonymous volumes'),
        ('type=bind,"src=/a,dst=/b', 'extraneous or missing " in quoted field: "src=/a,dst=/b'),
    ],
)  # fmt: skip
def test_a_bad_mount_is_refused_with_dockers_words(text: str, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse_mount(text)
    assert caught.value.message == message
    assert caught.value.hint


def test_a_mount_of_an_image_is_not_supported_yet() -> None:
    with pytest.raises(Unsupported, match="type image"):
        parse_mount("type=image,src=busybox,target=/x")


@given(st.text(max_size=40))
def test_any_text_is_a_mount_or_an_invalid_argument(text: str) -> None:
    for parse in (parse_volume, parse_mount):
        try:
            mount = parse(text)
        except (InvalidArgument, Unsupported):
            continue
        assert mount.target.startswith("/")
        assert mount.target != "/"
        assert ".." not in mount.target.split("/")


@given(st.lists(st.text(alphabet='ab,"=', max_size=5), min_size=1, max_size=4))
def test_csv_gives_back_what_was_quoted(fields: list[str]) -> None:
    quoted = ",".join('"' + field.replace('"', '""') + '"' for field in fields)
    assert split_csv(quoted) == fields


def test_tmpfs_and_volumes_from_are_split() -> None:
    assert parse_tmpfs("/run:size=1m,exec") == ("/run", "size=1m,exec")
    assert parse_tmpfs("/run/") == ("/run", "")
    assert parse_volumes_from("web") == ("web", False)
    assert parse_volumes_from("web:ro") == ("web", True)
    for text in (":ro", "web:nocopy", "web:rslave", "web:foo"):
        with pytest.raises(InvalidArgument):
            parse_volumes_from(text)
    with pytest.raises(InvalidArgument, match="must be absolute"):
        parse_tmpfs("run")
