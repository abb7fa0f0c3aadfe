"""The carrier `organization`: Keycloak's native Organizations, as 26.4 and 26.7 write them."""

from __future__ import annotations

import pytest

from hasura_kc_auth.core.errors import Code
from hasura_kc_auth.core.grants import Grant, Grants
from hasura_kc_auth.core.orgs import granted_orgs
from hasura_kc_auth.core.rules import CLAIM_RULES, walk
from hasura_kc_auth.core.token import VerifiedClaims
from tests.core.deciding import answered, case_of, decide
from tests.made_tokens import ABSENT, ISSUER, claims, denied, issuer_policy, policy_of

NATIVE = {"source": "organization", "client": "hasura"}
UUID = "0f8a1c3e-4b5d-4c6e-9f70-1a2b3c4d5e6f"


def entry(*roles, **more):
    """Return an entry as the group mapper writes it with role mappings."""
    return {"groups": ["/staff"], "resource_access": {"hasura": {"roles": list(roles)}}, **more}


GOOD = {
    "aud": "hasura",
    "scope": "openid profile organization:acme email",
    "resource_access": ABSENT,
    "organization": {"acme": entry("editor")},
}
"""Changes that make the good token one of the recommended native set-up."""


def policy(**org):
    return issuer_policy(org={**NATIVE, **org}, audiences=frozenset({"hasura"}))


def grants_of(changes, **org) -> Grants:
    return granted_orgs(VerifiedClaims(claims({**GOOD, **changes})), policy(**org))


def code_of(changes, *, org="", **settings):
    """Return the code of the first rule that does not hold, None for none."""
    payload = claims({**GOOD, **changes})
    case = case_of(payload, org=org, policy=policy_of(policy(**settings)))
    broken = next(walk(CLAIM_RULES, case), None)
    return broken and broken.code


ACME = Grants((Grant("acme", ("editor",)),))
NOTHING = Grants()


def test_the_good_token_is_answered_with_its_org_and_the_roles_of_its_entry():
    variables = answered(decide(claims(GOOD), policy=policy_of(policy())))

    assert variables["X-Hasura-Org-Id"] == "acme"
    assert variables["X-Hasura-Role"] == "editor"
    assert variables["X-Hasura-Allowed-Roles"] == "{editor}"


# --- the claim's forms


@pytest.mark.parametrize(
    ("claim", "orgs"),
    [
        pytest.param(["acme"], ("acme",), id="a list of one"),
        pytest.param(["acme", "acme"], ("acme",), id="a list that says it twice"),
        pytest.param("acme", ("acme",), id="a plain string"),
        pytest.param({"acme": {}}, ("acme",), id="a map with an empty entry"),
        pytest.param({"acme": {"id": UUID}}, ("acme",), id="a map with ids"),
        pytest.param({"acme": {"plan": ["gold"]}}, ("acme",), id="a map with attributes"),
        pytest.param({"acme": {"id": UUID, "plan": ["a", "b"]}}, ("acme",), id="both"),
        pytest.param({"acme": {"groups": []}}, ("acme",), id="a member of no group"),
        pytest.param({"acme": entry("editor")}, ("acme",), id="groups and roles"),
        pytest.param({}, (), id="an empty map"),
        pytest.param([], (), id="an empty list"),
        pytest.param("", (), id="an empty string"),
        pytest.param(ABSENT, (), id="no claim: dropped in silence"),
        pytest.param(None, (), id="null"),
        pytest.param(7, (), id="a number"),
        pytest.param(True, (), id="a bool"),
        pytest.param(["acme", 7], (), id="a number in the list"),
        pytest.param(["acme", ""], (), id="an empty alias in the list"),
        pytest.param([["acme"]], (), id="a list in the list"),
        pytest.param([{"acme": {}}], (), id="a map in the list"),
    ],
)
def test_the_claim_may_have_any_of_its_forms(claim, orgs):
    granted = grants_of({"organization": claim})

    assert tuple(grant.id for grant in granted.orgs) == orgs
    assert code_of({"organization": claim}) in ((None, Code.NO_ROLE) if orgs else (Code.NO_ORG,))


@pytest.mark.parametrize("odd", [None, 7, "x", ["x"], True])
def test_an_entry_that_is_no_object_is_a_membership_without_roles(odd):
    assert grants_of({"organization": {"acme": odd}}) == Grants((Grant("acme", ()),))
    assert code_of({"organization": {"acme": odd}}) is Code.NO_ROLE


