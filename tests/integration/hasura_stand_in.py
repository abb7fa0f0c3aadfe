"""What stands for Hasura v2 in these tests: it asks the webhook as Hasura does, then PostgreSQL.

It knows the one form of query that the example's script sends.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from hasura_kc_auth.wiring import Service
from tests.compose.bool_exp import Hasura

# What Hasura drops in GET mode, of what curl sends.
_DROPPED = {"content-length", "content-type", "user-agent", "host", "accept", "accept-encoding"}
_FIELD = re.compile(r"(\w+)\(order_by: \{id: asc\}\) \{ ([\w ]+) \}")

REFUSED = {
    "errors": [
        {
            "extensions": {"path": "$", "code": "access-denied"},
            "message": "Authentication hook unauthorized this request",
        }
    ]
}


@asynccontextmanager
async def hasura_of(service: Service, hasura: Hasura) -> AsyncIterator[str]:
    """Give the address of a /v1/graphql in front of this service and this database."""

    async def answer(request: web.Request) -> web.Response:
        headers = {k: it for k, it in request.headers.items() if k.lower() not in _DROPPED}
        async with (
            aiohttp.ClientSession() as http,
            http.get(service.webhook_url, headers=headers) as hook,
        ):
            assert hook.status in (200, 401)
            session = await hook.json()
        if hook.status == 401:
            return web.json_response(REFUSED)  # 200, as all errors there
        query = (await request.json())["query"]
        fields = [(table, columns.split()) for table, columns in _FIELD.findall(query)]
        data = {
            table: await asyncio.to_thread(hasura.select, session, table, *columns)
            for table, columns in fields
        }
        return web.json_response({"data": data})

    async def healthy(_: web.Request) -> web.Response:
        return web.Response(text="OK")

    app = web.Application()
    app.router.add_get("/healthz", healthy)
    app.router.add_post("/v1/graphql", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
