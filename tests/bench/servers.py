"""The servers that are measured, as processes on a core of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from hasura_kc_auth.devtools.issuer import DevIssuer
from hasura_kc_auth.devtools.tokens import AUDIENCE, FRONTEND
from tests.cli.commands import Process

_SERVER_CPU = 0
STARTED = r'"webhook": "http://127\.0\.0\.1:(\d+)/", "management": "(http://127\.0\.0\.1:\d+)"'
"""What `serve` says of its webhook's port and its management listener's address."""


class Server(NamedTuple):
    """`management`: the base URL of the service's other listener; empty for the floor."""

    port: int
    pid: int
    management: str = ""


@contextmanager
def floor(answer_length: int) -> Iterator[Server]:
    """Start bare aiohttp."""
    with _pinned(str(answer_length), program=("-m", "tests.bench.floor")) as process:
        yield Server(int(process.wait_for_output(r"(\d+)\n")[1]), process.popen.pid)


@contextmanager
def service(issuer: DevIssuer, **settings: str) -> Iterator[Server]:
    """Start the service for this issuer; `settings`: variables without their prefix."""
    with _pinned("serve", variables=service_variables(issuer.issuer, **settings)) as process:
        started = process.wait_for_output(STARTED)
        yield Server(int(started[1]), process.popen.pid, started[2])


def service_variables(issuer: str, **settings: str) -> dict[str, str]:
    """Return the environment of a service for this issuer, on free ports.

    `settings`: variables without their prefix, as `CACHE__ENTRIES="0"`.
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
    return {f"HASURA_KC_AUTH__{name}": text for name, text in variables.items()}


def _pinned(*arguments: str, **options: object) -> Process:
    return Process(
        *arguments,
        stderr=None,  # to the terminal
        preexec_fn=lambda: os.sched_setaffinity(0, {_SERVER_CPU}),
        **options,
    )
