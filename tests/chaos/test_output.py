"""The place that log lines go to is full, closed, or read by nobody."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.chaos.process import stop
from tests.chaos.service import said_by, serving

DENIED = 60


@contextmanager
def _full() -> Iterator[tuple[int, Callable[[], None]]]:
    full = os.open("/dev/full", os.O_WRONLY)
    yield full, lambda: None
    os.close(full)


@contextmanager
def _closed() -> Iterator[tuple[int, Callable[[], None]]]:
    """Give a pipe whose reader leaves while the service runs."""
    reading, writing = os.pipe()
    yield writing, lambda: os.close(reading)
    os.close(writing)


@contextmanager
def _blocked() -> Iterator[tuple[int, Callable[[], None]]]:
    """Give a pipe that is full, and that nobody reads."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETFL, os.O_NONBLOCK)
    try:
        while True:
            os.write(writing, b"x" * 4096)
    except BlockingIOError:
        fcntl.fcntl(writing, fcntl.F_SETFL, 0)
    yield writing, lambda: None
    os.close(reading)
    os.close(writing)


@pytest.mark.fault(
    "F33",
    "standard output is a full disk, a closed pipe, a pipe that nobody reads",
    expected="all are answered; lines are lost and counted, or wait in the queue; exit 0",
)
@pytest.mark.parametrize(
    "output",
    [
        pytest.param(_full, id="full"),
        pytest.param(_closed, id="closed", marks=pytest.mark.long),
        pytest.param(_blocked, id="blocked"),
    ],
)
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a disk that is always full")
async def test_an_output_that_takes_nothing_delays_nobody(issuer, found, output):
    with output() as (stdout, break_it):
        async with serving(issuer.issuer, stdout=stdout) as service:
            break_it()
            denied = await service.ask_each([f"garbage-{number}" for number in range(DENIED)])
            granted = await service.ask_each(issuer.tokens(20))
            dropped = await service.metric("log_lines_dropped_total")
            queued = output is _blocked
            code = await stop(service)
            said = service.log_text()

    assert said_by(denied) == {(401, "malformed_token"): DENIED}
    assert said_by(granted) == {(200, "acme"): 20}
    # Ten lines a second for each code: the queue has room for a thousand.
    assert dropped == 0 if queued else dropped >= 10
    assert (code, said) == (0, "")
    found.answered("good", granted)
    found.came("lines wait in the queue" if queued else "lines lost and counted")
    found.came("exit 0")
