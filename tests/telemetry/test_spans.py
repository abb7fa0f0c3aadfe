"""Tracing: which spans there are, in whose trace, with what in them; and none where it is off."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest
from multidict import CIMultiDict
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, get_current_span

from hasura_kc_auth import __version__
from hasura_kc_auth.authenticator import HeaderAuthenticator
from hasura_kc_auth.core.errors import Code, Denied
from hasura_kc_auth.devtools.issuer import Fault
from hasura_kc_auth.keycloak.jwks import fetch_key_set
from hasura_kc_auth.telemetry.spans import Spans, open_spans, sent_context
from tests.introspecting import bearer, introspecting, lightweight
from tests.made_tokens import OTHER_KEY, claims, sign
from tests.telemetry.collector import collecting

TRACE, PARENT, NEARER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "53995c3f42cd8ad8"
OTHER_TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
B3 = {"X-B3-TraceId": TRACE, "X-B3-SpanId": NEARER, "X-B3-Sampled": "1"}
NOBODY = "http://127.0.0.1:1/realms/none"


class Traced:
    """Tracing whose spans stay here."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracing = Spans(provider)

    def spans(self, name):
        """Return the spans of this name in the order of their ends."""
        return [it for it in self.exporter.get_finished_spans() if it.name == name]

    def decision(self):
        """Return the one decision since the last call."""
        (span,) = self.spans("decision")
        self.exporter.clear()
        return span


@pytest.fixture
def traced():
    return Traced()


@pytest.fixture
async def service(issuer, start_service, traced):
    service = await start_service(issuer.issuer, tracing=traced.tracing)
    assert (await service.ask(bearer(issuer.login("dave", "openid acme").access))).status == 200
    traced.exporter.clear()
    return service


def own(**attributes):
    return {f"hasura_kc_auth.{name}": value for name, value in attributes.items()}


def parent_of(span):
    """Return the trace and the parent of a span in hexadecimal, None where it has no parent."""
    if span.parent is None:
        return None
    return f"{span.parent.trace_id:032x}", f"{span.parent.span_id:016x}"


class TestDecisions:
    async def test_an_allowed_one_tells_org_and_role_and_whether_it_was_remembered(
        self, service, issuer, traced
    ):
        headers = bearer(issuer.login("bob", "openid acme").access)
        for hit in (False, True):
            assert (await service.ask(headers)).status == 200
            span = traced.decision()
            told = own(code="ok", issuer=issuer.issuer, org="acme", role="viewer", cache_hit=hit)
            assert dict(span.attributes) == told
            assert span.kind is SpanKind.SERVER
            assert span.status.status_code is StatusCode.UNSET
            assert span.events == ()

    @pytest.mark.parametrize("mode", ["GET", "POST"])
    async def test_a_denied_one_tells_the_code_and_nothing_of_the_token(
        self, service, issuer, traced, mode
    ):
        both = bearer(issuer.login("alice", "openid acme globex").access)
        assert (await service.ask(both, mode=mode)).code == "ambiguous_org"
        span = traced.decision()
        told = own(code="ambiguous_org", issuer=issuer.issuer, cache_hit=False)
        assert dict(span.attributes) == told
        assert (span.status.status_code, span.events) == (StatusCode.UNSET, ())

    async def test_one_that_is_refused_by_its_form_has_no_issuer(self, service, traced):
        assert (await service.ask({"Authorization": "Bearer x"})).code == "malformed_token"
        assert dict(traced.decision().attributes) == own(code="malformed_token", cache_hit=False)

    async def test_an_anonymous_one_has_no_org(self, start_service, traced):
        service = await start_service(NOBODY, anonymous={"role": "public"}, tracing=traced.tracing)
        assert (await service.ask()).status == 200
        told = own(code="ok", role="public", cache_hit=False)
        assert dict(traced.decision().attributes) == told

    async def test_what_could_not_be_decided_is_an_error(self, issuer, start_service, traced):
        issuer.fault = Fault.ERROR
        service = await start_service(issuer.issuer, tracing=traced.tracing)
        assert (await service.ask(bearer(issuer.login("bob").access))).status == 503
        span = traced.decision()
        told = own(code="keys_unavailable", issuer=issuer.issuer, cache_hit=False)
        assert dict(span.attributes) == told
        assert span.status.status_code is StatusCode.ERROR
        assert span.status.description == "the answer's status is not 200"

    async def test_of_a_mistake_of_ours_only_its_kind_is_told(self, traced):
        class Stumbling:
            async def authenticate(self, headers):
                raise LookupError(f"a secret: {headers}")

        with pytest.raises(LookupError):
            await traced.tracing.decisions(Stumbling()).authenticate(CIMultiDict(a="secret"))
        span = traced.decision()
        assert dict(span.attributes) == own(code="internal_error")
        assert (span.status.status_code, span.status.description) == (
            StatusCode.ERROR,
            "LookupError",
        )
        assert span.events == ()

    async def test_what_no_headers_came_of_is_none(self, service, traced):
        assert (await service.post(b"{")).code == "malformed_request"
        assert traced.spans("decision") == []


