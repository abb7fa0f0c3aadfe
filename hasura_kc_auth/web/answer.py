"""One short answer in JSON, sent in one piece.

`web.Response` puts its headers together anew for each request, which costs more than the whole
decision about a repeated token. Here only the length and the connection's fate differ from one
answer to the next. It uses of aiohttp what a response of one's own may: `prepare`, `write_eof`, and
the request's `writer`, which passes on as they are the bytes of whoever gave it no headers.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

from aiohttp import HttpVersion10, HttpVersion11, hdrs, web
from aiohttp.abc import AbstractStreamWriter
from typing_extensions import override

HEADERS: Mapping[str, str] = {
    hdrs.CONTENT_TYPE: "application/json",
    hdrs.CACHE_CONTROL: "no-store",
    hdrs.SERVER: "hasura-kc-auth",
}
"""What every answer of the webhook says, whoever writes it."""


class Answer(web.StreamResponse):
    """An answer to GET or POST. `now`: seconds since the epoch, for its Date."""

    def __init__(self, status: int, content: bytes, now: float) -> None:
        super().__init__(status=status)
        self._content = content
        self._second = int(now)
        self._stays_open = True
        self._version = HttpVersion11

    @property
    @override
    def keep_alive(self) -> bool:
        return self._stays_open

    @override
    def force_close(self) -> None:
        self._stays_open = False

    @override
    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        """Fit the answer to its request. Nothing is sent yet."""
        self._stays_open = self._stays_open and request.keep_alive
        self._version = request.version
        self._writer = request.writer
        return self._writer

    @override
    async def write_eof(self, data: bytes = b"") -> None:
        await self._writer.write_eof(
            b"HTTP/%d.%d %bContent-Length: %d\r\n%b\r\n%b"
            % (
                *self._version,
                _status_and_headers(self.status, self._second),
                len(self._content),
                self._connection_header(),
                self._content,
            )
        )

    def _connection_header(self) -> bytes:
        """Say what HTTP's version does not say by itself (RFC 9112, sections 9.3 and 9.6)."""
        if self._stays_open:
            return b"Connection: keep-alive\r\n" if self._version == HttpVersion10 else b""
        return b"Connection: close\r\n" if self._version == HttpVersion11 else b""


# A few statuses, and the second that has just ended may still be asked for.
@lru_cache(maxsize=16)
def _status_and_headers(status: int, second: int) -> bytes:
    headers = {**HEADERS, hdrs.DATE: formatdate(second, usegmt=True)}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{status} {HTTPStatus(status).phrase}\r\n{lines}".encode("ascii")
