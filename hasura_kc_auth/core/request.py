"""What is asked: one credential and the client's wishes, out of the client's headers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from hasura_kc_auth.core.errors import Code, Denied
from hasura_kc_auth.core.strict_json import decode_member

ROLE_HEADER = "X-Hasura-Role"
_CREDENTIAL_HEADER = "Authorization"
_BLANKS = " \t"
_DIFFERING = {
    Code.MALFORMED_REQUEST: "two differing values of one X-Hasura header",
    Code.AMBIGUOUS_CREDENTIALS: "two differing Authorization headers",
}


class Request(NamedTuple):
    """One question to the service.

    `token` is still untrusted text, None where the client sent no credential at all. `org` and
    `role` are the client's wishes, "" for none: they choose among what the token proves.
    """

    token: str | None
    org: str = ""
    role: str = ""


class Headers(Protocol):
    """The client's headers, looked up by name without case, repeated ones in order."""

    def getall(self, key: str, default: Sequence[str], /) -> Sequence[str]: ...


def read_request(headers: Headers, org_header: str, max_token: int) -> Request:
    """Read the credential and the wishes.

    `max_token`: bytes a token may have; checked before anything looks at the token. Raises Denied:
    `malformed_request`, `ambiguous_credentials` or `malformed_token`.
    """
    org = _one(headers.getall(org_header, ()), Code.MALFORMED_REQUEST)
    role = _one(headers.getall(ROLE_HEADER, ()), Code.MALFORMED_REQUEST)
    credentials = headers.getall(_CREDENTIAL_HEADER, ())
    if not credentials:
        return Request(None, org, role)
    return Request(_bearer(_one(credentials, Code.AMBIGUOUS_CREDENTIALS), max_token), org, role)


def _one(values: Sequence[str], otherwise: Code) -> str:
    """Return the one thing that a header says, "" where it is not there.

    Over a WebSocket, equal pairs are usual. Raises Denied for two that differ.
    """
    if not values:
        return ""
    value = values[0].strip(_BLANKS)
    if len(values) > 1 and any(other.strip(_BLANKS) != value for other in values):
        raise Denied(otherwise, _DIFFERING[otherwise])
    return value


def _bearer(credential: str, max_token: int) -> str:
    """RFC 6750, section 2.1; the scheme's name has no case (RFC 9110, section 11.1)."""
    scheme, _, token = credential.partition(" ")
    if scheme.lower() != "bearer":
        raise Denied(Code.MALFORMED_TOKEN, "the Authorization header is not of the Bearer scheme")
    if not token:
        raise Denied(Code.MALFORMED_TOKEN, "the Bearer credential is empty")
    if len(token) > max_token:
        raise Denied(Code.MALFORMED_TOKEN, "the token is longer than webhook.max_token")
    if not token.isascii():
        raise Denied(Code.MALFORMED_TOKEN, "the token is not ASCII")
    return token


def headers_in_body(body: bytes) -> list[tuple[str, str]]:
    """Return the client's headers out of the body of Hasura's POST mode.

    Only the object `headers` is looked at; `request` may be null, absent or a list. Raises Denied
    `malformed_request`. Two spellings of one name stay two entries.
    """
    try:
        headers = decode_member(body, "headers")
    except ValueError as error:
        raise Denied(Code.MALFORMED_REQUEST, "the body is not a JSON object") from error
    if not isinstance(headers, dict):
        raise Denied(Code.MALFORMED_REQUEST, "the body's `headers` is not an object")
    if not set(map(type, headers.values())) <= {str}:
        raise Denied(Code.MALFORMED_REQUEST, "the body's `headers` holds a non-string")
    return list(headers.items())
