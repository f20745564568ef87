"""bpf(2), as far as a cgroup's device program needs it: load, attach, detach, query."""

from __future__ import annotations

import _struct

from firkin.errors import SyscallError
from firkin.linux import libc, nr

PROG_TYPE_CGROUP_DEVICE = 15
CGROUP_DEVICE = 6  # enum bpf_attach_type
F_ALLOW_MULTI = 2

_PROG_LOAD = 5
_PROG_ATTACH = 8
_PROG_DETACH = 9
_PROG_GET_FD_BY_ID = 13
_PROG_QUERY = 16
_MOST = 64  # programs that one cgroup may have (BPF_CGROUP_MAX_PROGS)
_LOG = 65536


def _bpf(command: int, attributes: bytes | bytearray) -> int:
    memory = attributes if isinstance(attributes, bytearray) else bytearray(attributes)
    return libc.syscall("bpf", nr.BPF, command, libc.buffer(memory), len(memory))


def load_device_program(program: bytes) -> int:
    """Load a BPF_PROG_TYPE_CGROUP_DEVICE program; return its descriptor (close-on-exec).

    Raises SyscallError; when the verifier refuses, a note carries its words.
    """
    code, license_, log = bytearray(program), bytearray(b"Apache-2.0\0"), bytearray(_LOG)

    def attributes(level: int) -> bytes:
        return _struct.pack(
            "<IIQQIIQ", PROG_TYPE_CGROUP_DEVICE, len(program) // 8, libc.address(code), libc.address(license_),
            level, _LOG if level else 0, libc.address(log) if level else 0,
        )  # fmt: skip

    try:
        return _bpf(_PROG_LOAD, attributes(0))
    except SyscallError as refusal:
        try:
            return _bpf(_PROG_LOAD, attributes(1))
        except SyscallError:
            refusal.add_note(
                bytes(log).rstrip(b"\0").decode(errors="replace").strip() or "no word from the verifier"
            )
        raise


def attach(cgroup_fd: int, program_fd: int) -> None:
    """Attach to the cgroup beside what is there; an access needs the consent of all, and of all ancestors'."""
    _bpf(_PROG_ATTACH, _struct.pack("<IIII", cgroup_fd, program_fd, CGROUP_DEVICE, F_ALLOW_MULTI))


def detach(cgroup_fd: int, program_fd: int) -> None:
    _bpf(_PROG_DETACH, _struct.pack("<IIII", cgroup_fd, program_fd, CGROUP_DEVICE, 0))


def attached(cgroup_fd: int) -> list[int]:
    """Return the ids of the device programs on this cgroup itself."""
    ids = bytearray(4 * _MOST)
    query = bytearray(
        _struct.pack("<IIIIQIIQ", cgroup_fd, CGROUP_DEVICE, 0, 0, libc.address(ids), _MOST, 0, 0)
    )
    _bpf(_PROG_QUERY, query)
    count = int.from_bytes(query[24:28], "little")
    return list(_struct.unpack_from(f"<{count}I", ids))


def open_program(program_id: int) -> int:
    """Return a descriptor of the program ``program_id``."""
    return _bpf(_PROG_GET_FD_BY_ID, _struct.pack("<III", program_id, 0, 0))
