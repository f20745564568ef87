"""Black-box tests through the command line: ``pytest tests/e2e --target=firkin|docker|podman``.

A test that fails on a reference is a wrong test. ``only("firkin")`` marks what no reference has, ``differs("podman",
"why")`` where one reference does otherwise than docker.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
import uuid
from pathlib import Path

import pytest

from e2e.target import REPO, TARGETS, Target, remove_home

SHARED = REPO.parent / "shared" / "images" / "busybox.docker.tar"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--target", default="firkin", choices=sorted(TARGETS), help="the engine behind the command line"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "only(*targets): makes sense for these targets alone")
    config.addinivalue_line("markers", "differs(target, why): this target does otherwise")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    chosen = config.getoption("--target", "firkin")
    for item in items:
        if chosen != "firkin" and "target" not in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.skip(reason=f"is about firkin alone, not about {chosen}"))
        marker = item.get_closest_marker("only")
        if marker is not None and chosen not in marker.args:
            item.add_marker(pytest.mark.skip(reason=f"for {', '.join(marker.args)}, not for {chosen}"))
        for marker in item.iter_markers("differs"):
            if marker.args[0] == chosen:
                item.add_marker(pytest.mark.skip(reason=f"{chosen} differs: {marker.args[1]}"))


@pytest.fixture(scope="session")
def target(request: pytest.FixtureRequest):
    """The engine, with the image ``busybox``; gone afterwards."""
    if os.getuid() != 0:
        pytest.skip("containers need root")
    name = request.config.getoption("--target", "firkin")
    home = Path(tempfile.mkdtemp(prefix=f"firkin-test-e2e-{name}-"))
    engine = TARGETS[name](home)
    try:
        engine.start()
        archive = busybox(home)
        engine.run("load", "-i", str(archive), check=True)
        yield engine
    finally:
        engine.stop()
        remove_home(home)


def busybox(home: Path) -> Path:
    """Return an archive of ``busybox:latest``: the shared one, or one made of Debian's busybox-static."""
    if SHARED.exists():
        return SHARED
    program = shutil.which("busybox")
    if (
        program is None
        or "statically" not in subprocess.run(["file", program], capture_output=True, text=True).stdout
    ):
        pytest.skip("neither ../shared/images nor busybox-static is here")
    root = home / "busybox"
    for folder in ("bin", "etc", "tmp", "root", "proc", "sys", "dev"):
        (root / folder).mkdir(parents=True)
    shutil.copy(program, root / "bin" / "busybox")
    for applet in subprocess.run(
        [program, "--list"], capture_output=True, text=True, check=True
    ).stdout.split():
        if applet != "busybox":
            (root / "bin" / applet).symlink_to("busybox")
    (root / "etc" / "passwd").write_text(
        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n"
    )
    (root / "etc" / "group").write_text("root:x:0:\nnobody:x:65534:\n")
    return _docker_archive(home, root)


def _docker_archive(home: Path, root: Path) -> Path:
    import hashlib
    import json

    layer = home / "layer.tar"
    with tarfile.open(layer, "w") as tar:
        tar.add(root, arcname=".")
    digest = hashlib.sha256(layer.read_bytes()).hexdigest()
    config = {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["sh"], "Env": ["PATH=/bin"]},
              "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]}}  # fmt: skip
    (home / "config.json").write_text(json.dumps(config))
    (home / "manifest.json").write_text(
        json.dumps([{"Config": "config.json", "RepoTags": ["busybox:latest"], "Layers": ["layer.tar"]}])
    )
    archive = home / "busybox.tar"
    with tarfile.open(archive, "w") as tar:
        for name in ("manifest.json", "config.json", "layer.tar"):
            tar.add(home / name, arcname=name)
    return archive


@pytest.fixture
def name(target: Target):
    """A name for a container; what has it afterwards is removed."""
    chosen = f"t{uuid.uuid4().hex[:10]}"
    yield chosen
    target.run("rm", "-f", "-v", chosen)


@pytest.fixture
def sleeper(target: Target, name: str) -> str:
    """A running container that does nothing and ends at SIGTERM."""
    target.run("run", "-d", "--name", name, "busybox", "sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done",
               check=True)  # fmt: skip
    return name
