"""aiohttp's low-level server, made safe for hostile clients, with a stop that fails no request.

What differs from aiohttp's own, all of it measured on 3.14:
- its parser errors answer 400 with the offending bytes and log them; Hasura writes a webhook's body
  into its log. Here they are an ordinary denial without an echo;
- it waits for the rest of a half-sent request as long as for the next one. Here a clock runs;
- its limits are for pages. A token with 300 orgs has 22 KB, a client may send 200 headers;
- its stop closes kept-alive connections in the face of the next request. Here they are asked to go.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, cast

from aiohttp import web
from aiohttp.web_protocol import RequestHandler
from typing_extensions import override

from hasura_kc_auth.ports import Clock

Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Refuse = Callable[[], web.Response]
"""Answers what was no HTTP, without a look at it."""

# A header may be a whole token, and Hasura forwards whatever else the client sent.
_MAX_HEADER_BYTES = 64 * 1024
_MAX_HEADERS = 1000
# Longer than Hasura v3 keeps an idle connection (90 s): the side that closes first must be the
# client, or now and then a request meets the close.
_KEEP_ALIVE_SECONDS = 120.0


class WebhookProtocol(RequestHandler):
    """One connection."""

    __slots__ = ("_half_sent", "_read_timeout", "_refuse", "_timer")

    def __init__(self, server: WebhookServer, **options: Any) -> None:  # noqa: ANN401 - aiohttp's own
        super().__init__(server, **options)
        self._refuse = server.refuse
        self._read_timeout = server.read_timeout
        self._timer: asyncio.TimerHandle | None = None
        # After how many whole requests the head of another came in part.
        self._half_sent = -1

    @override
    def data_received(self, data: bytes) -> None:
        before = self._request_count
        super().data_received(data)
        # Bytes that end no request, while none is being answered: the head of one, so far.
        if self._request_count == before and self._current_request is None:
            self._half_sent = before
            if self._timer is None:
                self._wait_for_the_rest()

    def _wait_for_the_rest(self) -> None:
        self._timer = self._loop.call_later(self._read_timeout, self._give_up, self._request_count)

    def _give_up(self, count: int) -> None:
        self._timer = None
        if self._half_sent != self._request_count or self._current_request is not None:
            return  # it has come
        if self._half_sent == count:
            self.force_close()
        else:
            self._wait_for_the_rest()  # that one came, and half of another since

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
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    @override
    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what the parser refused. The handler itself raises nothing."""
        response = self._refuse()
        response.force_close()
        return response


class WebhookServer(web.Server):
    """The listener. `read_timeout`: seconds for a request to come in whole."""

    def __init__(self, handle: Handle, refuse: Refuse, *, read_timeout: float) -> None:
        super().__init__(handle)
        self.refuse = refuse
        self.read_timeout = read_timeout

    @override
    def __call__(self) -> WebhookProtocol:
        return WebhookProtocol(
            self,
            loop=self._loop,
            access_log=None,
            keepalive_timeout=_KEEP_ALIVE_SECONDS,
            lingering_time=self.read_timeout,
            max_line_size=_MAX_HEADER_BYTES,
            max_field_size=_MAX_HEADER_BYTES,
            max_headers=_MAX_HEADERS,
            # A client's Content-Encoding reaches a hook that Hasura sends plain JSON to.
            auto_decompress=False,
        )

    async def part(self, within: float, monotonic: Clock) -> None:
        """Answer what still comes on open connections, each with `Connection: close`.

        Ends when all are gone, or after `within` seconds, and then closes the idle ones.
        """
        for connection in cast("list[WebhookProtocol]", self.connections):
            connection.part()
        deadline = monotonic() + within
        while self.connections and monotonic() < deadline:  # noqa: ASYNC110 - aiohttp has no event
            await asyncio.sleep(0.05)
        await self.shutdown(timeout=1.0)


async def listen(
    server: web.Server, host: str, port: int, tls: ssl.SSLContext | None = None
) -> asyncio.Server:
    """Bind and begin to accept; `port` 0 takes a free one. Raises OSError."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(server, host, port, ssl=tls, backlog=1024)
