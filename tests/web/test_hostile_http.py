"""What is no HTTP, or more than fits: an ordinary denial, and nothing of it anywhere."""

from __future__ import annotations

import asyncio
import json

import pytest

from hasura_kc_auth.core.errors import Code
from tests.hostile.corpus import no_http
from tests.web.wire import answer_to, chunked, connected, get, head, post, post_bytes

CANARY = "eyJCANARYxyz"
LINE = f"Authorization: Bearer {CANARY}.{CANARY}.{CANARY}"
MALFORMED = (401, b'{"code":"malformed_request"}')
CHUNKED = "Transfer-Encoding: chunked"


# Of all the hostile requests that are kept as files.
NO_HTTP = no_http()


@pytest.mark.parametrize("data", NO_HTTP.values(), ids=NO_HTTP)
async def test_what_is_no_http_is_denied_without_an_echo(start_service, data):
    # No issuer is there, and none is needed.
    service = await start_service("http://127.0.0.1:1/realms/none", log={"level": "debug"})
    async with connected(service.webhook_url) as wire:
        answer = await wire.ask(data)
        assert (answer.status, answer.body) == MALFORMED
        assert "CANARY" not in str(answer.headers)
        assert await wire.rest() == b""
    logged = await service.log_text()
    assert "CANARY" not in logged
    assert "Traceback" not in logged
    assert not [line for line in await service.log_lines() if line["level"] == "error"]
    denials = await service.events("denied")
    assert [(line["reason"], line["level"]) for line in denials] == [("malformed_request", "info")]
    assert service.service.counts.refused == {(Code.MALFORMED_REQUEST, None): 1}
    assert (await service.ask()).code == "no_credentials"


@pytest.mark.parametrize("tail", ["garbage\r\n\r\n", "GET / HTTP/9.9\r\n\r\n"])
async def test_garbage_behind_a_good_request_is_denied(service, bob, tail):
    async with connected(service.webhook_url) as wire:
        assert (await wire.ask(get(f"Authorization: {bob}"))).status == 200
        assert (await wire.ask(tail.encode())).body == MALFORMED[1]
        assert await wire.rest() == b""


@pytest.mark.parametrize("tail", ["garbage\r\n\r\n", "GET / HTTP/9.9\r\n\r\n"])
async def test_garbage_behind_a_wish_to_upgrade_is_denied(service, bob, tail):
    call = get(f"Authorization: {bob}", "Connection: Upgrade", "Upgrade: websocket")
    async with connected(service.webhook_url) as wire:
        await wire.send(call + tail.encode())
        assert (await wire.answer()).status == 200
        assert (await wire.answer()).body == MALFORMED[1]
        assert await wire.rest() == b""


