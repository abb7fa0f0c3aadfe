from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.chaos.issuer import ChaosIssuer, chaos_issuer
from tests.chaos.report import found

__all__ = ["found"]  # a fixture, for all tests here


@pytest.fixture
async def issuer() -> AsyncIterator[ChaosIssuer]:
    """Give an issuer without faults so far."""
    async with chaos_issuer() as issuer:
        yield issuer
