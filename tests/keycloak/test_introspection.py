"""Asking Keycloak about a token: whatever comes back, an answer or a bounded `Denied`."""

from __future__ import annotations

import asyncio
import logging
import socket
from base64 import b64encode

import pytest

from hasura_kc_auth.core.errors import Code, Denied
from hasura_kc_auth.keycloak.introspection import (
    Introspection,
    IntrospectionClient,
    introspection_url,
)
from tests.keycloak.publishing import hang, ok, reset

ISSUER = "https://sso.example.com/realms/acme"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.Zq1TokenOfAUserXv.c2ln"
SECRET = "Zq2SecretOfTheClientXv"
PATH = "/introspect"
ACTIVE = {"active": True, "sub": "4f1f", "typ": "Bearer"}
INACTIVE = {"active": False}
COOLDOWN = 10.0


def _status(line, body=b'{"active":true}', *headers):
    head = "\r\n".join([f"HTTP/1.1 {line}", f"Content-Length: {len(body)}", *headers, "", ""])
    return head.encode() + body


class Asking:
    """An Introspection, what it asks, and what it has reported."""

    def __init__(self, publisher, clock, **changes):
        self.publisher = publisher
        self.reports = []
        settings = {
            "issuer": ISSUER,
            "url": f"{publisher.origin}{PATH}",
            "client_id": "hasura-kc-auth",
            "client_secret": SECRET,
            "cooldown": COOLDOWN,
        }
        self.client = IntrospectionClient(**(settings | changes))
        self.introspection = Introspection(
            self.client, clock.monotonic, lambda *report: self.reports.append(report)
        )

    def answers(self, reply):
        self.publisher.replies[PATH] = reply if callable(reply) else bytes(reply)

    @property
    def asked(self):
        return self.publisher.asked[PATH]

    async def ask(self, token=TOKEN):
        return await self.introspection.introspect(token)

    async def detail(self):
        """Return the denial's detail."""
        with pytest.raises(Denied) as caught:
            await self.ask()
        assert caught.value.code is Code.INTROSPECTION_UNAVAILABLE
        assert caught.value.code.undecided
        assert caught.value.issuer == ISSUER
        return caught.value.detail


@pytest.fixture
async def start_asking(publisher, clock):
    started = []

    async def start(**changes):
        asking = Asking(publisher, clock, **changes)
        await asking.introspection.start()
        started.append(asking)
        return asking

    yield start
    for asking in started:
        await asking.introspection.stop()


@pytest.fixture
async def asking(start_asking):
    return await start_asking()


# --- answers


@pytest.mark.parametrize("answer", [ACTIVE, INACTIVE], ids=["active", "inactive"])
async def test_keycloaks_answer_is_returned_as_it_is(asking, answer):
    asking.answers(ok(answer))
    assert await asking.ask() == answer
    assert asking.introspection.requests == {"ok": 1}
    assert asking.reports == []


async def test_it_asks_as_the_standards_say(asking, publisher):
    bodies = []

    async def note(reader, writer):
        bodies.append(await reader.readuntil(b"access_token"))
        writer.write(ok(ACTIVE))

    asking.answers(note)
    await asking.ask()
    (head,) = publisher.heads
    lines = head.decode().lower().split("\r\n")
    assert lines[0] == "post /introspect http/1.1"
    assert "content-type: application/x-www-form-urlencoded" in lines
    assert "accept: application/json" in lines
    assert bodies == [f"token={TOKEN}&token_type_hint=access_token".encode()]
    assert TOKEN not in head.decode()


@pytest.mark.parametrize(
    ("client_id", "client_secret", "login"),
    [
        pytest.param("hasura-kc-auth", "demo", "hasura-kc-auth:demo", id="plain"),
        pytest.param("a:b", "c:d", "a%3Ab:c%3Ad", id="colons"),
        pytest.param("a b", "100%+&=/?", "a+b:100%25%2B%26%3D%2F%3F", id="signs of a form"),
        pytest.param("ünï", "päss\n", "%C3%BCn%C3%AF:p%C3%A4ss%0A", id="letters"),
    ],
)
async def test_the_client_is_form_encoded_before_it_is_basic(
    start_asking, publisher, client_id, client_secret, login
):
    asking = await start_asking(client_id=client_id, client_secret=client_secret)
    asking.answers(ok(ACTIVE))
    await asking.ask()
    assert b"Authorization: Basic " + b64encode(login.encode()) in publisher.heads[0]


