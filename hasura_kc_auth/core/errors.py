"""The closed vocabulary of refusals."""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """Why a request got no session. Order: the order in which the rules run."""

    MALFORMED_REQUEST = "malformed_request"
    AMBIGUOUS_CREDENTIALS = "ambiguous_credentials"
    NO_CREDENTIALS = "no_credentials"
    MALFORMED_TOKEN = "malformed_token"
    UNSUPPORTED_ALGORITHM = "unsupported_algorithm"
    WRONG_TYPE = "wrong_type"
    WRONG_ISSUER = "wrong_issuer"
    KEYS_UNAVAILABLE = "keys_unavailable"
    UNKNOWN_KEY = "unknown_key"
    BAD_SIGNATURE = "bad_signature"
    INTROSPECTION_UNAVAILABLE = "introspection_unavailable"
    INACTIVE_TOKEN = "inactive_token"
    MISSING_CLAIM = "missing_claim"
    SENDER_CONSTRAINED = "sender_constrained"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    WRONG_CLIENT = "wrong_client"
    WRONG_AUDIENCE = "wrong_audience"
    NO_ORG = "no_org"
    ORG_NOT_GRANTED = "org_not_granted"
    AMBIGUOUS_ORG = "ambiguous_org"
    NO_ROLE = "no_role"
    ROLE_NOT_GRANTED = "role_not_granted"
    STEP_UP_REQUIRED = "step_up_required"
    INTERNAL_ERROR = "internal_error"

    # A text like any other to a dict: Enum's own is Python code, and runs several times a refusal.
    __hash__ = str.__hash__

    @property
    def undecided(self) -> bool:
        """Whether the service could not decide: answered 503, since a 401 would log users out."""
        return self in _UNDECIDED


_UNDECIDED = frozenset({Code.KEYS_UNAVAILABLE, Code.INTROSPECTION_UNAVAILABLE, Code.INTERNAL_ERROR})


class Denied(Exception):
    """The request gets no session.

    `detail` is a constant sentence for operators: it never holds anything of a token, a claim or a
    header. `issuer` is the configured issuer once it is known, for the metric's label.
    """

    def __init__(self, code: Code, detail: str = "", *, issuer: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.issuer = issuer
