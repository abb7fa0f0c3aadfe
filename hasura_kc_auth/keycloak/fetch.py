"""One guarded HTTP GET: no redirects, bounded in size, a JSON object or an error."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager
from enum import StrEnum

import aiohttp

from hasura_kc_auth.core.strict_json import Json, decode_foreign_object

# A realm's key set has about 4 KB, its discovery 6 KB, or 20 KB with a thousand client scopes.
MAX_DOCUMENT_BYTES = 256 * 1024


class FetchResult(StrEnum):
    """How a fetch ended: the closed set of the metric's label."""

    OK = "ok"
    TIMEOUT = "timeout"
    CONNECT = "connect"
    STATUS = "status"
    INVALID = "invalid"


class FetchFailed(Exception):
    """The document could not be had. `detail` is a constant sentence, with nothing of an answer."""

    def __init__(self, result: FetchResult, detail: str) -> None:
        super().__init__(detail)
        self.result = result
        self.detail = detail


def client_session(
    tls: ssl.SSLContext | None, *, keep_alive: bool = False
) -> aiohttp.ClientSession:
    """Open the client for one issuer. `tls`: trust another authority than the system's.

    No cookies, no proxy from the environment, a new connection each time: a fetch comes every few
    minutes, and a connection kept that long may end at an address that Keycloak has left.
    `keep_alive`: for calls that follow each other closely.
    """
    connector = aiohttp.TCPConnector(
        ssl=tls if tls is not None else True, force_close=not keep_alive, use_dns_cache=False
    )
    session = aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        headers={"Accept": "application/json"},
        # The caller bounds the whole refresh; a bound of its own here would only race with that.
        timeout=aiohttp.ClientTimeout(total=None),
    )
    # One attempt is one request, whatever breaks: there is no public switch for that.
    session._retry_connection = False  # noqa: SLF001
    return session


async def fetch_json(session: aiohttp.ClientSession, url: str) -> dict[str, Json]:
    """GET a JSON object. Raises FetchFailed, and TimeoutError by the caller's bound only."""
    _, document = await ask_json(session.get(url, allow_redirects=False))
    return document


Asked = AbstractAsyncContextManager[aiohttp.ClientResponse]


async def ask_json(
    asked: Asked,
    statuses: Collection[int] = (200,),
    read: Callable[[bytes], dict[str, Json]] = decode_foreign_object,
) -> tuple[int, dict[str, Json]]:
    """Return the status and the JSON object of an answer with one of `statuses`.

    `read`: makes the object of the body, or raises ValueError.
    Raises FetchFailed, and TimeoutError by the caller's bound only.
    """
    try:
        async with asked as response:
            if response.status not in statuses:
                raise FetchFailed(FetchResult.STATUS, "the answer's status is not 200")
            return response.status, read(await read_bounded(response.content))
    except aiohttp.ClientSSLError as error:
        raise FetchFailed(FetchResult.CONNECT, "the server's certificate is not trusted") from error
    except aiohttp.ClientConnectionError as error:
        raise FetchFailed(FetchResult.CONNECT, "no connection to the address") from error
    except aiohttp.InvalidURL as error:
        raise FetchFailed(FetchResult.INVALID, "the address is no URL") from error
    except ValueError as error:
        raise FetchFailed(FetchResult.INVALID, "the answer is not a JSON object") from error
    except aiohttp.ClientError as error:
        raise FetchFailed(FetchResult.INVALID, "the answer is not proper HTTP") from error


async def read_bounded(content: aiohttp.StreamReader, limit: int = MAX_DOCUMENT_BYTES) -> bytes:
    """Read the body, unpacked; more than the limit is refused unread. Raises FetchFailed."""
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > limit:
            detail = f"the answer is larger than {limit // 1024} KiB"
            raise FetchFailed(FetchResult.INVALID, detail)
    return bytes(body)
