"""The development issuer over HTTP: grants, faults, counts."""

from __future__ import annotations

import asyncio
import json
import socket
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest
import pytest_asyncio

from hasura_kc_auth.devtools.issuer import ORGS, USERS, DevIssuer, Fault
from hasura_kc_auth.devtools.tokens import InvalidScope, SigningKeys

NOW = 1_800_000_000.0
_LISTENERS = Path("/proc/net/tcp")
_KEYS = SigningKeys()  # making RSA keys takes a while: those that nobody rotates are shared


class Reply(NamedTuple):
    status: int
    body: Any
    headers: Any


class Realm:
    """The issuer under test and a client of it."""

    def __init__(self, issuer: DevIssuer, session: aiohttp.ClientSession) -> None:
        self.issuer = issuer
        self.now = NOW
        self._session = session

    async def get(self, path: str, **options: Any) -> Reply:
        return await self._ask("GET", path, **options)

    async def post(self, path: str, **options: Any) -> Reply:
        return await self._ask("POST", path, **options)

    async def _ask(self, method: str, path: str, **options: Any) -> Reply:
        url = path if path.startswith("http") else f"http://127.0.0.1:{self.issuer.port}{path}"
        options.setdefault("allow_redirects", False)
        async with self._session.request(method, url, **options) as response:
            text = await response.text()
            json_type = response.content_type == "application/json"
            return Reply(response.status, json.loads(text) if json_type else text, response.headers)

    async def token(self, **form: str) -> Reply:
        url = f"{self.issuer.issuer}/protocol/openid-connect/token"
        return await self.post(url, data={"client_id": "frontend", **form})

    async def login(self, scope: str | None = None, user: str = "alice") -> Reply:
        form = {} if scope is None else {"scope": scope}
        return await self.token(grant_type="password", username=user, password="demo", **form)

    async def refresh(self, token: str, **form: str) -> Reply:
        return await self.token(grant_type="refresh_token", refresh_token=token, **form)

    async def discovery(self) -> Reply:
        return await self.get(f"{self.issuer.issuer}/.well-known/openid-configuration")

    async def certs(self) -> Reply:
        return await self.get(f"{self.issuer.issuer}/protocol/openid-connect/certs")


@pytest_asyncio.fixture
async def realm(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Realm]:
    monkeypatch.setattr("hasura_kc_auth.devtools.issuer.SigningKeys", lambda: _KEYS)
    issuer = DevIssuer(lambda: realm.now, slow_seconds=0.05)
    async with aiohttp.ClientSession() as session:
        realm = Realm(issuer, session)
        await issuer.start()
        try:
            yield realm
        finally:
            await issuer.stop()


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = json.loads(urlsafe_b64decode(token.split(".")[1] + "=="))
    return claims


# --- documents


async def test_discovery_is_keycloaks_and_names_the_keys(realm):
    found = await realm.discovery()

    base = f"{realm.issuer.issuer}/protocol/openid-connect"
    assert found.status == 200
    assert found.body["issuer"] == realm.issuer.issuer
    assert found.body["jwks_uri"] == f"{base}/certs"
    assert found.body["token_endpoint"] == f"{base}/token"
    assert "no-cache" in found.headers["Cache-Control"]
    # Keycloak shows the names of all orgs to everybody, and algorithms that are no allow-list.
    assert set(ORGS) < set(found.body["scopes_supported"])
    assert "HS256" in found.body["id_token_signing_alg_values_supported"]


async def test_the_keys_are_published_with_the_encryption_key_first(realm):
    found = await realm.certs()

    assert found.status == 200
    assert [key["use"] for key in found.body["keys"]] == ["enc", "sig"]
    assert found.headers["Cache-Control"] == "no-cache"
    assert "ETag" not in found.headers


async def test_it_counts_who_fetched_what(realm):
    for _ in range(2):
        await realm.discovery()
    for _ in range(3):
        await realm.certs()
    await realm.login("openid")

    assert dict(realm.issuer.fetches) == {"discovery": 2, "certs": 3}
    state = await realm.get("/dev/state")
    assert state.body == {"fault": "none", "fetches": {"discovery": 2, "certs": 3}}


