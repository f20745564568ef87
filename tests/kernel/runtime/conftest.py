from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path  # noqa: TC003

import pytest

sys.path.insert(0, os.path.dirname(__file__))

APPLETS = [
    "sh",
    "ls",
    "cat",
    "id",
    "ps",
    "env",
    "hostname",
    "stat",
    "readlink",
    "sleep",
    "tty",
    "stty",
    "echo",
    "pwd",
    "mkdir",
    "touch",
    "head",
    "tail",
    "grep",
    "test",
    "ip",
    "mount",
    "umount",
    "dd",
    "true",
    "false",
    "chmod",
    "ln",
    "nproc",
    "wc",
    "find",
    "ulimit",
    "date",
    "kill",
    "sync",
    "rm",
    "cp",
    "od",
    "getopt",
    "dnsdomainname",
]


def build_root(folder: Path) -> Path:
    for name in ("bin", "etc", "proc", "sys", "dev", "tmp", "root", "home/user", "data"):
        (folder / name).mkdir(parents=True)
    shutil.copy2("/bin/busybox", folder / "bin/busybox")
    for name in APPLETS:
        os.symlink("busybox", folder / "bin" / name)
    (folder / "etc/passwd").write_text(
        "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n"
    )
    (folder / "etc/group").write_text("root:x:0:\nuser:x:1000:\n")
    (folder / "tmp").chmod(0o1777)
    folder.chmod(0o755)
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root file system made of a static busybox."""
    # pytest makes /tmp/pytest-of-root 0700; that is part of the test
    return build_root(tmp_path / "rootfs")


@pytest.fixture
def mapped(root: Path) -> Path:
    """The same, owned by the root of box.MAP."""
    subprocess.run(["chown", "-hR", "100000:100000", str(root)], check=True)
    return root