# --- scope and claim


TWO = {"acme": entry("editor"), "beta": entry("viewer")}


@pytest.mark.parametrize(
    ("scope", "claim", "granted"),
    [
        pytest.param("organization:acme", {"acme": entry("editor")}, ACME, id="named, and there"),
        pytest.param("organization", {"acme": entry("editor")}, ACME, id="bare, one entry"),
        pytest.param("organization:*", {"acme": entry("editor")}, ACME, id="all, one entry"),
        pytest.param(
            "organization organization", {"acme": entry("editor")}, ACME, id="bare, twice"
        ),
        pytest.param(
            "organization organization:acme",
            {"acme": entry("editor")},
            ACME,
            id="the default scope beside a named one",
        ),
        pytest.param("", {"acme": entry("editor")}, NOTHING, id="no scope at all"),
        pytest.param("organizations", {"acme": entry("editor")}, NOTHING, id="a longer word"),
        pytest.param("xorganization:acme", {"acme": entry("editor")}, NOTHING, id="inside a word"),
        pytest.param("acme", {"acme": entry("editor")}, NOTHING, id="the alias alone as scope"),
        pytest.param("organization:", {"acme": entry("editor")}, NOTHING, id="no alias"),
        pytest.param("organization:", {"": entry("editor")}, NOTHING, id="an empty alias"),
        pytest.param(
            "organization:beta", {"acme": entry("editor")}, NOTHING, id="another org is named"
        ),
        pytest.param("organization:acme", TWO, NOTHING, id="a second entry under one alias"),
        pytest.param(
            "organization:acme",
            {"acme": {}, "beta": entry("viewer")},
            NOTHING,
            id="a second entry with the other tab's roles",
        ),
        pytest.param(
            "organization:acme organization:beta",
            {"acme": entry("editor")},
            NOTHING,
            id="two are named, one is there",
        ),
        pytest.param(
            "organization organization:acme", TWO, NOTHING, id="named beside bare, a second entry"
        ),
        pytest.param(
            "organization organization:beta",
            {"acme": entry("editor")},
            NOTHING,
            id="another is named beside bare",
        ),
        pytest.param(
            "organization:* organization:beta",
            {"acme": entry("editor")},
            NOTHING,
            id="another is named beside all",
        ),
        pytest.param("organization:ACME", {"acme": entry("editor")}, NOTHING, id="capitals"),
        pytest.param(
            "organization:acme", {"ACME": entry("editor")}, NOTHING, id="an alias in caps"
        ),
        pytest.param("Organization:acme", {"acme": entry("editor")}, NOTHING, id="a scope in caps"),
        pytest.param(
            "organization:acme", {"acme ": entry("editor")}, NOTHING, id="a blank behind the alias"
        ),
        pytest.param(
            "organization:acme organization:beta",
            TWO,
            Grants((Grant("acme", ("editor",)), Grant("beta", ("viewer",)))),
            id="two are named, and there",
        ),
    ],
)
def test_the_scope_must_name_what_the_claim_holds(scope, claim, granted):
    changes = {"scope": f"openid {scope} email", "organization": claim}

    assert grants_of(changes) == granted


@pytest.mark.parametrize("scope", [None, ABSENT, ["organization:acme"], {"organization:acme": 1}])
def test_a_scope_of_another_type_names_nothing(scope):
    assert grants_of({"scope": scope}) == NOTHING


@pytest.mark.parametrize("scope", ["organization", "organization:*", "organization organization:*"])
@pytest.mark.parametrize("wish", ["", "acme", "beta"])
def test_where_no_org_is_named_several_entries_leave_nothing_to_choose(scope, wish):
    changes = {"scope": f"openid {scope}", "organization": TWO}

    assert not grants_of(changes).selectable
    assert code_of(changes, org=wish) is Code.AMBIGUOUS_ORG


@pytest.mark.parametrize("scope", ["organization", "organization:*"])
def test_cutting_an_org_off_makes_no_choice_for_the_user(scope):
    changes = {"scope": f"openid {scope}", "organization": TWO}

    for lists in ({"deny": ("beta",)}, {"only": ("acme",)}):
        assert grants_of(changes, **lists).orgs == ACME.orgs
        assert code_of(changes, **lists) is Code.AMBIGUOUS_ORG
        assert code_of(changes, org="acme", **lists) is Code.AMBIGUOUS_ORG


