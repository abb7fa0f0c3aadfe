"""What `check --online` asks of each issuer, and what it found."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import aiohttp

from hasura_kc_auth.config.issuers import IssuerSettings
from hasura_kc_auth.config.policy import policy_of
from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.core.keys import VerificationKey
from hasura_kc_auth.keycloak.address_check import address_faults
from hasura_kc_auth.keycloak.fetch import FetchFailed, FetchResult, client_session
from hasura_kc_auth.keycloak.introspection import login_refused
from hasura_kc_auth.keycloak.jwks import fetch_key_set
from hasura_kc_auth.keycloak.realm_check import faults
from hasura_kc_auth.keycloak.realm_facts import RealmFacts
from hasura_kc_auth.keycloak.realm_reader import RealmReader, ServiceAccount, realm_url
from hasura_kc_auth.wiring import SYSTEM_CLOCKS, introspection_client, key_source

_UNREACHABLE = frozenset({FetchResult.TIMEOUT, FetchResult.CONNECT})
# A realm of a thousand orgs takes some thousand calls of milliseconds.
_REALM_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class IssuerReport:
    """`result`: of fetching the keys, with words. `faults`: what else will make tokens fail.

    `unread`: something that was to be asked could not be: the realm's set-up for the service
    account, or whether introspection works; why is one of the faults.
    """

    issuer: str
    result: FetchResult
    detail: str
    faults: list[str] = field(default_factory=list)
    unread: bool = False

    @property
    def unknown(self) -> bool:
        return self.unread or self.result in _UNREACHABLE

    @property
    def fits(self) -> bool:
        return self.result is FetchResult.OK and not self.faults


async def look(
    settings: Settings, issuers: Sequence[IssuerSettings], account: ServiceAccount | None
) -> list[IssuerReport]:
    """Ask these issuers at once. The account is for a single one: a secret goes to one realm."""
    return await asyncio.gather(*(_look_at(settings, it, account) for it in issuers))


async def _look_at(
    settings: Settings, issuer: IssuerSettings, account: ServiceAccount | None
) -> IssuerReport:
    source = key_source(issuer)
    async with client_session(source.tls) as session:
        try:
            keys = await fetch_key_set(session, source, settings.keys.timeout)
        except FetchFailed as failure:
            text = f"{failure.detail} ({failure.result})"
            return IssuerReport(issuer.issuer, failure.result, text)
        found = await _address_faults(session, issuer, settings.keys.timeout)
        refused, unasked = await _introspection_faults(session, issuer, settings)
        realm, unread = await _realm(session, settings, issuer, account)
    found += refused + _realm_faults(realm, settings, issuer)
    text = _summary(keys, issuer, account)
    found += [f"the realm's set-up could not be read: {unread}"] if unread else []
    return IssuerReport(issuer.issuer, FetchResult.OK, text, found, unread=bool(unread) or unasked)


def _summary(
    keys: Mapping[str, VerificationKey], issuer: IssuerSettings, account: ServiceAccount | None
) -> str:
    usable = ", ".join(sorted({name for key in keys.values() for name in key.verifiers}))
    text = f"{len(keys)} usable key(s) for {usable}"
    if issuer.introspection is None or account is not None:
        return text
    # Its login can be tried; of tokens that it is not in the aud of nothing is to be seen.
    return (
        f"{text}; --client-id is needed to tell whether {issuer.introspection.client_id} is in the "
        "tokens' aud: from 26.6 on Keycloak answers others `active: false`"
    )


async def _introspection_faults(
    session: aiohttp.ClientSession, issuer: IssuerSettings, settings: Settings
) -> tuple[list[str], bool]:
    """Return what is wrong with the client that introspects, and whether that is not known."""
    if issuer.introspection is None:
        return [], False
    client = introspection_client(issuer, issuer.introspection, settings)
    try:
        refused = await login_refused(session, client)
    except FetchFailed as failure:
        fault = f"introspection.url: Keycloak's introspection cannot be asked: {failure.detail}"
        return [fault], failure.result in _UNREACHABLE
    if not refused:
        return [], False
    fault = (
        f"introspection.client_id, client_secret: Keycloak refuses the login of {client.client_id},"
        " introspection_unavailable: take its secret from Keycloak (Clients, the client, "
        "Credentials); it must be enabled and have Client authentication on"
    )
    return [fault], False


async def _address_faults(
    session: aiohttp.ClientSession, issuer: IssuerSettings, seconds: float
) -> list[str]:
    """Bounded apart from the keys: with a `jwks_uri` nobody else needs discovery to answer."""
    try:
        async with asyncio.timeout(seconds):
            realm = realm_url(issuer.issuer, issuer.jwks_uri)
            return await address_faults(session, realm, SYSTEM_CLOCKS.wall)
    except TimeoutError:
        return []


async def _realm(
    session: aiohttp.ClientSession,
    settings: Settings,
    issuer: IssuerSettings,
    account: ServiceAccount | None,
) -> tuple[RealmFacts | None, str]:
    """Return the realm's set-up; or None, and why it could not be read where it was to be."""
    if account is None:
        return None, ""
    reader = RealmReader(session, issuer.issuer, issuer.jwks_uri)
    try:
        async with asyncio.timeout(_REALM_SECONDS):
            await reader.login(account)
            return await reader.read(policy_of(settings).issuers[issuer.issuer]), ""
    except TimeoutError:
        return None, "Keycloak did not answer in time"
    except FetchFailed as failure:
        return None, failure.detail
    except aiohttp.ClientError:
        return None, "the connection broke"


def _realm_faults(
    realm: RealmFacts | None, settings: Settings, issuer: IssuerSettings
) -> list[str]:
    introspector = "" if issuer.introspection is None else issuer.introspection.client_id
    policy = policy_of(settings).issuers[issuer.issuer]
    return [] if realm is None else list(faults(realm, policy, introspector))
