"""Nothing of what a client sends comes out again: not in logs, metrics or denials."""

from __future__ import annotations

import json
from itertools import product

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from hasura_kc_auth.devtools.issuer import ORGS
from hasura_kc_auth.devtools.tokens import TokenMaker, User
from hasura_kc_auth.telemetry.spans import Spans
from tests.web.wire import answer_to, chunked, get, head, post, post_bytes

# Words that stand for secrets. Each of their 8-letter pieces occurs nowhere else.
HEADER_WORD = "Zq1HeaderPartOfATokenXv"
PAYLOAD_WORD = "Zq2PayloadPartOfATokenXv"
SIGNATURE_WORD = "Zq3SigntPartOfATokenXv"
ROLE_WORD = "Zq4WishedRoleXv"
ORG_WORD = "Zq5WishedOrgXv"
PATH_WORD = "Zq6PathAndQueryXv"
NAME_WORD = "Zq7NameOfAHeaderXv"
BODY_WORD = "Zq8WordInTheBodyXv"
SUBJECT_WORD = "Zq9SubjectOfATokenXv"
ID_WORD = "Zq10_RequestIdOfNoGoodFormXv"
PIECE = 8


def _pieces(word: str) -> set[str]:
    return {word[start : start + PIECE] for start in range(len(word) - PIECE + 1)}


def _leaks(words, *outputs: str) -> set[str]:
    return {piece for word in words for piece in _pieces(word) for it in outputs if piece in it}


WORDS = (
    *(HEADER_WORD, PAYLOAD_WORD, SIGNATURE_WORD, ROLE_WORD, ORG_WORD),
    *(PATH_WORD, NAME_WORD, BODY_WORD, SUBJECT_WORD, ID_WORD),
)
NO_TOKEN = f"{HEADER_WORD}.{PAYLOAD_WORD}.{SIGNATURE_WORD}"


def test_a_leak_would_be_seen():
    assert _leaks(WORDS, f"… {ROLE_WORD[2:11]} …") == {"4WishedR", "WishedRo"}
    assert not _leaks(WORDS, f"… {ROLE_WORD[2:9]} …")


def _calls(credential: str) -> list[bytes]:
    """Return calls that hold the words in every part of a request, well and badly formed."""
    lines = (
        f"Authorization: {credential}",
        f"X-Hasura-Role: {ROLE_WORD}",
        f"X-Hasura-Org-Id: {ORG_WORD}",
        f"x-request-id: {ID_WORD}",
        f"traceparent: {BODY_WORD}",
        f"tracestate: a={BODY_WORD}",
        f"b3: {BODY_WORD}",
        f"X-{NAME_WORD}: {BODY_WORD}",
        f"Cookie: {BODY_WORD}={credential}",
        f"X-Hasura-User-Id: {SUBJECT_WORD}",
    )
    headers = dict(line.split(": ", 1) for line in lines)
    request = {"query": BODY_WORD, "variables": {NAME_WORD: BODY_WORD}}
    body = json.dumps({"headers": headers, "request": request}).encode()
    path = f"/{PATH_WORD}?{PATH_WORD}={credential}".replace(" ", "%20")
    return [
        *(get(*lines[:count]) for count in range(1, len(lines) + 1)),
        get(*lines[:1], *lines[3:]),
        get(*lines, f"Authorization: {credential}x"),
        get(*lines, f"X-Hasura-Role: {ROLE_WORD}x"),
        get(*lines, path=path),
        get(*lines, path=f"/?{path[1:]}"),
        head("PURGE", *lines),
        post(headers, *lines, request=request),
        post({**headers, "authorization": f"{credential}x"}),
        post({**headers, NAME_WORD: [BODY_WORD]}),  # type: ignore[dict-item]
        post_bytes(body[:-5]),
        post_bytes(b"\xff" + body),
        head("POST", "Transfer-Encoding: chunked") + chunked(body),
        head("POST", "Transfer-Encoding: chunked") + chunked(body)[:-5] + BODY_WORD.encode(),
        head("POST", "Transfer-Encoding: chunked") + f"{BODY_WORD}\r\n\r\n".encode(),
        head("GET", *lines, "Host: two"),
        head("GET", *lines, f"{NAME_WORD} : a"),
        head("GET", *lines, f"X-A: {BODY_WORD}\0"),
        head("GET", *lines, f"X-{NAME_WORD}é: a"),
        head("GET", *lines, path=f"/{PATH_WORD} x"),
        head("POST", *lines, f"Content-Length: {BODY_WORD}"),
        f"{BODY_WORD} / HTTP/1.1\r\n\r\n".encode(),
    ]


