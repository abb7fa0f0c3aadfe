"""The admin REST API of one realm: a few calls at a time, tried again where that may help."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import SystemRandom
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import unquote

from hasura_kc_auth.core.strict_json import Json, decode_value
from hasura_kc_auth.keycloak.admin.answers import an_object, last_segment
from hasura_kc_auth.keycloak.admin.errors import (
    BUSY,
    AdminFailed,
    Conflict,
    ExtraMissing,
    Forbidden,
    LoginRefused,
    NotFound,
    OddAnswer,
    Stumbled,
    Unreachable,
    call_name,
    forbidden,
)

if TYPE_CHECKING:
    from httpx import Response

    from hasura_kc_auth.keycloak.admin.connection import Connection

__all__ = [
    "Admin",
    "AdminFailed",
    "Conflict",
    "Forbidden",
    "Login",
    "LoginRefused",
    "NotFound",
    "OddAnswer",
    "Unreachable",
]

AT_ONCE = 8
"""Calls on their way at the same time."""
_PAUSES = (0.5, 1.0, 2.0, 4.0)
"""Seconds between five attempts; half of each is jitter."""
_MAX_WORDS = 200
_WORDS = ("errorMessage", "error_description", "error")
_RANDOM = SystemRandom().random
_ADMIN_CLIENT = "admin-cli"
_MASTER = "master"


@dataclass(frozen=True, slots=True)
class Login:
    """A service account (`client_id`, `client_secret`), or an admin by `username` and `password`.

    `realm`: where the account is; "" for a client is the realm itself, for an admin `master`.
    """

    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    username: str = ""
    password: str = field(default="", repr=False)
    realm: str = ""


class Admin:
    """Asks one realm, with paths below it such as `clients`. To be used as a context manager.

    `server`: Keycloak's address with its relative path; `realm`: as it stands in the issuer's URL;
    `ca_file`: authorities to trust in the place of the system's. `sleep` (seconds) and `random`
    (0 to 1) are for the pauses between attempts.

    Every call raises AdminFailed: Forbidden names the role that the account lacks, NotFound is 404,
    Conflict 409, Unreachable comes after the last of five attempts, LoginRefused at once.
    """

    def __init__(  # noqa: PLR0913 - what tests inject besides
        self,
        server: str,
        realm: str,
        login: Login,
        *,
        ca_file: Path | None = None,
        at_once: int = AT_ONCE,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        random: Callable[[], float] = _RANDOM,
    ) -> None:
        self.realm = unquote(realm)
        self.at_once = at_once
        self.calls = 0
        self._place = f"admin/realms/{realm}"
        self._secrets = tuple(filter(None, (login.client_secret, login.password)))
        self._connection = _connect(server, realm, login, ca_file)
        self._free = asyncio.Semaphore(at_once)
        self._sleep = sleep
        self._random = random

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._connection.close()

    async def get(self, path: str, **query: str) -> Json:
        """Return the JSON there."""
        response = await self._call("GET", path, None, query)
        try:
            return decode_value(response.content.decode("utf-8"))
        except ValueError:
            raise OddAnswer(call_name("GET", path)) from None

    async def post(self, path: str, body: Json) -> str:
        """Make something; return its id, "" where Keycloak tells none.

        Conflict can mean that it was made: by an attempt whose answer was lost.
        """
        response = await self._call("POST", path, body, {})
        return last_segment(response.headers.get("Location", ""))

    async def put(self, path: str, body: Json = None) -> None:
        """Replace what is there."""
        await self._call("PUT", path, body, {})

    async def delete(self, path: str, body: Json = None) -> None:
        """Remove it; NotFound can mean that an attempt before did so."""
        await self._call("DELETE", path, body, {})

    async def _call(self, method: str, path: str, body: Json, query: Mapping[str, str]) -> Response:
        content = None if body is None else json.dumps(body)
        pauses = iter(_PAUSES)
        while True:
            try:
                return self._good(method, path, await self._attempt(method, path, content, query))
            except Unreachable as error:
                pause = next(pauses, None) if error.may_pass else None
                if pause is None:
                    raise type(error)(f"{call_name(method, path)}: {error}") from None
            await self._sleep(pause * (1 + self._random()) / 2)

    async def _attempt(
        self, method: str, path: str, content: str | None, query: Mapping[str, str]
    ) -> Response:
        async with self._free:
            self.calls += 1
            place = f"{self._place}/{path}".removesuffix("/")
            return await self._connection.attempt(method, place, content, query)

    def _good(self, method: str, path: str, response: Response) -> Response:
        """Return an answer that says yes. Raises AdminFailed for all others."""
        if response.is_success:
            return response
        status, call = response.status_code, call_name(method, path)
        if status == 500:  # noqa: PLR2004 - two writers met in the database, or it never will work
            raise Stumbled("Keycloak answered 500")
        if status in BUSY:
            raise Unreachable(f"Keycloak answered {status}")
        words = self._words(response)
        match status:
            case 401:
                detail = f"{call}: Keycloak does not take the account's token; is it of this realm?"
                raise LoginRefused(detail)
            case 403:
                raise forbidden(method, path)
            case 404:
                raise NotFound(f"{call}: there is none (404){words}")
            case 409:
                raise Conflict(f"{call}: there is one already (409){words}")
            case _:
                raise AdminFailed(f"{call}: Keycloak answered {status}{words}")

    def _words(self, response: Response) -> str:
        """Return what Keycloak says about it, if that is short, plain, and holds no secret."""
        try:
            answer = an_object(decode_value(response.content.decode("utf-8")))
        except (ValueError, OddAnswer):
            return ""
        words = next((answer[it] for it in _WORDS if it in answer), None)
        if not isinstance(words, str) or len(words) > _MAX_WORDS or not words.isprintable():
            return ""
        token = str((self._connection.token or {}).get("access_token"))
        return "" if any(it in words for it in (*self._secrets, token)) else f": {words}"


def _connect(server: str, realm: str, login: Login, ca_file: Path | None) -> Connection:
    try:
        from hasura_kc_auth.keycloak.admin.connection import Account, Connection  # noqa: PLC0415 - extra
    except ModuleNotFoundError:
        detail = "python-keycloak is not installed: pip install 'hasura-kc-auth[keycloak]'"
        raise ExtraMissing(detail) from None
    account = Account(
        realm=login.realm or (_MASTER if login.username else realm),
        client_id=login.client_id or _ADMIN_CLIENT,
        client_secret=login.client_secret,
        username=login.username,
        password=login.password,
    )
    tls = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    return Connection(server, account, tls)
