"""What was ever found, and the seeds, tried again without a fuzzer; and that findings are found."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

import pytest
from cryptography.exceptions import InvalidSignature
from multidict import CIMultiDict

from hasura_kc_auth.core.errors import Code
from hasura_kc_auth.core.keys import VerificationKey
from hasura_kc_auth.core.session import Session
from tests.fuzz.__main__ import NAMES, main
from tests.fuzz.decoders import CORPUS, DECODERS, KEY, PUBLIC, TOKENS, Decoders
from tests.fuzz.mutating import MUTATORS
from tests.fuzz.oracle import agrees
from tests.made_tokens import GOOD, NOW, sign

FILES = sorted(it for it in CORPUS.rglob("*") if it.is_file())


@pytest.mark.parametrize(
    "file", [pytest.param(it, id=f"{it.parent.name}/{it.name}") for it in FILES]
)
def test_a_seed_gets_a_session_that_may_be_or_a_code(file):
    assert isinstance(DECODERS[file.parent.name](file.read_bytes()), Session | Code)


@pytest.mark.parametrize("name", NAMES)
def test_the_seeds_lead_to_a_session_and_to_denials(name):
    verdicts = [DECODERS[name](file.read_bytes()) for file in FILES if file.parent.name == name]

    assert {type(it) for it in verdicts} == {Session, Code}
    assert list(DECODERS) == list(MUTATORS) == list(NAMES)


def _fuzzer(data: bytes, max_size: int, *, random: Random) -> bytes:
    """Stand in for the fuzzer's own change of bytes."""
    at = random.randrange(len(data) + 1)
    return (data[:at] + random.randbytes(1) + data[at + random.randrange(2) :])[:max_size]


@pytest.mark.parametrize("name", NAMES)
def test_some_rounds_of_the_same_mutators_find_nothing(name):
    random = Random(7)  # noqa: S311 - the same in each run
    seeds = [file.read_bytes() for file in FILES if file.parent.name == name]
    seen = set()
    for number in range(1500):
        data = seeds[number % len(seeds)]
        for _ in range(random.randint(1, 4)):
            data = MUTATORS[name](data, 40_000, random, lambda *it: _fuzzer(*it, random=random))
        verdict = DECODERS[name](data)
        seen.add(verdict if isinstance(verdict, Code) else "a session")
    assert len(seen) > 3


@pytest.mark.parametrize(("argument", "told"), [("jws", "wheels"), ("cookie", "no decoder")])
def test_without_a_fuzzer_it_says_so(monkeypatch, capsys, argument, told):
    monkeypatch.setitem(sys.modules, "atheris", None)
    monkeypatch.setattr(sys, "argv", ["fuzz", argument])

    with pytest.raises(SystemExit, match=r"^2$"):
        sys.exit(main())

    assert told in capsys.readouterr().err


# --- a property that cannot fail holds nothing


@dataclass(frozen=True)
class _AnyKid(Mapping[str, VerificationKey]):
    """A key set that knows every kid and lets every signature pass."""

    def __getitem__(self, kid: str) -> VerificationKey:
        return VerificationKey(kid, {"ES256": lambda *_: True})

    def __contains__(self, _kid: object) -> bool:
        return True

    def __iter__(self):
        return iter(())

    def __len__(self) -> int:
        return 0


CREDULOUS = Decoders(_AnyKid())


def test_a_forged_token_that_passes_is_found():
    forged = sign({**GOOD, "aud": ["hasura", "org1"]}, {"kid": "x", "alg": "ES256"}).encode()

    with pytest.raises(AssertionError):  # a signature of another length
        CREDULOUS.jws(forged)
    with pytest.raises(InvalidSignature):
        CREDULOUS.jws(TOKENS[b"@1@"].encode()[:-8] + b"AAAAAAAA")
    with pytest.raises(AssertionError):
        CREDULOUS.header(b"Authorization: Bearer " + forged)
    with pytest.raises(AssertionError):
        CREDULOUS.body(
            json.dumps({"headers": {"Authorization": f"Bearer {forged.decode()}"}}).encode()
        )


def test_a_token_that_is_rightly_signed_and_was_never_issued_is_found_around_it():
    own = sign({**GOOD, "aud": ["hasura", "org1"], "sub": "other"}, key=KEY).encode()

    assert isinstance(DECODERS["jws"](own), Session)
    with pytest.raises(AssertionError):
        DECODERS["header"](b"Authorization: Bearer " + own)


_ORG1 = {"org1": {"roles": ["editor"]}}


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": NOW - 31},
        {"exp": True},
        {"iat": NOW + 31},
        {"nbf": NOW + 31},
        {"iss": "https://sso.example.com/realms/acme/"},
        {"azp": "backend"},
        {"typ": "ID"},
        {"cnf": {}},
        {"sub": ""},
        {"aud": "org1"},
        {"aud": "hasura"},
        {"scope": "openid"},
        {"resource_access": {}},
        {"resource_access": {"org1": {"roles": ["admin"]}}},
        {"resource_access": {**_ORG1, "org2": {"roles": ["viewer"]}}, "scope": "org1 org2"},
    ],
)
def test_a_session_that_the_token_does_not_prove_is_found(changes):
    """The oracle is asked about a real session of another token."""
    session = DECODERS["jws"](b"@1@")
    assert isinstance(session, Session)
    token = sign({**GOOD, "aud": ["hasura", "org1", "org2"], **changes}, key=KEY)

    agrees(session, _headers(TOKENS[b"@1@"]), PUBLIC)
    with pytest.raises((AssertionError, KeyError, ValueError)):
        agrees(session, _headers(token), PUBLIC)


def _headers(token: str) -> CIMultiDict[str]:
    return CIMultiDict({"Authorization": f"Bearer {token}"})
