"""What is fuzzed: the header's value, the JWS, and the body of POST mode, each up to the answer.

The property: whatever comes in, there is a session or a code, and never another exception. And a
session only under the signature of the one key, for what an oracle of its own finds in the token;
in the two decoders around the token, where nobody can sign, only for a token that was issued.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import ECKey
from multidict import CIMultiDict

from hasura_kc_auth.authenticator import Authenticator, HeaderAuthenticator
from hasura_kc_auth.core.errors import Code, Denied
from hasura_kc_auth.core.keys import KeySet
from hasura_kc_auth.core.policy import IssuerPolicy, OrgPolicy, Policy, RolePolicy
from hasura_kc_auth.core.request import Headers, Request, headers_in_body
from hasura_kc_auth.core.session import Session
from tests.fuzz import oracle
from tests.made_tokens import GOOD, ISSUER, NOW, TWO_ORGS, KeysAtHand, MadeKey, key_set, sign

CORPUS = Path(__file__).parent / "corpus"
_MAX_TOKEN = 32 * 1024

# The same in each run, so that what was found once is found again: a key for nothing but this.
_PRIVATE = ec.derive_private_key(0x6675_7A7A, ec.SECP256R1())
PUBLIC = _PRIVATE.public_key()
KEY = MadeKey(
    "fuzz",
    "ES256",
    ECKey.import_key(
        _PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), None
    ),
)
ISSUER_POLICY = IssuerPolicy(
    ISSUER,
    clients=frozenset({oracle.CLIENT}),
    audiences=frozenset({oracle.AUDIENCE}),
    algorithms=frozenset({"ES256"}),
    leeway=oracle.LEEWAY,
)
CARRIERS: Mapping[str, OrgPolicy] = {
    "client-scope": OrgPolicy(),
    "organization": OrgPolicy("organization", client=oracle.AUDIENCE),
    "claim": OrgPolicy("claim", claim=(oracle.ORG_CLAIM,)),
}
POLICIES: Mapping[str, Policy] = {
    carrier: Policy(
        {ISSUER: replace(ISSUER_POLICY, org=org)}, RolePolicy(oracle.ROLES, oracle.ROLE_MAP)
    )
    for carrier, org in CARRIERS.items()
}
_EDITOR = {"resource_access": {oracle.AUDIENCE: {"roles": ["editor"]}}}
TOKENS: Mapping[bytes, str] = {
    b"@1@": sign({**GOOD, "aud": [oracle.AUDIENCE, "org1"]}, key=KEY),
    b"@2@": sign({**GOOD, **TWO_ORGS, "aud": [oracle.AUDIENCE, "org1", "org2"]}, key=KEY),
    b"@3@": sign(
        {
            **GOOD,
            "aud": oracle.AUDIENCE,
            "scope": "openid organization:org1",
            "organization": {"org1": _EDITOR},
        },
        key=KEY,
    ),
    b"@4@": sign(
        {**GOOD, "aud": [oracle.AUDIENCE, "org1"], "scope": "openid", oracle.ORG_CLAIM: "org1"},
        key=KEY,
    ),
}
"""What was issued, by what stands for it in a seed."""

_ISSUED = frozenset(token.rpartition(".")[0] for token in TOKENS.values())

Verdict = Session | Code


class _NoMemory:
    """The port Recalls: every token is a new one."""

    def recall(self, _request: Request) -> Session | None:
        return None


@dataclass(frozen=True)
class Decoders:
    """The three ways in. `keys`: those of the one issuer."""

    keys: KeySet

    def _decide(self, headers: Headers, carrier: str = "client-scope") -> Verdict:
        authenticator = Authenticator(POLICIES[carrier], KeysAtHand(self.keys), lambda: NOW)
        by_headers = HeaderAuthenticator(oracle.ORG_HEADER, _MAX_TOKEN, _NoMemory(), authenticator)
        return _run(by_headers.authenticate(headers))

    def header(self, data: bytes) -> Verdict:
        """Decide about header lines, each `name: value`, as aiohttp hands them on."""
        pairs = [line.partition(b":") for line in _with_tokens(data).split(b"\n")]
        headers = CIMultiDict([(_text(name), _text(value)) for name, _, value in pairs])
        verdict = self._decide(headers)
        if isinstance(verdict, Session):
            _was_issued(oracle.credential(headers))
            oracle.agrees(verdict, headers, PUBLIC)
        return verdict

    def jws(self, data: bytes) -> Verdict:
        """Decide about a token, by each carrier of orgs; return a session if there is one."""
        headers = CIMultiDict({"Authorization": f"Bearer {_text(_with_tokens(data))}"})
        verdicts = [self._decide(headers, carrier) for carrier in CARRIERS]
        for carrier, verdict in zip(CARRIERS, verdicts, strict=True):
            if isinstance(verdict, Session):
                oracle.agrees(verdict, headers, PUBLIC, carrier)
        return next((it for it in verdicts if isinstance(it, Session)), verdicts[0])

    def body(self, data: bytes) -> Verdict:
        """Decide about the body of a call in POST mode."""
        body = _with_tokens(data)
        try:
            headers = CIMultiDict(headers_in_body(body))
        except Denied as denied:
            return _is_malformed(denied.code)
        told = json.loads(body)["headers"]
        assert all(type(value) is str for value in told.values())
        assert headers == CIMultiDict(told)
        verdict = self._decide(headers)
        if isinstance(verdict, Session):
            _was_issued(oracle.credential(headers))
            oracle.agrees(verdict, headers, PUBLIC)
        return verdict


def _run(decision: Coroutine[Any, Any, Session]) -> Verdict:
    """Run a decision that waits for nothing."""
    try:
        decision.send(None)
    except StopIteration as done:
        session: Session = done.value
        return session
    except Denied as denied:
        return denied.code
    raise AssertionError("it waited for something")


def _is_malformed(code: Code) -> Code:
    assert code is Code.MALFORMED_REQUEST
    return code


def _was_issued(token: str) -> None:
    assert token.rpartition(".")[0] in _ISSUED


def _with_tokens(data: bytes) -> bytes:
    for name, token in TOKENS.items():
        data = data.replace(name, token.encode())
    return data


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


REAL = Decoders(key_set(KEY))
DECODERS: Mapping[str, Callable[[bytes], Verdict]] = {
    name: partial(getattr(Decoders, name), REAL) for name in ("header", "jws", "body")
}
