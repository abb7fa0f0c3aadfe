from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.chaos.issuer import ChaosIssuer, chaos_issuer
from tests.chaos.report import found

__all__ = ["found"]  # a fixture, for all tests here


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let `-k F16` select the tests of a row of the table."""
    for item in items:
        if mark := item.get_closest_marker("fault"):
            item.extra_keyword_matches.add(mark.args[0])


@pytest.fixture
async def issuer() -> AsyncIterator[ChaosIssuer]:
    """Give an issuer without faults so far."""
    async with chaos_issuer() as issuer:
        yield issuer
