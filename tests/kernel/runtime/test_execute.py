"""Another process in a running container."""

from __future__ import annotations

import itertools
import os

import pytest
from box import enter, exec_spec, in_monitor, in_userns, make_spec, read_all, run_exec, start

from firkin.errors import CannotRun, Conflict
from firkin.linux import process
from firkin.runtime.launch import mount_root

pytestmark = pytest.mark.needs_root

LINKS = "for n in mnt net uts pid ipc cgroup user time; do readlink /proc/$P/ns/$n; done"


def test_same_namespaces_as_process_one(root):
    spec = make_spec(root, "sleep", "60")
    box = run_exec(spec, exec_spec(spec, "sh", "-c", f"P=self; {LINKS}; P=1; {LINKS}; hostname; ps"))[0]
    assert box.code == 0
    assert box.lines[:8] == box.lines[8:16]
    assert "sleep 60" in box.out


def test_in_a_user_namespace(mapped):
    spec = in_userns(make_spec(mapped, "sleep", "60"))
    box = run_exec(
        spec, exec_spec(spec, "sh", "-c", f"P=self; {LINKS}; P=1; {LINKS}; id; cat /proc/self/uid_map")
    )[0]
    assert box.code == 0, box
    assert box.lines[:8] == box.lines[8:16]
    assert box.lines[16].startswith("uid=0(root)")
    assert "100000" in box.lines[17]


def test_user_environment_directory_descriptors(root):
    spec = make_spec(root, "sleep", "60")
    one = exec_spec(
        spec, "sh", "-c", "id; pwd; env; ls /proc/self/fd; cat /proc/self/status",
        user={"uid": 1000, "gid": 1000, "additionalGids": [7]}, cwd="/tmp", env=["PATH=/bin", "X=y"],
        capabilities={"bounding": ["CAP_CHOWN"]}, noNewPrivileges=True,
    )  # fmt: skip
    box = run_exec(spec, one)[0]
    assert box.lines[:2] == ["uid=1000(user) gid=1000(user) groups=7", "/tmp"]
    assert {"X=y", "HOME=/home/user"} <= set(box.lines)
    assert "4" not in box.lines
    status = dict(line.split(":", 1) for line in box.lines if ":" in line)
    assert int(status["CapBnd"], 16) == 1
    assert status["NoNewPrivs"].strip() == "1"


def test_terminal(root):
    spec = make_spec(root, "sleep", "60")
    one = exec_spec(
        spec, "sh", "-c", "tty; stty size", terminal=True, consoleSize={"height": 11, "width": 22}
    )
    first, second = run_exec(spec, one, one)
    assert first.lines == ["/dev/pts/0", "11 22"]
    assert second.code == 0


@pytest.mark.parametrize(
    ("program", "code", "message"),
    [
        ("foo", 127, 'exec: "foo": executable file not found in $PATH'),
        ("/foo", 127, 'exec: "/foo": stat /foo: no such file or directory'),
        ("/etc/passwd", 126, 'exec: "/etc/passwd": permission denied'),
        ("/text", 126, "exec /text: exec format error"),
    ],
)
def test_programs_that_cannot_be_run(root, program, code, message):
    (root / "text").write_text("hello\n")
    (root / "text").chmod(0o755)
    spec = make_spec(root, "sleep", "60")
    box = run_exec(spec, exec_spec(spec, program))[0]
    assert box.error["message"] == message
    assert box.error["fields"]["exit_code"] == code


def test_no_working_directory(root):
    spec = make_spec(root, "sleep", "60")
    box = run_exec(spec, exec_spec(spec, "true", cwd="/nowhere"))[0]
    assert box.error["kind"] == "CannotRun"
    assert (
        'chdir to cwd ("/nowhere") set in config.json failed: no such file or directory'
        in box.error["message"]
    )
    assert not (root / "nowhere").exists()


def test_of_a_container_that_has_ended(root):
    def monitor():
        mount_root(str(root), str(root))
        null = os.open("/dev/null", os.O_RDWR)
        spec = make_spec(root, "true")
        init = start(spec, null)
        answers = []
        os.waitid(os.P_PIDFD, init.pidfd, os.WEXITED | os.WNOWAIT)
        for _ in range(2):  # a zombie, then nothing
            try:
                enter(init, spec, exec_spec(spec, "true"), null)
            except Conflict as error:
                answers.append(str(error))
            if len(answers) == 1:
                process.wait_pidfd(init.pidfd)
        return [answers, os.readlink("/proc/self/ns/pid_for_children") == os.readlink("/proc/self/ns/pid")]

    answers, own = in_monitor(monitor)
    assert len(answers) == 2
    assert all("has ended" in answer for answer in answers)
    assert own


def test_many_in_a_row_leave_no_descriptor_and_no_process(root):
    def monitor():
        mount_root(str(root), str(root))
        null = os.open("/dev/null", os.O_RDWR)
        spec = make_spec(root, "sleep", "60")
        init = start(spec, null)
        counts = []
        for number in range(6):
            try:
                launched = enter(init, spec, exec_spec(spec, "true" if number % 2 else "nope"), null)
                process.wait_pidfd(launched.pidfd)
                os.close(launched.pidfd)
            except CannotRun:
                pass
            counts.append(len(os.listdir("/proc/self/fd")))
        reader, writer = os.pipe()
        enter(init, spec, exec_spec(spec, "ps"), writer)
        os.close(writer)
        out = read_all(reader)
        process.pidfd_send_signal(init.pidfd, 9)
        return [[b - a for a, b in itertools.pairwise(counts[2:])], out]

    growth, out = in_monitor(monitor)
    assert set(growth) == {1}  # box.enter opens /dev/null each time
    assert len(out.splitlines()) == 3  # header, sleep, ps


def test_keyring_is_the_containers(root):
    spec = make_spec(root, "sleep", "60")
    spec["linux"]["maskedPaths"] = []
    box = run_exec(spec, exec_spec(spec, "cat", "/proc/keys"), container_id="firkin-test-runtime")[0]
    assert "_ses.firkin-test-runtime" in box.out
