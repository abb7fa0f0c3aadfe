"""The answers' form: statuses, headers, bodies, and what is not the webhook's business."""

from __future__ import annotations

import json

import pytest

from hasura_kc_auth.authenticator import HeaderAuthenticator
from hasura_kc_auth.core.errors import Code
from hasura_kc_auth.devtools.issuer import ORGS
from hasura_kc_auth.devtools.tokens import TokenMaker
from hasura_kc_auth.ports import Clocks
from hasura_kc_auth.telemetry.denials import RecentDenials
from hasura_kc_auth.telemetry.logs import DenialLog, LineWriter, open_log
from hasura_kc_auth.telemetry.metrics import DecisionCounts
from hasura_kc_auth.telemetry.observer import DecisionObserver
from hasura_kc_auth.web.server import GuardedServer, listen
from hasura_kc_auth.web.webhook import Webhook, WebhookLimits
from tests.conftest import Output
from tests.web.wire import answer_to, connected, get, head, post, post_bytes

OWN_HEADERS = {
    "Content-Type": "application/json",
    "Cache-Control": "no-store",
    "Server": "hasura-kc-auth",
}


def _plain(answer):
    """Return the headers, but for those that vary with time and length."""
    return {
        name: value
        for name, value in answer.headers.items()
        if name not in ("Date", "Content-Length")
    }


class TestHeaders:
    @pytest.mark.parametrize("mode", ["GET", "POST"])
    async def test_of_a_session(self, service, bob, mode):
        assert _plain(await service.ask({"Authorization": bob}, mode=mode)) == OWN_HEADERS

    @pytest.mark.parametrize("mode", ["GET", "POST"])
    async def test_of_a_denial(self, keyless, mode):
        assert _plain(await keyless.ask(mode=mode)) == OWN_HEADERS

    async def test_of_what_was_no_http(self, keyless):
        answer = await answer_to(keyless.webhook_url, b"\0\r\n\r\n")
        assert _plain(answer) == OWN_HEADERS

    async def test_the_answer_is_compact_json_without_a_name_twice(self, service, bob):
        body = (await service.ask({"Authorization": bob})).body
        pairs = json.loads(body, object_pairs_hook=list)
        assert json.dumps(dict(pairs), separators=(",", ":")).encode() == body
        assert [name for name, _ in pairs] == [
            "X-Hasura-Org-Id",
            "X-Hasura-Role",
            "X-Hasura-Allowed-Roles",
            "X-Hasura-User-Id",
            "Cache-Control",
        ]
        assert all(type(value) is str for _, value in pairs)


