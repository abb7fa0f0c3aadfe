"""Clients that take their time: cut off after `read_timeout`, and nobody waits for them."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from tests.web.wire import chunked, connected, get, head, post

BODY = head("POST", "Content-Length: 1000")
PATIENCE = 0.3


@pytest.mark.parametrize(
    "half",
    [b"G", b"GET / HTTP/1.1\r\n", head("GET", "X-A: b")[:-2], b"\r\n"],
    ids=["one byte", "one line", "no last line", "an empty line"],
)
async def test_half_a_head_is_closed_without_an_answer(impatient, half):
    async with connected(impatient.webhook_url) as wire:
        await wire.send(half)
        assert await wire.rest() == b""


@pytest.mark.parametrize(
    "half",
    [BODY, BODY + b"{", head("POST", "Transfer-Encoding: chunked") + b"ff\r\n{"],
    ids=["no body", "one byte of it", "half a chunk"],
)
async def test_half_a_body_is_denied_and_closed(impatient, half):
    async with connected(impatient.webhook_url) as wire:
        answer = await wire.ask(half)
        assert (answer.status, answer.code) == (401, "malformed_request")
        assert await wire.rest() == b""


async def test_byte_by_byte_is_no_way_around(impatient):
    async with connected(impatient.webhook_url) as wire:

        async def drip():
            for byte in get("X-A: " + "a" * 10_000):
                wire.writer.write(bytes([byte]))
                await asyncio.sleep(0.02)

        dripping = asyncio.create_task(drip())
        assert await wire.rest() == b""
        assert not dripping.done()
        dripping.cancel()


async def test_half_of_the_next_request_is_closed_as_well(impatient, bob):
    async with connected(impatient.webhook_url) as wire:
        assert (await wire.ask(get(f"Authorization: {bob}"))).status == 200
        await wire.send(b"GET / HTTP/1.1\r\nHost")
        assert await wire.rest() == b""


async def test_so_is_half_a_request_soon_after_a_slow_one(impatient, bob):
    call = get(f"Authorization: {bob}")
    async with connected(impatient.webhook_url) as wire:
        await wire.send(call[:20])
        await asyncio.sleep(PATIENCE / 10)
        assert (await wire.ask(call[20:])).status == 200
        await wire.send(call[:20])
        async with asyncio.timeout(10 * PATIENCE):
            assert await wire.rest() == b""


async def test_a_request_that_came_in_pieces_leaves_its_connection_open(impatient, bob):
    call = get(f"Authorization: {bob}")
    async with connected(impatient.webhook_url) as wire:
        await wire.send(call[:20])
        await asyncio.sleep(PATIENCE / 10)
        assert (await wire.ask(call[20:])).status == 200
        await asyncio.sleep(2 * PATIENCE)  # the clock that ran for it has run out
        assert (await wire.ask(call)).status == 200


async def test_pieces_that_come_in_time_make_a_request(impatient, bob):
    async with connected(impatient.webhook_url) as wire:
        for call in (get(f"Authorization: {bob}"), post({"Authorization": bob})):
            for start in range(0, len(call), 200):
                await wire.send(call[start : start + 200])
                await asyncio.sleep(0.001)
            assert (await wire.answer()).status == 200


async def test_an_idle_connection_is_kept(impatient, bob):
    async with connected(impatient.webhook_url) as wire:
        for _ in range(3):
            assert (await wire.ask(get(f"Authorization: {bob}"))).status == 200
            await asyncio.sleep(1.5 * PATIENCE)


async def test_a_slow_decision_is_no_slow_client(issuer, start_service, bob):
    issuer.fault = "hanging"
    service = await start_service(
        issuer.issuer, webhook={"read_timeout": "100ms"}, keys={"timeout": "500ms"}
    )
    async with connected(service.webhook_url) as wire:
        await wire.send(get(f"Authorization: {bob}"))
        await wire.send(get(f"Authorization: {bob}")[:20])  # the head of the next one, so far
        assert (await wire.answer()).code == "keys_unavailable"


async def test_a_hundred_slow_clients_delay_nobody(service, bob):
    halves = [b"GET / HT", BODY, head("POST", "Transfer-Encoding: chunked") + chunked(b"{")[:-5]]
    async with AsyncExitStack() as held:
        for number in range(100):
            wire = await held.enter_async_context(connected(service.webhook_url))
            await wire.send(halves[number % 3])
        for mode in ("GET", "POST"):
            answers = await asyncio.gather(
                *(service.ask({"Authorization": bob}, mode=mode) for _ in range(20))
            )
            assert {answer.status for answer in answers} == {200}
        assert (await service.manage("/livez")).status == 200
