"""The fixtures that all tests share: time moved by hand, the development issuer, the service.

    async def test_a_member_gets_in(service, issuer):
        token = issuer.login("bob", "openid acme").access
        answer = await service.ask({"Authorization": f"Bearer {token}"})
        assert (answer.status, answer.json["X-Hasura-Role"]) == (200, "viewer")

Everything is real, over HTTP on loopback, but the clock: nothing expires unless a test says so.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from io import RawIOBase
from itertools import count
from threading import Condition
from typing import Any

import aiohttp
import pytest
from typing_extensions import override

from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.devtools.issuer import DevIssuer
from hasura_kc_auth.devtools.tokens import AUDIENCE, FRONTEND
from hasura_kc_auth.ports import Clocks
from hasura_kc_auth.telemetry.tracing import NO_TRACING, Tracing
from hasura_kc_auth.wiring import Service
from tests.made_tokens import NOW

LONG = 30.0
"""Seconds: how long a test waits for what should come at once, before it fails."""


@dataclass
class FakeClock:
    """Both clocks of the service. Time passes when a test says so."""

    wall_now: float = NOW
    monotonic_now: float = 1000.0

    def wall(self) -> float:
        return self.wall_now

    def monotonic(self) -> float:
        return self.monotonic_now

    @property
    def clocks(self) -> Clocks:
        return Clocks(self.wall, self.monotonic)

    def advance(self, seconds: float) -> None:
        """Let time pass: both clocks move."""
        self.wall_now += seconds
        self.monotonic_now += seconds

    def jump(self, seconds: float) -> None:
        """Set the wall clock to another time, as NTP or an operator does: no time passes."""
        self.wall_now += seconds


class Output(RawIOBase):
    """Where a service's log lines go."""

    def __init__(self) -> None:
        self.written = bytearray()
        self._grown = Condition()

    @override
    def writable(self) -> bool:
        return True

    @override
    def write(self, data: Any) -> int:
        with self._grown:
            self.written += data
            self._grown.notify_all()
        return len(data)

    def wait_for(self, text: bytes) -> None:
        """Block until the log holds this text."""
        with self._grown:
            assert self._grown.wait_for(lambda: text in self.written, LONG)


@dataclass(frozen=True)
class Answer:
    """One answer of the service over HTTP."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of a refusal; empty for a session."""
        code: str = self.json.get("code", "")
        return code


@dataclass
class RunningService:
    """A started service, and what it takes to talk to it and to look at it."""

    service: Service
    output: Output
    http: aiohttp.ClientSession
    _markers: Any = field(default_factory=count)

    @property
    def webhook_url(self) -> str:
        return self.service.webhook_url

    @property
    def management_url(self) -> str:
        return self.service.management_url

    async def ask(self, headers: Any = (), *, mode: str = "GET") -> Answer:
        """Ask as Hasura does for a client with these headers (a mapping or pairs)."""
        if mode == "GET":
            return await self.fetch(self.webhook_url, headers=headers)
        return await self.post(json.dumps({"headers": dict(headers), "request": None}).encode())

    async def post(self, body: bytes, **options: Any) -> Answer:
        """Send this body to the webhook."""
        return await self.fetch(self.webhook_url, "POST", data=body, **options)

    async def manage(self, path: str) -> Answer:
        """Ask the management listener."""
        return await self.fetch(self.management_url + path)

    async def fetch(self, url: str, method: str = "GET", **options: Any) -> Answer:
        async with self.http.request(method, url, allow_redirects=False, **options) as response:
            return Answer(response.status, response.headers.copy(), await response.read())

    async def log_text(self) -> str:
        """Return everything logged so far, but for the lines of this method's own."""
        marker = f"log-marker-{next(self._markers)}."
        self.service.log.error(marker)
        await asyncio.to_thread(self.output.wait_for, marker.encode())
        lines = self.output.written.decode().splitlines(keepends=True)
        return "".join(line for line in lines if "log-marker-" not in line)

    async def log_lines(self) -> list[dict[str, Any]]:
        """Return the events logged so far."""
        return [json.loads(line) for line in (await self.log_text()).splitlines()]

    async def events(self, name: str) -> list[dict[str, Any]]:
        """Return the logged events of this name."""
        return [line for line in await self.log_lines() if line["event"] == name]


StartsService = Callable[..., Awaitable[RunningService]]


def settings_for(*issuers: str, **changes: Any) -> Settings:
    """Return a team's settings for these issuers, with these sections merged in."""
    tree: dict[str, Any] = {
        "issuers": [
            {"issuer": issuer, "clients": [FRONTEND], "audiences": [AUDIENCE]} for issuer in issuers
        ],
        "roles": {"allowed": ["org_admin", "editor", "viewer"], "map": {"admin": "org_admin"}},
        "webhook": {"port": 0},
        "management": {"port": 0},
    }
    for name, change in changes.items():
        merge = isinstance(change, dict) and name in tree
        tree[name] = tree[name] | change if merge else change
    return Settings.model_validate(tree, context={"insecure_transport": False})


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@cache
def _fresh_issuer() -> DevIssuer:
    """Return an issuer to be copied: making its keys takes longer than most tests."""
    return DevIssuer(FakeClock().wall)


@pytest.fixture
async def issuer(clock: FakeClock) -> AsyncIterator[DevIssuer]:
    """Give a started development issuer: users alice, bob, carol, dave; orgs acme, globex."""
    issuer = deepcopy(_fresh_issuer())
    issuer._clock = clock.wall  # noqa: SLF001 - it takes a clock only when it is made
    await issuer.start()
    yield issuer
    await issuer.stop()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """Give an HTTP client that keeps no cookies."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


@pytest.fixture
async def start_service(
    clock: FakeClock, http: aiohttp.ClientSession
) -> AsyncIterator[StartsService]:
    """Give what starts a service for the issuers at these addresses, and stops it in the end.

    It takes sections of the settings as `settings_for` does, or `settings` as a whole:
    `running = await start_service(issuer.issuer, cache={"entries": 0})`.
    """
    started: list[RunningService] = []

    async def start(
        *issuers: str,
        settings: Settings | None = None,
        tracing: Tracing = NO_TRACING,
        **changes: Any,
    ) -> Any:
        output = Output()
        settings = settings or settings_for(*issuers, **changes)
        service = Service(settings, output, clock.clocks, tracing)
        await service.start()
        running = RunningService(service, output, http)
        started.append(running)
        return running

    yield start
    await http.close()  # so that no idle connection of ours is waited for
    for running in started:
        await running.service.stop(drain=0.0)


@pytest.fixture
async def service(issuer: DevIssuer, start_service: StartsService) -> RunningService:
    """Give a started service in front of `issuer`, with its defaults, on free loopback ports."""
    return await start_service(issuer.issuer)
