"""What is remembered: for whom, how long by which clock, and how much at most."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hasura_kc_auth.core.errors import Code, Denied
from hasura_kc_auth.core.policy import AnonymousPolicy
from hasura_kc_auth.core.request import Request
from hasura_kc_auth.core.session import Session, anonymous_session
from hasura_kc_auth.stores.decisions import Decisions
from hasura_kc_auth.web.bursts import Bursts
from tests.conftest import FakeClock
from tests.made_tokens import ISSUER, NOW, POLICY, denied

TTL = 60.0
GOOD = Request("token", "org1", "editor")


class Deciding:
    """The wrapped port: a new session each time, that says whose it is. It counts the requests."""

    waits = False

    def __init__(self, *, valid_from: float = -inf, valid_until: float = inf) -> None:
        self.asked: list[Request] = []
        self.failure: Code | None = None
        self._from, self._until = valid_from, valid_until

    def decide(self, request: Request) -> Session | Awaitable[Session]:
        self.asked.append(request)
        if self.failure is not None:
            raise Denied(self.failure, issuer=ISSUER)
        session = Session(
            issuer=ISSUER,
            valid_from=self._from,
            valid_until=self._until,
            expires_at=self._until,
            max_age=None,
            rendered=repr(request).encode("utf-8", "surrogatepass"),
        )
        return self._later(session) if self.waits else session

    async def _later(self, session: Session) -> Session:
        await asyncio.sleep(0)
        return session


class AtOnce:
    """The port TakesTurns where it is always one's turn. It counts them."""

    def __init__(self) -> None:
        self.turns = 0

    async def run(self, call):
        self.turns += 1
        return call()


def remembering(
    decides, clock=None, *, turns=None, entries: int = 100, ttl: float = TTL
) -> Decisions:
    clocks = (clock or FakeClock()).clocks
    return Decisions(decides, turns or AtOnce(), clocks, entries=entries, ttl=ttl)


class TestWhose:
    async def test_an_equal_request_gets_the_same_session(self):
        deciding = Deciding()
        decisions = remembering(deciding)
        assert decisions.recall(GOOD) is None
        session = await decisions.authenticate(GOOD)
        assert decisions.recall(Request(*GOOD)) is session
        assert deciding.asked == [GOOD]
        assert (decisions.hits, decisions.misses, len(decisions)) == (1, 1, 1)

    @pytest.mark.parametrize(
        "other",
        [
            pytest.param(GOOD._replace(token="Token"), id="another token"),
            pytest.param(GOOD._replace(token=""), id="an empty token"),
            pytest.param(GOOD._replace(token=None), id="no token"),
            pytest.param(GOOD._replace(org="org2"), id="another org"),
            pytest.param(GOOD._replace(org="Org1"), id="the org in another case"),
            pytest.param(GOOD._replace(org=""), id="no org"),
            pytest.param(GOOD._replace(role="viewer"), id="another role"),
            pytest.param(GOOD._replace(role=""), id="no role"),
            pytest.param(Request("token", "editor", "org1"), id="org and role swapped"),
            pytest.param(Request("token", "org1editor", ""), id="org and role run together"),
            pytest.param(Request("editortoken", "org1", ""), id="role and token run together"),
            pytest.param(Request("6:editortoken", "org1", ""), id="a length inside the token"),
            pytest.param(Request("token", "org16:editor", ""), id="a length inside the org"),
        ],
    )
    async def test_any_other_does_not(self, other):
        decisions = remembering(Deciding())
        await decisions.authenticate(GOOD)
        assert decisions.recall(other) is None

    @given(
        st.tuples(*(st.text(st.sampled_from("0123:ab\ud800é"), max_size=12) for _ in range(3))),
        st.tuples(*(st.text(st.sampled_from("0123:ab\ud800é"), max_size=12) for _ in range(3))),
    )
    async def test_no_two_requests_run_together(self, one, other):
        decisions = remembering(Deciding())
        mine = await decisions.authenticate(Request(*one))
        recalled = decisions.recall(Request(*other))
        assert (recalled is mine) is (one == other)

    @given(st.text(max_size=40), st.data())
    async def test_no_two_ways_to_cut_one_text_run_together(self, text, data):
        cuts = st.lists(st.integers(0, len(text)), min_size=2, max_size=2).map(sorted)
        requests = [
            Request(text[second:], text[:first], text[first:second])
            for first, second in (data.draw(cuts), data.draw(cuts))
        ]
        decisions = remembering(Deciding())
        session = await decisions.authenticate(requests[0])
        assert (decisions.recall(requests[1]) is session) is (requests[0] == requests[1])

    async def test_what_was_asked_last_is_not_what_is_decided(self):
        decisions = remembering(Deciding())
        other = GOOD._replace(token="other")
        assert decisions.recall(other) is None
        session = await decisions.authenticate(GOOD)
        assert (decisions.recall(GOOD), decisions.recall(other)) == (session, None)

    async def test_what_is_asked_while_another_is_decided_stays_its_own(self):
        other = GOOD._replace(token="other")

        class AskedMeanwhile(Deciding):
            def decide(self, request: Request) -> Session | Awaitable[Session]:
                decisions.recall(other)
                return super().decide(request)

        decisions = remembering(AskedMeanwhile())
        assert decisions.recall(GOOD) is None
        session = await decisions.authenticate(GOOD)
        assert (decisions.recall(GOOD), decisions.recall(other)) == (session, None)

    async def test_the_token_itself_is_not_kept(self):
        decisions = remembering(Deciding())
        request = Request("eyJhbGciOiJSUzI1NiJ9.secret", "acme-org", "editor")
        assert decisions.recall(request) is None
        await decisions.authenticate(request)
        assert request not in decisions._missed  # noqa: SLF001 - as the keys below
        for kept in decisions._entries:  # noqa: SLF001 - what a memory dump would show
            assert (type(kept), len(kept)) == (bytes, 32)


