"""The store in Redis or Valkey. Importing this needs the extra `redis`."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from threading import Thread
from typing import Any

from aiocache.backends.redis import RedisCache
from aiocache.serializers import NullSerializer
from redis.asyncio import Connection, SSLConnection
from typing_extensions import override
from yarl import URL

Resolve = Callable[[str], Sequence[str]]
"""Host name -> its addresses, best first. It blocks, for however long. Raises OSError."""


def resolve_host(name: str) -> Sequence[str]:
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class SharedCache(RedisCache):  # type: ignore[misc]
    """aiocache's Redis cache at an address such as `rediss://user:password@host:6380/1`.

    Its callers bound each call, so it has no timeout of its own.
    """

    def __init__(self, url: URL, resolve: Resolve = resolve_host) -> None:
        super().__init__(
            endpoint=url.host,
            port=url.port or 6379,  # yarl knows no default port of these schemes
            db=int(url.path.strip("/") or 0),
            password=url.password,
            connection_pool_kwargs=_connection_options(url) | {"names": NameLookUp(resolve)},
            namespace="hasura-kc-auth:introspection",
            serializer=NullSerializer(encoding=None),
            timeout=0,
        )

    @override
    async def _close(self, *args: object, **kwargs: object) -> None:
        await self.client.aclose()  # aiocache calls a name that redis has deprecated


def _connection_options(url: URL) -> dict[str, object]:
    options: dict[str, object] = {"username": url.user, "connection_class": _Connection}
    if url.scheme == "rediss":
        options["connection_class"] = _TlsConnection
        options["ssl_check_hostname"] = True  # not every version of redis does so unasked
    return options


class NameLookUp:
    """Looks a name up in a thread of its own, and never in two at once.

    A look-up that hangs keeps its thread, whoever stops waiting for it. The event loop has few
    threads for look-ups: in these, a store's name would take Keycloak's way with it.
    """

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._running: Future[Sequence[str]] | None = None

    async def addresses(self, name: str) -> Sequence[str]:
        """Return the addresses, best first; together with whoever waits for them already."""
        if self._running is None or self._running.done():
            self._running = Future()
            self._running.set_running_or_notify_cancel()  # from now on nobody's leaving ends it
            # A daemon: no end of the process waits for it.
            Thread(target=self._settle, args=(self._running, name), daemon=True).start()
        return await asyncio.wrap_future(self._running)

    def _settle(self, future: Future[Sequence[str]], name: str) -> None:
        try:
            future.set_result(self._resolve(name))
        except BaseException as error:  # noqa: BLE001 - it is for those who wait
            future.set_exception(error)


class _Connection(Connection):
    """Connects to one of the addresses that `names` finds for the host."""

    def __init__(self, *, names: NameLookUp, **options: Any) -> None:  # noqa: ANN401 - redis's
        super().__init__(**options)
        self._names = names
        self._address = ""

    @override
    async def _connect(self) -> None:
        failure: OSError = OSError("the name has no address")
        for address in await self._names.addresses(self.host):
            self._address = address
            try:
                await super()._connect()  # type: ignore[no-untyped-call]
            except OSError as error:
                failure = error
            else:
                return
        raise failure

    @override
    def _connection_arguments(self) -> Mapping[str, Any]:
        return {**super()._connection_arguments(), "host": self._address}


class _TlsConnection(_Connection, SSLConnection):
    """The certificate must be for the host's name, whatever its address is."""

    @override
    def _connection_arguments(self) -> Mapping[str, Any]:
        return {**super()._connection_arguments(), "server_hostname": self.host}
