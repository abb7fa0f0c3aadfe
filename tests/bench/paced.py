"""Requests at fixed moments, whether earlier ones were answered or not (an open loop).

A latency counts from the moment the request was due, so that no slow answer hides the wait of
those behind it (no coordinated omission). A connection has one request at a time; there are enough.
"""

from __future__ import annotations

import select
from collections import Counter, deque
from time import perf_counter

from tests.bench.client import Connection, status_of

_CONNECTIONS = 64
_PATIENCE = 10.0


class Paced:
    """Asks one server. `latencies` in µs and `statuses` are of all answers."""

    def __init__(self, port: int, request: bytes) -> None:
        self._free = deque(Connection(port) for _ in range(_CONNECTIONS))
        self._asked: dict[int, tuple[Connection, float]] = {}
        self._request = request
        self.latencies: Counter[int] = Counter()
        self.statuses: Counter[int] = Counter()

    def close(self) -> None:
        for connection in self._free:
            connection.socket.close()

    def run(self, rate: float, seconds: float) -> None:
        """Send `rate` a second for so long, and wait for the answers. Raises TimeoutError."""
        began = perf_counter()
        waiting = deque(began + number / rate for number in range(int(rate * seconds)))
        while waiting or self._asked:
            now = perf_counter()
            while waiting and waiting[0] <= now and self._free:
                self._send(waiting.popleft())
            until = waiting[0] if waiting and self._free else now + _PATIENCE
            # Not epoll: its time-out has whole milliseconds only.
            ready, _, _ = select.select(list(self._asked), [], [], max(0.0, until - perf_counter()))
            if not ready and not waiting:
                raise TimeoutError
            for number in ready:
                self._receive(number)

    def _send(self, due: float) -> None:
        connection = self._free.popleft()
        connection.socket.send(self._request)
        self._asked[connection.socket.fileno()] = (connection, due)

    def _receive(self, number: int) -> None:
        connection, due = self._asked[number]
        connection.answer += connection.socket.recv(65536)
        status = status_of(connection.answer)
        if status is None:
            return
        del self._asked[number]
        connection.answer = b""
        self._free.append(connection)
        self.latencies[int((perf_counter() - due) * 1e6)] += 1
        self.statuses[status] += 1
