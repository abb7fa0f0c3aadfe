"""The demo's questions, asked of a running webhook as Hasura asks, with the answers that must come.

The same questions are asked with tokens of any issuer that has these users and orgs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import aiohttp

from hasura_kc_auth.core.errors import Code
from hasura_kc_auth.core.session import ORG_ID, ROLE

Kind = Literal["access", "identity", "refresh", "expired", "none"]


@dataclass(frozen=True, slots=True)
class Question:
    """One call. `expected`: the (org, role) that must be granted, or the code of the denial."""

    title: str
    user: str
    scope: str
    expected: tuple[str, str] | Code
    kind: Kind = "access"
    wishes: Mapping[str, str] = field(default_factory=dict)


QUESTIONS = (
    Question("alice picked acme", "alice", "openid acme", ("acme", "editor")),
    Question("the same alice, in globex", "alice", "openid globex", ("globex", "viewer")),
    Question(
        "dave asks for a role he holds",
        "dave",
        "openid acme",
        ("acme", "viewer"),
        wishes={ROLE: "viewer"},
    ),
    Question(
        "alice asks for a role she lacks",
        "alice",
        "openid acme",
        Code.ROLE_NOT_GRANTED,
        wishes={ROLE: "org_admin"},
    ),
    Question(
        "dave asks for Hasura's superuser",
        "dave",
        "openid acme",
        Code.ROLE_NOT_GRANTED,
        wishes={ROLE: "admin"},
    ),
    Question(
        "two orgs in one token: nothing is guessed",
        "alice",
        "openid acme globex",
        Code.AMBIGUOUS_ORG,
    ),
    Question(
        "… until the request names one",
        "alice",
        "openid acme globex",
        ("globex", "viewer"),
        wishes={ORG_ID: "globex"},
    ),
    Question(
        "bob names an org that is not his",
        "bob",
        "openid acme",
        Code.ORG_NOT_GRANTED,
        wishes={ORG_ID: "globex"},
    ),
    Question("bob asks Keycloak for globex", "bob", "openid globex", Code.NO_ORG),
    Question("logged in, no org picked yet", "alice", "openid", Code.NO_ORG),
    Question("an expired token", "alice", "openid acme", Code.EXPIRED, "expired"),
    Question(
        "a refresh token as access token",
        "alice",
        "openid acme",
        Code.UNSUPPORTED_ALGORITHM,
        "refresh",
    ),
    Question("an ID token as access token", "alice", "openid acme", Code.WRONG_TYPE, "identity"),
    Question("no token at all", "", "", Code.NO_CREDENTIALS, "none"),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `variables` is empty where `code` is not."""

    question: Question
    mode: str
    status: int
    variables: Mapping[str, str]
    code: str | None

    @property
    def as_expected(self) -> bool:
        if isinstance(self.question.expected, Code):
            return self.code == self.question.expected
        return (self.variables.get(ORG_ID), self.variables.get(ROLE)) == self.question.expected


async def ask(url: str, questions: Iterable[tuple[Question, str | None]]) -> list[Answer]:
    """Put each question with its token, GET and POST in turn as Hasura's two modes do."""
    async with aiohttp.ClientSession() as session:
        return [
            await _ask(session, url, question, token, post=bool(number % 2))
            for number, (question, token) in enumerate(questions)
        ]


async def _ask(
    session: aiohttp.ClientSession, url: str, question: Question, token: str | None, *, post: bool
) -> Answer:
    headers = {**question.wishes, **({"Authorization": f"Bearer {token}"} if token else {})}
    call = (
        session.post(url, json={"headers": headers}) if post else session.get(url, headers=headers)
    )
    async with call as response:
        body = await response.json()
        granted = response.status == 200  # noqa: PLR2004 - Hasura's word for yes
        return Answer(
            question,
            "POST" if post else "GET",
            response.status,
            body if granted else {},
            None if granted else body["code"],
        )


def rows(answers: list[Answer]) -> Iterator[dict[str, object]]:
    """Yield each answer as a plain object, for tables and machines."""
    for answer in answers:
        yield {
            "case": answer.question.title,
            "scope": answer.question.scope,
            "wishes": dict(answer.question.wishes),
            "mode": answer.mode,
            "status": answer.status,
            "variables": dict(answer.variables),
            "code": answer.code,
            "as_expected": answer.as_expected,
        }
