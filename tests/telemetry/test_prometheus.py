"""Every panel of the dashboard and every alert, asked of a real Prometheus that scrapes a service.

The service is under a load of all kinds: allowed, refused in several ways, undecided, keys that
cannot be fetched, keys that nobody knows, introspection. No query may come back empty.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.devtools.issuer import DevIssuer, Fault
from hasura_kc_auth.devtools.tokens import AUDIENCE, FRONTEND
from hasura_kc_auth.wiring import SYSTEM_CLOCKS, Service
from tests.cli.commands import until
from tests.conftest import Output, RunningService, settings_for
from tests.introspecting import bearer, introspecting, lightweight
from tests.made_tokens import OTHER_KEY, claims, sign
from tests.telemetry.prometheus_server import (
    Prometheus,
    promtool,
    require_prometheus,
    scraping,
)

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "hasura-kc-auth"
RULES = CHART / "rules" / "hasura-kc-auth.yaml"
DASHBOARD = CHART / "dashboards" / "hasura-kc-auth.json"
GONE = "http://127.0.0.1:1/realms/gone"


@cache
def dashboard() -> Any:
    return json.loads(DASHBOARD.read_text("utf-8"))


def panels() -> list[Any]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def queries() -> dict[str, str]:
    """Return each query of each panel, by the panel's title and the query's letter."""
    return {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in panels()
        for target in panel["targets"]
    }


def alerts() -> dict[str, Any]:
    (group,) = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    return {rule["alert"]: rule for rule in group["rules"]}


def filled_in(expression: str) -> str:
    """Put in what Grafana does; and take out the nought that stands in for nothing."""
    for name, text in (
        ("$__rate_interval", "10s"),
        ("$__range", "1m"),
        ("$job", "hasura-kc-auth"),
        ("$issuer", ".*"),
        ("or vector(0)", ""),
    ):
        expression = expression.replace(name, text)
    assert "$" not in expression
    return expression


def inner(expression: str) -> str:
    """Return what an alert looks at, without the bound that makes it fire."""
    found = re.fullmatch(r"absent\((.*)\)|(.*?)(?:\s*>\s*[\d.]+)?", expression, re.DOTALL)
    assert found is not None
    return found[1] or found[2]


def service_settings(issuer: DevIssuer) -> Settings:
    here = introspecting(issuer)["issuers"][0] | {"namespace": "here"}
    gone = {"issuer": GONE, "clients": [FRONTEND], "audiences": [AUDIENCE], "namespace": "gone"}
    return settings_for(issuers=[here, gone])


async def one_round(service: RunningService, issuer: DevIssuer) -> None:
    """Ask a bit of everything."""
    bob = bearer(issuer.login("bob", "openid acme").access)
    asked = [
        bob,
        bob,
        bob | {"X-Hasura-Role": "editor"},
        bearer(bob["Authorization"][7:-12] + "A" * 10 + bob["Authorization"][-2:]),
        bearer(issuer.login("alice", "openid acme globex").access),
        bearer(issuer.login("bob", "openid").access),
        bearer("x"),
        bearer(sign(claims(iss="https://sso.example.com"))),
        bearer(sign(claims(iss=GONE))),
        bearer(sign(claims(iss=issuer.issuer), {"kid": OTHER_KEY.kid}, OTHER_KEY)),
        lightweight(issuer),
        {},
    ]
    for headers in asked:
        await service.ask(headers)
    issuer.introspection_fault = Fault.ERROR
    assert (await service.ask(lightweight(issuer))).status == 503
    issuer.introspection_fault = Fault.NONE


@dataclass(frozen=True)
class Found:
    """What Prometheus answered: to panels, to alerts, of the rules, for the two variables."""

    panels: dict[str, list[float]]
    alerts: dict[str, list[float]]
    rules: list[dict[str, Any]]
    jobs: list[str]
    issuers: list[str]


async def observe(folder: Path) -> Found:
    """Run a service under load and a Prometheus, and ask it everything."""
    issuer = DevIssuer(SYSTEM_CLOCKS.wall)
    await issuer.start()
    service = Service(service_settings(issuer), Output())
    await service.start()
    try:
        async with aiohttp.ClientSession() as http:
            running = RunningService(service, Output(), http)
            target = service.management_url.removeprefix("http://")
            with scraping(folder, target, RULES) as prometheus:
                # It looks at its targets every five seconds only.
                await asyncio.to_thread(until, lambda: prometheus.query("up") == [1.0])
                for _ in range(12):
                    await one_round(running, issuer)
                    await asyncio.sleep(0.25)
                return await asyncio.to_thread(ask_all, prometheus)
    finally:
        await service.stop(drain=0.0)
        await issuer.stop()


def ask_all(prometheus: Prometheus) -> Found:
    return Found(
        panels={name: prometheus.query(filled_in(it)) for name, it in queries().items()},
        alerts={name: prometheus.query(inner(it["expr"])) for name, it in alerts().items()},
        rules=prometheus.rules(),
        jobs=prometheus.label_values("hasura_kc_auth_build_info", "job"),
        issuers=prometheus.label_values("hasura_kc_auth_decisions_total", "issuer"),
    )


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Found]:
    require_prometheus()
    return asyncio.run(observe(tmp_path_factory.mktemp("prometheus")))


def is_told(values: list[float]) -> bool:
    return any(math.isfinite(value) for value in values)


@pytest.mark.prometheus
@pytest.mark.parametrize("name", queries())
def test_every_panel_shows_something(found, name):
    assert is_told(found.panels[name])


@pytest.mark.prometheus
@pytest.mark.parametrize("name", alerts())
def test_every_alert_looks_at_something(found, name):
    assert is_told(found.alerts[name])


@pytest.mark.prometheus
def test_the_first_row_tells_what_was_done(found):
    told = {name: found.panels[f"{name} A"] for name in ("Instances", "Issuers without keys")}
    assert told == {"Instances": [1.0], "Issuers without keys": [1.0]}
    for name in ("Allowed", "Undecided"):
        (share,) = found.panels[f"{name} A"]
        assert 0 < share < 1, name


@pytest.mark.prometheus
def test_prometheus_takes_the_rules(found):
    promtool("check", "rules", RULES)
    assert {rule["name"]: rule["health"] for rule in found.rules} == dict.fromkeys(alerts(), "ok")


@pytest.mark.prometheus
def test_the_dashboards_variables_have_values(found):
    assert found.jobs == ["hasura-kc-auth"]
    assert {GONE, "none"} < set(found.issuers)
    asked = [it["definition"] for it in dashboard()["templating"]["list"] if it["type"] == "query"]
    assert asked == [
        "label_values(hasura_kc_auth_build_info, job)",
        'label_values(hasura_kc_auth_decisions_total{job=~"$job"}, issuer)',
    ]


def test_every_metric_of_the_service_is_on_the_dashboard():
    """But those whose only use is to be joined or divided: none."""
    from tests.test_docs import printed  # noqa: PLC0415 - the list is that of the manual

    shown = set(re.findall(r"\bhasura_kc_auth_([a-z_]+)", " ".join(queries().values())))
    shown = {re.sub(r"_seconds_(bucket|sum|count)$", "_seconds", name) for name in shown}
    assert shown == set(printed())


def test_panels_do_not_overlap_and_have_ids_of_their_own():
    cells = [
        (x, y)
        for panel in dashboard()["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) == 23
    ids = [panel["id"] for panel in dashboard()["panels"]]
    assert len(ids) == len(set(ids))


def test_every_panel_says_what_it_shows_and_takes_its_data_from_the_variable():
    for panel in panels():
        assert panel["title"]
        assert panel["description"]
        for part in (panel, *panel["targets"]):
            assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
