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
    wishes: Mapping[str, str] = field(default_factory=dict)
    kind: Kind = "access"


_TWO = "openid acme globex"

QUESTIONS = (
    Question("acme picked", "alice", "openid acme", ("acme", "editor")),
    Question("globex picked", "alice", "openid globex", ("globex", "viewer")),
    Question("a role he holds", "dave", "openid acme", ("acme", "viewer"), {ROLE: "viewer"}),
    Question(
        "a role she lacks", "alice", "openid acme", Code.ROLE_NOT_GRANTED, {ROLE: "org_admin"}
    ),
    Question("Hasura's superuser", "dave", "openid acme", Code.ROLE_NOT_GRANTED, {ROLE: "admin"}),
    Question("two orgs, no choice", "alice", _TWO, Code.AMBIGUOUS_ORG),
    Question("two orgs, one named", "alice", _TWO, ("globex", "viewer"), {ORG_ID: "globex"}),
    Question("another's org named", "bob", "openid acme", Code.ORG_NOT_GRANTED, {ORG_ID: "globex"}),
    Question("an org not his own", "bob", "openid globex", Code.NO_ORG),
    Question("no org picked yet", "alice", "openid", Code.NO_ORG),
    Question("an expired token", "alice", "openid acme", Code.EXPIRED, kind="expired"),
    Question("a refresh token", "alice", "openid acme", Code.UNSUPPORTED_ALGORITHM, kind="refresh"),
    Question("an ID token", "alice", "openid acme", Code.WRONG_TYPE, kind="identity"),
    Question("no token", "", "", Code.NO_CREDENTIALS, kind="none"),
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
