"""The running service, and questions put to it as Hasura puts them: in both of its modes."""

import base64
import io
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import aiohttp
from login import unverified
from realm import Realm

from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.ports import Clocks
from hasura_kc_auth.wiring import SYSTEM_CLOCKS, Service

TIMEOUT = aiohttp.ClientTimeout(total=15)
# How every JWT begins: a line with it holds a part of a token.
JWT_BEGINS = b"eyJ"

# What a browser's request has besides, in a GET as headers and in a POST within the body.
ORDINARY_HEADERS = {
    "Content-Type": "application/json",
    "X-Request-Id": "0f8fad5b-d9cb-469f-a165-70867728950e",
    "X-Forwarded-For": "192.0.2.1",
    "Cookie": "theme=dark",
}


@dataclass(frozen=True)
class Answer:
    """One answer; `max_age` is taken out of the body and not compared, since it runs down."""

    status: int
    body: Mapping[str, Any]
    max_age: int | None = field(default=None, compare=False)


async def ask(service: Service, token: str | None, **wishes: str) -> Answer:
    """Ask as Hasura does, by GET and by POST: both must say the same.

    A wish is what the client's header says: `org_id="org1"` is sent as X-Hasura-Org-Id.
    """
    headers = {f"X-Hasura-{name.replace('_', '-').title()}": it for name, it in wishes.items()}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    headers |= ORDINARY_HEADERS
    body = {"headers": {**headers, "Host": "hasura.example.test"}, "request": None}
    async with aiohttp.ClientSession(timeout=TIMEOUT) as http:
        got = await _read(http.get(service.webhook_url, headers=headers))
        posted = await _read(http.post(service.webhook_url, json=body))
    assert got == posted
    assert (got.max_age is None) == (posted.max_age is None)
    return got


async def _read(call: Any) -> Answer:
    async with call as response:
        assert response.headers["Cache-Control"] == "no-store"
        body = await response.json()
    written = body.pop("Cache-Control", None)
    max_age = None if written is None else int(written.removeprefix("max-age="))
    assert max_age is None or max_age >= 1
    return Answer(response.status, body, max_age)


def forged(token: str, part: int, **changes: Any) -> str:
    """Change the header (part 0) or the claims (part 1) of a token and keep its signature."""
    segments = token.split(".")
    changed = json.dumps({**unverified(token, part), **changes}).encode()
    segments[part] = base64.urlsafe_b64encode(changed).rstrip(b"=").decode()
    return ".".join(segments)


def denied(code: str, status: int = 401) -> Answer:
    return Answer(status, {"code": code})


def granted(realm: Realm, user: str, org: str, *roles: str, role: str = "") -> Answer:
    """Return the whole answer for one of the realm's users: nothing less, nothing more.

    `roles` as X-Hasura-Allowed-Roles lists them; `role` where it is not the first.
    """
    return Answer(
        200,
        {
            "X-Hasura-Org-Id": org,
            "X-Hasura-Role": role or roles[0],
            "X-Hasura-Allowed-Roles": f"{{{','.join(roles)}}}",
            "X-Hasura-User-Id": realm.users[user],
            "X-Hasura-Email": f"{user}@example.test",
        },
    )


def settings_for(
    realm: Realm,
    *more: Realm,
    issuer: Mapping[str, Any] | None = None,
    each: Sequence[Mapping[str, Any]] = (),
    **sections: Any,
) -> Settings:
    """Return settings as a team would write them.

    `issuer` changes those of all issuers, `each` those of one after the other.
    """
    usual = {"clients": ["frontend"], "audiences": ["hasura"]}
    return Settings.model_validate(
        {
            "issuers": [
                {
                    "issuer": it.issuer,
                    **usual,
                    **(issuer or {}),
                    **({"namespace": it.name} if more else {}),
                    **own,
                }
                for it, own in zip_longest((realm, *more), each, fillvalue={})
            ],
            "roles": {
                "allowed": ["org_admin", "owner", "editor", "viewer"],
                "map": {"admin": "org_admin"},
            },
            "session": {"variables": {"X-Hasura-Email": "email"}},
            "webhook": {"port": 0},
            "management": {"port": 0},
            **sections,
        }
    )


@asynccontextmanager
async def running(settings: Settings, clocks: Clocks = SYSTEM_CLOCKS) -> AsyncIterator[Service]:
    """Run the service; whatever it was asked, no part of a token may be in its log."""
    log = _Log()
    service = Service(settings, log, clocks)
    await service.start()
    try:
        yield service
    finally:
        await service.stop(drain=0.0)
    assert b'"stopped"' in log.written
    assert JWT_BEGINS not in log.written


class _Log(io.RawIOBase):
    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, line: Any) -> int:
        self.written += line
        return len(line)


class SkippedTime:
    """The real clocks, moved ahead instead of waiting. In seconds, each for itself."""

    def __init__(self) -> None:
        self.wall = 0.0
        self.monotonic = 0.0

    @property
    def clocks(self) -> Clocks:
        return Clocks(
            wall=lambda: SYSTEM_CLOCKS.wall() + self.wall,
            monotonic=lambda: SYSTEM_CLOCKS.monotonic() + self.monotonic,
        )


async def health(service: Service, page: str = "readyz") -> tuple[int, dict[str, Any]]:
    async with (
        aiohttp.ClientSession(timeout=TIMEOUT) as http,
        http.get(f"{service.management_url}/{page}") as response,
    ):
        return response.status, await response.json()
