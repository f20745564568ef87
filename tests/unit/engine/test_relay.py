"""The client's loop, with a socket for a monitor."""

from __future__ import annotations

import os
import select
import socket
import threading

from firkin.engine import frames
from firkin.engine.attach import AttachClient, Ended, relay


def test_output_that_came_with_the_start_is_shown_at_once() -> None:
    """It hung: the frame had been read already, so no poll told of it until the container said more."""
    ours, monitor = socket.socketpair()
    read, write = os.pipe()
    client = AttachClient(ours.detach())
    ended: list[Ended] = []
    try:
        monitor.sendall(frames.pack_json(frames.STARTED, {"pid": 1}) + frames.pack(frames.STDOUT, b"ready\n"))
        assert client.await_start() == {"pid": 1}
        thread = threading.Thread(
            target=lambda: ended.append(relay(client, stdin=None, stdout=write, stderr=None))
        )
        thread.start()
        shown, _, _ = select.select([read], [], [], 10)
        text = os.read(read, 100) if shown else b""
        monitor.sendall(frames.pack_json(frames.EXIT, {"exit_code": 3}))
        monitor.close()
        thread.join(10)
        assert text == b"ready\n"
        assert [end.exit_code for end in ended] == [3]
    finally:
        monitor.close()
        client.close()
        os.close(read)
        os.close(write)
