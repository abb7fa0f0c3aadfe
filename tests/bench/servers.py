"""The servers that are measured, as processes on a core of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import NamedTuple

from hasura_kc_auth.devtools.issuer import DevIssuer
from hasura_kc_auth.devtools.tokens import AUDIENCE, FRONTEND
from tests.bench import cores

_SERVER_CPU = cores.SERVER
_OF_A_SINGLE_ISSUER = ("ISSUER", "CLIENTS", "AUDIENCES")


class Server(NamedTuple):
    """`management`: the base URL of the service's other listener; empty for the floor."""

    port: int
    pid: int
    management: str = ""


@contextmanager
def floor(answer_length: int) -> Iterator[Server]:
    """Start bare aiohttp."""
    with _started([sys.executable, "-m", "tests.bench.floor", str(answer_length)], {}) as process:
        yield Server(int(_first_line(process)), process.pid)


@contextmanager
def service(issuer: DevIssuer, **settings: str) -> Iterator[Server]:
    """Start the service for this issuer; `settings`: variables without their prefix."""
    variables = service_variables(issuer.issuer, **settings)
    with _started([sys.executable, "-m", "hasura_kc_auth", "serve"], variables) as process:
        said = json.loads(_first_line(process))
        port = int(said["webhook"].rpartition(":")[2].rstrip("/"))
        # A full pipe would drop its log lines, and the writing of them is measured as well.
        assert process.stdout is not None
        Thread(target=process.stdout.read, daemon=True).start()
        yield Server(port, process.pid, said["management"])


def service_variables(issuer: str, **settings: str) -> dict[str, str]:
    """Return the environment of a service for this issuer, on free ports.

    `settings`: variables without their prefix, as `CACHE__ENTRIES="0"`. With `ISSUERS` among them
    it is for those alone.
    """
    variables = {
        "ISSUER": issuer,
        "CLIENTS": FRONTEND,
        "AUDIENCES": AUDIENCE,
        "ROLES__ALLOWED": "editor,viewer",
        "WEBHOOK__PORT": "0",
        "MANAGEMENT__PORT": "0",
        **settings,
    }
    if "ISSUERS" in settings:
        variables = {it: text for it, text in variables.items() if it not in _OF_A_SINGLE_ISSUER}
    return {f"HASURA_KC_AUTH__{name}": text for name, text in variables.items()}


@contextmanager
def _started(command: list[str], variables: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(  # noqa: S603 - our own commands
        command,
        env={**os.environ, **variables},  # noqa: TID251 - passed on to the servers
        stdout=subprocess.PIPE,
        preexec_fn=lambda: os.sched_setaffinity(0, {_SERVER_CPU}),  # noqa: PLW1509
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def _first_line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    return process.stdout.readline()
