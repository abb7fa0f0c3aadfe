"""The use case: headers in, a session out. The order of the whole decision is read here."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from math import inf

from hasura_kc_auth.core.introspection import introspected, is_lightweight
from hasura_kc_auth.core.keys import VerificationKey
from hasura_kc_auth.core.policy import IssuerPolicy, Policy
from hasura_kc_auth.core.request import Headers, Request, read_request
from hasura_kc_auth.core.rules import INTROSPECTION_RULES, Case, admit, judge, open_case
from hasura_kc_auth.core.session import Session, anonymous_session, session_of
from hasura_kc_auth.core.token import (
    UnverifiedToken,
    VerifiedClaims,
    parse,
    verify_signature,
)
from hasura_kc_auth.ports import Authenticates, Clock, FindsKeys, FoundKey, Introspects, Recalls


class HeaderAuthenticator:
    """From a client's headers to its session: what is asked is read, then recalled or decided.

    `max_token`: bytes a token may have.
    """

    def __init__(
        self, org_header: str, max_token: int, recalls: Recalls, decides: Authenticates
    ) -> None:
        self._org_header = org_header
        self._max_token = max_token
        self._recalls = recalls
        self._decides = decides

    async def authenticate(self, headers: Headers) -> Session:
        """Return the session that a client with these headers gets. Raises Denied."""
        question = read_request(headers, self._org_header, self._max_token)
        return self._recalls.recall(question) or await self._decides.authenticate(question)


@dataclass(frozen=True, slots=True)
class Completion:
    """How tokens of one issuer are completed. `always`: lightweight or not."""

    introspects: Introspects
    always: bool


class Authenticator:
    """Decides about one request by the policy, the issuers' keys and the wall clock.

    `completions`: by issuer, for those whose tokens are asked about at Keycloak.
    """

    def __init__(
        self,
        policy: Policy,
        keys: FindsKeys,
        wall_clock: Clock,
        completions: Mapping[str, Completion] | None = None,
    ) -> None:
        self.policy = policy
        self._keys = keys
        self._wall_clock = wall_clock
        self._completions = completions or {}

    async def authenticate(self, request: Request) -> Session:
        """Return the session this request gets. Raises Denied by the first rule that fails."""
        outcome = self.decide(request)
        return outcome if isinstance(outcome, Session) else await outcome

    def decide(self, request: Request) -> Session | Awaitable[Session]:
        """Return the session this request gets, or what to wait for where Keycloak must be asked.

        Raises Denied by the first rule that fails.
        """
        if request.token is None:
            return anonymous_session(request, self.policy.anonymous, self.policy.session)
        token = parse(request.token)
        issuer = admit(token, self.policy)
        key = self._keys.find(issuer.issuer, token.key_id)
        if issuer.issuer in self._completions or not isinstance(key, VerificationKey):
            return self._ask(token, key, request, issuer)
        return self._session(verify_signature(token, key, issuer.issuer), request, issuer)

    async def _ask(
        self, token: UnverifiedToken, key: FoundKey, request: Request, issuer: IssuerPolicy
    ) -> Session:
        claims = await _verify(token, key, issuer)
        completed, fresh_for = await self._complete(claims, request, issuer)
        session = self._session(completed, request, issuer)
        # What rests on an answer may be remembered for no longer than the answer itself, which may
        # have been remembered for a while already.
        return session._replace(fresh_for=fresh_for)

    async def verify(self, token: UnverifiedToken, issuer: IssuerPolicy) -> VerifiedClaims:
        """Check the signature by the issuer's key. Raises Denied."""
        return await _verify(token, self._keys.find(issuer.issuer, token.key_id), issuer)

    async def complete(
        self, claims: VerifiedClaims, request: Request, issuer: IssuerPolicy
    ) -> VerifiedClaims:
        """Return the claims that Keycloak tells of a token, where it is to be asked at all.

        Only about a token whose own claims have passed. Raises Denied.
        """
        return (await self._complete(claims, request, issuer))[0]

    async def _complete(
        self, claims: VerifiedClaims, request: Request, issuer: IssuerPolicy
    ) -> tuple[VerifiedClaims, float]:
        """Return the claims, and for how many seconds they may be believed."""
        completion = self._completions.get(issuer.issuer)
        if completion is None or not (completion.always or is_lightweight(claims)):
            return claims, inf
        judge(self.open_case(claims, request, issuer), INTROSPECTION_RULES)
        told = await completion.introspects.introspect(str(request.token))
        return introspected(claims, told.answer, issuer.issuer), told.fresh_for

    def open_case(self, claims: VerifiedClaims, request: Request, issuer: IssuerPolicy) -> Case:
        return open_case(claims, request, self.policy, issuer, self._wall_clock())

    def _session(self, claims: VerifiedClaims, request: Request, issuer: IssuerPolicy) -> Session:
        case = self.open_case(claims, request, issuer)
        judge(case)
        return session_of(case)


async def _verify(token: UnverifiedToken, key: FoundKey, issuer: IssuerPolicy) -> VerifiedClaims:
    found = key if isinstance(key, VerificationKey) else await key
    return verify_signature(token, found, issuer.issuer)
