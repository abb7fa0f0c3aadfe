"""Whatever an issuer signs, by whichever carrier: what is answered is of that one org, or nothing.

The answer is held against the token itself here, read anew and without the core's own functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hasura_kc_auth.core.errors import Code
from hasura_kc_auth.core.introspection import introspected
from hasura_kc_auth.core.rules import CLAIM_RULES
from hasura_kc_auth.core.session import Session
from hasura_kc_auth.core.token import VerifiedClaims
from tests.core.deciding import answered, case_of, decide
from tests.core.postgres_arrays import read_array
from tests.made_tokens import GOOD, ISSUER, POLICY, claims, issuer_policy, outcome, policy_of

ORGS = ["acme", "ACME", "beta", "__proto__", "account", "Ünï", "a.b", "frontend", ""]
ROLES = ["admin", "editor", "viewer", "org_admin", "/editors", ""]
CLIENT = "hasura"
MAPPING = {"admin": "org_admin", "/editors": "editor"}
STRONG = frozenset({"2"})

_names = st.sampled_from(ORGS)
_scalars = st.none() | st.booleans() | st.integers() | st.sampled_from([*ORGS, *ROLES, "roles"])
_json = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(ORGS), inner, max_size=3)
    ),
    max_leaves=6,
)
_role_list = st.lists(st.sampled_from(ROLES), max_size=3) | _json
_holder = st.fixed_dictionaries({"roles": _role_list}) | _json
_access = st.dictionaries(st.sampled_from([*ORGS, CLIENT]), _holder, max_size=4) | _json
_entry = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from(["id1", "id2"]) | _json,
        "groups": _role_list,
        "tenant": st.lists(st.sampled_from(["t1", "t2"]), max_size=2) | _json,
        "realm_access": _holder,
        "resource_access": st.dictionaries(st.just(CLIENT), _holder) | _json,
    },
)
_scope_words = st.sampled_from(
    ["openid", "organization", "organization:*", *(f"organization:{it}" for it in ORGS), *ORGS]
)
_carrying = st.fixed_dictionaries(
    {},
    optional={
        "scope": st.lists(_scope_words, max_size=4).map(" ".join) | _json,
        "aud": st.lists(st.sampled_from([*ORGS, CLIENT]), max_size=5) | _json,
        "organization": st.dictionaries(_names, _entry | _json, max_size=3)
        | st.lists(_names, max_size=2)
        | _names
        | _json,
        "active_org": _names | _json,
        "resource_access": _access,
        "realm_access": _holder,
        "groups": _role_list,
        "acr": st.sampled_from(["0", "1", "2"]) | _json,
    },
)


_good_roles = st.lists(st.sampled_from(["admin", "editor", "viewer"]), min_size=1, max_size=2)


@st.composite
def _agreeing(draw: st.DrawFn) -> dict[str, Any]:
    """Draw claims that agree with each other, whichever carrier looks at them."""
    orgs = draw(st.lists(_names.filter(bool), min_size=1, max_size=2, unique=True))
    named = " ".join(f"organization:{it}" for it in orgs)
    return {
        "aud": [CLIENT, *orgs],
        "scope": f"openid {draw(st.sampled_from([named, named, 'organization:*']))} {orgs[0]}",
        "organization": {
            org: {
                "id": f"id{number}",
                "tenant": [f"t{number}"],
                "groups": draw(st.just(["/editors"]) | _role_list),
                "realm_access": {"roles": draw(_good_roles)},
                "resource_access": {CLIENT: {"roles": draw(_good_roles)}},
            }
            for number, org in enumerate(orgs)
        },
        "active_org": orgs[0],
        "resource_access": {org: {"roles": draw(_good_roles)} for org in orgs},
        "acr": draw(st.sampled_from(["1", "2"])),
    }


_claims = st.builds(
    lambda base, changes, changed: claims(base, **{k: changes[k] for k in changes if k in changed}),
    _agreeing(),
    st.just({}) | _carrying,
    st.sets(st.sampled_from(["scope", "aud", "organization", "resource_access", "active_org"])),
) | st.builds(claims, _carrying)

_native = st.fixed_dictionaries(
    {
        "source": st.just("organization"),
        "roles": st.sampled_from(["nested", "groups", "client"]),
        "client": st.sampled_from(["", CLIENT]),
        "realm_roles": st.booleans(),
        "id_from": st.sampled_from(["alias", "id", "attribute:tenant"]),
    },
    optional={"only": st.just(("acme", "beta")), "deny": st.just(("ACME",))},
)
_by_claim = st.just({"source": "claim", "claim": ("active_org",)})
_carriers = _native | _by_claim | st.just({})
_namespaces = st.sampled_from([None, "eu"])
_levels = st.sampled_from([{}, {"org_admin": STRONG, "editor": STRONG}])
_policies = st.tuples(_carriers, _namespaces, _levels)
_org_wishes = st.sampled_from(["", "acme", "ACME", "beta", "id0", "t1", "eu/acme", "account"])
_wishes = st.tuples(
    st.just("") | _org_wishes, st.just("") | st.sampled_from(["editor", "org_admin", "admin"])
)
_quick = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))


def _strings(value: Any) -> set[str]:
    return {it for it in value if isinstance(it, str)} if isinstance(value, list) else set()


def _held(holder: Any, *path: str) -> set[str]:
    for key in path:
        holder = holder.get(key) if isinstance(holder, dict) else None
    return _strings(holder)


def _shown(alias: str, entry: Any, how: str) -> Any:
    if how == "alias":
        return alias
    found = entry.get(how.removeprefix("attribute:")) if isinstance(entry, dict) else None
    return found if how == "id" else (found[0] if isinstance(found, list) and found else None)


def _carried(payload: Mapping[str, Any], org: Mapping[str, Any]) -> list[tuple[Any, set[str]]]:
    """Return the ids that the token may be answered with, each with all roles of that one org."""
    match org.get("source", "client-scope"):
        case "client-scope":
            names = set(payload["scope"].split(" ")) & set(payload["resource_access"])
        case "claim":
            names = {payload["active_org"]}
        case _:
            return _carried_natively(payload, org)
    return [(name, _held(payload, "resource_access", name, "roles")) for name in names]


def _carried_natively(
    payload: Mapping[str, Any], org: Mapping[str, Any]
) -> list[tuple[Any, set[str]]]:
    claim, words = payload["organization"], set(payload["scope"].split(" "))
    entries = claim if isinstance(claim, dict) else {}
    names = [claim] if isinstance(claim, str) else list(claim)
    if not words & {"organization", "organization:*"}:
        assert {f"organization:{it}" for it in names} == {
            it for it in words if it.startswith("organization:")
        }
    else:
        assert len(set(names)) == 1
    places = {
        "nested": lambda it: (
            _held(entries.get(it), "resource_access", org["client"], "roles")
            | (_held(entries.get(it), "realm_access", "roles") if org["realm_roles"] else set())
        ),
        "groups": lambda it: _held(entries.get(it), "groups"),
        "client": lambda it: _held(payload, "resource_access", it, "roles"),
    }
    roles_of = places[org["roles"]]
    return [(_shown(it, entries.get(it), org["id_from"]), roles_of(it)) for it in names]


@given(_claims, _policies, _wishes)
@_quick
def test_the_org_and_roles_answered_are_what_the_token_carries_for_that_one_org(
    payload, settled, wishes
):
    (org, namespace, levels), (wish, role) = settled, wishes
    policy = policy_of(issuer_policy(org=org, namespace=namespace))
    policy = replace(policy, roles=replace(POLICY.roles, mapping=MAPPING, acr=levels))

    session = outcome(lambda: decide(payload, org=wish, role=role, policy=policy))

    if isinstance(session, Code):
        return
    assert isinstance(session, Session)
    variables = answered(session)
    shown = variables["X-Hasura-Org-Id"].removeprefix(f"{namespace}/")
    [carried] = [roles for name, roles in _carried(payload, org) if name == shown]
    answered_roles = set(read_array(variables["X-Hasura-Allowed-Roles"]))
    assert answered_roles
    assert answered_roles <= {MAPPING.get(it, it) for it in carried} & set(policy.roles.allowed)
    assert variables["X-Hasura-Role"] in answered_roles
    strong = payload.get("acr") in tuple(STRONG)  # it may be of any type
    assert strong or not answered_roles & levels.keys()
    assert wish in ("", variables["X-Hasura-Org-Id"])
    assert role in ("", variables["X-Hasura-Role"])


@given(_claims, _carriers, _org_wishes)
@_quick
def test_what_a_token_proves_does_not_depend_on_what_is_wished(payload, org, wish):
    policy = policy_of(issuer_policy(org=org))

    assert (
        case_of(payload, org=wish, policy=policy).grants == case_of(payload, policy=policy).grants
    )


@given(_claims, _carriers, _wishes)
@_quick
def test_every_claim_rule_decides_about_any_claims_of_any_carrier(payload, org, wishes):
    wish, role = wishes
    case = case_of(payload, org=wish, role=role, policy=policy_of(issuer_policy(org=org)))

    assert all(type(rule.holds(case)) is bool for rule in CLAIM_RULES)


@given(
    st.dictionaries(st.sampled_from([*GOOD, "active", "client_id"]), _json)
    | st.builds(lambda odd: {**GOOD, "active": True, **odd}, _carrying)
)
@_quick
def test_any_answer_of_keycloak_is_claims_of_the_same_token_or_inactive(answer):
    found = outcome(introspected, VerifiedClaims(GOOD), answer, ISSUER)

    if found is Code.INACTIVE_TOKEN:
        return
    assert answer["active"] is True
    assert {name: found[name] for name in ("iss", "azp", "exp", "iat", "jti")} == {
        name: GOOD[name] for name in ("iss", "azp", "exp", "iat", "jti")
    }
    assert outcome(decide, found) is not None
