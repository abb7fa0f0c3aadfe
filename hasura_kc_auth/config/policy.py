"""From settings to the core's policy."""

from __future__ import annotations

import re

from hasura_kc_auth.config.answers import SessionSettings
from hasura_kc_auth.config.carriers import OrgSettings
from hasura_kc_auth.config.issuers import IssuerSettings
from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.core.policy import (
    AnonymousPolicy,
    ClaimPath,
    IssuerPolicy,
    OrgPolicy,
    Policy,
    RolePolicy,
    SessionPolicy,
    Variable,
)

_DOT = re.compile(r"(?<!\\)\.")


def policy_of(settings: Settings) -> Policy:
    anonymous = settings.anonymous
    return Policy(
        issuers={issuer.issuer: _issuer(issuer) for issuer in settings.issuers},
        roles=RolePolicy(
            settings.roles.allowed,
            settings.roles.map,
            {role: frozenset(levels) for role, levels in settings.roles.acr.items()},
        ),
        session=_session(settings.session),
        anonymous=AnonymousPolicy(anonymous.role, anonymous.variables) if anonymous else None,
    )


def _issuer(settings: IssuerSettings) -> IssuerPolicy:
    return IssuerPolicy(
        issuer=settings.issuer,
        clients=frozenset(settings.clients),
        audiences=frozenset(settings.audiences),
        algorithms=frozenset(settings.algorithms),
        leeway=settings.leeway,
        namespace=settings.namespace,
        org=_org(settings.org),
    )


def _org(settings: OrgSettings) -> OrgPolicy:
    return OrgPolicy(
        source=settings.from_,
        scope=settings.scope,
        claim=() if settings.claim is None else claim_path(settings.claim),
        roles=settings.roles,
        client=settings.client or "",
        realm_roles=settings.realm_roles,
        id_from=settings.id,
        only=settings.only,
        deny=settings.deny,
    )


def _session(settings: SessionSettings) -> SessionPolicy:
    variables = tuple(
        Variable(
            name,
            claim=None if spec.claim is None else claim_path(spec.claim),
            is_list=spec.list,
            default=spec.default,
            value=spec.value,
        )
        for name, spec in settings.variables.items()
    )
    max_age = None if settings.max_age is None else int(settings.max_age)
    return SessionPolicy(claim_path(settings.user_id), variables, settings.values, max_age)


def claim_path(dotted: str) -> ClaimPath:
    r"""Return the keys of a dotted path; `\.` is a dot within a key, as in Keycloak's mappers."""
    return tuple(key.replace(r"\.", ".") for key in _DOT.split(dotted))
