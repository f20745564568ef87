"""Sockets in network namespaces: a socket stays where it was made, so one process can be everywhere."""

from __future__ import annotations

import socket
import threading

from firkin.linux import netns


def made_in(fd: int | None, kind: int) -> socket.socket:
    """Return a socket of the namespace ``fd`` (None: the host's)."""
    found: list[socket.socket] = []

    def make() -> None:
        found.append(socket.socket(socket.AF_INET, kind))

    if fd is None:
        make()
    else:
        netns.visit(fd, make)
    found[0].settimeout(3)
    return found[0]


class TcpServer:
    """Says to each client which address it sees it under."""

    def __init__(self, fd: int | None, port: int, address: str = "0.0.0.0") -> None:
        self.socket = made_in(fd, socket.SOCK_STREAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((address, port))
        self.socket.listen(16)
        self.socket.settimeout(None)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            client, peer = self.socket.accept()
            client.sendall(peer[0].encode())
            client.close()


class UdpServer:
    """Answers each datagram with a word of its own and the address it came from."""

    def __init__(self, fd: int | None, port: int, word: str = "") -> None:
        self.socket = made_in(fd, socket.SOCK_DGRAM)
        self.socket.bind(("0.0.0.0", port))
        self.socket.settimeout(None)
        self.word = word
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            _, peer = self.socket.recvfrom(100)
            self.socket.sendto(f"{self.word}{peer[0]}".encode(), peer)


def tcp(fd: int | None, address: str, port: int, *, source: str = "", patience: float = 3) -> str:
    """Connect and return what the server says, or the name of the error."""
    client = made_in(fd, socket.SOCK_STREAM)
    with client:
        client.settimeout(patience)
        try:
            if source:
                client.bind((source, 0))
            client.connect((address, port))
            return client.recv(100).decode()
        except OSError as error:
            return type(error).__name__


def udp(
    fd: int | None, address: str, port: int, *, client: socket.socket | None = None, patience: float = 3
) -> str:
    """Send one datagram and return the answer, or the name of the error."""
    own = client or made_in(fd, socket.SOCK_DGRAM)
    own.settimeout(patience)
    try:
        own.sendto(b"?", (address, port))
        answer, peer = own.recvfrom(100)
        # The answer must come from whom was asked: a NAT that loses its way shows here.
        return answer.decode() if peer == (address, port) else f"answered by {peer}"
    except OSError as error:
        return type(error).__name__
    finally:
        if client is None:
            own.close()
