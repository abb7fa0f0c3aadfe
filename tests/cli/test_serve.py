"""`serve` as a process: how it begins, stands whatever happens to its output, and ends."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import http.client
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from aiohttp import http_parser

from hasura_kc_auth.cli import running
from hasura_kc_auth.cli.running import Exit, Signals
from hasura_kc_auth.devtools.issuer import Fault
from hasura_kc_auth.ports import Clocks
from hasura_kc_auth.telemetry.spans import Spans
from hasura_kc_auth.telemetry.tracing import NO_TRACING
from hasura_kc_auth.wiring import SYSTEM_CLOCKS, Service
from tests.cli.commands import (
    LONG,
    ROOT,
    Process,
    Reply,
    Served,
    ask,
    ask_on,
    bearer,
    free_ports,
    invoke,
    taken_port,
    undisturbed_environment,
    until,
)
from tests.cli.realm import Realm
from tests.telemetry.collector import collecting

SERVE = importlib.import_module("hasura_kc_auth.cli.serve")
_LOOPBACK = {"webhook": {"port": 0, "drain": "200ms"}, "management": {"port": 0}}


@contextmanager
def serving(
    config: Callable[..., str], variables: Mapping[str, str] | None = None, **changes: Any
) -> Iterator[tuple[Process, Served]]:
    """Run `serve` on free ports, told by its own first line; ready when this returns."""
    file = config(**{**_LOOPBACK, **changes})
    with Process("serve", "--config", file, variables=variables) as process:
        started = process.wait_for_output(
            r'"webhook": "http://127\.0\.0\.1:(\d+)/", "management": "http://127\.0\.0\.1:(\d+)"'
        )
        served = Served(int(started[1]), int(started[2]))
        until(lambda: served.ready() == 200)
        yield process, served


@contextmanager
def serving_into(
    config: Callable[..., str], stdout: Any, **options: Any
) -> Iterator[tuple[Process, Served]]:
    """Run `serve` with another standard output, which cannot tell the ports."""
    webhook, management = free_ports(2)
    file = config(webhook={"port": webhook, "drain": "100ms"}, management={"port": management})
    with Process("serve", "--config", file, stdout=stdout, **options) as process:
        served = Served(webhook, management)
        until(lambda: served.ready() == 200)
        yield process, served


def granted(served: Served, token: str) -> bool:
    reply = ask(served.webhook, "/", bearer(token))
    return (reply.status, reply.body.get("X-Hasura-Org-Id")) == (200, "acme")


def deny_in_all_ways(served: Served) -> None:
    """Get something logged."""
    for headers in ({}, bearer("x"), {"Authorization": "Basic x"}):
        assert ask(served.webhook, "/", headers).status == 401


# --- it begins


def test_it_answers_a_real_token_and_is_ready_at_once(realm, config):
    with serving(config) as (process, served):
        reply = ask(served.webhook, "/", bearer(realm.token()))
        posted = ask(
            served.webhook,
            "/",
            method="POST",
            form=json.dumps({"headers": bearer(realm.token("bob")), "request": None}),
        )
        refused = ask(served.webhook)
        process.signal(signal.SIGTERM)
        found = process.end()

    assert (reply.status, reply.body["X-Hasura-Role"]) == (200, "editor")
    assert (posted.status, posted.body["X-Hasura-Role"]) == (200, "viewer")
    assert (refused.status, refused.body) == (401, {"code": "no_credentials"})
    assert (found.code, found.err) == (0, "")
    events = [json.loads(line)["event"] for line in found.out.splitlines()]
    assert events == ["started", "keys_fetched", "denied", "stopping", "stopped"]
    assert realm.token()[:20] not in found.out


def test_it_is_ready_within_a_second_of_its_start(config):
    """Once it listens, with its issuer up; the bound is generous for a busy machine."""
    with Process("serve", "--config", config(**_LOOPBACK)) as process:
        started = process.wait_for_output(r'"management": "http://127\.0\.0\.1:(\d+)"')
        until(lambda: ask(int(started[1]), "/readyz").status == 200, within=5.0)


def test_it_begins_without_its_issuer_and_becomes_ready_by_itself(realm, config):
    realm.issuer.fault = Fault.ERROR
    token = realm.token()
    with Process("serve", "--config", config(**_LOOPBACK)) as process:
        started = process.wait_for_output(
            r'"webhook": "http://127\.0\.0\.1:(\d+)/", "manage\w+": "([^"]+)'
        )
        served = Served(int(started[1]), int(started[2].rpartition(":")[2]))
        process.wait_for_output("keys_not_fetched")
        states = [ask(served.management, path).status for path in ("/livez", "/readyz")]
        undecided = ask(served.webhook, "/", bearer(token))
        realm.issuer.fault = Fault.NONE
        until(lambda: served.ready() == 200, within=10.0)  # the cooldown is a second
        after = granted(served, token)

    assert states == [200, 503]
    assert (undecided.status, undecided.body) == (503, {"code": "keys_unavailable"})
    assert after


def test_wrong_settings_are_exit_2_and_all_are_named(fails_loudly):
    with Process("serve", "--config", fails_loudly) as process:
        found = process.end()

    assert (found.code, found.out) == (2, "")
    for name in ("issuers", "roles", "webhook.port", "nonsense"):
        assert f"configuration: {name}: " in found.err
    assert "Traceback" not in found.err


@pytest.mark.parametrize(
    ("variable", "text", "named"),
    [
        ("ISSUER", "ftp://sso", "issuers.0.issuer"),
        ("ALGORITHMS", "none", "issuers.0.algorithms.0"),
        ("ALGORITHMS", "HS256", "issuers.0.algorithms.0"),
        ("CLIENTS", "", "issuers.0.clients"),
        ("LEEWAY", "121s", "issuers.0.leeway"),
        ("ORG__ONLY", "realm-management", "issuers.0.org.only"),
        ("ROLES__ALLOWED", "admin", "roles.allowed"),
        ("WEBHOOK__HOST", "10.0.0.1", "webhook.host"),
    ],
)
def test_each_dangerous_setting_stops_the_start(variable, text, named):
    variables = {"ISSUER": "https://sso", "CLIENTS": "frontend", "ROLES__ALLOWED": "editor"}
    changed = {f"HASURA_KC_AUTH__{k}": it for k, it in {**variables, variable: text}.items()}

    found = invoke("serve", variables=changed)

    assert (found.code, found.out) == (2, "")
    assert found.err.startswith(f"configuration: {named}: ")


@pytest.mark.parametrize("section", ["webhook", "management"])
def test_a_port_that_is_taken_is_exit_2_and_named(config, section):
    with taken_port() as port:
        file = config(**{**_LOOPBACK, section: {"port": port}})
        found = invoke("serve", "--config", file)
        with Process("serve", "--config", file) as process:
            as_process = process.end()

    for it in (found, as_process):
        assert it.code == 2
        assert f"configuration: {section}.host, {section}.port: cannot listen there" in it.err
        assert "Traceback" not in it.err


def test_an_address_that_is_not_this_machines_is_exit_2_and_named(config):
    file = config(**{**_LOOPBACK, "management": {"host": "192.0.2.1", "port": 0}})

    found = invoke("serve", "--config", file)

    assert found.code == 2
    assert "configuration: management.host, management.port: " in found.err


@pytest.mark.parametrize("command", ["serve", "check", "demo"])
def test_without_the_parser_in_c_nothing_starts(config, command):
    """In a real process: the variable is read when aiohttp is imported."""
    arguments = ("--once",) if command == "demo" else ("--config", config(**_LOOPBACK))

    with Process(command, *arguments, variables={"AIOHTTP_NO_EXTENSIONS": "1"}) as process:
        found = process.end()

    assert (found.code, found.out) == (2, "")
    (line,) = found.err.splitlines()
    assert line.removeprefix("configuration: ").startswith("aiohttp: would parse HTTP in Python")
    assert "AIOHTTP_NO_EXTENSIONS" in line


@pytest.mark.parametrize("command", ["serve", "check", "demo"])
def test_nor_where_aiohttp_was_built_without_it(monkeypatch, config, command):
    monkeypatch.setattr(http_parser, "HttpRequestParser", http_parser.HttpRequestParserPy)
    arguments = ("--once",) if command == "demo" else ("--config", config(**_LOOPBACK))

    found = invoke(command, *arguments)

    assert (found.code, found.out) == (2, "")
    assert "aiohttp: would parse HTTP in Python" in found.err


# --- it stands


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_closed_output_does_no_harm(realm, config, number):
    """As `serve >&-` does it: the number of the descriptor is free for anything that is opened."""
    webhook, management = free_ports(2)
    file = config(webhook={"port": webhook, "drain": "100ms"}, management={"port": management})
    served = Served(webhook, management)
    popen = subprocess.Popen(  # noqa: S603 - our own program
        [
            "/bin/sh",
            "-c",
            'exec "$0" -m hasura_kc_auth serve --config "$1" >&-',
            sys.executable,
            file,
        ],
        cwd=ROOT,
        env=undisturbed_environment(),
        stderr=subprocess.PIPE,
    )
    try:
        until(lambda: served.ready() == 200)
        deny_in_all_ways(served)
        assert granted(served, realm.token())
        popen.send_signal(number)
        _, err = popen.communicate(timeout=LONG)
    finally:
        popen.kill()
        popen.communicate(timeout=LONG)

    assert (popen.returncode, err) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a disk that is always full")
def test_a_full_output_does_no_harm(realm, config):
    with open("/dev/full", "wb") as full, serving_into(config, full) as (process, served):  # noqa: PTH123
        deny_in_all_ways(served)
        assert granted(served, realm.token())
        until(lambda: _dropped_lines(served) >= 3)
        process.signal(signal.SIGTERM)
        found = process.end()

    assert (found.code, found.err) == (0, "")


def test_a_blocked_output_does_no_harm(realm, config):
    reading, writing = os.pipe()
    try:
        _fill(writing)
        with serving_into(config, writing) as (process, served):
            for _ in range(30):
                deny_in_all_ways(served)
            assert granted(served, realm.token())
            process.signal(signal.SIGTERM)
            found = process.end()
    finally:
        os.close(reading)
        os.close(writing)

    assert (found.code, found.err) == (0, "")


def test_an_output_that_nobody_reads_any_more_does_no_harm(realm, config):
    reading, writing = os.pipe()
    with serving_into(config, writing) as (process, served):
        os.close(writing)
        os.close(reading)
        deny_in_all_ways(served)
        assert granted(served, realm.token())
        until(lambda: _dropped_lines(served) >= 1)
        process.signal(signal.SIGTERM)
        found = process.end()

    assert (found.code, found.err) == (0, "")


def _fill(writing: int) -> None:
    """Write to a pipe until it takes no more."""
    fcntl.fcntl(writing, fcntl.F_SETFL, os.O_NONBLOCK)
    try:
        while True:
            os.write(writing, b"x" * 4096)
    except BlockingIOError:
        fcntl.fcntl(writing, fcntl.F_SETFL, 0)


def _dropped_lines(served: Served) -> float:
    lines = ask(served.management, "/metrics").body.splitlines()
    prefix = "hasura_kc_auth_log_lines_dropped_total "
    return next(float(line.removeprefix(prefix)) for line in lines if line.startswith(prefix))


# --- it ends

CLIENTS = 32
GRACE = 5
"""Seconds: what the manual gives a pod to end in, beside `webhook.drain`."""


class Client(Thread):
    """Asks and asks on one connection, until it is told to go, as a load balancer's would."""

    def __init__(self, port: int, token: str) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._token = token
        self.enough = Event()
        self.statuses: list[int] = []
        self.failures: list[str] = []
        self.told_to_go = False

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=LONG)
        with closing(connection):
            while not self.told_to_go and not self.enough.is_set():
                try:
                    reply = ask_on(connection, "/", bearer(self._token))
                except (OSError, http.client.HTTPException) as error:
                    self.failures.append(repr(error))
                    return
                self.statuses.append(reply.status)
                self.told_to_go = reply.headers.get("Connection", "").lower() == "close"


