"""`helm-values`: what it refuses, and that its variables are the settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from hasura_kc_auth.config.sources import load
from tests.cli.commands import Outcome, invoke
from tests.cli.realm import written
from tests.config.settings_at_hand import ABSENT, changed

ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - compared, not bound
FOLDER = "/run/secrets/hasura-kc-auth"
INTROSPECTION = "issuers.0.introspection"


@pytest.fixture
def helm_values(tmp_path: Path) -> Any:
    """Give what runs the command on settings with these changes."""

    def run(changes: dict[str, Any], *options: str, **variables: str) -> Outcome:
        file = written(tmp_path / "settings.yaml", changed(changes))
        return invoke("helm-values", "--config", file, *options, variables=variables)

    return run


def environment(outcome: Outcome) -> dict[str, str]:
    """Return the container's variables as Kubernetes hands them over."""
    assert (outcome.code, outcome.err) == (0, "")
    values = yaml.safe_load(outcome.out)
    (container,) = values.get("initContainers") or values["extraContainers"]
    return {it["name"]: it["value"].replace("$$", "$") for it in container["env"]}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="the least"),
        pytest.param({"anonymous": None, "shared": None}, id="null is what is not there"),
        pytest.param(
            {
                "session.variables": {"X-Hasura-P": {"value": '$(HOME) $$ <&> "ü" 0.5'}},
                "session.max_age": None,
                "anonymous": {"role": "public", "variables": {"X-Hasura-N": [1, 2.5, None]}},
                "org_header": "X-Tenant",
                "insecure_transport": True,
                "webhook": {"port": 9090, "path": "/auth", "host": "::1"},
                "management": {"port": 9091, "host": "::"},
                "cache.entries": 1_000_000,
                "issuers.0.org.deny": ["old-*"],
                "roles.acr": {"org_admin": ["2"]},
            },
            id="much",
        ),
    ],
)
def test_the_service_reads_the_variables_as_the_settings(helm_values, tmp_path, changes):
    found = environment(helm_values(changes))

    # Over what the image's own environment says.
    image = {"HASURA_KC_AUTH__WEBHOOK__HOST": ANY_ADDRESS}
    host = changes.get("management", {}).get("host", ANY_ADDRESS)
    expected = load(
        tmp_path / "settings.yaml",
        {"HASURA_KC_AUTH__WEBHOOK__DRAIN": "0s", "HASURA_KC_AUTH__MANAGEMENT__HOST": host},
    )
    assert load(None, {**image, **found}) == expected


@pytest.mark.parametrize(
    ("changes", "options", "drain"),
    [
        ({}, (), "0s"),
        ({}, ("--extra-container",), "20s"),
        ({"webhook.drain": "7s"}, (), None),
        ({"webhook.drain": "7s"}, ("--extra-container",), None),
    ],
)
def test_it_stays_until_hasura_has_stopped(helm_values, changes, options, drain):
    found = environment(helm_values(changes, *options))

    assert found.get("HASURA_KC_AUTH__WEBHOOK__DRAIN") == drain


@pytest.mark.parametrize(
    ("options", "kind", "policy"),
    [((), "initContainers", "Always"), (("--extra-container",), "extraContainers", None)],
)
def test_the_container_is_native_where_there_are_native_ones(helm_values, options, kind, policy):
    values = yaml.safe_load(helm_values({}, *options, "--image", "mine:1").out)

    assert list(values) == ["config", kind]
    (container,) = values[kind]
    assert (container["image"], container.get("restartPolicy")) == ("mine:1", policy)


def test_files_are_mounted_and_not_looked_for(helm_values):
    outcome = helm_values(
        {
            INTROSPECTION: {"client_id": "x", "client_secret_file": f"{FOLDER}/kc/secret"},
            "shared": {"url_file": f"{FOLDER}/redis/url"},
            "issuers.0.ca_file": f"{FOLDER}/company/ca.crt",
        },
        *("--secret", "kc", "--secret", "redis", "--secret", "kc"),
        *("--config-map", "company", "--config-map", "company"),
    )

    values = yaml.safe_load(outcome.out)
    assert values["extraVolumes"] == [
        {"name": "hasura-kc-auth-secret-0", "secret": {"secretName": "kc"}},
        {"name": "hasura-kc-auth-secret-1", "secret": {"secretName": "redis"}},
        {"name": "hasura-kc-auth-configmap-0", "configMap": {"name": "company"}},
    ]
    assert [it["mountPath"] for it in values["initContainers"][0]["volumeMounts"]] == [
        f"{FOLDER}/kc",
        f"{FOLDER}/redis",
        f"{FOLDER}/company",
    ]


def test_the_systems_own_authorities_need_no_mount(helm_values):
    outcome = helm_values({"issuers.0.ca_file": "/etc/ssl/none.pem"})

    assert (outcome.code, outcome.err) == (0, "")


def test_settings_of_the_environment_go_along(helm_values):
    found = environment(helm_values({}, HASURA_KC_AUTH__CACHE__TTL="9s"))

    assert found["HASURA_KC_AUTH__CACHE"] == '{"ttl":"9s"}'


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"roles": ABSENT}, "roles: is required"),
        ({"keys": {"ttl": "1s"}}, "keys: must be cooldown <= ttl <= max_stale <= 24h"),
        (
            {"webhook": {"tls": {"cert_file": "/a", "key_file": "/b"}}},
            "webhook.tls: a sidecar's webhook is on loopback and needs none: leave it out",
        ),
        (
            {"webhook": {"host": "10.0.0.1"}, "insecure_transport": True},
            "webhook.host: must be loopback in a sidecar: leave it out",
        ),
        (
            {"management": {"host": "localhost"}},
            "management.host: is loopback, where no probe reaches it: leave it out",
        ),
        (
            {INTROSPECTION: {"client_id": "x", "client_secret": "hunter2"}},
            (
                f"{INTROSPECTION}.client_secret: does not belong into values: put it into a "
                "Secret, give that by --secret NAME, and write client_secret_file: "
                f"{FOLDER}/NAME/KEY"
            ),
        ),
        (
            {"shared": {"url": "redis://:hunter2@redis"}},
            (
                "shared.url: does not belong into values: put it into a Secret, give that by "
                f"--secret NAME, and write url_file: {FOLDER}/NAME/KEY"
            ),
        ),
        (
            {INTROSPECTION: {"client_id": "x", "client_secret_file": f"{FOLDER}/kc/a"}},
            (
                f"{INTROSPECTION}.client_secret_file: lies in nothing that is mounted: give its "
                f"Secret by --secret NAME, and write {FOLDER}/NAME/KEY"
            ),
        ),
    ],
)
def test_what_a_sidecar_cannot_be_is_refused(helm_values, changes, problem):
    outcome = helm_values(changes, "--secret", "k")

    assert (outcome.code, outcome.out, outcome.err) == (2, "", f"configuration: {problem}\n")


def test_all_problems_are_told_at_once(helm_values):
    outcome = helm_values(
        {"management": {"host": "::1"}, "shared": {"url_file": "/a"}, "issuers.0.ca_file": "/b"}
    )

    names = [line.split(": ")[1] for line in outcome.err.splitlines()]
    assert (outcome.code, names) == (2, ["management.host", "issuers.0.ca_file", "shared.url_file"])
