"""Why a container could not be started: the runtime's error, completed with what its root file system shows.

The monitor calls ``explained`` while the root is still mounted; the error that comes out is what stderr, `inspect` and
`firkin explain` show.
"""

from __future__ import annotations

import os

from firkin.engine.explain.cause import Cause
from firkin.errors import CannotRun

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

# What docker's own words, with which the runtime's message begins, say already.
_SAID = ("not-in-path", "is-a-directory", "no-such-file")
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def explained(
    error: CannotRun, root: str, process: Mapping[str, Any], mounts: Sequence[Mapping[str, Any]] = ()
) -> CannotRun:
    """Return ``error`` with cause, proof and fix; ``root`` is the mounted root, ``process`` is config.json's.

    ``mounts`` are config.json's where ``root`` is without them, as the monitor sees it.

    Never raises: where the root cannot be looked at, the error comes back as it is.
    """
    from firkin.engine.explain.program import Caller, examine

    if error.fields.get("why") == "cwd":
        return _workdir(error, str(process.get("cwd", "/")))
    number = error.fields.get("errno")
    args = process.get("args") or [""]
    if not isinstance(number, int) or not number:
        return error
    user = process.get("user", {})
    environ = dict(item.partition("=")[::2] for item in process.get("env", ()))
    gids = [int(user.get("gid", 0)), *user.get("additionalGids", ())]
    binds = [(str(m["destination"]), str(m["source"])) for m in mounts if m.get("type") == "bind"]
    path = environ.get("PATH", DEFAULT_PATH)
    caller = Caller(int(user.get("uid", 0)), gids, process.get("cwd", "/"), path, binds=binds)
    try:
        fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return error
    try:
        cause = examine(fd, args[0], number, caller)
    except OSError:
        return error
    finally:
        os.close(fd)
    return _completed(error, cause, f"{error.message}: {cause.cause}")


def _workdir(error: CannotRun, cwd: str) -> CannotRun:
    number = error.fields.get("errno")
    why = os.strerror(number).lower() if isinstance(number, int) and number else "it cannot be entered"
    cause = Cause(code="workdir", cause=f"the working directory {cwd} cannot be used", proof=why,
                  fix="choose a directory that the user may enter with -w (run makes a missing one, exec does not)")  # fmt: skip
    return _completed(error, cause, error.message)


def _completed(error: CannotRun, cause: Cause, message: str) -> CannotRun:
    fields = {**error.fields, "cause_code": cause.code, "cause": cause.cause, "proof": cause.proof}
    fields.pop("exit_code", None)
    proof = f" ({cause.proof})" if cause.proof and cause.proof not in message else ""
    return CannotRun(f"{message}{proof}", hint=cause.fix or error.hint, exit_code=error.exit_code, **fields)


def failed_start(error: Mapping[str, Any]) -> Cause:
    """Return the cause that a stored error (errors.to_wire) stands for."""
    fields = error.get("fields") or {}
    fix = str(error.get("hint") or "")
    if fields.get("cause_code"):
        return Cause(
            code=str(fields["cause_code"]), cause=str(fields["cause"]), proof=str(fields["proof"]), fix=fix
        )
    kind = str(error.get("kind", "Internal"))
    code = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in kind).lstrip("-")
    message = str(error.get("message", "it was not said why"))
    if kind == "SyscallError":
        notes = [str(note) for note in error.get("notes") or ()]
        call = str(error.get("syscall") or "a system call")
        return Cause(code="kernel-refused", cause=message, proof=", ".join(notes) or f"{call} failed",
                     fix=fix or "run firkin doctor: it says what this kernel lacks")  # fmt: skip
    return Cause(code=code, cause=message, fix=fix)
