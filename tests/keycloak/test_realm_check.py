"""What of a realm's set-up is named: one good realm, one change in each row, the exact words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hasura_kc_auth.core.policy import IssuerPolicy, OrgPolicy
from hasura_kc_auth.keycloak.realm_check import faults
from hasura_kc_auth.keycloak.realm_facts import (
    ClientFacts,
    OrganizationFacts,
    OrgFacts,
    RealmFacts,
)

POLICY = IssuerPolicy(
    issuer="https://sso.example.test/realms/acme",
    clients=frozenset({"frontend"}),
    audiences=frozenset({"hasura", "reports"}),
)
CLIENT = ClientFacts(
    full_scope=False,
    default_scopes=frozenset({"basic", "roles", "hasura-audience"}),
    optional_scopes=frozenset({"acme", "globex", "phone"}),
    audiences=frozenset({"hasura"}),
)
ORG = OrgFacts(
    roles=frozenset({"editor", "viewer"}),
    mapped=frozenset({"editor", "viewer"}),
    in_token_scope=True,
)
# A composite within one org does no harm, nor one that leads to what is no org.
LEADS_TO = {"acme": frozenset({"acme", "account"}), "globex": frozenset({"globex"})}
ACROSS = {**LEADS_TO, "acme": frozenset({"globex", "acme", "account"})}
REALM = RealmFacts({"frontend": CLIENT}, {"acme": ORG, "globex": ORG}, LEADS_TO)


def told(realm=REALM, policy=POLICY, introspector=""):
    return list(faults(realm, policy, introspector))


def with_client(**changes):
    return replace(REALM, clients={"frontend": replace(CLIENT, **changes)})


def with_org(**changes):
    return replace(REALM, orgs={"acme": replace(ORG, **changes), "globex": ORG})


def test_a_good_realm_has_no_fault():
    assert told() == []


@pytest.mark.parametrize(
    ("realm", "expected"),
    [
        pytest.param(
            with_client(full_scope=True),
            "client frontend: Full scope allowed is on, so every token carries the roles of every "
            "org (Clients, its dedicated scope, Scope)",
            id="full scope allowed",
        ),
        pytest.param(
            with_client(default_scopes=CLIENT.default_scopes | {"globex"}),
            "client frontend: scope globex is assigned as default, and in every token",
            id="an org's scope as default",
        ),
        pytest.param(
            with_client(optional_scopes=frozenset({"acme"})),
            "client frontend: lacks the scope globex: asking for it is invalid_scope",
            id="an org's scope not assigned",
        ),
        pytest.param(
            with_client(audiences=frozenset({"another", ""})),
            "client frontend: no default scope adds one of `audiences` to aud: wrong_audience",
            id="no audience",
        ),
        pytest.param(
            with_client(default_scopes=CLIENT.default_scopes - {"roles"}),
            "client frontend: lacks the default scope `roles`: its tokens have no roles, no_org",
            id="no default scope roles",
        ),
        pytest.param(
            with_client(default_scopes=CLIENT.default_scopes - {"basic"}),
            "client frontend: lacks the default scope `basic`: its tokens have no sub, "
            "missing_claim",
            id="no default scope basic",
        ),
        pytest.param(
            with_client(lightweight=True),
            "client frontend: lightweight access tokens are on: `introspection` is needed",
            id="lightweight",
        ),
        pytest.param(
            with_client(algorithm="HS256"),
            "client frontend: access tokens are signed HS256, unsupported_algorithm: change it",
            id="a shared secret",
        ),
        pytest.param(
            with_client(algorithm="ES256"),
            "client frontend: access tokens are signed ES256, unsupported_algorithm: "
            "add it to `algorithms`",
            id="an algorithm that is not listed",
        ),
        pytest.param(
            with_org(mapped=frozenset({"viewer"})),
            "org acme: its scope does not map editor: who holds only that loses the org in silence "
            "(Client scopes, the scope, Scope)",
            id="a role that the scope does not map",
        ),
        pytest.param(
            with_org(mapped=frozenset()),
            "org acme: its scope does not map editor, viewer: who holds only that loses the org in "
            "silence (Client scopes, the scope, Scope)",
            id="no role mapped",
        ),
        pytest.param(
            with_org(in_token_scope=False),
            "org acme: its scope has `Include in token scope` off: no_org",
            id="include in token scope is off",
        ),
        pytest.param(
            replace(REALM, leads_to=ACROSS),
            "org acme: a composite role of it leads to roles of globex",
            id="a composite across orgs",
        ),
        pytest.param(
            replace(REALM, clients={}),
            "client frontend: is in `clients`, and not in the realm",
            id="no such client",
        ),
    ],
)
def test_one_change_is_one_sentence(realm, expected):
    assert told(realm) == [expected]


@pytest.mark.parametrize(
    "realm",
    [
        pytest.param(with_client(algorithm="RS256"), id="the algorithm that is listed"),
        pytest.param(with_client(audiences=frozenset({"reports"})), id="another audience of two"),
        pytest.param(with_org(mapped=ORG.mapped | {"gone"}), id="more is mapped than there is"),
        pytest.param(with_org(roles=frozenset(), mapped=frozenset()), id="an org without roles"),
        pytest.param(replace(REALM, orgs={}), id="no org yet"),
    ],
)
def test_what_does_no_harm_is_not_told(realm):
    assert told(realm) == []


def test_what_the_policy_does_not_ask_for_is_not_missed():
    assert told(with_client(audiences=frozenset()), replace(POLICY, audiences=frozenset())) == []
    listed = replace(POLICY, algorithms=frozenset({"ES256"}))
    assert told(with_client(algorithm="ES256"), listed) == []


def test_scopes_are_looked_for_by_their_configured_name():
    policy = replace(POLICY, org=OrgPolicy(scope="org:{org}"))
    scopes = frozenset({"org:acme", "globex"})

    assert told(with_client(optional_scopes=scopes), policy) == [
        "client frontend: lacks the scope org:globex: asking for it is invalid_scope"
    ]


def test_all_faults_come_at_once_in_a_steady_order():
    policy = replace(POLICY, clients=frozenset({"b", "a", "gone"}))
    bad = replace(CLIENT, full_scope=True, lightweight=True)
    orgs = {"globex": replace(ORG, in_token_scope=False), "acme": ORG}

    found = told(RealmFacts({"b": bad, "a": bad}, orgs), policy)

    assert [it.partition(":")[0] for it in found] == [
        *("client gone", "client a", "client b"),
        *("client a", "client b", "org globex"),
    ]


# --- introspection


def test_lightweight_tokens_fit_where_they_are_introspected():
    assert told(with_client(lightweight=True), introspector="hasura") == []


@pytest.mark.parametrize("lightweight", [True, False])
def test_who_introspects_must_be_in_the_audience(lightweight):
    [fault] = told(with_client(lightweight=lightweight), introspector="hook")

    assert fault == (
        "client frontend: no default scope adds hook, which introspects, to aud: from 26.6 on "
        "Keycloak answers it `active: false` for every such token, inactive_token"
    )


# --- the other carriers

CLAIM = replace(POLICY, org=OrgPolicy(source="claim", claim=("org",)))


@pytest.mark.parametrize(
    "realm",
    [
        with_client(default_scopes=CLIENT.default_scopes | {"globex"}),
        with_client(optional_scopes=frozenset()),
        with_org(mapped=frozenset()),
        with_org(in_token_scope=False),
    ],
)
def test_client_scopes_say_nothing_where_a_claim_carries_the_org(realm):
    assert told(realm, CLAIM) == []
    assert told(realm, ORGANIZATIONS) == []
    assert told(realm, native(client="", roles="client")) == []


BROAD = replace(with_client(full_scope=True), leads_to=ACROSS)


FULL_BY_CLAIM = (
    "client frontend: Full scope allowed is on, so every token carries the roles of every org, "
    "and the claim alone chooses among all of them, for whatever the user may write there "
    "(Clients, its dedicated scope, Scope: turn it off and assign the orgs' roles)"
)
ACROSS_BY_CLAIM = (
    "client acme: a composite role of it leads to roles of globex: who holds it can get in "
    "there too, once the claim names it"
)
FULL_BESIDE_ORGANIZATIONS = (
    "client frontend: Full scope allowed is on, so every token carries the roles of every org: "
    "they grant nothing here but the chosen one's, and every other API that gets the token "
    "sees them (Clients, its dedicated scope, Scope: turn it off and assign the orgs' roles)"
)
ACROSS_ORGANIZATIONS = (
    "client acme: a composite role of it leads to roles of globex: who holds it and is a "
    "member there has them there too"
)


def test_a_claim_chooses_among_all_that_full_scope_and_composites_bring():
    assert told(BROAD, CLAIM) == [FULL_BY_CLAIM, ACROSS_BY_CLAIM]


def test_beside_an_organization_they_show_more_than_they_should():
    expected = [FULL_BESIDE_ORGANIZATIONS, ACROSS_ORGANIZATIONS]
    assert told(BROAD, native(client="", roles="client")) == expected


@pytest.mark.parametrize("roles", ["nested", "groups"])
def test_what_is_in_an_entry_is_no_matter_of_scopes_and_composites(roles):
    assert told(BROAD, native(roles=roles)) == []


# --- the realm's default algorithm


@pytest.mark.parametrize(
    ("default", "cure"), [("HS256", "change it"), ("ES256", "add it to `algorithms`")]
)
def test_a_default_algorithm_that_is_not_listed_is_told_once(default, cure):
    policy = replace(POLICY, clients=frozenset({"a", "b", "c"}))
    own = replace(CLIENT, algorithm="RS256")
    realm = replace(REALM, clients={"a": CLIENT, "b": own, "c": CLIENT}, algorithm=default)

    [fault] = told(realm, policy)

    assert fault == (
        f"the realm's default signature algorithm is {default} (Realm settings, Tokens), and a, c "
        f"sign access tokens by it, unsupported_algorithm: {cure}"
    )


def test_a_default_algorithm_that_is_listed_or_used_by_nobody_is_fine():
    assert told(replace(REALM, algorithm="RS256")) == []
    assert told(replace(with_client(algorithm="RS256"), algorithm="HS256")) == []


# --- the other carriers, further


def test_a_claim_still_needs_roles_and_audience():
    bad = with_client(default_scopes=frozenset(), audiences=frozenset())

    found = told(bad, CLAIM)

    assert len(found) == 3
    assert "`roles`" in found[0]
    assert "`basic`" in found[1]
    assert "`audiences`" in found[2]


def native(**changes):
    org = OrgPolicy(**{"source": "organization", "client": "hasura", **changes})
    return replace(POLICY, org=org)


ORGANIZATIONS = native()
MAPPER = {"claim.name": "organization", "access.token.claim": "true"}
GROUPS = {**MAPPER, "addGroupRoleMappings": "true"}
NATIVE = OrganizationFacts(enabled=True, membership=MAPPER, groups=GROUPS)
# Neither the scope `roles` nor any org's: nested roles come from the groups' mapper.
NATIVE_CLIENT = replace(
    CLIENT, default_scopes=frozenset({"basic"}), optional_scopes=frozenset({"organization"})
)


def organizations(client=NATIVE_CLIENT, **changes):
    return RealmFacts({"frontend": client}, organizations=replace(NATIVE, **changes))


def test_a_good_realm_with_organizations_has_no_fault():
    assert told(organizations(), ORGANIZATIONS) == []


@pytest.mark.parametrize(
    ("realm", "policy", "expected"),
    [
        pytest.param(
            organizations(enabled=False),
            ORGANIZATIONS,
            "the realm has Organizations off (Realm settings, General): no_org",
            id="organizations are off",
        ),
        pytest.param(
            organizations(
                replace(NATIVE_CLIENT, default_scopes=frozenset({"basic", "organization"}))
            ),
            ORGANIZATIONS,
            "client frontend: scope organization is assigned as default: who is in several "
            "organizations is not asked for one, and gets none, no_org",
            id="the scope as default",
        ),
        pytest.param(
            organizations(replace(NATIVE_CLIENT, optional_scopes=frozenset())),
            ORGANIZATIONS,
            "client frontend: lacks the optional scope organization: no_org",
            id="the scope not assigned",
        ),
        pytest.param(
            organizations(replace(NATIVE_CLIENT, audiences=frozenset())),
            ORGANIZATIONS,
            "client frontend: no default scope adds one of `audiences` to aud: wrong_audience",
            id="no audience",
        ),
        pytest.param(
            organizations(membership=None),
            ORGANIZATIONS,
            "scope organization: lacks the mapper Organization Membership for access tokens: "
            "no_org",
            id="no membership mapper",
        ),
        pytest.param(
            organizations(membership={**MAPPER, "claim.name": "org"}),
            ORGANIZATIONS,
            "scope organization: its mapper writes the claim org, and not organization: no_org",
            id="another claim",
        ),
        pytest.param(
            organizations(),
            native(id_from="id"),
            "scope organization: `org.id` is id, its mapper has addOrganizationId off: no_org",
            id="no ids",
        ),
        pytest.param(
            organizations(membership={**MAPPER, "addOrganizationId": "true"}),
            native(id_from="attribute:tenant"),
            "scope organization: `org.id` is attribute:tenant, its mapper has "
            "addOrganizationAttributes off: no_org",
            id="no attributes",
        ),
        pytest.param(
            organizations(groups=None),
            ORGANIZATIONS,
            "scope organization: lacks the mapper Organization Group Membership for access tokens "
            "(26.6 and newer): no roles, no_org",
            id="no group mapper",
        ),
        pytest.param(
            organizations(groups=MAPPER),
            ORGANIZATIONS,
            "scope organization: its group mapper has addGroupRoleMappings off: no roles, no_org",
            id="no roles in groups",
        ),
        pytest.param(
            organizations(groups=None),
            native(roles="groups"),
            "scope organization: lacks the mapper Organization Group Membership for access tokens "
            "(26.6 and newer): no roles, no_org",
            id="no group mapper for group paths",
        ),
        pytest.param(
            organizations(groups=None),
            native(roles="client"),
            "client frontend: lacks the default scope `roles`: its tokens have no roles, no_org",
            id="no roles scope for roles of a client",
        ),
    ],
)
def test_one_change_to_organizations_is_one_sentence(realm, policy, expected):
    assert told(realm, policy) == [expected]


def test_an_attribute_that_passes_for_groups_is_told():
    attributes = {**MAPPER, "addOrganizationAttributes": "true"}
    by_groups = native(roles="groups")

    _, passes = told(organizations(membership=attributes, groups=None), by_groups)

    assert passes == (
        "scope organization: writes organizations' attributes and not their groups: an attribute "
        "named groups passes for them"
    )
    assert told(organizations(membership=attributes), by_groups) == []
    assert len(told(organizations(membership=None, groups=None), by_groups)) == 2
    assert len(told(organizations(membership=attributes, groups=None), ORGANIZATIONS)) == 1


@pytest.mark.parametrize(
    ("realm", "policy"),
    [
        (organizations(enabled=None), ORGANIZATIONS),  # not told: nothing to say
        (organizations(groups=MAPPER), native(roles="groups")),
        (organizations(membership={**MAPPER, "addOrganizationId": "true"}), native(id_from="id")),
        (
            organizations(membership={**MAPPER, "addOrganizationAttributes": "true"}),
            native(id_from="attribute:tenant"),
        ),
        (
            organizations(
                replace(NATIVE_CLIENT, default_scopes=frozenset({"basic", "roles"})), groups=None
            ),
            native(roles="client"),
        ),
    ],
)
def test_what_the_other_settings_need_is_enough(realm, policy):
    assert told(realm, policy) == []
