"""The clients: most are quick and polite, some are slow, leave, or stall.

An open loop: requests come when they are due, whether the ones before have been answered or not,
and a latency counts from that moment. So nothing that makes the service slow makes the load wait.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

from yarl import URL

from hasura_kc_auth.core.errors import Code
from tests.conftest import Answer
from tests.soak.judge import Judge, Malformed, Question, Span, described, read
from tests.soak.realm import monotonic, wall
from tests.soak.tally import Tally
from tests.soak.timeline import Times
from tests.web.wire import Wire, connected

_NO_ANSWER = (OSError, EOFError, TimeoutError, ValueError)
"""What reading an answer raises where there is none, or none in the form of HTTP."""

_SLOW_SECONDS = 1.0
_GRACE = 3.0
"""Seconds after `read_timeout` in which a busy service may still close a stalled connection."""


class Load:
    """Asks one service, and has each answer judged."""

    def __init__(self, url: str, judge: Judge, tally: Tally, times: Times) -> None:
        self._url = URL(url)
        self._judge = judge
        self._tally = tally
        self._times = times
        self._idle: deque[Wire] = deque()
        self._began = monotonic()

    async def close(self) -> None:
        for wire in self._idle:
            await wire.close()
        self._idle.clear()

    async def ask(self, question: Question, due: float) -> None:
        """Ask on a kept connection; `due`: when it should have been sent."""
        sent = monotonic()
        self._tally.lateness.append(sent - due)
        try:
            async with self._kept() as wire:
                answer = await wire.ask(question.message)
        except _NO_ANSWER as error:
            self._note(question.kind, Malformed(f"no answer ({type(error).__name__})"), sent)
            return
        took = monotonic() - due
        waits = question.kid is not None and self._judge.may_wait(question.kid, sent)
        (self._tally.waiting if waits else self._tally.steady).append(took)
        self._judged(question, question.kind, answer, sent)

    async def ask_slowly(self, question: Question) -> None:
        """Send the request in three pieces, with pauses; it is answered as any other."""
        size = len(question.message) // 3
        try:
            async with connected(str(self._url)) as wire:
                for start in (0, size):
                    await wire.send(question.message[start : start + size])
                    await asyncio.sleep(_SLOW_SECONDS / 2)
                sent = monotonic()
                answer = await wire.ask(question.message[2 * size :])
        except _NO_ANSWER as error:
            why = Malformed(f"no answer ({type(error).__name__})")
            self._note("slow client", why, monotonic())
            return
        self._judged(question, "slow client", answer, sent)

    async def leave(self, question: Question, random: Random) -> None:
        """Send some or all of a request, and leave without reading."""
        length = random.choice((len(question.message), random.randrange(len(question.message))))
        self._tally.kinds["leaving client"] += 1
        async with connected(str(self._url)) as wire:
            await wire.send(question.message[:length])
            wire.writer.transport.abort()

    async def stall(self, question: Question) -> None:
        """Send half a head and wait: the service must hang up in time, and answer nothing."""
        began = monotonic()
        half = question.message[: question.message.index(b"\r\n\r\n") + 2]
        async with connected(str(self._url)) as wire:
            await wire.send(half)
            rest = await wire.rest()
        took = monotonic() - began
        late = took > self._times.read_timeout + _GRACE
        why = f"was answered {len(rest)} bytes" if rest else f"held for {took:.1f} s"
        self._tally.kinds["stalling client"] += 1
        if rest or late:
            self._wrong("stalling client", why, began)

    @asynccontextmanager
    async def _kept(self) -> AsyncIterator[Wire]:
        """Give a connection, and keep it for later where the service does."""
        if self._idle:
            wire = self._idle.popleft()
        else:
            wire = Wire(*await asyncio.open_connection(self._url.host, self._url.port))
        try:
            yield wire
        except BaseException:
            wire.writer.transport.abort()
            raise
        if wire.reader.at_eof():
            await wire.close()
        else:
            self._idle.append(wire)

    def note_error(self, kind: str, error: BaseException) -> None:
        """Count what asking or judging raised as a wrong answer: whatever came, it was not right.

        Only the name of its type is kept, since its text may be of an answer or of a token.
        """
        self._tally.kinds[kind] += 1
        self._wrong(kind, type(error).__name__, monotonic())

    def _judged(self, question: Question, kind: str, answer: Answer, sent: float) -> None:
        now = monotonic()
        wrong = self._judge.wrong(question, answer, Span(sent, now, wall() - now))
        came = read(answer)
        self._tally.kinds[kind] += 1
        self._tally.outcomes[came if isinstance(came, Code) else "granted"] += 1
        if wrong is not None:
            self._wrong(kind, wrong, sent)

    def _note(self, kind: str, came: Malformed, sent: float) -> None:
        self._tally.kinds[kind] += 1
        self._tally.outcomes["no answer"] += 1
        self._wrong(kind, described(came), sent)

    def _wrong(self, kind: str, text: str, sent: float) -> None:
        self._tally.wrong.append(f"at {sent - self._began:.1f} s, {kind}: {text}")
