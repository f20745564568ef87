"""load, images, tag, rmi, history, import, image inspect: through the command line."""

from __future__ import annotations

import io
import json
import tarfile
import uuid

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from e2e.target import Target


@pytest.fixture
def tag(target: Target):
    """A name for an image; gone afterwards."""
    chosen = f"i{uuid.uuid4().hex[:10]}"
    yield chosen
    target.run("rmi", "-f", chosen)


def rootfs() -> bytes:
    """Return a tar of a root file system: one file."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as tar:
        entry = tarfile.TarInfo("etc/hello")
        entry.size = 6
        tar.addfile(entry, io.BytesIO(b"hello\n"))
    return held.getvalue()


def test_images_table_and_templates(target: Target) -> None:
    lines = target.out("images", "busybox").splitlines()
    assert lines[0].split()[:4] == ["REPOSITORY", "TAG", "IMAGE", "ID"]
    assert lines[0].split()[-2:] == ["CREATED", "SIZE"]
    row = lines[1].split()
    assert row[0].endswith("busybox")
    assert row[1] == "latest"
    assert len(row[2]) == 12
    assert target.out("images", "-q", "busybox") == row[2]
    told = target.out("images", "--format", "{{.Tag}}|{{.ID}}", "busybox")
    assert told == f"latest|{row[2]}"
    assert target.out("images", "-q", "--no-trunc", "busybox").startswith(f"sha256:{row[2]}")
    assert target.out("images", "-q", "nosuchimage") == ""


@pytest.mark.only("firkin", "docker")
def test_images_json_is_one_object_a_line(target: Target) -> None:
    one = json.loads(target.out("images", "--format", "json", "busybox"))
    assert (one["Repository"], one["Tag"], one["Digest"]) == ("busybox", "latest", "<none>")


def test_tag_and_untag(target: Target, tag: str) -> None:
    assert target.out("tag", "busybox", f"{tag}:v1") == ""
    assert target.out("images", "-q", f"{tag}:v1") == target.out("images", "-q", "busybox")
    told = target.out("rmi", f"{tag}:v1")
    assert told.startswith("Untagged: ")
    assert told.endswith(f"{tag}:v1")
    assert target.out("images", "-q", tag) == ""
    assert target.out("images", "-q", "busybox") != ""


def test_tag_of_nothing(target: Target, tag: str) -> None:
    ran = target.run("tag", "nosuchimage", tag)
    assert ran.returncode in (1, 125)
    assert "nosuchimage" in ran.stderr


def test_import_of_standard_input_with_changes(target: Target, tag: str) -> None:
    identifier = target.run(
        "import", "-c", 'CMD ["/none"]', "-c", "ENV A=b", "-c", "WORKDIR /etc", "-m", "by hand", "-", f"{tag}:1", input=rootfs()
    ).stdout.decode().strip()  # fmt: skip
    assert len(identifier.removeprefix("sha256:")) == 64
    one = json.loads(target.out("image", "inspect", f"{tag}:1"))[0]
    assert one["Config"]["Cmd"] == ["/none"]
    assert "A=b" in one["Config"]["Env"]
    assert one["Config"]["WorkingDir"] == "/etc"
    assert target.run("run", "--rm", f"{tag}:1").returncode == 127


def test_import_of_a_file(target: Target, tag: str, tmp_path) -> None:
    (tmp_path / "root.tar").write_bytes(rootfs())
    target.run("import", str(tmp_path / "root.tar"), tag, check=True)
    assert target.out("image", "inspect", "-f", "{{.Os}}", tag) == "linux"


def test_load_of_standard_input(target: Target) -> None:
    from e2e.conftest import busybox

    told = target.run("load", input=busybox(target.home).read_bytes()).stdout.decode()
    assert told.startswith("Loaded image: ")
    assert "busybox:latest" in told


def test_load_of_nonsense_changes_nothing(target: Target) -> None:
    before = target.out("images", "-q")
    for data in (b"", b"nonsense" * 1000, rootfs()):
        assert target.run("load", input=data).returncode != 0
    assert target.run("load", "-i", "/nonexistent").returncode != 0
    assert target.out("images", "-q") == before


def test_rmi_refuses_what_is_in_use_and_says_by_whom(target: Target, tag: str, name: str) -> None:
    target.run("import", "-", tag, input=rootfs())
    target.run("create", "--name", name, tag, "/none", check=True)
    ran = target.run("rmi", tag)
    assert ran.returncode in (1, 2)
    if target.name == "firkin":
        assert name in ran.stderr
    target.run("rm", name, check=True)
    assert "Deleted: " in target.out("rmi", tag) or target.name == "podman"
    assert target.run("image", "inspect", tag).returncode != 0


def test_rmi_of_nothing(target: Target) -> None:
    assert target.run("rmi", "nosuchimage").returncode == 1


@pytest.mark.differs("podman", "history shows its own ids of layers")
def test_history(target: Target, tag: str) -> None:
    target.run("import", "-m", "by hand", "-", tag, input=rootfs())
    lines = target.out("history", tag).splitlines()
    assert next(word for word in lines[0].split("  ") if word).strip() in ("IMAGE", "ID")
    assert "by hand" in lines[1]
    assert target.out("history", "-q", tag) in target.out("image", "inspect", "-f", "{{.Id}}", tag)
    assert target.out("history", "--format", "{{.Comment}}", tag).strip().endswith("by hand")


@pytest.mark.only("firkin")
def test_the_host_is_an_image(target: Target) -> None:
    told = target.out(
        "run",
        "--rm",
        "--network",
        "none",
        "host",
        "sh",
        "-c",
        "echo changed > /etc/firkin-test; cat /etc/firkin-test",
    )
    assert told == "changed"
    import os

    assert not os.path.exists("/etc/firkin-test")
    assert target.run("rmi", "host").returncode == 1