def test_sigterm_under_load_fails_no_request(realm, config):
    drain = 2
    with serving(config, webhook={"port": 0, "drain": f"{drain}s"}) as (process, served):
        clients = [Client(served.webhook, realm.token()) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        until(lambda: all(len(client.statuses) > 5 for client in clients))
        process.signal(signal.SIGTERM)
        until(lambda: served.ready() == 503)
        draining = ask(served.management, "/readyz")
        late = [ask(served.webhook, "/", bearer(realm.token())).status for _ in range(5)]
        found = process.end(within=drain + GRACE)
        for client in clients:
            client.join(LONG)

    assert draining.body["status"] == "stopping"
    assert late == [200] * 5  # while the load balancers have not seen it yet
    assert [client.failures for client in clients] == [[]] * CLIENTS
    assert all(client.told_to_go for client in clients)
    assert {status for client in clients for status in client.statuses} == {200}
    assert (found.code, found.err) == (0, "")


def test_by_default_it_ends_within_ten_seconds_whoever_holds_on(config):
    with serving(config, webhook={"port": 0}) as (process, served):
        held = [socket.create_connection(("127.0.0.1", served.webhook)) for _ in range(3)]
        held[1].sendall(b"GET / HTTP/1.1\r\nHost: hook")
        held[2].sendall(b"POST / HTTP/1.1\r\nHost: hook\r\nContent-Length: 100\r\n\r\n{")
        process.signal(signal.SIGTERM)
        found = process.end(within=10.0)
        for connection in held:
            connection.close()

    assert (found.code, found.err) == (0, "")


_HANGING_LOOKUP = """
import asyncio, socket, sys, time

def hang(*arguments, **options):
    time.sleep(120)

socket.getaddrinfo = hang

from hasura_kc_auth.cli import running
running._loop_factory = lambda: None  # asyncio's own loop looks names up in a thread, as said

from hasura_kc_auth.__main__ import main
main()
"""


def test_a_name_look_up_that_hangs_does_not_hold_up_the_end(config):
    """It runs in a thread that nobody can stop; the orchestrator's patience is shorter."""
    (management,) = free_ports(1)
    file = config(
        issuers=[{"issuer": "https://sso.example.com/realms/acme", "clients": ["frontend"]}],
        webhook={"port": 0, "drain": "10ms"},
        management={"port": management, "host": "127.0.0.1"},
    )
    with Process("serve", "--config", file, program=("-c", _HANGING_LOOKUP)) as process:
        until(lambda: _listens(management))
        process.signal(signal.SIGTERM)
        found = process.end(within=10.0)

    assert (found.code, found.err) == (0, "")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_ctrl_c_does_not_wait_for_load_balancers(config):
    with serving(config, webhook={"port": 0, "drain": "1h"}) as (process, _):
        process.signal(signal.SIGINT)
        found = process.end(within=10.0)

    assert (found.code, found.err) == (0, "")


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_is_an_end_at_once(config, second):
    with serving(config, webhook={"port": 0, "drain": "1h"}) as (process, served):
        process.signal(signal.SIGTERM)
        until(lambda: served.ready() == 503)
        process.signal(second)
        found = process.end(within=10.0)

    assert found.code == 1
    assert "Traceback" not in found.err


def test_after_a_kill_it_begins_again_on_the_same_port(realm, config):
    with serving(config) as (process, served):
        connection = socket.create_connection(("127.0.0.1", served.webhook))
        assert granted(served, realm.token())
        process.signal(signal.SIGKILL)
        assert process.end().code == -signal.SIGKILL
        connection.close()
    again = {"webhook": {"port": served.webhook}, "management": {"port": served.management}}

    with serving(config, **again) as (process, same):
        assert same == served
        assert granted(same, realm.token())
        process.signal(signal.SIGINT)
        assert process.end().code == 0


def test_the_healthcheck_of_a_service_that_is_up(config):
    with serving(config) as (_, served):
        file = config(management={"port": served.management})
        assert invoke("healthcheck", "--config", file).code == 0
        assert invoke("healthcheck", "--config", file, "--live").code == 0


# --- it is traced


def test_spans_are_sent_before_it_ends(realm, config):
    with collecting() as collector:
        variables = collector.variables
        with serving(config, variables) as (process, served):
            assert granted(served, realm.token())
            process.signal(signal.SIGTERM)
            found = process.end()

    assert (found.code, found.err) == (0, "")
    assert sorted(collector.spans) == ["decision", "key fetch"]


def test_a_collector_that_never_answers_does_not_hold_up_the_end(realm, config):
    with collecting(silent=True) as collector:
        variables = {**collector.variables, "OTEL_BSP_SCHEDULE_DELAY": "10"}
        with serving(config, variables) as (process, served):
            assert granted(served, realm.token())
            until(collector.asked.is_set)
            process.signal(signal.SIGTERM)
            found = process.end(within=10.0)

    assert (found.code, found.err) == (0, "")


def test_a_collector_that_is_down_is_in_the_log_and_harms_nobody(realm, config):
    variables = {
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_ports()[0]}",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
        "OTEL_BSP_SCHEDULE_DELAY": "10",
    }
    with serving(config, variables) as (process, served):
        assert granted(served, realm.token())
        process.wait_for_output('"library", .*"logger": "opentelemetry|"logger": "opentelemetry')
        process.signal(signal.SIGTERM)
        found = process.end(within=10.0)

    assert (found.code, found.err) == (0, "")
    assert realm.token()[:20] not in found.out