def test_a_plain_string_for_all_orgs_is_an_arbitrary_one_of_them():
    """With "Multivalued" off Keycloak writes one alias, whatever the number of the user's orgs."""
    for scope in ("organization:*", "organization organization:*"):
        assert (
            code_of({"scope": scope, "organization": "acme"}, roles="groups") is Code.AMBIGUOUS_ORG
        )
    for scope in ("organization", "organization:acme"):
        assert grants_of({"scope": scope, "organization": "acme"}).selectable
    assert grants_of({"scope": "organization:*", "organization": ["acme"]}).selectable


@pytest.mark.parametrize(("wish", "role"), [("acme", "editor"), ("beta", "viewer")])
def test_among_orgs_that_are_named_and_there_the_request_decides(wish, role):
    two = claims({**GOOD, "scope": "organization:acme organization:beta", "organization": TWO})

    variables = answered(decide(two, org=wish, policy=policy_of(policy())))

    assert variables["X-Hasura-Org-Id"] == wish
    assert variables["X-Hasura-Allowed-Roles"] == f"{{{role}}}"
    with denied(Code.AMBIGUOUS_ORG, issuer=ISSUER):
        decide(two, policy=policy_of(policy()))
    with denied(Code.ORG_NOT_GRANTED, issuer=ISSUER):
        decide(two, org="gamma", policy=policy_of(policy()))


def test_two_aliases_that_differ_in_case_are_two_orgs():
    both = {"acme": entry("viewer"), "ACME": entry("admin")}
    named = {"scope": "organization:acme organization:ACME", "organization": both}

    assert grants_of(named).orgs == (Grant("acme", ("viewer",)), Grant("ACME", ("admin",)))
    assert grants_of({**named, "scope": "organization:acme"}) == NOTHING
    assert code_of(named, org="Acme") is Code.ORG_NOT_GRANTED


@pytest.mark.parametrize(
    "alias",
    [
        pytest.param("__proto__", id="what trips JavaScript"),
        pytest.param("constructor", id="what trips it as well"),
        pytest.param("Ünï", id="letters beyond ASCII"),
        pytest.param("a.b", id="a dot is no path"),
        pytest.param("null", id="null"),
        pytest.param("a" * 255, id="255 characters"),
        pytest.param("account", id="the name of a client of Keycloak's"),
        pytest.param("frontend", id="the name of a frontend"),
    ],
)
def test_an_alias_may_be_anything_that_keycloak_takes(alias):
    changes = {"scope": f"openid organization:{alias}", "organization": {alias: entry("editor")}}

    assert grants_of(changes) == Grants((Grant(alias, ("editor",)),))


@pytest.mark.parametrize(
    "alias",
    [
        pytest.param("a" * 256, id="256 characters"),
        pytest.param("a\u202eb", id="a change of direction"),
        pytest.param("a\nb", id="a line end"),
    ],
)
def test_an_alias_that_is_no_id_is_not_granted(alias):
    changes = {"scope": f"openid organization:{alias}", "organization": {alias: entry("editor")}}

    assert code_of(changes) is Code.NO_ORG


@pytest.mark.parametrize("lists", [{"deny": ("ac*",)}, {"only": ("beta",)}, {"only": ("Acme",)}])
def test_an_org_cut_off_by_the_operator_is_not_granted(lists):
    assert code_of({}, **lists) is Code.NO_ORG


def test_the_operators_lists_are_about_aliases_whatever_the_id_is():
    changes = {"organization": {"acme": entry("editor", id="beta", tenant=["gamma"])}}

    for id_from in ("id", "attribute:tenant"):
        assert grants_of(changes, id_from=id_from, only=("acme",)).orgs
        assert not grants_of(changes, id_from=id_from, only=("beta", "gamma")).orgs
        assert not grants_of(changes, id_from=id_from, deny=("acme",)).orgs


# --- its roles


EVERYWHERE = {
    "aud": ["hasura", "acme", "account"],
    "scope": "openid organization:acme",
    "realm_access": {"roles": ["top realm"]},
    "resource_access": {
        "hasura": {"roles": ["top hasura"]},
        "acme": {"roles": ["top acme"]},
        "beta": {"roles": ["top beta"]},
    },
    "groups": ["/top/group"],
    "organization": {
        "acme": {
            "id": UUID,
            "groups": ["/group", "/group/child"],
            "realm_access": {"roles": ["realm"]},
            "resource_access": {"hasura": {"roles": ["client"]}, "acme": {"roles": ["own"]}},
            "plan": ["gold"],
        }
    },
}
"""A token with a role of its own name in every place where one could be looked for."""


