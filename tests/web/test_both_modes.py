"""What Hasura sends, v2 and v3, GET and POST, and that the mode makes no difference."""

from __future__ import annotations

import json
from itertools import product

import pytest

from tests.web.wire import answer_to, chunked, connected, get, head, post, post_bytes

BOB = {
    "X-Hasura-Org-Id": "acme",
    "X-Hasura-Role": "viewer",
    "X-Hasura-Allowed-Roles": "{viewer}",
    "Cache-Control": "max-age=300",
}
V3_OWN = (
    "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "tracestate: ",
    "x-b3-traceid: 4bf92f3577b34da6a3ce929d0e0e4736",
    "x-b3-spanid: 00f067aa0ba902b7",
    "x-b3-sampled: 1",
    "traceresponse: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "accept: */*",
    "accept-encoding: zstd,gzip",
)
BROWSER = {
    "Host": "api.example.com",
    "User-Agent": "Mozilla/5.0",
    "Content-Length": "4711",
    "Content-Type": "application/json",
    "Accept-Encoding": "gzip, deflate, br",
    "Connection": "keep-alive",
    "Origin": "https://app.example.com",
    "Cookie": "session=abc; KEYCLOAK_IDENTITY=eyJhbGciOi.x.y",
    "X-Forwarded-For": "203.0.113.7",
    "x-request-id": "3b2c1d0e-1111-4222-8333-444455556666",
}


def _is_bob(answer, issuer):
    assert answer.status == 200
    assert answer.json == {**BOB, "X-Hasura-User-Id": issuer.users["bob"].subject}


class TestHasurasCalls:
    async def test_v2_get(self, service, issuer, bob):
        call = get(
            "x-request-id: 3b2c1d0e-1111-4222-8333-444455556666",
            f"Authorization: {bob}",
            "Cookie: a=b",
            "X-Forwarded-For: 203.0.113.7",
        )
        _is_bob(await answer_to(service.webhook_url, call), issuer)

    async def test_v3_get(self, service, issuer, bob):
        call = head("GET", f"authorization: {bob}", "cookie: a=b", *V3_OWN)
        _is_bob(await answer_to(service.webhook_url, call), issuer)

    async def test_v3_get_for_a_websocket(self, service, issuer, bob):
        upgrade = ("upgrade: websocket", "sec-websocket-key: dGVzdA==", "sec-websocket-version: 13")
        call = head("GET", f"authorization: {bob}", *upgrade, *V3_OWN)
        _is_bob(await answer_to(service.webhook_url, call), issuer)

    @pytest.mark.parametrize(
        "request_key",
        [
            {},
            {"request": None},
            {"request": {"query": "{ a }", "operationName": "A", "variables": {"b": [1.5, None]}}},
            {"request": [{"query": "{ a }"}, {"query": "{ b }"}]},
            {"request": "text"},
            {"request": {"headers": {"Authorization": "Bearer x"}}},
            {"request": {"query": "\ud800 \x00 \\u0000 ü"}},
            {"authorization": "Bearer x", "Headers": {"Authorization": "Bearer x"}},
        ],
        ids=[
            "absent",
            "null",
            "an object",
            "a list",
            "a text",
            "with headers of its own",
            "odd characters",
            "other keys beside",
        ],
    )
    async def test_v2_post(self, service, issuer, bob, request_key):
        body = json.dumps({"headers": {**BROWSER, "Authorization": bob}, **request_key})
        call = post_bytes(body.encode())
        _is_bob(await answer_to(service.webhook_url, call), issuer)

    async def test_v3_post(self, service, issuer, bob):
        headers = {name.lower(): value for name, value in BROWSER.items()} | {"authorization": bob}
        body = json.dumps({"headers": headers}).encode()
        call = head("POST", f"content-length: {len(body)}", *V3_OWN) + body
        _is_bob(await answer_to(service.webhook_url, call), issuer)

    async def test_v3_post_with_the_clients_own_framing(self, service, issuer, bob):
        body = json.dumps({"headers": {"authorization": bob}}).encode()
        framing = ("transfer-encoding: chunked", "content-encoding: gzip", "te: trailers")
        call = head("POST", *framing, *V3_OWN) + chunked(body, 100)
        _is_bob(await answer_to(service.webhook_url, call), issuer)

    @pytest.mark.parametrize(
        "line",
        [
            "Content-Encoding: gzip",
            "Content-Encoding: br",
            "Content-Encoding: none",
            "Content-Type: text/plain; charset=utf-16",
            "Content-Type: application/json; charset=klingon",
            "Content-Type: multipart/form-data",
            "Expect: 100-continue",
            "Expect: the-unexpected",
            "Upgrade: websocket",
        ],
    )
    async def test_what_is_said_of_the_body_is_not_believed(self, service, issuer, bob, line):
        call = post({"Authorization": bob}, line)
        _is_bob(await answer_to(service.webhook_url, call), issuer)

    async def test_the_calls_own_headers_are_not_the_clients_in_post_mode(self, service, bob):
        call = post({}, f"Authorization: {bob}", "X-Hasura-Role: viewer")
        assert (await answer_to(service.webhook_url, call)).code == "no_credentials"

    async def test_the_calls_own_headers_wish_nothing_in_post_mode(self, service, issuer, bob):
        own = ("Authorization: Bearer x", "X-Hasura-Role: editor", "X-Hasura-Org-Id: globex")
        call = post({"Authorization": bob}, *own)
        _is_bob(await answer_to(service.webhook_url, call), issuer)

    async def test_a_body_is_not_looked_at_in_get_mode(self, service, issuer, bob):
        body = json.dumps({"headers": {"Authorization": "Bearer x"}}).encode()
        call = get(f"Authorization: {bob}", f"Content-Length: {len(body)}") + body
        async with connected(service.webhook_url) as wire:
            _is_bob(await wire.ask(call), issuer)
            _is_bob(await wire.ask(get(f"Authorization: {bob}")), issuer)

    async def test_a_query_in_the_hooks_address_is_kept_out(self, service, issuer, bob):
        call = get(f"Authorization: {bob}", path="/?role=editor&access_token=x&path=/")
        _is_bob(await answer_to(service.webhook_url, call), issuer)


# What a GET without a body may carry of the client's connection to Hasura.
HOP_BY_HOP = [
    "Transfer-Encoding: chunked",
    "Expect: 100-continue",
    "Expect: something-else",
    "Upgrade: websocket",
    "Upgrade: h2c",
    "TE: trailers, deflate",
    "Trailer: X-Hasura-Role",
    "Keep-Alive: timeout=1, max=1",
    "Proxy-Authorization: Basic YTpi",
    "Proxy-Connection: close",
    "Range: bytes=0-1",
    'If-None-Match: "abc", *',
    "If-Match: *",
    "If-Modified-Since: Fri, 31 Dec 2100 23:59:59 GMT",
    "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT",
    "Content-Encoding: gzip",
    "Content-Range: bytes 0-1/2",
    "Accept: image/png;q=0",
    "Sec-WebSocket-Key: dGVzdA==",
    "Forwarded: for=127.0.0.1;proto=https",
    "X-HTTP-Method-Override: DELETE",
    "X-Original-URL: /metrics",
]
# aiohttp waits for a body that never comes, or takes it for the connection's own wish to close.
PARTING = ["Transfer-Encoding: chunked", "Proxy-Connection: close"]


class TestHopByHopHeaders:
    @pytest.mark.parametrize("line", HOP_BY_HOP)
    async def test_nothing_acts_on_them(self, service, issuer, bob, line):
        _is_bob(await answer_to(service.webhook_url, get(f"Authorization: {bob}", line)), issuer)

    @pytest.mark.parametrize("line", [line for line in HOP_BY_HOP if line not in PARTING])
    async def test_nor_do_they_harm_the_next_request(self, service, issuer, bob, alice, line):
        async with connected(service.webhook_url) as wire:
            _is_bob(await wire.ask(get(f"Authorization: {bob}", line)), issuer)
            second = await wire.ask(get(f"Authorization: {alice}", "X-Hasura-Org-Id: globex"))
            assert (second.status, second.json["X-Hasura-Org-Id"]) == (200, "globex")

    @pytest.mark.parametrize("line", PARTING)
    async def test_or_the_answer_says_that_there_will_be_no_next(self, service, issuer, bob, line):
        first = await answer_to(service.webhook_url, get(f"Authorization: {bob}", line))
        _is_bob(first, issuer)
        assert first.headers["Connection"] == "close"

    async def test_what_follows_a_transfer_encoding_is_no_request(self, service, issuer, bob):
        smuggled = get(f"Authorization: {bob}")
        call = get(f"Authorization: {bob}", "Transfer-Encoding: chunked") + b"0\r\n\r\n" + smuggled
        async with connected(service.webhook_url) as wire:
            _is_bob(await wire.ask(call), issuer)
            assert await wire.rest() == b""

    @pytest.mark.parametrize("line", ["Upgrade: websocket", "Upgrade: h2c", "Upgrade: TLS/1.0"])
    async def test_a_real_wish_to_upgrade_is_not_granted(self, service, issuer, bob, line):
        connection = ("Connection: keep-alive, Upgrade", line)
        async with connected(service.webhook_url) as wire:
            for _ in range(2):
                _is_bob(await wire.ask(get(f"Authorization: {bob}", *connection)), issuer)
            _is_bob(await wire.ask(get(f"Authorization: {bob}")), issuer)

    async def test_pipelined_requests_are_answered_in_their_order(self, service, issuer, bob):
        async with connected(service.webhook_url) as wire:
            good, bad = get(f"Authorization: {bob}"), get("Authorization: Bearer x")
            await wire.send(good + bad + good + post({"authorization": bob}))
            _is_bob(await wire.answer(), issuer)
            assert (await wire.answer()).code == "malformed_token"
            _is_bob(await wire.answer(), issuer)
            _is_bob(await wire.answer(), issuer)


class TestRepeatedHeaders:
    """GET repeats lines, POST has two spellings: both mean the same."""

    async def _codes(self, service, *pairs):
        lines = [f"{name}: {value}" for name, value in pairs]
        answers = [
            await answer_to(service.webhook_url, get(*lines)),
            await answer_to(service.webhook_url, post(dict(pairs))),
        ]
        assert answers[0].body == answers[1].body
        return answers[0].code or answers[0].json["X-Hasura-Role"]

    async def test_equal_credentials_are_one(self, service, bob):
        pairs = (("Authorization", bob), ("authorization", f" {bob}\t"))
        assert await self._codes(service, *pairs) == "viewer"

    @pytest.mark.parametrize("other", ["", "Bearer", "Bearer x", "Basic YTpi"])
    async def test_differing_credentials_are_ambiguous(self, service, bob, other):
        for first, second in ((bob, other), (other, bob)):
            pairs = (("Authorization", first), ("authorization", second))
            assert await self._codes(service, *pairs) == "ambiguous_credentials"

    @pytest.mark.parametrize("spelling", ["x-hasura-role", "X-HASURA-ROLE"])
    async def test_equal_wishes_are_one(self, service, alice, spelling):
        pairs = (
            ("AUTHORIZATION", alice),
            ("X-Hasura-Org-Id", "acme"),
            ("x-hasura-org-ID", " acme "),
            ("X-Hasura-Role", "editor"),
            (spelling, "editor "),
        )
        assert await self._codes(service, *pairs) == "editor"

    @pytest.mark.parametrize("name", ["X-Hasura-Role", "X-Hasura-Org-Id"])
    @pytest.mark.parametrize("values", [("viewer", "editor"), ("", "viewer"), ("viewer", "Viewer")])
    async def test_differing_wishes_are_no_request(self, service, bob, name, values):
        pairs = (("Authorization", bob), (name, values[0]), (name.lower(), values[1]))
        assert await self._codes(service, *pairs) == "malformed_request"

    async def test_many_lines_of_one_spelling_count_alike(self, service, issuer, bob):
        lines = [f"Authorization: {bob}"] * 3 + ["X-Hasura-Role: viewer"] * 3
        _is_bob(await answer_to(service.webhook_url, get(*lines)), issuer)
        lines.append("X-Hasura-Role: editor")
        assert (await answer_to(service.webhook_url, get(*lines))).code == "malformed_request"

    async def test_a_list_in_one_line_is_no_two_values(self, service, alice):
        call = get(f"Authorization: {alice}", "X-Hasura-Org-Id: acme, globex")
        assert (await answer_to(service.webhook_url, call)).code == "org_not_granted"


async def test_the_same_headers_get_the_same_answer_in_both_modes(service, alice, bob):
    credentials = [None, alice, bob, alice.lower(), f"bearer {bob[7:]}", "Bearer", "Basic YTpi"]
    orgs = [None, "", "acme", "globex", "Acme", "no-org", "acme,globex", "é", "a\tb"]
    roles = [None, "", "editor", "viewer", "admin", "org_admin", "Editor", "editor,viewer"]
    names = ("Authorization", "X-Hasura-Org-Id", "X-Hasura-Role")
    seen = set()
    async with connected(service.webhook_url) as wire:
        for values in product(credentials, orgs, roles):
            headers = {
                name: value for name, value in zip(names, values, strict=True) if value is not None
            }
            by_get = await wire.ask(get(*(f"{name}: {it}" for name, it in headers.items())))
            by_post = await wire.ask(post({**headers, "Host": "api.example.com"}))
            assert (by_get.status, by_get.body) == (by_post.status, by_post.body), headers
            seen.add(by_get.code or by_get.json["X-Hasura-Org-Id"] + by_get.json["X-Hasura-Role"])
    assert seen == {
        "acmeeditor",
        "acmeviewer",
        "globexviewer",
        "ambiguous_org",
        "malformed_token",
        "no_credentials",
        "org_not_granted",
        "role_not_granted",
    }


@pytest.mark.parametrize("mode", ["GET", "POST"])
async def test_nothing_else_a_client_says_changes_the_answer(service, issuer, bob, mode):
    hostile = {
        "X-Hasura-User-Id": "1",
        "X-Hasura-Allowed-Roles": "{admin}",
        "X-Hasura-Default-Role": "admin",
        "X-Hasura-Admin-Secret": "x",
        "X-Hasura-Access-Key": "x",
        "X-Hasura-Use-Backend-Only-Permissions": "true",
        "X-Hasura-Email": "root@example.com",
        "X_Hasura_Role": "admin",
        "X-Hasura-Role2": "admin",
        "X-Forwarded-User": "admin",
        "X-Access-Token": "x",
        "Cookie": f"access_token={bob[7:]}",
        "Cache-Control": "max-age=999999",
        "Expires": "0",
    }
    _is_bob(await service.ask({**hostile, "Authorization": bob}, mode=mode), issuer)
    denied = await service.ask(hostile, mode=mode)
    assert (denied.status, denied.code) == (401, "no_credentials")


# Where a token is looked for by others: the path, and a header.
ELSEWHERE = pytest.mark.parametrize(
    "place",
    [
        ("/?access_token={}", {}),
        ("/", {"Cookie": "access_token={}"}),
        ("/", {"Proxy-Authorization": "Bearer {}"}),
        ("/", {"X-Auth-Token": "{}"}),
        ("/", {"X-Forwarded-Access-Token": "{}"}),
    ],
    ids=["query", "cookie", "Proxy-Authorization", "X-Auth-Token", "X-Forwarded-Access-Token"],
)


def _with_a_token_elsewhere(mode, token, place, **more):
    """Return a call with this token in another place, and in POST mode in the body as well."""
    path, headers = place
    named = {name: value.format(token) for name, value in headers.items()} | more
    lines = [f"{name}: {value}" for name, value in named.items()]
    body = json.dumps({"headers": named, "access_token": token}).encode()
    if mode == "GET":
        return get(*lines, path=path.format(token))
    return head("POST", f"Content-Length: {len(body)}", path=path.format(token)) + body


@pytest.mark.parametrize("mode", ["GET", "POST"])
@ELSEWHERE
async def test_a_token_in_another_place_is_no_credential(service, bob, mode, place):
    call = _with_a_token_elsewhere(mode, bob[7:], place)
    assert (await answer_to(service.webhook_url, call)).code == "no_credentials"


@pytest.mark.parametrize("bad", ["", "Bearer", "Bearer x", "Basic YTpi"])
@pytest.mark.parametrize("mode", ["GET", "POST"])
@ELSEWHERE
async def test_nor_does_it_rescue_a_bad_one(service, bob, mode, place, bad):
    call = _with_a_token_elsewhere(mode, bob[7:], place, Authorization=bad)
    assert (await answer_to(service.webhook_url, call)).code == "malformed_token"
