"""Hostile requests, thousands of them and few alike, each with the code that must come."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, islice
from typing import Any, NamedTuple

from tests.chaos.issuer import ChaosIssuer
from tests.conftest import Answer
from tests.web.wire import connected, get, post, post_bytes

Pairs = Sequence[tuple[str, str]]


class Hostile(NamedTuple):
    """A client's headers (or a whole message), and the only code that may come."""

    code: str
    headers: Pairs = ()
    message: bytes = b""

    def said(self, mode: str) -> bytes:
        if self.message:
            return self.message
        headers = (*self.headers, ("X-Note", padding()))
        if mode == "GET":
            return get(*(f"{name}: {value}" for name, value in headers))
        return post(dict(headers))


PADDING = 8000
"""Letters, so that a thousand requests are more than the memory may grow by."""


def padding() -> str:
    """Return letters that nothing else has, and that nothing packs."""
    return secrets.token_hex(PADDING // 2)


def flood(issuer: ChaosIssuer, count: int) -> Iterator[Hostile]:
    """Yield so many hostile requests, all kinds in turn."""
    kinds = cycle([*_kinds(issuer), *_wrong_in_one_claim(issuer)])
    return (make(number) for number, make in enumerate(islice(kinds, count)))


def _bearer(token: str, *more: tuple[str, str]) -> Pairs:
    return (("Authorization", f"Bearer {token}"), *more)


def _kinds(issuer: ChaosIssuer) -> list[Callable[[int], Hostile]]:
    header, payload, signature = issuer.token().split(".")
    own = _decoded(header)

    def under(**changes: Any) -> str:
        return f"{_encoded({**own, **changes})}.{payload}.{signature}"

    def forged(number: int) -> str:
        changed = {**_decoded(payload), "jti": f"forged-{number}-{padding()}"}
        return f"{header}.{_encoded(changed)}.{signature}"

    def foreign(number: int) -> str:
        changed = {
            **_decoded(payload),
            "iss": f"https://sso.example.com/realms/{number}-{padding()}",
        }
        return f"{header}.{_encoded(changed)}.{signature}"

    nothing = "malformed_request"
    return [
        lambda n: Hostile("malformed_token", _bearer(f"garbage-{n}-{padding()}")),
        lambda n: Hostile("malformed_token", _bearer(f"{n}" + "A" * 33_000)),
        lambda n: Hostile("malformed_token", (("Authorization", f"Basic {n}"),)),
        lambda n: Hostile("malformed_token", _bearer(under(crit=["exp"], n=n))),
        lambda n: Hostile("unsupported_algorithm", _bearer(under(alg="none", n=n))),
        lambda n: Hostile("unsupported_algorithm", _bearer(under(alg="HS256", n=n))),
        lambda n: Hostile("wrong_type", _bearer(under(typ="logout+jwt", n=n))),
        lambda n: Hostile("wrong_issuer", _bearer(foreign(n))),
        lambda n: Hostile("unknown_key", _bearer(under(kid=f"unknown-{n}"))),
        lambda n: Hostile("bad_signature", _bearer(forged(n))),
        lambda n: Hostile("ambiguous_credentials", _bearer("x", ("authorization", f"Bearer {n}"))),
        lambda n: Hostile(nothing, (("X-Hasura-Role", f"{n}"), ("x-hasura-role", "admin"))),
        lambda n: Hostile(nothing, message=post_bytes(b"[" * (1000 + n))),
        lambda n: Hostile(nothing, message=post_bytes(b'{"headers": %d}' % n)),
    ]


def _wrong_in_one_claim(issuer: ChaosIssuer) -> list[Callable[[int], Hostile]]:
    """Return tokens that the issuer signed, each wrong in one place. Signing takes long: once."""
    now = int(time.time())  # noqa: TID251 - what the service reads
    changes: list[tuple[str, dict[str, Any]]] = [
        ("expired", {"exp": now - 60}),
        ("not_yet_valid", {"iat": now + 3600}),
        ("missing_claim", {"sub": None}),
        ("missing_claim", {"exp": "tomorrow"}),
        ("wrong_type", {"typ": "ID"}),
        ("sender_constrained", {"cnf": {"jkt": "x"}}),
        ("wrong_client", {"azp": "another"}),
        ("wrong_audience", {"aud": "acme"}),
        ("no_org", {"scope": "openid"}),
        ("no_org", {"resource_access": {"globex": {"roles": ["editor"]}}}),
        ("no_role", {"resource_access": {"acme": {"roles": ["admin"]}}}),
    ]
    signed = [Hostile(code, _bearer(issuer.token(**change))) for code, change in changes]
    right = issuer.token()
    for name, wish, code in (
        ("X-Hasura-Org-Id", "globex", "org_not_granted"),
        ("X-Hasura-Role", "admin", "role_not_granted"),
    ):
        signed.append(Hostile(code, _bearer(right, (name, wish))))
    return [lambda _, it=it: it for it in signed]  # type: ignore[misc]


def _encoded(members: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(members).encode()).rstrip(b"=").decode()


def _decoded(part: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=="))
    return found


class Attack:
    """Sends hostile requests over some connections, and keeps what came that must not.

    `codes`: what came, by code; `wrong`: (must come, came), nothing of a token.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self.codes: Counter[str] = Counter()
        self.wrong: list[tuple[str, str]] = []

    async def run(self, requests: Sequence[Hostile], mode: str, *, connections: int = 8) -> None:
        """Send these, each on one of so many connections at once."""
        await asyncio.gather(
            *(self._run_one(requests[first::connections], mode) for first in range(connections))
        )

    async def _run_one(self, requests: Sequence[Hostile], mode: str) -> None:
        left = iter(requests)
        request = next(left, None)
        while request is not None:
            async with connected(self._url) as wire:
                while request is not None and not wire.reader.at_eof():
                    self._note(request, await wire.ask(request.said(mode)))
                    request = next(left, None)

    def _note(self, request: Hostile, answer: Answer) -> None:
        came = f"{answer.status} {answer.json.get('code', 'a session')}"
        self.codes[came] += 1
        if came != f"401 {request.code}":
            self.wrong.append((request.code, came))
