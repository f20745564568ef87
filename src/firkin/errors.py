"""Every failure the platform can report, by kind.

A kind says what the caller can do about it; a domain error (a subclass, defined beside the code that
raises it) says what happened and carries fields. Faces translate kinds once; nothing else ever looks
at a message.

    FirkinError
    ├── InvalidArgument     the request is wrong; do not retry
    ├── NotFound            no such object
    ├── Conflict            the object's state forbids it (AlreadyExists, InUse, WrongState)
    ├── Unsupported         this kernel, machine or build cannot
    ├── Unavailable         try again later (locked, timed out, somebody else's fault)
    ├── PermissionDenied    the caller may not
    ├── ResourceExhausted   disk, memory, addresses, ids or a limit ran out
    ├── CannotRun           the container's program could not be started (exit codes 126 and 127)
    └── Internal            our bug, or lost data
    OSError
    └── SyscallError        the kernel said no
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class FirkinError(Exception):
    """Lower case, no full stop, names the object: ``container web is not running``.

    ``hint`` is the next step in the imperative (``use -p 8081:80 or stop it``) or None.
    ``fields`` are the machine-readable facts; they survive a fork as JSON.
    """

    hint: str | None

    def __init__(self, message: str, *, hint: str | None = None, **fields: object) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.fields = fields

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class InvalidArgument(FirkinError):
    """The request is wrong."""


class NotFound(FirkinError):
    """No such object."""


class Conflict(FirkinError):
    """The object's state forbids the request."""


class AlreadyExists(Conflict):
    """The name is taken."""


class InUse(Conflict):
    """Somebody needs the object; ``fields['by']`` says who."""


class Unsupported(FirkinError):
    """This kernel, machine or build cannot."""


class Unavailable(FirkinError):
    """Not now."""


class PermissionDenied(FirkinError):
    """The caller may not."""


class ResourceExhausted(FirkinError):
    """Disk, memory, addresses, ids or a limit ran out."""


class CannotRun(FirkinError):
    """The program could not be started; ``exit_code`` is 126 (not executable) or 127 (not found)."""

    def __init__(
        self, message: str, *, hint: str | None = None, exit_code: int = 126, **fields: object
    ) -> None:
        super().__init__(message, hint=hint, exit_code=exit_code, **fields)
        self.exit_code = exit_code


class Internal(FirkinError):
    """Our bug, or lost data."""


class SyscallError(OSError):
    """The kernel refused ``syscall``; ``errno`` and ``filename`` are OSError's own."""

    def __init__(self, errno: int, syscall: str, path: str | None = None) -> None:
        super().__init__(errno, f"{syscall}: {os.strerror(errno)}", path)
        self.syscall = syscall


_KINDS: tuple[type[FirkinError], ...] = (
    AlreadyExists, InUse, InvalidArgument, NotFound, Conflict, Unsupported, Unavailable,
    PermissionDenied, ResourceExhausted, CannotRun, Internal,
)  # fmt: skip


def to_wire(error: BaseException) -> dict[str, object]:
    """Return ``error`` as a JSON-able mapping, to cross a fork or a socket (never pickle)."""
    if isinstance(error, FirkinError):
        kind = next(k.__name__ for k in _KINDS if isinstance(error, k))
        fields = {k: v for k, v in error.fields.items() if isinstance(v, str | int | float | bool)}
        return {"kind": kind, "message": error.message, "hint": error.hint, "fields": fields}
    if isinstance(error, OSError):
        return {
            "kind": "SyscallError",
            "message": "; ".join([str(error), *getattr(error, "__notes__", ())]),
            "errno": error.errno or 0,
            "syscall": getattr(error, "syscall", ""),
            "path": error.filename if isinstance(error.filename, str) else None,
            "notes": list(getattr(error, "__notes__", ())),
        }
    notes = list(getattr(error, "__notes__", ()))
    return {"kind": "Internal", "message": "; ".join([f"{type(error).__name__}: {error}", *notes])}


def from_wire(data: Mapping[str, object]) -> Exception:
    """Rebuild the error that ``to_wire`` described; an unknown kind becomes Internal."""
    kind = data.get("kind")
    if kind == "SyscallError":
        path = data.get("path")
        error = SyscallError(
            int(str(data.get("errno") or 0)),
            str(data.get("syscall") or ""),
            path if isinstance(path, str) else None,
        )
        notes = data.get("notes")
        for note in notes if isinstance(notes, list) else ():
            error.add_note(str(note))
        return error
    fields = data.get("fields")
    hint = data.get("hint")
    cls = next((k for k in _KINDS if k.__name__ == kind), Internal)
    extra: dict[str, object] = dict(fields) if isinstance(fields, dict) else {}
    message = str(data.get("message", "unknown failure"))
    return cls(message, hint=hint if isinstance(hint, str) else None, **extra)
