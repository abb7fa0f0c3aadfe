"""The management listener: health for the orchestrator, metrics for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest


class IssuerState(Protocol):
    """What readiness asks of one issuer's keys. `age`: seconds, None before the first success."""

    last_failure: str | None

    @property
    def usable(self) -> bool: ...
    @property
    def age(self) -> float | None: ...


def management_app(
    issuers: Mapping[str, IssuerState],
    registry: CollectorRegistry,
    stopping: Callable[[], bool],
) -> web.Application:
    """`/livez`, `/readyz`, `/metrics`. None needs a credential, none says anything of a user."""

    async def livez(_request: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def readyz(_request: web.Request) -> web.Response:
        # One realm's outage takes no pod down: the others' users are still served.
        ready = not stopping() and any(issuer.usable for issuer in issuers.values())
        states = {name: _state(issuer) for name, issuer in issuers.items()}
        status = "stopping" if stopping() else "ready" if ready else "not ready"
        return web.json_response(
            {"status": status, "issuers": states}, status=200 if ready else 503
        )

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    app = web.Application()
    app.router.add_get("/livez", livez)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    return app


def _state(issuer: IssuerState) -> dict[str, object]:
    age = issuer.age
    return {
        "keys": "usable" if issuer.usable else "none",
        "age_seconds": None if age is None else round(age, 1),
        "last_failure": issuer.last_failure,
    }
