"""The real service as a process, and what it takes to ask it and to look at it.

async with serving(issuer.issuer, CACHE__ENTRIES="0") as service:
    answer = await service.ask(issuer.token())
    assert (answer.status, answer.org) == (200, "acme")
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, NamedTuple

import aiohttp
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.bench.servers import STARTED, service_variables
from tests.cli.commands import LONG, Process, free_ports
from tests.measures import resident_bytes

START = 45.0
"""Seconds: how long a start may take on a machine with too much to do."""

QUICK = {"KEYS__COOLDOWN": "1s", "KEYS__TIMEOUT": "1s", "WEBHOOK__DRAIN": "100ms"}
"""Times so short that a test can wait for them; all else is as by default."""


class Answer(NamedTuple):
    """One answer of the webhook. `seconds`: from the question until it was read whole."""

    status: int
    body: Mapping[str, Any]
    seconds: float

    @property
    def said(self) -> str:
        """The org that was granted, or the code."""
        return str(self.body.get("X-Hasura-Org-Id") or self.body.get("code"))


@dataclass(frozen=True)
class RunningService:
    """A started service. `log`: the file that its standard output goes to, if it does."""

    process: Process
    webhook: str
    management: str
    log: Path
    http: aiohttp.ClientSession

    @property
    def pid(self) -> int:
        return self.process.popen.pid

    async def ask(
        self, token: str | None = None, *, mode: str = "GET", headers: Mapping[str, str] = {}
    ) -> Answer:
        """Ask as Hasura does for a client with this token, on a connection kept open.

        Raises aiohttp.ClientError where no answer came.
        """
        sent = {**headers, **({"Authorization": f"Bearer {token}"} if token is not None else {})}
        began = perf_counter()
        if mode == "GET":
            call = self.http.get(self.webhook, headers=sent)
        else:
            call = self.http.post(self.webhook, json={"headers": sent, "request": None})
        async with call as response:
            body = await response.json()
        return Answer(response.status, body, perf_counter() - began)

    async def ask_each(self, tokens: Sequence[str], *, at_once: bool = False) -> list[Answer]:
        """Ask for each of these tokens, one after the other or all at one moment."""
        if at_once:
            return list(await asyncio.gather(*map(self.ask, tokens)))
        return [await self.ask(token) for token in tokens]

    async def ask_until(
        self, condition: Callable[[], bool], token: Callable[[], str]
    ) -> list[Answer]:
        """Ask with one new token after the other, some forty a second, until something is so."""
        answers: list[Answer] = []
        async with asyncio.timeout(LONG):
            while not condition():
                answers.append(await self.ask(token()))
                await asyncio.sleep(0.02)
        return answers

    async def manage(self, path: str) -> tuple[int, Any]:
        """Return the status and the JSON of a page of the management listener."""
        async with self.http.get(self.management + path) as response:
            return response.status, await response.json()

    async def ready(self) -> int:
        """Return the status of /readyz."""
        return (await self.manage("/readyz"))[0]

    async def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples that have these labels; 0 where there is none.

        `name`: without the prefix, as `jwks_fetches_total`; or whole, as `process_open_fds`.
        """
        return sum(
            sample.value
            for sample in await self.samples()
            if sample.name in (name, f"hasura_kc_auth_{name}")
            and labels.items() <= sample.labels.items()
        )

    async def samples(self) -> list[Sample]:
        """Return all that Prometheus would get."""
        async with self.http.get(f"{self.management}/metrics") as response:
            families = text_string_to_metric_families(await response.text())
        return [sample for family in families for sample in family.samples]

    def log_text(self) -> str:
        return self.log.read_text("utf-8", "replace")

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the logged events of this name."""
        events = [json.loads(line) for line in self.log_text().splitlines()]
        return [event for event in events if event["event"] == name]

    def resident_bytes(self, *, peak: bool = False) -> int:
        """Return what the process has in memory, or had at most (Linux)."""
        return resident_bytes(self.pid, peak=peak)

    def open_files(self) -> int:
        """Return how many file descriptors the process has (Linux)."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    async def cool_down(self, cooldown: float = 1.0) -> None:
        """Let the cooldown pass, and its tenth more: the next unknown key is fetched for.

        The last attempt must have begun. By default it is the cooldown of QUICK.
        """
        await asyncio.sleep(1.1 * cooldown + 0.05)

    def signal(self, number: signal.Signals) -> None:
        self.process.signal(number)

    async def ended(self, within: float = LONG) -> int:
        """Wait for the end of the process and return its exit code."""
        return await asyncio.to_thread(self.process.popen.wait, within)


@asynccontextmanager
async def serving(
    issuer: str,
    *,
    program: tuple[str, ...] = ("-m", "hasura_kc_auth"),
    before: tuple[str, ...] = (),
    stdout: Any = None,
    ready: bool = True,
    variables: Mapping[str, str] | None = None,
    **settings: str,
) -> AsyncIterator[RunningService]:
    """Run `serve` for this issuer; it listens when this gives it, and has keys where `ready`.

    `settings`: variables without their prefix, over QUICK; `variables`: others, whole.
    `program`: what `python` runs, `before`: a command in front of it. `stdout`: another place for
    its log than a file. Whatever befell it, no traceback and no part of a token may be in the log.
    """
    with TemporaryDirectory() as folder:
        log = Path(folder, "log")
        # Another standard output cannot tell which ports are free.
        webhook, management = free_ports(2) if stdout is not None else (0, 0)
        ports = {"WEBHOOK__PORT": str(webhook), "MANAGEMENT__PORT": str(management)}
        told = service_variables(issuer, **{**QUICK, **ports, **settings}) | dict(variables or {})
        process = _started(log, stdout, program=program, before=before, variables=told)
        async with _client() as http:
            with process:
                if stdout is None:
                    webhook, management = await _told_ports(process, log)
                running = RunningService(
                    process,
                    f"http://127.0.0.1:{webhook}/",
                    f"http://127.0.0.1:{management}",
                    log,
                    http,
                )
                await until(lambda: _answers(running, ready=ready), START)
                yield running
        _check_log(running.log_text())


def _check_log(text: str) -> None:
    assert "Traceback" not in text, text
    assert "eyJ" not in text  # how every JWT begins


def _started(log: Path, stdout: Any, **options: Any) -> Process:
    with log.open("wb") as file:
        streams = {"stdout": file if stdout is None else stdout, "stderr": file}
        return Process("serve", **streams, **options)


def _client() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=LONG),
    )


async def _told_ports(process: Process, log: Path) -> tuple[int, int]:
    def found() -> re.Match[str] | None:
        said = log.read_text("utf-8", "replace")
        assert process.popen.poll() is None, f"it ended: {said}"
        return re.search(STARTED, said)

    started = await until(found, START)
    return int(started[1]), int(started[2].rpartition(":")[2])


async def _answers(running: RunningService, *, ready: bool) -> bool:
    try:
        status, _ = await running.manage("/readyz" if ready else "/livez")
    except aiohttp.ClientConnectionError:
        return False
    return status == 200


async def until(condition: Callable[[], Any], within: float = LONG) -> Any:
    """Wait until something is so, and return it; fail if it does not become so.

    `condition`: a function or a coroutine function.
    """
    async with asyncio.timeout(within):
        while True:
            found = condition()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return found
            await asyncio.sleep(0.02)


def said_by(answers: Sequence[Answer]) -> Counter[tuple[int, str]]:
    """Return how often each (status, org or code) came."""
    return Counter((answer.status, answer.said) for answer in answers)
