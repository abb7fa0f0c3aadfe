"""The soak's own judge: it lets pass what is right, and notices each planted wrong answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hasura_kc_auth.core.errors import Code
from tests.conftest import Answer
from tests.soak.judge import Grant, Judge, Malformed, Question, Span, described, read
from tests.soak.timeline import Outage, Timeline, Times

SESSION = {
    "X-Hasura-Org-Id": "acme",
    "X-Hasura-Role": "editor",
    "X-Hasura-Allowed-Roles": '{"editor","viewer"}',
    "X-Hasura-User-Id": "u1",
    "Cache-Control": "max-age=200",
}
GRANT = Grant("acme", "editor", ("editor", "viewer"), "u1")
GOOD = Question("granted", b"", GRANT, kid="key", expires=1200.0)
AT = Span(1000.0, 1000.1)


def answer(status: int, body: Any) -> Answer:
    return Answer(status, {}, json.dumps(body).encode())


def session(**changes: Any) -> Answer:
    """Return the good answer with some variables changed, named without X-Hasura and dashes."""
    names = {name.replace("X-Hasura", "").replace("-", ""): name for name in SESSION}
    return answer(200, SESSION | {names[name]: value for name, value in changes.items()})


def refusal(code: str, status: int = 401) -> Answer:
    return answer(status, {"code": code})


@pytest.fixture
def timeline() -> Timeline:
    timeline = Timeline(Times())
    timeline.publish("key", 0.0)
    return timeline


@pytest.fixture
def judge(timeline: Timeline) -> Judge:
    return Judge(timeline)


def test_the_right_answer_passes(judge):
    assert judge.wrong(GOOD, session(), AT) is None


@pytest.mark.parametrize(
    ("planted", "text"),
    [
        (session(OrgId="globex"), "came 200 (globex as editor, of editor/viewer)"),
        (session(Role="viewer"), "came 200 (acme as viewer, of editor/viewer)"),
        (session(AllowedRoles='{"editor","viewer","org_admin"}'), "of editor/viewer/org_admin)"),
        (session(AllowedRoles='{"viewer","editor"}'), "of viewer/editor)"),
        (session(UserId="u2"), "came 200"),
        (session(CacheControl="max-age=0"), "max-age is no number from 1"),
        (session(CacheControl="max-age=201"), "max-age=201, though 200 s are left"),
        (answer(200, SESSION | {"X-Hasura-Extra": "x"}), "other members than documented"),
        (session(AllowedRoles=["editor", "viewer"]), "a member that is no text"),
        (session(CacheControl=200), "a member that is no text"),
        (session(Role=None), "a member that is no text"),
        (session(OrgId={"acme": 1}), "a member that is no text"),
        (session(AllowedRoles="editor,viewer"), "the roles are no array"),
        (answer(401, {"code": ["no_org"]}), "status 401, no code of the vocabulary"),
        (answer(200, {}), "other members than documented"),
        (answer(200, []), "other members than documented"),
        (refusal("no_org"), "came 401 no_org"),
        (refusal("expired"), "came 401 expired"),
        (refusal("unknown_key"), "came 401 unknown_key"),
        (refusal("keys_unavailable", 503), "came 503 keys_unavailable"),
        (refusal("keys_unavailable"), "status 401 with the code keys_unavailable"),
        (refusal("internal_error", 503), "came 503 internal_error"),
        (refusal("no_org", 500), "status 500 with the code no_org"),
        (refusal("nonsense"), "status 401, no code of the vocabulary"),
        (answer(401, {"code": "no_org", "detail": "x"}), "status 401, no code of the vocabulary"),
        (Answer(502, {}, b"<html>"), "status 502, no JSON"),
    ],
)
def test_a_planted_wrong_answer_is_noticed(judge, planted, text):
    wrong = judge.wrong(GOOD, planted, AT)

    assert wrong is not None
    assert text in wrong


def test_a_grant_where_a_refusal_must_come_is_noticed(judge):
    for code in (Code.BAD_SIGNATURE, Code.UNKNOWN_KEY, Code.ORG_NOT_GRANTED):
        question = Question("bad", b"", code, kid="never" if code is Code.UNKNOWN_KEY else "key")
        assert judge.wrong(question, session(), AT) is not None
        assert judge.wrong(question, refusal(code), AT) is None


def test_what_needs_no_key_has_one_answer_whatever_befalls_the_issuer(judge, timeline):
    timeline.outages.append(Outage(0.0))
    question = Question("garbage", b"", Code.MALFORMED_TOKEN)
    assert judge.allowed(question, AT) == {Code.MALFORMED_TOKEN}


class TestExpiry:
    """From exp + leeway on, to the moment; both may come only across it."""

    END = 1200.0 + Times().leeway

    @pytest.mark.parametrize(
        ("sent", "received", "allowed"),
        [
            (END - 0.2, END - 0.1, {GRANT}),
            (END - 0.1, END, {GRANT, Code.EXPIRED}),
            (END, END + 0.1, {Code.EXPIRED}),
        ],
    )
    def test_by_the_wall_clock(self, judge, sent, received, allowed):
        assert judge.allowed(GOOD, Span(sent, received)) == allowed
        assert judge.allowed(GOOD, Span(sent - 50, received - 50, wall=50.0)) == allowed

    def test_max_age_within_the_leeway_is_one(self, judge):
        within = Span(1201.0, 1201.1)
        assert judge.wrong(GOOD, session(CacheControl="max-age=1"), within) is None
        assert judge.wrong(GOOD, session(CacheControl="max-age=2"), within) is not None


class TestRotation:
    def test_a_new_key_may_be_unknown_first_and_never_after_it_was_used(self, judge, timeline):
        timeline.publish("key", 1000.0)
        assert judge.allowed(GOOD, AT) == {GRANT, Code.UNKNOWN_KEY}
        assert judge.wrong(GOOD, refusal("unknown_key"), AT) is None
        assert judge.wrong(GOOD, session(), AT) is None
        assert judge.wrong(GOOD, refusal("unknown_key"), Span(1000.2, 1000.3)) is not None

    def test_a_withdrawn_key_ends_and_its_decisions_with_cache_ttl(self, judge, timeline):
        times = timeline.times
        refused = Question("forged", b"", Code.BAD_SIGNATURE, kid="key")
        judge.wrong(GOOD, session(), Span(900.0, 900.1))
        timeline.withdraw("key", 1000.0)
        assert judge.wrong(GOOD, session(), Span(1000.0, 1000.1)) is None
        assert judge.wrong(GOOD, refusal("unknown_key"), Span(1001.0, 1001.1)) is None
        last = Span(1001.1 + times.cache_ttl - 0.1, 1006.2)
        late = Span(1001.1 + times.cache_ttl, 1006.2)
        assert judge.allowed(GOOD, last) == {GRANT, Code.UNKNOWN_KEY}
        assert judge.allowed(GOOD, late) == {Code.UNKNOWN_KEY}
        assert judge.allowed(refused, last) == {Code.UNKNOWN_KEY}  # a refusal is not remembered

    def test_without_any_key_503_is_allowed_and_then_demanded(self, judge, timeline):
        timeline.outages.append(Outage(1000.0))
        times = timeline.times
        early = 1000.0 + times.max_stale - times.refresh - times.attempt
        surely = 1000.0 + times.max_stale + times.attempt + times.cache_ttl
        assert judge.allowed(GOOD, Span(early - 0.1, early - 0.1)) == {GRANT}
        assert judge.allowed(GOOD, Span(early, early)) == {GRANT, Code.KEYS_UNAVAILABLE}
        assert judge.allowed(GOOD, Span(surely, surely)) == {Code.KEYS_UNAVAILABLE}


def test_nothing_of_a_user_is_in_a_description():
    assert "u1" not in described(GRANT)
    assert described(Malformed("no answer")) == "no answer"
    assert read(Answer(200, {}, b"\xff")) == Malformed("status 200, no JSON")
