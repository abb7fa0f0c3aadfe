"""What was decided before is recalled; everything else is decided, by the same question."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from multidict import CIMultiDict

from hasura_kc_auth.authenticator import HeaderAuthenticator
from hasura_kc_auth.core.errors import Code
from hasura_kc_auth.core.request import Request
from hasura_kc_auth.core.session import Session
from tests.core.deciding import decide
from tests.made_tokens import claims, denied

ASKED = Request("a.b.c", "org1", "editor")
HEADERS = CIMultiDict(
    {"Authorization": "Bearer a.b.c", "X-Tenant": "org1", "X-Hasura-Role": "editor"}
)


@dataclass
class Memory:
    """The port Recalls: one answer to whatever is asked."""

    session: Session | None = None
    asked: list[Request] = field(default_factory=list)

    def recall(self, request: Request) -> Session | None:
        self.asked.append(request)
        return self.session


@dataclass
class Judge:
    """The port Authenticates: one answer to whatever is asked."""

    session: Session
    asked: list[Request] = field(default_factory=list)

    async def authenticate(self, request: Request) -> Session:
        self.asked.append(request)
        return self.session


@pytest.fixture
def judge():
    return Judge(decide())


async def test_what_is_recalled_is_not_decided_again(judge):
    memory = Memory(decide(claims(resource_access={"org1": {"roles": ["viewer"]}})))

    session = await HeaderAuthenticator("X-Tenant", 5, memory, judge).authenticate(HEADERS)

    assert session is memory.session
    assert (memory.asked, judge.asked) == ([ASKED], [])


async def test_what_is_not_recalled_is_decided(judge):
    memory = Memory()

    session = await HeaderAuthenticator("X-Tenant", 5, memory, judge).authenticate(HEADERS)

    assert session is judge.session
    assert (memory.asked, judge.asked) == ([ASKED], [ASKED])


async def test_a_token_that_is_too_long_is_neither_recalled_nor_decided(judge):
    memory = Memory(decide())

    with denied(Code.MALFORMED_TOKEN):
        await HeaderAuthenticator("X-Tenant", 4, memory, judge).authenticate(HEADERS)
    assert (memory.asked, judge.asked) == ([], [])
