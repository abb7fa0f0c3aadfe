from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.realm import Realm, written


@pytest.fixture(scope="session")
def _one_realm() -> Iterator[Realm]:
    realm = Realm()
    yield realm
    realm.stop()


@pytest.fixture
def realm(_one_realm: Realm) -> Iterator[Realm]:
    """Give the issuer of all these tests, without faults."""
    _one_realm.calm()
    yield _one_realm
    _one_realm.calm()


@pytest.fixture
def config(realm: Realm, tmp_path: Path) -> Callable[..., str]:
    """Give what writes a file of settings for the realm: `config(webhook={"port": 0})`."""
    return lambda **changes: written(tmp_path / "settings.yaml", realm.settings(**changes))


@pytest.fixture
def fails_loudly(tmp_path: Path) -> Any:
    """Give a file of settings that are wrong in three places."""
    return written(
        tmp_path / "wrong.yaml", {"issuers": [], "webhook": {"port": -1}, "nonsense": True}
    )
