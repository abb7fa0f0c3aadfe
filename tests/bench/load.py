"""The load: a few kept-alive connections, each asked in turn; bare sockets, so that it is cheap."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

CONNECTIONS = 16


@dataclass(frozen=True, slots=True)
class Sample:
    """One run. `cpu`: microseconds of the server's CPU a request; `rate`: requests a second."""

    cpu: float
    rate: float
    statuses: frozenset[int]


class Load:
    """Asks one server."""

    def __init__(self, port: int, pid: int) -> None:
        self._pid = pid
        self._sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS)]

    def close(self) -> None:
        for connection in self._sockets:
            connection.close()

    def run(self, requests: Sequence[bytes], count: int) -> Sample:
        """Send `count` requests, the given ones over and over."""
        source = cycle(requests)
        statuses: set[int] = set()
        began, cpu = time.perf_counter(), cpu_seconds(self._pid)
        sent = 0
        while sent < count:
            statuses.update(self._round(source))
            sent += len(self._sockets)
        spent = cpu_seconds(self._pid) - cpu
        seconds = time.perf_counter() - began
        return Sample(spent / sent * 1e6, sent / seconds, frozenset(statuses))

    def _round(self, source: Iterator[bytes]) -> Iterator[int]:
        for connection, request in zip(
            self._sockets, islice(source, len(self._sockets)), strict=True
        ):
            connection.sendall(request)
        return map(_status, self._sockets)


def _status(connection: socket.socket) -> int:
    """Read one answer whole; every answer here is short and comes in one piece or two."""
    data = connection.recv(65536)
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)
    return int(head[9:12])


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of all threads of a process, to the nanosecond (Linux)."""
    files = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(file.read_text().split()[0]) for file in files) / 1e9
