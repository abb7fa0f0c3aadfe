"""One guarded GET: whatever the other side does, a JSON object or an error comes of it."""

from __future__ import annotations

import asyncio
import gzip
import socket

import pytest

from hasura_kc_auth.keycloak.fetch import (
    MAX_DOCUMENT_BYTES,
    FetchFailed,
    FetchResult,
    client_session,
    fetch_json,
)
from tests.keycloak.publishing import GOOD_SET, hang, ok, reset

CONNECT = (FetchResult.CONNECT, "no connection to the address")
STATUS = (FetchResult.STATUS, "the answer's status is not 200")
NOT_JSON = (FetchResult.INVALID, "the answer is not a JSON object")
NOT_HTTP = (FetchResult.INVALID, "the answer is not proper HTTP")
TOO_LARGE = (FetchResult.INVALID, "the answer is larger than 256 KiB")


@pytest.fixture
async def session():
    async with client_session(None) as session:
        yield session


async def _failure(session, address):
    with pytest.raises(FetchFailed) as caught:
        await fetch_json(session, address)
    assert str(caught.value) == caught.value.detail
    return caught.value.result, caught.value.detail


def _status(line, *headers, body=b'{"keys":[]}'):
    head = "\r\n".join([f"HTTP/1.1 {line}", f"Content-Length: {len(body)}", *headers, "", ""])
    return head.encode() + body


def _padded(size):
    return b'{"keys":[]}'.ljust(size)


async def test_a_json_object_is_returned(session, publisher):
    assert await fetch_json(session, publisher.certs) == GOOD_SET


async def test_a_packed_answer_is_unpacked(session, publisher):
    packed = gzip.compress(b'{"keys":[]}')
    publisher.replies["/certs"] = ok(packed, "Content-Encoding: gzip")
    assert await fetch_json(session, publisher.certs) == {"keys": []}


async def test_an_answer_as_long_as_the_limit_is_read(session, publisher):
    publisher.replies["/certs"] = ok(_padded(MAX_DOCUMENT_BYTES))
    assert await fetch_json(session, publisher.certs) == {"keys": []}


@pytest.mark.parametrize(
    ("reply", "failure"),
    [
        pytest.param(_status("500 Oops"), STATUS, id="500"),
        pytest.param(_status("503 Later"), STATUS, id="503"),
        pytest.param(_status("404 Not Found"), STATUS, id="404"),
        pytest.param(_status("201 Created"), STATUS, id="201"),
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", STATUS, id="204"),
        pytest.param(b"HTTP/1.1 304 Not Modified\r\n\r\n", STATUS, id="304"),
        pytest.param(ok(b"<html>maintenance</html>"), NOT_JSON, id="html"),
        pytest.param(ok(b""), NOT_JSON, id="empty"),
        pytest.param(ok([GOOD_SET]), NOT_JSON, id="a JSON list"),
        pytest.param(ok(b'{"keys":[],"x":NaN}'), NOT_JSON, id="NaN"),
        pytest.param(ok(b'{"x":' + b"[" * 100_000), NOT_JSON, id="deep"),
        pytest.param(ok('{"keys":[]}'.encode("utf-16")), NOT_JSON, id="utf-16"),
        pytest.param(ok(b"\xef\xbb\xbf{}"), NOT_JSON, id="a byte order mark"),
        pytest.param(ok(b'{"a":"\xff"}'), NOT_JSON, id="not UTF-8"),
        pytest.param(ok(GOOD_SET)[:-40], NOT_HTTP, id="cut off"),
        pytest.param(ok(b"junk", "Content-Encoding: gzip"), NOT_HTTP, id="not packed as it says"),
        pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n", NOT_HTTP, id="no HTTP"),
        pytest.param(b"", CONNECT, id="closed without a word"),
        pytest.param(reset, CONNECT, id="reset"),
        pytest.param(ok(_padded(MAX_DOCUMENT_BYTES + 1)), TOO_LARGE, id="a byte too long"),
        pytest.param(
            ok(gzip.compress(_padded(11 * 1024**2)), "Content-Encoding: gzip"),
            TOO_LARGE,
            id="11 MiB when unpacked",
        ),
    ],
)
async def test_anything_else_fails(session, publisher, reply, failure):
    publisher.replies["/certs"] = reply
    assert await _failure(session, publisher.certs) == failure


async def test_an_endless_answer_is_not_read_to_its_end(session, publisher):
    sent = []

    async def pour(_reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 11534336\r\n\r\n")
        for _ in range(11 * 16):
            writer.write(b" " * 65536)
            await writer.drain()
            sent.append(65536)

    publisher.replies["/certs"] = pour
    assert await _failure(session, publisher.certs) == TOO_LARGE
    assert sum(sent) < 11 * 1024**2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(session, publisher, status):
    publisher.replies["/certs"] = _status(f"{status} Elsewhere", "Location: /canary")
    publisher.replies["/canary"] = ok(GOOD_SET)
    assert await _failure(session, publisher.certs) == STATUS
    assert publisher.asked == {"/certs": 1}


async def test_a_connection_that_breaks_is_not_tried_again(session, publisher):
    publisher.replies["/certs"] = reset
    await _failure(session, publisher.certs)
    assert publisher.asked == {"/certs": 1}


async def test_nobody_listening_is_no_connection(session):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert await _failure(session, f"http://127.0.0.1:{port}/") == CONNECT


async def test_a_host_without_an_address_is_no_connection(session):
    assert await _failure(session, "http://idp.invalid/certs") == CONNECT


async def test_the_callers_bound_is_the_only_one(session, publisher):
    publisher.replies["/certs"] = hang
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await fetch_json(session, publisher.certs)


async def test_nothing_is_kept_from_one_fetch_to_the_next(session, publisher):
    publisher.replies["/certs"] = ok(GOOD_SET, "Set-Cookie: a=b; Path=/", "Connection: keep-alive")
    await fetch_json(session, publisher.certs)
    await fetch_json(session, publisher.certs)
    first, second = publisher.heads
    assert first == second
    assert b"cookie" not in second.lower()
    assert len(publisher.clients) == 2


@pytest.mark.parametrize("address", ["nowhere", "http://", "file:///etc/hosts"])
async def test_what_is_no_address_is_an_invalid_one(session, address):
    result, _ = await _failure(session, address)
    assert result is FetchResult.INVALID


async def test_no_proxy_of_the_environment_is_asked(session, publisher, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert await fetch_json(session, publisher.certs) == GOOD_SET
