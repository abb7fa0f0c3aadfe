"""`keycloak export`, `token`, `orgs` and `schema`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.cli.commands import invoke
from tests.cli.keycloak.conftest import Place
from tests.keycloak.realm_server import REALM, Fault

NOT_FOUND = "Keycloak: the realm has no"


def claims(scope: str, **more: Any) -> dict[str, Any]:
    """Return what evaluate-scopes says for a login."""
    now = int(time.time())  # noqa: TID251 - the command reads the system's clock
    return {
        "exp": now + 300,
        "iat": now,
        # As asked, where no hostname is set.
        "iss": f"http://elsewhere/realms/{REALM}",
        "sub": "7e0c",
        "typ": "Bearer",
        "azp": "frontend",
        "scope": scope,
        **more,
    }


def recipe(*roles: tuple[str, list[str]], scope: str = "openid acme") -> Any:
    access = {org: {"roles": held} for org, held in roles}
    return claims(scope, aud=["hasura", *access], resource_access=access)


@pytest.fixture
def shop(place: Place) -> Iterator[Place]:
    """Give a realm that has been set up."""
    place.apply()
    place.server.calls.clear()
    return place


def answers(place: Place, *told: Any) -> None:
    for it in told:
        place.server.faults.append(Fault("evaluate-scopes", json.dumps(it).encode()))


# export


def test_an_exported_file_plans_nothing(shop: Place) -> None:
    said = shop.run("export")
    written = yaml.safe_load(said.out)
    (shop.folder / "orgs.yaml").write_text(said.out)

    assert said.code == 0
    assert written["orgs"] == {"acme": {}, "globex": {}}
    assert shop.plan().code == 0


def test_an_export_names_its_issuer_where_the_realm_s_name_does_not(shop: Place) -> None:
    ours = shop.settings()
    other = {**ours["issuers"][0], "issuer": f"http://127.0.0.2/realms/{REALM}", "namespace": "b"}
    ours["issuers"] = [{**ours["issuers"][0], "namespace": "a"}, other]
    shop.write(settings=ours)

    missing = shop.run("export")
    unknown = shop.run("export", "--issuer", "http://nobody")
    said = shop.run("export", "--issuer", ours["issuers"][0]["issuer"])

    assert (missing.code, missing.err) == (
        2,
        "--issuer: there are several issuers; say which one is meant\n",
    )
    assert (unknown.code, unknown.err) == (2, "--issuer: is none of `issuers`\n")
    (shop.folder / "orgs.yaml").write_text(said.out)
    assert shop.plan().code == 0


# token


def test_a_token_is_judged_by_the_settings(shop: Place) -> None:
    answers(shop, recipe(("acme", ["editor", "viewer"])))

    said = shop.run("token", "--user", "alice", "--org", "acme", "--role", "viewer", "--json")

    assert said.code == 0
    assert said.json["variables"]["X-Hasura-Org-Id"] == "acme"
    assert said.json["variables"]["X-Hasura-Role"] == "viewer"
    assert shop.server.calls[-1].startswith("GET clients/")


def test_a_refusal_is_explained(shop: Place) -> None:
    answers(shop, recipe(("acme", ["janitor"])))

    said = shop.run("token", "--user", "Alice", "--org", "acme")

    assert said.code == 1
    assert said.out.startswith(
        "a login at frontend for scope=openid acme: the claims are\n"
        "Keycloak's, signed here with a throw-away key, and judged by your settings\n"
    )
    assert "denied: no_role" in said.out


@pytest.mark.parametrize(
    ("org", "settings", "scope"),
    [
        ("", {}, "openid"),
        ("acme", {"org": {"scope": "org:{org}"}}, "openid org:acme"),
        ("acme", {"org": {"from": "organization", "client": "api"}}, "openid organization:acme"),
        ("acme", {"org": {"from": "claim", "claim": "org"}}, "openid"),
    ],
)
def test_a_login_asks_for_what_the_carrier_takes(
    shop: Place, org: str, settings: dict[str, Any], scope: str
) -> None:
    shop.write(settings=shop.settings(**settings))
    shop.server.client("frontend")["optionalClientScopes"] += ["org:acme", "organization"]
    answers(shop, claims(scope))

    said = shop.run("token", "--user", "alice", "--org", org, "--client", "frontend")

    assert said.out.startswith(f"a login at frontend for scope={scope}: ")
    assert said.code == 1


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--user", "zoe"], "user zoe"),
        (["--user", "alice", "--client", "other"], "client other"),
    ],
)
def test_who_is_not_there_is_named(shop: Place, words: list[str], problem: str) -> None:
    said = shop.run("token", *words)

    assert (said.code, said.out, said.err) == (1, "", f"{NOT_FOUND} {problem}\n")


@pytest.mark.parametrize(
    ("call", "other", "problem"),
    [
        ("GET clients$", {"id": "1", "clientId": "frontend2"}, "client frontend"),
        ("GET users$", {"id": "1", "username": "alice2"}, "user alice"),
    ],
)
def test_nobody_else_is_taken_for_them(
    shop: Place, call: str, other: dict[str, str], problem: str
) -> None:
    shop.server.faults.append(Fault(call, json.dumps([other]).encode()))

    said = shop.run("token", "--user", "alice")

    assert (said.code, said.err) == (1, f"{NOT_FOUND} {problem}\n")


# orgs


def test_the_orgs_of_a_user(shop: Place) -> None:
    acme, globex = ("acme", ["editor", "viewer"]), ("globex", ["janitor"])
    every = recipe(acme, globex, ("account", ["manage"]), scope="openid my-orgs")
    each = [recipe(acme, scope="openid acme"), recipe(globex, scope="openid globex")]
    answers(shop, *(every, *each) * 2)

    said, as_json = (shop.run("orgs", "--user", "alice", *words) for words in ((), ("--json",)))

    assert (said.code, [line.rstrip() for line in said.out.splitlines()]) == (
        0,
        ["org    roles", "acme   editor, viewer", "globex no_role"],
    )
    assert as_json.json == {
        "orgs": [
            {"org": "acme", "org_id": "acme", "roles": ["editor", "viewer"], "code": None},
            {"org": "globex", "org_id": None, "roles": [], "code": "no_role"},
        ]
    }


def test_the_organizations_of_a_user(shop: Place) -> None:
    shop.write(settings=shop.settings(org={"from": "organization", "client": "api"}))
    shop.server.client("frontend")["optionalClientScopes"] += ["organization"]
    told = {"acme": {"resource_access": {"api": {"roles": ["editor"]}}}, "globex": {"groups": []}}
    answers(
        shop,
        claims("openid organization:*", aud="hasura", organization=told),
        *(
            claims(f"openid organization:{org}", aud="hasura", organization={org: entry})
            for org, entry in told.items()
        ),
    )

    said = shop.run("orgs", "--user", "alice", "--json")

    assert {it["org"]: it["code"] for it in said.json["orgs"]} == {
        "acme": None,
        "globex": "no_role",
    }


@pytest.mark.parametrize("what", ["user alice", "client frontend"])
def test_who_is_disabled_cannot_log_in(shop: Place, what: str) -> None:
    kind, name = what.split()
    for it in shop.server.things[f"{kind}s"].values():
        if name in (it.get("username"), it.get("clientId")):
            it["enabled"] = False

    said = shop.run("token", "--user", "alice", "--org", "acme", "--json")

    assert (said.code, said.json) == (
        1,
        {"problems": [f"Keycloak: {what} is disabled, and a login is refused"]},
    )


def test_who_has_no_org_is_told_so(shop: Place) -> None:
    answers(shop, claims("openid"))

    said = shop.run("orgs", "--user", "alice")

    assert (said.code, said.out) == (1, "none: the user holds no role in any org\n")


def test_without_its_scope_nobody_can_tell(place: Place) -> None:
    place.server.add_client("frontend")

    said = place.run("orgs", "--user", "alice")

    assert said.code == 1
    assert said.err.startswith("Keycloak: client frontend lacks the scope my-orgs: ")


def test_a_claim_tells_of_one_org_only(place: Place) -> None:
    place.write(settings=place.settings(org={"from": "claim", "claim": "org"}))

    said = place.run("orgs", "--user", "alice", "--json")

    assert (said.code, said.json) == (
        2,
        {"problems": ["org.from is claim: there is no scope that tells all orgs"]},
    )


# schema


def test_the_schema_is_printed() -> None:
    said = invoke("keycloak", "schema")

    assert said.code == 0
    assert {"realm", "carrier", "orgs", "retired"} <= said.json["properties"].keys()
