"""``import --change``: Dockerfile instructions as docker reads them."""

from __future__ import annotations

import pytest

from firkin.images.changes import BadChange, apply_changes
from firkin.oci.image import ImageConfig

EMPTY = ImageConfig(architecture="amd64")


def after(*changes):
    return apply_changes(EMPTY, changes)


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        ('CMD ["a", "b c"]', "cmd", ("a", "b c")),
        ("CMD echo $HOME", "cmd", ("/bin/sh", "-c", "echo $HOME")),
        ("cmd []", "cmd", ()),
        ("CMD", "cmd", ("/bin/sh", "-c")),
        ("ENTRYPOINT", "entrypoint", None),
        ("ENTRYPOINT []", "entrypoint", None),
        ("CMD [a, b]", "cmd", ("/bin/sh", "-c", "[a, b]")),
        ('ENTRYPOINT ["/x"]', "entrypoint", ("/x",)),
        ("ENTRYPOINT /x y", "entrypoint", ("/bin/sh", "-c", "/x y")),
        ("ENV A=1", "env", ("A=1",)),
        ("ENV A=1 B=2", "env", ("A=1", "B=2")),
        ("ENV A=\"x y\" B='p $q' C=d\\ e", "env", ("A=x y", "B=p $q", "C=d e")),
        ("ENV A the rest of it", "env", ("A=the rest of it",)),
        ("ENV A=1 A=2", "env", ("A=2",)),
        ("ENV A=", "env", ("A=",)),
        ("ENV A=x=y", "env", ("A=x=y",)),
        ('LABEL a="b c" "d.e"=f', "labels", {"a": "b c", "d.e": "f"}),
        (
            "EXPOSE 80 53/udp 8000-8002",
            "exposed_ports",
            ("80/tcp", "53/udp", "8000/tcp", "8001/tcp", "8002/tcp"),
        ),
        ("VOLUME /a /b", "volumes", ("/a", "/b")),
        ('VOLUME ["/a b"]', "volumes", ("/a b",)),
        ("WORKDIR /x/../y", "working_dir", "/y"),
        ("WORKDIR x", "working_dir", "/x"),
        ("USER 1000:1000", "user", "1000:1000"),
        ("STOPSIGNAL SIGINT", "stop_signal", "SIGINT"),
        ("STOPSIGNAL 9", "stop_signal", "9"),
        ('SHELL ["bash", "-c"]', "shell", ("bash", "-c")),
        ("ONBUILD RUN x", "on_build", ("RUN x",)),
        ("HEALTHCHECK NONE", "healthcheck", {"Test": ["NONE"]}),
        (
            'HEALTHCHECK --interval=5s --retries=3 CMD ["x"]',
            "healthcheck",
            {"Test": ["CMD", "x"], "Interval": 5_000_000_000, "Retries": 3},
        ),
        ("HEALTHCHECK CMD curl x", "healthcheck", {"Test": ["CMD-SHELL", "curl x"]}),
    ],
)
def test_each_instruction(change, field, value):
    image = after(change)
    assert getattr(image, field) == value
    assert ImageConfig.parse(image.to_json()) == image


def test_order_and_variables():
    image = after(
        "ENV A=1 B=2", "ENV A=$B C=${A}x D=\\$A", "WORKDIR /a", "WORKDIR b/${B}", "USER ${U:-nobody}"
    )
    assert image.env == ("A=2", "B=2", "C=1x", "D=$A")
    assert image.working_dir == "/a/b/2"
    assert image.user == "nobody"


def test_a_shell_is_used_by_what_follows():
    assert after('SHELL ["bash", "-c"]', "CMD x").cmd == ("bash", "-c", "x")


def test_several_lines_comments_and_continuations():
    image = after("# comment\nENV A=1 \\\n B=2\n\nUSER me\n")
    assert (image.env, image.user) == (("A=1", "B=2"), "me")


@pytest.mark.parametrize(
    "change",
    ["RUN x", "FROM x", "COPY a b", "ENV", "ENV A", "ENV =1", 'ENV A="x', "EXPOSE x", "EXPOSE 0", "EXPOSE 70000",
     "EXPOSE 80/icmp", "EXPOSE 9-8", "VOLUME [\"\"]", "USER a b", "STOPSIGNAL SIGNOPE", "STOPSIGNAL 99", "SHELL bash",
     "ONBUILD FROM x", "ONBUILD ONBUILD RUN x", "USER", "LABEL", "HEALTHCHECK x", "HEALTHCHECK --interval=x CMD a", "HEALTHCHECK CMD",
     "HEALTHCHECK --nope=1 CMD a", "LABEL a", "ENV A=${x", "ENV A=\0", "nonsense"],
)  # fmt: skip
def test_refusals_name_the_change(change):
    with pytest.raises(BadChange) as caught:
        after(change)
    assert caught.value.fields["change"] == change.strip()
