"""Keycloak's admin REST API, as far as the tests need it."""

import asyncio
from types import TracebackType
from typing import Any, Self

import aiohttp

Json = Any
Representation = dict[str, Any]

# A token is replaced this many seconds early, so that it never expires on its way.
EARLY = 10.0


class AdminError(Exception):
    """Keycloak refused an admin call."""

    def __init__(self, method: str, path: str, status: int, answer: str) -> None:
        super().__init__(f"{method} {path}: {status} {answer[:500]}")
        self.status = status


class Admin:
    """A session of the bootstrap admin; logs in again when its token runs out."""

    def __init__(self, url: str, username: str, password: str) -> None:
        self.url = url
        self.http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30))
        self._username = username
        self._password = password
        self._token = ""
        self._token_ends = 0.0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.http.close()

    async def get(self, path: str, **params: str) -> Json:
        return (await self._call("GET", path, params=params))[0]

    async def post(self, path: str, body: Json = None) -> str:
        """Return the id of what was made, or "" where Keycloak tells none."""
        return (await self._call("POST", path, body=body))[1].rpartition("/")[2]

    async def put(self, path: str, body: Json = None) -> None:
        await self._call("PUT", path, body=body)

    async def delete(self, path: str, body: Json = None) -> None:
        await self._call("DELETE", path, body=body)

    async def change(self, path: str, **changes: Any) -> None:
        """Read, change and write back; attributes are merged, everything else is replaced."""
        found: Representation = await self.get(path)
        attributes = {**found.get("attributes", {}), **changes.pop("attributes", {})}
        await self.put(path, {**found, **changes, "attributes": attributes})

    async def _call(
        self,
        method: str,
        path: str,
        *,
        body: Json = None,
        params: dict[str, str] | None = None,
    ) -> tuple[Json, str]:
        headers = {"Authorization": f"Bearer {await self._fresh_token()}"}
        url = f"{self.url}/admin/realms{path}"
        async with self.http.request(
            method, url, json=body, params=params, headers=headers
        ) as response:
            text = await response.text()
            if response.status >= 400:
                raise AdminError(method, path, response.status, text)
            answer = await response.json() if response.content_type.endswith("json") else text
            return answer, response.headers.get("Location", "")

    async def _fresh_token(self) -> str:
        now = asyncio.get_running_loop().time()
        if now >= self._token_ends:
            answer = await self._login()
            self._token = answer["access_token"]
            self._token_ends = now + answer["expires_in"] - EARLY
        return self._token

    async def _login(self) -> Representation:
        form = {
            "grant_type": "password",
            "client_id": "admin-cli",
            "username": self._username,
            "password": self._password,
        }
        path = "/realms/master/protocol/openid-connect/token"
        async with self.http.post(self.url + path, data=form) as response:
            if response.status != 200:
                raise AdminError("POST", path, response.status, await response.text())
            answer: Representation = await response.json()
            return answer