class TestWhoseTrace:
    @pytest.mark.parametrize(
        ("headers", "parent"),
        [
            (TRACEPARENT, (TRACE, PARENT)),
            (B3, (TRACE, NEARER)),
            ({"b3": f"{TRACE}-{NEARER}-1"}, (TRACE, NEARER)),
            (TRACEPARENT | B3, (TRACE, NEARER)),
            ({**TRACEPARENT, "b3": "0"}, (TRACE, PARENT)),
            ({**TRACEPARENT, "X-B3-TraceId": "0" * 32, "X-B3-SpanId": "0" * 16}, (TRACE, PARENT)),
            ({"traceparent": "00-x-y-01"}, None),
            ({"X-B3-TraceId": "x", "X-B3-SpanId": NEARER}, None),
            ({}, None),
        ],
    )
    async def test_get_mode(self, service, traced, headers, parent):
        await service.ask(headers)
        assert parent_of(traced.decision()) == parent

    async def test_post_mode_of_v3_has_it_among_the_headers_of_the_call(self, service, traced):
        body = b'{"headers":{"traceparent":"00-%b-%b-01"}}' % (
            OTHER_TRACE.encode(),
            PARENT.encode(),
        )
        await service.post(body, headers={**TRACEPARENT, **B3, "tracestate": ""})
        assert parent_of(traced.decision()) == (TRACE, NEARER)

    async def test_post_mode_of_v2_has_the_clients_in_the_body(self, service, traced):
        await service.ask(TRACEPARENT, mode="POST")
        assert parent_of(traced.decision()) == (TRACE, PARENT)

    async def test_no_request_is_in_the_trace_of_the_one_before(self, service, traced):
        await service.ask(TRACEPARENT)
        traced.decision()
        await service.ask()
        assert traced.decision().parent is None

    async def test_a_call_leaves_no_trace_behind_it(self, traced):
        async def handle(_call):
            return get_current_span().get_span_context().trace_id

        call = SimpleNamespace(headers=CIMultiDict(TRACEPARENT))
        assert await traced.tracing.calls(handle)(call) == int(TRACE, 16)
        assert not get_current_span().get_span_context().is_valid

    async def test_a_trace_that_is_not_sampled_is_not_recorded(self, service, traced):
        await service.ask({"traceparent": f"00-{TRACE}-{PARENT}-00"})
        assert traced.exporter.get_finished_spans() == ()

    def test_free_text_of_a_client_is_not_taken_along(self):
        headers = CIMultiDict(TRACEPARENT, tracestate="secret=CANARY", baggage="user=CANARY")
        context = get_current_span(sent_context(headers)).get_span_context()
        assert dict(context.trace_state) == {}
        assert "CANARY" not in repr(sent_context(headers))


