"""What a test does where the other judge cannot be asked."""

from __future__ import annotations

import os

import pytest

from tests.differential.theirs import missing

REQUIRE = "HASURA_KC_AUTH_TEST_REQUIRE_NODE"


def is_required() -> bool:
    return os.environ.get(REQUIRE) == "1"  # noqa: TID251 - the tests' own switch


def need_the_other_judge() -> None:
    """Skip the test, or fail it where Node is required."""
    lacking = missing()
    if lacking and is_required():
        pytest.fail(f"{lacking} ({REQUIRE}=1)", pytrace=False)
    if lacking:
        pytest.skip(lacking)
