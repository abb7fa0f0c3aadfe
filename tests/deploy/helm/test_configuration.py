"""The service itself takes the rendered configuration, and reads it as it was written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.config.sources import load
from tests.config.settings_at_hand import loaded
from tests.deploy.helm.chart import CHART, LEAST, ROOT, ci, container, variables
from tests.keycloak.certificates import Authority

pytestmark = pytest.mark.helm

ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - compared, not bound
GOOD = sorted((CHART / "ci").glob("*.yaml"))
_MOUNTED = ("/run/secrets/hasura-kc-auth/", "/certificates/")


@pytest.fixture
def pods_files(tmp_path: Path) -> Path:
    """Give a folder with a file for each that a Secret or ConfigMap in ci/ would mount."""
    folder = tmp_path / "files"
    (folder / "all").mkdir(parents=True)
    authority = Authority.make(folder / "ca.crt")
    both = authority.certificate(folder / "both.pem").read_bytes()
    for name in ("tls.crt", "tls.key"):
        (folder / name).write_bytes(both)
    (folder / "client-secret").write_text("s3cret", "utf-8")
    (folder / "url").write_text("rediss://:pw@redis:6380/0", "utf-8")
    return folder


def started(rendered: dict[str, Any], files: Path) -> Settings:
    """Read the settings as the rendered container does, with its files in a folder."""
    environment = variables(container(rendered))
    file = files / "config.yaml"
    text = rendered["ConfigMap"]["data"][Path(environment["HASURA_KC_AUTH__CONFIG"]).name]
    file.write_text(yaml.safe_dump(_with_files_in(yaml.safe_load(text), files)), "utf-8")
    return load(None, {**environment, "HASURA_KC_AUTH__CONFIG": str(file)})


def _with_files_in(tree: Any, folder: Path) -> Any:
    if isinstance(tree, dict):
        return {key: _with_files_in(value, folder) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_with_files_in(value, folder) for value in tree]
    if isinstance(tree, str) and tree.startswith(_MOUNTED):
        return str(folder / Path(tree).name)
    return tree


@pytest.mark.parametrize("values", [pytest.param(it, id=it.stem) for it in GOOD])
def test_the_service_takes_what_is_rendered(chart, values, pods_files):
    rendered = chart.render(values)
    settings = started(rendered, pods_files)

    ports = {it["name"]: it["containerPort"] for it in container(rendered)["ports"]}
    assert ports == {"auth-http": settings.webhook.port, "auth-metrics": settings.management.port}
    encrypted = settings.webhook.tls is not None
    assert encrypted is (values.stem in ("standalone", "everything-standalone", "own-certificate"))


@pytest.mark.parametrize(
    ("mode", "webhook", "drain"),
    [("standalone", ANY_ADDRESS, 5.0), ("sidecar", "127.0.0.1", 0.0)],
)
def test_the_mode_decides_where_the_webhook_listens(chart, pods_files, mode, webhook, drain):
    settings = started(chart.render(ci(mode)), pods_files)

    assert (settings.webhook.host, settings.webhook.drain) == (webhook, drain)
    assert settings.management.host == ANY_ADDRESS


def test_every_setting_arrives_as_it_was_written(chart, pods_files):
    """Helm drops nulls in places, and writes large numbers as 1e+06 in others."""
    values = yaml.safe_load(ci("everything-standalone").read_text("utf-8"))
    written = _with_files_in(values["config"], pods_files)
    listeners = {
        "webhook": {
            **written["webhook"],
            "host": ANY_ADDRESS,
            "tls": {
                "cert_file": str(pods_files / "tls.crt"),
                "key_file": str(pods_files / "tls.key"),
            },
        }
    }

    settings = started(chart.render(ci("everything-standalone")), pods_files)

    assert settings == loaded({**written, **listeners})
    assert (settings.session.max_age, settings.cache.entries) == (None, 1_000_000)


def test_the_listing_of_the_manual_can_be_copied(chart, pods_files):
    text = (
        (ROOT / "docs/settings.md").read_text("utf-8").partition("```yaml\n")[2].partition("```")[0]
    )
    listing = yaml.safe_load(text)
    del listing["management"]["host"]  # loopback, where no probe reaches it

    settings = started(chart.render({"mode": "sidecar", "config": listing}), pods_files)

    assert settings.issuers == loaded(text).issuers


def test_what_the_image_says_of_its_hosts_is_said_over(chart):
    """The image's environment has both hosts, and variables win over the file."""
    names = [it["name"] for it in container(chart.render(LEAST))["env"]]

    assert names == [
        "HASURA_KC_AUTH__CONFIG",
        "HASURA_KC_AUTH__WEBHOOK__HOST",
        "HASURA_KC_AUTH__MANAGEMENT__HOST",
    ]
