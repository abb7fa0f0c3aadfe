"""Mutations of the claims and of the time they are judged at, signed by whom one likes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from tests.differential.kinds import Judged, Kinds, Material
from tests.differential.originals import LEEWAY, Draft
from tests.made_tokens import ABSENT

_Change = Callable[[Material], dict[str, Any]]

# --- any claim, of any JSON type

_CLAIMS = (
    *("iss", "aud", "azp", "typ", "sub", "exp", "iat", "nbf", "cnf"),
    *("scope", "resource_access", "acr", "jti"),
)
_VALUES: dict[str, tuple[Any, ...]] = {
    "absent": (ABSENT,),
    "null": (None,),
    "a boolean": (True, False),
    "a small number": (0, 1, -1, 1.5, -0.0, 5e-324),
    "a huge number": (1e308, -1e308, 10**30, -(10**30), 2**53 + 1, 2**63),
    "an endless number": (10**400, 10**1000),
    "an empty text": ("",),
    "another text": ("x", "1800000000", "é", "\u200b", "x" * 300, "\ufeff", "a\nb"),
    "a text with U+0000": ("a\u0000b", "\u0000"),
    "a list": ([], [None], ["x"], [1], [[]]),
    "an object": ({}, {"jkt": "x"}, {"x5t#S256": "x"}, {"": None}),
}


def _anything(claim: str, values: tuple[Any, ...], it: Material) -> dict[str, Any]:
    return {claim: it.random.choice(values)}


# --- texts that are nearly right


def _nearly(claim: str, it: Material) -> dict[str, Any]:
    right = str(it.draft.claims[claim])
    return {
        claim: it.pick(
            right.upper(),
            right.title(),
            f"{right} ",
            f" {right}",
            f"{right}/",
            right[:-1],
            f"{right}x",
            right.replace("e", "\u0435"),  # Cyrillic
            right.replace("e", "e\u0301"),
            right.replace("r", "\uff52"),  # full width
            [right],
            {right: right},
        )
    }


def _another_issuer(it: Material) -> dict[str, Any]:
    issuer = str(it.draft.claims["iss"])
    return {
        "iss": it.pick(
            *(realm.issuer for realm in it.world.realms),
            issuer.replace("https:", "http:"),
            issuer.replace("example.com", "example.com:443"),
            issuer.replace("example.com", "example.com."),
            issuer.replace("//", "//user@"),
            f"{issuer}?x",
            f"{issuer}#",
        )
    }


def _another_audience(it: Material) -> dict[str, Any]:
    return {
        "aud": it.pick(
            "hasura",
            ["hasura"],
            ["account", "hasura"],
            "account",
            ["account"],
            "Hasura",
            "hasura ",
            "hasura,account",
            "hasura account",
            ["hasura", "hasura"],
            [["hasura"]],
        )
    }


def _audience_with_others(it: Material) -> dict[str, Any]:
    return {"aud": ["hasura", it.random.choice((None, 1, True, {}, [], ""))]}


def _another_type(it: Material) -> dict[str, Any]:
    types = ("ID", "Refresh", "Offline", "Logout", "DPoP", "bearer", "Bearer ", "BEARER")
    return {"typ": it.pick(*types, ["Bearer"])}


def _another_client(it: Material) -> dict[str, Any]:
    return {"azp": it.pick("hasura", "account", "admin-cli", "frontend2", ["frontend"], "Frontend")}


def _odd_user(it: Material) -> dict[str, Any]:
    return {"sub": it.pick("u" * 256, "a\u202eb", "\u2028", "a\tb", "\u007f", "\ue000")}


def _own_claims(it: Material) -> dict[str, Any]:
    """Claims that decide nothing here, whatever they say."""
    return {
        it.pick("email", "x-hasura-role", "https://hasura.io/jwt/claims", "ü", "realm_access"): (
            it.pick("admin", ["admin"], {"roles": ["admin"]}, None, 1, "é😀")
        )
    }


# --- times

_STEPS = (-3600, -31, -30, -29, -2, -1, -0.5, -1e-6, 0, 1e-6, 0.5, 1, 2, 29, 30, 31, 3600)


def _time(claim: str, edge: int, it: Material) -> dict[str, Any]:
    """Put a time to an edge of its rule, or a step beside it."""
    return {claim: it.world.now + edge + it.random.choice(_STEPS)}


def _several_times(it: Material) -> dict[str, Any]:
    edges = {"exp": -LEEWAY, "nbf": LEEWAY, "iat": LEEWAY}
    return {name: it.world.now + edge + it.pick(-1, 0, 1, 0.25) for name, edge in edges.items()}


def _text_as_time(it: Material) -> dict[str, Any]:
    now = it.world.now
    return {it.pick("exp", "nbf", "iat"): it.pick(str(now), f"{now}.0", [now], "now", "1e10")}


def _later(it: Material) -> Judged:
    """Move the clock to an edge of the token, or to a step beside it."""
    claims = it.draft.claims
    edge = it.pick(claims["exp"] + LEEWAY, claims["exp"], claims["iat"] - LEEWAY)
    # Whole seconds: jose rounds its clock down to them, which would differ by less than one.
    return Judged(it.draft.token, int(edge + it.random.choice(_STEPS)))


# --- who signs what was changed


def _by_its_key(changed: Draft, _it: Material) -> str:
    return changed.signed()


def _by_a_stranger(changed: Draft, it: Material) -> str:
    return changed.with_header(alg=it.stranger.algorithm).signed(it.stranger)


def _by_the_other_realm(changed: Draft, it: Material) -> str:
    key = it.world.other_key(it.draft)
    return changed.with_header(alg=key.algorithm).signed(key)


def _by_nobody(changed: Draft, it: Material) -> str:
    """Keep the old signature under the new claims."""
    head = changed.signed(it.stranger).rpartition(".")[0]
    return f"{head}.{it.parts[2]}"


_SIGNERS = {
    "": _by_its_key,
    ", signed by a stranger": _by_a_stranger,
    ", signed by another realm": _by_the_other_realm,
    ", not signed anew": _by_nobody,
}

_CHANGES: dict[str, _Change] = {
    **{
        f"{claim} {what}": partial(_anything, claim, values)
        for claim in _CLAIMS
        for what, values in _VALUES.items()
    },
    **{f"{claim} nearly right": partial(_nearly, claim) for claim in ("iss", "azp", "typ")},
    "iss another": _another_issuer,
    "aud another": _another_audience,
    "aud with no strings": _audience_with_others,
    "typ another": _another_type,
    "azp another": _another_client,
    "sub odd": _odd_user,
    "claims that nobody asks for": _own_claims,
    "exp at its edge": partial(_time, "exp", -LEEWAY),
    "nbf at its edge": partial(_time, "nbf", LEEWAY),
    "iat at its edge": partial(_time, "iat", LEEWAY),
    "all times at their edges": _several_times,
    "a text for a time": _text_as_time,
}


def _change(change: _Change, it: Material) -> str:
    return it.draft.with_claims(**change(it)).signed()


def _unrightful(sign: Callable[[Draft, Material], str], it: Material) -> str:
    change = it.random.choice(list(_CHANGES.values()))
    return sign(it.draft.with_claims(**change(it)), it)


def _two_changes(it: Material) -> Judged:
    names = it.random.sample(list(_CHANGES), 2)
    first, second = (_CHANGES[name](it) for name in names)
    token = it.draft.with_claims(**first).with_claims(**second).signed()
    return Judged(token, it.world.now, tuple(names))


KINDS: Kinds = {
    **{name: partial(_change, change) for name, change in _CHANGES.items()},
    **{
        f"claims changed{name}": partial(_unrightful, sign)
        for name, sign in _SIGNERS.items()
        if name
    },
    "two claims changed": _two_changes,
    "judged at another time": _later,
}
