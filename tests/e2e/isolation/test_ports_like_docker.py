"""-p for TCP beside docker, asked from where each engine publishes; for UDP firkin alone (busybox has no UDP server)."""

from __future__ import annotations

import subprocess
import sys
import uuid

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from e2e.isolation.conftest import Pair
    from e2e.target import Target

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_nft]

CLIENT = """
import socket, sys, time
kind = socket.SOCK_STREAM if sys.argv[1] == "tcp" else socket.SOCK_DGRAM
for _ in range(60):
    with socket.socket(socket.AF_INET, kind) as client:
        client.settimeout(0.3)
        try:
            client.connect(("127.0.0.1", int(sys.argv[2]))); client.sendall(b"ping")
            answer = client.recv(100)
        except OSError:
            answer = b""
    if answer:
        print(answer.decode())
        break
    time.sleep(0.05)
"""

SERVER = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
    server.bind(("0.0.0.0", 9))
    while True:
        data, peer = server.recvfrom(100)
        server.sendto(data.upper(), peer)
"""


@pytest.mark.needs_docker
def test_tcp_is_published(pair: Pair) -> None:
    name = f"t{uuid.uuid4().hex[:8]}"
    pair.out("run", "-d", "--name", name, "-p", "127.0.0.1:18931:7/tcp", "busybox", "sh", "-c",
             "while :; do nc -l -p 7 -e cat; done")  # fmt: skip
    try:
        for engine in (pair.reference, pair.firkin):
            assert engine.in_network(sys.executable, "-c", CLIENT, "tcp", "18931").stdout == "ping\n", (
                engine.name
            )
        shape = "{{json .NetworkSettings.Ports}}"
        theirs, ours = pair.out("inspect", "-f", shape, name)
        assert ours == theirs
    finally:
        pair.both("rm", "-f", name)


def test_udp_is_published(firkin: Target) -> None:
    name = f"t{uuid.uuid4().hex[:8]}"
    firkin.run(
        "run", "-d", "--name", name, "-p", "18932:9/udp", "host", "python3", "-I", "-c", SERVER, check=True
    )
    try:
        asked = subprocess.run(
            [sys.executable, "-c", CLIENT, "udp", "18932"], capture_output=True, text=True, timeout=60
        )
        assert asked.stdout == "PING\n"
    finally:
        firkin.run("rm", "-f", name)
