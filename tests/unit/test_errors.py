from __future__ import annotations

import errno
import json

import pytest

from firkin import errors


def test_message_and_hint_read_as_one_line():
    error = errors.Conflict(
        "port 8080 is taken by pid 4242 (nginx)", hint="use -p 8081:80 or stop it", pid=4242
    )
    assert str(error) == "port 8080 is taken by pid 4242 (nginx); use -p 8081:80 or stop it"
    assert error.fields == {"pid": 4242}


@pytest.mark.parametrize(
    "error",
    [
        errors.NotFound("no such container: web", hint="see firkin ps -a", name="web"),
        errors.InUse("volume data is in use", by="web"),
        errors.AlreadyExists("the name web is taken"),
        errors.CannotRun("exec: not found", exit_code=127, path="/bin/x"),
        errors.Internal("bug"),
    ],
)
def test_kind_message_hint_and_fields_survive_a_fork(error):
    again = errors.from_wire(json.loads(json.dumps(errors.to_wire(error))))
    assert type(again) is type(error)
    assert (again.message, again.hint, again.fields) == (error.message, error.hint, error.fields)


def test_domain_error_arrives_as_its_kind():
    class PortTaken(errors.Conflict):
        pass

    assert type(errors.from_wire(errors.to_wire(PortTaken("x")))) is errors.Conflict


def test_syscall_error_keeps_call_path_and_notes():
    error = errors.SyscallError(errno.EPERM, "mount", "/data")
    error.add_note("while mounting /data, mounts[3] of config.json")
    again = errors.from_wire(errors.to_wire(error))
    assert isinstance(again, errors.SyscallError)
    assert (again.errno, again.syscall, again.filename) == (errno.EPERM, "mount", "/data")
    assert again.__notes__ == ["while mounting /data, mounts[3] of config.json"]


def test_foreign_exception_is_internal_and_names_itself():
    again = errors.from_wire(errors.to_wire(ValueError("boom")))
    assert isinstance(again, errors.Internal)
    assert str(again) == "ValueError: boom"


def test_exit_code_of_cannot_run_survives():
    again = errors.from_wire(errors.to_wire(errors.CannotRun("x", exit_code=127)))
    assert isinstance(again, errors.CannotRun)
    assert again.exit_code == 127
