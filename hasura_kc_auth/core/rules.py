"""The rules, as tables: the webhook and `explain` both walk them, so they cannot drift apart.

The first rule that does not hold is the denial's code. What comes before and between the tables
(one credential, the token's form, its key and signature) is done by the functions that produce what
the next table looks at; `ORDER` names it all, and `authenticator.py` does it in that order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from hasura_kc_auth.core.claims import audience_of, claim_at, is_id, is_number
from hasura_kc_auth.core.errors import Code, Denied
from hasura_kc_auth.core.grants import Grant, Grants
from hasura_kc_auth.core.orgs import choose_org, granted_orgs, hasura_roles
from hasura_kc_auth.core.policy import IssuerPolicy, Policy
from hasura_kc_auth.core.request import Request
from hasura_kc_auth.core.token import UnverifiedToken, VerifiedClaims

Subject = TypeVar("Subject")

# RFC 9068, section 2.1, and what Keycloak writes. Logout, DPoP proof and other JWTs have their own.
_ACCESS_TOKEN_TYPES = frozenset({"jwt", "at+jwt"})


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact that must hold, and the code where it does not."""

    code: Code
    must: str


@dataclass(frozen=True, slots=True)
class Rule(Fact, Generic[Subject]):
    """A fact that a look at its subject decides."""

    holds: Callable[[Subject], bool]


class Case(NamedTuple):
    """Verified claims on trial: everything the claim rules look at.

    `valid_from`, `valid_until`: the moments, leeway included, between which the claims may pass.
    `grants`: the orgs proven; `org`: the one chosen. `held`: the allowed Hasura roles held in it,
    of which `roles` are those that this authentication is strong enough for.
    """

    claims: VerifiedClaims
    request: Request
    policy: Policy
    issuer: IssuerPolicy
    now: float
    valid_from: float
    valid_until: float
    grants: Grants
    org: Grant | None
    held: tuple[str, ...]
    roles: tuple[str, ...]


def open_case(
    claims: VerifiedClaims, request: Request, policy: Policy, issuer: IssuerPolicy, now: float
) -> Case:
    """Lay out what the claims grant. Total: claims of any JSON types give a case.

    `now`: seconds since the epoch, by the wall clock.
    """
    grants = granted_orgs(claims, issuer)
    org = choose_org(grants, request.org, issuer)
    held = hasura_roles(org, policy.roles) if org is not None else ()
    roles = held
    if policy.roles.acr:
        roles = tuple(role for role in held if _is_strong_enough(role, claims, policy))
    begin, end = valid_from(claims, issuer.leeway), valid_until(claims, issuer.leeway)
    return Case(claims, request, policy, issuer, now, begin, end, grants, org, held, roles)


def _is_strong_enough(role: str, claims: VerifiedClaims, policy: Policy) -> bool:
    """Whether the authentication's level (`acr`) is one that this role asks for, if it does."""
    levels = policy.roles.acr.get(role)
    acr = claims.get("acr")
    return levels is None or (isinstance(acr, str) and acr in levels)


class Submission(NamedTuple):
    """A token of the right form, before any key is touched. `issuer`: whose it says it is."""

    token: UnverifiedToken
    policy: Policy
    issuer: IssuerPolicy | None


def submit(token: UnverifiedToken, policy: Policy) -> Submission:
    """Find the issuer that a token names, None where it is not a configured one."""
    issuer = token.payload.get("iss")
    return Submission(
        token, policy, policy.issuers.get(issuer) if isinstance(issuer, str) else None
    )


def valid_from(claims: VerifiedClaims, leeway: float) -> float:
    """Return the first moment, in seconds since the epoch, at which the rules let claims pass."""
    return max(_number(claims, "iat"), _number(claims, "nbf")) - leeway


def valid_until(claims: VerifiedClaims, leeway: float) -> float:
    """Return the moment from which the rules refuse these claims as expired."""
    return _number(claims, "exp") + leeway


def _number(claims: VerifiedClaims, name: str) -> float:
    value = claims.get(name)
    return float(value) if is_number(value) else 0.0


def _is_access_token_type(token: UnverifiedToken) -> bool:
    typ = token.header.get("typ", "JWT")
    return isinstance(typ, str) and typ.lower() in _ACCESS_TOKEN_TYPES


def _has_token_claims(case: Case) -> bool:
    claims = case.claims
    return (
        is_number(claims.get("exp"))
        and is_number(claims.get("iat"))
        and ("nbf" not in claims or is_number(claims["nbf"]))
        and is_id(claims.get("azp"))
        and isinstance(claims.get("typ"), str)
    )


def _has_user(case: Case) -> bool:
    user_id = claim_at(case.claims, case.policy.session.user_id)
    return is_id(case.claims.get("sub")) and is_id(user_id) and _is_in_its_namespace(user_id, case)


def _is_in_its_namespace(user_id: str, case: Case) -> bool:
    """Whether an id that gets no prefix looks like no id of a realm that has one."""
    return case.issuer.namespace is not None or not user_id.startswith(case.policy.prefixes)


def _is_granted(case: Case) -> bool:
    named = (case.issuer.qualified(grant.id) for grant in case.grants.orgs)
    return case.request.org in named


def _is_from_allowed_client(case: Case) -> bool:
    client = case.claims.get("azp")
    return isinstance(client, str) and client in case.issuer.clients


def _meets_audience(case: Case) -> bool:
    required = case.issuer.audiences
    return not required or not required.isdisjoint(audience_of(case.claims))