class TestLimits:
    @pytest.mark.parametrize("mode", ["GET", "POST"])
    async def test_two_hundred_headers_pass(self, service, bob, mode):
        headers = {f"X-Header-{number}": "a" * 100 for number in range(200)}
        answer = await service.ask({**headers, "Authorization": bob}, mode=mode)
        assert answer.status == 200

    @pytest.mark.parametrize("mode", ["GET", "POST"])
    async def test_a_header_of_sixty_kilobytes_passes(self, service, bob, mode):
        headers = {"Cookie": "a" * 60 * 1024, "Authorization": bob}
        call = (
            get(*(f"{name}: {value}" for name, value in headers.items()))
            if mode == "GET"
            else post(headers)
        )
        assert (await answer_to(service.webhook_url, call)).status == 200

    async def test_a_token_as_long_as_its_limit_is_looked_at_and_no_longer_one(self, keyless):
        for length, detail in (
            (32 * 1024, "not three parts of base64url"),
            (32 * 1024 + 1, "the token is longer than webhook.max_token"),
        ):
            line = f"Authorization: Bearer {'a' * length}"
            answer = await answer_to(keyless.webhook_url, get(line))
            assert (answer.status, answer.code) == (401, "malformed_token")
            assert (await keyless.events("denied"))[-1]["detail"] == detail

    async def test_a_token_too_long_is_neither_hashed_nor_looked_up(self, keyless):
        credential = f"Bearer {'a' * (32 * 1024 + 1)}"
        for call in (get(f"Authorization: {credential}"), post({"Authorization": credential})):
            assert (await answer_to(keyless.webhook_url, call)).code == "malformed_token"
        assert keyless.service.decisions.misses == 0

    @pytest.mark.parametrize("whole", [True, False], ids=["one piece", "chunks"])
    async def test_a_body_of_five_megabytes_passes(self, service, bob, whole):
        request = {"query": "mutation { a }", "variables": {"file": "a" * 5 * 1024**2}}
        if whole:
            call = post({"Authorization": bob}, request=request)
        else:
            body = json.dumps({"headers": {"Authorization": bob}, "request": request})
            call = head("POST", CHUNKED) + chunked(body.encode(), 50_000)
        async with connected(service.webhook_url) as wire:
            assert (await wire.ask(call)).status == 200
            if whole:  # after chunks the connection is closed
                assert (await wire.ask(get(f"Authorization: {bob}"))).status == 200

    @pytest.mark.parametrize("size", [2000, 2001, 2002, 3000, 1_000_000])
    @pytest.mark.parametrize("whole", [True, False], ids=["one piece", "chunks"])
    async def test_a_body_is_denied_from_the_first_byte_beyond(self, start_service, size, whole):
        service = await start_service("http://127.0.0.1:1/none", webhook={"max_body": "2000B"})
        body = b'{"headers":{}}'.ljust(size)
        call = post_bytes(body) if whole else head("POST", CHUNKED) + chunked(body)
        async with connected(service.webhook_url) as wire:
            answer = await wire.ask(call)
            expected = "no_credentials" if size == 2000 else "malformed_request"
            assert (answer.status, answer.code) == (401, expected)
            if whole:  # after chunks the connection is closed
                assert (await wire.ask(get())).code == "no_credentials"

    async def test_a_body_that_is_announced_too_long_need_not_be_sent(self, keyless):
        async with connected(keyless.webhook_url) as wire:
            await wire.send(head("POST", f"Content-Length: {10**10}"))
            for _ in range(9):
                await wire.send(b" " * 1024**2)
            assert (await wire.answer()).body == MALFORMED[1]


class TestClientsWhoLeave:
    @pytest.mark.parametrize("abruptly", [True, False], ids=["reset", "closed"])
    @pytest.mark.parametrize(
        "sent",
        [
            b"GET / HT",
            head("GET", LINE)[:-2],
            head("POST", "Content-Length: 100"),
            head("POST", "Content-Length: 100") + b"{",
            head("POST", CHUNKED) + b"ff\r\n{",
            head("POST", "Content-Length: 10000000") + b" " * 200_000,
        ],
        ids=["in the first line", "in the head", "after the head", "body", "chunk", "long body"],
    )
    async def test_in_the_middle_of_a_request_cause_no_error(self, keyless, sent, abruptly):
        for _ in range(10):
            async with connected(keyless.webhook_url) as wire:
                await wire.send(sent)
                await asyncio.sleep(0.005)
                if abruptly:
                    wire.writer.transport.abort()
        counts = keyless.service.counts
        async with asyncio.timeout(30):
            while keyless.service._server.connections:  # noqa: ASYNC110, SLF001 - no other sign
                await asyncio.sleep(0.001)
        assert counts.in_flight == 0
        assert set(counts.refused) <= {(Code.MALFORMED_REQUEST, None)}
        lines = await keyless.log_lines()
        assert {line["event"] for line in lines} <= {"started", "keys_not_fetched", "denied"} | {
            "configuration"
        }
        assert not [line for line in lines if line["level"] == "error"]

    async def test_while_a_decision_is_made_cause_no_error(self, issuer, start_service, bob):
        issuer.fault = "hanging"
        service = await start_service(issuer.issuer, keys={"timeout": "200ms"})
        for _ in range(10):
            async with connected(service.webhook_url) as wire:
                await wire.send(get(f"Authorization: {bob}"))
                await asyncio.sleep(0.005)
                wire.writer.transport.abort()
        async with asyncio.timeout(30):
            while service.service.counts.in_flight:  # noqa: ASYNC110 - a plain number
                await asyncio.sleep(0.001)
        assert not [line for line in await service.log_lines() if line["level"] == "error"]
        assert set(service.service.counts.refused) == {(Code.KEYS_UNAVAILABLE, issuer.issuer)}
