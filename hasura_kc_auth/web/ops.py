"""The management listener: health for the orchestrator, metrics for Prometheus, last denials."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import parse_qsl

from aiohttp import hdrs, web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from hasura_kc_auth.telemetry.denials import Denial, RecentDenials
from hasura_kc_auth.web.server import close_after_transfer_encoding


class IssuerState(Protocol):
    """What readiness asks of one issuer's keys. `age`: seconds, None before the first success."""

    last_failure: str | None

    @property
    def usable(self) -> bool: ...
    @property
    def age(self) -> float | None: ...


class Management:
    """`/livez`, `/readyz`, `/metrics`, `/denials`.

    None needs a credential, none says anything of a user.
    """

    def __init__(
        self,
        issuers: Mapping[str, IssuerState],
        registry: CollectorRegistry,
        denials: RecentDenials,
        stopping: Callable[[], bool],
    ) -> None:
        self._issuers = issuers
        self._registry = registry
        self._denials = denials
        self._stopping = stopping
        self._answers: Mapping[str, Callable[[str], web.Response]] = {
            "/livez": self._livez,
            "/readyz": self._readyz,
            "/metrics": self._metrics,
            "/denials": self._last_denials,
        }

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Answer one request. Raises nothing but CancelledError."""
        path, _, query = request.raw_path.partition("?")
        answer = self._answers.get(path)
        if answer is None:
            response = _json(404, {"status": "not found"})
        elif request.method not in ("GET", "HEAD"):
            response = _json(405, {"status": "method not allowed"})
            response.headers[hdrs.ALLOW] = "GET, HEAD"
        else:
            response = answer(query)
        return close_after_transfer_encoding(request, response)

    def refuse(self) -> web.Response:
        """Answer what was no HTTP request at all."""
        return _json(400, {"status": "bad request"})

    def _livez(self, _query: str) -> web.Response:
        return _json(200, {"status": "alive"})

    def _readyz(self, _query: str) -> web.Response:
        # One realm's outage takes no pod down: the others' users are still served.
        ready = not self._stopping() and any(it.usable for it in self._issuers.values())
        states = {name: _state(issuer) for name, issuer in self._issuers.items()}
        status = "stopping" if self._stopping() else "ready" if ready else "not ready"
        return _json(200 if ready else 503, {"status": status, "issuers": states})

    def _metrics(self, _query: str) -> web.Response:
        body = generate_latest(self._registry)
        return web.Response(body=body, headers={hdrs.CONTENT_TYPE: CONTENT_TYPE_LATEST})

    def _last_denials(self, query: str) -> web.Response:
        asked = parse_qsl(query, keep_blank_values=True)
        if [name for name, _ in asked] not in ([], ["request_id"]):
            # A filter with a slip of the pen in it must not look like an answer.
            return _json(400, {"status": "bad request: the only parameter is request_id, once"})
        request_id = asked[0][1] if asked else None
        found = self._denials.newest_first(request_id)
        return _json(200, {"denials": [_denial(it) for it in found]})


def _state(issuer: IssuerState) -> dict[str, object]:
    age = issuer.age
    return {
        "keys": "usable" if issuer.usable else "none",
        "age_seconds": None if age is None else round(age, 1),
        "last_failure": issuer.last_failure,
    }


def _denial(denial: Denial) -> dict[str, object]:
    moment = datetime.fromtimestamp(denial.time, UTC)
    return {
        "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "code": denial.code.value,
        "issuer": denial.issuer,
        "request_id": denial.request_id,
    }


def _json(status: int, content: dict[str, object]) -> web.Response:
    headers = {
        hdrs.CONTENT_TYPE: "application/json",
        hdrs.CACHE_CONTROL: "no-store",
        hdrs.SERVER: "hasura-kc-auth",
    }
    return web.Response(status=status, body=json.dumps(content).encode(), headers=headers)