TOKEN_RULES: tuple[Rule[Submission], ...] = (
    Rule(
        Code.UNSUPPORTED_ALGORITHM,
        "header alg is one of the configured algorithms",
        lambda it: it.token.algorithm in it.policy.algorithms,
    ),
    Rule(
        Code.WRONG_TYPE,
        "header typ, where there is one, is JWT or at+jwt",
        lambda it: _is_access_token_type(it.token),
    ),
    Rule(
        Code.WRONG_ISSUER,
        "iss is a configured issuer, byte for byte",
        lambda it: it.issuer is not None,
    ),
    Rule(
        Code.UNSUPPORTED_ALGORITHM,
        "header alg is one of this issuer's algorithms",
        lambda it: it.issuer is None or it.token.algorithm in it.issuer.algorithms,
    ),
)

CLAIM_RULES: tuple[Rule[Case], ...] = (
    Rule(
        Code.MISSING_CLAIM,
        "exp and iat are numbers, azp and typ are strings",
        _has_token_claims,
    ),
    Rule(Code.MISSING_CLAIM, "sub and the user id are printable strings", _has_user),
    Rule(
        Code.SENDER_CONSTRAINED,
        "the token is not bound to a key of its sender (no cnf, typ is not DPoP)",
        lambda case: "cnf" not in case.claims and case.claims.get("typ") != "DPoP",
    ),
    Rule(
        Code.WRONG_TYPE,
        "typ is Bearer: neither an ID nor a refresh token",
        lambda case: case.claims.get("typ") == "Bearer",
    ),
    Rule(
        Code.EXPIRED,
        "exp is in the future (give or take the leeway)",
        lambda case: case.now < case.valid_until,
    ),
    Rule(
        Code.NOT_YET_VALID,
        "iat and nbf are in the past (give or take the leeway)",
        lambda case: case.now >= case.valid_from,
    ),
    Rule(
        Code.WRONG_CLIENT,
        "azp is one of the allowed clients",
        _is_from_allowed_client,
    ),
    Rule(
        Code.WRONG_AUDIENCE,
        "aud holds one of the configured audiences",
        _meets_audience,
    ),
    Rule(
        Code.NO_ORG,
        "the token proves an org, in all the ways that `org.from` asks for",
        lambda case: bool(case.grants.orgs),
    ),
    Rule(
        Code.ORG_NOT_GRANTED,
        "the org that the request names is one of these",
        lambda case: not case.request.org or _is_granted(case),
    ),
    Rule(
        Code.AMBIGUOUS_ORG,
        "there is one org only, or the request names one",
        lambda case: case.org is not None,
    ),
    Rule(
        Code.NO_ROLE,
        "one of the roles held in that org is allowed",
        lambda case: bool(case.held),
    ),
    Rule(
        Code.ROLE_NOT_GRANTED,
        "the role that the request names is one of these",
        lambda case: not case.request.role or case.request.role in case.held,
    ),
    Rule(
        Code.STEP_UP_REQUIRED,
        "the login was strong enough (acr) for the role that the request names, or for any",
        lambda case: case.request.role in case.roles if case.request.role else bool(case.roles),
    ),
)


INTROSPECTION_RULES = tuple(
    rule
    for rule in CLAIM_RULES
    if rule.holds is _has_token_claims
    or rule.code
    in (
        Code.SENDER_CONSTRAINED,
        Code.WRONG_TYPE,
        Code.EXPIRED,
        Code.NOT_YET_VALID,
        Code.WRONG_CLIENT,
    )
)
"""What a token must meet before Keycloak is asked about it: nothing is asked for strangers."""

REQUEST_FACTS = (
    Fact(Code.MALFORMED_REQUEST, "the request is proper, and each wish is named once"),
    Fact(Code.AMBIGUOUS_CREDENTIALS, "there is one Authorization value"),
    Fact(Code.NO_CREDENTIALS, "there is an Authorization header at all"),
    Fact(Code.MALFORMED_TOKEN, "it is `Bearer` and a compact JWS of strict JSON, with a kid"),
)
KEY_FACTS = (
    Fact(Code.KEYS_UNAVAILABLE, "the issuer's keys could be fetched"),
    Fact(Code.UNKNOWN_KEY, "the issuer publishes the key that the header's kid names"),
    Fact(Code.BAD_SIGNATURE, "the signature is right under that key and its algorithm"),
)
INTROSPECTION_FACTS = (
    Fact(Code.INTROSPECTION_UNAVAILABLE, "Keycloak could be asked about it, where it must be"),
    Fact(Code.INACTIVE_TOKEN, "Keycloak calls it active, where it is asked"),
)
ORDER: tuple[Fact, ...] = (
    *REQUEST_FACTS,
    *TOKEN_RULES,
    *KEY_FACTS,
    *INTROSPECTION_FACTS,
    *CLAIM_RULES,
)
"""Everything that must hold, in the order in which it is looked at."""


def walk(rules: Iterable[Rule[Subject]], subject: Subject) -> Iterator[Rule[Subject]]:
    """Yield the rules that do not hold, in order."""
    return (rule for rule in rules if not rule.holds(subject))


def admit(token: UnverifiedToken, policy: Policy) -> IssuerPolicy:
    """Return the issuer whose keys may be asked for. Raises Denied by the first of TOKEN_RULES."""
    submission = submit(token, policy)
    issuer = submission.issuer
    for broken in walk(TOKEN_RULES, submission):
        raise Denied(broken.code, issuer=issuer.issuer if issuer else None)
    assert issuer is not None  # noqa: S101 - for the type checker: the rule on iss has held
    return issuer


def judge(case: Case, rules: Iterable[Rule[Case]] = CLAIM_RULES) -> None:
    """Raise Denied by the first of the rules that does not hold."""
    for broken in walk(rules, case):
        raise Denied(broken.code, issuer=case.issuer.issuer)
