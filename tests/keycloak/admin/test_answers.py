"""What Keycloak's admin API answers, taken apart; and the role that each call takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hasura_kc_auth.keycloak.admin.answers import (
    an_object,
    attribute,
    by_client,
    identifier,
    last_segment,
    list_of_objects,
    text,
    texts,
)
from hasura_kc_auth.keycloak.admin.errors import OddAnswer, forbidden

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"


@pytest.mark.parametrize(
    ("read", "given", "what"),
    [
        (list_of_objects, [{}], "a list"),
        (list_of_objects, [None], "a list"),
        (list_of_objects, [[1]], "a list"),
        (an_object, [[]], "an object"),
        (an_object, [""], "an object"),
        (text, [{}, "name"], "name"),
        (text, [{"name": ""}, "name"], "name"),
        (text, [{"name": 1}, "name"], "name"),
        (identifier, [{"id": ".."}], "id"),
        (identifier, [{"id": "a/b"}], "id"),
        (identifier, [{"id": "a?b"}], "id"),
        (texts, [{"them": "a"}, "them"], "them"),
        (texts, [{"them": ["a", 1]}, "them"], "them"),
        (attribute, [{"attributes": []}, "name"], "an object"),
        (by_client, [{"clientMappings": {"a": 1}}], "an object"),
        (by_client, [{"clientMappings": {"a": {"mappings": 1}}}], "a list"),
    ],
)
def test_what_has_another_shape_is_refused(
    read: Callable[..., Any], given: list[Any], what: str
) -> None:
    with pytest.raises(OddAnswer) as caught:
        list(read(*given))

    assert caught.value.detail == f"{what}: the answer is not of Keycloak's shape"


def test_what_is_not_there_is_empty() -> None:
    assert an_object(None) == {}
    assert texts({}, "them") == frozenset()
    assert list(by_client({})) == []
    assert list(by_client({"clientMappings": {"a": {}}})) == [("a", [])]


@pytest.mark.parametrize(
    ("attributes", "value"),
    [
        (None, ""),
        ({}, ""),
        ({"name": "a"}, "a"),
        ({"name": ["a", "b"]}, "a"),
        ({"name": []}, ""),
        ({"name": None}, ""),
        ({"name": [1]}, ""),
    ],
)
def test_attributes_are_texts_or_lists_of_them(attributes: Any, value: str) -> None:
    assert attribute({"attributes": attributes}, "name") == value


@pytest.mark.parametrize("value", ["a", ID, "a.b", "A_b-9", "-a"])
def test_ids_are_parts_of_paths(value: str) -> None:
    assert identifier({"id": value}) == value
    assert last_segment(f"https://a/b/{value}") == value


@pytest.mark.parametrize("location", ["", "https://a/", "https://a/..", "https://a/b%20c"])
def test_a_location_may_tell_no_id(location: str) -> None:
    assert last_segment(location) == ""


@pytest.mark.parametrize(
    ("method", "path", "call", "roles"),
    [
        ("GET", "", "GET the realm", "view-realm"),
        ("PUT", "", "PUT the realm", "manage-realm"),
        ("GET", "clients", "GET clients", "view-clients"),
        ("POST", "clients", "POST clients", "manage-clients"),
        ("DELETE", f"clients/{ID}", "DELETE clients/{id}", "manage-clients"),
        ("GET", f"client-scopes/{ID}/scope-mappings", None, "view-clients"),
        ("PUT", f"clients/{ID}/optional-client-scopes/{ID}", None, "manage-clients"),
        ("GET", f"roles-by-id/{ID}/composites", None, "view-clients"),
        (
            "GET",
            f"clients/{ID}/evaluate-scopes/generate-example-access-token",
            None,
            "view-clients and view-users",
        ),
        ("GET", "users", "GET users", "view-users"),
        ("GET", f"ui-ext/effective-roles/users/{ID}", None, "view-users"),
        ("POST", f"users/{ID}/role-mappings/clients/{ID}", None, "manage-users"),
        ("GET", "organizations", "GET organizations", "view-organizations"),
        ("GET", f"organizations/{ID}/groups", None, "view-organizations"),
        (
            "GET",
            f"organizations/{ID}/members/{ID}/groups",
            None,
            "view-organizations and view-users",
        ),
        ("POST", "organizations", "POST organizations", "manage-organizations"),
        ("POST", f"organizations/{ID}/groups", None, "manage-organizations"),
        (
            "POST",
            f"organizations/{ID}/groups/{ID}/role-mappings/clients/{ID}",
            None,
            "manage-organizations and manage-users",
        ),
        (
            "PUT",
            f"organizations/{ID}/groups/{ID}/members/{ID}",
            None,
            "manage-organizations and manage-users",
        ),
    ],
)
def test_a_call_that_is_forbidden_is_named_with_the_role_it_takes(
    method: str, path: str, call: str | None, roles: str
) -> None:
    detail = forbidden(method, path).detail

    assert detail.startswith(
        f"{call or f'{method} ' + path.replace(ID, '{id}')}: the account may not "
    )
    assert detail.endswith(f"; it needs {roles} of realm-management, in its token")
