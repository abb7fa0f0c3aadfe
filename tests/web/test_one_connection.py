"""What one request leaves behind on its connection: nothing that the next one could inherit."""

from __future__ import annotations

import asyncio

import pytest

from tests.web.test_slow_clients import PATIENCE
from tests.web.wire import answer_to, chunked, connected, get, head, post, post_bytes

TRAILERS = ["Authorization: {dave}", "X-Hasura-Org-Id: globex", "X-Hasura-Role: viewer"]


def with_trailer(method, path, trailer):
    """Return a chunked request with a trailer behind its body (RFC 9112, section 7.1.2)."""
    body = chunked(b'{"headers":{}}')
    return (
        head(method, "Transfer-Encoding: chunked", path=path)
        + body.removesuffix(b"\r\n")
        + trailer.encode()
        + b"\r\n\r\n"
    )


@pytest.mark.parametrize("pipelined", [False, True], ids=["one by one", "pipelined"])
@pytest.mark.parametrize(
    "target", ["GET /", "POST /", "PUT /", "GET /nope", "POST /nope"], ids=lambda it: it
)
@pytest.mark.parametrize("trailer", TRAILERS)
async def test_no_trailer_becomes_the_next_requests_header(
    service, issuer, target, trailer, pipelined
):
    dave = f"Bearer {issuer.login('dave', 'openid acme').access}"
    first = with_trailer(*target.split(), trailer.format(dave=dave))
    async with connected(service.webhook_url) as wire:
        if pipelined:
            await wire.send(first + get())
        else:
            await wire.send(first)
        answer = await wire.answer()
        assert answer.status in (401, 404, 405)
        assert answer.headers["Connection"] == "close"
        if not pipelined:
            wire.writer.write(get())
        assert b"200 OK" not in await wire.rest()


async def test_the_management_listener_takes_no_trailer_over_either(service):
    async with connected(service.service.management_url) as wire:
        answer = await wire.ask(with_trailer("GET", "/livez", "X-A: b"))
        assert (answer.status, answer.headers["Connection"]) == (200, "close")


@pytest.mark.parametrize("path", ["/", "/nope"])
@pytest.mark.parametrize("size", [1_000, 200_000, 1_000_000, 5_000_000])
async def test_a_large_body_does_not_cut_the_idle_connection_behind_it(impatient, bob, size, path):
    """The clock for half a head must not run while a body comes in, whoever reads it."""
    call = post({"Authorization": bob}, request={"query": "q" * size})
    if path != "/":
        call = call.replace(b"POST / ", b"POST /nope ", 1)
    async with connected(impatient.webhook_url) as wire:
        await wire.ask(call)
        await asyncio.sleep(3 * PATIENCE)
        assert (await wire.ask(get(f"Authorization: {bob}"))).status == 200


async def test_a_head_without_an_end_is_cut_off(keyless):
    """A thousand headers of 64 KiB are within aiohttp's own limits, and 64 MB."""
    sent = 0
    async with connected(keyless.webhook_url) as wire:
        try:
            await wire.send(b"GET / HTTP/1.1\r\nHost: hook\r\n")
            for number in range(100):
                await wire.send(b"X-%d: %b\r\n" % (number, b"a" * 60_000))
                sent += 60_000
                await asyncio.sleep(0)
            await wire.rest()
        except ConnectionError:
            pass
    assert (await answer_to(keyless.webhook_url, get())).code == "no_credentials"
    assert sent < 100 * 60_000 or wire.reader.at_eof()


async def test_deep_lists_of_small_objects_are_only_looked_over(service, bob):
    """A user's GraphQL variables are nobody's business here, duplicates among them included."""
    body = b'{"request":[%b{"a":1,"a":2}],"headers":{"Authorization":"%b"}}' % (
        b"{}," * 100_000,
        bob.encode(),
    )
    assert (await answer_to(service.webhook_url, post_bytes(body))).status == 200
