"""RUN/containers/ID/attach.sock, the monitor's side.

A unix socket's path is limited to 107 bytes; through /proc/self/fd it is short however deep the run root lies.
"""

from __future__ import annotations

import os


def listen(bundle: str) -> int:
    """Bind the socket and return its descriptor (non-blocking)."""
    import _socket

    folder = os.open(bundle, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            os.unlink("attach.sock", dir_fd=folder)
        except FileNotFoundError:
            pass
        kind = _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC | _socket.SOCK_NONBLOCK
        sock = _socket.socket(_socket.AF_UNIX, kind)
        sock.bind(f"/proc/self/fd/{folder}/attach.sock")
        sock.listen(64)
        return sock.detach()
    finally:
        os.close(folder)
