"""What must be decided anew is decided in bursts: it warms the next, and known tokens overtake it.

A decision takes a processor nearly twice as long where system calls come between it and the one
before, as reading a request and writing an answer do: docs/performance.md has the figures. So the
decisions wait until the loop has read what is there, are made in a row, and are answered after
that. And a known token is answered between two bursts, however many others wait.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar

Result = TypeVar("Result")

# More would gain little for them, and a known token would wait longer.
AT_ONCE = 16


class _Raised(NamedTuple):
    error: Exception


class Bursts:
    """The port `TakesTurns`: calls one right after the other what comes in at one time."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()

    async def run(self, call: Callable[[], Result]) -> Result:
        """Call it in a burst, and return or raise what it does.

        It is not called where the caller is cancelled before.
        """
        outcome = await self._queue(call)
        if not isinstance(outcome, _Raised):
            return outcome
        try:
            raise outcome.error
        finally:
            del outcome  # it holds the error, which holds this frame: a circle for the collector

    def _queue(self, call: Callable[[], Result]) -> asyncio.Future[Result | _Raised]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Result | _Raised] = loop.create_future()
        if not self._waiting:
            # Not in the very next turn of the loop: what is coming in just now can join.
            loop.call_soon(loop.call_soon, self._gather, 0)
        self._waiting.append(partial(_answer, answer, call))
        return answer

    def _gather(self, before: int) -> None:
        """Begin when a turn of the loop has brought no more, or enough of them."""
        now = len(self._waiting)
        if before < now < AT_ONCE:
            asyncio.get_running_loop().call_soon(self._gather, now)
        else:
            self._burst()

    def _burst(self) -> None:
        for _ in range(min(AT_ONCE, len(self._waiting))):
            self._waiting.popleft()()
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._burst)


def _answer(answer: asyncio.Future[Result | _Raised], call: Callable[[], Result]) -> None:
    if answer.done():
        return
    try:
        answer.set_result(call())
    except Exception as error:  # noqa: BLE001 - it is the caller's, whatever it is
        # Not as the future's exception: that is thrown into who waits, and where one of them
        # catches it, CPython 3.11 tells a debugger or coverage of no call for those around it.
        answer.set_result(_Raised(error))
    finally:
        del answer  # it holds the error, which holds this frame
