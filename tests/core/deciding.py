"""The decision on claims alone, as the use case makes it once a signature is right."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hasura_kc_auth.core.policy import Policy
from hasura_kc_auth.core.request import Request
from hasura_kc_auth.core.rules import Case, judge, open_case
from hasura_kc_auth.core.session import Session, session_of
from hasura_kc_auth.core.token import VerifiedClaims
from tests.made_tokens import GOOD, ISSUER_POLICY, NOW, POLICY


def case_of(
    claims: Mapping[str, Any] = GOOD,
    *,
    org: str = "",
    role: str = "",
    policy: Policy = POLICY,
    now: float = NOW,
) -> Case:
    issuer = next(iter(policy.issuers.values()), ISSUER_POLICY)
    return open_case(VerifiedClaims(claims), Request("token", org, role), policy, issuer, now)


def decide(
    claims: Mapping[str, Any] = GOOD,
    *,
    org: str = "",
    role: str = "",
    policy: Policy = POLICY,
    now: float = NOW,
) -> Session:
    case = case_of(claims, org=org, role=role, policy=policy, now=now)
    judge(case)
    return session_of(case)


def answered(session: Session, now: float = NOW) -> dict[str, Any]:
    """Return the body that Hasura reads."""
    body: dict[str, Any] = json.loads(session.body(now))
    return body
