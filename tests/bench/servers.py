"""The servers that are measured, as processes on a core of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import NamedTuple

from hasura_kc_auth.devtools.issuer import DevIssuer
from hasura_kc_auth.devtools.tokens import AUDIENCE, FRONTEND
from tests.bench import cores
from tests.cli.commands import Process

_OF_A_SINGLE_ISSUER = ("ISSUER", "CLIENTS", "AUDIENCES")
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
        # A full pipe would drop its log lines, and the writing of them is measured as well.
        assert process.popen.stdout is not None
        Thread(target=process.popen.stdout.read, daemon=True).start()
        yield Server(int(started[1]), process.popen.pid, started[2])


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


def _pinned(*arguments: str, **options: object) -> Process:
    return Process(
        *arguments,
        stderr=None,  # to the terminal
        preexec_fn=lambda: os.sched_setaffinity(0, {cores.SERVER}),
        **options,
    )
