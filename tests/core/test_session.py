"""The answer: Hasura's session variables."""

from __future__ import annotations

import json
from dataclasses import replace
from math import inf

import pytest

from hasura_kc_auth.core.errors import Code
from hasura_kc_auth.core.policy import AnonymousPolicy, SessionPolicy, Variable
from hasura_kc_auth.core.request import Request
from hasura_kc_auth.core.session import _remembered_roles, anonymous_session
from tests.core.deciding import answered, decide
from tests.made_tokens import (
    ISSUER,
    ISSUER_POLICY,
    NOW,
    TWO_ORGS,
    USER,
    claims,
    denied,
    issuer_policy,
    policy_of,
)

AS_JSON = SessionPolicy(values="json")


def test_the_good_token_is_answered_with_exactly_these_variables():
    session = decide()

    assert session.body(NOW) == (
        b'{"X-Hasura-Org-Id":"org1","X-Hasura-Role":"editor","X-Hasura-Allowed-Roles":"{editor}",'
        b'"X-Hasura-User-Id":"' + USER.encode() + b'","Cache-Control":"max-age=290"}'
    )


def test_a_session_says_who_issued_the_token_and_when_it_is_good():
    session = decide()

    assert session.issuer == ISSUER
    assert (session.valid_from, session.valid_until) == (NOW - 40, NOW + 320)
    assert session.expires_at == NOW + 290
    assert session.max_age == 300


def roles_of(*roles):
    return claims(resource_access={"org1": {"roles": list(roles)}})


@pytest.mark.parametrize(
    ("roles", "wish", "role", "allowed"),
    [
        pytest.param(["viewer", "editor"], "", "editor", "{editor,viewer}", id="the first allowed"),
        pytest.param(["viewer", "editor"], "viewer", "viewer", "{editor,viewer}", id="the wish"),
        pytest.param(["admin"], "", "org_admin", "{org_admin}", id="a mapped role"),
        pytest.param(["admin"], "org_admin", "org_admin", "{org_admin}", id="a mapped wish"),
        pytest.param(["a,b", "editor", "Ünï"], "", "editor", "{editor}", id="unknown roles"),
    ],
)
def test_the_role_is_the_wish_or_the_first_allowed_one(roles, wish, role, allowed):
    variables = answered(decide(roles_of(*roles), role=wish))

    assert variables["X-Hasura-Role"] == role
    assert variables["X-Hasura-Allowed-Roles"] == allowed


def test_keycloaks_admin_never_becomes_hasuras():
    variables = answered(decide(roles_of("admin", "editor")))

    assert variables["X-Hasura-Role"] == "org_admin"
    assert variables["X-Hasura-Allowed-Roles"] == "{org_admin,editor}"


@pytest.mark.parametrize(("org", "role"), [("org1", "editor"), ("org2", "viewer")])
def test_of_two_orgs_only_the_chosen_ones_roles_are_answered(org, role):
    variables = answered(decide(claims(TWO_ORGS), org=org))

    assert variables["X-Hasura-Org-Id"] == org
    assert variables["X-Hasura-Role"] == role
    assert variables["X-Hasura-Allowed-Roles"] == f"{{{role}}}"


def test_a_composite_role_across_orgs_gives_no_role_of_the_other_org():
    bridge = claims(
        aud=["org1", "org2"],
        scope="openid profile org2 email",
        resource_access={"org1": {"roles": ["admin"]}, "org2": {"roles": ["viewer", "bridge"]}},
    )

    variables = answered(decide(bridge))

    assert variables["X-Hasura-Org-Id"] == "org2"
    assert variables["X-Hasura-Allowed-Roles"] == "{viewer}"


def test_an_org_with_letters_beyond_ascii_is_answered_in_ascii():
    body = decide(
        claims(scope="Org-Ü", aud="Org-Ü", resource_access={"Org-Ü": {"roles": ["editor"]}})
    ).body(NOW)

    assert body.isascii()
    assert json.loads(body)["X-Hasura-Org-Id"] == "Org-Ü"


