"""The use case: a request in, a session out. The order of the whole decision is read here."""

from __future__ import annotations

from hasura_kc_auth.core.policy import IssuerPolicy, Policy
from hasura_kc_auth.core.request import Request
from hasura_kc_auth.core.rules import Case, admit, judge, open_case
from hasura_kc_auth.core.session import Session, anonymous_session, session_of
from hasura_kc_auth.core.token import (
    UnverifiedToken,
    VerifiedClaims,
    parse,
    verify_signature,
)
from hasura_kc_auth.ports import Clock, FindsKeys


class Authenticator:
    """Decides about one request by the policy, the issuers' keys and the wall clock."""

    def __init__(self, policy: Policy, keys: FindsKeys, wall_clock: Clock) -> None:
        self.policy = policy
        self._keys = keys
        self._wall_clock = wall_clock

    async def authenticate(self, request: Request) -> Session:
        """Return the session this request gets. Raises Denied by the first rule that fails."""
        if request.token is None:
            return anonymous_session(request, self.policy.anonymous, self.policy.session)
        token = parse(request.token)
        issuer = admit(token, self.policy)
        claims = await self.verify(token, issuer)
        case = self.open_case(claims, request, issuer)
        judge(case)
        return session_of(case)

    async def verify(self, token: UnverifiedToken, issuer: IssuerPolicy) -> VerifiedClaims:
        """Check the signature by the issuer's key. Raises Denied."""
        key = await self._keys.find(issuer.issuer, token.key_id)
        return verify_signature(token, key, issuer.issuer)

    def open_case(self, claims: VerifiedClaims, request: Request, issuer: IssuerPolicy) -> Case:
        return open_case(claims, request, self.policy, issuer, self._wall_clock())
