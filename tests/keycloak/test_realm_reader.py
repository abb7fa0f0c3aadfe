"""Reading a realm's set-up: what Keycloak answers becomes facts, and anything else a sentence."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import aiohttp
import pytest
from aiohttp import web

from hasura_kc_auth.core.policy import IssuerPolicy, OrgPolicy
from hasura_kc_auth.keycloak import realm_reader
from hasura_kc_auth.keycloak.fetch import FetchFailed, FetchResult, client_session
from hasura_kc_auth.keycloak.realm_check import faults
from hasura_kc_auth.keycloak.realm_facts import (
    ClientFacts,
    OrganizationFacts,
    OrgFacts,
    RealmFacts,
)
from hasura_kc_auth.keycloak.realm_reader import RealmReader, ServiceAccount, realm_url
from tests.keycloak.admin_api import (
    ACCOUNT,
    SECRET,
    TOKEN,
    admin_api,
    audience,
    broken,
    client,
    mapper,
    named,
    redirecting,
    role,
    scope,
)

RIGHTS = "(needed: view-clients and query-clients of realm-management, in its token)"
POLICY = IssuerPolicy(issuer="", clients=frozenset({"frontend"}), audiences=frozenset({"hasura"}))
ORGANIZATIONS = replace(POLICY, org=OrgPolicy(source="organization", client="hasura"))
FRONTEND = ClientFacts(
    full_scope=False,
    default_scopes=frozenset({"basic", "roles", "hasura-audience"}),
    optional_scopes=frozenset({"acme", "globex", "organization"}),
    audiences=frozenset({"hasura"}),
)
# A composite of its own leads an org to itself.
ORGS = {
    org: OrgFacts(
        roles=frozenset({"viewer", "owner"}),
        mapped=frozenset({"viewer", "owner"}),
        in_token_scope=True,
    )
    for org in ("acme", "globex")
}
REALM = RealmFacts({"frontend": FRONTEND}, ORGS, {org: frozenset({org}) for org in ORGS})


@pytest.fixture
async def api():
    async with admin_api() as api:
        yield api


async def read(api, policy=POLICY, secret=SECRET, jwks_uri=None):
    async with client_session(None) as session:
        reader = RealmReader(session, api.issuer, jwks_uri)
        await reader.login(ServiceAccount(ACCOUNT, secret))
        return await reader.read(policy)


async def failure(api, policy=POLICY, secret=SECRET):
    with pytest.raises(FetchFailed) as caught:
        await read(api, policy, secret)
    for hidden in (SECRET, TOKEN, secret):
        assert hidden not in str(caught.value)
    return caught.value.result, caught.value.detail


async def test_a_good_realm_is_read_and_has_no_fault(api):
    found = await read(api)

    assert found == REALM
    assert list(faults(found, POLICY)) == []


@pytest.mark.parametrize("relative_path", ["/auth", "/some/where", "/a/realms/b"])
async def test_keycloak_may_live_below_a_path(relative_path):
    async with admin_api(relative_path=relative_path) as api:
        assert await read(api) == REALM
        assert "/admin/realms/made/clients" in api.asked


@pytest.mark.parametrize(
    ("issuer", "jwks_uri", "expected"),
    [
        ("https://a/realms/b", None, "https://a/realms/b"),
        ("https://a/realms/b/", None, "https://a/realms/b"),
        (
            "https://a/realms/b",
            "http://kc:8080/auth/realms/b/protocol/openid-connect/certs",
            "http://kc:8080/auth/realms/b",
        ),
        ("https://a/realms/b", "https://cdn/keys.json", "https://a/realms/b"),
    ],
)
def test_the_realm_is_asked_where_its_keys_are(issuer, jwks_uri, expected):
    assert realm_url(issuer, jwks_uri) == expected


async def test_an_inner_address_is_used_for_login_and_admin(api):
    outer = replace(api)
    outer.origin = "https://sso.example.test"

    found = await read(outer, jwks_uri=f"{api.issuer}/protocol/openid-connect/certs")

    assert found.orgs == ORGS


# --- what is read


@pytest.mark.parametrize("count", [0, 94, 95, 96, 195, 250])
async def test_all_pages_of_clients_are_read(api, count):
    # With the five that are there: below, at and above one page and two.
    api.answers["/clients"][1:1] = [client(f"other-{number}") for number in range(count)]

    assert (await read(api)).orgs == ORGS
    assert api.asked.count("/admin/realms/made/clients") == (count + 5) // 100 + 1


async def test_what_a_client_is_set_to(api):
    api.client("frontend").update(
        fullScopeAllowed=True,
        attributes={
            "access.token.signed.response.alg": "HS256",
            "client.use.lightweight.access.token.enabled": "true",
        },
    )

    assert (await read(api)).clients == {
        "frontend": replace(FRONTEND, full_scope=True, algorithm="HS256", lightweight=True)
    }


@pytest.mark.parametrize("attributes", [None, {}, {"access.token.signed.response.alg": None}])
async def test_attributes_may_be_missing(api, attributes):
    api.client("frontend")["attributes"] = attributes
    del api.scope("acme")["attributes"]

    assert await read(api) == REALM


async def test_a_client_that_is_not_there_is_left_out(api):
    policy = replace(POLICY, clients=frozenset({"frontend", "gone"}))

    assert (await read(api, policy)).clients == {"frontend": FRONTEND}


@pytest.mark.parametrize(
    ("mappers", "expected"),
    [
        pytest.param([], set(), id="none"),
        pytest.param([audience("x"), audience("y")], {"x", "y"}, id="two"),
        pytest.param([audience("x", "included__custom__audience")], {"x"}, id="custom"),
        pytest.param(
            [
                mapper(
                    "oidc-audience-mapper",
                    included__client__audience="client",
                    included__custom__audience="custom",
                    access__token__claim="true",
                )
            ],
            {"client"},
            id="both: Keycloak takes the client",
        ),
        pytest.param(
            [mapper("oidc-audience-mapper", included__client__audience="x")],
            set(),
            id="not into access tokens",
        ),
        pytest.param([mapper("oidc-other", access__token__claim="true")], set(), id="another"),
        pytest.param([mapper("oidc-audience-mapper", access__token__claim="true")], {""}, id="odd"),
    ],
)
@pytest.mark.parametrize("dedicated", [True, False])
async def test_audiences_come_from_default_scopes_and_the_client_itself(
    api, mappers, expected, dedicated
):
    api.scope("hasura-audience")["protocolMappers"] = []
    holder = api.client("frontend") if dedicated else api.scope("basic")
    holder["protocolMappers"] = mappers
    # An optional scope is not in every token.
    api.scope("acme")["protocolMappers"] = [audience("optional")]

    assert (await read(api)).clients["frontend"].audiences == expected


async def test_what_an_org_is_set_to(api):
    api.scope("acme")["attributes"]["include.in.token.scope"] = "false"
    mappings = "/client-scopes/scope-acme/scope-mappings/clients/id-acme/composite"
    api.answers[mappings] = [role("acme", "viewer")]
    api.answers["/roles-by-id/acme-owner/composites"] = [role("globex", "viewer")]

    found = await read(api)

    assert found.orgs["acme"] == OrgFacts(
        roles=frozenset({"viewer", "owner"}), mapped=frozenset({"viewer"}), in_token_scope=False
    )
    assert found.leads_to["acme"] == {"globex"}


async def test_composites_are_followed_over_other_clients_but_not_for_ever(api):
    api.answers["/roles-by-id/acme-owner/composites"] = [
        {**role("none", "staff"), "clientRole": False, "containerId": "realm"},
        role("hasura", "all", composite=True),
    ]
    api.answers["/roles-by-id/hasura-all/composites"] = [
        role("globex", "owner", composite=True),
        role("acme", "owner", composite=True),
        role("hasura", "all", composite=True),
    ]

    found = await read(api)

    assert found.leads_to["acme"] == {"hasura", "globex", "acme"}
    assert list(faults(found, POLICY)) == [
        "org acme: a composite role of it leads to roles of globex"
    ]


async def test_only_what_can_be_an_org_is_read(api):
    api.answers["/client-scopes"] += [scope("account"), scope("frontend")]
    policy = replace(POLICY, org=OrgPolicy(deny=("globex",)))

    assert (await read(api, policy)).orgs.keys() == {"acme"}
    assert "/admin/realms/made/clients/id-globex/roles" not in api.asked


async def test_scopes_are_found_by_their_configured_name(api):
    api.answers["/client-scopes"].append({**scope("org:acme"), "id": "scope-acme"})

    found = await read(api, replace(POLICY, org=OrgPolicy(scope="org:{org}")))

    assert found.orgs == {"acme": ORGS["acme"]}


# --- the other carriers


BY_KEY = {
    "claim": replace(POLICY, org=OrgPolicy(source="claim", claim=("org",))),
    "organization": replace(POLICY, org=OrgPolicy(source="organization", roles="client")),
}


@pytest.mark.parametrize("policy", BY_KEY.values(), ids=BY_KEY)
async def test_without_client_scopes_every_client_that_can_be_an_org_is_looked_at(api, policy):
    api.answers["/clients/id-hasura/roles"] = [role("hasura", "all", composite=True)]
    api.answers["/roles-by-id/hasura-all/composites"] = [role("globex", "viewer")]

    found = await read(api, policy)

    assert found.orgs == {}
    own = {org: frozenset({org}) for org in ORGS}
    assert found.leads_to == {**own, "hasura": frozenset({"globex"})}
    assert not any("scope-mappings" in path for path in api.asked)
    assert not any("account" in path or "frontend/roles" in path for path in api.asked)


@pytest.mark.parametrize(
    ("realm", "algorithm"),
    [
        ({}, ""),
        ({"defaultSignatureAlgorithm": None}, ""),
        ({"defaultSignatureAlgorithm": "ES256"}, "ES256"),
    ],
)
async def test_the_default_algorithm_is_read_where_it_is_told(api, realm, algorithm):
    api.answers[""] = realm

    assert await read(api) == replace(REALM, algorithm=algorithm)


async def test_organizations_are_read(api):
    found = await read(api, ORGANIZATIONS)

    membership = {"claim.name": "organization", "access.token.claim": "true"}
    assert found == RealmFacts(
        {"frontend": FRONTEND},
        organizations=OrganizationFacts(enabled=True, membership=membership, groups=None),
    )
    assert not any("/roles" in path for path in api.asked)


async def test_the_mappers_of_groups_are_read(api):
    options = {"access__token__claim": "true", "addGroupRoleMappings": "true"}
    groups = mapper("oidc-organization-group-membership-mapper", **options)
    api.scope("organization")["protocolMappers"].append(groups)

    found = (await read(api, ORGANIZATIONS)).organizations

    assert found is not None
    assert found.groups == {"access.token.claim": "true", "addGroupRoleMappings": "true"}


@pytest.mark.parametrize(
    ("realm", "enabled"),
    [
        ({"organizationsEnabled": False}, False),
        ({"organizationsEnabled": True}, True),
        ({}, None),
        ({"organizationsEnabled": "yes"}, None),
    ],
)
async def test_whether_organizations_are_on(api, realm, enabled):
    api.answers[""] = realm
    api.answers["/client-scopes"] = [scope("basic")]

    assert (await read(api, ORGANIZATIONS)).organizations == OrganizationFacts(
        enabled=enabled, membership=None, groups=None
    )


# --- what goes wrong


async def test_a_wrong_secret_is_told_and_not_shown(api):
    words = "the login was refused (401): look at id, secret and realm"

    assert await failure(api, secret="another-secret") == (FetchResult.STATUS, words)


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (400, "the login was refused (400): look at id, secret and realm"),
        (404, "the login: Keycloak answered 404"),
        (500, "the login: Keycloak answered 500"),
        (b"<html>", "the login: the answer is no JSON"),
        (b"\xff", "the login: the answer is no JSON"),
        ([], "an object: the answer is not of Keycloak's shape"),
        ({}, "access_token: the answer is not of Keycloak's shape"),
        ({"access_token": 7}, "access_token: the answer is not of Keycloak's shape"),
        ({"access_token": ""}, "access_token: the answer is not of Keycloak's shape"),
        ({"access_token": "a\r\nX: b"}, "access_token: the answer is not of Keycloak's shape"),
        ({"access_token": "ü"}, "access_token: the answer is not of Keycloak's shape"),
    ],
)
async def test_a_login_that_fails(api, answer, detail):
    api.login = answer

    assert (await failure(api))[1] == detail


async def test_the_secret_does_not_follow_a_redirect(api):
    api.login = redirecting

    assert await failure(api) == (FetchResult.STATUS, "the login: Keycloak answered 307")
    assert "/elsewhere" not in api.asked


async def test_the_token_does_not_follow_a_redirect(api):
    api.answers["/clients"] = redirecting

    assert (await failure(api))[1] == "clients: Keycloak answered 307"
    assert "/elsewhere" not in api.asked


PATHS = [
    "/clients",
    "/client-scopes",
    "/clients/id-frontend/default-client-scopes",
    "/clients/id-frontend/optional-client-scopes",
    "/clients/id-acme/roles",
    "/client-scopes/scope-acme/scope-mappings/clients/id-acme/composite",
    "/roles-by-id/acme-owner/composites",
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("answer", "ending"),
    [
        (401, ": Keycloak answered 401"),
        (403, f": Keycloak answered 403 {RIGHTS}"),
        (500, ": Keycloak answered 500"),
        (b"<html>maintenance</html>", ": the answer is no JSON"),
        (b"[" * 100_000, ": the answer is no JSON"),
    ],
)
async def test_each_call_may_fail(api, path, answer, ending):
    api.answers[path] = answer

    assert (await failure(api))[1] == path.split("/")[1] + ending


async def test_the_realm_itself_may_fail(api):
    api.answers[""] = 403

    assert (await failure(api, ORGANIZATIONS))[1] == f"the realm: Keycloak answered 403 {RIGHTS}"


@pytest.mark.parametrize("path", ["/clients", "/client-scopes"])
async def test_who_may_query_and_not_view_is_shown_nothing(api, path):
    # Measured: 200 and an empty list, which would read as a realm without the client.
    api.answers[path] = []

    words = f"the account is shown nothing {RIGHTS}"
    assert await failure(api) == (FetchResult.STATUS, words)


ODD = [b"7", b"true", None, "text", {}, {"error": "x"}, [7], [None], [[]]]
NAMELESS = [[{}], [{"name": 1}], [{"name": None, "clientId": None}], [{"name": "", "clientId": ""}]]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("answer", ODD, ids=repr)
async def test_odd_shapes_are_told_and_never_a_traceback(api, path, answer):
    api.answers[path] = answer

    _, detail = await failure(api)

    assert detail == "a list: the answer is not of Keycloak's shape"


@pytest.mark.parametrize("path", PATHS[:-1])  # nobody asks for the names of composites
@pytest.mark.parametrize("answer", NAMELESS, ids=repr)
async def test_what_has_no_name_is_told_and_never_a_traceback(api, path, answer):
    api.answers[path] = answer

    _, detail = await failure(api)

    assert detail.partition(":")[0] in ("name", "clientId")
    assert detail.endswith(": the answer is not of Keycloak's shape")


def _without_id(org, *, as_scope=False):
    def change(api):
        del (api.scope(org) if as_scope else api.client(org))["id"]

    return change


def _change(path, value):
    def change(api):
        api.answers[path] = value

    return change


def _frontend(**changes):
    return lambda api: api.client("frontend").update(changes)


def _scope(name, **changes):
    return lambda api: api.scope(name).update(changes)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_without_id("frontend"), id="a client without id"),
        pytest.param(_frontend(id=7), id="a client whose id is a number"),
        pytest.param(_without_id("acme"), id="an org without id"),
        pytest.param(_without_id("acme", as_scope=True), id="a scope without id"),
        pytest.param(_frontend(attributes=[]), id="attributes are a list"),
        pytest.param(_frontend(attributes="x"), id="attributes are text"),
        pytest.param(_frontend(protocolMappers={"a": 1}), id="mappers are an object"),
        pytest.param(_frontend(protocolMappers=[None]), id="a mapper is null"),
        pytest.param(_frontend(protocolMappers=[{"config": 7}]), id="a config is a number"),
        pytest.param(_scope("basic", protocolMappers=[7]), id="a scope's mapper is a number"),
        pytest.param(_scope("acme", attributes=["x"]), id="a scope's attributes are a list"),
        pytest.param(
            _change("/roles-by-id/acme-owner/composites", [{"clientRole": True}]),
            id="a role of no client",
        ),
        pytest.param(
            _change(
                "/roles-by-id/acme-owner/composites",
                [{"clientRole": True, "composite": True, "containerId": "x"}],
            ),
            id="a composite without id",
        ),
        pytest.param(
            _change("/clients/id-acme/roles", [{"name": "a", "composite": True}]),
            id="an org's composite without id",
        ),
        pytest.param(_change("/clients/id-acme/roles", [{"id": "a"}]), id="a role without name"),
    ],
)
async def test_odd_members_are_told_and_never_a_traceback(api, change):
    change(api)

    _, detail = await failure(api)

    assert detail.endswith(": the answer is not of Keycloak's shape")


@pytest.mark.parametrize("value", ["x", ["a"]])
async def test_an_odd_realm_or_scope_of_organizations(api, value):
    api.answers[""] = value
    assert (await failure(api, ORGANIZATIONS))[1].endswith("not of Keycloak's shape")
    api.answers[""] = {}
    api.scope("organization")["protocolMappers"] = value
    assert (await failure(api, ORGANIZATIONS))[1].endswith("not of Keycloak's shape")


async def test_odd_values_where_any_will_do(api):
    api.client("frontend")["attributes"] = {"access.token.signed.response.alg": 7}
    api.client("frontend")["fullScopeAllowed"] = "true"
    api.answers["/clients/id-frontend/default-client-scopes"] = named("basic", "never heard of")
    api.answers["/roles-by-id/acme-owner/composites"] = [
        {"clientRole": True, "containerId": "nobody"}
    ]

    found = await read(api)

    assert found.clients["frontend"].algorithm == "7"
    assert not found.clients["frontend"].full_scope
    assert found.leads_to["acme"] == {"nobody"}


async def test_an_answer_without_end_is_refused(api, monkeypatch):
    monkeypatch.setattr(realm_reader, "_MAX_BYTES", 10 * 1024)
    api.answers["/clients"] = b"[" + b" " * 11_000 + b"]"

    assert await failure(api) == (FetchResult.INVALID, "the answer is larger than 10 KiB")


@pytest.mark.parametrize("place", ["login", "clients"])
async def test_a_server_that_hangs_is_left(api, monkeypatch, place):
    monkeypatch.setattr(realm_reader, "_PATIENCE", aiohttp.ClientTimeout(total=0.1))
    gone = asyncio.Event()

    async def hang(_request):
        await gone.wait()
        return web.Response()

    if place == "login":
        api.login = hang
    else:
        api.answers["/clients"] = hang
    with pytest.raises(TimeoutError):
        await read(api)
    gone.set()


async def test_a_connection_that_breaks_is_a_client_error(api):
    api.answers["/client-scopes"] = broken

    with pytest.raises(aiohttp.ClientError):
        await read(api)


async def test_nobody_there_is_a_client_error(api):
    api.origin = "http://127.0.0.1:1"

    with pytest.raises(aiohttp.ClientError):
        await read(api)


def test_the_secret_is_not_in_the_accounts_words():
    assert SECRET not in repr(ServiceAccount(ACCOUNT, SECRET))
