"""`explain` gives the webhook's verdict on real tokens, and names what to change in Keycloak."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from asking import ask
from login import Client, Tokens
from realm import Realm
from variants import login

from hasura_kc_auth.cli.examination import examine, reasons
from hasura_kc_auth.core.request import Request
from hasura_kc_auth.wiring import Service

ROOT = Path(__file__).parents[2]
ENVIRONMENT = dict(os.environ)  # noqa: TID251 - handed on to the command, without our settings


async def advice(service: Service, token: str, code: str, org: str = "") -> str:
    """Return the advice, after the webhook and the examination have said the same."""
    answer = await ask(service, token, **({"org_id": org} if org else {}))
    found = await examine(service.authenticator, Request(token, org))

    assert found.denied is not None
    assert answer.body == {"code": found.denied.code} == {"code": code}
    return "\n".join(reasons(found))


@pytest.mark.parametrize(
    ("client_id", "user", "scope", "org", "code", "cures"),
    [
        pytest.param(
            "full-scope",
            "bob",
            "openid org2",
            "",
            "no_org",
            ["Roles of 'org1' are in the token", "Full scope allowed"],
            id="full scope",
        ),
        pytest.param(
            "frontend",
            "bob",
            "openid org2",
            "",
            "no_org",
            ["the user has no role in that org", "scope=openid ORG"],
            id="dropped in silence",
        ),
        pytest.param(
            "no-roles-scope",
            "alice",
            "openid org1",
            "",
            "no_org",
            ["There is no resource_access at all", "lacks the default scope `roles`"],
            id="no default scope roles",
        ),
        pytest.param(
            "no-audience-resolve",
            "alice",
            "openid org1",
            "",
            "no_org",
            ["'org1' is not in aud", "Audience Resolve"],
            id="no audience resolve",
        ),
        pytest.param(
            "frontend",
            "zoe",
            "openid hidden",
            "",
            "no_org",
            ["Roles of 'hidden' are in the token", "Include in token scope"],
            id="the scope is not included in tokens",
        ),
        pytest.param(
            "frontend",
            "zoe",
            "openid org:shop",
            "",
            "no_org",
            ["Roles of 'shop' are in the token", "`org.scope`"],
            id="the scope is named otherwise",
        ),
        pytest.param(
            "frontend",
            "zoe",
            "openid account",
            "",
            "no_org",
            ["'account' cannot be an org: Keycloak's own"],
            id="a client of Keycloak's own",
        ),
        pytest.param(
            "frontend",
            "zoe",
            "openid org2",
            "org1",
            "org_not_granted",
            ["It holds org2.", "a composite role leads there", "prompt=none"],
            id="a composite across orgs",
        ),
        pytest.param(
            "frontend",
            "alice",
            "openid org1 org2",
            "",
            "ambiguous_org",
            ["org1 and org2", "in the org header"],
            id="two orgs",
        ),
        pytest.param(
            "frontend",
            "only-odd-roles",
            "openid odd",
            "",
            "no_role",
            ["Roles held in 'odd': none that is allowed", "`roles.allowed`"],
            id="no role that is allowed",
        ),
        pytest.param(
            "stranger",
            "alice",
            "openid org1",
            "",
            "wrong_client",
            ["azp is 'stranger'", "Add the client"],
            id="another client",
        ),
        pytest.param(
            "no-audience",
            "alice",
            "openid org1",
            "",
            "wrong_audience",
            ["aud is 'org1'; `audiences` has hasura", "Audience mapper"],
            id="another audience",
        ),
        pytest.param(
            "lightweight",
            "alice",
            "openid org1",
            "",
            "missing_claim",
            ["Lightweight access tokens"],
            id="lightweight",
        ),
        pytest.param(
            "no-basic-scope",
            "alice",
            "openid org1",
            "",
            "missing_claim",
            ["`basic` (sub) must be a default scope"],
            id="no default scope basic",
        ),
        pytest.param(
            "signs-HS256",
            "alice",
            "openid org1",
            "",
            "unsupported_algorithm",
            ["Access token signature algorithm"],
            id="a shared secret",
        ),
    ],
)
async def test_the_advice_names_the_cure(
    variants: Realm,
    variants_service: Service,
    *,
    client_id: str,
    user: str,
    scope: str,
    org: str,
    code: str,
    cures: list[str],
) -> None:
    tokens = await login(variants, user, scope, client_id)

    words = await advice(variants_service, tokens.access, code, org)

    for cure in cures:
        assert cure in words


async def test_the_wrong_kind_of_token_is_told(service: Service, frontend: Client) -> None:
    tokens = await frontend.password("alice", "openid org1")

    assert tokens.id is not None
    assert tokens.refresh is not None
    assert "Send the `access_token`" in await advice(service, tokens.id, "wrong_type")
    words = await advice(service, tokens.refresh, "unsupported_algorithm")
    assert "is a refresh token" in words


async def test_an_inner_and_an_outer_address_are_told(service: Service, realm: Realm) -> None:
    elsewhere = realm.issuer.replace("127.0.0.1", "localhost")
    tokens = await Client(realm.admin.http, elsewhere).password("alice", "openid org1")

    words = await advice(service, tokens.access, "wrong_issuer")

    assert f"iss is {elsewhere!r}" in words
    assert "Keycloak's inner address into `jwks_uri`" in words


async def test_an_allowed_token_needs_no_advice(service: Service, frontend: Client) -> None:
    token = (await frontend.password("alice", "openid org1")).access

    found = await examine(service.authenticator, Request(token))

    assert found.session is not None
    assert found.session.variables == (await ask(service, token)).body
    assert reasons(found) == []
    assert all(holds for _, holds in found.findings())


# The commands


def variables(realm: Realm, **more: str) -> dict[str, str]:
    settings = {
        "ISSUER": realm.issuer,
        "CLIENTS": "frontend",
        "AUDIENCES": "hasura",
        "ROLES__ALLOWED": "org_admin,owner,editor,viewer",
        "ROLES__MAP": '{"admin": "org_admin"}',
        **more,
    }
    return {f"HASURA_KC_AUTH__{name}": value for name, value in settings.items()}


async def command(env: Mapping[str, str], *arguments: str, text: str = "") -> tuple[int, Any]:
    """Run a command of the package; return its exit code and the JSON that it printed."""
    usual = {name: it for name, it in ENVIRONMENT.items() if not name.startswith("HASURA_KC_AUTH")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "hasura_kc_auth",
        *arguments,
        "--json",
        cwd=ROOT,
        env={**usual, **env},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate(text.encode())
    assert errors == b""
    assert process.returncode is not None
    return process.returncode, json.loads(output)


async def test_the_command_explains_a_token_from_standard_input(
    service: Service, realm: Realm, frontend: Client
) -> None:
    def explain(tokens: Tokens, *options: str) -> Any:
        env = variables(realm, SESSION__VARIABLES='{"X-Hasura-Email": "email"}')
        return command(env, "explain", *options, text=f"{tokens.access}\n")

    one = await frontend.password("alice", "openid org1")
    both = await frontend.password("alice", "openid org1 org2")
    (yes, allowed), (no, refused), (wished, chosen) = await asyncio.gather(
        explain(one), explain(both), explain(both, "--org", "org2", "--role", "viewer")
    )

    assert yes == 0
    assert allowed["variables"] == (await ask(service, one.access)).body
    assert (no, refused["code"], refused["variables"]) == (1, "ambiguous_org", None)
    assert "The token holds org1 and org2." in refused["advice"]
    answer = await ask(service, both.access, org_id="org2", role="viewer")
    assert (wished, chosen["variables"]) == (0, answer.body)


async def test_the_command_checks_the_realm(realm: Realm) -> None:
    elsewhere = realm.issuer.replace("127.0.0.1", "localhost")
    gone = f"{realm.issuer}-gone"
    nobody = "http://127.0.0.1:1/realms/acme"
    inner = {"ISSUER": "https://sso.example.test/realms/acme", "JWKS_URI": realm.jwks_uri}

    def check(**changes: str) -> Any:
        return command(variables(realm, **changes), "check", "--online")

    answers = await asyncio.gather(
        check(),
        check(ISSUER=elsewhere),
        check(**inner),
        check(ISSUER=gone),
        check(ISSUER=nobody),
    )
    (fits, good), (follows, local), (outer, split), (missing, bad), (down, none) = answers

    # All that does not fit is the missing hostname, which these tests need missing.
    assert (fits, good["problems"], good["warnings"]) == (1, [], [])
    [report] = good["issuers"].values()
    [fault] = report.pop("faults")
    assert fault.startswith("the issuer's name follows the Host header")
    assert report == {"result": "ok", "detail": "1 usable key(s) for RS256"}
    for code, answer in (
        (follows, local["issuers"][elsewhere]),
        (outer, split["issuers"][inner["ISSUER"]]),
    ):
        assert (code, answer["result"], answer["faults"]) == (1, "ok", [fault])
    assert (missing, bad["issuers"][gone]["result"]) == (1, "status")
    assert (down, none["issuers"][nobody]["result"]) == (3, "connect")
