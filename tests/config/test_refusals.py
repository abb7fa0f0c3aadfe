"""Settings that stop the start: each by one change of the good ones, naming the setting."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from hasura_kc_auth.core.policy import KEYCLOAK_CLIENTS, STANDARD_SCOPES
from tests.config.settings_at_hand import (
    ABSENT,
    ISSUER,
    LEAST,
    LEAST_VARIABLES,
    changed,
    loaded,
    names_of,
    problems_of,
)

_PLAIN_HTTP = "http://sso.example.com/realms/acme"
_IDN = "https://xn--a-ecp.ru"  # a host that the codec refuses to read


def _bad(setting: str, value: Any, said: str, at: str | None = None, *, name: str = ""):
    """Make a row: this setting with this value is refused under the name `at`, with these words."""
    shown = name or f"{setting}={value!r}"[:70]
    return pytest.param(setting, value, at or setting, said, id=shown)


ISSUER_ROWS = [
    _bad("issuers", ABSENT, "is required", name="no issuers"),
    _bad("issuers", [], "must not be empty"),
    _bad("issuers", {}, "tuple", name="issuers as one object"),
    _bad("issuers.0.issuer", ABSENT, "is required", name="no issuer"),
    *(
        _bad("issuers.0.issuer", url, "https://")
        for url in ("", "sso.example.com/realms/acme", "ftp://sso.example.com", "file:///etc/keys")
    ),
    _bad("issuers.0.issuer", "https://", "https://"),
    _bad("issuers.0.issuer", "https:///realms/acme", "https://"),
    *(
        _bad("issuers.0.issuer", url, "must be a URL")
        for url in ("https://[::1", "https://sso:port", "https://sso:99999", _IDN, "https://xn--/")
    ),
    *(
        _bad("issuers.0.issuer", url, "user, query or fragment")
        for url in ("https://me@sso", "https://:pw@sso", "https://sso?a=b", "https://sso/#a")
    ),
    *(
        _bad("issuers.0.issuer", url, "URL")
        for url in ("https://sso.example.com/realms/a b", "https://sso example", f"{ISSUER} ")
    ),
    _bad("issuers.0.issuer", f"{ISSUER}\n", "URL", name="a line's end after the issuer"),
    _bad("issuers.0.issuer", 5, "string"),
    _bad("issuers.0.issuer", _PLAIN_HTTP, "insecure_transport"),
    _bad("issuers.0.issuer", "http://127.0.0.1.example.com/", "insecure_transport"),
    _bad("issuers.0.issuer", "http://localhost.example.com/", "insecure_transport"),
    _bad("issuers.0.issuer", "http://10.0.0.1/", "insecure_transport"),
    _bad("issuers.0.issuer", "http://0.0.0.0/", "insecure_transport"),
    _bad("issuers.0.jwks_uri", "http://keycloak:8080/certs", "insecure_transport"),
    _bad("issuers.0.jwks_uri", "keycloak:8080/certs", "https://"),
    _bad("issuers.0.jwks_uri", "https://me:pw@keycloak/certs", "user, query or fragment"),
    _bad("issuers.0.clients", ABSENT, "is required", name="no clients"),
    _bad("issuers.0.clients", [], "must not be empty"),
    _bad("issuers.0.clients", "frontend", "tuple", name="clients as one text"),
    _bad("issuers.0.clients", [""], "at least 1 character", "issuers.0.clients.0"),
    _bad("issuers.0.clients", [5], "string", "issuers.0.clients.0"),
    *(
        _bad("issuers.0.clients", ["frontend", name], "Keycloak's own")
        for name in sorted(KEYCLOAK_CLIENTS)
    ),
    _bad("issuers.0.audiences", [""], "at least 1 character", "issuers.0.audiences.0"),
    _bad("issuers.0.algorithms", [], "must not be empty"),
    *(
        _bad("issuers.0.algorithms", ["RS256", name], "must be one of", "issuers.0.algorithms.1")
        for name in ("none", "None", "HS256", "HS384", "HS512", "rs256", "", "RS1", "dir", "ES256K")
    ),
    _bad("issuers.0.algorithms", [["RS256"]], "string", "issuers.0.algorithms.0"),
    *(
        _bad("issuers.0.leeway", text, "at most 120s")
        for text in ("121s", "120001ms", "3m", "1h", "999999999h")
    ),
    _bad("issuers.0.leeway", 30, "with a unit"),
    _bad("issuers.0.leeway", None, "with a unit"),
    *(
        _bad("issuers.0.namespace", text, "A-Z a-z 0-9 _ -")
        for text in ("", "eu/west", "a.b", "a b", "ü", "x" * 33, "eu\n")
    ),
    _bad("issuers.0.ca_file", "/nowhere/ca.pem", "readable file"),
    _bad("issuers.0.ca_file", "/", "readable file"),
    _bad("issuers.0.org.from", "organisation", "'client-scope', 'organization' or 'claim'"),
    *(
        _bad("issuers.0.org", {name: value}, f"`{name}` says nothing where `from` is client-scope")
        for name, value in (
            *(("claim", "a"), ("roles", "nested"), ("client", "c"), ("realm_roles", False)),
            ("id", "alias"),
        )
    ),
    *(
        _bad(
            "issuers.0.org",
            {"from": "claim", "claim": "a", name: value},
            f"`{name}` says nothing where `from` is claim",
        )
        for name, value in (("scope", "{org}"), ("roles", "client"), ("id", "id"), ("client", "c"))
    ),
    _bad("issuers.0.org", {"from": "claim"}, "`claim` is required where `from` is claim"),
    _bad("issuers.0.org", {"from": "claim", "claim": None}, "`claim` is required"),
    _bad("issuers.0.org", {"from": "claim", "claim": ""}, "at least 1", "issuers.0.org.claim"),
    _bad(
        "issuers.0.org",
        {"from": "claim", "claim": "a", "only": ["frontend"]},
        "a frontend is never an org",
        "issuers.0",
    ),
    _bad("issuers.0.org.scope", "org", "{org} exactly once"),
    _bad("issuers.0.org.scope", "{org}:{org}", "{org} exactly once"),
    _bad("issuers.0.org.scope", "org {org}", "no space"),
    *(
        _bad("issuers.0.org.only", ["acme", name], "never an org")
        for name in sorted(KEYCLOAK_CLIENTS | STANDARD_SCOPES)
    ),
    _bad("issuers.0.org.only", ["frontend"], "a frontend is never an org", "issuers.0"),
    _bad("issuers.0.azp", "frontend", "is no setting"),
    _bad("issuers.0.org.clients", "{org}", "is no setting"),
    *(
        _bad(f"issuers.0.org.{name}", value, said)
        for name, value, said in (
            ("roles", "group", "'nested', 'groups' or 'client'"),
            ("client", "", "at least 1 character"),
            ("realm_roles", "maybe", "boolean"),
            *(("id", it, "pattern") for it in ("", "uuid", "Alias", "attribute:", "attribute")),
            ("id", f"attribute:{'x' * 65}", "pattern"),
            *(
                ("id", f"attribute:{it}", "Keycloak's mappers write over")
                for it in ("id", "groups", "realm_access", "resource_access")
            ),
        )
    ),
]


def _native(said: str, at: str = "issuers.0.org", *, audiences: Any = ("hasura",), **org: Any):
    issuer = {"issuer": ISSUER, "clients": ["frontend"], "audiences": list(audiences)}
    native = {**issuer, "org": {"from": "organization", **org}}
    return _bad("issuers.0", native, said, at, name=f"organization with {org} and {audiences}")


NATIVE_ROWS = [
    _native("`client` or `realm_roles` is required for nested roles"),
    _native("`client` or `realm_roles` is required for nested roles", roles="nested"),
    _native("`client` or `realm_roles` is required", realm_roles=False),
    _native("audiences is required", "issuers.0", audiences=(), client="hasura"),
    _native("audiences is required", "issuers.0", audiences=(), roles="groups"),
    _native("go with nested roles only", roles="groups", client="hasura"),
    _native("go with nested roles only", roles="client", client="hasura"),
    _native("go with nested roles only", roles="groups", realm_roles=True),
    _native("`scope` says nothing where `from` is organization", client="h", scope="{org}"),
    _native("`claim` says nothing where `from` is organization", client="h", claim="a"),
]

_ASKER = {"client_id": "asker", "client_secret": "s3cret"}
_INTROSPECTION = "issuers.0.introspection"


def _asks(said: str, at: str = "", **changes: Any):
    value = {k: it for k, it in {**_ASKER, **changes}.items() if it is not ABSENT}
    shown = f"introspection with {changes}"[:70]
    return _bad(_INTROSPECTION, value, said, f"{_INTROSPECTION}{at}", name=shown)


INTROSPECTION_ROWS = [
    _bad(_INTROSPECTION, "always", "dictionary"),
    _asks("is required", ".client_id", client_id=ABSENT),
    _asks("at least 1 character", ".client_id", client_id=""),
    _asks("either `client_secret` or `client_secret_file`", client_secret=ABSENT),
    _asks("either `client_secret` or `client_secret_file`", client_secret_file=__file__),
    _asks("must not be empty", client_secret=""),
    _asks("string", ".client_secret", client_secret=5),
    _asks("readable file", ".client_secret_file", client_secret_file="/nowhere"),
    _asks("'lightweight' or 'always'", ".when", when="never"),
    *(_asks("Input should be", ".ttl", ttl=it) for it in ("0s", "999ms", "301s", "6m", "1h")),
    _asks("with a unit", ".ttl", ttl=30),
    _asks("insecure_transport", ".url", url="http://keycloak:8080/introspect"),
    _asks("https://", ".url", url="keycloak/introspect"),
    _asks("user, query or fragment", ".url", url="https://me:pw@keycloak/introspect"),
    _asks("is no setting", ".cooldown", cooldown="1s"),
]

SHARED_ROWS = [
    _bad("shared", {}, "either `url` or `url_file`"),
    _bad("shared", {"url": "redis://r", "url_file": __file__}, "either `url` or `url_file`"),
    _bad("shared", "redis://r", "dictionary"),
    _bad("shared", {"url_file": "/nowhere"}, "readable file", "shared.url_file"),
    _bad("shared", {"url": ""}, "must not be empty"),
    *(
        _bad("shared", {"url": url}, "redis:// or rediss:// and a host")
        for url in ("r:6379", "http://r", "unix:///run/redis", "valkey://r", "redis://", "redis:/r")
    ),
    *(
        _bad("shared", {"url": url}, "must be a URL")
        for url in ("redis://r:port", "redis://[r", "redis://[r]/")
    ),
    *(
        _bad("shared", {"url": url}, "a database's number")
        for url in ("redis://r/x", "redis://r/1/2", "redis://r/1?db=2", "redis://r#1")
    ),
    _bad("shared.host", "r", "is no setting", name="shared by its host"),
]

ROLE_ROWS = [
    _bad("roles", ABSENT, "is required", name="no roles"),
    _bad("roles.allowed", ABSENT, "is required", name="no allowed roles"),
    _bad("roles.allowed", [], "must not be empty"),
    _bad("roles.allowed", ["editor", "admin"], "superuser"),
    _bad("roles.allowed", ["editor", "editor"], "twice"),
    *(
        _bad("roles.allowed", ["editor", role], "must be 1 to 64 of")
        for role in ("", "org admin", "a,b", "Ünï", "a{b}", 'a"b', "a\n", "x" * 65)
    ),
    _bad("roles.allowed", [True], "string", "roles.allowed.0", name="a YAML boolean as a role"),
    _bad("roles.map", {"owner": "admin"}, "superuser"),
    _bad("roles.map", {"owner": "org admin"}, "must be 1 to 64 of"),
    _bad("roles.map", {"owner": "boss"}, "not in roles.allowed"),
    _bad("roles.map", ["a"], "dictionary"),
    _bad("roles.default", "editor", "is no setting"),
    _bad("roles.acr", {"owner": ["2"]}, "not in roles.allowed"),
    _bad("roles.acr", {"admin": ["2"]}, "not in roles.allowed"),
    _bad("roles.acr", {"editor": []}, "must not be empty", "roles.acr.editor"),
    _bad("roles.acr", {"editor": "2"}, "tuple", "roles.acr.editor"),
    _bad("roles.acr", {"editor": [2]}, "string", "roles.acr.editor.0"),
    _bad("roles.acr", ["editor"], "dictionary"),
    _bad("anonymous", {}, "is required", "anonymous.role"),
    _bad("anonymous", "public", "dictionary"),
    _bad("anonymous.role", "admin", "superuser"),
    _bad("anonymous.role", "a b", "must be 1 to 64 of"),
]

_RESERVED = (
    "X-Hasura-Org-Id",
    "X-Hasura-Role",
    "x-hasura-allowed-roles",
    "x-hasura-User-ID",
    "X-Hasura-Default-Role",
    "X-Hasura-Admin-Secret",
    "X-Hasura-Access-Key",
    "X-Hasura-Use-Backend-Only-Permissions",
)

SESSION_ROWS = [
    *(
        _bad("session.variables", {name: "email"}, "the service's or Hasura's own")
        for name in _RESERVED
    ),
    *(
        _bad("session.variables", {name: "email"}, "X-Hasura-…")
        for name in ("Email", "X-Hasura-", "X-Hasura-E_mail", "X-Hasura-É", "Cache-Control", "")
    ),
    _bad("session.variables", {"X-Hasura-A": "a", "x-hasura-a": "b"}, "two spellings"),
    _bad("session.variables", ["email"], "dictionary"),
    _bad("session.variables", {"X-Hasura-A": {}}, "either", "session.variables.X-Hasura-A"),
    _bad(
        "session.variables",
        {"X-Hasura-A": {"claim": "a", "value": 1}},
        "either",
        "session.variables.X-Hasura-A",
    ),
    _bad(
        "session.variables",
        {"X-Hasura-A": {"value": 1, "list": True}},
        "go with `claim` only",
        "session.variables.X-Hasura-A",
    ),
    _bad(
        "session.variables",
        {"X-Hasura-A": {"value": 1, "default": 2}},
        "go with `claim` only",
        "session.variables.X-Hasura-A",
    ),
    _bad(
        "session.variables",
        {"X-Hasura-A": ""},
        "at least 1 character",
        "session.variables.X-Hasura-A.claim",
    ),
    _bad(
        "session.variables",
        {"X-Hasura-A": {"claim": "a", "lst": True}},
        "is no setting",
        "session.variables.X-Hasura-A.lst",
    ),
    *(
        _bad(
            "session.variables",
            {"X-Hasura-A": {"value": number}},
            "JSON",
            "session.variables.X-Hasura-A.value",
        )
        for number in (float("nan"), float("inf"))
    ),
    _bad("session.user_id", "", "at least 1 character"),
    _bad("session.values", "yaml", "'text' or 'json'"),
    *(_bad("session.max_age", text, "at least 1s") for text in ("0s", "999ms")),
    *(
        _bad("anonymous", {"role": "public", "variables": {name: 1}}, "own", "anonymous.variables")
        for name in _RESERVED
    ),
    _bad(
        "anonymous",
        {"role": "public", "variables": {"X-Hasura-A": 1, "X-HASURA-A": 1}},
        "two spellings",
        "anonymous.variables",
    ),
    *(
        _bad("org_header", name, "a header's name")
        for name in ("", "X Org", "X-Org:", "Authorization", "authorization", "x-hasura-role", "Ü")
    ),
]

LISTENER_ROWS = [
    *(
        _bad("webhook.host", host, "insecure_transport")
        for host in ("0.0.0.0", "::", "10.0.0.1", "hasura.internal", "localhost.example.com")  # noqa: S104
    ),
    _bad("webhook.host", "", "at least 1 character"),
    _bad("management.host", "", "at least 1 character"),
    *(
        _bad(f"{section}.port", port, "Input should be")
        for section in ("webhook", "management")
        for port in (-1, 65536, "eighty", "tcp://10.0.0.1:8090", 1.5, None, True)
    ),
    *(
        _bad("webhook.path", path, "pattern")
        for path in ("", "hook", "/a b", "/a?b", "/%61", "/ü", "/a\n")
    ),
    _bad("webhook.max_token", 32768, "with a unit"),
    _bad("webhook.max_body", "8MB", "with a unit"),
    _bad("webhook.read_timeout", "0s", "greater than 0"),
    _bad("webhook.drain", 5, "with a unit"),
    _bad("webhook.prot", 8090, "is no setting"),
    _bad("management.path", "/", "is no setting"),
]

TIME_ROWS = [
    *(_bad("keys.timeout", text, "Input should be") for text in ("0s", "5001ms", "1h")),
    *(_bad("keys.cooldown", text, "Input should be") for text in ("0s", "999ms")),
    _bad("keys.cooldown", "301s", "cooldown <= ttl", "keys"),
    _bad("keys.ttl", "9s", "cooldown <= ttl", "keys"),
    _bad("keys.ttl", "61m", "ttl <= max_stale", "keys"),
    _bad("keys.max_stale", "299s", "ttl <= max_stale", "keys"),
    _bad("keys.max_stale", "25h", "max_stale <= 24h", "keys"),
    _bad("keys.ttl", "5 min", "with a unit"),
    *(_bad("cache.entries", number, "Input should be") for number in (-1, 1_000_001, "many", None)),
    _bad("cache.ttl", "0s", "greater than 0"),
    _bad("log.level", "verbose", "'debug', 'info'"),
    _bad("log.format", "text", "'json' or 'console'"),
    _bad("insecure_transport", "maybe", "boolean"),
    _bad("insecure_transport", None, "boolean"),
    _bad("jwt_secret", "x", "is no setting"),
    _bad("config", "x", "is no setting"),
    _bad("issuer", ISSUER, "is no setting"),
]

for _section in ("roles", "session", "webhook", "management", "keys", "cache", "log"):
    TIME_ROWS += [_bad(_section, value, "dictionary") for value in (["a"], "text", 5)]


@pytest.mark.parametrize(
    ("setting", "value", "named", "said"),
    [
        *(*ISSUER_ROWS, *NATIVE_ROWS, *INTROSPECTION_ROWS, *SHARED_ROWS),
        *(*ROLE_ROWS, *SESSION_ROWS, *LISTENER_ROWS, *TIME_ROWS),
    ],
)
def test_one_wrong_setting_is_refused_by_its_name(setting, value, named, said):
    problems = problems_of(changed({setting: value}))

    assert names_of(problems) == [named]
    assert said in problems[0]


VARIABLE_ROWS = [
    pytest.param({"ISSUER": "ftp://sso"}, "issuers.0.issuer", "ISSUER", id="issuer"),
    pytest.param({"CLIENTS": ""}, "issuers.0.clients", "CLIENTS", id="no clients"),
    pytest.param({"CLIENTS": " , "}, "issuers.0.clients", "CLIENTS", id="blank clients"),
    pytest.param({"CLIENTS": "admin-cli"}, "issuers.0.clients", "CLIENTS", id="Keycloak's client"),
    pytest.param({"LEEWAY": "121s"}, "issuers.0.leeway", "LEEWAY", id="leeway"),
    pytest.param({"ORG__ONLY": "account"}, "issuers.0.org.only", "ORG__ONLY", id="reserved org"),
    pytest.param({"ORG__FROM": "scope"}, "issuers.0.org.from", "ORG__FROM", id="org.from"),
    pytest.param({"ORG__ID": "uuid"}, "issuers.0.org.id", "ORG__ID", id="org.id"),
    pytest.param({"ROLES__ALLOWED": "admin"}, "roles.allowed", "ROLES__ALLOWED", id="admin"),
    pytest.param({"WEBHOOK__PORT": "x"}, "webhook.port", "WEBHOOK__PORT", id="port"),
    pytest.param({"SESSION__VALUES": "x"}, "session.values", "SESSION__VALUES", id="values"),
    pytest.param(
        {"INSECURE_TRANSPORT": ""}, "insecure_transport", "INSECURE_TRANSPORT", id="blank"
    ),
]


@pytest.mark.parametrize(("variables", "setting", "variable"), VARIABLE_ROWS)
def test_the_refusal_of_a_variable_names_it_beside_the_setting(variables, setting, variable):
    problems = problems_of(variables={**LEAST_VARIABLES, **variables})

    assert names_of(problems) == [setting]
    assert problems[0].endswith(f"(from HASURA_KC_AUTH__{variable})")


@pytest.mark.parametrize("value", ["none", "HS256"])
def test_an_algorithm_with_no_public_key_is_refused_as_a_variable_too(value):
    problems = problems_of(variables={**LEAST_VARIABLES, "ALGORITHMS": value})

    assert names_of(problems) == ["issuers.0.algorithms.0"]


def test_files_that_hold_no_certificates_are_refused(certificates):
    nonsense = str(certificates / "nonsense.pem")
    server, other = str(certificates / "server.crt"), str(certificates / "other.key")

    assert names_of(problems_of(changed({"issuers.0.ca_file": nonsense}))) == ["issuers.0.ca_file"]
    for tls in (
        {"cert_file": nonsense, "key_file": nonsense},
        {"cert_file": server, "key_file": nonsense},
        {"cert_file": server, "key_file": other},
    ):
        problems = problems_of(changed({"webhook.tls": tls}))
        assert names_of(problems) == ["webhook.tls"]
        assert "cert_file and key_file must be readable" in problems[0]
    half = problems_of(changed({"webhook.tls": {"cert_file": "/nowhere", "key_file": server}}))
    assert names_of(half) == ["webhook.tls.cert_file"]


def _several(*changes: dict[str, Any]) -> dict[str, Any]:
    return changed(
        {
            "issuers": [
                {"issuer": f"{ISSUER}{number}", "clients": ["frontend"], **change}
                for number, change in enumerate(changes)
            ]
        }
    )


def _natively(id_from: str, **more: Any) -> dict[str, Any]:
    org = {"from": "organization", "roles": "groups", "id": id_from, "only": ["a"]}
    return {"audiences": ["hasura"], "org": org, **more}


@pytest.mark.parametrize(
    ("issuers", "said"),
    [
        pytest.param([{}, {}], "each needs a `namespace`", id="nothing apart"),
        pytest.param([{"namespace": "eu"}, {}], "each needs a `namespace`", id="one without"),
        pytest.param([{"org": {"only": ["a"]}}, {}], "each needs", id="one open"),
        pytest.param(
            [{"org": {"only": ["a"]}}, {"org": {"deny": ["a"]}}],
            "each needs",
            id="deny is not enough",
        ),
        *(
            pytest.param(
                [{"org": {"only": ["a", glob]}}, {"org": {"only": ["b"]}}], "each needs", id=glob
            )
            for glob in ("b*", "b?", "[b]")
        ),
        pytest.param([{"namespace": "eu"}] * 2, "share", id="one namespace twice"),
        pytest.param(
            [{"org": {"only": ["a", "b"]}}, {"org": {"only": ["b"]}}], "share", id="one org twice"
        ),
        pytest.param(
            [{"namespace": "eu"}, {"org": {"only": ["eu/a"]}}],
            "begins with another issuer's",
            id="an org that looks like the other's",
        ),
        pytest.param([{"issuer": ISSUER, "namespace": name} for name in "ab"], "twice", id="twice"),
        *(
            pytest.param(
                [_natively(id_from), {"org": {"only": ["b"]}}],
                "each with another `org.id` than alias needs a `namespace`",
                id=f"literal aliases do not hold what {id_from} may show",
            )
            for id_from in ("id", "attribute:tenant")
        ),
        pytest.param(
            [{"namespace": "eu"}, _natively("attribute:tenant")],
            "needs a `namespace`",
            id="nor one that begins with the other's namespace",
        ),
    ],
)
def test_several_issuers_must_not_be_able_to_meet(issuers, said):
    problems = problems_of(_several(*issuers))

    assert names_of(problems) == ["issuers"]
    assert said in problems[0]


@pytest.mark.parametrize(
    "issuers",
    [
        pytest.param([{"namespace": "eu"}, {"namespace": "us"}], id="namespaces"),
        pytest.param([{"org": {"only": ["a"]}}, {"org": {"only": ["b"]}}], id="literal orgs"),
        pytest.param(
            [{"namespace": "eu", "org": {"only": ["a*"]}}, {"org": {"only": ["a"]}}], id="both"
        ),
        pytest.param([{"namespace": "eu"}, {"org": {"only": ["eu", "euro"]}}], id="no slash"),
        pytest.param([{"namespace": "e"}, {"org": {"only": ["eu/a"]}}], id="another namespace"),
        pytest.param([_natively("alias"), {"org": {"only": ["b"]}}], id="literal aliases"),
        pytest.param(
            [_natively("attribute:tenant", namespace="eu"), {"org": {"only": ["b"]}}],
            id="an attribute below a namespace",
        ),
        pytest.param(
            [
                {"namespace": "eu", "org": {"from": "claim", "claim": "active"}},
                _natively("id", namespace="us"),
            ],
            id="other carriers",
        ),
    ],
)
def test_several_issuers_that_cannot_meet_are_fine(issuers):
    assert len(loaded(_several(*issuers)).issuers) == 2


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1:8180/realms/a", "http://127.9.9.9/", "http://localhost:8080/a"),
        *(
            "http://[::1]:8080/a",
            "HTTP://127.0.0.1/",
            "https://sso.example.com/realms/a",
            "https://k",
        ),
    ],
)
def test_keys_may_come_over_https_or_from_this_machine(url):
    settings = loaded(changed({"issuers.0.issuer": url, "issuers.0.jwks_uri": url}))

    assert settings.issuers[0].issuer == settings.issuers[0].jwks_uri == url


@pytest.mark.parametrize("yes", ["true", "True", "TRUE", "1", "yes", "on"])
@pytest.mark.parametrize("change", [{"ISSUER": _PLAIN_HTTP}, {"WEBHOOK__HOST": "0.0.0.0"}])  # noqa: S104
def test_plain_http_over_a_network_has_to_be_allowed_in_so_many_words(change, yes):
    variables = {**LEAST_VARIABLES, **change}

    assert len(problems_of(variables=variables)) == 1
    assert len(problems_of(variables={**variables, "INSECURE_TRANSPORT": "false"})) == 1
    assert loaded(variables={**variables, "INSECURE_TRANSPORT": yes}).insecure_transport is True


def test_the_file_can_allow_plain_http_and_a_variable_can_take_it_back():
    file = changed({"issuers.0.issuer": _PLAIN_HTTP, "insecure_transport": True})

    assert loaded(file).insecure_transport is True
    assert names_of(problems_of(file, {"INSECURE_TRANSPORT": "false"})) == ["issuers.0.issuer"]


def test_a_listener_across_the_network_is_fine_with_tls(certificates):
    tls = {
        "cert_file": str(certificates / "server.crt"),
        "key_file": str(certificates / "server.key"),
    }

    settings = loaded(changed({"webhook": {"host": "0.0.0.0", "tls": tls}}))  # noqa: S104

    assert settings.webhook.tls is not None
    assert settings.insecure_transport is False


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost"])
def test_loopback_is_this_machine(host):
    settings = loaded(changed({"webhook.host": host}))

    assert settings.webhook.host == host


def test_all_problems_are_told_at_once():
    file = changed(
        {
            "issuers.0": {
                "issuer": "ftp://sso",
                "clients": [],
                "algorithms": ["none", "RS256", "HS256"],
                "leeway": "3m",
                "org": {"scope": "x", "only": ["account"]},
                "nonsense": 1,
            },
            "roles": {"allowed": ["admin"], "map": {"a": "a b"}},
            "anonymous": {"role": "admin", "variables": {"X-Hasura-Role": 1}},
            "session": {"user_id": "", "variables": {"Email": "email"}, "max_age": "0s"},
            "org_header": "Authorization",
            "webhook": {"port": -1, "path": "x", "nonsense": 1},
            "management": {"port": "x"},
            "keys": {"ttl": 5},
            "cache": {"entries": -1},
            "log": {"level": "x", "format": "x"},
            "nonsense": 1,
        }
    )

    problems = problems_of(file, {"NONSENSE": "1", "ROLES__NONSENSE": "1"})

    assert sorted(names_of(problems)) == sorted(
        [
            *("HASURA_KC_AUTH__NONSENSE", "HASURA_KC_AUTH__ROLES__NONSENSE"),
            *("issuers.0.issuer", "issuers.0.clients", "issuers.0.leeway", "issuers.0.nonsense"),
            *("issuers.0.algorithms.0", "issuers.0.algorithms.2"),
            *("issuers.0.org.scope", "issuers.0.org.only"),
            *("roles.allowed", "roles.map", "anonymous.role", "anonymous.variables"),
            *("session.user_id", "session.variables", "session.max_age", "org_header"),
            *("webhook.port", "webhook.path", "webhook.nonsense", "management.port"),
            *("keys.ttl", "cache.entries", "log.level", "log.format", "nonsense"),
        ]
    )


def test_all_problems_of_the_keys_times_are_told_at_once():
    problems = problems_of(changed({"keys": {"timeout": "9s", "cooldown": "0s", "ttl": "2h"}}))

    assert names_of(problems) == ["keys.cooldown", "keys.timeout"]


def test_a_missing_section_is_one_problem():
    assert names_of(problems_of({})) == ["issuers", "roles"]
    assert names_of(problems_of("")) == ["issuers", "roles"]
    assert names_of(problems_of()) == ["issuers", "roles"]


def test_settings_that_only_look_wrong_are_fine():
    tree = changed(
        {
            "issuers.0.leeway": "120s",
            "issuers.0.org.only": ["acme.io", "Org-Ü", "org 1", "acc*", "acme/eu"],
            "issuers.0.namespace": "x" * 32,
            "roles.allowed": ["x" * 64, "a.b:c-d_e"],
            "roles.map": {"admin": "a.b:c-d_e", "a,b": "a.b:c-d_e"},
            "session.variables": {
                "x-hasura-Org-Ids": "a",
                "X-Hasura-Empty": {"value": ""},
                "X-Hasura-No": {"value": False},
            },
            "keys": {"ttl": "1s", "cooldown": "1s", "max_stale": "1s", "timeout": "5s"},
            "cache.entries": 1_000_000,
            "webhook.path": "/a/b_c.d~e-f/",
        }
    )

    assert loaded(yaml.safe_dump(tree)).roles.allowed == ("x" * 64, "a.b:c-d_e")


def test_the_good_settings_of_these_tests_are_good():
    assert loaded(LEAST) == loaded(variables=LEAST_VARIABLES)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b" \n", id="blank"),
        pytest.param(b"\xff\xfe", id="no text"),
    ],
)
def test_a_file_that_holds_no_secret_is_refused(tmp_path, content):
    file = tmp_path / "secret"
    file.write_bytes(content)
    asks = {"client_id": "asker", "client_secret_file": str(file)}

    for path, section in ((_INTROSPECTION, asks), ("shared", {"url_file": str(file)})):
        problems = problems_of(changed({path: section}))
        assert names_of(problems) == [path]
        assert problems[0].endswith(("must not be empty", "its file must be readable text"))


def test_a_secret_may_be_in_a_file_and_a_lines_end_is_not_part_of_it(tmp_path):
    secret, url = tmp_path / "secret", tmp_path / "url"
    secret.write_text("s3cret ü\n", "utf-8")
    url.write_text("rediss://:pw@valkey:6380/3\n", "utf-8")
    by_file = loaded(
        changed(
            {
                _INTROSPECTION: {"client_id": "asker", "client_secret_file": str(secret)},
                "shared": {"url_file": str(url)},
            }
        )
    )
    written = loaded(changed({_INTROSPECTION: _ASKER, "shared": {"url": "redis://r"}}))

    [issuer], [other] = by_file.issuers, written.issuers
    assert issuer.introspection is not None
    assert other.introspection is not None
    assert (issuer.introspection.secret, other.introspection.secret) == ("s3cret ü", "s3cret")
    assert by_file.shared is not None
    assert written.shared is not None
    assert by_file.shared.secret_url == "rediss://:pw@valkey:6380/3"
    assert written.shared.secret_url == "redis://r"
    assert "s3cret" not in repr(written)
    secret.unlink()
    with pytest.raises(ValueError, match="readable"):
        _ = issuer.introspection.secret


@pytest.mark.parametrize(
    "url", ["redis://r", "redis://r/", "rediss://:pw@r:6380/15", "redis://[::1]:6379/0"]
)
def test_an_address_of_redis_or_valkey_is_fine(url):
    assert loaded(changed({"shared": {"url": url}})).shared is not None


@pytest.mark.parametrize(
    "org",
    [
        {"client": "hasura"},
        {"roles": "nested", "client": "hasura", "realm_roles": True, "id": "alias"},
        {"realm_roles": True, "id": "id"},
        {"roles": "groups", "id": "attribute:a:b", "deny": ["x*"]},
        {"roles": "client", "only": ["Acme"]},
    ],
)
def test_organizations_that_are_fine(org):
    native = {"from": "organization", **org}

    settings = loaded(changed({"issuers.0.org": native, "issuers.0.audiences": ["hasura"]}))

    assert settings.issuers[0].org.from_ == "organization"


@pytest.mark.parametrize("section", ["webhook", "management"])
@pytest.mark.parametrize("host", ["a..b", "a" * 64, "127.0.0.1 x", "a\nb"])
def test_a_host_that_is_no_name_is_refused_and_no_crash(section, host):
    problems = problems_of({**LEAST, "insecure_transport": True, section: {"host": host}})

    assert problems == [f"{section}.host: must be an address or a host's name"]
