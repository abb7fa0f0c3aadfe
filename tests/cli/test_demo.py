"""`demo`: the main job with nothing else installed, and the scenario it asks."""

from __future__ import annotations

import dataclasses
import importlib
import json
import signal

import pytest

from hasura_kc_auth.cli.running import Signals
from hasura_kc_auth.cli.scenario import QUESTIONS, Answer, Question, ask, rows
from hasura_kc_auth.core.errors import Code
from hasura_kc_auth.core.session import ORG_ID, ROLE
from tests.cli.commands import Process, invoke, taken_port
from tests.cli.commands import ask as ask_port

DEMO = importlib.import_module("hasura_kc_auth.cli.demo")


def _wrong(question: Question) -> Question:
    """Return the same question, with an answer expected that will not come."""
    expected = ("acme", "org_admin") if isinstance(question.expected, Code) else Code.NO_ORG
    return dataclasses.replace(question, expected=expected)


def test_once_prints_who_asked_what_and_what_came_back():
    found = invoke("demo", "--once", variables={"COLUMNS": "80"})

    assert (found.code, found.err) == (0, "")
    for question in QUESTIONS:
        assert question.title in found.out
        if isinstance(question.expected, Code):
            assert str(question.expected) in found.out  # whole, not cut off
    assert "200 acme as editor" in found.out
    assert "NOT AS EXPECTED" not in found.out
    assert max(map(len, found.out.splitlines())) <= 80