class TestHowLong:
    async def test_until_the_rules_would_refuse_the_token(self, clock):
        decisions = remembering(Deciding(valid_until=NOW + 40), clock)
        await decisions.authenticate(GOOD)
        clock.advance(39.9)
        assert decisions.recall(GOOD) is not None
        clock.advance(0.1)
        assert decisions.recall(GOOD) is None
        assert len(decisions) == 0
        assert (decisions.hits, decisions.misses) == (1, 1)

    async def test_for_its_ttl_at_most(self, clock):
        decisions = remembering(Deciding(), clock)
        await decisions.authenticate(GOOD)
        clock.advance(TTL - 0.1)
        assert decisions.recall(GOOD) is not None
        clock.advance(0.1)
        assert decisions.recall(GOOD) is None
        assert len(decisions) == 0

    async def test_a_hit_makes_it_last_no_longer(self, clock):
        decisions = remembering(Deciding(), clock)
        await decisions.authenticate(GOOD)
        for _ in range(5):
            clock.advance(TTL / 6)
            assert decisions.recall(GOOD) is not None
        clock.advance(TTL / 6)
        assert decisions.recall(GOOD) is None

    @pytest.mark.parametrize("hours", [1, -1], ids=["forwards", "backwards"])
    async def test_a_jump_of_the_wall_clock_keeps_no_session_beyond_its_token(self, clock, hours):
        deciding = Deciding(valid_from=NOW - 40, valid_until=NOW + 330)
        decisions = remembering(deciding, clock)
        await decisions.authenticate(GOOD)
        clock.jump(hours * 3600)
        assert decisions.recall(GOOD) is None
        clock.jump(-hours * 3600)
        assert decisions.recall(GOOD) is None  # it was forgotten, not hidden

    @pytest.mark.parametrize("seconds", [320, -30], ids=["forwards", "backwards"])
    async def test_a_jump_within_the_tokens_time_changes_nothing(self, clock, seconds):
        decisions = remembering(Deciding(valid_from=NOW - 40, valid_until=NOW + 330), clock)
        session = await decisions.authenticate(GOOD)
        clock.jump(seconds)
        assert decisions.recall(GOOD) is session

    @pytest.mark.parametrize("seconds", [3600, -3600], ids=["forwards", "backwards"])
    async def test_the_ttl_is_by_the_other_clock(self, clock, seconds):
        decisions = remembering(Deciding(), clock)
        session = await decisions.authenticate(GOOD)
        clock.jump(seconds)
        assert decisions.recall(GOOD) is session
        clock.jump(-seconds)
        clock.advance(TTL)
        assert decisions.recall(GOOD) is None

    async def test_the_first_moment_is_in_and_the_last_is_out(self, clock):
        decisions = remembering(Deciding(valid_from=NOW, valid_until=NOW + 1), clock)
        await decisions.authenticate(GOOD)
        assert decisions.recall(GOOD) is not None
        clock.jump(-0.001)
        assert decisions.recall(GOOD) is None

    async def test_deciding_anew_makes_it_young_again(self, clock):
        decisions = remembering(Deciding(), clock)
        old = await decisions.authenticate(GOOD)
        clock.advance(TTL)
        session = await decisions.authenticate(GOOD)
        clock.advance(TTL - 1)
        assert decisions.recall(GOOD) is session
        assert session is not old
        assert len(decisions) == 1


