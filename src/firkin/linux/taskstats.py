"""When a process began, to the microsecond: taskstats over generic netlink.

/proc/PID/stat's starttime has ticks of 10 ms; struct taskstats' ac_etime (Documentation/accounting/
taskstats-struct.rst) is the time since the start in microseconds, taken by the kernel at the question.
Needs CONFIG_TASKSTATS and CAP_NET_ADMIN.

    request   nlmsghdr | genlmsghdr (command, version) | attributes
    answer    nlmsghdr | genlmsghdr | TASKSTATS_TYPE_AGGR_PID { TASKSTATS_TYPE_PID, TASKSTATS_TYPE_STATS }
"""

from __future__ import annotations

import _struct
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

NETLINK_GENERIC = 16
GENL_ID_CTRL = 0x10
CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME = 3, 1, 2
TASKSTATS_CMD_GET, TASKSTATS_CMD_ATTR_PID = 1, 1
TASKSTATS_TYPE_STATS, TASKSTATS_TYPE_AGGR_PID = 3, 4
NLM_F_REQUEST, NLMSG_ERROR = 1, 2
_HEADERS = 20  # nlmsghdr and genlmsghdr
_AC_ETIME = 144  # offset in struct taskstats, the same since version 1 (64-bit aligned on every machine)
_WAIT_SECONDS = 1


def started_monotonic_ns(pid: int) -> int | None:
    """Return CLOCK_MONOTONIC at the start of ``pid``, or None where the kernel will not say."""
    import _socket
    import time

    try:
        sock = _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, NETLINK_GENERIC)
        try:
            sock.settimeout(_WAIT_SECONDS)
            sock.bind((0, 0))
            answer = _ask(sock, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME, b"TASKSTATS\0")
            family = dict(_attributes(answer, _HEADERS)).get(CTRL_ATTR_FAMILY_ID, b"")
            if len(family) != 2:
                return None
            before = time.monotonic_ns()
            answer = _ask(
                sock,
                _struct.unpack("H", family)[0],
                TASKSTATS_CMD_GET,
                TASKSTATS_CMD_ATTR_PID,
                _struct.pack("I", pid),
            )
            now = (before + time.monotonic_ns()) // 2
        finally:
            sock.close()
    except OSError:
        return None
    inner = dict(_attributes(answer, _HEADERS)).get(TASKSTATS_TYPE_AGGR_PID, b"")
    stats = dict(_attributes(inner, 0)).get(TASKSTATS_TYPE_STATS, b"")
    if len(stats) < _AC_ETIME + 8:
        return None
    elapsed: int = _struct.unpack_from("Q", stats, _AC_ETIME)[0]
    return now - elapsed * 1000 if elapsed else None


def _ask(sock: object, family: int, command: int, attribute: int, value: bytes) -> bytes:
    padded = _struct.pack("HH", 4 + len(value), attribute) + value + b"\0" * (-len(value) % 4)
    payload = _struct.pack("BBH", command, 1, 0) + padded
    sock.send(_struct.pack("IHHII", 16 + len(payload), family, NLM_F_REQUEST, 1, 0) + payload)  # type: ignore[attr-defined]  # _socket has no stubs
    answer: bytes = sock.recv(16384)  # type: ignore[attr-defined]  # _socket has no stubs
    if len(answer) < _HEADERS or _struct.unpack_from("H", answer, 4)[0] == NLMSG_ERROR:
        code = -_struct.unpack_from("i", answer, 16)[0] if len(answer) >= _HEADERS else 5
        raise OSError(code, os.strerror(code))
    return answer


def _attributes(data: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    while at + 4 <= len(data):
        length, kind = _struct.unpack_from("HH", data, at)
        if length < 4:
            return
        yield kind & 0x3FFF, data[at + 4 : at + length]
        at += (length + 3) & ~3