# --- one token's own fault


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(
            _status(
                "400 Bad Request",
                b'{"error":"invalid_request","error_description":"Failed to introspect token."}',
            ),
            id="its user has left the org",
        ),
        pytest.param(_status("400 Bad Request", b"{}"), id="400 without a word"),
        pytest.param(ok(b'{"active":true,"name":"a\\u0000"}'), id="U+0000 in a claim"),
        pytest.param(ok(b'{"active":true,"name":"\\ud800"}'), id="half a character in a claim"),
        pytest.param(ok(b'{"active":true,"x":1e999}'), id="a number beyond a float"),
        pytest.param(ok(b'{"active":true,"x":' + b"[" * 80 + b"]" * 80 + b"}"), id="deep claims"),
    ],
)
async def test_what_is_one_tokens_fault_closes_the_way_for_no_other(asking, reply):
    asking.answers(reply)
    for _ in range(8):
        assert await asking.ask() == INACTIVE
    assert (asking.asked, asking.reports) == (8, [])
    assert asking.introspection.requests == {"ok": 8}


# --- no answer


NOT_JSON = "the answer is not a JSON object"
UNSAID = "the answer does not say whether it is active"
REFUSED = "Keycloak refuses the client of `introspection`"
FAILURES = [
    pytest.param(_status("401 Unauthorized"), "status", None, id="401: a wrong secret"),
    pytest.param(_status("403 Forbidden"), "status", None, id="403: a public client"),
    pytest.param(_status("404 Not Found"), "status", None, id="404"),
    pytest.param(_status("500 Oops"), "status", None, id="500"),
    pytest.param(_status("503 Later"), "status", None, id="503"),
    pytest.param(_status("201 Created"), "status", None, id="201"),
    pytest.param(
        _status("400 Bad Request", b'{"error":"invalid_client"}'), "status", REFUSED, id="400: who?"
    ),
    pytest.param(
        _status("400 Bad Request", b'{"error":"unauthorized_client"}'), "status", REFUSED, id="400"
    ),
    pytest.param(_status("302 Found", b"{}", "Location: /canary"), "status", None, id="302"),
    pytest.param(_status("307 Moved", b"{}", "Location: /canary"), "status", None, id="307"),
    pytest.param(_status("400 Bad Request", b"<html>"), "invalid", NOT_JSON, id="400 of a proxy"),
    pytest.param(ok(b"<html>maintenance</html>"), "invalid", NOT_JSON, id="html"),
    pytest.param(ok(b""), "invalid", NOT_JSON, id="empty"),
    pytest.param(ok([ACTIVE]), "invalid", NOT_JSON, id="a list"),
    pytest.param(ok(b'{"active":true,"active":true}'), "invalid", NOT_JSON, id="twice the same"),
    pytest.param(ok(b'{"active":true,"x":NaN}'), "invalid", NOT_JSON, id="NaN"),
    pytest.param(ok({}), "invalid", UNSAID, id="without active"),
    pytest.param(ok({"active": "true"}), "invalid", UNSAID, id="active as text"),
    pytest.param(ok({"active": 1}), "invalid", UNSAID, id="active as a number"),
    pytest.param(ok(b'{"active":true}'.ljust(2**18 + 1)), "invalid", None, id="huge"),
    pytest.param(ok(ACTIVE)[:-9], "invalid", "the answer is not proper HTTP", id="cut off"),
    pytest.param(b"SSH-2.0-x\r\n", "invalid", "the answer is not proper HTTP", id="no HTTP"),
    pytest.param(reset, "connect", "no connection to the address", id="reset"),
    pytest.param(b"", "connect", "no connection to the address", id="closed"),
]


@pytest.mark.parametrize(("reply", "result", "detail"), FAILURES)
async def test_anything_else_is_no_answer_and_counts(asking, publisher, reply, result, detail):
    publisher.replies["/canary"] = ok(ACTIVE)
    asking.answers(reply)
    found = await asking.detail()
    assert detail in (None, found)
    assert asking.introspection.requests == {result: 1}
    assert asking.reports == [(ISSUER, found)]
    assert publisher.asked == {PATH: 1}  # neither tried again nor sent elsewhere


async def test_nobody_listening_is_no_answer(start_asking):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    asking = await start_asking(url=f"http://127.0.0.1:{port}/")
    assert await asking.detail() == "no connection to the address"