class TestTurns:
    async def test_nothing_is_decided_before_its_turn(self):
        deciding, bursts = Deciding(), Bursts()
        waiting = asyncio.create_task(remembering(deciding, turns=bursts).authenticate(GOOD))
        await asyncio.sleep(0)
        assert deciding.asked == []
        await waiting
        assert deciding.asked == [GOOD]

    async def test_what_comes_in_at_one_time_is_decided_once(self):
        deciding = Deciding()
        decisions = remembering(deciding, turns=Bursts())
        other = GOOD._replace(token="other")
        requests = [*[GOOD] * 5, other]
        assert [decisions.recall(request) for request in requests] == [None] * 6
        *sessions, another = await asyncio.gather(*map(decisions.authenticate, requests))
        assert deciding.asked == [GOOD, other]
        assert all(session is sessions[0] for session in sessions)
        assert another is not sessions[0]

    async def test_what_must_be_waited_for_is_remembered_then(self, clock):
        deciding = Deciding()
        deciding.waits = True
        decisions = remembering(deciding, clock)
        session = await decisions.authenticate(GOOD)
        assert decisions.recall(GOOD) is session
        assert await decisions.authenticate(GOOD) is session
        assert len(deciding.asked) == 1

    async def test_an_anonymous_request_may_have_to_be_waited_for(self):
        deciding = Deciding()
        deciding.waits = True
        decisions = remembering(deciding)
        assert (await decisions.authenticate(Request(None))).issuer == ISSUER
        assert len(decisions) == 0


class TestHowMuch:
    async def test_the_one_not_used_for_longest_leaves_first(self):
        decisions = remembering(Deciding(), entries=2)
        first, second, third = (Request(f"token-{number}") for number in range(3))
        await decisions.authenticate(first)
        await decisions.authenticate(second)
        decisions.recall(first)
        await decisions.authenticate(third)
        assert [decisions.recall(it) is not None for it in (first, second, third)] == [
            True,
            False,
            True,
        ]
        assert len(decisions) == 2

    async def test_one_entry_is_enough_to_work(self):
        decisions = remembering(Deciding(), entries=1)
        for number in range(3):
            session = await decisions.authenticate(Request(f"token-{number}"))
            assert decisions.recall(Request(f"token-{number}")) is session
        assert len(decisions) == 1

    async def test_no_entries_turn_it_off(self):
        deciding = Deciding()
        decisions = remembering(deciding, entries=0)
        for _ in range(3):
            assert decisions.recall(GOOD) is None
            await decisions.authenticate(GOOD)
        assert (len(decisions), decisions.hits, decisions.misses) == (0, 0, 3)
        assert len(deciding.asked) == 3

    async def test_ten_thousand_tokens_keep_the_bound(self):
        decisions = remembering(Deciding(), entries=1000)
        for number in range(10_000):
            await decisions.authenticate(Request(f"token-{number}"))
            assert len(decisions) <= 1000
        assert decisions.recall(Request("token-8999")) is None
        assert decisions.recall(Request("token-9000")) is not None
        assert len(decisions) == 1000


class TestWhat:
    @pytest.mark.parametrize("code", Code)
    async def test_no_denial_is_remembered(self, code):
        deciding = Deciding()
        deciding.failure = code
        decisions = remembering(deciding)
        with denied(code, issuer=ISSUER):
            await decisions.authenticate(GOOD)
        assert len(decisions) == 0
        deciding.failure = None
        assert decisions.recall(GOOD) is None
        assert (await decisions.authenticate(GOOD)).issuer == ISSUER

    async def test_a_denial_does_not_drop_what_is_remembered(self):
        deciding = Deciding()
        decisions = remembering(deciding)
        session = await decisions.authenticate(GOOD)
        deciding.failure = Code.NO_ORG
        with denied(Code.NO_ORG, issuer=ISSUER):
            await decisions.authenticate(GOOD._replace(org="org2"))
        assert decisions.recall(GOOD) is session

    async def test_no_anonymous_session_is_remembered(self):
        class Anonymous:
            def decide(self, request):
                return anonymous_session(request, AnonymousPolicy("public"), POLICY.session)

        turns = AtOnce()
        decisions = remembering(Anonymous(), turns=turns)
        assert (await decisions.authenticate(Request(None))).issuer is None
        assert turns.turns == 0  # there is nothing to verify
        assert decisions.recall(Request(None)) is None
        assert decisions.recall(Request("None")) is None
        assert len(decisions) == 0