class TestKeycloak:
    async def test_a_key_fetch_in_the_background_is_a_trace_of_its_own(
        self, issuer, start_service, traced
    ):
        service = await start_service(issuer.issuer, tracing=traced.tracing)
        await service.ask(bearer(issuer.login("bob", "openid acme").access))
        (span,) = traced.spans("key fetch")
        assert (span.kind, dict(span.attributes)) == (
            SpanKind.CLIENT,
            own(issuer=issuer.issuer),
        )
        assert (span.parent, span.status.status_code) == (None, StatusCode.UNSET)

    async def test_one_for_an_unknown_key_is_part_of_the_decision(
        self, service, issuer, traced, clock
    ):
        clock.advance(11)
        issuer.fault = Fault.GARBAGE
        token = sign(claims(iss=issuer.issuer), {"kid": OTHER_KEY.kid}, OTHER_KEY)
        assert (await service.ask(bearer(token))).code == "unknown_key"
        (fetch,) = traced.spans("key fetch")
        (decision,) = traced.spans("decision")
        assert fetch.parent.span_id == decision.context.span_id
        assert fetch.status.status_code is StatusCode.ERROR
        assert fetch.status.description == "the answer is not a JSON object"
        assert (dict(fetch.attributes), fetch.events) == (own(issuer=issuer.issuer), ())

    async def test_one_without_an_answer_says_so(self, issuer, start_service, traced):
        issuer.fault = Fault.HANGING
        service = await start_service(
            issuer.issuer, keys={"timeout": "50ms"}, tracing=traced.tracing
        )
        await service.ask(bearer(issuer.login("bob").access))
        (span,) = traced.spans("key fetch")
        assert span.status.description == "no answer within keys.timeout"

    async def test_introspection_is_part_of_the_decision_and_remembered_answers_are_none(
        self, issuer, start_service, traced
    ):
        service = await start_service(
            issuers=introspecting(issuer)["issuers"], cache={"entries": 0}, tracing=traced.tracing
        )
        headers = lightweight(issuer)
        assert (await service.ask(headers)).status == 200
        (asked,) = traced.spans("introspection")
        (decision,) = traced.spans("decision")
        assert asked.parent.span_id == decision.context.span_id
        assert (asked.kind, dict(asked.attributes)) == (
            SpanKind.CLIENT,
            own(issuer=issuer.issuer),
        )
        traced.exporter.clear()
        assert (await service.ask(headers)).status == 200
        assert traced.spans("introspection") == []

    async def test_introspection_that_fails(self, issuer, start_service, traced):
        service = await start_service(
            issuers=introspecting(issuer)["issuers"], tracing=traced.tracing
        )
        issuer.introspection_fault = Fault.ERROR
        assert (await service.ask(lightweight(issuer))).code == "introspection_unavailable"
        (span,) = traced.spans("introspection")
        assert span.status.status_code is StatusCode.ERROR
        assert span.status.description == "the answer's status is not 200"

    async def test_an_error_that_is_not_ours_is_told_by_its_kind(self, traced):
        async def ask():
            raise OSError("a secret")

        with pytest.raises(OSError, match="a secret"):
            await traced.tracing.questions("question", NOBODY, ask)()
        (span,) = traced.spans("question")
        assert (span.status.description, span.events) == ("OSError", ())

    async def test_a_plain_denial_is_no_error(self, traced):
        async def ask():
            raise Denied(Code.INACTIVE_TOKEN, "a sentence")

        with pytest.raises(Denied):
            await traced.tracing.questions("question", NOBODY, ask)()
        assert traced.spans("question")[0].status.status_code is StatusCode.UNSET


class TestOff:
    async def test_nothing_is_wrapped(self, issuer, start_service):
        running = await start_service(issuers=introspecting(issuer)["issuers"])
        service = running.service
        webhook, (keys,) = service._webhook, service.keys.issuers.values()  # noqa: SLF001
        (client,) = service.completers._clients.values()  # noqa: SLF001
        (answers,) = service.completers._answers  # noqa: SLF001
        assert service._server.request_handler == webhook.handle  # noqa: SLF001
        assert type(webhook._authenticates) is HeaderAuthenticator  # noqa: SLF001
        assert webhook._authenticates._recalls is service.decisions  # noqa: SLF001
        assert webhook._authenticates._decides is service.decisions  # noqa: SLF001
        assert service.decisions._decides is service.authenticator  # noqa: SLF001
        assert keys._fetch is fetch_key_set  # noqa: SLF001
        assert answers._ask == client.introspect  # noqa: SLF001

    def test_nothing_of_it_is_loaded(self):
        program = (
            "import sys, hasura_kc_auth.__main__;"
            "print([it for it in sys.modules if it.startswith('hasura_kc_auth.telemetry.')])"
        )
        found = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-c", program], capture_output=True, check=True, text=True
        )
        assert "telemetry.tracing'" in found.stdout
        assert "telemetry.spans'" not in found.stdout


class TestSending:
    async def test_spans_go_where_the_standard_variables_say(
        self, issuer, start_service, monkeypatch
    ):
        with collecting() as collector:
            for name, text in collector.variables.items():
                monkeypatch.setenv(name, text)
            monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
            tracing = open_spans()
            service = await start_service(issuer.issuer, tracing=tracing)
            await service.ask(bearer(issuer.login("bob", "openid acme").access))
            await tracing.stop()
        assert sorted(collector.spans) == ["decision", "key fetch"]
        sent = ("service.name", "service.version", "deployment.environment")
        assert [collector.resource[name] for name in sent] == [
            "hasura-kc-auth",
            __version__,
            "test",
        ]

    async def test_the_services_name_can_be_set(self, monkeypatch):
        with collecting() as collector:
            for name, text in collector.variables.items():
                monkeypatch.setenv(name, text)
            monkeypatch.setenv("OTEL_SERVICE_NAME", "auth-eu")
            tracing = open_spans()
            await tracing.questions("question", NOBODY, _answer)()
            await tracing.stop()
        assert (collector.spans, collector.resource["service.name"]) == (["question"], "auth-eu")


async def _answer():
    pass