@pytest.mark.skipif(not _LISTENERS.exists(), reason="Linux tells who listens where")
async def test_it_listens_on_loopback_only(realm):
    port = realm.issuer.port
    with open(_LISTENERS, encoding="ascii") as table:  # noqa: ASYNC230, PTH123 - no file
        rows = [line.split() for line in table.readlines()[1:]]
    listening = [row[1] for row in rows if row[3] == "0A" and row[1].endswith(f":{port:04X}")]

    assert listening == [f"0100007F:{port:04X}"]


async def test_the_issuer_keeps_its_port_over_a_stop(realm):
    before = realm.issuer.issuer
    await realm.issuer.stop()
    with pytest.raises(aiohttp.ClientConnectionError):
        await realm.discovery()
    await realm.issuer.stop()  # twice is once

    await realm.issuer.start()

    assert realm.issuer.issuer == before
    assert (await realm.discovery()).status == 200


async def test_a_port_that_is_taken_is_an_error():
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        await DevIssuer(lambda: NOW).start(taken.getsockname()[1])


# --- grants


async def test_a_password_grant_answers_as_keycloak_does(realm):
    reply = await realm.login("openid acme")

    body = reply.body
    assert reply.status == 200
    assert set(body) == {
        *("access_token", "expires_in", "refresh_expires_in", "refresh_token", "token_type"),
        *("id_token", "not-before-policy", "scope"),
    }
    assert (body["token_type"], body["expires_in"], body["not-before-policy"]) == ("Bearer", 300, 0)
    assert body["scope"] == claims_of(body["access_token"])["scope"] == "openid profile acme email"


async def test_without_openid_there_is_no_id_token(realm):
    for scope in ("acme", "", None):
        reply = await realm.login(scope)
        assert reply.status == 200
        assert "id_token" not in reply.body


async def test_a_scope_without_a_role_is_dropped_in_silence(realm):
    reply = await realm.login("openid globex", user="bob")

    claims = claims_of(reply.body["access_token"])
    assert reply.status == 200
    assert (claims["scope"], claims["aud"]) == ("openid profile email", "hasura")
    assert "resource_access" not in claims


async def test_a_scope_that_nobody_knows_is_an_error(realm):
    reply = await realm.login("openid initech")

    assert (reply.status, reply.body) == (
        400,
        {"error": "invalid_scope", "error_description": "Invalid scopes: openid initech"},
    )


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"username": "alice", "password": "wrong"}, 400, "invalid_grant"),
        ({"username": "alice"}, 400, "invalid_grant"),
        ({"username": "nobody", "password": "demo"}, 400, "invalid_grant"),
        ({"password": "demo"}, 400, "invalid_grant"),
        ({"username": "alice", "password": "demo", "client_id": "other"}, 401, "invalid_client"),
        ({"username": "alice", "password": "demo", "client_id": ""}, 401, "invalid_client"),
        ({"grant_type": "client_credentials"}, 400, "unsupported_grant_type"),
        ({"grant_type": ""}, 400, "unsupported_grant_type"),
        ({"grant_type": "refresh_token"}, 400, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, 400, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "a.b.c"}, 400, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "ImFsZyI.e30.AA"}, 400, "invalid_grant"),
        (
            {"grant_type": "refresh_token", "refresh_token": "WyJhbGciXQ.e30.A"},
            400,
            "invalid_grant",
        ),
    ],
)
async def test_a_wrong_grant_is_refused_as_keycloak_refuses_it(realm, form, status, error):
    reply = await realm.token(**{"grant_type": "password", "scope": "openid", **form})

    assert (reply.status, reply.body["error"]) == (status, error)
    assert reply.body["error_description"]


async def test_a_missing_grant_type_is_unsupported(realm):
    assert (await realm.token()).body["error"] == "unsupported_grant_type"


