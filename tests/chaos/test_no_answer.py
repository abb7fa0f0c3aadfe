"""The issuer does not answer: not there, slow, silent."""

from __future__ import annotations

import asyncio

import pytest

from tests.chaos.issuer import Late
from tests.chaos.service import said_by, serving

TIMEOUT = 1.0
"""Seconds: `keys.timeout` as `serving` sets it."""


@pytest.mark.fault(
    "F4",
    "the issuer answers after 10 s",
    expected="known key 200 as ever; unknown key 401 within the timeout; one fetch at a time",
)
async def test_a_slow_issuer_delays_nobody_whose_key_is_known(issuer, found):
    tokens, strange = issuer.tokens(100), issuer.unknown(40)
    async with serving(issuer.issuer) as service:
        await service.cool_down()
        issuer.certs = Late(10.0)
        unknown = asyncio.create_task(service.ask_each(strange[:20], at_once=True))
        known = await service.ask_each(tokens[:20])
        assert not unknown.done()  # so these were answered while the fetch was waited for
        known += await service.ask_each(tokens[20:])
        refused = await unknown
        later = await service.ask_each(strange[20:])

    assert said_by(known) == {(200, "acme"): 100}
    assert said_by(refused) == said_by(later) == {(401, "unknown_key"): 20}
    assert max(answer.seconds for answer in refused) < 2 * TIMEOUT
    assert max(answer.seconds for answer in later) < TIMEOUT / 2
    assert issuer.fetched() == 2  # the one of the start, and one for all of the unknown
    assert issuer.open_at_once == 1
    found.answered("known", known)
    found.answered("unknown", refused)
    found.answered("unknown, in the cooldown", later)
    found.came("1 fetch")
