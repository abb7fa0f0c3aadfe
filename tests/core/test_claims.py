"""Single claims, read by their JSON type."""

from __future__ import annotations

from sys import float_info

import pytest

from hasura_kc_auth.core.claims import (
    audience_of,
    claim_at,
    client_roles,
    is_id,
    is_number,
    object_at,
    roles_in,
    scopes_of,
)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param(("a",), {"b": {"c": 1}}, id="a top-level claim"),
        pytest.param(("a", "b", "c"), 1, id="a claim three levels down"),
        pytest.param(("d.e",), 2, id="a name with a dot is one key"),
        pytest.param((), {"a": {"b": {"c": 1}}, "d.e": 2, "n": None, "l": [3]}, id="no key at all"),
        pytest.param(("x",), None, id="a missing claim"),
        pytest.param(("a", "x", "y"), None, id="a missing claim half way down"),
        pytest.param(("n",), None, id="a null claim"),
        pytest.param(("n", "x"), None, id="below null"),
        pytest.param(("l", "0"), None, id="below a list"),
        pytest.param(("a", "b", "c", "x"), None, id="below a number"),
    ],
)
def test_a_claim_is_found_by_its_path(path, value):
    found = claim_at({"a": {"b": {"c": 1}}, "d.e": 2, "n": None, "l": [3]}, path)

    assert found == value


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("4f1f6c5e-0d3c-4f0e-9a53-6b6d1c9f2a10", id="a UUID"),
        pytest.param("f:1b9d:alice@example.com", id="a federated user"),
        pytest.param("Ünï Örg", id="letters beyond ASCII and a blank"),
        pytest.param("_wlFRi49mKy62CBaDhCszNY-", id="an underscore first"),
        pytest.param("a", id="one character"),
        pytest.param("a" * 255, id="255 characters"),
    ],
)
def test_a_bounded_printable_string_is_an_id(value):
    assert is_id(value)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="empty"),
        pytest.param("a" * 256, id="256 characters"),
        pytest.param("a\nb", id="a line end"),
        pytest.param("a\0", id="U+0000"),
        pytest.param("a\u202eb", id="a change of direction"),
        pytest.param("a\ud800", id="a lone surrogate"),
        pytest.param(None, id="null"),
        pytest.param(1, id="a number"),
        pytest.param(["a"], id="a list"),
        pytest.param({"a": "b"}, id="an object"),
    ],
)
def test_anything_else_is_no_id(value):
    assert not is_id(value)


@pytest.mark.parametrize(
    "value", [0, -1, 1.5, 1_800_000_000, 10**30, 10**308, float_info.max, -float_info.max]
)
def test_a_finite_number_is_a_number(value):
    assert is_number(value)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(True, id="true, which Python counts as 1"),
        pytest.param(False, id="false"),
        pytest.param("1800000000", id="digits in a string"),
        pytest.param(None, id="null"),
        pytest.param([1], id="a list"),
        pytest.param({}, id="an object"),
        pytest.param(float("inf"), id="infinity"),
        pytest.param(float("-inf"), id="minus infinity"),
        pytest.param(float("nan"), id="not a number"),
        pytest.param(10**400, id="an integer beyond every float"),
        pytest.param(-(10**400), id="an integer below every float"),
    ],
)
def test_anything_else_is_no_number(value):
    assert not is_number(value)


@pytest.mark.parametrize(
    ("aud", "audience"),
    [("a", {"a"}), (["a", "b"], {"a", "b"}), ([], set()), ("", set()), ([""], set()), (1, set())],
)
def test_aud_is_a_string_or_a_list_of_strings(aud, audience):
    assert audience_of({"aud": aud}) == audience


@pytest.mark.parametrize(
    ("scope", "names"),
    [
        pytest.param("openid org1", {"openid", "org1"}, id="two"),
        pytest.param("org1 org1", {"org1"}, id="one, twice"),
        pytest.param(None, set(), id="null"),
        pytest.param(["org1"], set(), id="a list"),
        pytest.param({"org1": 1}, set(), id="an object"),
    ],
)
def test_scope_is_names_between_blanks(scope, names):
    assert scopes_of({"scope": scope}) == names
    assert scopes_of({}) == set()


@pytest.mark.parametrize(
    ("value", "found"),
    [({"a": 1}, {"a": 1}), ({}, {}), ([], {}), (["a"], {}), (None, {}), ("a", {}), (1, {})],
)
def test_only_an_object_is_an_object(value, found):
    assert object_at({"x": value}, "x") == found
    assert object_at({"y": value}, "x") == {}


@pytest.mark.parametrize(
    ("entry", "roles"),
    [
        pytest.param({"roles": ["a", "b"]}, ("a", "b"), id="two"),
        pytest.param({"roles": []}, (), id="none"),
        pytest.param({}, (), id="missing"),
        pytest.param({"roles": None}, (), id="null"),
        pytest.param({"roles": "a"}, (), id="a string"),
        pytest.param({"roles": {"a": 1}}, (), id="an object"),
        pytest.param({"roles": ["a", 1]}, (), id="a number among them"),
        pytest.param({"roles": ["a", ""]}, (), id="an empty one among them"),
        pytest.param({"roles": [["a"]]}, (), id="a list among them"),
    ],
)
def test_roles_are_a_list_of_strings_or_none_at_all(entry, roles):
    assert roles_in(entry) == roles
    assert client_roles({"resource_access": {"c": entry, "d": {"roles": ["z"]}}}, "c") == roles
