"""A root of its own with busybox and an image full of broken programs."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pytest
import tarcraft

from e2e.conftest import busybox
from e2e.library.conftest import await_bridge_gone
from e2e.target import REPO, Firkin, remove_home

sys.path.insert(0, str(REPO / "tests" / "unit" / "engine"))
from test_elf import program

#: path -> (content, mode); links are added below
BROKEN = {
    "bin/empty": (b"", 0o755),
    "bin/text": (b"echo hello\n", 0o755),
    "bin/noexec": (b"#!/bin/sh\n", 0o644),
    "bin/crlf": (b"#!/bin/sh\r\necho hi\r\n", 0o755),
    "bin/python-script": (b"#!/usr/bin/python3.99 -u\n", 0o755),
    "bin/shebang-empty": (b"#!\n", 0o755),
    "bin/arm": (program(machine=183), 0o755),
    "bin/riscv": (program(machine=243, interpreter=b"/lib/ld-linux-riscv64-lp64d.so.1"), 0o755),
    "bin/musl": (program(kind=3, interpreter=b"/lib/ld-musl-x86_64.so.1"), 0o755),
    "bin/damaged": (program()[:50], 0o755),
    "bin/object": (program(kind=1), 0o755),
    "bin/windows.exe": (b"MZ\x90\x00" + bytes(60), 0o755),
    "bin/macos": (b"\xcf\xfa\xed\xfe" + bytes(60), 0o755),
    "private/inner": (b"#!/bin/sh\n", 0o755),
    "a-file": (b"x", 0o644),
}


class Why(Firkin):
    """firkin, and what it says of a container."""

    def said(self, name: str) -> str:
        """Return what ``explain`` and ``inspect`` say; the command line has said it before."""
        return self.out("explain", name)

    def state(self, name: str) -> dict:
        import json

        return json.loads(self.out("inspect", "-f", "{{json .State}}", name))


@pytest.fixture(scope="session")
def why(pytestconfig: pytest.Config):
    if os.getuid() != 0:
        pytest.skip("containers need root")
    home = Path(tempfile.mkdtemp(prefix="firkin-test-why-"))
    engine = Why(home)
    try:
        engine.run("load", "-i", str(busybox(home)), check=True)
        tar = engine.run(
            "run", "--rm", "--network", "none", "busybox", "tar", "-c", "bin", "etc", text=False, check=True
        )
        (home / "root.tar").write_bytes(tar.stdout[:-1024].rstrip(b"\0") and tar.stdout)
        members = [tarcraft.directory(b"private", mode=0o700)]
        members += [tarcraft.member(name.encode(), data, mode=mode) for name, (data, mode) in BROKEN.items()]
        members += [tarcraft.symlink(b"bin/dangling", b"/opt/gone"), tarcraft.symlink(b"bin/circle", b"circle"),
                    tarcraft.symlink(b"loop", b"loop")]  # fmt: skip
        _add(home / "root.tar", members)
        engine.run("import", str(home / "root.tar"), "broken", check=True)
        yield engine
    finally:
        engine.stop()
        await_bridge_gone(f"{engine.home}/root")
        remove_home(home)


def _add(path: Path, members: list[bytes]) -> None:
    """Append ``members`` to the archive, before its end."""
    import tarfile

    with tarfile.open(path) as tar:
        last = max(tar.getmembers(), key=lambda member: member.offset_data)
        end = last.offset_data + (last.size + 511) // 512 * 512 if last.isreg() else last.offset_data
    data = path.read_bytes()[:end]
    path.write_bytes(data + tarcraft.archive(*members))


@pytest.fixture
def name(why: Why):
    import uuid

    chosen = f"t{uuid.uuid4().hex[:10]}"
    yield chosen
    why.run("rm", "-f", "-v", chosen)
