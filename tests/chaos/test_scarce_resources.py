"""Few file descriptors, little CPU, little memory."""

from __future__ import annotations

import asyncio
import os
import re
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.chaos.hostile import Attack, flood
from tests.chaos.process import stop
from tests.chaos.service import said_by, serving, until
from tests.cli.commands import Process
from tests.web.wire import answer_to, post

FEW_FILES = 64
CLIENTS = 200
MB = 1_000_000


@pytest.mark.fault(
    "F30",
    "64 file descriptors, 200 connections",
    expected="it stands, and answers again when they have gone; no traceback",
)
async def test_it_recovers_from_a_lack_of_descriptors(issuer, found):
    before = ("prlimit", f"--nofile={FEW_FILES}:{FEW_FILES}")
    async with serving(issuer.issuer, before=before) as service:
        await service.ask(issuer.token())
        idle = service.open_files()
        port = int(service.webhook.rpartition(":")[2].rstrip("/"))
        with _connected(port, CLIENTS):
            await until(lambda: service.open_files() >= FEW_FILES - 1)
            at_most = service.open_files()
            await asyncio.sleep(0.5)
        await until(lambda: service.open_files() <= idle)
        answers = await service.ask_each(issuer.tokens(10))
        unknown = await service.ask_each(issuer.unknown(1))
        code = await stop(service)

    assert at_most <= FEW_FILES
    assert said_by(answers) == {(200, "acme"): 10}
    assert said_by(unknown) == {(401, "unknown_key"): 1}
    assert code == 0
    found.answered("afterwards", answers)


@contextmanager
def _connected(port: int, count: int) -> Iterator[None]:
    """Hold so many connections; the kernel takes those that the service cannot."""
    with ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        yield


CORE = str(min(os.sched_getaffinity(0)))
FLOOD_SECONDS = 2.0


@pytest.mark.fault(
    "F31",
    "one core shared with three busy processes, and a flood of unknown keys on 32 connections",
    expected="later answers and no wrong ones; one fetch a cooldown",
)
async def test_a_lack_of_cpu_makes_late_and_not_wrong(issuer, found):
    pinned = ("taskset", "--cpu-list", CORE)
    async with serving(issuer.issuer, before=pinned) as service:
        began, fetched = time.perf_counter(), issuer.fetched()
        unknown = issuer.unknown(320)
        refused, known = [], []
        with _busy(3, pinned):
            while time.perf_counter() - began < FLOOD_SECONDS:
                flooding = asyncio.create_task(service.ask_each(unknown[:32], at_once=True))
                known += await service.ask_each(issuer.tokens(2))
                refused += await flooding
        took = time.perf_counter() - began
        fetched = issuer.fetched() - fetched

    assert said_by(known) == {(200, "acme"): len(known)}
    assert said_by(refused) == {(401, "unknown_key"): len(refused)}
    assert fetched <= 1 + took  # the cooldown is a second
    found.answered("known", known)
    found.answered("unknown", refused)
    found.came(f"{fetched} fetches in {took:.0f} s")


@contextmanager
def _busy(count: int, before: tuple[str, ...]) -> Iterator[None]:
    """Run processes that do nothing, as fast as they can."""
    with ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(Process(program=("-c", "while True: pass"), before=before))
        yield


@pytest.mark.fault(
    "F32",
    "64 MB more of address space than the idle service has; hostile requests, and large bodies",
    expected="it stands, each answer is right",
)
async def test_a_memory_limit_is_enough_for_hostile_load(issuer, found):
    async with serving(issuer.issuer) as service:
        good = issuer.token()
        await service.ask(good)
        limit = _address_space(service.pid) + 64 * MB
        resource.prlimit(service.pid, resource.RLIMIT_AS, (limit, limit))
        attack = Attack(service.webhook)
        await attack.run(list(flood(issuer, 600)), "GET")
        await attack.run(list(flood(issuer, 600)), "POST")
        body = post({"Authorization": f"Bearer {good}"}, request={"query": "q" * 4 * MB})
        large = [(await answer_to(service.webhook, body)).status for _ in range(10)]
        answers = await service.ask_each([good] * 10)
        errors = await service.metric("decisions_total", outcome="error")

    assert attack.wrong == []
    assert large == [200] * 10
    assert said_by(answers) == {(200, "acme"): 10}
    assert errors == 0
    found.came("1200 x 401, each with its code; 10 bodies of 4 MB: 200")
    found.answered("afterwards", answers)


def _address_space(pid: int) -> int:
    text = Path(f"/proc/{pid}/status").read_text()
    (found,) = re.findall(r"^VmSize:\s+(\d+) kB$", text, re.MULTILINE)
    return int(found) * 1024
