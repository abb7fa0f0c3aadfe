"""Every setting, written in the file and as a variable; and what it is when nobody writes it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from pydantic import SecretStr, TypeAdapter

from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.config.sources import PREFIX, load
from tests.config.settings_at_hand import (
    ISSUER,
    LEAST,
    LEAST_VARIABLES,
    changed,
    leaves,
    loaded,
    setting_at,
)

# The manual's listing: every default is written out. Only `audiences` and `map` show an example.
LISTING = """
issuers:
  - issuer: https://sso.example.com/realms/acme
    clients: [frontend]
    audiences: [hasura]
    jwks_uri: null
    ca_file: null
    algorithms: [RS256]
    leeway: 30s
    namespace: null
    org:
      from: client-scope
      scope: "{org}"
      only: []
      deny: []
    introspection: null
roles:
  allowed: [org_admin, editor, viewer]
  map: {admin: org_admin}
  acr: {}
anonymous: null
session:
  user_id: sub
  variables: {}
  values: text
  max_age: 300s
org_header: X-Hasura-Org-Id
webhook: {host: 127.0.0.1, port: 8090, path: /, tls: null, max_token: 32KiB, max_body: 8MiB,
          read_timeout: 10s, drain: 5s}
management: {host: 127.0.0.1, port: 8091}
keys: {ttl: 300s, cooldown: 10s, timeout: 3s, max_stale: 1h}
cache: {entries: 10000, ttl: 60s}
shared: null
log: {level: info, format: json}
insecure_transport: false
"""


class Row(NamedTuple):
    """One setting. `beside`: what has to be written as well, as (path, value, variable, text)."""

    path: str
    written: Any
    variable: str
    text: str
    value: Any
    beside: tuple[tuple[str, Any, str, str], ...] = ()


_ISSUER = "https://id.example.org/realms/one"
_KEYS = "http://127.0.0.1:8180/certs"
_ROLE = ("anonymous.role", "public", "ANONYMOUS__ROLE", "public")
_CERT = ("webhook.tls.cert_file", "server.crt", "WEBHOOK__TLS__CERT_FILE", "server.crt")
_KEY = ("webhook.tls.key_file", "server.key", "WEBHOOK__TLS__KEY_FILE", "server.key")
_NATIVE = (
    ("issuers.0.audiences", ["hasura"], "AUDIENCES", "hasura"),
    ("issuers.0.org.from", "organization", "ORG__FROM", "organization"),
)
_CLIENT = ("issuers.0.org.client", "hasura", "ORG__CLIENT", "hasura")
_ASKER = ("issuers.0.introspection.client_id", "asker", "INTROSPECTION__CLIENT_ID", "asker")
_SECRET = (
    "issuers.0.introspection.client_secret",
    "s3cret",
    "INTROSPECTION__CLIENT_SECRET",
    "s3cret",
)
_EMAIL = {"claim": "email", "list": False, "default": None, "value": None}

ROWS = (
    Row("issuers.0.issuer", _ISSUER, "ISSUER", _ISSUER, _ISSUER),
    Row("issuers.0.clients", ["a", "b"], "CLIENTS", "a,b", ("a", "b")),
    Row("issuers.0.audiences", ["api"], "AUDIENCES", "api", ("api",)),
    Row("issuers.0.jwks_uri", _KEYS, "JWKS_URI", _KEYS, _KEYS),
    Row("issuers.0.ca_file", "server.crt", "CA_FILE", "server.crt", Path("server.crt")),
    Row("issuers.0.algorithms", ["ES256"], "ALGORITHMS", "ES256", ("ES256",)),
    Row("issuers.0.leeway", "2m", "LEEWAY", "2m", 120.0),
    Row("issuers.0.namespace", "eu", "NAMESPACE", "eu", "eu"),
    Row("issuers.0.org.from", "client-scope", "ORG__FROM", "client-scope", "client-scope"),
    Row("issuers.0.org.scope", "org:{org}", "ORG__SCOPE", "org:{org}", "org:{org}"),
    Row(
        "issuers.0.org.claim",
        "org.active",
        "ORG__CLAIM",
        "org.active",
        "org.active",
        (("issuers.0.org.from", "claim", "ORG__FROM", "claim"),),
    ),
    Row("issuers.0.org.roles", "groups", "ORG__ROLES", "groups", "groups", _NATIVE),
    Row(*_CLIENT, "hasura", _NATIVE),
    Row("issuers.0.org.realm_roles", True, "ORG__REALM_ROLES", "true", True, _NATIVE),  # noqa: FBT003
    Row(
        "issuers.0.org.id",
        "attribute:tenant",
        "ORG__ID",
        "attribute:tenant",
        "attribute:tenant",
        (*_NATIVE, _CLIENT),
    ),
    Row("issuers.0.org.only", ["a*"], "ORG__ONLY", '["a*"]', ("a*",)),
    Row("issuers.0.org.deny", ["b,c"], "ORG__DENY", '["b,c"]', ("b,c",)),
    Row(*_ASKER, "asker", (_SECRET,)),
    Row(*_SECRET, SecretStr("s3cret"), (_ASKER,)),
    Row(
        "issuers.0.introspection.client_secret_file",
        "nonsense.pem",
        "INTROSPECTION__CLIENT_SECRET_FILE",
        "nonsense.pem",
        Path("nonsense.pem"),
        (_ASKER,),
    ),
    Row(
        "issuers.0.introspection.when",
        "always",
        "INTROSPECTION__WHEN",
        "always",
        "always",
        (_ASKER, _SECRET),
    ),
    Row(
        "issuers.0.introspection.ttl",
        "5m",
        "INTROSPECTION__TTL",
        "5m",
        300.0,
        (_ASKER, _SECRET),
    ),
    Row(
        "issuers.0.introspection.url",
        _KEYS,
        "INTROSPECTION__URL",
        _KEYS,
        _KEYS,
        (_ASKER, _SECRET),
    ),
    Row("roles.allowed", ["a", "org_admin"], "ROLES__ALLOWED", "a, org_admin", ("a", "org_admin")),
    Row("roles.map", {"a": "viewer"}, "ROLES__MAP", '{"a": "viewer"}', {"a": "viewer"}),
    Row(
        "roles.acr",
        {"org_admin": ["2", "gold"]},
        "ROLES__ACR",
        '{"org_admin": ["2", "gold"]}',
        {"org_admin": ("2", "gold")},
    ),
    Row("anonymous.role", "public", "ANONYMOUS__ROLE", "public", "public"),
    Row(
        "anonymous.variables",
        {"X-Hasura-A": 1},
        "ANONYMOUS__VARIABLES",
        '{"X-Hasura-A": 1}',
        {"X-Hasura-A": 1},
        (_ROLE,),
    ),
    Row("session.user_id", "ids.main", "SESSION__USER_ID", "ids.main", "ids.main"),
    Row(
        "session.variables",
        {"X-Hasura-Email": "email"},
        "SESSION__VARIABLES",
        '{"X-Hasura-Email": {"claim": "email"}}',
        {"X-Hasura-Email": _EMAIL},
    ),
    Row("session.values", "json", "SESSION__VALUES", "json", "json"),
    Row("session.max_age", "1m", "SESSION__MAX_AGE", "1m", 60.0),
    Row("org_header", "X-Org", "ORG_HEADER", "X-Org", "X-Org"),
    Row("webhook.host", "::1", "WEBHOOK__HOST", "::1", "::1"),
    Row("webhook.port", 1, "WEBHOOK__PORT", "1", 1),
    Row("webhook.path", "/a/b", "WEBHOOK__PATH", "/a/b", "/a/b"),
    Row(*_CERT, Path("server.crt"), (_KEY,)),
    Row(*_KEY, Path("server.key"), (_CERT,)),
    Row("webhook.max_token", "16KiB", "WEBHOOK__MAX_TOKEN", "16KiB", 16384),
    Row("webhook.max_body", "1MiB", "WEBHOOK__MAX_BODY", "1MiB", 1048576),
    Row("webhook.read_timeout", "500ms", "WEBHOOK__READ_TIMEOUT", "500ms", 0.5),
    Row("webhook.drain", "0s", "WEBHOOK__DRAIN", "0s", 0.0),
    Row("management.host", "0.0.0.0", "MANAGEMENT__HOST", "0.0.0.0", "0.0.0.0"),  # noqa: S104
    Row("management.port", 0, "MANAGEMENT__PORT", "0", 0),
    Row("keys.ttl", "10m", "KEYS__TTL", "10m", 600.0),
    Row("keys.cooldown", "1s", "KEYS__COOLDOWN", "1s", 1.0),
    Row("keys.timeout", "5s", "KEYS__TIMEOUT", "5s", 5.0),
    Row("keys.max_stale", "24h", "KEYS__MAX_STALE", "24h", 86400.0),
    Row("cache.entries", 0, "CACHE__ENTRIES", "0", 0),
    Row("cache.ttl", "1s", "CACHE__TTL", "1s", 1.0),
    Row(
        "shared.url",
        "redis://r:6379/1",
        "SHARED__URL",
        "redis://r:6379/1",
        SecretStr("redis://r:6379/1"),
    ),
    Row("shared.url_file", "address", "SHARED__URL_FILE", "address", Path("address")),
    Row("log.level", "debug", "LOG__LEVEL", "debug", "debug"),
    Row("log.format", "console", "LOG__FORMAT", "console", "console"),
    Row("insecure_transport", True, "INSECURE_TRANSPORT", "true", True),  # noqa: FBT003
)


def value_at(settings: Settings, path: str) -> Any:
    """Return a setting as plain values, whatever types it is made of."""
    return TypeAdapter(Any).dump_python(setting_at(settings, path))


each_setting = pytest.mark.parametrize("row", [pytest.param(row, id=row.path) for row in ROWS])


def test_the_table_above_has_every_setting_and_they_are_few(capsys):
    paths = list(leaves())

    with capsys.disabled():
        print(f"\n{len(paths)} settings")  # noqa: T201 - a number to watch
    assert sorted(row.path for row in ROWS) == sorted(paths)
    assert len(paths) <= 55


@each_setting
def test_it_can_be_written_in_the_file(row, certificates, monkeypatch):
    monkeypatch.chdir(certificates)
    beside = {path: written for path, written, _, _ in row.beside}

    settings = loaded(changed({**beside, row.path: row.written}))

    assert value_at(settings, row.path) == row.value


@each_setting
def test_it_can_be_a_variable(row, certificates, monkeypatch):
    monkeypatch.chdir(certificates)
    beside = {variable: text for _, _, variable, text in row.beside}

    settings = loaded(variables={**LEAST_VARIABLES, **beside, row.variable: row.text})

    assert value_at(settings, row.path) == row.value


@pytest.mark.parametrize(
    "row",
    [pytest.param(row, id=row.path) for row in ROWS if not row.path.startswith("issuers.")],
)
def test_a_variable_wins_over_the_file(row, certificates, monkeypatch):
    """The file holds the manual's defaults, and the optional sections with other values."""
    monkeypatch.chdir(certificates)
    sections = {
        "anonymous": {"role": "other", "variables": {"X-Hasura-B": "2"}},
        "webhook.tls": {"cert_file": "other.crt", "key_file": "other.key"},
        "shared": {"url": "rediss://other"},
        "issuers.0.introspection": {"client_id": "asker", "client_secret": "s3cret"},
    }
    if row.path == "shared.url_file":
        sections["shared"] = {"url_file": "other_address"}
    file = changed(sections, yaml.safe_load(LISTING))
    beside = {variable: text for _, _, variable, text in row.beside}

    settings = loaded(file, {**beside, row.variable: row.text})

    before = loaded(file)
    assert value_at(settings, row.path) == row.value
    assert value_at(before, row.path) != row.value
    changed_ones = {row.path, *(path for path, _, _, _ in row.beside)}
    unchanged = [path for path in leaves() if path not in changed_ones]
    assert {path: setting_at(settings, path) for path in unchanged} == {
        path: setting_at(before, path) for path in unchanged
    }


