"""Archives that are broken or hostile: a clear refusal, nothing changed, nothing half-made, little memory."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import resource
import zlib

import imagecraft
import pytest
import tarcraft

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from e2e.why.conftest import Why

pytestmark = pytest.mark.only("firkin")
GOOD = imagecraft.layer({"bin/": b"", "bin/x": b"x" * 5000})


def docker(layers: list[bytes] | None = None, **more: object) -> bytes:
    layers = [GOOD] if layers is None else layers
    document = imagecraft.config(layers, **more)
    return imagecraft.tar(imagecraft.docker_files(layers, ["evil:1"], document))


def raw_config(document: bytes) -> bytes:
    return imagecraft.tar(imagecraft.docker_files([GOOD], ["evil:1"], document))


def oci(change=lambda files: None) -> bytes:
    files = imagecraft.oci_files([GOOD])
    change(files)
    return imagecraft.tar(files)


def flip(files) -> None:
    """Change the last byte of the largest blob."""
    name = max((n for n in files if n.startswith("blobs/")), key=lambda n: len(files[n]))
    files[name] = files[name][:-1] + bytes([files[name][-1] ^ 1])


def layer_of(*members: bytes) -> bytes:
    return docker([tarcraft.archive(*members)])


DEEP = b'{"a":' * 5000 + b"1" + b"}" * 5000
ARCHIVES = {
    "empty": (b"", ["neither a docker archive"]),
    "no archive": (b"hello, I am no archive at all" * 100, ["or no tar archive"]),
    "truncated": (docker()[: len(docker()) // 2], ["truncated", "ends", "cut", "missing"]),
    "truncated gzip": (gzip.compress(docker([imagecraft.layer({"noise": os.urandom(50000)})]))[:-4000], ["truncated", "ends", "cut", "corrupt"]),
    "corrupt gzip": (gzip.compress(docker())[:200] + bytes(300), ["corrupt", "gzip", "truncated"]),
    "no manifest": (imagecraft.tar({"x": b"y"}), ["manifest"]),
    "digest mismatch": (oci(flip), ["digest"]),
    "diff id mismatch": (docker([GOOD], rootfs={"type": "layers", "diff_ids": ["sha256:" + "0" * 64]}), ["diff", "digest"]),
    "blob missing": (oci(lambda files: files.pop(max((n for n in files if n.startswith("blobs/")), key=lambda n: len(files[n])))), ["blob", "missing", "not in", "lacks"]),
    "config no json": (raw_config(b"{"), ["JSON"]),
    "config a list": (raw_config(b"[]"), ["object"]),
    "config deep": (raw_config(DEEP), ["at most 32 levels"]),
    "config huge": (raw_config(b'{"a":"' + b"x" * (9 << 20) + b'"}'), ["8", "MiB", "large"]),
    "env of wrong type": (docker(config={"Env": "PATH=/bin"}), ["Env"]),
    "cmd of wrong type": (docker(config={"Cmd": [1, 2]}), ["Cmd"]),
    "labels of wrong type": (docker(config={"Labels": ["a"]}), ["Labels"]),
    "working dir of wrong type": (docker(config={"WorkingDir": 5}), ["WorkingDir"]),
    "dot-dot in a layer": (layer_of(tarcraft.member(b"../../../tmp/firkin-evil", b"x")), [".."]),
    "through a symlink": (layer_of(tarcraft.symlink(b"esc", b"/tmp"), tarcraft.member(b"esc/firkin-evil", b"x")), []),
    "hard link to the outside": (layer_of(tarcraft.hardlink(b"shadow", b"../../../etc/shadow")), [".."]),
    "hard link to nothing": (layer_of(tarcraft.hardlink(b"x", b"nosuch")), ["nosuch"]),
    "manifest layer outside": (imagecraft.tar({"manifest.json": json.dumps([{"Config": "../../etc/passwd", "RepoTags": None, "Layers": []}]).encode()}), ["passwd", ".."]),
}  # fmt: skip


def content(why: Why) -> list[str]:
    """Return all paths below the root but the database's own files and the kept cache."""
    found = []
    for base, folders, names in os.walk(f"{why.home}/root"):
        folders[:] = [folder for folder in folders if folder != "cache"]
        found += [f"{base}/{name}" for name in [*folders, *names] if not name.startswith("firkin.db")]
    return sorted(found)


