"""Whether a file of orgs agrees with the settings: what it sets up, the service must accept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from yarl import URL

from hasura_kc_auth.config.issuers import IssuerSettings
from hasura_kc_auth.config.orgs_document import OrgsDocument
from hasura_kc_auth.config.policy import policy_of
from hasura_kc_auth.config.settings import Settings


def issuers_for(document: OrgsDocument, settings: Settings) -> list[IssuerSettings]:
    """Return the issuers that the file can be for; it has to be one."""
    return [
        it
        for it in settings.issuers
        if _realm(it.issuer) == document.realm and document.issuer in (None, it.issuer)
    ]


def _realm(issuer: str) -> str:
    _, _, name = URL(issuer).path.rpartition("/realms/")
    return name


def no_issuer(document: OrgsDocument, *, several: bool) -> str:
    """Return the sentence for where it is not one."""
    if several:
        return "realm: several of the settings' `issuers` have it; name one of them in `issuer`"
    path = f"/realms/{document.realm}"
    if document.issuer is None:
        return f"realm: none of the settings' `issuers` ends with {path}"
    return f"issuer: is none of the settings' `issuers` that end with {path}"


def misfits(document: OrgsDocument, issuer: IssuerSettings, settings: Settings) -> Iterator[str]:
    """Yield a sentence for each key that the settings speak against."""
    yield from _carrier_misfits(document, issuer)
    if document.audience not in issuer.audiences:
        yield f"audience: {document.audience} is not among the issuer's `audiences`"
    for number, frontend in enumerate(document.frontends):
        if frontend.client not in issuer.clients:
            yield (
                f"frontends.{number}.client: {frontend.client} is not among the issuer's `clients`"
            )
    yield from _org_misfits(document, issuer, settings)
    yield from _role_misfits(document, settings)


def _carrier_misfits(document: OrgsDocument, issuer: IssuerSettings) -> Iterator[str]:
    org = issuer.org
    if document.carrier != org.from_:
        yield f"carrier: is {document.carrier}, and the issuer's `org.from` is {org.from_}"
    elif document.carrier == "client-scope":
        if document.scope != org.scope:
            yield f"scope: is {document.scope}, and the issuer's `org.scope` is {org.scope}"
    else:
        yield from _organization_misfits(document, issuer)


def _organization_misfits(document: OrgsDocument, issuer: IssuerSettings) -> Iterator[str]:
    org = issuer.org
    if org.roles != "nested":
        yield f"carrier: gives nested roles, and the issuer's `org.roles` is {org.roles}"
    elif document.client is not None and document.client != org.client:
        yield (
            f"client: is {document.client}, and the issuer's `org.client` is "
            f"{org.client or 'not set'}"
        )
    if org.id != "alias":
        yield f"carrier: makes the alias the org's id, and the issuer's `org.id` is {org.id}"


def _org_misfits(
    document: OrgsDocument, issuer: IssuerSettings, settings: Settings
) -> Iterator[str]:
    policy = policy_of(settings).issuers[issuer.issuer]
    others = policy.clients - {it.client for it in document.frontends}
    # Not `deny`: who is cut off in an emergency must not keep the others from being set up.
    listed = replace(policy.org, deny=())
    for name in document.orgs:
        if name in others:
            yield f"orgs.{name}: is one of the issuer's `clients`, and never an org"
        if not listed.admits(name):
            yield f"orgs.{name}: is not among the issuer's `org.only`"


def _role_misfits(document: OrgsDocument, settings: Settings) -> Iterator[str]:
    roles = settings.roles
    yield from (
        f"{key}: is not in the settings' `roles.allowed`"
        + (
            f", nor is {roles.map[role]}, which `roles.map` makes of it"
            if role in roles.map
            else ""
        )
        for key, role in _written_roles(document)
        if roles.map.get(role, role) not in roles.allowed
    )


def _written_roles(document: OrgsDocument) -> Iterator[tuple[str, str]]:
    """Yield each role where it is written, with its key."""
    yield from ((f"template.roles.{role}", role) for role in document.template.roles)
    for name, entry in document.entries().items():
        written = (role for role, parts in entry.roles.items() if parts is not None)
        yield from ((f"orgs.{name}.roles.{role}", role) for role in written)
