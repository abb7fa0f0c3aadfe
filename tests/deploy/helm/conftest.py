from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.deploy.helm.chart import HELM, KUBECONFORM, SCHEMAS, Chart


@pytest.fixture
def chart(tmp_path: Path) -> Chart:
    """Give the chart, with helm and kubeconform to render and to check it."""
    missing = [it.name for it in (HELM, KUBECONFORM, SCHEMAS) if not it.exists()]
    if missing:
        reason = f"no {', '.join(missing)} in .tools: `make chart` builds them"
        if os.environ.get("HASURA_KC_AUTH_TEST_REQUIRE_HELM") == "1":  # noqa: TID251
            pytest.fail(reason)
        pytest.skip(reason)
    scratch = tmp_path / "chart"
    scratch.mkdir()
    return Chart(scratch)