async def test_a_refresh_narrows_and_the_refresh_token_keeps_the_whole_scope(realm):
    first = (await realm.login("openid acme globex")).body

    narrowed = (await realm.refresh(first["refresh_token"], scope="openid globex")).body
    back = (await realm.refresh(narrowed["refresh_token"], scope="openid acme")).body
    whole = (await realm.refresh(back["refresh_token"])).body

    assert claims_of(narrowed["access_token"])["resource_access"] == {
        "globex": {"roles": ["viewer"]}
    }
    assert claims_of(back["access_token"])["resource_access"] == {"acme": {"roles": ["editor"]}}
    assert set(claims_of(whole["access_token"])["resource_access"]) == {"acme", "globex"}
    for body in (first, narrowed, back, whole):
        scope = claims_of(body["refresh_token"])["scope"]
        assert set(scope.split(" ")) >= {"openid", "acme", "globex"}


async def test_a_refresh_for_an_org_that_was_not_asked_for_is_dropped_in_silence(realm):
    first = (await realm.login("openid acme")).body

    reply = await realm.refresh(first["refresh_token"], scope="openid globex")

    claims = claims_of(reply.body["access_token"])
    assert reply.status == 200
    assert claims["aud"] == "hasura"
    assert "resource_access" not in claims
    again = await realm.refresh(reply.body["refresh_token"], scope="openid acme")
    assert "acme" in claims_of(again.body["access_token"])["resource_access"]


async def test_a_refresh_for_a_scope_that_nobody_knows_is_an_error(realm):
    first = (await realm.login("openid acme")).body

    reply = await realm.refresh(first["refresh_token"], scope="openid initech")

    assert (reply.status, reply.body["error"]) == (400, "invalid_scope")


async def test_a_refresh_with_an_empty_scope_is_an_error(realm):
    first = (await realm.login("openid acme")).body

    reply = await realm.refresh(first["refresh_token"], scope="")

    assert (reply.status, reply.body) == (
        400,
        {"error": "invalid_scope", "error_description": "Invalid scopes: "},
    )


@pytest.mark.parametrize("scope", ["openid acme", "acme", "openid", "", None])
async def test_a_refresh_that_names_no_scope_has_that_of_the_first_grant(realm, scope):
    first = (await realm.login(scope)).body

    reply = await realm.refresh(first["refresh_token"])

    assert reply.status == 200
    assert reply.body["scope"] == first["scope"]
    assert ("id_token" in reply.body) is ("id_token" in first)


async def test_a_refresh_has_an_id_token_if_and_only_if_the_first_grant_had_openid(realm):
    with_it = (await realm.login("openid acme globex")).body
    without = (await realm.login("acme globex")).body

    kept = (await realm.refresh(with_it["refresh_token"], scope="acme")).body
    added = (await realm.refresh(without["refresh_token"], scope="openid acme")).body

    assert "id_token" in kept
    assert "id_token" not in added


async def test_a_refresh_stays_in_its_session(realm):
    first = (await realm.login("openid acme")).body

    second = (await realm.refresh(first["refresh_token"])).body

    sids = {claims_of(it["access_token"])["sid"] for it in (first, second)}
    assert len(sids) == 1


async def test_a_refresh_token_ends(realm):
    first = (await realm.login("openid acme")).body
    ends = claims_of(first["refresh_token"])["exp"]

    realm.now = ends - 1
    assert (await realm.refresh(first["refresh_token"])).status == 200
    realm.now = ends
    reply = await realm.refresh(first["refresh_token"])

    assert (reply.status, reply.body["error"]) == (400, "invalid_grant")


async def test_a_refresh_token_of_another_address_is_refused(realm):
    first = realm.issuer.maker
    first.issuer = "http://127.0.0.1:1/realms/demo"
    token = first.issue(USERS[0], "openid acme").refresh

    assert (await realm.refresh(token)).body["error"] == "invalid_grant"


async def test_an_access_token_is_no_refresh_token(realm):
    first = (await realm.login("openid acme")).body

    assert (await realm.refresh(first["access_token"])).body["error"] == "invalid_grant"


async def test_the_same_tokens_come_without_http(realm):
    tokens = realm.issuer.login("alice", "openid acme")

    assert claims_of(tokens.access)["iss"] == realm.issuer.issuer
    assert claims_of(tokens.access)["exp"] == NOW + 300
    with pytest.raises(InvalidScope):
        realm.issuer.login("alice", "initech")
    with pytest.raises(KeyError):
        realm.issuer.login("nobody")


# --- faults


