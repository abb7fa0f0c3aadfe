"""What a realm's discovery says of Keycloak's own set-up: its name, and its clock."""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import parsedate_to_datetime

import aiohttp

from hasura_kc_auth.keycloak.discovery import discovery_url
from hasura_kc_auth.keycloak.fetch import FetchFailed, ask_json
from hasura_kc_auth.ports import Clock

_STRANGE_HOST = "a-name-of-nobodys.invalid"
_FOLLOWS_HOST = (
    "the issuer's name follows the Host header of whoever asks: set Keycloak's hostname "
    "(KC_HOSTNAME), or tokens got by another name are wrong_issuer"
)
# A Date header has whole seconds, and the answer took some time.
_TOLERANCE = 2.0


async def address_faults(
    session: aiohttp.ClientSession, realm: str, wall_clock: Clock
) -> list[str]:
    """Return a sentence for each fault of the realm at this address.

    One that does not answer has none of these: that is said elsewhere, by who needs the answer.
    Raises TimeoutError by the caller's bound only.
    """
    faults: list[str] = []
    try:
        async with session.get(discovery_url(realm), allow_redirects=False) as response:
            faults += _clock_faults(response.headers.get("Date"), wall_clock())
        faults += await _name_faults(session, realm)
    except (FetchFailed, aiohttp.ClientError):
        pass  # also for the strange name alone: a proxy may refuse it, which is as good
    return faults


async def _name_faults(session: aiohttp.ClientSession, realm: str) -> list[str]:
    headers = {"Host": _STRANGE_HOST}
    asked = session.get(discovery_url(realm), headers=headers, allow_redirects=False)
    _, document = await ask_json(asked)
    if _STRANGE_HOST not in str(document.get("issuer")):
        return []
    return [_FOLLOWS_HOST]


def _clock_faults(date: str | None, now: float) -> Iterator[str]:
    try:
        difference = parsedate_to_datetime(date or "").timestamp() - now
    except (ValueError, TypeError, IndexError, OverflowError):  # whatever a bad date makes of it
        return
    if abs(difference) > _TOLERANCE:
        side = "ahead of" if difference > 0 else "behind"
        yield (
            f"Keycloak's clock is {abs(difference):.0f} s {side} this machine's: tokens are "
            "not_yet_valid or expired beyond `leeway`"
        )
