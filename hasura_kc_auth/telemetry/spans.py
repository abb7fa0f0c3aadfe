"""Tracing by OpenTelemetry. Importing this needs the extra `otel`.

Spans hold a code, a configured issuer, and after verification the org and the role: nothing else of
a token, and nothing of a client but the ids of its trace. What an exception says is not recorded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

from opentelemetry.context import Context, attach, detach, get_current
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagators.b3 import B3MultiFormat
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from hasura_kc_auth import __version__
from hasura_kc_auth.core.errors import Code, Denied
from hasura_kc_auth.core.request import Headers, Request
from hasura_kc_auth.core.session import ORG_ID, ROLE, Session
from hasura_kc_auth.ports import AuthenticatesHeaders, Recalls
from hasura_kc_auth.telemetry.tracing import Call, Params, Result

# What could not be sent by then is lost: an orchestrator's patience is short.
_STOP_SECONDS = 1.0

_CODE, _ISSUER, _ORG, _ROLE, _CACHE_HIT = (
    f"hasura_kc_auth.{name}" for name in ("code", "issuer", "org", "role", "cache_hit")
)


# In this order: Hasura v3 lets a client's traceparent take the place of its own, and writes the
# ids of its own span, which is the nearer one, as B3.
_FORMATS = (B3MultiFormat(), TraceContextTextMapPropagator())
# Ids only: `tracestate` and `baggage` are free text of a client, and stay out.
_HEADERS = ("b3", "x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "x-b3-flags", "traceparent")


def sent_context(headers: Headers) -> Context:
    """Return the trace that these headers belong to; an empty context for none."""
    sent = {name: list(headers.getall(name, ())) for name in _HEADERS}
    for headers_format in _FORMATS:
        context = headers_format.extract(sent, Context())
        if _is_in_a_trace(context):
            return context
    return Context()


def _is_in_a_trace(context: Context) -> bool:
    return get_current_span(context).get_span_context().is_valid


class Spans:
    """Tracing over one provider, which stays this service's own and is no global one."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("hasura_kc_auth", __version__)

    def calls(
        self, handle: Callable[[Call], Awaitable[Result]]
    ) -> Callable[[Call], Awaitable[Result]]:
        async def handle_in_its_trace(call: Call) -> Result:
            token = attach(sent_context(call.headers))
            try:
                return await handle(call)
            finally:
                detach(token)

        return handle_in_its_trace

    def decisions(self, authenticates: AuthenticatesHeaders) -> AuthenticatesHeaders:
        return _TracedDecisions(self._tracer, authenticates)

    def recalls(self, recalls: Recalls) -> Recalls:
        return _NotedRecalls(recalls)

    def questions(
        self, name: str, issuer: str, ask: Callable[Params, Awaitable[Result]], /
    ) -> Callable[Params, Awaitable[Result]]:
        async def ask_in_a_span(*args: Params.args, **kwargs: Params.kwargs) -> Result:
            with _span(self._tracer, name, SpanKind.CLIENT) as span:
                span.set_attribute(_ISSUER, issuer)
                return await ask(*args, **kwargs)

        return ask_in_a_span

    async def stop(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOP_SECONDS):
                await asyncio.to_thread(self._provider.shutdown)


@contextmanager
def _span(
    tracer: Tracer, name: str, kind: SpanKind, context: Context | None = None
) -> Iterator[Span]:
    """Be within a span; of an exception only what may be known is in it."""
    with tracer.start_as_current_span(
        name, context, kind, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield span
        except Denied as denied:
            if denied.code.undecided:
                span.set_status(StatusCode.ERROR, denied.detail)
            raise
        except Exception as error:
            # Errors of our own carry a constant sentence; the text of others could hold anything.
            span.set_status(StatusCode.ERROR, getattr(error, "detail", type(error).__name__))
            raise


class _TracedDecisions:
    """A span around each decision, in Hasura's trace or else in the client's.

    In POST mode, Hasura v2 has the client's headers in the body only, and no trace of its own.
    """

    def __init__(self, tracer: Tracer, authenticates: AuthenticatesHeaders) -> None:
        self._tracer = tracer
        self._authenticates = authenticates

    async def authenticate(self, headers: Headers) -> Session:
        context = get_current()
        if not _is_in_a_trace(context):
            context = sent_context(headers)
        with _span(self._tracer, "decision", SpanKind.SERVER, context) as span:
            try:
                session = await self._authenticates.authenticate(headers)
            except Denied as denied:
                _note(span, denied.code.value, denied.issuer)
                raise
            except Exception:
                _note(span, Code.INTERNAL_ERROR.value, None)
                raise
            _note(span, "ok", session.issuer)
            variables = session.variables
            for name, variable in ((_ORG, ORG_ID), (_ROLE, ROLE)):
                if variable in variables:
                    span.set_attribute(name, str(variables[variable]))
            return session


def _note(span: Span, code: str, issuer: str | None) -> None:
    span.set_attribute(_CODE, code)
    if issuer is not None:
        span.set_attribute(_ISSUER, issuer)


class _NotedRecalls:
    """Notes on the decision's span whether the session was remembered."""

    def __init__(self, recalls: Recalls) -> None:
        self._recalls = recalls

    def recall(self, request: Request) -> Session | None:
        session = self._recalls.recall(request)
        get_current_span().set_attribute(_CACHE_HIT, session is not None)
        return session


def open_spans() -> Spans:
    """Send spans over OTLP (HTTP), as the standard variables OTEL_* say."""
    named = OTELResourceDetector().detect().attributes
    own = {"service.name": "hasura-kc-auth", "service.version": __version__}
    # Without a hook of its own at the exit: the service stops it.
    provider = TracerProvider(resource=Resource.create({**own, **named}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Spans(provider)