async def test_faults_are_switched_over_http(realm):
    for fault in Fault:
        reply = await realm.post(f"/dev/fault/{fault}")
        assert (reply.status, reply.body["fault"]) == (200, fault)
        assert realm.issuer.fault is fault


@pytest.mark.parametrize("name", ["nonsense", "DOWN", "none ", "%20"])
async def test_a_fault_that_there_is_not_is_404_and_changes_nothing(realm, name):
    realm.issuer.fault = Fault.SLOW

    reply = await realm.post(f"/dev/fault/{name}")

    assert reply.status == 404
    assert all(fault in reply.body["error"] for fault in Fault)
    assert realm.issuer.fault is Fault.SLOW


async def test_the_switches_are_no_links(realm):
    for path in ("/dev/fault/down", "/dev/rotate"):
        assert (await realm.get(path)).status == 405
    assert realm.issuer.fault is Fault.NONE


@pytest.mark.parametrize("document", ["discovery", "certs"])
@pytest.mark.parametrize(
    ("fault", "status", "text"),
    [
        (Fault.ERROR, 500, "Internal Server Error"),
        (Fault.GARBAGE, 200, "<html>maintenance</html>"),
        (Fault.REDIRECT, 302, "302: Found"),
    ],
)
async def test_a_fault_stands_in_the_place_of_the_document(realm, document, fault, status, text):
    realm.issuer.fault = fault

    reply = await getattr(realm, document)()

    assert reply.status == status
    assert reply.body in (text, "")
    assert realm.issuer.fetches == {document: 1}


@pytest.mark.parametrize("document", ["discovery", "certs"])
async def test_down_is_a_connection_that_ends(realm, document):
    realm.issuer.fault = Fault.DOWN

    with pytest.raises(aiohttp.ClientConnectionError):
        await getattr(realm, document)()

    assert realm.issuer.fetches[document] >= 1


@pytest.mark.parametrize("document", ["discovery", "certs"])
async def test_slow_is_the_document_after_a_while(realm, document):
    realm.issuer.fault = Fault.SLOW

    reply = await getattr(realm, document)()

    assert (reply.status, realm.issuer.fetches) == (200, {document: 1})


@pytest.mark.parametrize("document", ["discovery", "certs"])
async def test_hanging_is_no_answer_until_it_is_stopped(realm, document):
    realm.issuer.fault = Fault.HANGING

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await getattr(realm, document)()
    waiting = asyncio.create_task(getattr(realm, document)())
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await realm.issuer.stop()

    assert (await asyncio.gather(waiting, return_exceptions=True))[0] is not None


async def test_empty_is_a_set_without_keys_and_discovery_as_ever(realm):
    realm.issuer.fault = Fault.EMPTY

    assert (await realm.certs()).body == {"keys": []}
    assert (await realm.discovery()).body["issuer"] == realm.issuer.issuer


async def test_a_redirect_leads_to_a_canary_that_counts(realm):
    realm.issuer.fault = Fault.REDIRECT

    await realm.get(f"{realm.issuer.issuer}/protocol/openid-connect/certs", allow_redirects=True)

    assert realm.issuer.fetches == {"certs": 1, "canary": 1}


async def test_a_fault_does_not_touch_the_token_endpoint(realm):
    for fault in Fault:
        realm.issuer.fault = fault
        assert (await realm.login("openid acme")).status == 200


async def test_the_end_of_a_fault_is_its_end(realm):
    realm.issuer.fault = Fault.ERROR
    assert (await realm.certs()).status == 500

    await realm.post("/dev/fault/none")

    assert (await realm.certs()).status == 200


async def test_keys_rotate_over_http(realm, monkeypatch):
    monkeypatch.setattr(realm.issuer, "keys", SigningKeys())
    before = [key["kid"] for key in (await realm.certs()).body["keys"]]

    assert (await realm.post("/dev/rotate")).status == 200
    kept = [key["kid"] for key in (await realm.certs()).body["keys"]]
    assert (await realm.post("/dev/rotate?drop")).status == 200
    dropped = [key["kid"] for key in (await realm.certs()).body["keys"]]

    assert kept[:2] == before
    assert len(kept) == 3
    assert dropped[0] == before[0]
    assert len(dropped) == 2
    assert not set(dropped[1:]) & set(kept)
