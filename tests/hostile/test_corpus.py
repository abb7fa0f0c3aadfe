"""Every hostile request that is kept as a file, sent to a real process over real sockets."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Iterator

import pytest
from multidict import CIMultiDict

from hasura_kc_auth.core.errors import Code
from tests.conftest import LONG, Answer
from tests.hostile.corpus import (
    MODES,
    PAUSE,
    Case,
    cases,
    claims,
    filled,
    header_lines,
    http_bytes,
    made_token,
)
from tests.hostile.forging import Forger
from tests.web.wire import Wire, connected, get, head, post, post_bytes

CASES = list(cases())
_HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-store"} | {
    "Server": "hasura-kc-auth"
}


def _calls(case: Case, forger: Forger) -> Iterator[tuple[str, bytes]]:
    """Yield what is sent for a file: the mode, and the bytes."""
    match case.form:
        case ".http":
            yield "GET", http_bytes(case.content, forger.word)
        case ".body":
            yield "POST", post_bytes(filled(case.content, forger.word))
        case ".headers":
            yield from _in_both_modes(header_lines(case.content, forger.word))
        case ".claims":
            changed = claims(case.content)
            payload = filled(changed.payload(forger.good_claims()), forger.word)
            yield from _with_token(forger.signed(payload), changed.wishes)
        case ".token":
            yield from _with_token(forger.token(made_token(case.content)), [])


def _with_token(token: str, wishes: list[str]) -> Iterator[tuple[str, bytes]]:
    pairs = [wish.split(": ", 1) for wish in wishes]
    lines = [(name.encode(), value.encode()) for name, value in pairs]
    return _in_both_modes([(b"Authorization", f"Bearer {token}".encode()), *lines])


def _in_both_modes(lines: list[tuple[bytes, bytes]]) -> Iterator[tuple[str, bytes]]:
    """Yield the same client headers in GET and in POST mode; there names may stand twice too."""
    yield (
        "GET",
        head("GET").removesuffix(b"\r\n")
        + b"".join(b"%b: %b\r\n" % line for line in lines)
        + b"\r\n",
    )
    texts = (json.dumps(it.decode("utf-8", "surrogateescape")) for line in lines for it in line)
    members = ",".join(f"{name}:{value}" for name, value in zip(texts, texts, strict=True))
    yield "POST", post_bytes(f'{{"headers":{{{members}}},"request":null}}'.encode())


@pytest.mark.parametrize("case", [pytest.param(it, id=it.name) for it in CASES])
async def test_a_hostile_request_gets_its_code_and_harms_nobody(target, case):
    for mode, call in _calls(case, target.forger):
        async with connected(target.url) as wire:
            await _send(call, wire)
            parted = await _answers_are(case.answers[mode], wire, bodiless=call[:4] == b"HEAD")
            if parted:
                assert await wire.rest() == b""
            else:
                await _a_good_request_is_answered(wire, target.forger)
        async with connected(target.url) as wire:
            await _a_good_request_is_answered(wire, target.forger)


async def _send(call: bytes, wire: Wire) -> None:
    first, *later = call.split(PAUSE)
    await wire.send(first)
    for piece in later:
        await asyncio.sleep(0.1)
        await wire.send(piece)


async def _answers_are(expected: tuple[str, ...], wire: Wire, *, bodiless: bool) -> bool:
    """Read the answers and return whether the connection ends with the last."""
    parted = False
    for each in expected:
        assert not parted
        if each == "closed":
            return True
        answer, parted = await _answer(wire, bodiless=bodiless)
        _answer_is(each, answer)
    return parted


async def _answer(wire: Wire, *, bodiless: bool) -> tuple[Answer, bool]:
    """Read one answer, and whether it says that there will be no other."""
    async with asyncio.timeout(LONG):
        start, *lines = (await wire.reader.readuntil(b"\r\n\r\n")).decode().splitlines()[:-1]
        headers = CIMultiDict(line.split(": ", 1) for line in lines)
        length = 0 if bodiless else int(headers["Content-Length"])
        body = await wire.reader.readexactly(length)
    version, status, _ = start.split(" ", 2)
    parted = version != "HTTP/1.1" or headers.get("Connection") == "close"
    return Answer(int(status), headers, body or b'{"code":"without a body"}'), parted


def _answer_is(expected: str, answer: Answer) -> None:
    status, _, what = expected.partition(" ")
    assert (answer.status, _told(answer)) == (int(status), what)
    own = {name: value for name, value in answer.headers.items() if name in _HEADERS}
    assert own == _HEADERS
    others = set(answer.headers) - set(_HEADERS)
    assert others <= {"Content-Length", "Date", "Connection", "Allow"}


def _told(answer: Answer) -> str:
    """Return a denial's code, if nothing else is in it, or a session's org and role."""
    told = answer.json
    if answer.status != 200:
        assert list(told) == ["code"]
        assert answer.body == json.dumps(told, separators=(",", ":")).encode()
        return str(told["code"])
    _is_a_session(told)
    return f"{told['X-Hasura-Org-Id']} {told['X-Hasura-Role']}"


def _is_a_session(told: dict[str, str]) -> None:
    variables = {"Org-Id", "Role", "Allowed-Roles", "User-Id", "Name"}
    assert set(told) - {"Cache-Control"} <= {f"X-Hasura-{name}" for name in variables}
    assert all(type(value) is str for value in told.values())
    assert re.fullmatch(
        r"\{(?:org_admin|editor|viewer)(?:,(?:editor|viewer))*\}", told["X-Hasura-Allowed-Roles"]
    )
    assert re.fullmatch(r"max-age=[1-9][0-9]{0,2}", told["Cache-Control"])


async def _a_good_request_is_answered(wire: Wire, forger: Forger) -> None:
    credential = f"Bearer {forger.word('token').decode()}"
    for call in (get(f"Authorization: {credential}"), post({"Authorization": credential})):
        await wire.send(call)
        _answer_is("200 acme viewer", (await _answer(wire, bodiless=False))[0])


def test_a_log_of_all_that_has_nothing_of_a_client_in_it(target):
    """Whatever was sent until now, in whatever order these tests run."""
    for line in target.log.read_text("utf-8").splitlines():
        told = json.loads(line)
        assert told.pop("event") in _EVENTS
        assert told.get("reason", Code.BAD_SIGNATURE) in set(Code)
        assert set(told) <= _FIELDS
        assert "CANARY" not in line
        assert "eyJ" not in line


_EVENTS = {"started", "configuration", "keys_fetched", "denied"}
_FIELDS = {"timestamp", "level", "reason", "detail", "issuer", "not_logged", "request_id"} | {
    *("version", "webhook", "management", "warning")
}


def test_the_corpus_is_whole():
    forms = Counter(case.form for case in CASES)

    assert len(CASES) > 800
    assert set(forms) == {".http", ".headers", ".token", ".claims", ".body"}
    assert min(forms.values()) > 80
    assert all(case.told and not case.told.startswith("POST") for case in CASES)


def test_every_denial_of_a_client_is_in_the_corpus():
    """All codes but those that no client can bring about by itself, or that no setting here has."""
    answered = {
        it.partition(" ")[2] for case in CASES for mode in MODES for it in case.answers[mode]
    }
    of_others = {"keys_unavailable", "introspection_unavailable", "inactive_token"}

    assert set(Code) - answered == of_others | {"step_up_required", "internal_error"}
