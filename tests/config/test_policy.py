"""From settings to the core's policy: nothing is lost on the way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hasura_kc_auth.config.policy import claim_path, policy_of
from hasura_kc_auth.core.policy import (
    AnonymousPolicy,
    IssuerPolicy,
    OrgPolicy,
    Policy,
    RolePolicy,
    SessionPolicy,
    Variable,
)
from tests.config.settings_at_hand import ISSUER, LEAST, changed, loaded


@pytest.mark.parametrize(
    ("dotted", "path"),
    [
        ("sub", ("sub",)),
        ("a.b.c", ("a", "b", "c")),
        (r"a\.b", ("a.b",)),
        (r"a\.b.c\.d", ("a.b", "c.d")),
        (
            r"https://hasura\.io/jwt/claims.x-hasura-org-id",
            ("https://hasura.io/jwt/claims", "x-hasura-org-id"),
        ),
        ("two words.Ünï", ("two words", "Ünï")),
    ],
)
def test_a_dotted_path_leads_to_keys(dotted, path):
    assert claim_path(dotted) == path


@given(st.lists(st.text(min_size=1).filter(lambda key: "\\" not in key), min_size=1))
def test_keys_with_dots_survive_the_escape(keys):
    assert claim_path(".".join(key.replace(".", r"\.") for key in keys)) == tuple(keys)


def test_the_least_settings_give_the_policys_own_defaults():
    assert policy_of(loaded(LEAST)) == Policy(
        issuers={ISSUER: IssuerPolicy(ISSUER, clients=frozenset({"frontend"}))},
        roles=RolePolicy(("org_admin", "editor", "viewer"), {}),
        session=SessionPolicy(),
        anonymous=None,
    )


def test_everything_a_decision_depends_on_is_carried_over():
    other = "https://sso.example.com/realms/globex"
    third = "https://sso.example.com/realms/initech"
    settings = loaded(
        changed(
            {
                "issuers": [
                    {
                        "issuer": ISSUER,
                        "clients": ["frontend", "mobile"],
                        "audiences": ["hasura", "api"],
                        "algorithms": ["ES256", "EdDSA"],
                        "leeway": "1500ms",
                        "namespace": "eu",
                        "org": {"scope": "org:{org}", "only": ["a*", "b"], "deny": ["ab"]},
                    },
                    {
                        "issuer": other,
                        "clients": ["web"],
                        "audiences": ["hasura"],
                        "namespace": "us",
                        "org": {
                            "from": "organization",
                            "roles": "nested",
                            "client": "hasura",
                            "realm_roles": True,
                            "id": "attribute:tenant",
                            "deny": ["x"],
                        },
                    },
                    {
                        "issuer": third,
                        "clients": ["app"],
                        "namespace": "ap",
                        "org": {"from": "claim", "claim": r"https://a\.b/org.active"},
                    },
                ],
                "roles.acr": {"org_admin": ["2", "gold"]},
                "roles.map": {"admin": "org_admin", "Org Reader": "viewer"},
                "anonymous": {"role": "public", "variables": {"X-Hasura-Tier": ["a", 1, None]}},
                "session": {
                    "user_id": r"user\.ids.main",
                    "values": "json",
                    "max_age": "2m",
                    "variables": {
                        "X-Hasura-Email": "email",
                        "X-Hasura-Teams": {"claim": r"a\.b.teams", "list": True, "default": ["x"]},
                        "X-Hasura-Region": {"value": {"name": "eu"}},
                        "x-hasura-zero": {"value": 0},
                    },
                },
            }
        )
    )

    assert policy_of(settings) == Policy(
        issuers={
            ISSUER: IssuerPolicy(
                ISSUER,
                clients=frozenset({"frontend", "mobile"}),
                audiences=frozenset({"hasura", "api"}),
                algorithms=frozenset({"ES256", "EdDSA"}),
                leeway=1.5,
                namespace="eu",
                org=OrgPolicy(scope="org:{org}", only=("a*", "b"), deny=("ab",)),
            ),
            other: IssuerPolicy(
                other,
                clients=frozenset({"web"}),
                audiences=frozenset({"hasura"}),
                namespace="us",
                org=OrgPolicy(
                    "organization",
                    client="hasura",
                    realm_roles=True,
                    id_from="attribute:tenant",
                    deny=("x",),
                ),
            ),
            third: IssuerPolicy(
                third,
                clients=frozenset({"app"}),
                namespace="ap",
                org=OrgPolicy("claim", claim=("https://a.b/org", "active")),
            ),
        },
        roles=RolePolicy(
            ("org_admin", "editor", "viewer"),
            {"admin": "org_admin", "Org Reader": "viewer"},
            {"org_admin": frozenset({"2", "gold"})},
        ),
        session=SessionPolicy(
            user_id=("user.ids", "main"),
            variables=(
                Variable("X-Hasura-Email", claim=("email",)),
                Variable("X-Hasura-Teams", claim=("a.b", "teams"), is_list=True, default=["x"]),
                Variable("X-Hasura-Region", value={"name": "eu"}),
                Variable("x-hasura-zero", value=0),
            ),
            values="json",
            max_age=120,
        ),
        anonymous=AnonymousPolicy("public", {"X-Hasura-Tier": ["a", 1, None]}),
    )


@pytest.mark.parametrize(("written", "seconds"), [(None, None), ("1s", 1), ("1500ms", 1)])
def test_the_cap_of_the_answers_age_is_whole_seconds_or_none(written, seconds):
    settings = loaded(changed({"session.max_age": written}))

    assert policy_of(settings).session.max_age == seconds


@pytest.mark.parametrize("roles", ["groups", "client"])
def test_where_the_roles_of_an_organization_are_is_carried_over(roles):
    org = {"from": "organization", "roles": roles, "id": "id"}
    settings = loaded(changed({"issuers.0.org": org, "issuers.0.audiences": ["hasura"]}))

    policy = policy_of(settings).issuers[ISSUER].org

    assert policy == OrgPolicy("organization", roles=roles, id_from="id")
