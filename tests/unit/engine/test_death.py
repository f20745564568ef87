from __future__ import annotations

import pytest

from firkin.engine.explain.death import explain_death

OOM = {"level": "/sys/fs/cgroup/memory/firkin/x/y", "limit": 64 << 20, "peak": 64 << 20, "kills": 2}


@pytest.mark.parametrize(
    ("record", "code", "words"),
    [
        ({"exit_code": 0}, "ended", "exit code 0"),
        ({"exit_code": 137, "signal": 9, "oom": True, "oom_report": OOM}, "oom-killed", "limit 64MiB"),
        ({"exit_code": 1, "oom": True, "oom_report": OOM}, "oom-killed", "then it exited with code 1"),
        ({"exit_code": 137, "signal": 9, "oom": True, "oom_report": {"kills": 1}}, "oom-killed", "the machine itself"),
        ({"exit_code": 137, "signal": 9}, "signal-kill", "SIGKILL"),
        ({"exit_code": 137, "signal": 9, "killed_by": "firkin kill"}, "killed-by-firkin", "sent by firkin kill"),
        ({"exit_code": 143, "signal": 15, "killed_by": "firkin stop"}, "killed-by-firkin", "SIGTERM"),
        ({"exit_code": 139, "signal": 11}, "signal-segv", "memory that is not its own"),
        ({"exit_code": 139}, "signal-segv", "exit code 139"),
        ({"exit_code": 134, "signal": 6}, "signal-abrt", "aborted itself"),
        ({"exit_code": 159, "signal": 31}, "signal-sys", "seccomp"),
        ({"exit_code": 162, "signal": 34}, "signal", "signal 34"),
        ({"exit_code": 137, "signal": 9, "monitor_lost": True, "monitor_pid": 77}, "monitor-killed", "pid 77"),
        ({"exit_code": 255, "rebooted": True}, "rebooted", "restarted"),
        ({"exit_code": 3}, "exit-code", "the program's own code"),
        ({"exit_code": 127, "last_output": "x: error while loading shared libraries: libfoo.so.1: cannot open"}, "library-missing", "libfoo.so.1"),
        ({"exit_code": 1, "last_output": "touch: /x: Read-only file system"}, "read-only", "--read-only"),
        ({"exit_code": 1, "last_output": "bind: Address already in use"}, "address-in-use", "listens"),
        ({"exit_code": 1, "last_output": "mount: permission denied (are you root?)"}, "permission-denied", "--cap-add"),
        ({"exit_code": 1, "last_output": "mount: Operation not permitted"}, "not-permitted", "seccomp"),
        ({"exit_code": 2}, "exit-code", "wrong usage"),
    ],
)  # fmt: skip
def test_each_death_is_named(record, code, words):
    cause = explain_death(record)
    assert cause.code == code
    assert words in cause.line()