def test_with_a_namespace_org_and_user_ids_are_prefixed():
    policy = policy_of(issuer_policy(namespace="eu"))

    for wish in ("", "eu/org1"):
        variables = answered(decide(policy=policy, org=wish))
        assert variables["X-Hasura-Org-Id"] == "eu/org1"
        assert variables["X-Hasura-User-Id"] == f"eu/{USER}"
    with denied(Code.ORG_NOT_GRANTED, issuer=ISSUER):
        decide(policy=policy, org="org1")


def test_the_user_id_comes_from_the_configured_claim():
    policy = policy_of(session=SessionPolicy(user_id=("ids", "crm.id")))

    variables = answered(decide(claims(ids={"crm.id": "c-1"}), policy=policy))

    assert variables["X-Hasura-User-Id"] == "c-1"


def test_claims_named_like_variables_change_nothing():
    plain = decide()
    hostile = decide(
        claims(
            {
                "https://hasura.io/jwt/claims": {"x-hasura-role": "admin"},
                "X-Hasura-Role": "admin",
                "X-Hasura-Org-Id": "org2",
                "roles": ["admin"],
                "groups": ["/org2"],
                "organization": {"org2": {}},
            }
        )
    )

    assert hostile.rendered == plain.rendered


def variable(claim=("x",), **settings):
    return Variable("X-Hasura-X", claim, **settings)


VARIABLES = [
    pytest.param(variable(("email",)), {}, "alice@example.com", "alice@example.com", id="a claim"),
    pytest.param(variable(("a", "b.c")), {"a": {"b.c": "d"}}, "d", "d", id="a path"),
    pytest.param(variable(), {"x": True}, "true", True, id="a bool"),
    pytest.param(variable(), {"x": False}, "false", False, id="false is there"),
    pytest.param(variable(), {"x": 0}, "0", 0, id="zero is there"),
    pytest.param(variable(), {"x": ""}, "", "", id="an empty string is there"),
    pytest.param(variable(), {"x": 1.5}, "1.5", 1.5, id="a number"),
    pytest.param(variable(), {"x": {"a": 1}}, '{"a":1}', {"a": 1}, id="an object"),
    pytest.param(variable(), {"x": ["a", "b,c"]}, '{a,"b,c"}', ["a", "b,c"], id="a list"),
    pytest.param(variable(), {"x": [None]}, '{"null"}', [None], id="null in a plain list"),
    pytest.param(variable(default="d"), {"x": "v"}, "v", "v", id="a default not needed"),
    pytest.param(variable(default="d"), {}, "d", "d", id="a default"),
    pytest.param(variable(default="d"), {"x": None}, "d", "d", id="a default for null"),
    pytest.param(variable(default=False), {}, "false", False, id="a default of false"),
    pytest.param(variable(is_list=True), {"x": ["a", "b"]}, "{a,b}", ["a", "b"], id="a list kept"),
    pytest.param(variable(is_list=True), {}, "{}", [], id="a list without a claim"),
    pytest.param(variable(is_list=True), {"x": None}, "{}", [], id="a list of a null claim"),
    pytest.param(variable(is_list=True), {"x": []}, "{}", [], id="an empty list"),
    pytest.param(
        variable(is_list=True), {"x": ["", 0, False]}, '{"",0,false}', ["", 0, False], id="no loss"
    ),
    pytest.param(
        variable(is_list=True), {"x": "a,b"}, '{"a,b"}', ["a,b"], id="a list of one value"
    ),
    pytest.param(
        variable(is_list=True),
        {"x": ["a", None, "null"]},
        '{a,"null"}',
        ["a", "null"],
        id="no null",
    ),
    pytest.param(variable(is_list=True, default=["d"]), {}, "{d}", ["d"], id="a list's default"),
    pytest.param(variable(None, value="v"), {"x": "w"}, "v", "v", id="a constant"),
    pytest.param(variable(None, value=["a"]), {}, "{a}", ["a"], id="a constant list"),
    pytest.param(variable(None, value=0), {}, "0", 0, id="a constant zero"),
]


