"""Clients that send half a request, or leave in the middle of one."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from contextlib import AsyncExitStack

import pytest

from tests.chaos.service import serving, until
from tests.web.wire import Wire, connected, get, head, post

HALF_HEAD = b"GET / HTTP/1.1\r\nHost: hook\r\nAuthorization: Bearer e"
HALF_BODY = head("POST", "Content-Length: 1000") + b'{"headers":{'
READ_TIMEOUT = 2.0
"""Seconds: `webhook.read_timeout`."""


async def _hang_up(wire: Wire) -> str:
    """Wait until the service closes the connection; return what it said before."""
    text = (await wire.rest()).partition(b"\r\n\r\n")[2]
    return text.decode() or "nothing"


@pytest.mark.fault(
    "F23",
    "half a request on some hundred sockets, held open",
    expected="all others are answered meanwhile; closed after `webhook.read_timeout`",
)
@pytest.mark.parametrize("sockets", [pytest.param(100), pytest.param(500, marks=pytest.mark.long)])
async def test_held_sockets_delay_nobody_and_are_closed(issuer, found, sockets):
    async with serving(issuer.issuer, WEBHOOK__READ_TIMEOUT=f"{READ_TIMEOUT:.0f}s") as service:
        await service.ask(issuer.token())
        before = service.open_files()
        async with AsyncExitStack() as stack:
            held = [
                await stack.enter_async_context(connected(service.webhook)) for _ in range(sockets)
            ]
            for number, wire in enumerate(held):
                await wire.send(HALF_BODY if number % 2 else HALF_HEAD)
            closing = [asyncio.create_task(_hang_up(wire)) for wire in held]
            answers = await service.ask_each(issuer.tokens(50))
            still_held = service.open_files() - before
            ends = Counter(await asyncio.gather(*closing))
        await until(lambda: service.open_files() <= before)

    assert {(answer.status, answer.said) for answer in answers} == {(200, "acme")}
    assert still_held == sockets  # so all of these answers came beside them
    assert ends == {"nothing": sockets // 2, '{"code":"malformed_request"}': sockets // 2}
    found.answered("others", answers)
    found.came(f"all {sockets} closed by the service")


@pytest.mark.fault(
    "F24",
    "1000 clients leave: after half a head, a whole head, half a body, a whole request",
    expected="no descriptor and no task is left, no traceback; the next is answered",
)
async def test_a_thousand_disconnects_leave_nothing(issuer, found):
    authorization = f"Authorization: Bearer {issuer.token()}"
    whole = post({"Authorization": f"Bearer {issuer.token()}"})
    parts = [HALF_HEAD, HALF_BODY, whole[:-5], whole, get(authorization), get(authorization) * 3]
    async with serving(issuer.issuer) as service:
        await service.ask(issuer.token())
        before = service.open_files()
        port = int(service.webhook.rpartition(":")[2].rstrip("/"))
        await asyncio.to_thread(_come_and_leave, port, parts, 1000)
        await until(lambda: service.open_files() <= before)
        in_flight = await service.metric("requests_in_flight")
        answer = await service.ask(issuer.token())
        libraries = service.events("library")
        errors = await service.metric("decisions_total", outcome="error")

    assert (in_flight, errors, libraries) == (0, 0, [])
    assert (answer.status, answer.said) == (200, "acme")
    found.came("descriptors as before, no request in flight, nothing logged; 200")


def _come_and_leave(port: int, parts: list[bytes], times: int) -> None:
    """Send one of the parts and close; every third time with a reset."""
    for number in range(times):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(parts[number % len(parts)])
            if number % 3 == 0:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
