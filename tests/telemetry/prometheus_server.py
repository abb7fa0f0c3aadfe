"""A real Prometheus for the tests: on a free loopback port, scraping one address."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml

from tests.cli.commands import LONG, free_ports, until

PROGRAMS = ("prometheus", "promtool")


def require_prometheus() -> None:
    """Skip the test, or fail it, where there is no Prometheus."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        reason = f"{' and '.join(missing)} not installed"
        if os.environ.get("HASURA_KC_AUTH_TEST_REQUIRE_PROMETHEUS") == "1":  # noqa: TID251
            pytest.fail(reason)
        pytest.skip(reason)


def promtool(*arguments: str | Path) -> str:
    """Run promtool; return what it says, or fail the test with that."""
    found = subprocess.run(  # noqa: S603 - promtool
        ["promtool", *arguments],  # noqa: S607
        capture_output=True,
        check=False,
        text=True,
        timeout=LONG,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


class Prometheus:
    """One server process."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    def query(self, expression: str) -> list[float]:
        """Return the value of each series that the expression yields now."""
        result = self._ask("query", query=expression)["result"]
        return [float(series["value"][1]) for series in result]

    def label_values(self, metric: str, label: str) -> list[str]:
        values: list[str] = self._ask(f"label/{label}/values", **{"match[]": metric})
        return values

    def rules(self) -> list[dict[str, Any]]:
        return [rule for group in self._ask("rules")["groups"] for rule in group["rules"]]

    def is_ready(self) -> bool:
        try:
            with urlopen(f"{self._url}/-/ready", timeout=LONG) as answer:  # noqa: S310 - our own
                return bool(answer.status == 200)
        except OSError:
            return False

    def _ask(self, path: str, **parameters: str) -> Any:
        url = f"{self._url}/api/v1/{path}?{urlencode(parameters)}"
        with urlopen(url, timeout=LONG) as answer:  # noqa: S310 - our own
            return json.load(answer)["data"]


@contextmanager
def scraping(folder: Path, target: str, rules: Path) -> Iterator[Prometheus]:
    """Run a Prometheus that scrapes this `host:port` and knows these rules."""
    (port,) = free_ports()
    config = {
        "global": {"scrape_interval": "200ms", "evaluation_interval": "200ms"},
        "rule_files": [str(rules)],
        "scrape_configs": [
            {"job_name": "hasura-kc-auth", "static_configs": [{"targets": [target]}]}
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), "utf-8")
    options = {
        "config.file": folder / "prometheus.yml",
        "storage.tsdb.path": folder / "data",
        "web.listen-address": f"127.0.0.1:{port}",
        "log.level": "error",
    }
    process = subprocess.Popen(  # noqa: S603 - Prometheus
        ["prometheus", *(f"--{name}={value}" for name, value in options.items())],  # noqa: S607
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        prometheus = Prometheus(port)
        until(prometheus.is_ready)
        yield prometheus
    finally:
        process.kill()
        process.wait(LONG)
