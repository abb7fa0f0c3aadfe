"""The closed vocabulary of refusals."""

from __future__ import annotations

import re

import pytest

from hasura_kc_auth.core.errors import Code, Denied

CODES = [
    *("malformed_request", "ambiguous_credentials", "no_credentials"),
    *("malformed_token", "unsupported_algorithm", "wrong_type"),
    *("wrong_issuer", "keys_unavailable", "unknown_key", "bad_signature"),
    *("introspection_unavailable", "inactive_token"),
    *("missing_claim", "sender_constrained", "expired", "not_yet_valid"),
    *("wrong_client", "wrong_audience"),
    *("no_org", "org_not_granted", "ambiguous_org", "no_role", "role_not_granted"),
    *("step_up_required", "internal_error"),
]


def test_the_codes_are_an_interface_and_stay_as_they_are():
    assert [str(code) for code in Code] == CODES


@pytest.mark.parametrize("code", Code)
def test_only_what_could_not_be_decided_is_undecided(code):
    undecided = {"keys_unavailable", "introspection_unavailable", "internal_error"}

    assert code.undecided == (code in undecided)


def test_a_denial_carries_its_code_and_says_nothing_else():
    denial = Denied(Code.EXPIRED, "for the operator", issuer="https://sso.example.com")

    assert denial.code is Code.EXPIRED
    assert denial.detail == "for the operator"
    assert denial.issuer == "https://sso.example.com"
    assert str(denial) == "expired"


def test_a_denial_needs_neither_detail_nor_issuer():
    denial = Denied(Code.NO_CREDENTIALS)

    assert (denial.detail, denial.issuer) == ("", None)


@pytest.mark.parametrize("code", Code)
def test_a_code_is_fit_for_a_metric_label(code):
    assert re.fullmatch(r"[a-z_]{1,32}", code)
