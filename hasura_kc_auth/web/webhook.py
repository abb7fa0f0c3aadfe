"""Hasura's question and the service's answer, over HTTP. The only place that knows status codes."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass

from aiohttp import StreamReader, web
from multidict import CIMultiDict

from hasura_kc_auth.core.errors import Code, Denied
from hasura_kc_auth.core.request import Headers, headers_in_body
from hasura_kc_auth.ports import AuthenticatesHeaders, Clocks
from hasura_kc_auth.telemetry.observer import DecisionObserver
from hasura_kc_auth.web.answer import HEADERS, Answer
from hasura_kc_auth.web.server import close_after_transfer_encoding

_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_NO_HEADERS: Headers = CIMultiDict[str]()
_BODIES = {code: b'{"code":"%b"}' % code.value.encode("ascii") for code in Code}


@dataclass(frozen=True, slots=True)
class WebhookLimits:
    """`max_body` in bytes, `read_timeout` in seconds."""

    path: str
    max_body: int
    read_timeout: float


class Webhook:
    """Answers Hasura's GET and POST: 200 with variables, 401, or 503 where it cannot decide."""

    def __init__(
        self,
        limits: WebhookLimits,
        authenticates: AuthenticatesHeaders,
        observer: DecisionObserver,
        clocks: Clocks,
    ) -> None:
        self._limits = limits
        self._authenticates = authenticates
        self._observer = observer
        self._wall_clock, self._monotonic = clocks

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request. Raises nothing but CancelledError."""
        path, _, _ = request.raw_path.partition("?")
        if path != self._limits.path:
            response: web.StreamResponse = _no_question(404, b'{"code":"not_found"}')
        elif request.method not in ("GET", "POST"):
            response = _no_question(405, b'{"code":"method_not_allowed"}', Allow="GET, POST")
        else:
            response = await self._decide(request)
        return close_after_transfer_encoding(request, response)

    async def _decide(self, request: web.BaseRequest) -> web.StreamResponse:
        observer = self._observer
        observer.begun()
        began = self._monotonic()
        headers: Headers = request.headers
        try:
            if request.method == "POST":
                headers = CIMultiDict(headers_in_body(await self._body(request)))
            session = await self._authenticates.authenticate(headers)
            now = self._wall_clock()
            answer = Answer(200, session.body(now), now)
            observer.allowed(session, self._monotonic() - began)
            return answer  # noqa: TRY300 - a mistake in writing it must be caught as well
        except Denied as denied:
            return self._refuse(denied, headers, began)
        except Exception as error:  # noqa: BLE001 - a mistake of ours grants nothing and says so
            return self._refuse(observer.failed(error), headers, began)
        finally:
            observer.ended()

    async def _body(self, request: web.BaseRequest) -> bytes:
        """Read the whole body, within bounds. Raises Denied `malformed_request`."""
        content = request.content
        try:
            if content.is_eof():  # all here already, as nearly always: no timer needed
                body = content.read_nowait()
            else:
                async with asyncio.timeout(self._limits.read_timeout):
                    body = await self._long_body(content)
        except (OSError, web.RequestPayloadError) as error:  # time, connection, TLS, framing
            raise Denied(Code.MALFORMED_REQUEST, "the body did not come in whole") from error
        if len(body) > self._limits.max_body:
            raise Denied(Code.MALFORMED_REQUEST, "the body is longer than webhook.max_body")
        return body

    async def _long_body(self, content: StreamReader) -> bytes:
        chunks = bytearray()
        while len(chunks) <= self._limits.max_body and (chunk := await content.readany()):
            chunks += chunk
        return bytes(chunks)

    def _refuse(self, denied: Denied, headers: Headers, began: float) -> web.StreamResponse:
        self._observer.refused(denied, _request_id(headers), self._monotonic() - began)
        status = 503 if denied.code.undecided else 401
        return Answer(status, _BODIES[denied.code], self._wall_clock())

    def refuse_malformed(self) -> web.StreamResponse:
        """Answer what was no HTTP request at all."""
        denied = Denied(Code.MALFORMED_REQUEST, "not a proper HTTP request")
        return self._refuse(denied, _NO_HEADERS, self._monotonic())


def _request_id(headers: Headers) -> str | None:
    """Return Hasura's request id, where it is one: other text of a client is never logged."""
    values = headers.getall("x-request-id", ())
    return values[0] if values and _REQUEST_ID.fullmatch(values[0]) else None


def _no_question(status: int, body: bytes, **headers: str) -> web.Response:
    """Answer what Hasura never asks, by any method: aiohttp knows how to answer HEAD."""
    return web.Response(status=status, body=body, headers={**HEADERS, **headers})