def test_the_defaults_are_those_of_the_manual():
    listed, least = loaded(LISTING), loaded(LEAST)

    assert listed.issuers[0].audiences == ("hasura",)
    assert listed.roles.map == {"admin": "org_admin"}
    shown = changed({"issuers.0.audiences": [], "roles.map": {}}, yaml.safe_load(LISTING))
    assert loaded(shown) == least
    assert loaded(variables=LEAST_VARIABLES) == least


def test_the_manuals_listing_has_every_setting():
    listed = yaml.safe_load(LISTING)
    optional = {
        "anonymous": {"role", "variables"},
        "webhook.tls": {"cert_file", "key_file"},
        "shared": {"url", "url_file"},
        "issuers.0.introspection": {
            *("client_id", "client_secret", "client_secret_file", "when", "ttl", "url")
        },
    }
    # Those of the other carriers stand in no listing of this one: they would be refused there.
    others = {"claim", "roles", "client", "realm_roles", "id"}

    for path in leaves():
        *steps, last = path.split(".")
        branch: Any = listed
        for step in steps:
            branch = None if branch is None else branch[int(step) if step.isdigit() else step]
        known = optional[".".join(steps)] if branch is None else branch
        if path.startswith("issuers.0.org."):
            known = {*branch, *others}
        assert last in known, path


