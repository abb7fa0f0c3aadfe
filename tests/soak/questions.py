"""What is asked: a seeded mix of right and wrong requests, each with the truth about it."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections import deque
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, NamedTuple

from joserfc.jwk import RSAKey

from hasura_kc_auth.core.errors import Code
from hasura_kc_auth.devtools.tokens import User
from tests.soak.judge import Grant, Question, Verdict
from tests.soak.realm import ORGS, Realm, sign, truth, wall
from tests.web.wire import get, post, post_bytes

_ROLES = ("org_admin", "editor", "viewer", "admin", "guest")
_GRAPHQL = {"operationName": "Orders", "query": "query Orders { orders { id } }" * 20}
_SHORT_LIFE = 3
"""Seconds until `exp` of the tokens that expire while they are asked about."""
_DAY = 86400


class Member(NamedTuple):
    """Somebody who logged in. `asked`: the orgs they asked for; `expires`: their token's `exp`."""

    token: str
    user: User
    asked: tuple[str, ...]
    kid: str
    expires: int


class Questions:
    """Makes them. Of what it made it keeps some, to ask them again: cached decisions."""

    def __init__(self, realm: Realm, random: Random) -> None:
        self._realm = realm
        self._random = random
        self._recent: deque[Question] = deque(maxlen=300)
        self._lapsing: deque[Question] = deque(maxlen=12)
        self._members: deque[Member] = deque(maxlen=20)
        # By key: questions that are asked to its end and beyond.
        self._kept: dict[str, deque[Question]] = {}
        self._mix: Mapping[Callable[[], Question], int] = {
            self._again: 45,
            self._fresh: 20,
            self._wishing_otherwise: 10,
            self._of_an_older_key: 8,
            self._lapses: 1,
            self._lapsing_again: 6,
            self._expired: 2,
            self._forged: 3,
            self._unknown_kid: 2,
            self._foreign: 2,
            self._not_an_access_token: 2,
            self._garbage: 2,
            self._nothing: 1,
            self._contradiction: 2,
            self._no_envelope: 1,
        }

    def next(self) -> Question:
        """Return the next question."""
        (make,) = self._random.choices(list(self._mix), list(self._mix.values()))
        return make()

    # Good tokens, with all kinds of wishes

    def _fresh(self) -> Question:
        """Ask with a token that was never seen, so its decision is in no cache."""
        member = self._member(self._realm.key)
        self._members.append(member)
        question = self._of(member)
        self._recent.append(question)
        kept = self._kept.setdefault(str(question.kid), deque(maxlen=40))
        if self._random.random() < 0.1:
            kept.append(question)
        return question

    def _wishing_otherwise(self) -> Question:
        """Ask with a token of these days and other wishes: another decision of the cache's."""
        return self._of(self._random.choice(self._members)) if self._members else self._fresh()

    def _again(self) -> Question:
        return self._random.choice(self._recent) if self._recent else self._fresh()

    def _of_an_older_key(self) -> Question:
        """Ask with a token under the key before the last, one asked before or one never seen."""
        if len(self._realm.keys) < 2:
            return self._fresh()
        key = self._realm.keys[-2]
        kept = self._kept.get(str(key.kid))
        if kept and self._random.random() < 0.7:
            return self._random.choice(kept)
        return self._of(self._member(key), kind="of an older key")

    def _lapses(self) -> Question:
        """Ask with a token that expires in the next seconds."""
        member = self._member(self._realm.key, life=_SHORT_LIFE)
        question = self._of(member, kind="about to expire")
        self._lapsing.append(question)
        return question

    def _lapsing_again(self) -> Question:
        return self._random.choice(self._lapsing) if self._lapsing else self._lapses()

    def _member(self, key: RSAKey, life: int = 300) -> Member:
        user, asked = self._person()
        expires = int(wall()) + life
        token = sign(self._realm.claims(user, asked) | {"exp": expires}, key)
        return Member(token, user, asked, str(key.kid), expires)

    def _of(self, member: Member, kind: str = "") -> Question:
        org = self._random.choice((*member.asked, "", "", self._random.choice(ORGS)))
        role = self._random.choice(("", "", "", "", "viewer", "editor", *_ROLES))
        verdict = truth(member.user, member.asked, org, role)
        wishes = {"X-Hasura-Org-Id": org, "x-hasura-role": role}
        return self._asking(
            kind or ("granted" if isinstance(verdict, Grant) else str(verdict)),
            member.token,
            verdict,
            kid=member.kid,
            expires=member.expires,
            wishes={name: value for name, value in wishes.items() if value},
        )

    def _person(self) -> tuple[User, tuple[str, ...]]:
        """Return somebody, and the orgs they log in for: mostly one of their own."""
        user = self._random.choice(self._realm.users)
        own = self._random.sample(sorted(user.roles), min(len(user.roles), 2))
        count = self._random.choice((1, 1, 1, 2))
        return user, tuple(own[:count]) or (self._random.choice(ORGS),)

    # Tokens that get nobody in

    def _expired(self) -> Question:
        claims = self._somebodys(exp=int(wall()) - self._random.randrange(60, _DAY))
        return self._signed("expired", claims, Code.EXPIRED)

    def _forged(self) -> Question:
        """Somebody else's signature, or other claims under a right one."""
        right = sign(self._somebodys(), self._realm.key)
        header, payload, signature = right.split(".")
        if self._random.random() < 0.5:
            _, _, signature = sign(self._somebodys(), self._realm.stranger).split(".")
        else:
            payload = _b64(self._somebodys(sub="somebody-else"))
        return self._asking(
            "forged",
            f"{header}.{payload}.{signature}",
            Code.BAD_SIGNATURE,
            kid=str(self._realm.key.kid),
        )

    def _unknown_kid(self) -> Question:
        """Under a key that nobody ever publishes."""
        kid = f"unknown-{self._random.getrandbits(64)}"
        token = sign(self._somebodys(), self._realm.stranger, kid=kid)
        return self._asking("unknown key", token, Code.UNKNOWN_KEY, kid=kid)

    def _foreign(self) -> Question:
        changes, header, verdict = self._random.choice(
            (
                ({"iss": "https://sso.example.com/realms/other"}, {}, Code.WRONG_ISSUER),
                ({}, {"alg": "none"}, Code.UNSUPPORTED_ALGORITHM),
                ({}, {"alg": "HS256"}, Code.UNSUPPORTED_ALGORITHM),
                ({}, {"typ": "logout+jwt"}, Code.WRONG_TYPE),
                ({}, {"crit": ["exp"]}, Code.MALFORMED_TOKEN),
            )
        )
        key = self._realm.key
        own = {"alg": "RS256", "typ": "JWT", "kid": str(key.kid), **header}
        token = f"{_b64(own)}.{_b64(self._somebodys(**changes))}.{'A' * 342}"
        return self._asking("foreign", token, verdict)

    def _not_an_access_token(self) -> Question:
        changes, verdict = self._random.choice(
            (
                ({"typ": "ID"}, Code.WRONG_TYPE),
                ({"azp": "somebody"}, Code.WRONG_CLIENT),
                ({"aud": ["account", *ORGS]}, Code.WRONG_AUDIENCE),
                ({"cnf": {"jkt": "x"}}, Code.SENDER_CONSTRAINED),
                ({"iat": int(wall()) + _DAY}, Code.NOT_YET_VALID),
                ({"sub": ""}, Code.MISSING_CLAIM),
            )
        )
        return self._signed("not for us", self._somebodys(**changes), verdict)

    def _garbage(self) -> Question:
        text = self._random.choice(
            ("x", "a.b", "a.b.c", "." * 1000, "eyJhbGciOiJSUzI1NiJ9..", "A" * 3000, "ä.ö.ü")
        )
        return self._asking("garbage", text, Code.MALFORMED_TOKEN)

    # No question at all

    def _nothing(self) -> Question:
        return Question("no credential", get(), Code.NO_CREDENTIALS)

    def _contradiction(self) -> Question:
        """Two differing credentials, or two differing wishes."""
        token = sign(self._somebodys(), self._realm.key)
        pair, verdict = self._random.choice(
            (
                (("Authorization", "Bearer x"), Code.AMBIGUOUS_CREDENTIALS),
                (("X-Hasura-Role", "viewer"), Code.MALFORMED_REQUEST),
            )
        )
        headers = {"Authorization": f"Bearer {token}", "X-Hasura-role": "editor"}
        if self._random.random() < 0.5:
            lines = [f"{name}: {value}" for name, value in (*headers.items(), pair)]
            return Question("contradiction", get(*lines), verdict)
        message = post({**headers, pair[0].lower(): pair[1]})
        return Question("contradiction", message, verdict)

    def _no_envelope(self) -> Question:
        body = self._random.choice((b"", b"{", b"[]", b'{"headers":[]}', b"\xff", b"[" * 5000))
        return Question("no envelope", post_bytes(body), Code.MALFORMED_REQUEST)

    # How it is said

    def _somebodys(self, **changes: Any) -> dict[str, Any]:
        """Return claims that would be granted, but for these changes."""
        user = next(it for it in self._realm.users if len(it.roles) == 1)
        return {**self._realm.claims(user, tuple(user.roles)), **changes}

    def _signed(self, kind: str, claims: Mapping[str, Any], verdict: Verdict) -> Question:
        key = self._realm.key
        return self._asking(kind, sign(claims, key), verdict, kid=str(key.kid))

    def _asking(
        self,
        kind: str,
        token: str,
        verdict: Verdict,
        *,
        wishes: Mapping[str, str] | None = None,
        **truths: Any,
    ) -> Question:
        """Return the question as Hasura asks it, in one of its modes."""
        headers = {"Authorization": f"Bearer {token}", **(wishes or {})}
        if self._random.random() < 0.5:
            message = get(*(f"{name}: {value}" for name, value in headers.items()))
        else:
            message = post(headers, request=self._random.choice((None, _GRAPHQL, [_GRAPHQL])))
        return Question(kind, message, verdict, **truths)


def _b64(members: Mapping[str, Any]) -> str:
    return urlsafe_b64encode(json.dumps(members).encode()).rstrip(b"=").decode()
