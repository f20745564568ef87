"""What the library promises, sentence by sentence, from inside pytest."""

from __future__ import annotations

import io
import os
import tarfile
import time
from pathlib import Path

import pytest

import firkin
from firkin import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from e2e.library.conftest import Lab

pytestmark = pytest.mark.only("firkin")
FOREVER = ["sleep", "1000"]
PATIENT = ["sh", "-c", "trap 'exit 3' TERM; while :; do sleep 0.02; done"]


def test_the_example(lab: Lab) -> None:
    example = """
    with firkin.run("host", ["python3", "-c", "print(6*7)"], network="none", memory="64m") as c:
        c.wait()
        print(c.logs())
    """
    assert lab.run(example) == "b'42\\n'\n"


def test_wait_logs_and_state(engine) -> None:
    command = ["sh", "-c", "echo out; echo err >&2; exit 5"]
    with engine.run("busybox", command, network="none", name="first") as c:
        assert c.wait() == c.wait(timeout=0) == 5
        assert (c.name, c.status, c.exit_code, c.pid) == ("first", "exited", 5, 0)
        assert c.logs() == b"out\nerr\n"
        assert c.logs(stderr=False) == b"out\n"
        assert c.logs(stdout=False) == b"err\n"
        assert c.inspect()["State"]["ExitCode"] == 5
        assert engine.containers.get("first").id == c.id
    with pytest.raises(errors.NotFound, match="No such container"):
        engine.containers.get("first")


def test_wait_runs_out_of_time(engine) -> None:
    with engine.run("busybox", FOREVER, network="none") as c:
        assert os.path.exists(f"/proc/{c.pid}")
        assert (c.status, c.exit_code) == ("running", None)
        with pytest.raises(errors.Unavailable, match="has not ended yet"):
            c.wait(timeout=0.05)


def test_follow(engine) -> None:
    with engine.run(
        "busybox", ["sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.05; done"], network="none"
    ) as c:
        chunks = c.logs(follow=True)
        assert next(chunks) == b"1\n"
        assert b"".join(chunks) == b"2\n3\n"


def test_standard_input(engine) -> None:
    data = bytes(range(256)) * 4096
    with engine.run("busybox", ["sha256sum"], network="none", interactive=True) as c:
        assert c.stdin.write(data) == len(data)
        c.stdin.close()
        assert c.wait(timeout=20) == 0
        import hashlib

        assert c.logs().split()[0].decode() == hashlib.sha256(data).hexdigest()
        with pytest.raises(BrokenPipeError):
            c.stdin.write(b"more")


def test_standard_input_of_one_who_has_gone_or_has_none(engine) -> None:
    with engine.run("busybox", ["sleep", "0.1"], network="none", interactive=True) as c:
        given = c.stdin
        c.wait()
        with pytest.raises(BrokenPipeError):
            while True:
                given.write(b"x" * 65536)
    with (
        engine.run("busybox", FOREVER, network="none") as c,
        pytest.raises(errors.Conflict, match="interactive=True"),
    ):
        _ = c.stdin


def test_exec(engine) -> None:
    with engine.run("busybox", FOREVER, network="none", env={"A": "outer"}) as c:
        words = ["sh", "-c", "echo $A $(id -un) $(pwd); cat; echo bad >&2; exit 7"]
        ran = c.exec(words, stdin=b"in" * 100_000, environment={"A": "x"}, user="nobody", workdir="/tmp")
        assert (ran.exit_code, ran.stderr) == (7, b"bad\n")
        assert ran.stdout == b"x nobody /tmp\n" + b"in" * 100_000
        assert c.exec("sh -c 'echo $A'").stdout == b"outer\n"
        with pytest.raises(errors.CannotRun) as failed:
            c.exec(["nosuchprogram"])
        assert failed.value.exit_code == 127
        c.stop(timeout=0)
        with pytest.raises(errors.Conflict, match="it is exited"):
            c.exec(["true"])


def test_stop_kill_start_remove(engine) -> None:
    with engine.run("busybox", PATIENT, network="none") as c:
        time.sleep(0.1)  # for the trap
        c.stop()
        c.stop()
        assert c.wait() == 3
        with pytest.raises(errors.Conflict, match="is not running"):
            c.kill()
        c.start()
        assert c.status == "running"
        with pytest.raises(errors.Conflict):
            c.start()
        with pytest.raises(errors.Conflict):
            c.remove()
        c.kill("KILL")
        assert c.wait(timeout=10) == 137
        with pytest.raises(errors.InvalidArgument):
            c.kill("NOSUCHSIGNAL")
        c.start()
        c.remove(force=True)
        with pytest.raises(errors.NotFound):
            c.remove()


def test_keep_and_detach(lab: Lab, engine) -> None:
    with engine.run("busybox", PATIENT, network="none", keep=True) as kept:
        time.sleep(0.1)
    assert (kept.status, kept.exit_code) == ("exited", 3)
    with engine.run("busybox", FOREVER, network="none", detach=True) as free:
        pass
    engine.close()
    assert free.status == "running"
    assert len(lab.containers()) == 2
    kept.remove()
    free.remove(force=True)


def test_an_exception_in_the_block_cleans_up(lab: Lab, engine) -> None:
    with pytest.raises(ZeroDivisionError), engine.run("busybox", FOREVER):
        _ = 1 / 0
    assert lab.containers() == []