class TestStatuses:
    async def test_a_remembered_session_is_the_same_answer_but_younger(self, service, bob, clock):
        first = await service.ask({"Authorization": bob})
        clock.advance(50)
        second = await service.ask({"Authorization": bob})
        assert first.json.pop("Cache-Control") == "max-age=300"
        assert second.json["Cache-Control"] == "max-age=250"
        assert first.body.replace(b"=300", b"=250") == second.body
        assert (service.service.decisions.hits, service.service.decisions.misses) == (1, 1)

    async def test_max_age_is_never_below_a_second(self, service, bob, clock):
        await service.ask({"Authorization": bob})
        clock.jump(320)
        assert (await service.ask({"Authorization": bob})).json["Cache-Control"] == "max-age=1"
        clock.jump(10)
        expired = await service.ask({"Authorization": bob})
        assert (expired.status, expired.code) == (401, "expired")

    @pytest.mark.parametrize(
        ("login", "kind", "code"),
        [
            (("alice", "openid acme globex"), "access", "ambiguous_org"),
            (("alice", "openid"), "access", "no_org"),
            (("carol", "openid acme"), "access", "no_org"),
            (("bob", "openid acme"), "identity", "wrong_type"),
            (("bob", "openid acme"), "refresh", "unsupported_algorithm"),
        ],
    )
    async def test_a_denial_is_a_401_with_its_code_alone(self, service, issuer, login, kind, code):
        token = getattr(issuer.login(*login), kind)
        answer = await service.ask({"Authorization": f"Bearer {token}"})
        assert (answer.status, answer.body) == (401, b'{"code":"%b"}' % code.encode())

    async def test_a_token_of_another_realm_is_denied(self, service, issuer, clock):
        maker = TokenMaker("http://127.0.0.1:1/realms/demo", issuer.keys, ORGS, clock.wall)
        token = maker.issue(issuer.users["bob"], "openid acme").access
        answer = await service.ask({"Authorization": f"Bearer {token}"})
        assert (answer.status, answer.code) == (401, "wrong_issuer")

    async def test_without_keys_nothing_is_decided(self, issuer, start_service, bob):
        await issuer.stop()
        service = await start_service(issuer.issuer)
        for mode in ("GET", "POST"):
            answer = await service.ask({"Authorization": bob}, mode=mode)
            assert (answer.status, answer.body) == (503, b'{"code":"keys_unavailable"}')
        assert (await service.ask()).status == 401

    async def test_an_anonymous_request_gets_the_anonymous_role(self, start_service, issuer, bob):
        service = await start_service(
            issuer.issuer, anonymous={"role": "public", "variables": {"X-Hasura-Tier": 1}}
        )
        session = {
            "X-Hasura-Role": "public",
            "X-Hasura-Allowed-Roles": "{public}",
            "X-Hasura-Tier": "1",
            "Cache-Control": "max-age=300",
        }
        for mode in ("GET", "POST"):
            assert (await service.ask(mode=mode)).json == session
            assert (await service.ask({"X-Hasura-Role": "public"}, mode=mode)).json == session
            for headers, code in (
                ({"Authorization": ""}, "malformed_token"),
                ({"Authorization": "Bearer"}, "malformed_token"),
                ({"Authorization": f"{bob.rpartition('.')[0]}.{'A' * 342}"}, "bad_signature"),
                ({"X-Hasura-Role": "viewer"}, "role_not_granted"),
                ({"X-Hasura-Org-Id": "acme"}, "org_not_granted"),
            ):
                answer = await service.ask(headers, mode=mode)
                assert (answer.status, answer.code) == (401, code)
        assert len(service.service.decisions) == 0

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{}",
            b"[]",
            b"null",
            b'{"headers":null}',
            b'{"headers":[]}',
            b'{"headers":"Authorization"}',
            b'{"headers":{"Authorization":null}}',
            b'{"headers":{"Authorization":["Bearer x"]}}',
            b'{"headers":{"a":1}}',
            b'{"headers":{}',
            b'{"headers":{}}{}',
            b'\xef\xbb\xbf{"headers":{}}',
            b'{"headers":{"a":"\xff"}}',
            b'{"headers":{},"request":NaN}',
            b'{"headers":{},"request":' + b"[" * 200_000,
            '{"headers":{}}'.encode("utf-16"),
            b"Authorization=Bearer+x",
        ],
        ids=lambda body: body[:30].decode("latin-1"),
    )
    async def test_a_body_without_headers_is_malformed(self, keyless, body):
        answer = await answer_to(keyless.webhook_url, post_bytes(body))
        assert (answer.status, answer.body) == (401, b'{"code":"malformed_request"}')


@pytest.fixture
async def hook(start_service, issuer):
    return await start_service(issuer.issuer, webhook={"path": "/hook"})


class TestElsewhere:
    @pytest.mark.parametrize(
        "path",
        [
            "/",
            "/hook/",
            "/Hook",
            "/hook/x",
            "//hook",
            "/./hook",
            "/x/../hook",
            "/%68ook",
            "/hook;a=b",
            "/hook%3F",
            "/metrics",
            "/livez",
            "/readyz",
            "http://127.0.0.1/metrics",
        ],
    )
    @pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
    async def test_another_path_is_not_found(self, hook, bob, path, method):
        line = f"Authorization: {bob}"
        answer = await answer_to(
            hook.webhook_url, head(method, line, "Content-Length: 0", path=path)
        )
        assert (answer.status, answer.body) == (404, b'{"code":"not_found"}')
        assert "Location" not in answer.headers

    async def test_no_path_at_all_is_not_found(self, hook, bob):
        answer = await answer_to(
            hook.webhook_url, head("OPTIONS", f"Authorization: {bob}", path="*")
        )
        assert answer.status == 404

    @pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PURGE"])
    async def test_another_method_is_not_allowed(self, hook, bob, method):
        line = f"Authorization: {bob}"
        answer = await answer_to(hook.webhook_url, head(method, line, path="/hook"))
        assert (answer.status, answer.body) == (405, b'{"code":"method_not_allowed"}')
        assert _plain(answer) == {**OWN_HEADERS, "Allow": "GET, POST"}

    async def test_head_is_not_allowed_either_and_has_no_body(self, hook, bob):
        call = head("HEAD", f"Authorization: {bob}", "Connection: close", path="/hook")
        async with connected(hook.webhook_url) as wire:
            await wire.send(call)
            status, *_, body = (await wire.rest()).split(b"\r\n")
        assert (status, body) == (b"HTTP/1.1 405 Method Not Allowed", b"")

    @pytest.mark.parametrize("query", ["", "?", "?a=b", "?/", "?a=http://x/metrics"])
    async def test_a_query_is_no_other_path(self, hook, bob, query):
        call = get(f"Authorization: {bob}", path=f"/hook{query}")
        assert (await answer_to(hook.webhook_url, call)).status == 200

    async def test_neither_is_a_decision(self, hook, bob):
        await answer_to(hook.webhook_url, get(f"Authorization: {bob}"))
        await answer_to(hook.webhook_url, head("PUT", f"Authorization: {bob}", path="/hook"))
        counts = hook.service.counts
        assert (counts.allowed, counts.refused, counts.in_flight) == ({}, {}, 0)


