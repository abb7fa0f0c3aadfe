"""The store in this process, for answers that no other replica need know."""

from __future__ import annotations

from typing import Any

from aiocache import SimpleMemoryCache
from typing_extensions import override


class BoundedMemoryCache(SimpleMemoryCache):  # type: ignore[misc]
    """aiocache's memory cache, which has no bound of its own: the oldest entry leaves first."""

    def __init__(self, entries: int) -> None:
        super().__init__(timeout=0)  # its own timeout costs more than the look-up
        self._entries = entries

    @override
    async def _set(self, key: str, value: Any, *args: Any, **kwargs: Any) -> Any:
        while len(self._cache) >= self._entries and key not in self._cache:
            await self._delete(next(iter(self._cache)))
        return await super()._set(key, value, *args, **kwargs)
