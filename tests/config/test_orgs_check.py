"""Files of orgs that contradict themselves, or ask for what Keycloak or the service won't have."""

from __future__ import annotations

from typing import Any

import pytest

from hasura_kc_auth.config.policy import policy_of
from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.core.policy import KEYCLOAK_CLIENTS, STANDARD_SCOPES
from tests.config.orgs_at_hand import NATIVE_ORGS, NATIVE_SETTINGS, ORGS, SETTINGS, read, refused
from tests.config.settings_at_hand import ABSENT, changed, loaded

BOTH = pytest.mark.parametrize("base", [ORGS, NATIVE_ORGS], ids=["client-scope", "organization"])


def with_roles(roles: Any, **orgs: Any) -> dict[str, Any]:
    return {**ORGS, "template": {"roles": roles}, "orgs": orgs}


def settings_with_audience(base: Any, audience: str) -> Settings:
    settings = NATIVE_SETTINGS if base is NATIVE_ORGS else SETTINGS
    return loaded(changed({"issuers.0.audiences": [audience]}, settings))


# --- the carrier's own keys


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"client": "hasura"},
            ["client: says nothing where `carrier` is client-scope; scope does"],
        ),
        (
            {"carrier": "organization", "client": "hasura", "scope": "{org}"},
            ["scope: says nothing where `carrier` is organization; client does"],
        ),
        (
            {"carrier": "organization"},
            ["client: is required where `carrier` is organization: whose roles the groups hold"],
        ),
    ],
)
def test_each_carrier_has_its_own_key(changes, said):
    assert refused(changed(changes, ORGS)) == said


@pytest.mark.parametrize(
    ("client", "said"),
    [
        ("account", "client: account is one of Keycloak's own clients"),
        ("frontend", "client: frontend is a frontend; roles need a client of their own"),
    ],
)
def test_roles_need_a_client_of_their_own(client, said):
    native = {"from": "organization", "client": client}
    settings = loaded(changed({"issuers.0.org": native}, SETTINGS))

    assert refused(changed({"client": client}, NATIVE_ORGS), settings) == [said]


@pytest.mark.parametrize("audience", ["my api", "a\tb", "x" * 247])
@BOTH
def test_a_scope_can_be_named_after_the_audience(base, audience):
    settings = settings_with_audience(base, audience)

    assert refused(changed({"audience": audience}, base), settings) == [
        "audience: must be short and without blanks: a client scope is named after it"
    ]


def test_a_frontend_is_there_once():
    assert refused(changed({"frontends": [*ORGS["frontends"] * 3]}, ORGS)) == [
        "frontends: frontend is there twice"
    ]


# --- names

_RETIRED = "the name is in `retired`: whoever used it again would inherit the old org's rows"


@BOTH
@pytest.mark.parametrize(
    ("name", "what"),
    [
        *((name, "one of Keycloak's own clients") for name in sorted(KEYCLOAK_CLIENTS)),
        *((name, "one of the standard scopes") for name in sorted(STANDARD_SCOPES)),
        ("frontend", "a frontend"),
        ("my-orgs", "the scope by which a frontend lists its user's orgs"),
        ("hasura-audience", "the scope of the audience"),
        ("hasura", "the audience, which is in the `aud` of every token"),
    ],
)
def test_an_org_is_not_named_like_something_else(base, name, what):
    problems = refused(changed({"orgs": {name: None, "acme": {}}}, base))

    assert problems == [f"orgs.{name}: {name} is {what}, and never an org"]


@pytest.mark.parametrize(
    ("pattern", "org", "scope"),
    [
        ("my-{org}", "orgs", "my-orgs"),
        ("{org}-audience", "hasura", "hasura-audience"),
        ("pro{org}", "file", "profile"),
        ("{org}_access", "offline", "offline_access"),
    ],
)
def test_nor_is_its_scope(pattern, org, scope):
    settings = loaded(changed({"issuers.0.org": {"scope": pattern}}, SETTINGS))

    problems = refused(changed({"scope": pattern, "orgs": {org: {}}}, ORGS), settings)

    assert any(it.startswith(f"orgs.{org}: {scope} is ") for it in problems)


@BOTH
@pytest.mark.parametrize("name", ["", "x" * 256, "a\tb", "a\u200bb", "a\u00a0b"])
def test_a_name_must_be_one_that_an_org_can_have(base, name):
    assert refused(changed({"orgs": {name: {}}}, base)) == [
        f"orgs.{name}: the name must be 1 to 255 printable characters, and so must its scope's"
    ]


