"""A development issuer and a service behind it, on an event loop of their own.

The commands run event loops themselves, so what they talk to lives in another thread. The clock is
the system's: the commands read no other.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Coroutine
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

import yaml

from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.devtools.issuer import DevIssuer, Fault
from hasura_kc_auth.devtools.tokens import AUDIENCE, FRONTEND
from hasura_kc_auth.wiring import SYSTEM_CLOCKS, Service
from tests.cli.commands import LONG, until

Result = TypeVar("Result")

# A claim that is configured as a variable, for texts that do not belong into a terminal.
VARIABLES = {"X-Hasura-Name": "name"}


def now() -> int:
    return int(time.time())  # noqa: TID251 - tokens for commands that read the system's clock


class Realm:
    """The issuer, tokens of it, and the webhook's own answers for them."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.issuer = self._do(_started())
        self._nowhere = open(os.devnull, "wb", buffering=0)  # noqa: PTH123, SIM115 - until `stop`
        settings = Settings.model_validate(
            self.settings(webhook={"port": 0}, management={"port": 0})
        )
        self._service = Service(settings, self._nowhere)
        self._do(self._service.start())
        until(lambda: self.issuer.fetches["certs"] > 0)  # or it would count in the first test

    def stop(self) -> None:
        self._do(self._service.stop(drain=0.0))
        self._do(self.issuer.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(LONG)
        self._loop.close()
        self._nowhere.close()

    def calm(self) -> None:
        self.issuer.fault = Fault.NONE
        self.issuer.fetches.clear()

    def _do(self, what: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(LONG)

    @property
    def webhook_port(self) -> int:
        return int(self._service.webhook_url.rpartition(":")[2].rstrip("/"))

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Return good settings for this issuer, with these sections instead."""
        return {
            "issuers": [
                {"issuer": self.issuer.issuer, "clients": [FRONTEND], "audiences": [AUDIENCE]}
            ],
            "roles": {"allowed": ["org_admin", "editor", "viewer"], "map": {"admin": "org_admin"}},
            "session": {"variables": VARIABLES},
            "keys": {"timeout": "1s", "cooldown": "1s"},
            **changes,
        }

    def token(self, user: str = "alice", scope: str = "openid acme") -> str:
        return self.issuer.login(user, scope).access

    def made(self, **changes: Any) -> str:
        """Return alice's token for acme with some claims changed; None leaves a claim out."""
        alice = self.issuer.users["alice"]
        claims = self.issuer.maker.access_claims(alice, ["acme"], "openid profile acme email")
        changed = {**claims, **changes}
        return self.issuer.keys.sign({k: it for k, it in changed.items() if it is not None})


async def _started() -> DevIssuer:
    issuer = DevIssuer(SYSTEM_CLOCKS.wall, slow_seconds=3.0)
    await issuer.start()
    return issuer


def written(file: Path, settings: dict[str, Any]) -> str:
    """Write settings to a file and return its name."""
    file.write_text(yaml.safe_dump(settings, sort_keys=False), "utf-8")
    return str(file)
