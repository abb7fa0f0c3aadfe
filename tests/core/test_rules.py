"""The rules: one good token, one change a row, one code."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hasura_kc_auth.core.errors import Code
from hasura_kc_auth.core.rules import (
    CLAIM_RULES,
    INTROSPECTION_FACTS,
    INTROSPECTION_RULES,
    KEY_FACTS,
    ORDER,
    REQUEST_FACTS,
    TOKEN_RULES,
    admit,
    judge,
    valid_from,
    valid_until,
    walk,
)
from hasura_kc_auth.core.token import VerifiedClaims, parse
from tests.core.deciding import case_of, decide
from tests.made_tokens import (
    ABSENT,
    ISSUER,
    ISSUER_POLICY,
    NOW,
    POLICY,
    TWO_ORGS,
    claims,
    denied,
    issuer_policy,
    policy_of,
    sign,
)

OTHER_ISSUER = "https://sso.example.com/realms/other"


# --- before any key is touched ---


def admitted(*, header=None, policy=POLICY, **changes):
    return admit(parse(sign(claims(changes), header)), policy)


@pytest.mark.parametrize(
    "header",
    [
        pytest.param({}, id="JWT"),
        pytest.param({"typ": ABSENT}, id="no typ"),
        pytest.param({"typ": "jwt"}, id="jwt in small letters"),
        pytest.param({"typ": "at+jwt"}, id="at+jwt"),
        pytest.param({"typ": "AT+JWT"}, id="AT+JWT"),
    ],
)
def test_an_access_token_of_a_configured_issuer_is_admitted(header):
    assert admitted(header=header) is ISSUER_POLICY


@pytest.mark.parametrize(
    ("header", "code"),
    [
        pytest.param({"alg": "none"}, Code.UNSUPPORTED_ALGORITHM, id="none"),
        pytest.param({"alg": "None"}, Code.UNSUPPORTED_ALGORITHM, id="None"),
        pytest.param({"alg": ""}, Code.UNSUPPORTED_ALGORITHM, id="an empty alg"),
        pytest.param({"alg": "HS256"}, Code.UNSUPPORTED_ALGORITHM, id="HS256"),
        pytest.param({"alg": "HS512"}, Code.UNSUPPORTED_ALGORITHM, id="a refresh token's HS512"),
        pytest.param({"alg": "rs256"}, Code.UNSUPPORTED_ALGORITHM, id="rs256 in small letters"),
        pytest.param({"alg": "RS256 "}, Code.UNSUPPORTED_ALGORITHM, id="a blank behind"),
        pytest.param({"alg": "RS512"}, Code.UNSUPPORTED_ALGORITHM, id="one not configured"),
        pytest.param({"alg": "ES256"}, Code.UNSUPPORTED_ALGORITHM, id="another family"),
        pytest.param({"alg": "RSA-OAEP"}, Code.UNSUPPORTED_ALGORITHM, id="one for encryption"),
        pytest.param({"typ": "logout+jwt"}, Code.WRONG_TYPE, id="a logout token"),
        pytest.param({"typ": "dpop+jwt"}, Code.WRONG_TYPE, id="a DPoP proof"),
        pytest.param({"typ": "JOSE"}, Code.WRONG_TYPE, id="JOSE"),
        pytest.param({"typ": "application/jwt"}, Code.WRONG_TYPE, id="a media type"),
        pytest.param({"typ": ""}, Code.WRONG_TYPE, id="an empty typ"),
        pytest.param({"typ": None}, Code.WRONG_TYPE, id="a null typ"),
        pytest.param({"typ": ["JWT"]}, Code.WRONG_TYPE, id="a list of types"),
        pytest.param({"typ": 1}, Code.WRONG_TYPE, id="a number as typ"),
    ],
)
def test_one_wrong_header_parameter_is_enough_to_deny(header, code):
    with denied(code, issuer=ISSUER):
        admitted(header=header)


@pytest.mark.parametrize(
    "issuer",
    [
        pytest.param(ABSENT, id="no iss"),
        pytest.param(None, id="a null iss"),
        pytest.param("", id="an empty iss"),
        pytest.param([ISSUER], id="a list"),
        pytest.param({ISSUER: 1}, id="an object"),
        pytest.param(7, id="a number"),
        pytest.param(OTHER_ISSUER, id="another realm"),
        pytest.param(f"{ISSUER}/", id="a slash behind"),
        pytest.param(ISSUER[:-1], id="only the beginning"),
        pytest.param(f"{ISSUER}2", id="more than the whole"),
        pytest.param(f" {ISSUER}", id="a blank before"),
        pytest.param(ISSUER.upper(), id="capitals"),
        pytest.param(ISSUER.replace("https", "http"), id="another scheme"),
        pytest.param(ISSUER.replace(".com", ".com:443"), id="the default port"),
        pytest.param("http://keycloak:8080/realms/acme", id="Keycloak's inner address"),
    ],
)
def test_iss_must_be_the_issuer_byte_for_byte(issuer):
    with denied(Code.WRONG_ISSUER):
        admitted(iss=issuer)


def test_without_an_issuer_nothing_is_admitted():
    with denied(Code.UNSUPPORTED_ALGORITHM):
        admit(parse(sign()), replace(POLICY, issuers={}))


def test_an_algorithm_of_another_issuer_is_not_enough():
    two = policy_of(
        issuer_policy(),
        replace(issuer_policy(algorithms=frozenset({"ES256"})), issuer=OTHER_ISSUER),
    )

    assert admitted(policy=two).issuer == ISSUER
    with denied(Code.UNSUPPORTED_ALGORITHM, issuer=OTHER_ISSUER):
        admitted(policy=two, iss=OTHER_ISSUER)


def test_the_second_rule_on_alg_leaves_a_foreign_issuer_to_the_rule_on_iss():
    with denied(Code.WRONG_ISSUER):
        admitted(policy=policy_of(issuer_policy(algorithms=frozenset({"RS256"}))), iss="x")


@pytest.mark.parametrize(
    ("header", "changes", "code"),
    [
        pytest.param(
            {"alg": "none", "typ": "JOSE"},
            {"iss": 1},
            Code.UNSUPPORTED_ALGORITHM,
            id="alg before typ and iss",
        ),
        pytest.param({"typ": "JOSE"}, {"iss": 1}, Code.WRONG_TYPE, id="typ before iss"),
    ],
)
def test_the_first_token_rule_that_fails_gives_the_code(header, changes, code):
    with denied(code):
        admitted(header=header, **changes)


# --- the claims ---


GOOD_CLAIMS = [
    pytest.param({}, id="the good token"),
    pytest.param({"auth_time": ABSENT, "jti": ABSENT, "sid": ABSENT}, id="without extra claims"),
    pytest.param({"sid": "gu1mdCdVV8rkeW7DzUkK0n99"}, id="a sid that is no UUID"),
    pytest.param({"acr": "0"}, id="acr after a silent login"),
    pytest.param({"exp": NOW + 0.5, "iat": NOW - 0.5}, id="fractions of a second"),
    pytest.param({"exp": 1e308}, id="an exp at the end of all floats"),
    pytest.param({"exp": 10**30}, id="an exp beyond all calendars"),
    pytest.param({"iat": 0}, id="issued at the beginning of time"),
    pytest.param({"iat": -(10**30)}, id="issued before all calendars"),
    pytest.param({"nbf": NOW}, id="valid from now"),
    pytest.param({"nbf": 0}, id="the nbf that old servers write"),
    pytest.param({"sub": "f:1b9d:alice@example.com"}, id="a federated user"),
    pytest.param({"realm_access": {"roles": ["admin"]}}, id="realm roles"),
    pytest.param({"resource_access": {"org1": {"roles": ["admin", "Ünï", "a,b"]}}}, id="odd roles"),
]


@pytest.mark.parametrize("changes", GOOD_CLAIMS)
def test_claims_that_fit_are_let_pass(changes):
    judge(case_of(claims(changes)))


WRONG_NUMBERS = [
    pytest.param(None, id="null"),
    pytest.param("1900000000", id="a string"),
    pytest.param(True, id="a bool"),
    pytest.param([NOW], id="a list"),
    pytest.param({}, id="an object"),
    pytest.param(10**400, id="an integer beyond every float"),
    pytest.param(float("inf"), id="infinity"),
]
WRONG_IDS = [
    pytest.param(ABSENT, id="missing"),
    pytest.param(None, id="null"),
    pytest.param("", id="empty"),
    pytest.param(7, id="a number"),
    pytest.param(["a"], id="a list"),
    pytest.param("a" * 256, id="too long"),
    pytest.param("a\nb", id="not printable"),
]


@pytest.mark.parametrize("name", ["exp", "iat"])
@pytest.mark.parametrize("value", [pytest.param(ABSENT, id="missing"), *WRONG_NUMBERS])
def test_exp_and_iat_must_be_finite_numbers(name, value):
    with denied(Code.MISSING_CLAIM, issuer=ISSUER):
        decide(claims({name: value}))


@pytest.mark.parametrize("value", WRONG_NUMBERS)
def test_nbf_must_be_a_finite_number_where_there_is_one(value):
    with denied(Code.MISSING_CLAIM, issuer=ISSUER):
        decide(claims(nbf=value))


@pytest.mark.parametrize("name", ["sub", "azp"])
@pytest.mark.parametrize("value", WRONG_IDS)
def test_sub_and_azp_must_be_bounded_printable_strings(name, value):
    user_from_elsewhere = policy_of(
        session=replace(POLICY.session, user_id=("preferred_username",))
    )

    with denied(Code.MISSING_CLAIM, issuer=ISSUER):
        decide(claims({name: value}))
    with denied(Code.MISSING_CLAIM, issuer=ISSUER):
        decide(claims({name: value}), policy=user_from_elsewhere)


@pytest.mark.parametrize("value", WRONG_IDS)
def test_the_configured_user_id_must_be_a_bounded_printable_string(value):
    policy = policy_of(session=replace(POLICY.session, user_id=("user", "id")))

    assert decide(claims(user={"id": "u1"}), policy=policy)
    with denied(Code.MISSING_CLAIM, issuer=ISSUER):
        decide(claims(user={} if value is ABSENT else {"id": value}), policy=policy)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"typ": ABSENT}, Code.MISSING_CLAIM, id="no typ"),
        pytest.param({"typ": None}, Code.MISSING_CLAIM, id="a null typ"),
        pytest.param({"typ": ["Bearer"]}, Code.MISSING_CLAIM, id="a list of types"),
        pytest.param({"cnf": {"jkt": "x"}}, Code.SENDER_CONSTRAINED, id="bound to a DPoP key"),
        pytest.param(
            {"cnf": {"jkt": "x", "kc-jkt-type": "DPoP"}, "typ": "DPoP"},
            Code.SENDER_CONSTRAINED,
            id="a DPoP token of Keycloak",
        ),
        pytest.param({"cnf": {"x5t#S256": "x"}}, Code.SENDER_CONSTRAINED, id="bound by TLS"),
        pytest.param({"cnf": {}}, Code.SENDER_CONSTRAINED, id="an empty cnf"),
        pytest.param({"cnf": None}, Code.SENDER_CONSTRAINED, id="a null cnf"),
        pytest.param({"typ": "DPoP"}, Code.SENDER_CONSTRAINED, id="a DPoP token without cnf"),
        pytest.param({"typ": "ID"}, Code.WRONG_TYPE, id="an ID token"),
        pytest.param(
            {"typ": "ID", "aud": ["frontend", "org1"], "at_hash": "x", "nonce": "y"},
            Code.WRONG_TYPE,
            id="an ID token with roles",
        ),
        pytest.param({"typ": "Refresh"}, Code.WRONG_TYPE, id="a refresh token"),
        pytest.param({"typ": "Offline"}, Code.WRONG_TYPE, id="an offline token"),
        pytest.param({"typ": "Logout"}, Code.WRONG_TYPE, id="a logout token"),
        pytest.param({"typ": "bearer"}, Code.WRONG_TYPE, id="bearer in small letters"),
        pytest.param({"typ": ""}, Code.WRONG_TYPE, id="an empty typ"),
        pytest.param({"exp": NOW - 30}, Code.EXPIRED, id="expired the whole leeway ago"),
        pytest.param({"exp": 0}, Code.EXPIRED, id="an exp of zero"),
        pytest.param({"exp": -1e308}, Code.EXPIRED, id="an exp before all calendars"),
        pytest.param({"iat": NOW + 31}, Code.NOT_YET_VALID, id="issued in the future"),
        pytest.param({"iat": 1e308}, Code.NOT_YET_VALID, id="issued at the end of all floats"),
        pytest.param({"nbf": NOW + 31}, Code.NOT_YET_VALID, id="valid in the future"),
        pytest.param({"azp": "admin-cli"}, Code.WRONG_CLIENT, id="a token of admin-cli"),
        pytest.param({"azp": "Frontend"}, Code.WRONG_CLIENT, id="the client in capitals"),
        pytest.param({"azp": "org1"}, Code.WRONG_CLIENT, id="an org's own client"),
        pytest.param({"scope": "openid profile email"}, Code.NO_ORG, id="no scope of an org"),
        pytest.param({"resource_access": {}}, Code.NO_ORG, id="no role in any org"),
        pytest.param({"aud": "hasura"}, Code.NO_ORG, id="the org is not in aud"),
        pytest.param({"aud": ABSENT}, Code.NO_ORG, id="no aud"),
        pytest.param(TWO_ORGS, Code.AMBIGUOUS_ORG, id="two orgs and no wish"),
        pytest.param(
            {"resource_access": {"org1": {"roles": ["owner"]}}}, Code.NO_ROLE, id="no allowed role"
        ),
        pytest.param(
            {
                "resource_access": {"org1": {"roles": ["owner"]}},
                "realm_access": {"roles": ["editor"]},
            },
            Code.NO_ROLE,
            id="an allowed role only in the realm",
        ),
        pytest.param(
            {
                "resource_access": {"org1": {"roles": ["owner"]}, "org2": {"roles": ["editor"]}},
                "aud": ["org1", "org2"],
            },
            Code.NO_ROLE,
            id="an allowed role only in an org not asked for",
        ),
        pytest.param(
            {"resource_access": {"org1": {"roles": ["editor,viewer"]}}},
            Code.NO_ROLE,
            id="a role with a comma is not two",
        ),
    ],
)
def test_one_wrong_claim_is_enough_to_deny(changes, code):
    with denied(code, issuer=ISSUER):
        decide(claims(changes))


@pytest.mark.parametrize("missing", ["sub", "aud", "resource_access"])
def test_a_lightweight_token_is_denied_whichever_claim_is_looked_at(missing):
    code = Code.MISSING_CLAIM if missing == "sub" else Code.NO_ORG

    with denied(code, issuer=ISSUER):
        decide(claims({missing: ABSENT}))


LEEWAY = 30


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"exp": NOW - LEEWAY + 1}, None, id="expired less than the leeway ago"),
        pytest.param({"exp": NOW - LEEWAY + 0.001}, None, id="expired hardly less than that ago"),
        pytest.param({"exp": NOW - LEEWAY}, Code.EXPIRED, id="expired exactly the leeway ago"),
        pytest.param({"iat": NOW + LEEWAY}, None, id="issued exactly the leeway ahead"),
        pytest.param({"iat": NOW + LEEWAY + 0.001}, Code.NOT_YET_VALID, id="issued hardly more"),
        pytest.param({"nbf": NOW + LEEWAY}, None, id="valid exactly the leeway ahead"),
        pytest.param({"nbf": NOW + LEEWAY + 1}, Code.NOT_YET_VALID, id="valid a second more"),
        pytest.param(
            {"nbf": NOW + LEEWAY + 1, "iat": NOW - 9}, Code.NOT_YET_VALID, id="the later one counts"
        ),
        pytest.param(
            {"iat": NOW + LEEWAY + 1, "nbf": NOW - 9}, Code.NOT_YET_VALID, id="whichever it is"
        ),
    ],
)
def test_clocks_may_differ_by_the_leeway_and_no_more(changes, code):
    broken = next(walk(CLAIM_RULES, case_of(claims(changes))), None)

    assert (broken and broken.code) == code


def test_without_leeway_a_token_is_good_from_iat_until_exp():
    policy = policy_of(issuer_policy(leeway=0))
    brief = claims(iat=NOW, exp=NOW + 1)

    assert decide(brief, policy=policy, now=NOW)
    assert decide(brief, policy=policy, now=NOW + 0.999)
    with denied(Code.EXPIRED, issuer=ISSUER):
        decide(brief, policy=policy, now=NOW + 1)
    with denied(Code.NOT_YET_VALID, issuer=ISSUER):
        decide(brief, policy=policy, now=NOW - 0.001)


@pytest.mark.parametrize(
    ("aud", "code"),
    [
        pytest.param(["org1", "hasura"], None, id="the org and an audience"),
        pytest.param(["org1", "other", "x"], None, id="the org and the other audience"),
        pytest.param("org1", Code.WRONG_AUDIENCE, id="the org alone"),
        pytest.param(["org1", "Hasura"], Code.WRONG_AUDIENCE, id="an audience in capitals"),
        pytest.param(ABSENT, Code.WRONG_AUDIENCE, id="no aud"),
        pytest.param("hasura", Code.NO_ORG, id="an audience without the org"),
        pytest.param({"hasura": 1, "org1": 1}, Code.WRONG_AUDIENCE, id="an object"),
        pytest.param(["org1", "hasura", 1], Code.WRONG_AUDIENCE, id="a number among them"),
    ],
)
def test_with_audiences_configured_one_of_them_must_be_there_as_well(aud, code):
    policy = policy_of(issuer_policy(audiences=frozenset({"hasura", "other"})))
    broken = next(walk(CLAIM_RULES, case_of(claims(aud=aud), policy=policy)), None)

    assert (broken and broken.code) == code


# --- the wishes ---


@pytest.mark.parametrize(
    ("changes", "wish", "code"),
    [
        pytest.param({}, {"org": "org1"}, None, id="the one org"),
        pytest.param(TWO_ORGS, {"org": "org2"}, None, id="one of two orgs"),
        pytest.param({}, {"role": "editor"}, None, id="the one role"),
        pytest.param({}, {"org": "org2"}, Code.ORG_NOT_GRANTED, id="an org not proven"),
        pytest.param({}, {"org": "ORG1"}, Code.ORG_NOT_GRANTED, id="the org in capitals"),
        pytest.param({}, {"org": "*"}, Code.ORG_NOT_GRANTED, id="a glob"),
        pytest.param({}, {"org": "org1,org2"}, Code.ORG_NOT_GRANTED, id="a list of orgs"),
        pytest.param({}, {"org": "account"}, Code.ORG_NOT_GRANTED, id="an org of Keycloak's"),
        pytest.param(TWO_ORGS, {"org": "org3"}, Code.ORG_NOT_GRANTED, id="none of two orgs"),
        pytest.param(
            {"aud": ["org1", "org2"], "resource_access": TWO_ORGS["resource_access"]},
            {"org": "org2"},
            Code.ORG_NOT_GRANTED,
            id="an org with roles that the token was not asked for",
        ),
        pytest.param(
            {"scope": "openid"}, {"org": "org1"}, Code.NO_ORG, id="an org where none is proven"
        ),
        pytest.param({}, {"role": "viewer"}, Code.ROLE_NOT_GRANTED, id="a role not held"),
        pytest.param({}, {"role": "Editor"}, Code.ROLE_NOT_GRANTED, id="a role in capitals"),
        pytest.param({}, {"role": "admin"}, Code.ROLE_NOT_GRANTED, id="Hasura's superuser"),
        pytest.param(
            {"resource_access": {"org1": {"roles": ["admin"]}}},
            {"role": "admin"},
            Code.ROLE_NOT_GRANTED,
            id="the Keycloak name of a mapped role",
        ),
        pytest.param(
            TWO_ORGS,
            {"org": "org2", "role": "editor"},
            Code.ROLE_NOT_GRANTED,
            id="a role of the other org",
        ),
        pytest.param(
            TWO_ORGS, {"role": "editor"}, Code.AMBIGUOUS_ORG, id="a role does not choose the org"
        ),
    ],
)
def test_a_wish_chooses_among_what_the_token_proves_and_adds_nothing(changes, wish, code):
    broken = next(walk(CLAIM_RULES, case_of(claims(changes), **wish)), None)

    assert (broken and broken.code) == code


def test_no_role_is_looked_up_before_an_org_is_chosen():
    case = case_of(claims(TWO_ORGS))

    assert [grant.id for grant in case.grants.orgs] == ["org1", "org2"]
    assert (case.org, case.held, case.roles) == (None, (), ())


# --- the order ---


EVERYTHING_WRONG = {
    Code.MISSING_CLAIM: {"iat": ABSENT},
    Code.SENDER_CONSTRAINED: {"cnf": {}},
    Code.WRONG_TYPE: {"typ": "ID"},
    Code.EXPIRED: {"exp": 0},
    Code.NOT_YET_VALID: {"nbf": NOW + 99},
    Code.WRONG_CLIENT: {"azp": "evil"},
    Code.WRONG_AUDIENCE: {"aud": "x"},
    Code.NO_ORG: {"scope": "openid"},
}


@pytest.mark.parametrize("code", EVERYTHING_WRONG)
def test_of_several_wrong_claims_the_first_in_the_order_gives_the_code(code):
    codes = list(EVERYTHING_WRONG)
    wrong = {
        name: value
        for later in codes[codes.index(code) :]
        for name, value in EVERYTHING_WRONG[later].items()
    }
    policy = policy_of(issuer_policy(audiences=frozenset({"hasura"})))

    with denied(code, issuer=ISSUER):
        decide(claims({"aud": ["org1", "hasura"], **wrong}), policy=policy)


def test_the_tables_hold_the_rules_in_the_order_of_the_codes():
    codes = [fact.code for fact in ORDER]
    twice = {Code.UNSUPPORTED_ALGORITHM, Code.WRONG_TYPE, Code.MISSING_CLAIM}

    assert list(dict.fromkeys(codes)) == [code for code in Code if code is not Code.INTERNAL_ERROR]
    assert {code for code in codes if codes.count(code) > 1} == twice
    tables = (REQUEST_FACTS, TOKEN_RULES, KEY_FACTS, INTROSPECTION_FACTS, CLAIM_RULES)
    assert [fact for table in tables for fact in table] == list(ORDER)


def test_what_explain_says_must_hold():
    assert [(str(fact.code), fact.must) for fact in ORDER] == [
        ("malformed_request", "the request is proper, and each wish is named once"),
        ("ambiguous_credentials", "there is one Authorization value"),
        ("no_credentials", "there is an Authorization header at all"),
        ("malformed_token", "it is `Bearer` and a compact JWS of strict JSON, with a kid"),
        ("unsupported_algorithm", "header alg is one of the configured algorithms"),
        ("wrong_type", "header typ, where there is one, is JWT or at+jwt"),
        ("wrong_issuer", "iss is a configured issuer, byte for byte"),
        ("unsupported_algorithm", "header alg is one of this issuer's algorithms"),
        ("keys_unavailable", "the issuer's keys could be fetched"),
        ("unknown_key", "the issuer publishes the key that the header's kid names"),
        ("bad_signature", "the signature is right under that key and its algorithm"),
        ("introspection_unavailable", "Keycloak could be asked about it, where it must be"),
        ("inactive_token", "Keycloak calls it active, where it is asked"),
        ("missing_claim", "exp and iat are numbers, azp and typ are strings"),
        ("missing_claim", "sub and the user id are printable strings"),
        (
            "sender_constrained",
            "the token is not bound to a key of its sender (no cnf, typ is not DPoP)",
        ),
        ("wrong_type", "typ is Bearer: neither an ID nor a refresh token"),
        ("expired", "exp is in the future (give or take the leeway)"),
        ("not_yet_valid", "iat and nbf are in the past (give or take the leeway)"),
        ("wrong_client", "azp is one of the allowed clients"),
        ("wrong_audience", "aud holds one of the configured audiences"),
        ("no_org", "the token proves an org, in all the ways that `org.from` asks for"),
        ("org_not_granted", "the org that the request names is one of these"),
        ("ambiguous_org", "there is one org only, or the request names one"),
        ("no_role", "one of the roles held in that org is allowed"),
        ("role_not_granted", "the role that the request names is one of these"),
        (
            "step_up_required",
            "the login was strong enough (acr) for the role that the request names, or for any",
        ),
    ]


@pytest.mark.parametrize(
    ("times", "moments"),
    [
        pytest.param({}, (NOW - 10 - 30, NOW + 290 + 30), id="iat and exp"),
        pytest.param({"nbf": NOW - 5}, (NOW - 5 - 30, NOW + 290 + 30), id="nbf after iat"),
        pytest.param({"nbf": 0}, (NOW - 10 - 30, NOW + 290 + 30), id="nbf before iat"),
        pytest.param({"exp": 10**30, "iat": 1e308}, (1e308, 1e30), id="far away"),
        pytest.param(
            {"exp": "x", "iat": None, "nbf": True}, (-30, 30), id="other types count as zero"
        ),
    ],
)
def test_the_moments_between_which_a_token_is_good(times, moments):
    verified = VerifiedClaims(claims(times))

    assert (valid_from(verified, 30), valid_until(verified, 30)) == moments


# --- step-up ---


STEP_UP = {"org_admin": frozenset({"2", "gold"})}


def strict(**acr):
    roles = replace(POLICY.roles, acr={name: frozenset(it) for name, it in acr.items()} or STEP_UP)
    return replace(policy_of(), roles=roles)


def roles_of(*roles, **changes):
    return claims({"resource_access": {"org1": {"roles": list(roles)}}, **changes})


@pytest.mark.parametrize("acr", ["2", "gold"])
def test_a_role_is_held_with_one_of_its_levels(acr):
    case = case_of(roles_of("admin", "editor", acr=acr), policy=strict())

    assert case.held == case.roles == ("org_admin", "editor")
    judge(case)
    judge(case_of(roles_of("admin", acr=acr), role="org_admin", policy=strict()))


TOO_WEAK = [
    pytest.param("1", id="a password"),
    pytest.param("0", id="a silent login"),
    pytest.param("3", id="a level that is not listed, though higher"),
    pytest.param("GOLD", id="capitals"),
    pytest.param("2 ", id="a blank behind"),
    pytest.param("", id="empty"),
    pytest.param(ABSENT, id="missing"),
    pytest.param(None, id="null"),
    pytest.param(2, id="a number"),
    pytest.param(["2"], id="a list"),
    pytest.param({"2": 1}, id="an object"),
    pytest.param(True, id="a bool"),
]


@pytest.mark.parametrize("acr", TOO_WEAK)
def test_without_its_level_a_role_falls_away_and_the_others_stay(acr):
    case = case_of(roles_of("admin", "editor", acr=acr), policy=strict())

    assert (case.held, case.roles) == (("org_admin", "editor"), ("editor",))
    judge(case)
    assert (
        decide(roles_of("admin", "editor", acr=acr), policy=strict()).variables[
            "X-Hasura-Allowed-Roles"
        ]
        == "{editor}"
    )


@pytest.mark.parametrize("acr", TOO_WEAK)
def test_to_ask_for_it_all_the_same_needs_a_step_up(acr):
    for roles in (("admin", "editor"), ("admin",)):
        with denied(Code.STEP_UP_REQUIRED, issuer=ISSUER):
            decide(roles_of(*roles, acr=acr), role="org_admin", policy=strict())
    with denied(Code.STEP_UP_REQUIRED, issuer=ISSUER):
        decide(roles_of("admin", acr=acr), policy=strict())


@pytest.mark.parametrize(
    ("roles", "wish", "code"),
    [
        pytest.param(["editor"], "org_admin", Code.ROLE_NOT_GRANTED, id="a role that is not held"),
        pytest.param(["admin"], "editor", Code.ROLE_NOT_GRANTED, id="another that is not held"),
        pytest.param(["admin"], "admin", Code.ROLE_NOT_GRANTED, id="Keycloak's name of it"),
        pytest.param(["owner"], "org_admin", Code.NO_ROLE, id="no role that is allowed"),
        pytest.param(["admin", "editor"], "editor", None, id="a role without levels"),
        pytest.param(["admin"], "org_admin", Code.STEP_UP_REQUIRED, id="held, and too weak"),
    ],
)
def test_whoever_does_not_hold_a_role_is_not_told_to_step_up(roles, wish, code):
    case = case_of(roles_of(*roles, acr="1"), role=wish, policy=strict())
    broken = next(walk(CLAIM_RULES, case), None)

    assert (broken and broken.code) == code


def test_each_role_has_its_own_levels():
    policy = strict(org_admin=("3",), editor=("2", "3"))
    held = ("admin", "editor", "viewer")

    for acr, roles in (
        ("1", ("viewer",)),
        ("2", ("editor", "viewer")),
        ("3", ("org_admin", "editor", "viewer")),
    ):
        assert case_of(roles_of(*held, acr=acr), policy=policy).roles == roles


# --- before Keycloak is asked about a token ---


LIGHTWEIGHT = {"sub": ABSENT, "aud": ABSENT, "acr": ABSENT, "resource_access": ABSENT}


def test_a_lightweight_token_may_be_asked_about():
    judge(case_of(claims(LIGHTWEIGHT)), INTROSPECTION_RULES)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"exp": ABSENT}, Code.MISSING_CLAIM, id="no exp"),
        pytest.param({"iat": "x"}, Code.MISSING_CLAIM, id="iat as a string"),
        pytest.param({"azp": ABSENT}, Code.MISSING_CLAIM, id="no azp"),
        pytest.param({"typ": ABSENT}, Code.MISSING_CLAIM, id="no typ"),
        pytest.param({"cnf": {"jkt": "x"}}, Code.SENDER_CONSTRAINED, id="bound to a key"),
        pytest.param({"typ": "ID"}, Code.WRONG_TYPE, id="an ID token"),
        pytest.param({"exp": NOW - 30}, Code.EXPIRED, id="expired"),
        pytest.param({"nbf": NOW + 31}, Code.NOT_YET_VALID, id="not yet valid"),
        pytest.param({"azp": "admin-cli"}, Code.WRONG_CLIENT, id="a token of admin-cli"),
    ],
)
def test_nothing_is_asked_about_a_token_that_fails_by_its_own_claims(changes, code):
    with denied(code, issuer=ISSUER):
        judge(case_of(claims({**LIGHTWEIGHT, **changes})), INTROSPECTION_RULES)