def test_create(engine) -> None:
    with engine.create("busybox", ["true"], network="none") as c:
        assert c.status == "created"
        c.start()
        assert c.wait() == 0
    with pytest.raises(errors.NotFound):
        _ = c.status


def test_a_container_that_removes_itself(engine) -> None:
    with engine.run("busybox", ["sleep", "0.1"], network="none", rm=True) as c:
        assert c.wait() == 0


FAILURES = [
    (errors.NotFound, "did you mean busybox", {"image": "busybux"}),
    (errors.NotFound, "nosuchnet", {"network": "nosuchnet"}),
    (errors.NotFound, "No such container: nobody", {"network": "container:nobody"}),
    (errors.CannotRun, "has no program 'nope'", {"command": ["nope"]}),
    (errors.CannotRun, "not executable", {"command": ["/etc/passwd"]}),
    (errors.InvalidArgument, "did you mean 'memory'", {"memry": "64m"}),
    (errors.InvalidArgument, "64q", {"memory": "64q"}),
    (errors.InvalidArgument, "memory=", {"memory": [1]}),
    (errors.InvalidArgument, "6m", {"memory": 1000}),
    (errors.InvalidArgument, "must be absolute", {"volumes": ["a"]}),
    (errors.InvalidArgument, "bind source path does not exist", {"mounts": ["type=bind,source=/nosuch,target=/x"]}),
    (errors.InvalidArgument, "xx", {"ports": {"80/xx": 1}}),
    (errors.InvalidArgument, "not 5", {"image": 5}),
    (errors.InvalidArgument, "No closing quotation", {"command": "a 'b"}),
    (errors.InvalidArgument, "container.id", {"cidfile": "/tmp/x"}),
    (errors.InvalidArgument, "LogConfig", {"log": 5}),
    (errors.InvalidArgument, "unable to find user", {"user": "nosuchuser"}),
    (errors.InvalidArgument, "container name", {"name": "no such name"}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "says", "given"), FAILURES, ids=[says for _, says, _ in FAILURES])
def test_a_run_that_fails_leaves_nothing(lab: Lab, engine, kind, says, given) -> None:
    arguments = {"image": "busybox", "command": FOREVER, "network": "none", **given}
    with pytest.raises(kind) as failed:
        engine.run(**arguments)
    assert says in str(failed.value)
    assert lab.is_clean()


def test_names_and_ports_that_are_taken(engine) -> None:
    with engine.run("busybox", FOREVER, name="taken", ports=["127.0.0.1::80"]) as c:
        port = c.inspect()["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"]
        with pytest.raises(errors.AlreadyExists, match="taken"):
            engine.run("busybox", name="taken")
        with pytest.raises(errors.Conflict, match=f"{port}.*taken"):
            engine.run("busybox", FOREVER, ports=[f"127.0.0.1:{port}:80"])


def test_two_engines_do_not_see_each_other(engine, tmp_path) -> None:
    with (
        firkin.Engine(root=tmp_path / "root", run_root=tmp_path / "run") as other,
        engine.run("busybox", FOREVER, network="none") as c,
    ):
        assert other.containers.list(all=True) == []
        assert [image.tags for image in other.images.list()] == [("host:latest",)]
        with pytest.raises(errors.NotFound):
            other.containers.get(c.id)
        assert [one.id for one in engine.containers.list()] == [c.id]


def test_images(engine) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo("etc/motd")
        entry.size = 5
        tar.addfile(entry, io.BytesIO(b"hello"))
    packed.seek(0)
    made = engine.images.import_(
        packed, "made:1", changes=["CMD cat /etc/motd", "LABEL a=b"], message="by hand"
    )
    assert made.tags == ("made:1",)
    assert made.inspect()["Config"]["Labels"] == {"a": "b"}
    assert made.history()[0]["Comment"] == "by hand"
    made.tag("other:2")
    assert set(engine.images.get("other:2").tags) == {"made:1", "other:2"}
    with engine.create(made) as c:
        assert c.inspect()["Image"] == made.id
        with pytest.raises(errors.Conflict):
            engine.images.get(made.id).remove()
    engine.images.remove("other:2")
    engine.images.get("made:1").remove(force=True)
    with pytest.raises(errors.NotFound):
        engine.images.get("made:1")
    with pytest.raises(errors.InvalidArgument):
        engine.images.load(io.BytesIO(b"no archive"))
    with pytest.raises(errors.NotFound, match="/nosuch"):
        engine.images.load(Path("/nosuch"))
    with pytest.raises(errors.InvalidArgument, match="BytesIO"):
        engine.images.load(b"bytes")


def test_volumes(engine) -> None:
    volume = engine.volumes.create("data", {"a": "b"})
    write = ["sh", "-c", "echo kept > /data/x"]
    with engine.run("busybox", write, network="none", volumes=["data:/data"]) as c:
        assert c.wait() == 0
        with pytest.raises(errors.InUse, match=c.name):
            engine.volumes.remove("data")
    with open(f"{volume.mountpoint}/x") as stream:
        assert stream.read() == "kept\n"
    assert [one.name for one in engine.volumes.list()] == ["data"]
    engine.volumes.remove("data")
    with pytest.raises(errors.NotFound):
        engine.volumes.get("data")


def test_diff_and_repr(engine) -> None:
    with engine.run("busybox", ["touch", "/new"], network="none") as c:
        c.wait()
        assert ("A", "/new") in c.diff()
        assert repr(c) == f"<firkin.Container {c.id[:12]}>"
