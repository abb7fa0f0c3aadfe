"""Stopping: nobody's request fails, whoever keeps a connection is asked to go, and it ends."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from hasura_kc_auth.wiring import SYSTEM_CLOCKS, Service
from tests.conftest import Output, RunningService, settings_for
from tests.web.wire import connected, get, head, post

CLIENTS = 32


@pytest.fixture
async def draining(issuer):
    """Give a started service on the machine's own clocks: its stop waits by them."""
    issuer._clock = SYSTEM_CLOCKS.wall  # noqa: SLF001 - its tokens are judged by that clock
    service = Service(settings_for(issuer.issuer), Output())
    await service.start()
    yield service
    await service.stop(drain=0.0)  # for the test that failed to


async def test_clients_who_ask_on_see_no_failed_request(draining, issuer):
    bob = f"Bearer {issuer.login('bob', 'openid acme').access}"
    calls = (get(f"Authorization: {bob}"), post({"Authorization": bob}))
    counted = [0] * CLIENTS

    async def ask_until_asked_to_go(number: int) -> None:
        async with connected(draining.webhook_url) as wire:
            while True:
                answer = await wire.ask(calls[number % 2])
                assert answer.status == 200
                counted[number] += 1
                if answer.headers.get("Connection") == "close":
                    assert await wire.rest() == b""
                    return
                await asyncio.sleep(0.001)

    clients = [asyncio.create_task(ask_until_asked_to_go(number)) for number in range(CLIENTS)]
    async with asyncio.timeout(30):
        while min(counted) == 0:  # noqa: ASYNC110 - until every client is in its loop
            await asyncio.sleep(0.001)
        await asyncio.gather(draining.stop(drain=0.3), *clients)
    assert sum(draining.counts.allowed.values()) == sum(counted)
    assert not draining.counts.refused


async def test_a_request_in_flight_is_answered(issuer, draining):
    call = post({"Authorization": f"Bearer {issuer.login('bob', 'openid acme').access}"})
    async with connected(draining.webhook_url) as wire:
        await wire.send(call[:-10])
        stopping = asyncio.create_task(draining.stop(drain=0.3))
        await asyncio.sleep(0.4)  # the listener is closed by now
        assert (await wire.ask(call[-10:])).status == 200
        await stopping
        assert await wire.rest() == b""


async def test_a_stopping_service_is_alive_but_not_ready(draining, http):
    running = RunningService(draining, Output(), http)
    await running.ask()  # its keys may be there, and are not what is missing
    stopping = asyncio.create_task(draining.stop(drain=0.2))
    await asyncio.sleep(0)
    answer = await running.manage("/readyz")
    assert (answer.status, answer.json["status"]) == (503, "stopping")
    assert (await running.manage("/livez")).status == 200
    await stopping


async def test_an_idle_connection_is_closed_in_the_end(draining):
    async with AsyncExitStack() as held:
        idle = [await held.enter_async_context(connected(draining.webhook_url)) for _ in range(3)]
        for wire in idle[:2]:
            assert (await wire.ask(get())).status == 401
        await idle[1].send(b"GET / HT")
        await draining.stop(drain=0.1)
        for wire in idle:
            assert await wire.rest() == b""


async def test_what_is_malformed_is_still_denied_while_stopping(draining):
    async with connected(draining.webhook_url) as wire:
        assert (await wire.ask(get())).status == 401
        stopping = asyncio.create_task(draining.stop(drain=0.3))
        await asyncio.sleep(0.4)
        assert (await wire.ask(head("GET", "no colon"))).code == "malformed_request"
        assert await wire.rest() == b""
        await stopping


async def test_no_new_connection_after_the_drain(draining):
    url = draining.webhook_url
    async with connected(url) as idle:
        assert (await idle.ask(get())).status == 401
        stopping = asyncio.create_task(draining.stop(drain=0.3))
        await asyncio.sleep(0.1)
        async with connected(url) as during:  # load balancers have not seen it yet
            assert (await during.ask(get())).status == 401
        await asyncio.sleep(0.3)
        with pytest.raises(ConnectionRefusedError):
            async with connected(url):
                pass
        answer = await idle.ask(get())
        assert (answer.status, answer.headers["Connection"]) == (401, "close")
        await stopping
