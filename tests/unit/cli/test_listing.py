"""Tables, --format and the rows of images."""

from __future__ import annotations

import pytest

from firkin.cli import image_rows
from firkin.cli.commands.history import row as history_row
from firkin.cli.listing import show
from firkin.cli.table import aligned, shortened
from firkin.cli.template.values import Method
from firkin.errors import InvalidArgument
from firkin.images.image import Image
from firkin.oci.image import ImageConfig

HEADINGS = {"ID": "CONTAINER ID", "Names": "NAMES", "Size": "SIZE"}
ROWS = [
    {"ID": "0123456789ab", "Names": "web", "Size": "1B"},
    {"ID": "ba9876543210", "Names": "a-longer-name", "Size": "2B"},
]


def told(capfd: pytest.CaptureFixture[str], **how: str) -> str:
    show(ROWS, HEADINGS, ("ID", "Names", "Size"), **how)
    return capfd.readouterr().out


def test_columns_are_three_apart_and_ten_wide_at_least() -> None:
    assert aligned([("A", "B"), ("1", "2")]) == "A         B\n1         2\n"
    assert (
        aligned([("A", "B", "C"), ("12345678", "2", "")]) == "A          B         C\n12345678   2         \n"
    )
    assert aligned([]) == ""


def test_the_usual_table(capfd: pytest.CaptureFixture[str]) -> None:
    assert told(capfd) == (
        "CONTAINER ID   NAMES           SIZE\n"
        "0123456789ab   web             1B\n"
        "ba9876543210   a-longer-name   2B\n"
    )
    assert told(capfd, form="table") == told(capfd)


def test_quiet_wins_and_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    show(ROWS, HEADINGS, ("ID",), form="{{.Names}}", quiet="ID")
    ran = capfd.readouterr()
    assert ran.out == "0123456789ab\nba9876543210\n"
    assert "--quiet" in ran.err


def test_templates(capfd: pytest.CaptureFixture[str]) -> None:
    assert told(capfd, form="{{.Names}}:{{.ID}}") == "web:0123456789ab\na-longer-name:ba9876543210\n"
    assert told(capfd, form="table {{.Names}}\\t{{.ID | upper}}") == (
        "NAMES           CONTAINER ID\nweb             0123456789AB\na-longer-name   BA9876543210\n"
    )
    assert told(capfd, form="{{.Names}}\\n") == "web\n\na-longer-name\n\n"
    assert told(capfd, form="json").splitlines()[0] == '{"ID":"0123456789ab","Names":"web","Size":"1B"}'


def test_a_label_is_a_column_of_its_name(capfd: pytest.CaptureFixture[str]) -> None:
    rows = [{"ID": "1", "Label": Method({"com.example.app-name": "x"})}]
    show(rows, HEADINGS, ("ID",), form='table {{.Label "com.example.app-name"}}|{{.Label "none"}}')
    assert capfd.readouterr().out == "app name|none\nx|\n"
    show(rows, HEADINGS, ("ID",), form="json")
    assert capfd.readouterr().out == '{"ID":"1"}\n'


def test_shortened_keeps_the_width() -> None:
    assert shortened("abcdef", 6) == "abcdef"
    assert shortened("abcdefg", 6) == "abcde…"


# images


def image(*names: str, number: int = 1, created: int = 100, labels: dict[str, str] | None = None) -> Image:
    config = ImageConfig.parse(
        b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'
    )
    return Image(
        id=f"sha256:{number:064x}",
        references=names,
        digests=tuple(f"{name.rpartition(':')[0]}@sha256:{number:064x}" for name in names[:1]),
        config=config.replace(labels=labels or {}),
        lowers=(),
        size=1_980_000,
        created_ns=created * 1_000_000_000,
    )


IMAGES = [
    image("busybox:latest", "reg:5000/team/box:1.2", number=3, created=300, labels={"a": "1"}),
    image(number=2, created=200),
    image("debian:12", number=1, created=100, labels={"a": "2"}),
]


def test_one_row_a_name() -> None:
    rows = image_rows.rows(IMAGES, 400.0, digests=True)
    assert [(r["Repository"], r["Tag"], r["ID"]) for r in rows] == [
        ("busybox", "latest", "000000000000"),
        ("reg:5000/team/box", "1.2", "000000000000"),
        ("<none>", "<none>", "000000000000"),
        ("debian", "12", "000000000000"),
    ]
    assert rows[0]["Digest"] == f"sha256:{3:064x}"
    assert rows[1]["Digest"] == "<none>"
    assert (rows[0]["Size"], rows[0]["CreatedSince"]) == ("1.98MB", "About a minute ago")
    assert image_rows.rows([image("x:1", created=0)], 400.0)[0]["CreatedSince"] == "N/A"


@pytest.mark.parametrize(
    ("filters", "pattern", "names"),
    [
        ({"dangling": ["true"]}, "", [()]),
        ({"dangling": ["false"]}, "", [("busybox:latest", "reg:5000/team/box:1.2"), ("debian:12",)]),
        ({"label": ["a"]}, "", [("busybox:latest", "reg:5000/team/box:1.2"), ("debian:12",)]),
        ({"label": ["a=2"]}, "", [("debian:12",)]),
        ({"before": ["busybox"]}, "", [(), ("debian:12",)]),
        ({"since": ["debian:12"]}, "", [("busybox:latest", "reg:5000/team/box:1.2"), ()]),
        ({"reference": ["busy*"]}, "", [("busybox:latest",)]),
        ({"reference": ["*:12"]}, "", [("debian:12",)]),
        ({"reference": ["reg:5000/*/box"]}, "", [("reg:5000/team/box:1.2",)]),
        ({}, "debian", [("debian:12",)]),
        ({}, "debian:11", []),
        ({"until": ["150"]}, "", [("debian:12",)]),
    ],
)
def test_filters(filters: dict[str, list[str]], pattern: str, names: list[tuple[str, ...]]) -> None:
    assert [one.references for one in image_rows.chosen(IMAGES, filters, pattern)] == names


@pytest.mark.parametrize("filters", [{"nosuch": ["1"]}, {"dangling": ["maybe"]}, {"before": ["nosuch"]}])
def test_refuses_filters(filters: dict[str, list[str]]) -> None:
    with pytest.raises(InvalidArgument):
        image_rows.chosen(IMAGES, filters)


def test_a_step_of_history() -> None:
    step = {
        "Id": "sha256:" + "ab" * 32,
        "Created": 100,
        "CreatedBy": "RUN\t" + "x" * 60,
        "Size": 1500,
        "Comment": "c",
    }
    short = history_row(step, 200.0, human=True, whole=False)
    assert short["ID"] == "abababababab"
    assert len(short["CreatedBy"]) == 45
    assert short["CreatedBy"].endswith("…")
    assert (short["Size"], short["CreatedSince"]) == ("1.5kB", "About a minute ago")
    whole = history_row({**step, "Id": "<missing>"}, 200.0, human=False, whole=True)
    assert (whole["ID"], whole["Size"], whole["CreatedAt"]) == ("<missing>", "1500", "1970-01-01T00:01:40Z")