async def _trickle(_reader, writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{")
    while not writer.is_closing():
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("reply", [hang, _trickle], ids=["hanging", "trickling"])
async def test_it_waits_for_keycloak_no_longer_than_it_is_told(start_asking, reply):
    asking = await start_asking(timeout=0.1)
    asking.answers(reply)
    started = asyncio.get_running_loop().time()
    assert await asking.detail() == "no answer within keys.timeout"
    assert asyncio.get_running_loop().time() - started < 1.0
    assert asking.introspection.requests == {"timeout": 1}


# --- the breaker


async def _fail(asking, times):
    asking.answers(_status("500 Oops"))
    for _ in range(times):
        await asking.detail()


async def test_four_failures_stop_nothing_and_a_success_forgets_them(asking):
    for _ in range(3):
        await _fail(asking, 4)
        asking.answers(ok(ACTIVE))
        assert await asking.ask() == ACTIVE
    assert asking.asked == 15


async def test_a_tokens_own_fault_forgets_them_too(asking):
    await _fail(asking, 4)
    asking.answers(_status("400 Bad Request", b"{}"))
    assert await asking.ask() == INACTIVE
    await _fail(asking, 4)
    asking.answers(ok(ACTIVE))
    assert await asking.ask() == ACTIVE


async def test_answers_that_cannot_be_read_open_it_for_nobody(asking):
    """One user's odd claims may be behind them: the others are asked about all the same."""
    asking.answers(ok(b'"no object"'))
    for _ in range(20):
        assert "left alone" not in await asking.detail()
    asking.answers(ok(ACTIVE))
    assert await asking.ask() == ACTIVE
    assert asking.asked == 21


async def test_after_five_it_asks_no_more(asking, clock):
    await _fail(asking, 5)
    asking.answers(ok(ACTIVE))
    clock.advance(COOLDOWN - 0.1)
    for _ in range(20):
        assert "left alone for a while" in await asking.detail()
    assert asking.asked == 5
    assert asking.introspection.requests == {"status": 5}
    assert len(asking.reports) == 5


async def test_after_the_cooldown_one_request_tries_for_all(asking, clock):
    await _fail(asking, 5)
    clock.advance(COOLDOWN)
    proceed = asyncio.Event()

    async def wait(_reader, writer):
        await proceed.wait()
        writer.write(ok(ACTIVE))

    asking.answers(wait)
    trying = asyncio.create_task(asking.ask())
    async with asyncio.timeout(30):
        while asking.asked < 6:  # noqa: ASYNC110 - the publisher has only its counter
            await asyncio.sleep(0.001)
    for _ in range(20):
        assert "left alone for a while" in await asking.detail()
    proceed.set()
    assert await trying == ACTIVE
    assert asking.asked == 6


async def test_a_success_closes_it(asking, clock):
    await _fail(asking, 5)
    clock.advance(COOLDOWN)
    asking.answers(ok(ACTIVE))
    assert [await asking.ask() for _ in range(10)] == [ACTIVE] * 10
    await _fail(asking, 4)
    asking.answers(ok(ACTIVE))
    assert await asking.ask() == ACTIVE


async def test_a_failure_keeps_it_open_for_another_cooldown(asking, clock):
    await _fail(asking, 5)
    for tries in range(6, 10):
        clock.advance(COOLDOWN)
        await asking.detail()
        await asking.detail()
        assert asking.asked == tries


async def test_one_that_left_while_trying_leaves_the_way_open_for_the_next(asking, clock):
    await _fail(asking, 5)
    clock.advance(COOLDOWN)
    asking.answers(hang)
    trying = asyncio.create_task(asking.ask())
    async with asyncio.timeout(30):
        while asking.asked < 6:  # noqa: ASYNC110 - the publisher has only its counter
            await asyncio.sleep(0.001)
    trying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await trying
    await asking.detail()
    clock.advance(COOLDOWN)
    asking.answers(ok(ACTIVE))
    assert await asking.ask() == ACTIVE


# --- where


@pytest.mark.parametrize(
    ("issuer", "jwks_uri", "url"),
    [
        (ISSUER, None, f"{ISSUER}/protocol/openid-connect/token/introspect"),
        (f"{ISSUER}/", None, f"{ISSUER}/protocol/openid-connect/token/introspect"),
        (
            ISSUER,
            "http://keycloak:8080/realms/acme/protocol/openid-connect/certs",
            "http://keycloak:8080/realms/acme/protocol/openid-connect/token/introspect",
        ),
        (
            ISSUER,
            "https://cdn.example.com/keys.json",
            f"{ISSUER}/protocol/openid-connect/token/introspect",
        ),
    ],
    ids=["below the issuer", "a slash at the end", "beside the keys", "keys that are elsewhere"],
)
def test_where_it_asks_unless_it_is_told(issuer, jwks_uri, url):
    assert introspection_url(issuer, jwks_uri) == url


# --- nothing leaks


@pytest.mark.parametrize(("reply", "result", "detail"), FAILURES)
async def test_neither_secret_nor_token_comes_out(asking, caplog, reply, result, detail):
    caplog.set_level(logging.DEBUG)
    echo = b'{"x":"' + TOKEN.encode() + SECRET.encode() + b'"}'
    asking.answers(_status("401 Unauthorized", echo) if result == "status" else reply)
    with pytest.raises(Denied) as caught:
        await asking.ask()
    texts = [repr(caught.value), caught.value.detail, repr(caught.value.__cause__), caplog.text]
    texts += [repr(asking.client), repr(asking.introspection), repr(asking.reports), str(detail)]
    basic = b64encode(f"hasura-kc-auth:{SECRET}".encode()).decode()
    for word in (SECRET, TOKEN, "Zq1Token", basic):
        assert not [text for text in texts if word in text]


async def test_one_that_was_never_started_can_be_stopped(publisher, clock):
    await Asking(publisher, clock).introspection.stop()