@pytest.mark.parametrize(
    "row", [pytest.param(row, id=row.path) for row in ROWS if isinstance(row.written, list)]
)
def test_a_list_is_comma_separated_or_json(row):
    expected = row.value
    plain = {**LEAST_VARIABLES, row.variable: " , ".join(expected) + ","}
    as_json = {**LEAST_VARIABLES, row.variable: f" {json.dumps(expected)}"}

    if not any("," in item for item in expected):
        assert setting_at(loaded(variables=plain), row.path) == expected
    assert setting_at(loaded(variables=as_json), row.path) == expected


def test_an_empty_variable_is_an_empty_list_and_no_value():
    settings = loaded(
        variables={
            **LEAST_VARIABLES,
            **dict.fromkeys(("AUDIENCES", "ORG__ONLY", "JWKS_URI", "NAMESPACE", "CA_FILE"), ""),
            **dict.fromkeys(("ANONYMOUS", "SESSION__MAX_AGE", "WEBHOOK__TLS"), ""),
        }
    )

    issuer = settings.issuers[0]
    assert (issuer.audiences, issuer.org.only) == ((), ())
    assert (issuer.jwks_uri, issuer.namespace, issuer.ca_file) == (None, None, None)
    assert (settings.anonymous, settings.session.max_age, settings.webhook.tls) == (None,) * 3