@pytest.fixture
def tokens(issuer, clock):
    """Give tokens that are good, forged, expired and of no form at all."""
    marked = User(NAME_WORD, {"acme": ("viewer",)}, subject=SUBJECT_WORD)
    maker = issuer.maker
    good = maker.issue(marked, "openid acme")
    other = TokenMaker("http://127.0.0.1:1/", issuer.keys, ORGS, clock.wall)
    late = TokenMaker(issuer.issuer, issuer.keys, ORGS, lambda: clock.wall() - 86_400)
    head_of_good, payload_of_good, _ = good.access.split(".")
    return [
        NO_TOKEN,
        good.access,
        good.identity,
        good.refresh,
        maker.issue(marked, "openid").access,
        other.issue(marked, "openid acme").access,
        late.issue(marked, "openid acme").access,
        f"{head_of_good}.{payload_of_good}.{'A' * 342}",
        f"{head_of_good}.{PAYLOAD_WORD}.{SIGNATURE_WORD}",
        "a" * 40_000,
    ]


async def test_no_part_of_any_request_comes_out_again(issuer, start_service, tokens):
    spans = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    service = await start_service(issuer.issuer, log={"level": "debug"}, tracing=Spans(provider))
    denials = []
    for token, scheme in product(tokens, ("Bearer", "Basic")):
        for call in _calls(f"{scheme} {token}"):
            answer = await answer_to(service.webhook_url, call)
            assert answer.status in (200, 401, 404, 405)
            if answer.status != 200:
                denials.append(f"{answer.headers} {answer.body.decode()}")
    outputs = [await service.log_text(), (await service.manage("/metrics")).body.decode()]
    outputs += [(await service.manage(path)).body.decode() for path in ("/readyz", "/denials")]
    outputs.append("".join(span.to_json() for span in spans.get_finished_spans()))
    outputs += set(denials)
    words = [
        *WORDS,
        *(part for token in tokens for part in token.split(".") if "a" * 9 not in part),
    ]
    assert not _leaks(words, *outputs)
    assert "Traceback" not in outputs[0]
    assert '"hasura_kc_auth.code": "bad_signature"' in outputs[-1 - len(set(denials))]
    assert service.service.counts.in_flight == 0
    assert service.service.counts.refused.total() > 100


async def test_nor_do_they_where_nothing_can_be_decided(issuer, start_service, tokens):
    await issuer.stop()
    service = await start_service(issuer.issuer, log={"level": "debug", "format": "console"})
    denials = []
    for token in tokens:
        for call in _calls(f"Bearer {token}"):
            answer = await answer_to(service.webhook_url, call)
            assert answer.status in (401, 404, 405, 503)
            denials.append(f"{answer.headers} {answer.body.decode()}")
    service.service.log.error("the end")
    outputs = [service.output.written.decode(), *set(denials)]
    words = [
        *WORDS,
        *(part for token in tokens for part in token.split(".") if "a" * 9 not in part),
    ]
    assert not _leaks(words, *outputs)


async def test_what_an_allowed_request_says_stays_out_of_the_log(issuer, start_service):
    issuer.users["marked"] = User(NAME_WORD, {"acme": ("viewer",)}, subject=SUBJECT_WORD)
    service = await start_service(issuer.issuer, log={"level": "debug"})
    token = issuer.login("marked", "openid acme").access
    for mode in ("GET", "POST"):
        answer = await service.ask({"Authorization": f"Bearer {token}"}, mode=mode)
        assert answer.json["X-Hasura-User-Id"] == SUBJECT_WORD
    outputs = [await service.log_text(), (await service.manage("/metrics")).body.decode()]
    assert not _leaks([*WORDS, *token.split(".")], *outputs)


@pytest.mark.parametrize("mode", ["GET", "POST"])
@pytest.mark.parametrize(
    ("request_id", "logged"),
    [
        ("3b2c1d0e-1111-4222-8333-444455556666", True),
        ("a", True),
        ("a" * 64, True),
        ("a" * 65, False),
        ("", False),
        ("a b", False),
        ("a_b", False),
        ('"}\u2028', False),
        ("é", False),
    ],
)
async def test_a_request_id_is_logged_where_it_is_one(start_service, mode, request_id, logged):
    service = await start_service("http://127.0.0.1:1/realms/none")
    headers = {"x-request-id": request_id}
    call = get(f"x-request-id: {request_id}") if mode == "GET" else post(headers)
    assert (await answer_to(service.webhook_url, call)).code == "no_credentials"
    (denial,) = await service.events("denied")
    assert denial.get("request_id") == (request_id if logged else None)
