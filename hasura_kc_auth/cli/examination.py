"""One token, looked at by the rules that the webhook walks, with words for a person.

The verdict is the authenticator's own. Beside it stand the rows of the rules' tables: which held,
which did not, and which could not be looked at any more. Claims that fail one rule are shown to the
others as well, so that an expired token still tells why it would be refused tomorrow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from hasura_kc_auth.authenticator import Authenticator
from hasura_kc_auth.cli.advice import advice_for
from hasura_kc_auth.cli.org_advice import about_orgs, named, proof_of_org
from hasura_kc_auth.core.errors import Code, Denied
from hasura_kc_auth.core.request import Request
from hasura_kc_auth.core.rules import (
    CLAIM_RULES,
    INTROSPECTION_FACTS,
    INTROSPECTION_RULES,
    KEY_FACTS,
    ORDER,
    REQUEST_FACTS,
    TOKEN_RULES,
    Case,
    Fact,
    Rule,
    admit,
    submit,
    walk,
)
from hasura_kc_auth.core.session import Session
from hasura_kc_auth.core.token import UnverifiedToken, parse

_CLAIMS = (Code.MISSING_CLAIM,)
_ORGS = (Code.NO_ORG, Code.ORG_NOT_GRANTED, Code.AMBIGUOUS_ORG)
# Which rules say nothing once others have failed: no role is held where no org is chosen.
_MEANINGLESS_AFTER: dict[Code, tuple[Code, ...]] = {
    Code.WRONG_TYPE: _CLAIMS,
    Code.EXPIRED: _CLAIMS,
    Code.NOT_YET_VALID: _CLAIMS,
    Code.WRONG_CLIENT: _CLAIMS,
    Code.ORG_NOT_GRANTED: _ORGS[:1],
    Code.AMBIGUOUS_ORG: _ORGS[:2],
    Code.NO_ROLE: _ORGS,
    Code.ROLE_NOT_GRANTED: (*_ORGS, Code.NO_ROLE),
    Code.STEP_UP_REQUIRED: (*_ORGS, Code.NO_ROLE, Code.ROLE_NOT_GRANTED),
}


@dataclass(slots=True)
class Examination:
    """What was found. `broken`: the facts that do not hold; `seen`: those that were looked at."""

    session: Session | None = None
    denied: Denied | None = None
    token: UnverifiedToken | None = None
    case: Case | None = None
    seen: list[Fact] = field(default_factory=list)
    broken: list[Fact] = field(default_factory=list)

    def findings(self) -> Iterator[tuple[Fact, bool | None]]:
        """Yield each fact with whether it holds; None where it could not be looked at."""
        for fact in ORDER:
            holds = None if fact not in self.seen else fact not in self.broken
            yield self._in_its_realms_words(fact), holds

    def _in_its_realms_words(self, fact: Fact) -> Fact:
        if self.case is None or fact.code is not Code.NO_ORG:
            return fact
        return Fact(fact.code, proof_of_org(self.case.issuer.org))


async def examine(authenticator: Authenticator, request: Request) -> Examination:
    """Judge a request as the webhook does, and note every step. Raises nothing but bugs."""
    found = Examination()
    try:
        found.session = await authenticator.authenticate(request)
    except Denied as denied:
        found.denied = denied
    try:
        await _retrace(authenticator, request, found)
    except Denied as denied:
        note_failure(found, denied)
    return found


async def _retrace(authenticator: Authenticator, request: Request, found: Examination) -> None:
    if request.token is None:
        raise Denied(Code.NO_CREDENTIALS)
    found.token = parse(request.token)
    found.seen += REQUEST_FACTS
    found.seen += TOKEN_RULES
    found.broken += walk(TOKEN_RULES, submit(found.token, authenticator.policy))
    issuer = admit(found.token, authenticator.policy)
    claims = await authenticator.verify(found.token, issuer)
    found.seen += KEY_FACTS
    found.case = authenticator.open_case(claims, request, issuer)
    try:
        claims = await authenticator.complete(claims, request, issuer)
    except Denied as denied:
        if denied.code in {fact.code for fact in INTROSPECTION_FACTS}:
            raise
        # Keycloak is not asked about such a token: its own claims are all that there is to see.
        _look_at(found.case, INTROSPECTION_RULES, found)
        return
    found.seen += INTROSPECTION_FACTS
    found.case = authenticator.open_case(claims, request, issuer)
    _look_at(found.case, CLAIM_RULES, found)


def _look_at(case: Case, rules: tuple[Rule[Case], ...], found: Examination) -> None:
    broken = list(walk(rules, case))
    codes = {rule.code for rule in broken}
    found.seen += (it for it in rules if codes.isdisjoint(_MEANINGLESS_AFTER.get(it.code, ())))
    found.broken += (it for it in broken if it in found.seen)


def note_failure(found: Examination, denied: Denied) -> None:
    """Mark the step that stopped the way; what comes before it in its group has held."""
    for group in (REQUEST_FACTS, KEY_FACTS, INTROSPECTION_FACTS):
        codes = [fact.code for fact in group]
        if denied.code in codes and group[0] not in found.seen:
            found.seen += group[: codes.index(denied.code) + 1]
            found.broken.append(group[codes.index(denied.code)])
            return


def reasons(found: Examination) -> list[str]:
    """Return what to do, most telling first; empty for an allowed request."""
    if found.denied is None:
        return []
    code = found.denied.code
    special = {
        Code.WRONG_ISSUER: _about_issuer,
        Code.WRONG_CLIENT: _about_client,
        Code.NO_ORG: _about_orgs,
        Code.ORG_NOT_GRANTED: _about_orgs,
        Code.AMBIGUOUS_ORG: _about_choice,
        Code.NO_ROLE: _about_roles,
        Code.ROLE_NOT_GRANTED: _about_roles,
        Code.STEP_UP_REQUIRED: _about_level,
        Code.WRONG_AUDIENCE: _about_audience,
    }.get(code)
    words = list(special(found)) if special else []
    if found.denied.detail:
        words.insert(0, f"In short: {found.denied.detail}.")
    source = found.case.issuer.org.source if found.case is not None else "client-scope"
    return [*words, advice_for(code, source)]


def _about_issuer(found: Examination) -> Iterator[str]:
    if found.token is not None:
        yield f"The token's iss is {found.token.payload.get('iss')!r}."


def _about_client(found: Examination) -> Iterator[str]:
    if found.case is not None:
        allowed = ", ".join(sorted(found.case.issuer.clients))
        yield f"The token's azp is {found.case.claims['azp']!r}; `clients` has {allowed}."


def _about_audience(found: Examination) -> Iterator[str]:
    if found.case is not None:
        wanted = ", ".join(sorted(found.case.issuer.audiences))
        yield f"The token's aud is {found.case.claims.get('aud')!r}; `audiences` has {wanted}."


def _about_orgs(found: Examination) -> Iterator[str]:
    if found.case is not None:
        yield from about_orgs(found.case)


def _about_choice(found: Examination) -> Iterator[str]:
    if found.case is not None:
        yield f"The token holds {named(found.case)}."
        if not found.case.grants.selectable:
            yield (
                "It was asked for by `organization` or `organization:*`, which names none of them: "
                "ask for organization:ALIAS."
            )


def _about_roles(found: Examination) -> Iterator[str]:
    if found.case is not None and found.case.org is not None:
        held = ", ".join(found.case.held) or "none that is allowed"
        yield f"Roles held in {found.case.org.id!r}: {held}."


def _about_level(found: Examination) -> Iterator[str]:
    if found.case is not None:
        yield f"The token's acr is {found.case.claims.get('acr')!r}."