def test_json_is_one_object_with_every_answer():
    for arguments in (["--once", "--json"], ["--json"]):
        found = invoke("demo", *arguments)

        answers = found.json["answers"]
        assert (found.code, found.err) == (0, "")
        assert [it["case"] for it in answers] == [it.title for it in QUESTIONS]
        assert all(it["as_expected"] is True for it in answers)
        assert [it["mode"] for it in answers] == ["GET", "POST"] * (len(QUESTIONS) // 2)


def test_each_answer_is_an_org_and_a_role_or_a_code():
    answers = invoke("demo", "--json").json["answers"]

    for question, answer in zip(QUESTIONS, answers, strict=True):
        assert set(answer) == {
            *("case", "scope", "wishes", "mode", "status", "variables", "code", "as_expected")
        }
        assert (answer["scope"], answer["wishes"]) == (question.scope, dict(question.wishes))
        if isinstance(question.expected, Code):
            assert (answer["status"], answer["variables"]) == (401, {})
            assert answer["code"] == question.expected
        else:
            assert (answer["status"], answer["code"]) == (200, None)
            variables = answer["variables"]
            assert (variables[ORG_ID], variables[ROLE]) == question.expected
            assert variables["X-Hasura-Email"] == f"{question.user}@example.com"
            assert variables["Cache-Control"].startswith("max-age=")


def test_the_questions_show_the_main_job_and_every_kind_of_token():
    assert {question.kind for question in QUESTIONS} == {
        *("access", "identity", "refresh", "expired", "none")
    }
    codes = {question.expected for question in QUESTIONS if isinstance(question.expected, Code)}
    assert {Code.NO_ORG, Code.AMBIGUOUS_ORG, Code.ORG_NOT_GRANTED, Code.ROLE_NOT_GRANTED} < codes
    assert len({question.title for question in QUESTIONS}) == len(QUESTIONS)


@pytest.mark.parametrize("index", [0, 3, -1])
def test_one_answer_that_is_not_as_expected_is_exit_1(monkeypatch, index):
    questions = list(QUESTIONS)
    questions[index] = _wrong(questions[index])
    monkeypatch.setattr(DEMO, "QUESTIONS", tuple(questions))

    found = invoke("demo", "--once")
    as_json = invoke("demo", "--json")

    assert (found.code, as_json.code) == (1, 1)
    assert " ".join(found.out.split()).count("NOT AS EXPECTED") == 1
    wrong = [it["case"] for it in as_json.json["answers"] if not it["as_expected"]]
    assert wrong == [questions[index].title]


def test_it_stays_up_until_it_is_told_to_go(monkeypatch):
    asked = []

    async def wait(_signals: Signals) -> signal.Signals:
        asked.append(True)
        return signal.SIGINT

    monkeypatch.setattr(Signals, "wait", wait)

    found = invoke("demo")

    assert (found.code, asked) == (0, [True])
    for words in (
        "NO KEYCLOAK",
        "curl -si http://127.0.0.1:",
        "/readyz",
        "/dev/rotate",
        "password",
    ):
        assert words in found.out


def test_a_port_that_is_taken_is_usage_and_named():
    with taken_port() as port:
        found = invoke("demo", "--port", str(port))

    assert (found.code, found.out) == (2, "")
    assert found.err.startswith(f"--port {port}: webhook.host, webhook.port: cannot listen there")


def test_the_examples_work_as_they_are_printed_and_ctrl_c_ends_it():
    with Process("demo") as process:
        login = process.wait_for_output(r"curl -s http://127\.0\.0\.1:(\d+)(\S+) (-d [^\n]+)")
        webhook = process.wait_for_output(r'curl -si http://127\.0\.0\.1:(\d+)/ -H "Auth')
        ready = process.wait_for_output(r"curl -s http://127\.0\.0\.1:(\d+)/readyz\n")
        process.wait_for_output("hasura_kc_auth_decisions")
        form = "&".join(part.strip().strip("'") for part in login[3].split("-d ")[1:])
        form = form.replace("'", "").replace(" ", "+")
        token = ask_port(int(login[1]), login[2], method="POST", form=form).body["access_token"]

        answer = ask_port(int(webhook[1]), "/", {"Authorization": f"Bearer {token}"})
        body = json.dumps({"headers": {"Authorization": f"Bearer {token}"}})
        posted = ask_port(int(webhook[1]), "/", method="POST", form=body)
        refused = ask_port(int(webhook[1]))
        status = ask_port(int(ready[1]), "/readyz").status
        process.signal(signal.SIGINT)
        found = process.end()

    assert (answer.status, answer.body[ORG_ID], answer.body[ROLE]) == (200, "acme", "editor")
    assert (posted.status, posted.body[ORG_ID]) == (200, "acme")
    assert (refused.status, status) == (401, 200)
    assert found.code == 0
    assert "no_credentials" in found.err  # denials are logged there, and no token is
    assert token[:20] not in found.err


def test_once_as_a_process():
    with Process("demo", "--once", "--json") as process:
        found = process.end()

    assert (found.code, found.err) == (0, "")
    assert len(found.json["answers"]) == len(QUESTIONS)


# --- the scenario, for tokens of any issuer


async def test_the_same_questions_can_be_asked_of_any_webhook(service, issuer):
    questions = [it for it in QUESTIONS if it.kind in ("access", "none")]
    tokens = [
        issuer.login(it.user, it.scope).access if it.kind == "access" else None for it in questions
    ]

    answers = await ask(service.webhook_url, zip(questions, tokens, strict=True))

    assert [answer.question for answer in answers] == questions
    assert all(answer.as_expected for answer in answers)


@pytest.mark.parametrize(
    ("expected", "status", "variables", "code", "right"),
    [
        (Code.NO_ORG, 401, {}, "no_org", True),
        (Code.NO_ORG, 401, {}, "no_role", False),
        (Code.NO_ORG, 200, {ORG_ID: "a", ROLE: "b"}, None, False),
        (("a", "b"), 200, {ORG_ID: "a", ROLE: "b"}, None, True),
        (("a", "b"), 200, {ORG_ID: "a", ROLE: "c"}, None, False),
        (("a", "b"), 200, {ORG_ID: "c", ROLE: "b"}, None, False),
        (("a", "b"), 200, {}, None, False),
        (("a", "b"), 503, {}, "keys_unavailable", False),
    ],
)
def test_an_answer_is_right_only_if_all_of_it_is(expected, status, variables, code, right):
    question = Question("t", "u", "openid", expected, {ROLE: "b"})
    answer = Answer(question, "GET", status, variables, code)

    assert answer.as_expected is right
    assert list(rows([answer])) == [
        {
            "case": "t",
            "scope": "openid",
            "wishes": {ROLE: "b"},
            "mode": "GET",
            "status": status,
            "variables": variables,
            "code": code,
            "as_expected": right,
        }
    ]
