"""The store in Redis or Valkey. Importing this needs the extra `redis`."""

from __future__ import annotations

from aiocache.backends.redis import RedisCache
from aiocache.serializers import NullSerializer
from typing_extensions import override
from yarl import URL


class SharedCache(RedisCache):  # type: ignore[misc]
    """aiocache's Redis cache at an address such as `rediss://user:password@host:6380/1`.

    Its callers bound each call, so it has no timeout of its own.
    """

    def __init__(self, url: URL) -> None:
        super().__init__(
            endpoint=url.host,
            port=url.port or 6379,  # yarl knows no default port of these schemes
            db=int(url.path.strip("/") or 0),
            password=url.password,
            ssl=url.scheme == "rediss",
            connection_pool_kwargs=_connection_options(url),
            namespace="hasura-kc-auth:introspection",
            serializer=NullSerializer(encoding=None),
            timeout=0,
        )

    @override
    async def _close(self, *args: object, **kwargs: object) -> None:
        await self.client.aclose()  # aiocache calls a name that redis has deprecated


def _connection_options(url: URL) -> dict[str, object]:
    options: dict[str, object] = {"username": url.user}
    if url.scheme == "rediss":
        options["ssl_check_hostname"] = True  # not every version of redis does so unasked
    return options
