"""The answer: Hasura's session variables, rendered once and good for as long as the token."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from math import inf
from typing import NamedTuple

from hasura_kc_auth.core.claims import claim_at
from hasura_kc_auth.core.errors import Code, Denied
from hasura_kc_auth.core.policy import AnonymousPolicy, SessionPolicy, Values, Variable
from hasura_kc_auth.core.rendering import json_object, render
from hasura_kc_auth.core.request import Request
from hasura_kc_auth.core.rules import Case
from hasura_kc_auth.core.strict_json import Json
from hasura_kc_auth.core.token import VerifiedClaims

ORG_ID = "X-Hasura-Org-Id"
ROLE = "X-Hasura-Role"
ALLOWED_ROLES = "X-Hasura-Allowed-Roles"
USER_ID = "X-Hasura-User-Id"

_REMEMBERED_ROLES = 64


class Session(NamedTuple):
    """One allowed request. All moments are seconds since the epoch by the wall clock.

    `issuer`: the configured issuer, None for an anonymous session. `valid_from` and `valid_until`
    are the moments between which the rules let the token pass, leeway included; `expires_at` is its
    `exp`. `max_age`: seconds, None to leave Cache-Control out. `rendered`: the answer but for its
    end, and all that is kept of it, since thousands are remembered. `fresh_for`: seconds for which
    it may be, where it rests on more than the token.
    """

    issuer: str | None
    valid_from: float
    valid_until: float
    expires_at: float
    max_age: int | None
    rendered: bytes
    fresh_for: float = inf

    @property
    def variables(self) -> Mapping[str, Json]:
        """Return the session variables, read out of the answer."""
        variables: Mapping[str, Json] = json.loads(self.rendered + b"}")
        return variables

    def body(self, now: float) -> bytes:
        """Return the answer's body: only max-age is written anew.

        Hasura reads Cache-Control from the body, and closes a WebSocket at once for max-age=0.
        """
        if self.max_age is None:
            return self.rendered + b"}"
        seconds = max(1, int(min(self.expires_at - now, self.max_age, self.fresh_for)))
        return b'%b,"Cache-Control":"max-age=%d"}' % (self.rendered, seconds)


def session_of(case: Case) -> Session:
    """Write the answer for a case that `judge` has let pass."""
    policy, org = case.policy.session, case.org
    assert org is not None  # noqa: S101 - for the type checker: the rule on the org has held
    role = case.request.role or case.roles[0]
    variables = {
        ORG_ID: case.issuer.qualified(org.id),
        ROLE: role,
        ALLOWED_ROLES: _remembered_roles(case.roles, policy.values),
        USER_ID: case.issuer.qualified(claim_at(case.claims, policy.user_id)),
        **_configured(policy, case.claims),
    }
    return Session(
        case.issuer.issuer,
        case.valid_from,
        case.valid_until,
        case.claims["exp"],
        policy.max_age,
        _rendered(variables),
    )


def anonymous_session(
    request: Request, anonymous: AnonymousPolicy | None, policy: SessionPolicy
) -> Session:
    """Answer a request without any credential.

    Raises Denied: `no_credentials` where no anonymous role is configured; `org_not_granted` or
    `role_not_granted` for a wish, since nothing was proven that it could choose among.
    """
    if anonymous is None:
        raise Denied(Code.NO_CREDENTIALS)
    if request.org:
        raise Denied(Code.ORG_NOT_GRANTED, "an anonymous request belongs to no org")
    if request.role not in ("", anonymous.role):
        raise Denied(Code.ROLE_NOT_GRANTED, "an anonymous request has the anonymous role only")
    variables = {
        ROLE: anonymous.role,
        ALLOWED_ROLES: render([anonymous.role], policy.values),
        **{name: render(value, policy.values) for name, value in anonymous.variables.items()},
    }
    return Session(None, -inf, inf, inf, policy.max_age, _rendered(variables))


def _rendered(variables: Mapping[str, Json]) -> bytes:
    return json_object(variables)[:-1].encode("ascii")


def _roles(roles: tuple[str, ...], values: Values) -> Json:
    return render(list(roles), values)


# How a set of roles is written, and there are few sets. Who holds them is read from each token.
_remembered_roles = lru_cache(_REMEMBERED_ROLES)(_roles)


def _configured(policy: SessionPolicy, claims: VerifiedClaims) -> dict[str, Json]:
    return {
        variable.name: render(value, policy.values)
        for variable in policy.variables
        if (value := _value(variable, claims)) is not None
    }


def _value(variable: Variable, claims: VerifiedClaims) -> Json:
    if variable.claim is None:
        return variable.value
    value = claim_at(claims, variable.claim)
    if value is None:
        value = variable.default
    return _as_list(value) if variable.is_list else value


def _as_list(value: Json) -> list[Json]:
    """Return what a list variable holds; no null can be an element, no missing claim is an error.

    A Keycloak mapper writes a plain value where "Multivalued" is off.
    """
    items: Iterable[Json] = value if isinstance(value, list) else [value]
    return [item for item in items if item is not None]