@pytest.mark.parametrize(("configured", "changes", "text", "_native"), VARIABLES)
def test_a_configured_variable_is_answered_as_text(configured, changes, text, _native):
    policy = policy_of(session=SessionPolicy(variables=(configured,)))

    assert answered(decide(claims(changes), policy=policy))["X-Hasura-X"] == text


@pytest.mark.parametrize(("configured", "changes", "_text", "native"), VARIABLES)
def test_a_configured_variable_is_answered_as_json(configured, changes, _text, native):
    policy = policy_of(session=replace(AS_JSON, variables=(configured,)))

    assert answered(decide(claims(changes), policy=policy))["X-Hasura-X"] == native


@pytest.mark.parametrize(
    ("configured", "changes"),
    [
        pytest.param(variable(), {}, id="a missing claim"),
        pytest.param(variable(), {"x": None}, id="a null claim"),
        pytest.param(variable(("email", "x")), {}, id="a path into a string"),
        pytest.param(variable(None), {}, id="nothing configured"),
    ],
)
def test_a_variable_without_a_value_is_left_out(configured, changes):
    policy = policy_of(session=SessionPolicy(variables=(configured,)))

    assert "X-Hasura-X" not in answered(decide(claims(changes), policy=policy))


def test_several_variables_keep_their_order():
    both = (Variable("X-Hasura-B", ("name",)), Variable("X-Hasura-A", value=1))

    session = decide(policy=policy_of(session=SessionPolicy(variables=both)))

    assert list(session.variables)[-2:] == ["X-Hasura-B", "X-Hasura-A"]


def test_as_json_the_allowed_roles_are_a_list():
    variables = answered(decide(roles_of("viewer", "editor"), policy=policy_of(session=AS_JSON)))

    assert variables["X-Hasura-Allowed-Roles"] == ["editor", "viewer"]
    assert variables["X-Hasura-Role"] == "editor"


def test_as_text_every_value_of_an_answer_is_a_string():
    odd = (variable(), Variable("X-Hasura-Y", value=[1, {}]), Variable("X-Hasura-Z", value=True))
    policy = policy_of(session=SessionPolicy(variables=odd))

    variables = answered(decide(claims(x={"a": None}), policy=policy))

    assert all(isinstance(value, str) for value in variables.values())


@pytest.mark.parametrize(
    ("exp", "cap", "now", "max_age"),
    [
        pytest.param(NOW + 290, 300, NOW, 290, id="until exp"),
        pytest.param(NOW + 290, 60, NOW, 60, id="until the cap"),
        pytest.param(NOW + 290, 290, NOW, 290, id="exp and cap together"),
        pytest.param(NOW + 290, 300, NOW + 100, 190, id="later, without judging again"),
        pytest.param(NOW + 1.9, 300, NOW, 1, id="whole seconds, rounded down"),
        pytest.param(NOW + 0.5, 300, NOW, 1, id="never zero, which closes a WebSocket at once"),
        pytest.param(NOW, 300, NOW, 1, id="never zero at exp"),
        pytest.param(NOW - 29, 300, NOW, 1, id="never below zero within the leeway"),
        pytest.param(NOW + 290, 0, NOW, 1, id="never zero by the cap"),
        pytest.param(1e308, 300, NOW, 300, id="an exp at the end of all floats"),
        pytest.param(10**30, 300, NOW, 300, id="an exp beyond all calendars"),
        pytest.param(10**308, 300, NOW + 0.5, 300, id="a big integer and a fraction"),
    ],
)
def test_max_age_lies_between_one_second_and_the_cap(exp, cap, now, max_age):
    session = decide(claims(exp=exp), policy=policy_of(session=SessionPolicy(max_age=cap)))

    assert answered(session, now)["Cache-Control"] == f"max-age={max_age}"