def test_tracing_that_there_is_not_stops_the_start(config):
    wrong = {"OTEL_TRACES_EXPORTER": "zipkin", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    found = invoke("serve", "--config", config(**_LOOPBACK), variables=wrong)

    assert found.code == 2
    assert found.err.splitlines() == [
        "configuration: OTEL_TRACES_EXPORTER: must be otlp or none",
        "configuration: OTEL_EXPORTER_OTLP_PROTOCOL: must be http/protobuf",
    ]


def test_tracing_without_its_extra_stops_the_start(monkeypatch, config):
    monkeypatch.setitem(sys.modules, "hasura_kc_auth.telemetry.spans", None)
    found = invoke(
        "serve", "--config", config(**_LOOPBACK), variables={"OTEL_TRACES_EXPORTER": "otlp"}
    )

    assert found.code == 2
    assert found.err == (
        "configuration: OTEL_TRACES_EXPORTER: needs the extra: hasura-kc-auth[otel]\n"
    )


def test_a_start_without_introspection_does_not_wait_for_the_library_behind_its_store():
    code = "import hasura_kc_auth.wiring, sys; print({'aiocache', 'redis'} & sys.modules.keys())"
    told = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert told.stdout == "set()\n"


# --- in this process


@pytest.fixture
def usual_collector() -> Iterator[None]:
    """Let the garbage collector of the tests be as it was afterwards."""
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def _stops(monkeypatch: pytest.MonkeyPatch, number: signal.Signals) -> list[float]:
    """Let this signal come as soon as it serves; return how long it drains then."""
    drains: list[float] = []
    stop = Service.stop

    async def wait(_signals: Signals) -> signal.Signals:
        return number

    async def noted(self: Service, *, drain: float) -> None:
        drains.append(drain)
        await stop(self, drain=0.0)

    monkeypatch.setattr(Signals, "wait", wait)
    monkeypatch.setattr(Service, "stop", noted)
    monkeypatch.setattr(running, "leave", drains.append)  # it would end the tests
    return drains


@pytest.mark.parametrize(("number", "drain"), [(signal.SIGTERM, 7.0), (signal.SIGINT, 0.0)])
@pytest.mark.usefixtures("usual_collector")
def test_it_drains_for_an_orchestrator_and_not_for_a_person(monkeypatch, config, number, drain):
    drains = _stops(monkeypatch, number)

    found = invoke(
        "serve", "--config", config(webhook={"port": 0, "drain": "7s"}, management={"port": 0})
    )

    assert (found.code, drains) == (0, [drain, Exit.YES])


@pytest.mark.usefixtures("usual_collector")
def test_what_the_start_has_made_is_no_work_for_the_garbage_collector(monkeypatch, config):
    _stops(monkeypatch, signal.SIGTERM)

    invoke("serve", "--config", config(**_LOOPBACK))

    assert gc.get_freeze_count() > 10_000
    assert gc.get_threshold()[0] == 10_000


def test_it_is_traced_where_the_variables_say_so():
    assert SERVE._tracing({}) is NO_TRACING  # noqa: SLF001
    tracing = SERVE._tracing({"OTEL_TRACES_EXPORTER": "otlp"})  # noqa: SLF001
    assert type(tracing) is Spans
    asyncio.run(tracing.stop())


_KILLED_WHILE_STARTING = """
import os, signal
from hasura_kc_auth.{0} import {1} as Starting

start = Starting.start

async def started(self, *arguments):
    await start(self, *arguments)
    os.kill(os.getpid(), signal.SIGTERM)

Starting.start = started

from hasura_kc_auth.__main__ import main

main()
"""


@pytest.mark.parametrize("command", ["serve", "dev-issuer"])
def test_a_signal_that_comes_while_it_starts_is_not_lost(config, command):
    """For the first process of a container the kernel drops what has no handler yet."""
    where, arguments = {
        "serve": (("wiring", "Service"), ("--config", config(**_LOOPBACK))),
        "dev-issuer": (("devtools.issuer", "DevIssuer"), ("--port", "0")),
    }[command]
    program = ("-c", _KILLED_WHILE_STARTING.format(*where))

    with Process(command, *arguments, program=program) as process:
        found = process.end()

    assert (found.code, found.err) == (0, "")


def test_the_clocks_are_the_systems():
    """What `serve` hands to the service, and the only place that reads a clock."""
    assert Clocks(wall=time.time, monotonic=time.monotonic) == SYSTEM_CLOCKS  # noqa: TID251


def test_replies_of_these_tests_are_whole(realm: Realm):
    reply: Reply = ask(realm.webhook_port)

    assert reply.headers["Cache-Control"] == "no-store"
