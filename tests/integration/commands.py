"""Runs `hasura-kc-auth keycloak …` as a process of its own, logged in as the server's admin."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keycloak_server import Bootstrap

FILE, SETTINGS = "orgs.yaml", "settings.yaml"


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Commands:
    """The commands in one folder, where the file of orgs and the settings are."""

    def __init__(self, folder: Path, bootstrap: Bootstrap) -> None:
        self.folder = folder
        self._login = {"KEYCLOAK_USER": bootstrap.username, "KEYCLOAK_PASSWORD": bootstrap.password}

    def write(self, orgs: str, settings: str) -> None:
        (self.folder / FILE).write_text(orgs)
        (self.folder / SETTINGS).write_text(settings)

    async def run(self, *words: str) -> Said:
        process = await self.start(*words)
        out, err = await process.communicate()
        return Said(process.returncode or 0, out.decode(), err.decode())

    async def start(self, *words: str) -> Process:
        """Start one and do not wait for it."""
        environment = {
            **os.environ,  # noqa: TID251 - the command's own are added
            **self._login,
            "HASURA_KC_AUTH__CONFIG": SETTINGS,
        }
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "hasura_kc_auth", "keycloak", *words),
            cwd=self.folder,
            env=environment,
            stdout=PIPE,
            stderr=PIPE,
        )

    async def interrupt(self, process: Process) -> Said:
        """Press Ctrl-C, and wait for its end."""
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
        return Said(process.returncode or 0, out.decode(), err.decode())