class TestKeepAlive:
    async def test_one_connection_serves_many_requests_of_both_modes(self, service, bob):
        async with connected(service.webhook_url) as wire:
            for _ in range(5):
                assert (await wire.ask(get(f"Authorization: {bob}"))).status == 200
                assert (await wire.ask(post({"Authorization": bob}))).status == 200
                assert (await wire.ask(get("Authorization: x"))).status == 401
                assert (await wire.ask(post_bytes(b"{"))).status == 401
                assert (await wire.ask(get(path="/x"))).status == 404
                assert (await wire.ask(head("PUT"))).status == 405

    async def test_who_asks_to_close_is_closed(self, service, bob):
        async with connected(service.webhook_url) as wire:
            assert (await wire.ask(get(f"Authorization: {bob}", "Connection: close"))).status == 200
            assert await wire.rest() == b""

    async def test_http_1_0_is_answered_and_closed(self, service, bob):
        async with connected(service.webhook_url) as wire:
            call = f"GET / HTTP/1.0\r\nAuthorization: {bob}\r\n\r\n".encode()
            assert (await wire.ask(call)).status == 200
            assert await wire.rest() == b""


class _Broken:
    """Both ports, with a mistake in one of them."""

    def __init__(self, *, recall):
        self._in_recall = recall

    def recall(self, request):
        if self._in_recall:
            raise LookupError(f"a secret in the text: {request.token}")

    async def authenticate(self, request):
        raise KeyError(request.token)


@pytest.mark.parametrize("recall", [True, False], ids=["in recall", "in authenticate"])
@pytest.mark.parametrize("mode", ["GET", "POST"])
async def test_a_mistake_of_ours_is_a_503_that_tells_nothing(clock, mode, recall):
    output = Output()
    writer = LineWriter(output)
    log = open_log(writer, "debug", "json")
    counts = DecisionCounts()
    denials = DenialLog(log, lambda _sum_up: None)
    broken = _Broken(recall=recall)
    webhook = Webhook(
        WebhookLimits("/", 8 * 1024**2, 10.0),
        HeaderAuthenticator("X-Hasura-Org-Id", 32768, broken, broken),
        DecisionObserver(counts, RecentDenials(clock.wall), denials, log),
        Clocks(clock.wall, clock.monotonic),
    )
    server = GuardedServer(webhook.handle, webhook.refuse_malformed, read_timeout=10.0)
    listener = await listen(server, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/"
    headers = {"Authorization": "Bearer CANARY-TOKEN", "x-request-id": "abc-1"}
    lines = [f"{name}: {value}" for name, value in headers.items()]
    answer = await answer_to(url, get(*lines) if mode == "GET" else post(headers))
    listener.close()
    await server.shutdown(1.0)
    writer.close()

    assert (answer.status, answer.body) == (503, b'{"code":"internal_error"}')
    assert counts.refused == {(Code.INTERNAL_ERROR, None): 1}
    assert counts.in_flight == 0
    logged = output.written.decode()
    assert "CANARY" not in logged
    assert "secret" not in logged
    first, second = (json.loads(line) for line in logged.splitlines())
    kind, place = ("LookupError", "recall") if recall else ("KeyError", "authenticate")
    assert (first["event"], first["level"]) == ("internal_error", "error")
    assert first["error"] == kind
    assert first["where"].startswith(f"_Broken.{place}:")
    assert (second["event"], second["reason"]) == ("denied", "internal_error")
    assert second["request_id"] == "abc-1"
