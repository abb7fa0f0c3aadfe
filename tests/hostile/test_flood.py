"""A flood of hostile tokens, no two alike: memory stays bounded, and good requests are answered.

A few thousand of them here; `make flood` sends a hundred thousand.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any
from urllib.request import urlopen

import pytest

from tests.cli.commands import LONG
from tests.hostile.conftest import Target
from tests.hostile.forging import Forger, now
from tests.made_tokens import b64
from tests.measures import resident_bytes
from tests.web.wire import get, post, post_bytes

COUNT = int(os.environ.get("HASURA_KC_AUTH_TEST_FLOOD", "5000"))  # noqa: TID251 - a test's
_WARM_UP = 1000
_ROUND = 1000
_BATCH = 50
_PADDING = 3000
"""Letters in each token, so that whatever remembers it shows in the memory."""
_MOST_GROWTH = 4_000_000
_MOST_LATE_GROWTH = 1_500_000
_MOST_SERIES = 200

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="memory is read from /proc"
)

Hostile = Callable[[Forger, int], bytes]


def _padded(number: int) -> str:
    return f"{number}-{secrets.token_hex(_PADDING // 2)}"


def _token(header: Mapping[str, Any], payload: Mapping[str, Any]) -> str:
    """Return a token with a made-up signature."""
    parts = (json.dumps(header).encode(), json.dumps(payload).encode(), secrets.token_bytes(256))
    return ".".join(map(b64, parts))


def _header(forger: Forger, **more: Any) -> dict[str, Any]:
    return {"alg": "RS256", "typ": "JWT", "kid": forger.key.kid, **more}


def _get(token: str, *lines: str) -> bytes:
    return get(f"Authorization: Bearer {token}", *lines)


def _garbage(_forger: Forger, number: int) -> bytes:
    return _get(_padded(number))


def _forged(forger: Forger, number: int) -> bytes:
    return _get(_token(_header(forger), {**forger.claims, "jti": _padded(number)}))


def _unknown_kid(forger: Forger, number: int) -> bytes:
    """With a header of the usual length, such as may be remembered."""
    header = _header(forger, kid=f"{number}-{secrets.token_hex(20)}")
    return _get(_token(header, {**forger.claims, "jti": _padded(number)}))


def _own_header(forger: Forger, number: int) -> bytes:
    return _get(_token(_header(forger, a=_padded(number)), forger.claims))


def _expired(forger: Forger, number: int) -> bytes:
    late = {**forger.claims, "exp": now() - 100, "jti": _padded(number)}
    return _get(forger.signed(json.dumps(late).encode()))


def _foreign(forger: Forger, number: int) -> bytes:
    return _get(_token(_header(forger), {**forger.claims, "iss": f"https://{_padded(number)}"}))


def _wishing(forger: Forger, number: int) -> bytes:
    return _get(forger.word("token").decode(), f"X-Hasura-Org-Id: {_padded(number)}")


def _posted(forger: Forger, number: int) -> bytes:
    token = _token(_header(forger), {**forger.claims, "jti": _padded(number)})
    return post({"Authorization": f"Bearer {token}", f"X-{number}": "a"}, request={"a": number})


def _broken_body(_forger: Forger, number: int) -> bytes:
    return post_bytes(f'{{"headers":{{"{_padded(number)}":{number}}}}}'.encode())


KINDS: Mapping[Hostile, str] = {
    _garbage: "malformed_token",
    _forged: "bad_signature",
    _unknown_kid: "unknown_key",
    _own_header: "bad_signature",
    _expired: "expired",
    _foreign: "wrong_issuer",
    _wishing: "org_not_granted",
    _posted: "bad_signature",
    _broken_body: "malformed_request",
}


def _flood(forger: Forger) -> Iterator[tuple[bytes, str]]:
    """Yield calls, each with the code that is due to it. No two are alike."""
    number = 0
    while True:
        for kind, code in KINDS.items():
            number += 1
            yield kind(forger, number), code


class _Client:
    """One connection that is kept."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), LONG)

    def close(self) -> None:
        self._socket.close()

    def ask(self, call: bytes) -> tuple[int, dict[str, str]]:
        self._socket.sendall(call)
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._more()
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0])
        while len(body) < length:
            body += self._more()
        return int(head[9:12]), json.loads(body)

    def _more(self) -> bytes:
        data = self._socket.recv(65536)
        assert data, "the connection was closed"
        return data


def _send(client: _Client, calls: Iterator[tuple[bytes, str]], good: list[bytes]) -> None:
    """Send hostile calls, and a good one after each fifty."""
    for number, (call, code) in enumerate(calls, 1):
        assert client.ask(call) == (401, {"code": code})
        if number % _BATCH == 0:
            status, told = client.ask(good[number // _BATCH % len(good)])
            assert (status, told["X-Hasura-Org-Id"], told["X-Hasura-Role"]) == (
                200,
                "acme",
                "viewer",
            )


def _resident_after(count: int, target: Target) -> int:
    """Send so many hostile calls and return the memory that the service has then.

    With new good tokens each time: they last five minutes, which a long flood does not.
    """
    forger, client = Forger(target.realm.issuer), _Client(target.served.webhook)
    credential = f"Bearer {forger.word('token').decode()}"
    good = [get(f"Authorization: {credential}"), post({"authorization": credential})]
    _send(client, islice(_flood(forger), count), good)
    client.close()
    return resident_bytes(target.pid)


def _series(target: Target) -> list[str]:
    with urlopen(f"http://127.0.0.1:{target.served.management}/metrics") as answer:
        return [it for it in answer.read().decode().splitlines() if not it.startswith("#")]


@pytest.mark.timeout(1800)
def test_a_flood_leaves_memory_metrics_and_good_requests_as_they_are(flooded):
    began = time.monotonic()  # noqa: TID251 - how many cooldowns have passed
    resident = [_resident_after(_WARM_UP, flooded)]
    resident += [_resident_after(_ROUND, flooded) for _ in range(0, COUNT, _ROUND)]
    took = time.monotonic() - began  # noqa: TID251

    growth = [it - resident[0] for it in resident]
    some = resident[:: max(1, len(resident) // 10)]
    print(f"\n{COUNT} hostile calls in {took:.0f} s, resident bytes: {some}")  # noqa: T201
    assert max(growth) < _MOST_GROWTH
    assert growth[-1] - growth[len(growth) // 2] < _MOST_LATE_GROWTH
    assert len(_series(flooded)) < _MOST_SERIES
    assert flooded.realm.issuer.fetches["certs"] <= 2 + took / 10  # the cooldown
