from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from tests.cli.commands import LONG, Outcome, invoke
from tests.keycloak.realm_server import REALM, SECRET, RealmServer, realm_server

ORGS: dict[str, Any] = {
    "realm": REALM,
    "carrier": "client-scope",
    "audience": "hasura",
    "frontends": [{"client": "frontend", "redirect_uris": ["https://app.example.com/*"]}],
    "template": {"roles": {"viewer": [], "editor": []}},
    "orgs": {"acme": {"members": {"alice": ["editor"]}}, "globex": None},
}
LOGIN = {"KEYCLOAK_CLIENT_ID": "ops", "KEYCLOAK_CLIENT_SECRET": SECRET}


@dataclass
class Place:
    """A folder with a file of orgs and settings, and the server of its realm."""

    server: RealmServer
    folder: Path

    def settings(self, **issuer: Any) -> dict[str, Any]:
        name = f"{self.server.origin}/realms/{REALM}"
        usual = {"issuer": name, "clients": ["frontend"], "audiences": ["hasura"]}
        return {
            "issuers": [{**usual, **issuer}],
            "roles": {"allowed": ["editor", "viewer"]},
        }

    def write(self, orgs: dict[str, Any] | None = None, settings: Any = None) -> None:
        (self.folder / "orgs.yaml").write_text(yaml.safe_dump(orgs or ORGS))
        (self.folder / "settings.yaml").write_text(yaml.safe_dump(settings or self.settings()))

    def run(self, command: str, *words: str, given: str = "", **variables: str) -> Outcome:
        """Run a command on the file; by its variables the account is let in."""
        config = ("--config", str(self.folder / "settings.yaml"))
        return invoke(
            "keycloak", command, *words, *config, given=given, variables={**LOGIN, **variables}
        )

    def plan(self, *words: str) -> Outcome:
        return self.run("plan", str(self.folder / "orgs.yaml"), *words)

    def apply(self, *words: str, **more: str) -> Outcome:
        return self.run("apply", str(self.folder / "orgs.yaml"), *words, **more)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Give an empty realm that has the user alice; the server is on a loop of its own."""
    loop, stack = asyncio.new_event_loop(), AsyncExitStack()
    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def do(what: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(what, loop).result(LONG)

    server = do(stack.enter_async_context(realm_server()))
    server.add_user("alice")
    place = Place(server, tmp_path)
    place.write()
    yield place
    do(stack.aclose())
    loop.call_soon_threadsafe(loop.stop)
    thread.join(LONG)
    loop.close()
