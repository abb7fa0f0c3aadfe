"""Whose turn it is: in a row, in bounds, between the reading and the answering of the others."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections import Counter
from contextlib import suppress
from itertools import groupby
from types import FrameType

import pytest

from hasura_kc_auth.web.bursts import AT_ONCE, Bursts


class Turns:
    """Counts the turns of the loop, and notes in which of them something happened."""

    def __init__(self) -> None:
        self.number = 0
        self.notes: list[tuple[int, str]] = []
        self._handle = asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        self.number += 1
        self._handle = asyncio.get_running_loop().call_soon(self._next)

    def note(self, what: str) -> None:
        self.notes.append((self.number, what))

    def stop(self) -> None:
        self._handle.cancel()


@pytest.fixture
async def turns():
    counting = Turns()
    yield counting
    counting.stop()


async def one(bursts: Bursts, turns: Turns, name: str = "") -> None:
    await bursts.run(lambda: turns.note(f"called{name}"))
    turns.note(f"answered{name}")


async def test_each_gets_its_own_result_or_error():
    bursts = Bursts()
    results = await asyncio.gather(
        bursts.run(lambda: 1), bursts.run(lambda: int("x")), bursts.run(lambda: 2),
        return_exceptions=True,
    )  # fmt: skip
    assert results[::2] == [1, 2]
    assert type(results[1]) is ValueError


async def test_all_are_called_before_any_is_answered(turns):
    bursts = Bursts()
    await asyncio.gather(*(one(bursts, turns, name) for name in "abc"))
    assert [what for _, what in turns.notes] == [
        *("calleda", "calledb", "calledc"),
        *("answereda", "answeredb", "answeredc"),
    ]


async def test_who_comes_in_a_turn_later_joins(turns):
    bursts = Bursts()
    tasks = []
    for name in "abcde":
        tasks.append(asyncio.create_task(one(bursts, turns, name)))
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    called = [number for number, what in turns.notes if what.startswith("called")]
    assert len(set(called)) == 1


async def test_one_alone_waits_for_a_few_turns_of_the_loop_only(turns):
    began = turns.number
    await one(Bursts(), turns)
    assert turns.number - began <= 5


async def test_more_come_in_bursts_and_others_between_them(turns):
    bursts = Bursts()
    waiting = [asyncio.create_task(one(bursts, turns)) for _ in range(3 * AT_ONCE + 1)]
    while not all(task.done() for task in waiting):
        turns.note("another's turn")
        await asyncio.sleep(0)
    runs = [
        (what, len(list(notes)))
        for what, notes in groupby(what for _, what in turns.notes if what != "answered")
    ]
    assert [count for what, count in runs if what == "called"] == [*[AT_ONCE] * 3, 1]


async def test_whoever_keeps_coming_does_not_put_it_off(turns):
    bursts = Bursts()
    tasks = [asyncio.create_task(one(bursts, turns, "first"))]
    while not tasks[0].done():
        tasks.append(asyncio.create_task(one(bursts, turns)))
        await asyncio.sleep(0)
        assert len(tasks) <= AT_ONCE + 5
    await asyncio.gather(*tasks)


async def test_a_cancelled_one_is_not_called_and_holds_up_nobody(turns):
    bursts = Bursts()
    gone, stays = (asyncio.create_task(one(bursts, turns, name)) for name in ("gone", "stays"))
    await asyncio.sleep(0)
    gone.cancel()
    await stays
    assert gone.cancelled()
    assert [what for _, what in turns.notes] == ["calledstays", "answeredstays"]
    await one(bursts, turns, "later")


async def test_coverage_and_debuggers_see_each_frame_come_and_go():
    """CPython 3.11 loses count where an error is thrown into who waits, and is caught there."""

    async def around() -> None:
        with suppress(ZeroDivisionError):
            await bursts.run(lambda: 1 // 0)

    async def outside() -> None:
        await around()

    def note(frame: FrameType, event: str, _argument: object) -> None:
        if frame.f_code is outside.__code__:
            seen[event] += 1

    bursts, seen = Bursts(), Counter[str]()
    sys.setprofile(note)
    try:
        await outside()
    finally:
        sys.setprofile(None)
    assert seen["call"] == seen["return"] > 0


async def test_an_error_leaves_nothing_for_the_collector():
    """Denials come in floods: each would be kept, with all its frames, until a collection."""

    def denied() -> None:
        try:
            int("x")
        except ValueError as error:
            raise LookupError from error

    async def ask() -> None:
        with pytest.raises(LookupError):
            await bursts.run(denied)

    bursts = Bursts()
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            await ask()
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        left = [it for it in gc.garbage if isinstance(it, LookupError)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert left == []
