"""Running the commands: `invoke` in this process, `Process` as one of its own."""

from __future__ import annotations

import http.client
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple, Self

from typer.testing import CliRunner

from hasura_kc_auth.cli import app

ROOT = Path(__file__).parents[2]
LONG = 20.0
"""Seconds: how long a test waits for what should come at once, before it fails."""

# What makes the tools believe in a terminal that is none, and settings of whoever runs the tests.
_DISTURBING = re.compile(
    r"HASURA_KC_AUTH_.*|OTEL_.*|FORCE_COLOR|PY_COLORS|CLICOLOR.*|GITHUB_ACTIONS|COLUMNS"
)


class Outcome(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def invoke(
    *arguments: str, given: str | bytes = "", variables: Mapping[str, str] | None = None
) -> Outcome:
    """Run a command here. An exception that is no exit is raised: no command may have one."""
    undisturbed: dict[str, str | None] = {
        name: None for name in _environment() if _DISTURBING.fullmatch(name)
    }
    result = CliRunner().invoke(
        app, arguments, input=given, env={**undisturbed, "COLUMNS": "100", **(variables or {})}
    )
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(result.exit_code, result.stdout, result.stderr)


def _environment() -> Mapping[str, str]:
    return os.environ  # noqa: TID251 - handed on to the commands


def undisturbed_environment(**variables: str) -> dict[str, str]:
    own = {name: it for name, it in _environment().items() if not _DISTURBING.fullmatch(name)}
    return {**own, **variables}


class Process:
    """A command as a process. Leaving the `with` block kills what is left of it.

    `arguments` follow `python` and the `program`; `before` stands in front of them, such as
    `prlimit --nofile=64`; `options` are Popen's, its streams above all.
    """

    def __init__(
        self,
        *arguments: str,
        program: tuple[str, ...] = ("-m", "hasura_kc_auth"),
        before: tuple[str, ...] = (),
        variables: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        streams: dict[str, Any] = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
        }
        self.popen = subprocess.Popen(  # noqa: S603 - our own program
            [*before, sys.executable, *program, *arguments],
            cwd=ROOT,
            env=undisturbed_environment(**(variables or {})),
            **(streams | options),
        )
        self._seen: dict[IO[bytes], bytes] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait(LONG)
        for stream in (self.popen.stdin, self.popen.stdout, self.popen.stderr):
            if stream is not None:
                stream.close()

    def signal(self, number: signal.Signals) -> None:
        self.popen.send_signal(number)

    def end(self, within: float = LONG) -> Outcome:
        """Wait for the end and return all that was written."""
        out, err = self.popen.communicate(timeout=within)
        before = {stream: text for stream, text in self._seen.items() if stream is not None}
        out = before.get(self.popen.stdout, b"") + (out or b"")  # type: ignore[arg-type]
        return Outcome(self.popen.returncode, out.decode(), (err or b"").decode())

    def wait_for_output(self, pattern: str) -> re.Match[str]:
        """Read standard output until it holds this pattern."""
        stream = self.popen.stdout
        assert stream is not None
        deadline = time.monotonic() + LONG  # noqa: TID251 - a bound for the test
        while (
            found := re.search(pattern, self._seen.get(stream, b"").decode("utf-8", "ignore"))
        ) is None:
            left = deadline - time.monotonic()  # noqa: TID251
            ready, _, _ = select.select([stream], [], [], max(left, 0))
            chunk = os.read(stream.fileno(), 65536) if ready else b""
            assert chunk, f"{pattern!r} did not come: {self._seen.get(stream)!r}"
            self._seen[stream] = self._seen.get(stream, b"") + chunk
        return found


class Served(NamedTuple):
    """Where a service listens."""

    webhook: int
    management: int

    def ready(self) -> int:
        """Return the status of /readyz, 0 without an answer."""
        try:
            return ask(self.management, "/readyz").status
        except OSError:
            return 0


class Reply(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: Any


def ask(
    port: int,
    path: str = "/",
    headers: Mapping[str, str] | None = None,
    *,
    method: str = "GET",
    form: str | None = None,
) -> Reply:
    """Ask one question on a connection of its own. Raises OSError."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONG)
    try:
        return ask_on(connection, path, headers, method=method, form=form)
    finally:
        connection.close()


def ask_on(
    connection: http.client.HTTPConnection,
    path: str = "/",
    headers: Mapping[str, str] | None = None,
    *,
    method: str = "GET",
    form: str | None = None,
) -> Reply:
    typed = {"Content-Type": "application/x-www-form-urlencoded"} if form is not None else {}
    connection.request(method, path, body=form, headers={**typed, **(headers or {})})
    response = connection.getresponse()
    text = response.read()
    body = json.loads(text) if "json" in response.headers.get_content_type() else text.decode()
    return Reply(response.status, dict(response.headers), body)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def until(condition: Callable[[], bool], within: float = LONG) -> None:
    """Wait until something is so; fail if it does not become so."""
    deadline = time.monotonic() + within  # noqa: TID251 - a bound for the test
    while not condition():
        assert time.monotonic() < deadline, "it did not become so in time"  # noqa: TID251
        time.sleep(0.02)


@contextmanager
def taken_port() -> Iterator[int]:
    """Give a port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def free_ports(count: int = 1) -> list[int]:
    """Return ports that nobody listened on just now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [it.getsockname()[1] for it in sockets]
    for it in sockets:
        it.close()
    return ports
