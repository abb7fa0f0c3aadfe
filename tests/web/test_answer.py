"""The answer's bytes: what aiohttp's own response would send, on each kind of connection."""

from __future__ import annotations

import pytest
from aiohttp import web

from hasura_kc_auth.web.answer import Answer
from hasura_kc_auth.web.server import (
    GuardedServer,
    close_after_transfer_encoding,
    listen,
)
from tests.made_tokens import NOW
from tests.web.wire import connected

DATE = "Fri, 15 Jan 2027 08:00:00 GMT"  # NOW
HEADERS = {
    "Content-Type": "application/json",
    "Cache-Control": "no-store",
    "Server": "hasura-kc-auth",
    "Date": DATE,
}
BODY = b'{"X-Hasura-Role":"editor"}'
END = "\r\n\r\n"

CALLS = {
    "kept alive": "GET / HTTP/1.1\r\nHost: a" + END,
    "asked to close": "GET / HTTP/1.1\r\nHost: a\r\nConnection: close" + END,
    "old": "GET / HTTP/1.0" + END,
    "old, kept alive": "GET / HTTP/1.0\r\nConnection: keep-alive" + END,
    "with a body": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2" + END + "{}",
    "old, with a body": "POST / HTTP/1.0\r\nContent-Length: 2" + END + "{}",
    "chunked": "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked" + END + "0\r\n\r\n",
    "two at once": ("GET / HTTP/1.1\r\nHost: a" + END) * 2,
    "two, the first one the last": (
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close" + END)
        + ("GET / HTTP/1.1\r\nHost: a" + END)
    ),
}


@pytest.fixture
async def start_answering():
    """Give what serves one kind of answer, and returns its address."""
    listeners, servers = [], []

    async def start(make):
        async def handle(request):
            return close_after_transfer_encoding(request, make())

        server = GuardedServer(handle, make, read_timeout=5.0)
        listener = await listen(server, "127.0.0.1", 0)
        servers.append(server)
        listeners.append(listener)
        return f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/"

    yield start
    for listener in listeners:
        listener.close()
    for server in servers:
        await server.end()


def ours(status=200):
    return Answer(status, BODY, NOW + 0.9)


def aiohttps(status=200):
    return web.Response(status=status, body=BODY, headers=HEADERS)


async def told(url, call):
    """Return what comes back until the connection is closed, by the caller if by nobody else."""
    last = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close" + END
    async with connected(url) as wire:
        await wire.send((call + last).encode())
        text = (await wire.rest()).decode()
    answers = text.split(BODY.decode())
    return [(it.splitlines()[:1], sorted(it.splitlines()[1:])) for it in answers]


@pytest.mark.parametrize("status", [200, 401, 503])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
async def test_it_is_what_aiohttps_own_response_is(start_answering, call, status):
    own = await told(await start_answering(lambda: ours(status)), call)

    assert own == await told(await start_answering(lambda: aiohttps(status)), call)
    assert len(own) > 1


async def test_each_answer_is_sent_in_one_piece_and_says_what_it_should(start_answering):
    async with connected(await start_answering(ours)) as wire:
        await wire.send(CALLS["kept alive"].encode())

        assert await wire.reader.read(65536) == (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n"
            b"Server: hasura-kc-auth\r\nDate: %b\r\nContent-Length: 26\r\n\r\n%b"
        ) % (DATE.encode(), BODY)


async def test_an_answer_to_no_http_ends_the_connection(start_answering):
    async with connected(await start_answering(lambda: ours(401))) as wire:
        await wire.send(b"\0\r\n\r\n")
        told = await wire.rest()

    assert told.startswith(b"HTTP/1.0 401 Unauthorized\r\n")
    assert told.endswith(b"\r\n\r\n" + BODY)


async def test_the_date_is_of_the_second_in_which_it_is_made(service, clock):
    dates = []
    for seconds in (0, 0.5, 0.5, 3600, -3600):
        clock.advance(seconds)
        dates.append((await service.ask()).headers["Date"][17:25])

    assert dates == ["08:00:00", "08:00:00", "08:00:01", "09:00:01", "08:00:01"]
