"""`dev-issuer`: an issuer for people's own tests, told by what it prints."""

from __future__ import annotations

import importlib
import re
import signal
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from hasura_kc_auth.cli.running import Signals
from hasura_kc_auth.devtools.issuer import ORGS, USERS, Fault
from tests.cli.commands import Process, Reply, ask, free_ports, invoke, taken_port

DEV_ISSUER = importlib.import_module("hasura_kc_auth.cli.dev_issuer")
_REALM = "/realms/demo/protocol/openid-connect"


class Running:
    """A running `dev-issuer`, asked as curl would."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.port = int(process.wait_for_output(r"issuer +http://127\.0\.0\.1:(\d+)/realms/")[1])

    def get(self, path: str) -> Reply:
        return ask(self.port, path)

    def post(self, path: str, **form: str) -> Reply:
        return ask(self.port, path, method="POST", form=urlencode(form))

    def token(self, **form: str) -> Reply:
        return self.post(f"{_REALM}/token", client_id="frontend", **form)


@pytest.fixture(scope="module")
def _process() -> Iterator[Running]:
    with Process("dev-issuer", "--port", "0") as process:
        yield Running(process)


@pytest.fixture
def running(_process: Running) -> Iterator[Running]:
    yield _process
    _process.post("/dev/fault/none")


def test_it_says_loudly_that_it_is_no_keycloak(monkeypatch):
    async def wait(_signals: Signals) -> signal.Signals:
        return signal.SIGTERM

    monkeypatch.setattr(Signals, "wait", wait)

    found = invoke("dev-issuer", "--port", "0")

    assert (found.code, found.err) == (0, "")
    assert found.out.startswith("NO KEYCLOAK")
    assert "\x1b" not in found.out
    for name in (*(user.name for user in USERS), *ORGS, "demo", "frontend", "hasura"):
        assert re.search(rf"\b{name}\b", found.out)
    for fault in Fault:
        assert re.search(rf"\b{fault}\b", found.out), fault


def test_a_token_for_an_org_and_another_by_refresh(running):
    login = {"grant_type": "password", "username": "alice", "password": "demo"}

    first = running.token(**login, scope="openid acme globex")
    refreshed = running.token(
        grant_type="refresh_token",
        refresh_token=first.body["refresh_token"],
        scope="openid globex",
    )

    assert (first.status, first.body["scope"]) == (200, "openid profile acme globex email")
    assert (refreshed.status, refreshed.body["scope"]) == (200, "openid profile globex email")
    wrong = running.token(**{**login, "password": "wrong"})
    assert (wrong.status, wrong.body["error"]) == (400, "invalid_grant")
    unknown = running.token(**login, scope="openid initech")
    assert (unknown.status, unknown.body["error"]) == (400, "invalid_scope")


def test_a_fault_and_its_end(running):
    certs = f"{_REALM}/certs"

    assert running.post("/dev/fault/error").body["fault"] == "error"
    assert running.get(certs).status == 500
    assert running.post("/dev/fault/none").body["fault"] == "none"
    assert running.get(certs).status == 200
    running.post("/dev/fault/down")
    with pytest.raises(OSError, match=r".*"):
        running.get(certs)


def test_a_fault_that_there_is_not(running):
    reply = running.post("/dev/fault/nonsense")

    assert reply.status == 404
    assert all(fault in reply.body["error"] for fault in Fault)


def test_the_keys_rotate_and_who_fetched_what_is_counted(running):
    certs = f"{_REALM}/certs"
    before = running.get("/dev/state").body["fetches"].get("certs", 0)

    first = [key["kid"] for key in running.get(certs).body["keys"]]
    running.post("/dev/rotate")
    second = [key["kid"] for key in running.get(certs).body["keys"]]

    assert second[: len(first)] == first
    assert len(second) == len(first) + 1
    assert running.get("/dev/state").body["fetches"]["certs"] == before + 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it(number):
    with Process("dev-issuer", "--port", "0") as process:
        assert Running(process).get("/dev/state").status == 200
        process.signal(number)
        found = process.end()

    assert (found.code, found.err) == (0, "")


def test_a_port_that_is_taken_is_usage_and_named():
    with taken_port() as port:
        found = invoke("dev-issuer", "--port", str(port))

    assert (found.code, found.out) == (2, "")
    assert found.err.startswith(f"--port {port}: cannot listen there: ")


def test_a_port_that_is_free_is_taken():
    [port] = free_ports()

    with Process("dev-issuer", "--port", str(port)) as process:
        assert Running(process).port == port
