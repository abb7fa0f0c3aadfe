"""The two judges and what compares them; a short run of it. The long one: `make differential`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from fnmatch import fnmatchcase
from pathlib import Path
from random import Random
from typing import Any

import pytest

from hasura_kc_auth.devtools.tokens import FRONTEND
from tests.differential.comparing import Comparison, compare
from tests.differential.explained import EXPLANATIONS, explanation_of
from tests.differential.mutants import KINDS, Mutant, mutant, mutants
from tests.differential.needs import need_the_other_judge
from tests.differential.originals import LEEWAY, World, make_world
from tests.differential.ours import ACCEPT, Ours, ours
from tests.differential.theirs import Theirs, theirs
from tests.made_tokens import ABSENT, NOW
from tests.seeded_keys import seeded_key

SEED = 7


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(SEED)


@pytest.fixture
async def us(world: World) -> AsyncIterator[Ours]:
    async with ours(world) as judge:
        yield judge


@pytest.fixture
def node() -> None:
    """Skip where the other judge cannot be asked."""
    need_the_other_judge()


@pytest.fixture
async def them(world: World, node: None) -> AsyncIterator[Theirs]:  # noqa: ARG001
    async with theirs(world) as judge:
        yield judge


def question(token: str, kind: str = "as it is") -> Mutant:
    return Mutant(0, kind, token, NOW, (kind,))


# --- the run


async def test_a_dozen_mutants_of_each_kind(world, node):  # noqa: ARG001
    found = await compare(world, mutants(world, SEED, 12 * len(KINDS)))

    assert found.holes == []
    assert found.unexplained == []
    assert found.agrees
    assert found.accepted > found.judged / 10
    assert found.refused > found.judged / 10


# --- the other judge has the policy that we have

_NEXT = NOW + 1
_CLAIM = "ERR_JWT_CLAIM_VALIDATION_FAILED"
_CLAIMS: dict[str, tuple[dict[str, Any], str]] = {
    "good": ({}, ACCEPT),
    "expired within the leeway": ({"exp": _NEXT - LEEWAY}, ACCEPT),
    "expired": ({"exp": NOW - LEEWAY}, "ERR_JWT_EXPIRED exp"),
    "not before, within the leeway": ({"nbf": NOW + LEEWAY}, ACCEPT),
    "not before": ({"nbf": _NEXT + LEEWAY}, f"{_CLAIM} nbf"),
    "issued within the leeway": ({"iat": NOW + LEEWAY}, ACCEPT),
    "issued later": ({"iat": _NEXT + LEEWAY}, "ISSUED_IN_THE_FUTURE"),
    "another client": ({"azp": "hasura"}, "WRONG_CLIENT"),
    "another audience": ({"aud": "account"}, f"{_CLAIM} aud"),
    "an ID token": ({"typ": "ID"}, "NO_ACCESS_TOKEN"),
    "another issuer": ({"iss": "https://x"}, "UNKNOWN_ISSUER"),
    **{
        f"no {name}": ({name: ABSENT}, f"{_CLAIM} {name}")
        for name in ("exp", "iat", "sub", "azp", "typ", "aud")
    },
}
_HEADERS: dict[str, tuple[dict[str, Any], str]] = {
    "at+jwt": ({"typ": "at+JWT"}, ACCEPT),
    "no typ": ({"typ": ABSENT}, ACCEPT),
    "a logout token": ({"typ": "logout+jwt"}, f"{_CLAIM} typ"),
    "another algorithm": ({"alg": "RS512"}, "ERR_JOSE_ALG_NOT_ALLOWED"),
    "another key": ({"kid": "other"}, "ERR_JWKS_NO_MATCHING_KEY"),
    "a key for encryption": ({"kid": "enc"}, "ERR_JWKS_NO_MATCHING_KEY"),
}


async def test_both_judges_ask_for_the_same(world, us, them):
    draft = next(it for it in world.originals if it.key.algorithm == "RS256")
    tokens = {name: draft.with_claims(**it).signed() for name, (it, _) in _CLAIMS.items()}
    tokens |= {name: draft.with_header(**it).signed() for name, (it, _) in _HEADERS.items()}
    expected = {name: answer for name, (_, answer) in (_CLAIMS | _HEADERS).items()}

    await them.ask(question(it) for it in tokens.values())

    assert {name: await them.answer() for name in tokens} == expected
    assert {name: await us.judge(question(it)) == ACCEPT for name, it in tokens.items()} == {
        name: answer == ACCEPT for name, answer in expected.items()
    }


async def test_both_judges_know_each_realms_keys_and_algorithms(world, us, them):
    """The second realm publishes a key for ES256, too, but nothing signed by it is accepted."""
    drafts = world.originals
    expected = [
        it.claims["typ"] == "Bearer"
        and (it.claims["iss"] == world.realms[0].issuer or it.key.algorithm == "RS256")
        for it in drafts
    ]

    await them.ask(question(it.token) for it in drafts)

    assert [await them.answer() == ACCEPT for _ in drafts] == expected
    assert [await us.judge(question(it.token)) == ACCEPT for it in drafts] == expected


# --- what is compared


def compared(our_answer: str, their_answer: str, kind: str = "a bit flipped") -> Comparison:
    comparison = Comparison()
    comparison.add(question("token"), ACCEPT, ACCEPT)
    comparison.add(question("token", kind), our_answer, their_answer)
    return comparison


@pytest.mark.parametrize(
    ("our_answer", "their_answer", "agrees"),
    [
        pytest.param(ACCEPT, ACCEPT, True, id="both accept"),
        pytest.param("expired", "ERR", True, id="both refuse, for reasons of their own"),
        pytest.param(ACCEPT, "ERR", False, id="accepted by us alone"),
        pytest.param("expired", ACCEPT, False, id="refused by us alone"),
        pytest.param("raised KeyError", "ERR", False, id="an exception of ours"),
        pytest.param("raised KeyError", ACCEPT, False, id="an exception, where they accept"),
    ],
)
def test_what_agrees(our_answer, their_answer, agrees):
    assert compared(our_answer, their_answer).agrees is agrees


def test_an_explained_refusal_is_counted_and_agrees():
    comparison = compared("malformed_token", ACCEPT, "kid absent")

    assert comparison.agrees
    assert list(comparison.explained.values()) == [1]
    assert len(comparison.never_needed) == len(EXPLANATIONS) - 1
    assert not compared("missing_claim", ACCEPT, "kid absent").agrees


def test_nothing_is_shown_where_no_good_token_was_accepted():
    assert not Comparison().agrees


def test_each_explanation_is_of_a_kind_that_there_is():
    patterns = [pattern for it in EXPLANATIONS for pattern in it.kinds]

    assert [it for it in patterns if not any(fnmatchcase(kind, it) for kind in KINDS)] == []
    assert explanation_of(["as it is"], "malformed_token") is None


def test_the_manual_explains_what_is_refused_by_us_alone():
    page = Path(__file__).parents[2] / "docs" / "judges.md"
    rows = {line.rpartition(" | ")[2] for line in page.read_text("utf-8").splitlines()}

    assert {f"{it.why} |" for it in EXPLANATIONS} <= rows


# --- what they are asked


def test_a_number_of_a_seed_is_the_same_mutant_every_time(world):
    # All but those whose signature has a salt of its own (RFC 8017, 8.1).
    salted = list(KINDS).index("alg another one of the key's")
    some = [it for it in range(0, 3 * len(KINDS), 7) if it % len(KINDS) != salted]

    first, second = ([mutant(world, SEED, number) for number in some] for _ in range(2))

    assert first == second
    assert [it.token for it in first] != [mutant(world, SEED + 1, it).token for it in some]


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_key_of_a_seed_is_the_same_one_every_time(algorithm):
    first, second = (seeded_key(Random(SEED), algorithm, "kid") for _ in range(2))
    other = seeded_key(Random(SEED + 1), algorithm, "kid")
    signed: list[Any] = [it.signature(b"text") for it in (first, second, other)]

    assert signed[0] == signed[1] != signed[2]
    assert first.jwk() == second.jwk() != other.jwk()


def test_every_kind_makes_mutants(world):
    made = [mutant(world, SEED, number) for number in range(len(KINDS))]

    assert [it.kind for it in made] == list(KINDS)
    assert all(type(it.token) is str for it in made)


def test_the_originals_are_tokens_of_all_types_of_both_realms(world):
    kinds = {(it.claims["iss"], it.claims["typ"]) for it in world.originals}

    assert kinds == {
        (realm.issuer, typ) for realm in world.realms for typ in ("Bearer", "ID", "Refresh")
    }
    assert {it.claims["azp"] for it in world.originals} == {FRONTEND}
