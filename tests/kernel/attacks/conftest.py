"""An engine to be attacked: state of its own, and a copy of the interpreter, so that a success harms nothing."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from e2e.conftest import busybox
from e2e.target import Firkin, remove_home


class Attacked(Firkin):
    """firkin, run by the copy ``python``."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.python = home / "python3"
        shutil.copy(os.path.realpath("/usr/bin/python3"), self.python)
        self.environ["FIRKIN_PYTHON"] = str(self.python)

    def interpreter(self) -> str:
        return hashlib.sha256(self.python.read_bytes()).hexdigest()

    def denied(self, flags: list[str], attacks: dict[str, str], image: str = "busybox") -> list[str]:
        """Run each attack (shell; status 0 is success) in one container; return a line for each that succeeded."""
        script = "".join(f"( {line} ) </dev/null >/dev/null 2>&1 && echo SUCCEEDED {shlex.quote(name)}; echo ran {number}\n"
                         for number, (name, line) in enumerate(attacks.items()))  # fmt: skip
        ran = self.run("run", "--rm", "-i", *flags, image, "sh", input=script)
        assert ran.stdout.count("ran ") == len(attacks), (ran.returncode, ran.stdout, ran.stderr)
        return [line for line in ran.stdout.splitlines() if line.startswith("SUCCEEDED")]


@pytest.fixture(scope="session")
def firkin():
    if os.getuid() != 0:
        pytest.skip("containers need root")
    home = Path(tempfile.mkdtemp(prefix="firkin-test-attacks-"))
    engine = Attacked(home)
    try:
        engine.run("load", "-i", str(busybox(home)), check=True)
        yield engine
    finally:
        engine.stop()
        remove_home(home)


@pytest.fixture(scope="session")
def hostile(firkin: Attacked, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image whose programs are /proc/self/exe in every way there is."""
    folder = tmp_path_factory.mktemp("hostile")
    root = folder / "root"
    (root / "bin").mkdir(parents=True)
    (root / "etc").mkdir()
    program = folder / "busybox"
    name = firkin.out("create", "busybox")
    layers = subprocess.run(
        ["find", firkin.home / "root" / "layers", "-path", "*/bin/busybox", "-type", "f"],
        capture_output=True,
        text=True,
        check=True,
    )
    shutil.copy(layers.stdout.split()[0], program)
    firkin.run("rm", name, check=True)
    shutil.copy(program, root / "bin/busybox")
    for applet in ("sh", "ls", "cat", "sleep", "readlink", "id", "grep", "true", "stat", "touch", "echo"):
        (root / "bin" / applet).symlink_to("busybox")
    (root / "bin/link").symlink_to("/proc/self/exe")
    for script in ("/proc/self/exe", "/proc/1/exe", "/proc/thread-self/exe"):
        path = root / "bin" / f"script{len(script)}"
        path.write_text(f"#!{script}\n")
        path.chmod(0o755)
    elf = Path("/bin/true").read_bytes()
    start = elf.find(b"/lib64/ld-linux-x86-64.so.2\0")
    if start > 0:  # x86_64; elsewhere the loader's name is another, and the links and scripts must do
        wanted = b"/proc/self/exe"
        (root / "bin/interpreted").write_bytes(
            elf[:start] + wanted + b"\0" * (28 - len(wanted)) + elf[start + 28 :]
        )
        (root / "bin/interpreted").chmod(0o755)
    (root / "volume").symlink_to("../../../../../../etc")
    (root / "etc/of-the-image").write_text("image\n")
    for number in range(3, 40):
        (root / f"cwd{number}").symlink_to(f"/proc/self/fd/{number}")
    archive = folder / "hostile.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(root, arcname=".")
    firkin.run("import", str(archive), "hostile", check=True)
    return "hostile"
