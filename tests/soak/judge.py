"""Which answers may come to a question, and whether the one that came is among them."""

from __future__ import annotations

import json
import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from math import inf
from typing import Any

from hasura_kc_auth.core.errors import Code
from tests.conftest import Answer
from tests.soak.timeline import Timeline

MAX_AGE = 300
_MAX_AGE = re.compile(r"max-age=([1-9][0-9]{0,2})")
_ROLES = re.compile(r"\{[^{}]+\}")
_VARIABLES = frozenset(
    {
        "X-Hasura-Org-Id",
        "X-Hasura-Role",
        "X-Hasura-Allowed-Roles",
        "X-Hasura-User-Id",
        "Cache-Control",
    }
)


@dataclass(frozen=True, slots=True)
class Grant:
    """What an allowed request gets."""

    org: str
    role: str
    roles: tuple[str, ...]
    user: str


Verdict = Grant | Code


@dataclass(frozen=True, slots=True)
class Question:
    """One request, and the truth about it, taken from how it was made and never from the token.

    `verdict`: what comes while the service has the key `kid`; None: no key is asked for. `expires`:
    the token's `exp`, where the rules come as far as to look at it.
    """

    kind: str
    message: bytes
    verdict: Verdict
    kid: str | None = None
    expires: float = inf

    @property
    def remembered(self) -> bool:
        """Whether its decision is one that the service keeps."""
        return isinstance(self.verdict, Grant) and self.kid is not None


@dataclass(frozen=True, slots=True)
class Span:
    """From before the question was sent until its answer was there.

    `sent`, `received`: by the monotonic clock; `wall`: what to add to have the wall clock's time.
    """

    sent: float
    received: float
    wall: float = 0.0


@dataclass(frozen=True, slots=True)
class Malformed:
    """An answer that is none of the documented ones, or none at all."""

    why: str


Outcome = Verdict | Malformed


def read(answer: Answer) -> Outcome:
    """Return what an answer says; strict about its form."""
    try:
        body = json.loads(answer.body)
    except ValueError:
        return Malformed(f"status {answer.status}, no JSON")
    if answer.status == 200:
        return _read_grant(body)
    return _read_refusal(answer.status, body)


def _read_grant(body: Any) -> Outcome:
    if not isinstance(body, dict) or body.keys() != _VARIABLES:
        return Malformed("status 200, other members than documented")
    if not all(isinstance(value, str) for value in body.values()):
        return Malformed("status 200, a member that is no text")
    if not _ROLES.fullmatch(body["X-Hasura-Allowed-Roles"]):
        return Malformed("status 200, the roles are no array")
    if not _MAX_AGE.fullmatch(body["Cache-Control"]):
        return Malformed("status 200, max-age is no number from 1")
    roles = body["X-Hasura-Allowed-Roles"].strip("{}").replace('"', "").split(",")
    return Grant(
        body["X-Hasura-Org-Id"], body["X-Hasura-Role"], tuple(roles), body["X-Hasura-User-Id"]
    )


def _read_refusal(status: int, body: Any) -> Outcome:
    if not isinstance(body, dict) or body.keys() != {"code"} or body["code"] not in list(Code):
        return Malformed(f"status {status}, no code of the vocabulary")
    code = Code(body["code"])
    right = 503 if code.undecided else 401
    return code if status == right else Malformed(f"status {status} with the code {code}")


def max_age(answer: Answer) -> int:
    """Return the seconds that a grant says it may be kept."""
    found = _MAX_AGE.fullmatch(json.loads(answer.body)["Cache-Control"])
    assert found is not None  # `read` has looked
    return int(found[1])


class Judge:
    """Knows the answers that may come at any moment of the soak."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._leeway = timeline.times.leeway

    def allowed(self, question: Question, span: Span) -> AbstractSet[Verdict]:
        """Return what may come for a question asked within this span."""
        if question.kid is None:
            return {question.verdict}
        sent, received, keys = span.sent, span.received, self._timeline
        remembered = keys.times.cache_ttl if question.remembered else 0.0
        found: set[Verdict] = set()
        if keys.may_have_key(question.kid, sent, received, remembered=remembered):
            found |= self._with_key(question, span)
        if keys.may_lack_key(question.kid, sent, received):
            found.add(Code.UNKNOWN_KEY)
        if keys.may_be_unusable(sent, received):
            found.add(Code.KEYS_UNAVAILABLE)
        return found

    def _with_key(self, question: Question, span: Span) -> set[Verdict]:
        """Say `expired` from exp + leeway on: both may come only across that moment."""
        until = question.expires + self._leeway - span.wall
        alive = {question.verdict} if span.sent < until else set()
        return alive | ({Code.EXPIRED} if span.received >= until else set())

    def may_wait(self, kid: str, sent: float) -> bool:
        """Whether the service may have asked the issuer for this key before it answered."""
        return self._timeline.may_lack_key(kid, sent, sent) or self._timeline.may_be_unusable(
            sent, sent
        )

    def wrong(self, question: Question, answer: Answer, span: Span) -> str | None:
        """Return what is wrong with an answer, without anything of a token; None if nothing is."""
        came = read(answer)
        allowed = self.allowed(question, span)
        self._learn(question, came, span)
        if came not in allowed:
            return f"came {described(came)}, not {' or '.join(sorted(map(described, allowed)))}"
        if isinstance(came, Grant):
            longest = max(1.0, min(MAX_AGE, question.expires - span.wall - span.sent))
            if max_age(answer) > longest:
                return f"max-age={max_age(answer)}, though {longest:.0f} s are left"
        return None

    def _learn(self, question: Question, came: Outcome, span: Span) -> None:
        if question.kid is None:
            return
        if came is Code.UNKNOWN_KEY:
            self._timeline.saw_no_key(question.kid, span.received)
        elif came == question.verdict:
            self._timeline.saw_key(question.kid, span.received)


def described(outcome: Outcome) -> str:
    """Return an outcome as words: names of the soak's own users and orgs, nothing of a token."""
    match outcome:
        case Grant():
            return f"200 ({outcome.org} as {outcome.role}, of {'/'.join(outcome.roles)})"
        case Malformed():
            return outcome.why
        case _:
            return f"{503 if outcome.undecided else 401} {outcome}"
