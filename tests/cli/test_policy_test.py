"""`test`: a team's own personas against its own settings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from hasura_kc_auth.core.errors import Code
from hasura_kc_auth.core.keys import SUPPORTED_ALGORITHMS
from tests.cli.commands import ROOT, Outcome, Process, invoke
from tests.cli.realm import written

ISSUER = "https://sso.example.com/realms/acme"
OTHER = "https://sso.example.com/realms/globex"
SETTINGS: dict[str, Any] = {
    "issuers": [
        {
            "issuer": ISSUER,
            "clients": ["frontend"],
            "audiences": ["hasura"],
            "algorithms": ["ES256"],  # keys of which are made in no time
        }
    ],
    "roles": {"allowed": ["org_admin", "editor", "viewer"], "map": {"admin": "org_admin"}},
    "session": {"variables": {"X-Hasura-Plan": "plan", "X-Hasura-Beta": "beta"}},
}
EDITOR = {"scope": "openid acme", "resource_access": {"acme": {"roles": ["editor"]}}}
LET_IN: dict[str, Any] = {"name": "an editor", "claims": EDITOR, "allow": {}}


@pytest.fixture
def test(tmp_path: Path) -> Any:
    """Give what tests personas: `test(persona, persona, --json, roles={…})`."""

    def run(*given: Any, **changes: Any) -> Outcome:
        settings = written(tmp_path / "settings.yaml", {**SETTINGS, **changes})
        options = [it for it in given if isinstance(it, str)]
        personas = [it for it in given if isinstance(it, dict)]
        file = written(tmp_path / "personas.yaml", {"personas": personas})
        return invoke("test", file, "--config", settings, *options)

    return run


def persona(**changes: Any) -> dict[str, Any]:
    """Return the editor with these keys changed, or left out for None."""
    together = {**LET_IN, **changes}
    return {k: it for k, it in together.items() if it is not None or k == "claims"}


def denied_with(code: str, **claims: Any) -> dict[str, Any]:
    return persona(allow=None, deny=code, claims={**EDITOR, **claims})


# --- what is as expected


AS_EXPECTED = [
    pytest.param(persona(), id="let in"),
    pytest.param(
        persona(
            allow={
                "X-Hasura-Org-Id": "acme",
                "X-Hasura-Role": "editor",
                "X-Hasura-Allowed-Roles": "{editor}",
                "X-Hasura-User-Id": "an editor",
            }
        ),
        id="with these variables",
    ),
    pytest.param(persona(allow={"x-hasura-role": "editor"}), id="names have no case"),
    pytest.param(persona(allow={"X-Hasura-Plan": None}), id="without a variable"),
    pytest.param(
        persona(claims={**EDITOR, "plan": "gold"}, allow={"X-Hasura-Plan": "gold"}),
        id="with a claim of its own",
    ),
    pytest.param(
        persona(claims={**EDITOR, "sub": "u1"}, allow={"X-Hasura-User-Id": "u1"}), id="its own sub"
    ),
    pytest.param(persona(issuer=ISSUER), id="the issuer named"),
    pytest.param(
        persona(headers={"x-hasura-role": "editor", "X-Hasura-Org-Id": "acme"}), id="with wishes"
    ),
    pytest.param(
        persona(headers={"X-Hasura-Role": "viewer"}, allow=None, deny="role_not_granted"),
        id="a role that is not held",
    ),
    pytest.param(
        persona(headers={"X-Hasura-Org-Id": "b"}, allow=None, deny="org_not_granted"),
        id="an org that is not held",
    ),
    pytest.param(denied_with("no_org", scope="openid"), id="no scope of an org"),
    pytest.param(denied_with("no_org", resource_access=None), id="a claim taken away"),
    pytest.param(denied_with("no_org", resource_access=5), id="a claim of another type"),
    pytest.param(denied_with("no_org", resource_access=["acme"]), id="and of a third"),
    pytest.param(denied_with("missing_claim", sub=None), id="no user"),
    pytest.param(denied_with("missing_claim", exp=None), id="no end"),
    pytest.param(denied_with("wrong_audience", aud=None), id="no audience"),
    pytest.param(denied_with("wrong_audience", aud="acme"), id="another audience"),
    pytest.param(denied_with("expired", exp=0), id="expired"),
    pytest.param(denied_with("wrong_type", typ="ID"), id="an ID token"),
    pytest.param(denied_with("wrong_client", azp="admin-cli"), id="another client"),
    pytest.param(denied_with("wrong_issuer", iss="https://other"), id="another issuer"),
    pytest.param(
        denied_with("no_role", resource_access={"acme": {"roles": ["guest"]}}), id="no allowed role"
    ),
    pytest.param(persona(claims=None, allow=None, deny="no_credentials"), id="no token at all"),
    pytest.param(
        persona(headers={"Authorization": "Bearer x"}, allow=None, deny="ambiguous_credentials"),
        id="two credentials",
    ),
    pytest.param(
        persona(
            claims=None, headers={"Authorization": "Bearer x"}, allow=None, deny="malformed_token"
        ),
        id="a credential of its own",
    ),
    pytest.param(
        persona(
            headers={"X-Hasura-Role": "a", "x-hasura-role": "b"},
            allow=None,
            deny="malformed_request",
        ),
        id="two differing wishes",
    ),
]


@pytest.mark.parametrize("given", AS_EXPECTED)
def test_what_comes_as_expected_is_exit_0(test, given):
    found = test(given)

    assert found == (0, f"✓ {given['name']}\n1 as expected, 0 not\n", "")


@pytest.mark.parametrize("given", AS_EXPECTED)
def test_as_json_it_says_what_came(test, given):
    found = test(given, "--json")

    [said] = found.json["personas"]
    assert (found.code, found.err) == (0, "")
    assert list(said) == ["name", "code", "variables", "differences"]
    assert (said["name"], said["code"]) == (given["name"], given.get("deny"))
    assert said["differences"] == []
    assert bool(said["variables"]) is ("deny" not in given)


def test_the_documented_example_is_as_expected(tmp_path):
    manual = (ROOT / "docs" / "policy-tests.md").read_text("utf-8")
    [example] = re.findall(r"```yaml\n(.*?)```", manual, re.DOTALL)
    file = tmp_path / "personas.yaml"
    file.write_text(example, "utf-8")

    found = invoke("test", str(file), "-c", written(tmp_path / "settings.yaml", SETTINGS))

    assert (found.code, found.err) == (0, "")
    assert "6 as expected, 0 not" in found.out


def test_the_documented_keys_are_those_that_there_are():
    manual = (ROOT / "docs" / "policy-tests.md").read_text("utf-8")

    documented = re.findall(r"^\| `(\w+)` \|", manual, re.MULTILINE)
    assert sorted(documented) == ["allow", "claims", "deny", "headers", "issuer", "name"]


# --- what is not


NOT_AS_EXPECTED = [
    pytest.param(
        persona(allow={"X-Hasura-Role": "viewer"}),
        [("X-Hasura-Role", "viewer", "editor")],
        id="another role",
    ),
    pytest.param(
        persona(allow={"X-Hasura-Plan": "gold"}), [("X-Hasura-Plan", "gold", None)], id="missing"
    ),
    pytest.param(
        persona(allow={"X-Hasura-Role": None}), [("X-Hasura-Role", None, "editor")], id="too much"
    ),
    pytest.param(
        persona(allow={"X-Hasura-Org-Id": "b", "X-Hasura-Role": "editor", "X-Hasura-Plan": "p"}),
        [("X-Hasura-Org-Id", "b", "acme"), ("X-Hasura-Plan", "p", None)],
        id="two variables",
    ),
    pytest.param(
        persona(allow=None, deny="no_org"), [("code", "no_org", "allowed")], id="let in by mistake"
    ),
    pytest.param(
        persona(claims={}, allow={"X-Hasura-Role": "editor"}),
        [("code", "allowed", "no_org")],
        id="denied by mistake",
    ),
    pytest.param(
        denied_with("expired", scope="openid"), [("code", "expired", "no_org")], id="another code"
    ),
    pytest.param(
        persona(claims={**EDITOR, "plan": 10}, allow={"X-Hasura-Plan": 10}),
        [("X-Hasura-Plan", 10, "10")],
        id="a number that is answered as text",
    ),
]


@pytest.mark.parametrize(("given", "differences"), NOT_AS_EXPECTED)
def test_what_comes_otherwise_is_exit_1_and_is_shown(test, given, differences):
    found, as_json = test(given), test(given, "--json")

    assert (found.code, found.err, as_json.code, as_json.err) == (1, "", 1, "")
    lines = found.out.splitlines()
    assert (lines[0], lines[-1]) == ("✗ an editor", "0 as expected, 1 not")
    assert lines[1:-1] == [
        line
        for what, expected, got in differences
        for line in (
            f"    {what}: expected {expected!r}",
            f"    {' ' * len(what)}       got {got!r}",
        )
    ]
    assert as_json.json["personas"][0]["differences"] == [
        {"what": what, "expected": expected, "got": got} for what, expected, got in differences
    ]


def test_one_that_is_not_as_expected_is_enough(test):
    wrong = persona(name="[red]wrong[/red]", allow={"X-Hasura-Role": "[bold]x"})

    found = test(LET_IN, wrong, {**LET_IN, "name": "a third"})

    assert found.code == 1
    assert found.out.splitlines() == [
        "✓ an editor",
        "✗ [red]wrong[/red]",
        "    X-Hasura-Role: expected '[bold]x'",
        "                        got 'editor'",
        "✓ a third",
        "2 as expected, 1 not",
    ]


@pytest.mark.parametrize(
    ("claim", "expected", "code"),
    [
        pytest.param(True, True, 0, id="true"),
        pytest.param(True, 1, 1, id="true is not 1"),
        pytest.param(0, False, 1, id="0 is not false"),
        pytest.param(
            ["a", {"b": 1, "c": 2}], ["a", {"c": 2, "b": 1}], 0, id="the order of members"
        ),
        pytest.param(["a", "b"], ["b", "a"], 1, id="the order of a list"),
        pytest.param("", None, 1, id="an empty string is there"),
    ],
)
def test_as_native_json_the_types_count(test, claim, expected, code):
    session = {"values": "json", "variables": {"X-Hasura-X": "x"}}
    given = persona(claims={**EDITOR, "x": claim}, allow={"X-Hasura-X": expected})

    assert test(given, session=session).code == code


def test_files_are_told_one_after_the_other(tmp_path):
    settings = written(tmp_path / "settings.yaml", SETTINGS)
    files = [
        written(tmp_path / f"{name}.yaml", {"personas": [{**LET_IN, "name": name}]})
        for name in ("first", "second")
    ]

    found = invoke("test", *files, "--config", settings)

    assert found == (0, "✓ first\n✓ second\n2 as expected, 0 not\n", "")


# --- the settings


@pytest.mark.parametrize("algorithm", SUPPORTED_ALGORITHMS)
def test_tokens_are_signed_by_any_algorithm_that_can_be_set(test, algorithm):
    issuer = {**SETTINGS["issuers"][0], "algorithms": [algorithm, "RS256"]}

    assert test(LET_IN, issuers=[issuer]).code == 0


def test_each_persona_has_its_issuer_with_its_own_rules(test):
    first = {**SETTINGS["issuers"][0], "namespace": "eu"}
    second = {
        "issuer": OTHER,
        "clients": ["web"],
        "audiences": ["api"],
        "namespace": "us",
        "algorithms": ["PS256"],
        "org": {"from": "organization", "client": "api"},
    }
    native = {
        "scope": "openid organization:acme",
        "organization": {"acme": {"resource_access": {"api": {"roles": ["viewer"]}}}},
    }
    issuers = [first, second]

    found = test(
        persona(allow={"X-Hasura-Org-Id": "eu/acme", "X-Hasura-User-Id": "eu/an editor"}),
        persona(issuer=OTHER, claims=native, allow={"X-Hasura-Org-Id": "us/acme"}),
        persona(issuer=OTHER, claims=native, headers={"X-Hasura-Org-Id": "us/acme"}),
        persona(issuer=OTHER, allow=None, deny="no_org"),
        persona(claims=native, allow=None, deny="no_org"),
        persona(issuer=OTHER, claims={"iss": ISSUER}, allow=None, deny="unsupported_algorithm"),
        issuers=issuers,
    )

    assert (found.code, found.out.splitlines()[-1]) == (0, "6 as expected, 0 not")


def test_a_key_of_one_issuer_verifies_nothing_for_another(test):
    issuers = [
        {**SETTINGS["issuers"][0], "issuer": name, "namespace": space}
        for name, space in ((ISSUER, "eu"), (OTHER, "us"))
    ]
    stranger = persona(claims={**EDITOR, "iss": OTHER}, allow=None, deny="bad_signature")

    assert test(stranger, issuers=issuers).code == 0


def test_step_up_the_anonymous_role_and_the_org_header_can_be_tested(test):
    admin = {"acme": {"roles": ["admin", "viewer"]}}
    claims = {"scope": "openid acme", "resource_access": admin}

    found = test(
        persona(claims={**claims, "acr": "2"}, allow={"X-Hasura-Role": "org_admin"}),
        persona(claims={**claims, "acr": "0"}, allow={"X-Hasura-Allowed-Roles": "{viewer}"}),
        persona(
            claims=claims,
            headers={"X-Hasura-Role": "org_admin"},
            allow=None,
            deny="step_up_required",
        ),
        persona(claims=None, allow={"X-Hasura-Role": "public", "X-Hasura-Org-Id": None}),
        persona(headers={"X-Org": "other"}, allow=None, deny="org_not_granted"),
        roles={**SETTINGS["roles"], "acr": {"org_admin": ["2"]}},
        anonymous={"role": "public"},
        org_header="X-Org",
    )

    assert (found.code, found.out.splitlines()[-1]) == (0, "5 as expected, 0 not")


def test_keycloak_is_not_asked_about_lightweight_tokens(test):
    introspection = {"client_id": "asker", "client_secret": "s3cret", "when": "always"}
    issuer = {**SETTINGS["issuers"][0], "introspection": introspection}

    assert test(LET_IN, denied_with("missing_claim", sub=None), issuers=[issuer]).code == 0


def test_settings_that_are_wrong_are_usage(fails_loudly, tmp_path):
    file = written(tmp_path / "personas.yaml", {"personas": [LET_IN]})

    found = invoke("test", file, "--config", fails_loudly)
    as_json = invoke("test", file, "--config", fails_loudly, "--json")

    assert (found.code, found.out, as_json.code) == (2, "", 2)
    assert "configuration: webhook.port: " in found.err
    assert "problems" in as_json.json


# --- the files


BAD_FILES = [
    pytest.param("", "file: Input should be", id="empty"),
    pytest.param("- a", "file: Input should be", id="a list"),
    pytest.param("personas: []", "personas: List should have at least 1", id="no personas"),
    pytest.param("personas: {}", "personas: Input should be a valid list", id="a map"),
    pytest.param("people: []", "people: Extra inputs", id="another key"),
    pytest.param("personas: [", "line 1: is not YAML", id="an open bracket"),
    pytest.param("personas: 2024-13-45", "is not YAML", id="a date that is none"),
    pytest.param("personas: " + "[" * 500, "is not YAML", id="too deep"),
    pytest.param("personas: []\npersonas: []", "a key stands here twice", id="a key twice"),
    pytest.param("personas: !!python/name:os.system", "is not YAML", id="a tag"),
    pytest.param(b"personas: \xff", "is not UTF-8", id="Latin-1"),
    *(
        pytest.param({"personas": [wrong]}, f"personas.0{said}", id=name)
        for name, wrong, said in (
            ("no name", persona(name=None), ".name: Field required"),
            ("an empty name", persona(name=""), ".name: String should have at least 1"),
            ("a name too long", persona(name="x" * 256), ".name: String should have at most 255"),
            ("nothing expected", persona(allow=None), ": must have either `allow` or `deny`"),
            ("both expected", persona(deny="no_org"), ": must have either `allow` or `deny`"),
            ("an unknown code", persona(allow=None, deny="no_orgs"), ".deny: Input should be"),
            ("an unknown key", persona(allows={}), ".allows: Extra inputs"),
            ("claims as a list", persona(claims=["sub"]), ".claims: Input should be"),
            ("a number as header", persona(headers={"X-Hasura-Role": 1}), ".headers.X-Hasura-Role"),
            (
                "a claim that is no number",
                persona(claims={"x": float("nan")}),
                ".claims.x: must be",
            ),
            ("an infinite one", persona(allow={"x": float("inf")}), ".allow.x: must be"),
        )
    ),
    pytest.param(
        "personas: [{name: a, allow: {}, claims: {birthdate: 2020-01-01}}]",
        "personas.0.claims.birthdate: input was not a valid JSON value",
        id="a date that is no string",
    ),
]


@pytest.mark.parametrize(("content", "said"), BAD_FILES)
def test_a_file_that_is_not_right_is_exit_2(tmp_path, content, said):
    file = tmp_path / "personas.yaml"
    text = yaml.safe_dump(content) if isinstance(content, dict) else content
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    settings = written(tmp_path / "settings.yaml", SETTINGS)

    found = invoke("test", str(file), "--config", settings)
    as_json = invoke("test", str(file), "--config", settings, "--json")

    assert (found.code, found.out) == (2, "")
    assert found.err.startswith(f"{file}: ")
    assert said in found.err
    assert (as_json.code, as_json.err) == (2, "")
    assert as_json.json == {"problems": found.err.splitlines()}


def test_all_that_is_wrong_with_all_files_is_told_at_once(tmp_path):
    missing, folder = tmp_path / "none.yaml", tmp_path
    two = written(
        tmp_path / "two.yaml",
        {"personas": [persona(name=""), persona(deny="no_org"), persona(issuer=OTHER)]},
    )
    foreign = written(
        tmp_path / "foreign.yaml",
        {"personas": [persona(issuer=OTHER), LET_IN, persona(name="b", issuer=f"{ISSUER}/")]},
    )
    settings = written(tmp_path / "settings.yaml", SETTINGS)

    found = invoke("test", str(missing), str(folder), two, foreign, "--config", settings)

    assert (found.code, found.out) == (2, "")
    assert [line.partition(": ")[2] for line in found.err.splitlines()] == [
        "cannot be read: No such file or directory",
        "cannot be read: Is a directory",
        "personas.0.name: String should have at least 1 character",
        "personas.1: must have either `allow` or `deny`",
        "an editor: its issuer is not in the settings",
        "b: its issuer is not in the settings",
    ]


def test_it_needs_a_file():
    assert invoke("test").code == 2


def test_any_code_can_be_expected(test):
    found = test(*(persona(name=str(code), allow=None, deny=str(code)) for code in Code), "--json")

    assert found.code == 1
    assert [it["differences"][0]["expected"] for it in found.json["personas"]] == list(Code)


@pytest.mark.parametrize("algorithm", ["RS256", "EdDSA"])
def test_as_a_process_it_writes_nothing_else(tmp_path, algorithm):
    issuer = {**SETTINGS["issuers"][0], "algorithms": [algorithm]}
    settings = written(tmp_path / "settings.yaml", {**SETTINGS, "issuers": [issuer]})
    file = written(tmp_path / "personas.yaml", {"personas": [LET_IN]})

    with Process("test", file, "--config", settings) as process:
        found = process.end()

    assert found == (0, "✓ an editor\n1 as expected, 0 not\n", "")
