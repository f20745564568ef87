"""What cannot be run, in runc's words, and what is not done at all. After each, nothing is left."""

from __future__ import annotations

import pytest
from box import make_spec, run

pytestmark = pytest.mark.needs_root


@pytest.mark.parametrize(
    ("program", "code", "message"),
    [
        ("foo", 127, 'exec: "foo": executable file not found in $PATH'),
        ("", 127, 'exec: "": executable file not found in $PATH'),
        ("/foo", 127, 'exec: "/foo": stat /foo: no such file or directory'),
        ("./foo", 127, 'exec: "./foo": stat ./foo: no such file or directory'),
        ("/etc/passwd", 126, 'exec: "/etc/passwd": permission denied'),
        ("/etc", 126, 'exec: "/etc": is a directory'),
        ("/empty", 126, "exec /empty: exec format error"),
        ("/text", 126, "exec /text: exec format error"),
        ("/lost", 127, "exec /lost: no such file or directory"),
    ],
)
def test_programs_that_cannot_be_run(root, program, code, message):
    for name, content in (("empty", ""), ("text", "echo hello\n"), ("lost", "#!/no/such/interpreter\n")):
        (root / name).write_text(content)
        (root / name).chmod(0o755)
    box = run(make_spec(root, program))
    assert box.error["kind"] == "CannotRun", box
    assert box.error["message"] == message
    assert box.error["fields"]["exit_code"] == code
    assert box.error["fields"]["path"] == program
    assert box.left == []


def test_permission_is_the_users_and_not_roots(root):
    (root / "bin/only-root").write_bytes(b"#!/bin/sh\n")
    (root / "bin/only-root").chmod(0o700)
    spec = make_spec(root, "/bin/only-root")
    assert run(spec).code == 0
    spec["process"]["user"] = {"uid": 1000, "gid": 1000}
    spec["process"]["capabilities"] = {}
    assert run(spec).error["message"] == 'exec: "/bin/only-root": permission denied'


def test_the_current_directory_is_not_searched(root):
    spec = make_spec(root, "here")
    (root / "here").write_bytes(b"#!/bin/sh\n")
    (root / "here").chmod(0o755)
    for path in ("PATH=", "PATH=.", "PATH=:/nowhere"):
        spec["process"]["env"] = [path]
        assert run(spec).error["fields"]["exit_code"] == 127


@pytest.mark.parametrize(
    ("cwd", "code", "word"),
    [
        ("/etc/passwd", 126, "not a directory"),
        ("/etc/passwd/sub", 126, "not a directory"),
        ("/loop", 126, "too many levels"),
    ],
)
def test_working_directories_that_are_none(root, cwd, code, word):
    (root / "loop").symlink_to("loop")
    spec = make_spec(root, "true")
    spec["process"]["cwd"] = cwd
    box = run(spec)
    assert box.error["kind"] == "CannotRun"
    assert box.error["fields"]["exit_code"] == code
    assert f'chdir to cwd ("{cwd}") set in config.json failed: {word}' in box.error["message"]
    assert box.left == []


def test_working_directory_is_made(root):
    spec = make_spec(root, "pwd")
    spec["process"]["cwd"] = "/made/for/you"
    assert run(spec).out == "/made/for/you\n"
    assert (root / "made/for/you").stat().st_mode & 0o777 == 0o755


def test_working_directory_of_the_user_only(root):
    (root / "home/user").chmod(0o700)
    import os

    os.chown(root / "home/user", 1000, 1000)
    spec = make_spec(root, "pwd")
    spec["process"]["cwd"] = "/home/user"
    spec["process"]["user"] = {"uid": 1000, "gid": 1000}
    spec["process"]["capabilities"] = {}
    assert run(spec).out == "/home/user\n"
    spec["process"]["user"] = {"uid": 1001, "gid": 1001}
    assert (
        "permission denied" in (run(spec).error or {"message": run(spec).out})["message"]
        or run(spec).code == 0
    )


def test_a_root_that_is_not_there(tmp_path):
    from box import in_monitor, run_here

    values = in_monitor(run_here, make_spec(tmp_path / "nope", "true"), {})
    assert values["error"]["errno"] == 2
    assert any("root.path" in note for note in values["notes"])
    assert values["left"] == []


def test_oom_score_and_limits_out_of_reach_say_what_is_missing(root):
    spec = make_spec(root, "true")
    spec["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 1 << 40, "hard": 1 << 40}]
    box = run(spec)
    assert box.error["errno"] == 1
    assert any("RLIMIT_NOFILE" in note for note in box.notes)
    assert box.left == []


def test_labels_without_their_module(root):
    spec = make_spec(root, "true")
    spec["process"]["apparmorProfile"] = "docker-default"
    assert run(spec).error["kind"] == "Unsupported"
    spec = make_spec(root, "true")
    spec["process"]["selinuxLabel"] = "system_u:system_r:container_t:s0"
    assert run(spec).error["kind"] == "Unsupported"


def test_invalid_configuration_is_refused_before_anything_is_made(root):
    spec = make_spec(root, "true")
    spec["linux"]["sysctl"] = {"vm.swappiness": "1"}
    box = run(spec)
    assert box.error["kind"] == "InvalidArgument"
    assert box.error["fields"]["field"] == "linux.sysctl[vm.swappiness]"
    assert box.left == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"hooks": {"prestart": [{"path": "/bin/true"}]}}, "hooks.prestart"),
        ({"linux": {"namespaces": [{"type": "mount"}], "intelRdt": {"closID": "x"}}}, "linux.intelRdt"),
    ],
)
def test_properties_that_are_not_done_are_refused(root, change, field):
    spec = {**make_spec(root, "true"), "hostname": "", **change}
    box = run(spec)
    assert box.error["kind"] == "Unsupported"
    assert box.error["fields"]["field"] == field


def test_sysctl_that_the_kernel_refuses(root):
    spec = make_spec(root, "true")
    spec["linux"]["sysctl"] = {"net.ipv4.no_such_thing": "1"}
    box = run(spec)
    assert box.error["errno"] == 2
    assert any("net.ipv4.no_such_thing" in note for note in box.notes)
    assert box.left == []
