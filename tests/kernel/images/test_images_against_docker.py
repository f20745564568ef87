"""The same archives, changes and removals given to a dockerd (Debian's) and to us: the same answers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time

import imagecraft as craft
import pytest
from imagestore import SHARED, check_whole

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_docker, pytest.mark.needs_shared]

CHANGES = (
    'CMD ["a", "b c"]',
    "ENTRYPOINT /bin/x y",
    'ENV A=1 B="x y" C=d\\ e',
    "ENV D the rest",
    "ENV E=$A-${B}",
    "LABEL k=v 'l m'=\"n o\"",
    "EXPOSE 80 53/udp 8000-8001",
    "VOLUME /data /more",
    'VOLUME ["/j s"]',
    "WORKDIR /a",
    "WORKDIR b/$A",
    "USER 1:2",
    "ONBUILD RUN echo x",
    "HEALTHCHECK --interval=5s --timeout=1m --retries=2 CMD curl x",
)


class Docker:
    def __init__(self, home):
        self.home = home
        self.socket = f"unix://{home}/d.sock"
        with open(f"{home}/daemon.json", "w", encoding="ascii") as stream:
            stream.write("{}")
        command = [
            "unshare", "--mount", "--propagation", "private", "dockerd", "--data-root", f"{home}/data", "--exec-root",
            f"{home}/exec", "-H", self.socket, "--pidfile", f"{home}/pid", "--bridge=none", "--iptables=false",
            "--ip-masq=false", "--storage-driver=overlay2", "--config-file", f"{home}/daemon.json",
        ]  # fmt: skip
        with open(f"{home}/log", "wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while self.run("version").returncode:
            if self.process.poll() is not None or time.monotonic() > deadline:
                with open(f"{home}/log", encoding="utf-8") as log:
                    pytest.fail(f"dockerd did not start: {log.read()[-2000:]}")
            time.sleep(0.1)

    def run(self, *args, **more):
        return subprocess.run(["docker", "-H", self.socket, *args], capture_output=True, check=False, **more)

    def __call__(self, *args, **more):
        done = self.run(*args, **more)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode().strip()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=30)


@pytest.fixture(scope="module")
def docker():
    home = f"/var/tmp/firkin-test-images-docker-{os.getpid()}"
    os.mkdir(home, 0o700)
    daemon = Docker(home)
    yield daemon
    daemon.stop()
    shutil.rmtree(home)


def without_nothing(value):
    """Drop what Go writes for an absent value, and Config.Image, where the old builder notes its last step."""
    if isinstance(value, dict):
        kept = {key: without_nothing(item) for key, item in value.items() if key != "Image"}
        return {key: item for key, item in kept.items() if item not in (None, "", [], {}, False)}
    return value


def same_inspect(ours, theirs):
    for key in ("Id", "RepoTags", "RepoDigests", "Parent", "Comment", "Created", "Author", "Architecture", "Os", "Size",
                "RootFS"):  # fmt: skip
        assert ours[key] == theirs[key], key
    assert without_nothing(ours["Config"]) == without_nothing(theirs["Config"])
    assert set(theirs) - set(ours) <= {"Container", "ContainerConfig", "DockerVersion", "VirtualSize"}


@pytest.mark.parametrize("name", ["busybox.docker.tar", "hello-world.docker.tar"])
def test_load_inspect_history(docker, store, name):
    path = str(SHARED / name)
    assert docker("load", "-i", path).splitlines() == [str(one) for one in store.load(path)]
    ref = name.split(".")[0]
    (theirs,) = json.loads(docker("image", "inspect", ref))
    same_inspect(store.inspect(ref), theirs)
    lines = docker("history", "--no-trunc", "--format", "{{json .}}", "--human=false", ref).splitlines()
    steps = [json.loads(line) for line in lines]
    assert [(s["ID"], s["CreatedBy"], s["Comment"], int(s["Size"])) for s in steps] == [
        (s["Id"], s["CreatedBy"], s["Comment"], s["Size"]) for s in store.history(ref)
    ]


def test_import_with_every_change(docker, store):
    tar = craft.layer({"bin/": b"", "bin/sh": b"x" * 100})
    flags = [word for change in CHANGES for word in ("--change", change)]
    docker("import", *flags, "-m", "a message", "-", "ours:1", input=tar)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as cat:
        cat.stdin.write(tar)
        cat.stdin.close()
        store.import_(cat.stdout.fileno(), CHANGES, "a message", "ours:1")
    (theirs,) = json.loads(docker("image", "inspect", "ours:1"))
    ours = store.inspect("ours:1")
    same_inspect({**ours, "Id": theirs["Id"], "Created": theirs["Created"]}, theirs)


@pytest.mark.parametrize(
    "change",
    [
        "RUN x",
        "FROM x",
        "ENV A",
        "ENV",
        "EXPOSE x",
        "LABEL a",
        "HEALTHCHECK x",
        "ONBUILD FROM x",
        "USER",
        'VOLUME [""]',
    ],
)
def test_both_refuse_the_same_changes(docker, store, change):
    tar = craft.layer({"a": b""})
    assert docker.run("import", "--change", change, "-", "bad:1", input=tar).returncode != 0
    with pytest.raises(Exception, match="--change"):
        store.import_("/dev/null", (change,))


def test_what_docker_saves_loads_with_names_and_shared_layers(docker, store, home):
    docker("load", "-i", str(SHARED / "busybox.docker.tar"))
    with open(f"{home}/Dockerfile", "w", encoding="ascii") as stream:
        stream.write("FROM busybox\nLABEL a=b\nCOPY Dockerfile /x\nENV A=1\n")
    docker("build", "-qt", "derived:2", home, env={**os.environ, "DOCKER_BUILDKIT": "0"})
    docker("tag", "derived:2", "quay.io/x/derived:3")
    with open(f"{home}/saved.tar", "wb") as out:
        subprocess.run(
            ["docker", "-H", docker.socket, "save", "busybox", "derived:2", "quay.io/x/derived:3"],
            stdout=out,
            check=True,
        )
    loaded = store.load(f"{home}/saved.tar")
    assert {one.reference for one in loaded} == {"busybox:latest", "derived:2", "quay.io/x/derived:3"}
    assert len(os.listdir(store.paths.layers)) == 2
    (theirs,) = json.loads(docker("image", "inspect", "derived:2"))
    same_inspect({**store.inspect("derived:2"), "Parent": theirs["Parent"]}, theirs)
    theirs = [
        json.loads(line)
        for line in docker(
            "history", "--no-trunc", "--human=false", "--format", "{{json .}}", "derived:2"
        ).splitlines()
    ]
    ours = store.history("derived:2")
    assert [(s["CreatedBy"], int(s["Size"])) for s in theirs] == [(s["CreatedBy"], s["Size"]) for s in ours]
    check_whole(store)


@pytest.mark.parametrize("change", ["CMD", "ENTRYPOINT", "CMD []", "ENTRYPOINT []"])
def test_an_empty_command_is_taken_as_docker_takes_it(docker, store, change):
    tar = craft.layer({"a": b""})
    docker("import", "--change", "CMD x", "--change", change, "-", "empty:1", input=tar)
    (theirs,) = json.loads(docker("image", "inspect", "empty:1"))
    with open(f"{store.paths.root}/../x.tar", "wb") as stream:
        stream.write(tar)
    store.import_(f"{store.paths.root}/../x.tar", ("CMD x", change), "Imported from -", "empty:1")
    ours = store.inspect("empty:1")
    for key in ("Cmd", "Entrypoint"):
        assert ours["Config"][key] == theirs["Config"][key], key


def lines(done):
    return [f"{kind.capitalize()}: {what}" for kind, what in done]


def test_rmi_says_what_docker_says(docker, store):
    for path in ("busybox.docker.tar", "hello-world.docker.tar"):
        docker("load", "-i", str(SHARED / path))
        store.load(str(SHARED / path))
    docker("tag", "hello-world", "hello:2")
    store.tag("hello-world", "hello:2")
    assert docker("rmi", "hello-world").splitlines() == lines(store.remove("hello-world"))
    identifier = store.resolve("hello:2").id
    docker("tag", "hello:2", "hello:3")
    store.tag("hello:2", "hello:3")
    assert docker.run("rmi", identifier).returncode != 0
    with pytest.raises(Exception, match="must be forced"):
        store.remove(identifier)
    assert docker("rmi", "-f", identifier).splitlines() == lines(store.remove(identifier, force=True))