@pytest.mark.parametrize(
    ("org", "roles"),
    [
        pytest.param({}, ("client",), id="nested: those of the client"),
        pytest.param({"realm_roles": True}, ("client", "realm"), id="nested: the realm's as well"),
        pytest.param(
            {"client": "", "realm_roles": True}, ("realm",), id="nested: the realm's only"
        ),
        pytest.param({"client": "acme"}, ("own",), id="nested: of another client"),
        pytest.param({"client": "beta"}, (), id="nested: of a client that is not there"),
        pytest.param({"client": "Hasura"}, (), id="nested: of the client in capitals"),
        pytest.param({"roles": "groups"}, ("/group", "/group/child"), id="groups"),
        pytest.param({"roles": "client"}, ("top acme",), id="client: named like the alias"),
    ],
)
def test_roles_are_read_from_their_one_place(org, roles):
    assert grants_of(EVERYWHERE, **org).orgs == (Grant("acme", roles),)


@pytest.mark.parametrize(
    "org", [{}, {"realm_roles": True}, {"roles": "groups"}], ids=["nested", "realm", "groups"]
)
@pytest.mark.parametrize(
    "bare", [["acme"], "acme", {"acme": {}}, {"acme": {"groups": []}}], ids=repr
)
def test_the_roles_at_the_top_level_are_those_of_all_orgs_and_none_is_read(org, bare):
    changes = {
        **EVERYWHERE,
        "organization": bare,
        "realm_access": {"roles": ["editor"]},
        "resource_access": {name: {"roles": ["editor"]} for name in ("hasura", "acme", "")},
    }

    assert grants_of(changes, **org).orgs == (Grant("acme", ()),)
    assert code_of(changes, **org) is Code.NO_ROLE


@pytest.mark.parametrize(
    "nested",
    [
        pytest.param({"resource_access": ["editor"]}, id="an attribute named resource_access"),
        pytest.param({"resource_access": ["hasura"]}, id="that attribute names the client"),
        pytest.param({"resource_access": None}, id="null"),
        pytest.param({"resource_access": {"hasura": ["editor"]}}, id="a list for the client"),
        pytest.param({"resource_access": {"hasura": None}}, id="null for the client"),
        pytest.param({"resource_access": {"hasura": {"roles": "editor"}}}, id="a string of roles"),
        pytest.param({"resource_access": {"hasura": {"roles": {"editor": 1}}}}, id="an object"),
        pytest.param({"resource_access": {"hasura": {"roles": ["editor", 1]}}}, id="a number"),
        pytest.param({"resource_access": {"hasura": {"roles": ["editor", ""]}}}, id="an empty one"),
        pytest.param({"realm_access": ["editor"]}, id="an attribute named realm_access"),
        pytest.param({"realm_access": {"roles": "editor"}}, id="a string of realm roles"),
        pytest.param({"roles": ["editor"]}, id="an attribute named roles"),
        pytest.param({"hasura": {"roles": ["editor"]}}, id="the client one level too high"),
    ],
)
def test_only_objects_hold_nested_roles(nested):
    changes = {"organization": {"acme": nested}}

    assert grants_of(changes, realm_roles=True).orgs == (Grant("acme", ()),)
    assert code_of(changes, realm_roles=True) is Code.NO_ROLE


@pytest.mark.parametrize(
    "groups",
    [
        None,
        "/editors",
        {"/editors": 1},
        ["/editors", 1],
        [["/x"]],
        ["editor"],
        ["/editors", "editor"],
    ],
)
def test_only_a_list_of_paths_holds_groups(groups):
    changes = {"organization": {"acme": {"groups": groups}}}

    assert grants_of(changes, roles="groups").orgs == (Grant("acme", ()),)


@pytest.mark.parametrize(
    ("changes", "roles"),
    [
        pytest.param({}, ("top acme",), id="the good one"),
        pytest.param({"aud": "hasura"}, (), id="the client is not in aud"),
        pytest.param({"aud": ABSENT}, (), id="no aud"),
        pytest.param({"resource_access": ABSENT}, (), id="no resource_access"),
        pytest.param({"resource_access": {"ACME": {"roles": ["x"]}}}, (), id="capitals"),
        pytest.param({"resource_access": ["acme"]}, (), id="a list"),
    ],
)
def test_roles_by_client_are_those_of_a_client_named_like_the_org(changes, roles):
    assert grants_of({**EVERYWHERE, **changes}, roles="client").orgs == (Grant("acme", roles),)


