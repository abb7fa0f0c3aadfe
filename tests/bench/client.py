"""The bundled client: kept-alive connections, each with one request in flight (a closed loop).

Run as a process: `python -m tests.bench.client PORT CONNECTIONS SECONDS FILE` prints one line of
JSON, as wrk does with wrk.lua. FILE has the requests: for each its length in a line, then its
bytes. Linux (epoll).
"""

from __future__ import annotations

import json
import select
import socket
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle, takewhile
from pathlib import Path
from time import perf_counter, perf_counter_ns
from typing import IO

from tests.bench.latency import corrected

_CHUNK = 1 << 18


class Connection:
    """One connection. `answer` has what came of the answer so far, `unsent` what is left to send.

    `began`: when its request was begun, in ns.
    """

    __slots__ = ("answer", "began", "socket", "unsent")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(0)  # non-blocking
        self.answer = b""
        self.unsent: bytes | memoryview = b""
        self.began = 0


class Client:
    """Asks one server. `latencies` in µs and `statuses` are of all answers so far."""

    def __init__(self, port: int, connections: int) -> None:
        self._poll = select.epoll()
        self._connections = {}
        for connection in (Connection(port) for _ in range(connections)):
            self._connections[connection.socket.fileno()] = connection
            self._poll.register(connection.socket, select.EPOLLIN)
        self.latencies: Counter[int] = Counter()
        self.statuses: Counter[int] = Counter()

    def close(self) -> None:
        self._poll.close()
        for connection in self._connections.values():
            connection.socket.close()

    def run(self, requests: Iterator[bytes]) -> None:
        """Send them all and wait for the answers. Raises ConnectionError."""
        in_flight = sum(self._begin(it, requests) for it in self._connections.values())
        while in_flight:
            for number, events in self._poll.poll():
                connection = self._connections[number]
                if events & select.EPOLLOUT:
                    self._push(connection)
                elif self._read(connection) and not self._begin(connection, requests):
                    in_flight -= 1

    def _begin(self, connection: Connection, requests: Iterator[bytes]) -> bool:
        request = next(requests, None)
        if request is None:
            return False
        connection.began = perf_counter_ns()
        sent = connection.socket.send(request)
        if sent < len(request):
            connection.unsent = memoryview(request)[sent:]
            self._poll.modify(connection.socket, select.EPOLLIN | select.EPOLLOUT)
        return True

    def _push(self, connection: Connection) -> None:
        connection.unsent = connection.unsent[connection.socket.send(connection.unsent) :]
        if not connection.unsent:
            self._poll.modify(connection.socket, select.EPOLLIN)

    def _read(self, connection: Connection) -> bool:
        """Take in what came. True: the answer is whole."""
        data = connection.socket.recv(_CHUNK)
        if not data:
            raise ConnectionError("the server closed a connection")
        connection.answer += data
        status = status_of(connection.answer)
        if status is None:
            return False
        connection.answer = b""
        self.latencies[(perf_counter_ns() - connection.began) // 1000] += 1
        self.statuses[status] += 1
        return True


def status_of(answer: bytes) -> int | None:
    """Return the status of an HTTP answer, or None while it is not here whole."""
    head, end, body = answer.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or b"0")
    return int(head[9:12]) if end and len(body) >= length else None


def write_requests(file: IO[bytes], requests: Iterable[bytes]) -> None:
    file.writelines(b"%d\n%b" % (len(request), request) for request in requests)


def read_requests(file: IO[bytes]) -> Iterator[bytes]:
    while line := file.readline():
        yield file.read(int(line))


def ask(
    port: int, connections: int, seconds: float, requests: Sequence[bytes]
) -> dict[str, object]:
    """Send the requests over and over for so long; return what wrk.lua prints, too."""
    client = Client(port, connections)
    began = perf_counter()
    client.run(takewhile(lambda _: perf_counter() < began + seconds, cycle(requests)))
    took = perf_counter() - began
    client.close()
    count = sum(client.statuses.values())
    latencies = corrected(client.latencies, int(took * 1e6 * connections / count))
    return {
        "requests": count,
        "seconds": took,
        "failures": 0,
        "statuses": client.statuses,
        "latencies": latencies,
    }


def main(port: str, connections: str, seconds: str, file: str) -> None:
    with Path(file).open("rb") as opened:
        requests = list(read_requests(opened))
    print(json.dumps(ask(int(port), int(connections), float(seconds), requests)))


if __name__ == "__main__":
    main(*sys.argv[1:])