@pytest.mark.parametrize("kind", list(ARCHIVES))
def test_an_archive_is_refused(why: Why, tmp_path: Path, kind: str) -> None:
    data, says = ARCHIVES[kind]
    archive = tmp_path / "archive"
    archive.write_bytes(data)
    before = (content(why), why.out("images", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}"))
    ran = why.run("load", "-i", str(archive))
    assert not os.path.exists("/tmp/firkin-evil")
    if kind == "through a symlink":  # the link is the image's own: the file lies in the image's /tmp
        assert ran.returncode == 0, ran.stderr
        why.run("rmi", "evil:1", check=True)
        return
    assert ran.returncode == 1
    assert ran.stdout == ""
    lines = ran.stderr.splitlines()
    assert len(lines) == 1, ran.stderr
    assert lines[0].startswith("firkin: ")
    assert any(word in lines[0] for word in says), lines[0]
    assert (content(why), why.out("images", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}")) == before


def test_a_working_dir_that_is_a_trick(why: Why, tmp_path: Path, name: str) -> None:
    """An absolute link, a dot-dot: both stay inside the container's root."""
    tricks = {"../../../../../tmp/firkin-evil": 125, "/esc/firkin-evil": 0}
    layer = tarcraft.archive(tarcraft.symlink(b"esc", b"/tmp"), tarcraft.directory(b"tmp"))
    for directory in tricks:
        archive = tmp_path / "archive"
        archive.write_bytes(docker([layer], config={"WorkingDir": directory, "Cmd": ["/nothing"]}))
        ran = why.run("load", "-i", str(archive))
        if ran.returncode == 0:
            ran = why.run("run", "--rm", "--network", "none", "evil:1")
            assert ran.returncode in (125, 126, 127)
            assert "Traceback" not in ran.stderr
            why.run("rmi", "-f", "evil:1", check=True)
        assert not os.path.exists("/tmp/firkin-evil")


def test_a_bomb_meets_the_limit_and_load_needs_little_memory(why: Why, tmp_path: Path) -> None:
    """320 MiB of zeros in 320 KiB of gzip: loaded in little memory, or refused by a limit."""
    size = 320 << 20
    header = tarcraft.member(b"zeros", b"")
    header = tarcraft.signed(header[:124] + f"{size:011o}".encode() + b"\0" + header[136:512])
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    digest, parts, zeros = hashlib.sha256(), [], bytes(1 << 20)
    for piece in [header, *[zeros] * (size >> 20), bytes(1024)]:
        digest.update(piece)
        parts.append(packer.compress(piece))
    blob = b"".join([*parts, packer.flush()])
    config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest.hexdigest()}"]}}  # fmt: skip
    files = {"c.json": json.dumps(config).encode(), "layer.tar": blob,
             "manifest.json": json.dumps([{"Config": "c.json", "RepoTags": ["bomb:1"], "Layers": ["layer.tar"]}]).encode()}  # fmt: skip
    archive = tmp_path / "bomb.tar"
    archive.write_bytes(imagecraft.tar(files))
    before = (content(why), why.out("images", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}"))
    limited = why.run("load", "-i", str(archive), env={"FIRKIN_MAX_UNPACKED": str(64 << 20)})
    assert limited.returncode == 1
    assert "64" in limited.stderr
    assert "limit" in limited.stderr
    assert (content(why), why.out("images", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}")) == before
    many = docker([imagecraft.layer({f"f{number}": b"" for number in range(300)})])
    (tmp_path / "many.tar").write_bytes(many)
    limited = why.run("load", "-i", str(tmp_path / "many.tar"), env={"FIRKIN_MAX_ENTRIES": "200"})
    assert "200" in limited.stderr
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            null = os.open("/dev/null", os.O_RDWR)
            os.dup2(null, 1)
            argv = why.argv("load", "-i", str(archive))
            child = os.posix_spawn(argv[0], argv, os.environ)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            code = code or (2 if resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss > 256 << 10 else 0)
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    why.run("rmi", "bomb:1", check=True)
