"""The development issuer's introspection endpoint answers as Keycloak does."""

from __future__ import annotations

from dataclasses import replace

import pytest
from aiohttp import encode_basic_auth

from hasura_kc_auth.devtools.issuer import Fault
from tests.devtools.test_issuer import NOW, claims_of, realm  # noqa: F401 - a fixture

CLIENT = {"client_id": "hasura-kc-auth", "client_secret": "demo"}


@pytest.fixture
def introspect(realm):  # noqa: F811
    """Give what asks about a token; by default as the confidential client."""

    async def ask(token, *, headers=None, **form):
        url = f"{realm.issuer.issuer}/protocol/openid-connect/token/introspect"
        login = CLIENT if headers is None else {}
        return await realm.post(url, data=login | {"token": token} | form, headers=headers or {})

    return ask


@pytest.fixture
def issuer(realm):  # noqa: F811
    return realm.issuer


def _light(issuer, user="alice", scope="openid acme"):
    return issuer.login(user, scope, lightweight=True).access


def test_a_lightweight_token_tells_nothing_of_the_user(issuer):
    claims = claims_of(_light(issuer))
    assert set(claims) == {"exp", "iat", "jti", "iss", "typ", "azp", "sid", "scope"}
    assert claims["jti"].startswith("onlt")
    assert (claims["typ"], claims["scope"]) == ("Bearer", "openid profile acme email")


async def test_introspection_tells_all_of_it(issuer, introspect):
    token = _light(issuer)
    reply = await introspect(token)
    assert reply.status == 200
    assert reply.body.items() >= claims_of(token).items()
    told = {name: reply.body[name] for name in reply.body if name not in claims_of(token)}
    assert told["sub"] == issuer.users["alice"].subject
    assert told["aud"] == ["hasura", "acme"]
    assert told["resource_access"] == {"acme": {"roles": ["editor"]}}
    assert (told["active"], told["client_id"], told["username"]) == (True, "frontend", "alice")
    assert (told["token_type"], told["acr"]) == ("Bearer", "1")


async def test_a_full_token_is_told_as_it_is(issuer, introspect):
    token = issuer.login("bob", "openid acme").access
    reply = await introspect(token)
    added = {"active", "client_id", "username", "token_type"}
    assert {name: it for name, it in reply.body.items() if name not in added} == claims_of(token)


async def test_the_roles_are_those_of_today_and_the_rest_stays(issuer, introspect):
    token = _light(issuer)
    issuer.users["alice"] = replace(issuer.users["alice"], roles={})
    reply = await introspect(token)
    assert reply.body["active"] is True
    assert "resource_access" not in reply.body
    assert "acme" in reply.body["aud"]
    assert "acme" in reply.body["scope"]


async def test_an_id_token_is_active_too(issuer, introspect):
    reply = await introspect(issuer.login("alice").identity)
    assert (reply.body["active"], reply.body["typ"]) == (True, "ID")
    assert "token_type" not in reply.body


@pytest.mark.parametrize("kind", ["garbage", "empty", "refresh", "forged", "gone", "expired"])
async def test_what_is_not_active(realm, introspect, kind):  # noqa: F811
    tokens = realm.issuer.login("alice", "openid acme")
    head, payload, _ = tokens.access.split(".")
    token = {
        "garbage": "a.b.c",
        "empty": "",
        "refresh": tokens.refresh,
        "forged": f"{head}.{payload}.{'A' * 342}",
    }.get(kind, tokens.access)
    if kind == "gone":
        del realm.issuer.users["alice"]
    if kind == "expired":
        realm.now = NOW + 300
    reply = await introspect(token)
    assert (reply.status, reply.body) == (200, {"active": False})


async def test_the_audience_is_looked_at_where_it_is_set_so(issuer, introspect):
    issuer.introspector.checks_audience = True
    assert (await introspect(_light(issuer))).body == {"active": False}
    issuer.introspector.clients["hasura"] = "demo"
    reply = await introspect(_light(issuer), client_id="hasura")
    assert reply.body["active"] is True


BASIC = [
    pytest.param(encode_basic_auth("hasura-kc-auth", "demo"), 200, id="the client"),
    pytest.param(encode_basic_auth("odd%3Aid", "p%25+q"), 200, id="form-encoded"),
    pytest.param(encode_basic_auth("hasura-kc-auth", "wrong"), 401, id="a wrong secret"),
    pytest.param(encode_basic_auth("hasura-kc-auth", ""), 401, id="no secret"),
    pytest.param(encode_basic_auth("nobody", "demo"), 401, id="nobody"),
    pytest.param(encode_basic_auth("frontend", "demo"), 403, id="a public client"),
    pytest.param("Basic !", 401, id="no base64"),
    pytest.param("Basic /w==", 401, id="no text"),
    pytest.param("Bearer x", 401, id="another scheme"),
]


@pytest.mark.parametrize(("authorization", "status"), BASIC)
async def test_who_may_ask(issuer, introspect, authorization, status):
    issuer.introspector.clients["odd:id"] = "p% q"
    reply = await introspect(_light(issuer), headers={"Authorization": authorization})
    assert reply.status == status
    texts = {401: "Authentication failed.", 403: "Client not allowed."}
    assert reply.body.get("error_description") == texts.get(status)


@pytest.mark.parametrize(
    ("fault", "status"), [(Fault.ERROR, 500), (Fault.GARBAGE, 200), (Fault.REDIRECT, 302)]
)
async def test_its_faults_are_its_own(realm, introspect, fault, status):  # noqa: F811
    await realm.post(f"/dev/fault/{fault}?introspection")
    assert (await introspect("x")).status == status
    assert (await realm.certs()).status == 200
    assert realm.issuer.fetches["introspect"] == 1
    await realm.post("/dev/fault/empty?introspection")
    assert (await introspect("x")).body == {}
    await realm.post("/dev/fault/none?introspection")
    await realm.post(f"/dev/fault/{fault}")
    assert (await introspect("x")).body == {"active": False}


async def test_discovery_names_it(realm):  # noqa: F811
    found = await realm.discovery()
    assert found.body["introspection_endpoint"].endswith("/token/introspect")