def test_without_a_cap_cache_control_is_left_out():
    session = decide(policy=policy_of(session=SessionPolicy(max_age=None)))

    assert "Cache-Control" not in answered(session)
    assert answered(session)["X-Hasura-Org-Id"] == "org1"


# --- anonymous ---


PUBLIC = AnonymousPolicy("public", {"X-Hasura-Plans": ["free", "a,b"], "X-Hasura-Limit": 10})


def anonymous(*, org="", role="", policy=PUBLIC, session=SessionPolicy()):  # noqa: B008 - frozen
    return anonymous_session(Request(None, org, role), policy, session)


@pytest.mark.parametrize("role", ["", "public"])
def test_a_request_without_a_credential_gets_the_anonymous_role(role):
    session = anonymous(role=role)

    assert answered(session) == {
        "X-Hasura-Role": "public",
        "X-Hasura-Allowed-Roles": "{public}",
        "X-Hasura-Plans": '{free,"a,b"}',
        "X-Hasura-Limit": "10",
        "Cache-Control": "max-age=300",
    }


def test_an_anonymous_session_has_no_issuer_and_no_end():
    session = anonymous()

    assert session.issuer is None
    assert (session.valid_from, session.valid_until, session.expires_at) == (-inf, inf, inf)
    assert session.max_age == 300


def test_an_anonymous_session_as_json_without_a_cap():
    session = anonymous(session=SessionPolicy(values="json", max_age=None))

    assert answered(session) == {
        "X-Hasura-Role": "public",
        "X-Hasura-Allowed-Roles": ["public"],
        "X-Hasura-Plans": ["free", "a,b"],
        "X-Hasura-Limit": 10,
    }


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        pytest.param({"org": "org1"}, Code.ORG_NOT_GRANTED, id="an org"),
        pytest.param({"role": "editor"}, Code.ROLE_NOT_GRANTED, id="another role"),
        pytest.param({"role": "Public"}, Code.ROLE_NOT_GRANTED, id="the role in capitals"),
        pytest.param({"role": "admin"}, Code.ROLE_NOT_GRANTED, id="Hasura's superuser"),
        pytest.param({"org": "o", "role": "r"}, Code.ORG_NOT_GRANTED, id="an org and a role"),
    ],
)
def test_an_anonymous_request_has_nothing_to_choose_from(wish, code):
    with denied(code):
        anonymous(**wish)


@pytest.mark.parametrize("wish", [{}, {"org": "org1"}, {"role": "public"}])
def test_without_an_anonymous_role_there_must_be_a_credential(wish):
    with denied(Code.NO_CREDENTIALS):
        anonymous(policy=None, **wish)


def test_a_user_id_without_a_prefix_is_none_of_a_realm_that_has_one():
    other = issuer_policy(issuer="https://eu.example.com/realms/acme", namespace="eu")
    policy = policy_of(ISSUER_POLICY, other)

    assert answered(decide(claims(sub="eur/alice"), policy=policy))["X-Hasura-User-Id"]
    with denied(Code.MISSING_CLAIM, issuer=ISSUER):
        decide(claims(sub="eu/alice"), policy=policy)


def test_what_is_fresh_for_a_while_is_not_told_to_be_so_for_longer():
    session = decide()._replace(fresh_for=7.5)

    assert answered(session)["Cache-Control"] == "max-age=7"
    assert answered(session._replace(fresh_for=0.0))["Cache-Control"] == "max-age=1"


def test_only_so_many_sets_of_roles_are_remembered_as_they_are_written():
    for number in range(100):
        assert _remembered_roles((f"role {number}",), "text") == f'{{"role {number}"}}'

    assert _remembered_roles.cache_info().currsize == 64