def test_a_scopes_name_is_not_too_long_either():
    settings = loaded(changed({"issuers.0.org": {"scope": "o:{org}"}}, SETTINGS))
    orgs = changed({"scope": "o:{org}", "orgs": {"x" * 253: {}, "y" * 254: {}}}, ORGS)

    [problem] = refused(orgs, settings)

    assert problem.startswith("orgs.yyy")
    assert [*read(changed({"orgs": {"x" * 255: {}}}, ORGS)).wanted.orgs] == ["x" * 255]


@BOTH
def test_a_name_holds_no_blanks(base):
    assert refused(changed({"orgs": {"a b": {}}}, base)) == [
        "orgs.a b: the name must hold no blanks: it is part of a scope's name, and those have none"
    ]


@pytest.mark.parametrize("name", ["a*", "a:b", "a,b", "a/b"])
def test_an_alias_holds_no_character_that_keycloak_refuses(name):
    assert refused(changed({"orgs": {name: {}}}, NATIVE_ORGS)) == [
        f"orgs.{name}: the name must hold none of * : , / where `carrier` is organization"
    ]
    assert [*read(changed({"orgs": {name: {}}}, ORGS)).wanted.orgs] == [name]


@BOTH
def test_names_that_only_look_odd_are_fine(base):
    names = ["Ünï", "a.b", "ACME", "acme", "null", "__proto__", "no", "acme-frontend", "<<", "="]

    file = read(changed({"orgs": dict.fromkeys(names)}, base))

    assert [*file.wanted.orgs] == names
    policy = policy_of(loaded(SETTINGS)).issuers[file.issuer.issuer]
    assert all(map(policy.can_be_org, names))


@BOTH
def test_a_retired_name_is_not_used_again(base):
    assert refused(changed({"retired": ["oldco"], "orgs": {"oldco": {}, "acme": {}}}, base)) == [
        f"orgs.oldco: {_RETIRED}"
    ]


@BOTH
def test_a_display_name_is_not_blank(base):
    assert refused(changed({"orgs.acme": {"display_name": " \t"}}, base)) == [
        "orgs.acme.display_name: must not be blank"
    ]


def test_organizations_have_display_names_of_their_own():
    orgs = {"acme": {"display_name": "globex"}, "globex": {}, "umbrella": {}}

    assert refused(changed({"orgs": orgs}, NATIVE_ORGS)) == [
        "orgs.globex.display_name: is that of the org acme as well"
    ]
    assert len(read(changed({"orgs": orgs}, ORGS)).wanted.orgs) == 3


# --- roles

_ITSELF = "contains itself, at once or by way of a role that it contains"


@pytest.mark.parametrize(
    ("roles", "said"),
    [
        ({"editor": ["editor"]}, [f"editor: {_ITSELF}"]),
        (
            {"editor": ["viewer"], "viewer": ["editor"], "org_admin": ["editor"]},
            [f"editor: {_ITSELF}", f"viewer: {_ITSELF}"],
        ),
        (
            {"editor": ["viewer"], "viewer": ["org_admin"], "org_admin": ["editor"]},
            [f"{role}: {_ITSELF}" for role in ("editor", "org_admin", "viewer")],
        ),
        (
            {"editor": ["reader", "auditor"]},
            [
                "editor: contains auditor, which is no role of the org",
                "editor: contains reader, which is no role of the org",
            ],
        ),
    ],
    ids=["itself", "a cycle of two", "a cycle of three", "unknown"],
)
def test_a_role_contains_others_of_its_org(roles, said):
    in_template = refused(with_roles(roles, acme={}, globex={"roles": roles}))
    in_org = refused(with_roles({}, acme={"roles": roles}))

    assert in_template == [f"template.roles.{it}" for it in said]
    assert sorted(in_org) == [f"orgs.acme.roles.{it}" for it in said]


def test_a_template_that_no_org_has_as_it_stands_need_not_hold_together():
    roles = {"editor": ["viewer"], "viewer": ["editor"]}
    whole = {"roles": {"viewer": []}}

    assert read(with_roles(roles, acme=whole)).wanted.orgs["acme"].roles == {
        "editor": frozenset({"viewer"}),
        "viewer": frozenset(),
    }
    assert len(refused(with_roles(roles, acme=whole, globex={}))) == 2
    assert len(refused(with_roles(roles))) == 2