@pytest.mark.parametrize("alias", ["account", "realm-management", "frontend", "organization"])
def test_an_alias_gives_no_roles_of_a_client_that_is_never_an_orgs(alias):
    changes = {
        "aud": ["hasura", alias],
        "scope": f"openid organization:{alias}",
        "organization": [alias],
        "resource_access": {alias: {"roles": ["editor"]}},
    }

    assert grants_of(changes, roles="client").orgs == (Grant(alias, ()),)
    assert code_of(changes, roles="client") is Code.NO_ROLE


def test_roles_by_client_never_come_from_another_org_that_is_there():
    changes = {
        "aud": ["hasura", "acme", "beta"],
        "organization": ["acme"],
        "resource_access": {"acme": {"roles": ["viewer"]}, "beta": {"roles": ["editor"]}},
    }

    assert grants_of(changes, roles="client").orgs == (Grant("acme", ("viewer",)),)


# --- its id


def with_entry(**more):
    return {"organization": {"acme": entry("editor", **more)}}


@pytest.mark.parametrize(
    ("id_from", "more", "org"),
    [
        pytest.param("alias", {"id": UUID, "tenant": ["7"]}, "acme", id="the alias"),
        pytest.param("id", {"id": UUID}, UUID, id="the id"),
        pytest.param("id", {}, None, id="no id"),
        pytest.param("id", {"id": None}, None, id="a null id"),
        pytest.param("id", {"id": [UUID]}, None, id="an attribute named id"),
        pytest.param("id", {"id": 7}, None, id="a number as id"),
        pytest.param("id", {"id": ""}, None, id="an empty id"),
        pytest.param("attribute:tenant", {"tenant": ["7"]}, "7", id="an attribute of one value"),
        pytest.param("attribute:tenant", {"tenant": []}, None, id="an attribute of no value"),
        pytest.param("attribute:tenant", {"tenant": ["7", "8"]}, None, id="an attribute of two"),
        pytest.param("attribute:tenant", {}, None, id="no attribute"),
        pytest.param("attribute:tenant", {"tenant": "7"}, None, id="a string is no attribute"),
        pytest.param("attribute:tenant", {"tenant": [7]}, None, id="a number in it"),
        pytest.param("attribute:tenant", {"tenant": [""]}, None, id="an empty value"),
        pytest.param("attribute:tenant", {"tenant": ["a" * 256]}, None, id="a value too long"),
        pytest.param("attribute:tenant", {"Tenant": ["7"]}, None, id="the attribute in capitals"),
        pytest.param("attribute:a:b", {"a:b": ["7"]}, "7", id="a colon in its name"),
        pytest.param("attribute:id", {"id": UUID}, None, id="the id is no attribute"),
    ],
)
def test_the_id_is_the_alias_the_id_or_an_attribute(id_from, more, org):
    granted = grants_of(with_entry(**more), id_from=id_from)

    assert granted == Grants(() if org is None else (Grant(org, ("editor",)),))
    assert code_of(with_entry(**more), id_from=id_from) is (Code.NO_ORG if org is None else None)


def test_a_request_names_the_org_by_the_id_that_hasura_sees():
    changes = with_entry(id=UUID)

    assert code_of(changes, org=UUID, id_from="id") is None
    assert code_of(changes, org="acme", id_from="id") is Code.ORG_NOT_GRANTED


def test_two_orgs_that_show_one_id_are_ambiguous_even_where_it_is_named():
    same = {"acme": entry("viewer", tenant=["7"]), "beta": entry("admin", tenant=["7"])}
    changes = {"scope": "organization:acme organization:beta", "organization": same}

    for wish in ("", "7"):
        assert code_of(changes, org=wish, id_from="attribute:tenant") is Code.AMBIGUOUS_ORG


@pytest.mark.parametrize("audience", ["acme", ABSENT, ["account"]])
def test_organizations_add_no_audience_so_the_configured_one_has_to_be_there(audience):
    assert code_of({"aud": audience}) is Code.WRONG_AUDIENCE
