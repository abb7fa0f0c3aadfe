"""compose.yaml against what it names: files, settings, ports, networks, the realm, the script.

Compose cannot run where these tests do; `make lint-deploy` lets its own loader read the file.
"""

from __future__ import annotations

import re

import pytest
import yaml
from yarl import URL

from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.config.sources import load, load_management
from tests.compose.example import EXAMPLE, ROOT, compose, realm
from tests.image.dockerfile import read_stages

SERVICES = compose()["services"]
OURS = "hasura-kc-auth"


def mounts(name: str) -> dict[str, str]:
    """Return a service's mounts: path in the container -> path here."""
    split = [it.split(":") for it in SERVICES[name].get("volumes", [])]
    assert all(mode == "ro" for _, _, mode in split)
    return {target: source for source, target, _ in split}


@pytest.fixture
def environment() -> dict[str, str]:
    """Give the variables within our container, the mounted file at its place here."""
    image = read_stages((ROOT / "Dockerfile").read_text("utf-8"))[-1].environment
    own = dict(SERVICES[OURS]["environment"])
    own["HASURA_KC_AUTH__CONFIG"] = str(EXAMPLE / mounts(OURS)[own["HASURA_KC_AUTH__CONFIG"]])
    return {name: it for name, it in (image | own).items() if name.startswith("HASURA_KC_AUTH__")}


@pytest.fixture
def settings(environment: dict[str, str]) -> Settings:
    return load(None, environment)


def test_every_mounted_file_is_there():
    mounted = [source for name in SERVICES for source in mounts(name).values()]

    assert len(mounted) == 5
    assert [it for it in mounted if not (EXAMPLE / it).exists()] == []


def test_the_image_is_built_from_this_repository():
    assert (EXAMPLE / SERVICES[OURS]["build"]["context"]).resolve() == ROOT


def test_the_settings_are_valid_with_the_variables_of_the_image(settings, environment):
    assert (settings.webhook.host, settings.management.host) == ("0.0.0.0", "0.0.0.0")  # noqa: S104
    assert load_management(None, environment) == settings.management


def test_hasura_asks_the_address_that_is_listened_on(settings):
    hook = URL(SERVICES["hasura"]["environment"]["HASURA_GRAPHQL_AUTH_HOOK"])

    assert (hook.scheme, hook.host) == ("http", OURS)
    assert (hook.port, hook.path) == (settings.webhook.port, settings.webhook.path)


def test_hasura_starts_with_a_hook():
    variables = SERVICES["hasura"]["environment"]

    assert variables["HASURA_GRAPHQL_AUTH_HOOK_MODE"] in ("GET", "POST")
    assert variables["HASURA_GRAPHQL_ADMIN_SECRET"]
    assert not {"HASURA_GRAPHQL_UNAUTHORIZED_ROLE", "HASURA_GRAPHQL_JWT_SECRET"} & set(variables)


def test_the_issuer_is_keycloaks_name_and_its_keys_are_fetched_from_within(settings):
    [issuer] = settings.issuers
    name = SERVICES["keycloak"]["environment"]["KC_HOSTNAME"]
    fetched = URL(str(issuer.jwks_uri))

    assert issuer.issuer == f"{name}/realms/{realm()['realm']}"
    assert fetched.path == f"/realms/{realm()['realm']}/protocol/openid-connect/certs"
    assert (fetched.host, fetched.port) == ("keycloak", 8080)
    [published] = SERVICES["keycloak"]["ports"]
    assert published == f"127.0.0.1:{URL(name).port}:8080"


def test_only_hasura_reaches_the_webhook_and_nothing_is_published_beyond_this_machine():
    on_the_hook = {name for name, it in SERVICES.items() if "hook" in it["networks"]}
    published = {name: it["ports"] for name, it in SERVICES.items() if "ports" in it}

    assert on_the_hook == {"hasura", OURS}
    assert compose()["networks"]["hook"] == {"internal": True}
    assert set(SERVICES[OURS]["networks"]) & set(SERVICES["hasura"]["networks"]) == {"hook"}
    assert set(published) == {"keycloak", "hasura"}
    assert all(it.startswith("127.0.0.1:") for ports in published.values() for it in ports)


def test_every_name_leads_somewhere():
    networks = {network for it in SERVICES.values() for network in it["networks"]}
    awaited = {name for it in SERVICES.values() for name in it.get("depends_on", {})}

    assert networks == set(compose()["networks"])
    assert awaited <= set(SERVICES)
    # Ours has its health check in the image.
    assert {name for name in awaited if "healthcheck" not in SERVICES[name]} == set()


def test_it_needs_no_file_to_write_and_no_capability():
    ours = SERVICES[OURS]

    assert ours["read_only"] is True
    assert (ours["cap_drop"], ours["security_opt"]) == (["ALL"], ["no-new-privileges:true"])
    assert "tmpfs" not in ours


def test_the_script_asks_the_published_ports():
    script = (EXAMPLE / "try.sh").read_text("utf-8")
    defaults = dict(re.findall(r"^\w+=\$\{(\w+):-(\S+)\}$", script, re.MULTILINE))

    assert {name: URL(it).port for name, it in defaults.items()} == {
        name.upper(): int(SERVICES[name]["ports"][0].split(":")[1])
        for name in ("keycloak", "hasura")
    }
    assert f"/realms/{realm()['realm']}/" in script


def test_the_realm_follows_the_recipe(settings):
    [issuer] = settings.issuers
    clients = {it["clientId"]: it for it in realm()["clients"]}
    scopes = {it["name"]: it for it in realm()["clientScopes"]}
    orgs = realm()["roles"]["client"]
    frontend = clients[issuer.clients[0]]

    assert len(orgs) == 3
    assert set(frontend["optionalClientScopes"]) == set(orgs)
    assert not frontend["fullScopeAllowed"]
    for org, roles in orgs.items():
        assert org in clients
        assert scopes[org]["attributes"]["include.in.token.scope"] == "true"
        [mapped] = realm()["clientScopeMappings"][org]
        assert mapped == {"clientScope": org, "roles": [role["name"] for role in roles]}
    [audience] = scopes["hasura-audience"]["protocolMappers"]
    assert [audience["config"]["included.custom.audience"]] == list(issuer.audiences)
    assert set(frontend["defaultClientScopes"]) <= set(scopes)


def test_the_other_hasura_asks_the_same_address(settings):
    """For v3: as docs/hasura.md shows it, but for the host."""
    written = yaml.safe_load((EXAMPLE / "ddn" / "auth-config.hml").read_text("utf-8"))
    page = (ROOT / "docs" / "hasura.md").read_text("utf-8")
    [shown] = re.findall(r"```yaml\n(kind: AuthConfig\n.*?)```", page, re.DOTALL)
    url = written["definition"]["mode"]["webhook"]["url"]

    assert url["value"] == SERVICES["hasura"]["environment"]["HASURA_GRAPHQL_AUTH_HOOK"]
    url["value"] = f"http://127.0.0.1:{settings.webhook.port}{settings.webhook.path}"
    assert written == yaml.safe_load(shown)