def test_roles_that_contain_one_role_by_two_ways_are_fine():
    roles = {"viewer": [], "editor": ["viewer"], "org_admin": ["editor", "viewer"]}

    assert read(with_roles(roles, acme={})).wanted.orgs["acme"].roles["org_admin"] == frozenset(
        {"editor", "viewer"}
    )


def test_a_dropped_role_is_missed_by_what_contains_it():
    roles = {"viewer": [], "editor": ["viewer"]}

    assert refused(with_roles(roles, acme={"roles": {"viewer": None}})) == [
        "orgs.acme.roles.editor: contains viewer, which is no role of the org"
    ]


def test_only_what_the_template_has_can_be_dropped():
    assert refused(with_roles({"viewer": []}, acme={"roles": {"reader": None}})) == [
        "orgs.acme.roles.reader: is dropped by null, and not in the template"
    ]


@BOTH
@pytest.mark.parametrize(
    "changes",
    [
        {"template": ABSENT, "orgs": {"acme": {}}},
        {"template.roles": {"viewer": []}, "orgs": {"acme": {"roles": {"viewer": None}}}},
    ],
)
def test_an_org_has_a_role(base, changes):
    assert refused(changed(changes, base)) == [
        "orgs.acme: has no role, so nobody can get in; give it one, or the template"
    ]


@pytest.mark.parametrize("role", ["globex:viewer", "oldco:viewer", ":staff", "globex:eu:viewer"])
def test_a_role_does_not_read_like_one_of_another_org_or_the_realm(role):
    settings = loaded(changed({"roles.allowed": [role, "billing:read"]}, SETTINGS))
    roles = {role: [], "billing:read": []}
    orgs = {**with_roles(roles, globex={}), "retired": ["oldco"]}

    assert refused(orgs, settings) == [
        f"template.roles.{role}: reads like a role of another org or of the realm: `client:role`"
    ]


def test_with_organizations_a_role_is_the_same_in_all_orgs():
    orgs = {
        "acme": {"roles": {"editor": ["viewer"]}},
        "globex": {"roles": {"org_admin": []}},
        "umbrella": {"roles": {"org_admin": [], "editor": ["viewer"]}},
        "hooli": {"roles": {"editor": None, "org_admin": ["viewer"]}},
    }
    said = "with organizations a role is the same in all orgs"

    assert refused(changed({"orgs": orgs}, NATIVE_ORGS)) == [
        f"orgs.globex.roles.editor: contains other roles than in acme; {said}",
        f"orgs.hooli.roles.org_admin: contains other roles than in globex; {said}",
    ]
    assert len(read(changed({"orgs": orgs}, ORGS)).wanted.orgs) == 4


# --- members


@BOTH
def test_a_member_holds_roles_of_the_org(base):
    acme = {
        "roles": {"viewer": None, "org_admin": []},
        "members": {"alice": ["editor", "org_admin"], "bob": ["viewer", "admin", "editor"]},
    }
    globex = {"members": {"bob": ["viewer"], "alice": ["org_admin"]}}

    assert refused(changed({"orgs": {"acme": acme, "globex": globex}}, base)) == [
        "orgs.acme.members.bob: holds admin, which is no role of the org",
        "orgs.acme.members.bob: holds viewer, which is no role of the org",
        "orgs.globex.members.alice: holds org_admin, which is no role of the org",
    ]


def test_a_member_is_there_once_however_it_is_written():
    changes = {"orgs.acme.members": {"alice": ["editor"], "Alice": ["viewer"]}}

    assert refused(changed(changes, ORGS)) == [
        "orgs.acme.members: alice is there twice: Keycloak keeps names in small letters"
    ]


def test_a_role_is_as_long_as_keycloak_takes_it():
    template = {"viewer": [], "r" * 256: []}

    problems = refused(changed({"template.roles": template}, ORGS))

    assert f"template.roles.{'r' * 256}: must have at most 255 characters" in problems


def test_a_frontend_does_not_send_codes_anywhere():
    frontends = [{**ORGS["frontends"][0], "redirect_uris": ["https://app.example.com/*", "*"]}]

    assert refused(changed({"frontends": frontends}, ORGS)) == [
        "frontends.0.redirect_uris: `*` would send codes to whoever asks for them"
    ]


def test_only_an_organization_has_members_without_a_role():
    changes = {"orgs.acme.members": {"alice": []}}

    assert refused(changed(changes, ORGS)) == [
        "orgs.acme.members.alice: holds no role; leave the user out"
    ]
    assert read(changed(changes, NATIVE_ORGS)).wanted.orgs["acme"].members == {"alice": frozenset()}
