"""What is no HTTP, or more than fits: an ordinary denial, and nothing of it anywhere."""

from __future__ import annotations

import asyncio
import json

import pytest

from hasura_kc_auth.core.errors import Code
from tests.web.wire import answer_to, chunked, connected, get, head, post, post_bytes

CANARY = "eyJCANARYxyz"
LINE = f"Authorization: Bearer {CANARY}.{CANARY}.{CANARY}"
MALFORMED = (401, b'{"code":"malformed_request"}')
CHUNKED = "Transfer-Encoding: chunked"


def _lines(*lines: str, method: str = "GET", path: str = "/") -> bytes:
    return head(method, LINE, *lines, path=path)


HOSTILE = {
    "nothing but line ends": b"\r\n\r\n\r\n\0\r\n\r\n",
    "zeros": b"\0" * 100 + b"\r\n\r\n",
    "every byte": bytes(range(256)) * 4 + b"\r\n\r\n",
    "a TLS hello": bytes.fromhex("16030100a5010000a10303") + b"\0" * 160,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/3.0": f"GET / HTTP/3.0\r\nHost: hook\r\n{LINE}\r\n\r\n".encode(),
    "a version of letters": f"GET / HTTP/x.y\r\nHost: hook\r\n{LINE}\r\n\r\n".encode(),
    "an SSH hello": f"SSH-2.0-{CANARY}\r\n\r\n".encode(),
    "a method in small letters": f"get / HTTP/1.1\r\nHost: hook\r\n{LINE}\r\n\r\n".encode(),
    "a method that is none": f"{CANARY} / HTTP/1.1\r\nHost: hook\r\n\r\n".encode(),
    "line feeds alone": f"GET / HTTP/1.1\nHost: hook\n{LINE}\n\n".encode(),
    "no Host": f"GET / HTTP/1.1\r\n{LINE}\r\n\r\n".encode(),
    "two Hosts": _lines("Host: other"),
    "a header without a colon": _lines(CANARY),
    "a header without a name": _lines(f": {CANARY}"),
    "a blank before the colon": _lines(f"X-A : {CANARY}"),
    "a folded line": _lines("X-A: b", f" {CANARY}"),
    "NUL in a value": _lines(f"X-A: {CANARY}\0"),
    "a control character in a value": _lines(f"X-A: {CANARY}\x01"),
    "a carriage return in a value": _lines(f"X-A: {CANARY}\rX-Hasura-Role: admin"),
    "a control character in a name": _lines(f"X-{CANARY}\x7f: a"),
    "a letter beyond ASCII in a name": _lines(f"X-{CANARY}é: a"),
    "a blank in the path": _lines(path=f"/{CANARY} b"),
    "a letter beyond ASCII in the path": _lines(path=f"/{CANARY}é"),
    "no address": _lines(path="http://["),
    "an impossible port": _lines(path="http://hook:99999/"),
    "two lengths": _lines("Content-Length: 2", "Content-Length: 3", method="POST") + b"{}x",
    "two equal lengths": _lines("Content-Length: 2", "Content-Length: 2", method="POST") + b"{}",
    "a list of lengths": _lines("Content-Length: 2, 2", method="POST") + b"{}",
    "a negative length": _lines("Content-Length: -1", method="POST") + b"{}",
    "a length with a sign": _lines("Content-Length: +2", method="POST") + b"{}",
    "a length in words": _lines("Content-Length: two", method="POST") + b"{}",
    "a length beyond all": _lines(f"Content-Length: {9**30}", method="POST") + b"{}",
    "a length and chunks": _lines("Content-Length: 2", CHUNKED, method="POST") + chunked(b"{}"),
    "an unknown transfer coding": _lines("Transfer-Encoding: gzip", method="POST") + b"{}",
    "no transfer coding": _lines("Transfer-Encoding: identity", method="POST") + b"{}",
    "a misspelled one": _lines("Transfer-Encoding: xchunked", method="POST") + chunked(b"{}"),
    "chunks not last": _lines("Transfer-Encoding: chunked, gzip", method="POST") + chunked(b"{}"),
    "chunks twice": _lines(CHUNKED, CHUNKED, method="POST") + chunked(b"{}"),
    "a bodyless GET's coding": _lines("Transfer-Encoding: gzip"),
    "a chunk of no size": _lines(CHUNKED, method="POST") + f"{CANARY}\r\n{{}}\r\n".encode(),
    "a chunk of negative size": _lines(CHUNKED, method="POST") + b"-2\r\n{}\r\n0\r\n\r\n",
    "a chunk beyond all": _lines(CHUNKED, method="POST") + b"f" * 40 + b"\r\n{}\r\n",
    "a bad second chunk": _lines(CHUNKED, method="POST")
    + f"2\r\n{{}}\r\n{CANARY}\r\n\r\n".encode(),
    "a chunk without an end": _lines(CHUNKED, method="POST") + f"2\r\n{{}}{CANARY}".encode(),
    "a bad trailer": _lines(CHUNKED, method="POST") + f"0\r\nX {CANARY}\r\n\r\n".encode(),
    "a header of 70 KB": _lines("X-A: " + CANARY * 6000),
    "a name of 70 KB": _lines("X-" + CANARY * 6000 + ": a"),
    "a path of 70 KB": _lines(path="/" + CANARY * 6000),
    "1100 headers": _lines(*(f"X-{number}: {CANARY}" for number in range(1100))),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
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
