"""The floor: the least that aiohttp can do. Reads a request, answers a constant.

Run as a process: `python -m tests.bench.floor LENGTH`; prints its port.
"""

from __future__ import annotations

import asyncio
import signal
import sys

import uvloop
from aiohttp import web

HEADERS = {
    "Content-Type": "application/json",
    "Cache-Control": "no-store",
    "Server": "hasura-kc-auth",
}


async def serve(length: int) -> None:
    body = b"x" * length

    async def answer(request: web.BaseRequest) -> web.Response:
        content = request.content
        while not content.is_eof():  # a body that did not come in one piece
            await content.readany()
        return web.Response(status=200, body=body, headers=HEADERS)

    server = web.Server(answer, access_log=None, max_field_size=65536, max_line_size=65536)
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(server, "127.0.0.1", 0, backlog=1024)
    print(listener.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C is for the bench, which ends this one
    uvloop.run(serve(int(sys.argv[1])))