def test_sections_and_lists_of_objects_can_be_one_variable_of_json():
    issuers = [
        {"issuer": f"{ISSUER}{name}", "clients": ["f"], "namespace": name} for name in ("a", "b")
    ]

    settings = loaded(
        variables={
            "ISSUERS": json.dumps(issuers),
            "ROLES": '{"allowed": ["editor"]}',
            "WEBHOOK": '{"port": 1, "path": "/hook"}',
            "WEBHOOK__PORT": "2",
            "ANONYMOUS": '{"role": "public"}',
        }
    )

    assert [issuer.namespace for issuer in settings.issuers] == ["a", "b"]
    assert (settings.webhook.port, settings.webhook.path) == (2, "/hook")
    assert settings.anonymous is not None


def test_the_file_can_be_named_by_a_variable_and_the_option_wins(tmp_path):
    named, given = tmp_path / "named.yaml", tmp_path / "given.yaml"
    named.write_text(yaml.safe_dump(changed({"webhook.port": 1})), "utf-8")
    given.write_text(yaml.safe_dump(changed({"webhook.port": 2})), "utf-8")
    environment = {f"{PREFIX}CONFIG": str(named)}

    assert load(None, environment).webhook.port == 1
    assert load(given, environment).webhook.port == 2
    assert load(given, {f"{PREFIX}CONFIG": ""}).webhook.port == 2


def test_the_settings_are_frozen():
    settings = loaded(LEAST)

    with pytest.raises(ValueError, match="frozen"):
        settings.org_header = "X-Other"
    with pytest.raises(ValueError, match="frozen"):
        settings.webhook.port = 1


def test_a_schema_can_be_made_and_knows_every_setting():
    schema = Settings.model_json_schema()

    text = json.dumps(schema)
    for path in leaves():
        assert f'"{path.rpartition(".")[2]}": ' in text, path
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["issuers", "roles"]
    algorithms = schema["$defs"]["IssuerSettings"]["properties"]["algorithms"]["items"]["enum"]
    assert "RS256" in algorithms
    assert not [name for name in algorithms if name == "none" or name.startswith("HS")]


def test_the_schemas_own_defaults_are_what_the_schema_asks_for():
    """Whoever copies a default out of the schema must not be refused for it."""
    schema = Settings.model_json_schema()
    properties = [
        (name, it)
        for section in (schema, *schema["$defs"].values())
        for name, it in section.get("properties", {}).items()
    ]

    wrong = [
        name
        for name, it in properties
        for kind in (it, *it.get("anyOf", ()))
        if "pattern" in kind and "default" in it and not _matches(kind["pattern"], it["default"])
    ]

    assert wrong == []


def _matches(pattern: str, default: object) -> bool:
    return isinstance(default, str) and re.search(pattern, default) is not None
