"""The one door to libc: typed prototypes whose failure is a SyscallError.

``_ctypes`` is the C module below ``ctypes``; the Python wrapper around it costs 4 ms at start-up and gives
nothing that is needed here. ctypes is spoken in ``firkin.linux`` only.
"""

from __future__ import annotations

import _ctypes
import errno as _errno

from firkin.errors import SyscallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    _SimpleData = _ctypes._SimpleCData[Any]
else:
    _SimpleData = _ctypes._SimpleCData  # generic for type checkers only


class c_int(_SimpleData):
    _type_ = "i"


class c_uint(_SimpleData):
    _type_ = "I"


class c_long(_SimpleData):
    _type_ = "l"


class c_ulong(_SimpleData):
    _type_ = "L"


class c_char(_SimpleData):
    _type_ = "c"


class c_char_p(_SimpleData):
    _type_ = "z"


class c_void_p(_SimpleData):
    _type_ = "P"


class _Start(_ctypes.Array):  # type: ignore[type-arg]  # generic for type checkers only
    _type_ = c_char
    _length_ = 0


def buffer(memory: bytes | bytearray) -> object:
    """Return what passes ``memory``'s address to a call (a copy's, for bytes); the view keeps it alive."""
    return _Start.from_buffer(memory if isinstance(memory, bytearray) else bytearray(memory))


class _Function(_ctypes.CFuncPtr):
    _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
    _restype_ = c_long


_handle = _ctypes.dlopen(None, 0)  # type: ignore[arg-type]  # NULL: the interpreter itself


def checked(name: str, *argtypes: type, restype: type = c_int) -> Callable[..., int]:
    """Return libc's ``name``, raising SyscallError when it answers below zero. EINTR is retried.

    Strings are passed as bytes (c_char_p) or None for NULL; buffers as bytes, bytearray views made with
    ``buffer`` or integers (addresses) for c_void_p. ``path=`` goes into the error.
    """
    function = _Function(_ctypes.dlsym(_handle, name))
    function.argtypes = argtypes
    function.restype = restype

    def call(*args: object, path: str | None = None) -> int:
        while True:
            result: int = function(*args)
            if result >= 0:
                return result
            number = _ctypes.get_errno()
            if number != _errno.EINTR:
                raise SyscallError(number, name, path)

    return call


class _Holding(_ctypes.CFuncPtr):
    _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO | _ctypes.FUNCFLAG_PYTHONAPI
    _restype_ = c_long


_clone3 = _Holding(_ctypes.dlsym(_handle, "syscall"))


def clone3_holding(number: int, arguments: bytearray) -> int:
    """Do clone3 without letting go of the interpreter's lock, which the child then holds as well. No EINTR."""
    result: int = _clone3(c_long(number), buffer(arguments), c_long(len(arguments)))
    if result < 0:
        raise SyscallError(_ctypes.get_errno(), "clone3")
    return result


def address(memory: object) -> int:
    """Return where ``memory`` (a bytearray, or what ``buffer`` returned) lies, for structures that hold pointers.

    Valid while it lives and keeps its size.
    """
    return _ctypes.addressof(_Start.from_buffer(memory) if isinstance(memory, bytearray) else memory)  # type: ignore[arg-type]  # an object of buffer


_syscall = _Function(_ctypes.dlsym(_handle, "syscall"))
_syscall.restype = c_long


def syscall(name: str, number: int, *args: object, path: str | None = None) -> int:
    """Do system call ``number`` (from linux/nr.py); ``name`` is for the error. EINTR is retried.

    Integers are passed as C longs (so wide flags survive), bytes as pointers to their content, None as NULL.
    """
    cooked = [c_long(a) if isinstance(a, int) else a for a in args]
    while True:
        result: int = _syscall(c_long(number), *cooked)
        if result >= 0:
            return result
        code = _ctypes.get_errno()
        if code != _errno.EINTR:
            raise SyscallError(code, name, path)
