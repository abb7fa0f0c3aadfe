"""aiohttp's low-level server, made safe for hostile clients, with a stop that fails no request.

What differs from aiohttp's own, all of it measured on 3.14:
- its parser errors answer 400 with the offending bytes and log them; Hasura writes a webhook's body
  into its log. Here they are answered without an echo;
- it waits for the rest of a half-sent head as long as for the next request, and keeps all of it.
  Here a clock runs, and the bytes are counted;
- trailers of a chunked body become headers of the connection's next request. Here a connection ends
  with any request that has Transfer-Encoding;
- its limits are for pages. A token with 300 orgs has 22 KB, a client may send 200 headers;
- its stop closes kept-alive connections in the face of the next request. Here they are asked to go.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

from aiohttp import hdrs, web
from aiohttp.web_protocol import RequestHandler
from typing_extensions import override

from hasura_kc_auth.ports import Clock

Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Refuse = Callable[[], web.StreamResponse]
"""Answers what was no HTTP, without a look at it."""

_Response = TypeVar("_Response", bound=web.StreamResponse)

# A header may be a whole token, and Hasura forwards whatever else the client sent.
MAX_HEADER_BYTES = 64 * 1024
_MAX_HEADERS = 1000
_MAX_HEAD_BYTES = 512 * 1024
# Longer than Hasura v3 keeps an idle connection (90 s): the side that closes first must be the
# client, or now and then a request meets the close.
_KEEP_ALIVE_SECONDS = 120.0


class GuardedProtocol(RequestHandler):
    """One connection."""

    __slots__ = ("_head_bytes", "_read_timeout", "_refuse", "_timer")

    def __init__(self, server: GuardedServer, **options: Any) -> None:  # noqa: ANN401 - aiohttp's own
        super().__init__(server, **options)
        self._refuse = server.refuse
        self._read_timeout = server.read_timeout
        # Of the head that is coming in: what there is of it, and how long it may still take.
        self._head_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    @override
    def data_received(self, data: bytes) -> None:
        # While a request is answered, what comes is its body, or waits in the parser's own bounds.
        waiter = self._waiter
        idle = self._request_count == 0 if waiter is None else not waiter.done()
        before = self._request_count
        super().data_received(data)
        if self._request_count != before:
            self._head_came()
        elif idle and data:
            self._expect_more(len(data))

    def _expect_more(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > _MAX_HEAD_BYTES:
            self.force_close()
        elif self._timer is None:
            self._timer = self._loop.call_later(self._read_timeout, self.force_close)

    def _head_came(self) -> None:
        self._head_bytes = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def part(self) -> None:
        """Answer what is still asked on this connection with `Connection: close`."""
        handle = self._request_handler

        async def handle_and_part(request: web.BaseRequest) -> web.StreamResponse:
            assert handle is not None  # noqa: S101 - aiohttp drops it with the connection only
            response = await handle(request)
            response.force_close()
            return response

        self._request_handler = handle_and_part

    @override
    def connection_lost(self, exc: BaseException | None) -> None:
        self._head_came()
        super().connection_lost(exc)

    @override
    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what the parser refused. The handlers themselves raise nothing."""
        response = self._refuse()
        response.force_close()
        return response


class GuardedServer(web.Server):
    """A listener. `read_timeout`: seconds for a request to come in whole."""

    def __init__(self, handle: Handle, refuse: Refuse, *, read_timeout: float) -> None:
        super().__init__(handle)
        self.refuse = refuse
        self.read_timeout = read_timeout

    @override
    def __call__(self) -> GuardedProtocol:
        return GuardedProtocol(
            self,
            loop=self._loop,
            access_log=None,
            keepalive_timeout=_KEEP_ALIVE_SECONDS,
            lingering_time=self.read_timeout,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
            max_headers=_MAX_HEADERS,
            # A client's Content-Encoding reaches a hook that Hasura sends plain JSON to.
            auto_decompress=False,
        )

    async def part(self, within: float, monotonic: Clock) -> None:
        """Answer what still comes on open connections, each with `Connection: close`.

        Ends when all are gone, or after `within` seconds, and then closes the idle ones.
        """
        for connection in cast("list[GuardedProtocol]", self.connections):
            connection.part()
        deadline = monotonic() + within
        while self.connections and monotonic() < deadline:  # noqa: ASYNC110 - aiohttp has no event
            await asyncio.sleep(0.05)
        await self.end()

    async def end(self) -> None:
        """Close what is idle now, and what is still answered within a second."""
        self.pre_shutdown()
        await self.shutdown(timeout=1.0)


def close_after_transfer_encoding(request: web.BaseRequest, response: _Response) -> _Response:
    """Let no request follow one with Transfer-Encoding on its connection.

    aiohttp's parser would take trailers over into the next request's headers: another client's
    credential, where a proxy shares the connection. And Hasura forwards a client's header with no
    body behind it, for which aiohttp would wait before it looks at the next request.
    """
    if hdrs.TRANSFER_ENCODING in request.headers:
        response.force_close()
    return response


async def listen(
    server: web.Server, host: str, port: int, tls: ssl.SSLContext | None = None
) -> asyncio.Server:
    """Bind and begin to accept; `port` 0 takes a free one. Raises OSError."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(server, host, port, ssl=tls, backlog=1024)
