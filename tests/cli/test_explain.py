"""`explain`: the webhook's own verdict, with what to do about it."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
import termios
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from hasura_kc_auth.authenticator import Authenticator, Completion
from hasura_kc_auth.cli.advice import ADVICE, advice_for
from hasura_kc_auth.cli.examination import Examination, examine, reasons
from hasura_kc_auth.cli.org_advice import proof_of_org
from hasura_kc_auth.core.errors import Code, Denied
from hasura_kc_auth.core.policy import OrgPolicy
from hasura_kc_auth.core.request import Request
from hasura_kc_auth.core.rules import ORDER
from hasura_kc_auth.ports import Told
from tests.cli.commands import (
    LONG,
    Outcome,
    Process,
    ask,
    bearer,
    free_ports,
    invoke,
    until,
)
from tests.cli.realm import Realm, now
from tests.made_tokens import ABSENT, GOOD, ISSUER, NOW, POLICY, KeysAtHand, claims, sign

_BOTH = {"acme": {"roles": ["editor"]}, "globex": {"roles": ["viewer"]}}
_ACCOUNT = {"account": {"roles": ["view-profile"]}}
_PLAIN_SCOPE = "openid profile email"


def _changed_header(token: str, **changes: Any) -> str:
    head = json.dumps({"alg": "RS256", "typ": "JWT", "kid": "k", **changes}).encode()
    return ".".join([urlsafe_b64encode(head).decode().rstrip("="), *token.split(".")[1:]])


def _changed_signature(token: str) -> str:
    signed, _, signature = token.rpartition(".")
    return f"{signed}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


class Row(NamedTuple):
    """A token, the wishes, the code (None: allowed) and what the advice must say."""

    token: Callable[[Realm], str]
    code: Code | None
    words: tuple[str, ...] = ()
    org: str = ""
    role: str = ""


ROWS = {
    "allowed": Row(lambda r: r.token(), None),
    "allowed with wishes": Row(lambda r: r.token("dave"), None, (), "acme", "viewer"),
    "two orgs, one named": Row(lambda r: r.token(scope="openid acme globex"), None, (), "globex"),
    "full scope: a role without its scope": Row(
        lambda r: r.made(
            scope=_PLAIN_SCOPE,
            resource_access={**_BOTH, **_ACCOUNT},
            aud=["hasura", "acme", "globex", "account"],
        ),
        Code.NO_ORG,
        (
            f"scope is '{_PLAIN_SCOPE}'",
            "Roles of 'acme' are in the token, but its scope 'acme' is not",
            "Full scope allowed",
            "'account' cannot be an org",
        ),
    ),
    "full scope: another org was asked for": Row(
        lambda r: r.made(resource_access=_BOTH, aud=["hasura", "acme", "globex"]),
        Code.ORG_NOT_GRANTED,
        ("It holds acme", "Roles of 'globex' are in the token", "prompt=none"),
        "globex",
    ),
    "a scope without a role": Row(
        lambda r: r.made(resource_access=None, aud="hasura"),
        Code.NO_ORG,
        ("no resource_access at all", "dropped it in silence", "scope=openid ORG"),
    ),
    "a scope with an empty list of roles": Row(
        lambda r: r.made(resource_access={"acme": {"roles": []}}),
        Code.NO_ORG,
        ("The scope of 'acme' is there, but no role of that org",),
    ),
    "an org that is not in aud": Row(
        lambda r: r.made(aud="hasura"), Code.NO_ORG, ("'acme' is not in aud", "Audience Resolve")
    ),
    "no org picked yet": Row(lambda r: r.token(scope="openid"), Code.NO_ORG, ("no org's scope",)),
    "an org that is not the user's": Row(
        lambda r: r.token("bob", "openid globex"), Code.NO_ORG, ("no role in that org",)
    ),
    "another org is named": Row(
        lambda r: r.token("bob"), Code.ORG_NOT_GRANTED, ("It holds acme",), "globex"
    ),
    "two orgs": Row(
        lambda r: r.token(scope="openid acme globex"),
        Code.AMBIGUOUS_ORG,
        ("The token holds acme and globex", "org header"),
    ),
    "a role that is not held": Row(
        lambda r: r.token(),
        Code.ROLE_NOT_GRANTED,
        ("Roles held in 'acme': editor", "X-Hasura-Role"),
        role="org_admin",
    ),
    "Hasura's superuser": Row(
        lambda r: r.token("dave"),
        Code.ROLE_NOT_GRANTED,
        ("Roles held in 'acme': org_admin, editor, viewer",),
        role="admin",
    ),
    "no role that is allowed": Row(
        lambda r: r.made(resource_access={"acme": {"roles": ["guest"]}}),
        Code.NO_ROLE,
        ("none that is allowed", "roles.allowed", "roles.map"),
    ),
    "another client": Row(
        lambda r: r.made(azp="admin-cli"),
        Code.WRONG_CLIENT,
        ("azp is 'admin-cli'", "`clients` has frontend", "never are"),
    ),
    "another audience": Row(
        lambda r: r.made(aud="acme"),
        Code.WRONG_AUDIENCE,
        ("aud is 'acme'", "`audiences` has hasura", "Audience mapper"),
    ),
    "Keycloak's inner address as issuer": Row(
        lambda r: r.made(iss="http://keycloak:8080/realms/demo"),
        Code.WRONG_ISSUER,
        ("iss is 'http://keycloak:8080/realms/demo'", "KC_HOSTNAME", "jwks_uri", "inner address"),
    ),
    "an issuer with a slash too many": Row(
        lambda r: r.made(iss=f"{r.issuer.issuer}/"), Code.WRONG_ISSUER, ("to the letter",)
    ),
    "expired": Row(lambda r: r.made(exp=now() - 31), Code.EXPIRED, ("Refresh the token", "clocks")),
    "expired within the leeway": Row(lambda r: r.made(exp=now() - 5), None),
    "from the future": Row(lambda r: r.made(iat=now() + 60), Code.NOT_YET_VALID, ("clock",)),
    "a refresh token": Row(
        lambda r: r.issuer.login("alice", "openid acme").refresh,
        Code.UNSUPPORTED_ALGORITHM,
        ("refresh token",),
    ),
    "an ID token": Row(
        lambda r: str(r.issuer.login("alice", "openid acme").identity),
        Code.WRONG_TYPE,
        ("access_token", "id_token"),
    ),
    "a logout token": Row(lambda r: r.made(typ="Logout"), Code.WRONG_TYPE),
    "another header typ": Row(
        lambda r: _changed_header(r.token(), typ="logout+jwt"), Code.WRONG_TYPE
    ),
    "a lightweight token": Row(
        lambda r: r.made(sub=None, aud=None, resource_access=None),
        Code.MISSING_CLAIM,
        ("Lightweight", "basic"),
    ),
    "bound to a key": Row(
        lambda r: r.made(cnf={"jkt": "x"}), Code.SENDER_CONSTRAINED, ("DPoP", "plain Bearer")
    ),
    "a DPoP token": Row(lambda r: r.made(typ="DPoP"), Code.SENDER_CONSTRAINED),
    "an unknown key": Row(
        lambda r: _changed_header(r.token()), Code.UNKNOWN_KEY, ("does not publish this key",)
    ),
    "changed on its way": Row(lambda r: _changed_signature(r.token()), Code.BAD_SIGNATURE),
    "critical extensions": Row(
        lambda r: _changed_header(r.token(), crit=["b64"]), Code.MALFORMED_TOKEN
    ),
    "no kid": Row(lambda r: _changed_header(r.token(), kid=None), Code.MALFORMED_TOKEN),
    "two parts": Row(lambda r: r.token().rpartition(".")[0], Code.MALFORMED_TOKEN),
    "not a token": Row(lambda _: "hello", Code.MALFORMED_TOKEN, ("whole",)),
    "too long": Row(lambda _: "a" * 40_000, Code.MALFORMED_TOKEN, ("webhook.max_token",)),
    "another scheme": Row(
        lambda _: "Basic YTpi", Code.MALFORMED_TOKEN, ("not of the Bearer scheme",)
    ),
}


def explained(config: Callable[..., str], token: str, *options: str) -> Outcome:
    return invoke("explain", "--config", config(), *options, given=token)


@pytest.mark.parametrize("row", [pytest.param(row, id=name) for name, row in ROWS.items()])
def test_the_verdict_is_the_webhooks_own(realm, config, row):
    token = row.token(realm)
    authorization = token if " " in token else f"Bearer {token}"
    wishes = {"X-Hasura-Org-Id": row.org, "X-Hasura-Role": row.role}

    found = explained(config, token, "--json", "--org", row.org, "--role", row.role)
    answer = ask(realm.webhook_port, "/", {"Authorization": authorization, **wishes})

    assert found.json["code"] == row.code
    if row.code is None:
        answer.body.pop("Cache-Control")
        assert (found.code, answer.status) == (0, 200)
        assert found.json["variables"] == answer.body
    else:
        assert (found.code, answer.status) == (1, 401)
        assert answer.body == {"code": row.code}
        assert found.json["variables"] is None


@pytest.mark.parametrize("row", [pytest.param(row, id=name) for name, row in ROWS.items()])
def test_each_rule_is_named_in_order_and_the_first_broken_one_is_the_code(realm, config, row):
    wishes = ("--org", row.org, "--role", row.role)
    found = explained(config, row.token(realm), "--json", *wishes).json

    assert list(found) == ["allowed", "code", "rules", "advice", "variables"]
    assert found["allowed"] is (row.code is None)
    assert [it["code"] for it in found["rules"]] == [fact.code.value for fact in ORDER]
    told = {it["must"] for it in found["rules"]}
    assert {fact.must for fact in ORDER if fact.code is not Code.NO_ORG} < told
    assert {it["holds"] for it in found["rules"]} <= {True, False, None}
    broken = [it["code"] for it in found["rules"] if it["holds"] is False]
    if row.code is None:
        assert {it["holds"] for it in found["rules"]} == {True}
        assert found["advice"] == []
    else:
        assert broken[0] == row.code
        assert found["advice"][-1] == ADVICE[row.code]


@pytest.mark.parametrize("row", [pytest.param(row, id=name) for name, row in ROWS.items()])
def test_a_person_is_told_what_to_do(realm, config, row):
    token = row.token(realm)

    found = explained(config, token, "--org", row.org, "--role", row.role)

    told = " ".join(found.out.split())
    assert found.code == (0 if row.code is None else 1)
    assert found.err == ""
    assert (f"denied: {row.code}" in told) is (row.code is not None)
    for words in row.words:
        assert words in told
    assert "\x1b" not in found.out
    assert token not in found.out or token == "hello"
    for fact in ORDER:
        assert fact.code is Code.NO_ORG or " ".join(fact.must.split()[:4]) in told


def test_an_allowed_request_shows_its_variables(realm, config):
    found = explained(config, realm.token())

    assert "allowed" in found.out
    for words in (
        '"X-Hasura-Org-Id": "acme"',
        '"X-Hasura-Role": "editor"',
        '"X-Hasura-Name": "Alice"',
    ):
        assert words in found.out


@pytest.mark.parametrize(
    "name", ["[red]Bob", "[/red]", "Bob [admin] of [acme]", "\\[bold]", "[link=x]a"]
)
def test_what_a_claim_holds_is_shown_and_not_obeyed(realm, config, name):
    found = explained(config, realm.made(name=name))

    assert found.code == 0
    assert json.dumps(name) in found.out


def test_the_control_characters_of_a_claim_are_not_sent_to_the_terminal(realm, config):
    found = explained(config, realm.made(azp="a\x1b[2Jb\x07"))

    assert found.code == 1
    assert "\x1b" not in found.out
    assert "\x07" not in found.out


@pytest.mark.parametrize(
    "form",
    [
        "{}",
        "{}\n",
        "  {}  \r\n",
        "Bearer {}",
        "bearer {}",
        "Authorization: Bearer {}",
        "Authorization:Bearer {}",
        "Authorization: {}",
        "authorization: Bearer {}",
        "AUTHORIZATION: bearer {}\n",
    ],
)
def test_people_paste_the_header_as_well_as_the_token(realm, config, form):
    found = explained(config, form.replace("{}", realm.token()), "--json")

    assert (found.code, found.json["allowed"]) == (0, True)


@pytest.mark.parametrize(
    "given", ["", "\n", "   ", "Bearer", "Bearer ", "Authorization:", "Authorization: Bearer "]
)
def test_nothing_at_all_is_no_token(config, given):
    found = explained(config, given, "--json")

    assert found.code == 1
    assert found.json["code"] in (Code.MALFORMED_TOKEN, Code.NO_CREDENTIALS)


@pytest.mark.parametrize("given", [b"\xff\xfe\x00", b"a.b.\xc3\x28", "tök€n".encode(), b"\x00\x01"])
def test_bytes_that_are_no_text_are_no_token(config, given):
    # As in the locale of most people; in the plain C locale Python is more patient.
    strict = {"PYTHONIOENCODING": "utf-8:strict"}
    arguments = ("explain", "--config", config(), "--json")
    with Process(*arguments, variables=strict, stdin=subprocess.PIPE) as process:
        out, err = process.popen.communicate(given, timeout=LONG)

    assert b"Traceback" not in err
    assert process.popen.returncode == 1
    assert json.loads(out)["code"] == Code.MALFORMED_TOKEN


def test_a_closed_input_is_no_token(config):
    command = ["sh", "-c", 'exec "$0" "$@" <&-']
    with Process("explain", "--config", config()) as process:
        arguments = process.popen.args
    done = subprocess.run(  # noqa: S603 - our own program
        [*command, *arguments],
        capture_output=True,
        timeout=LONG,
        check=False,  # type: ignore[misc]
    )

    assert b"Traceback" not in done.stderr
    assert done.returncode in (1, 2)


def test_the_token_is_never_an_argument(realm, config):
    found = invoke("explain", "--config", config(), realm.token())

    assert found.code == 2
    assert "explain" not in [
        name for name in invoke("explain", "--help").out.split() if "TOKEN" in name
    ]


def test_keys_that_cannot_be_fetched_leave_it_open(realm, config):
    [port] = free_ports()
    nowhere = realm.settings()["issuers"][0] | {"jwks_uri": f"http://127.0.0.1:{port}/certs"}
    file = config(issuers=[nowhere])

    found = invoke("explain", "--config", file, "--json", given=realm.token())
    told = invoke("explain", "--config", file, given=realm.token())

    assert (found.code, told.code) == (3, 3)
    assert (found.json["allowed"], found.json["code"]) == (False, "keys_unavailable")
    broken = [it["code"] for it in found.json["rules"] if it["holds"] is False]
    unknown = [it["code"] for it in found.json["rules"] if it["holds"] is None]
    assert broken == ["keys_unavailable"]
    assert unknown[0] == "unknown_key"
    assert unknown[-1] == "step_up_required"
    assert "check --online" in told.out
    assert "no connection" in told.out


def test_what_fails_before_the_keys_asks_nobody(realm, config):
    for token in ("hello", realm.made(iss="https://other")):
        assert explained(config, token).code == 1


def test_settings_that_are_wrong_are_usage(fails_loudly):
    found = invoke("explain", "--config", fails_loudly, given="x")

    assert found.code == 2
    assert found.out == ""
    for name in ("issuers", "webhook.port", "nonsense"):
        assert f"configuration: {name}: " in found.err


def _on_a_terminal(config: str, typed: str) -> tuple[Outcome, str]:
    """Run `explain` with a terminal as its input; return what it wrote there as well."""
    master, slave = pty.openpty()
    shown = b""
    streams = {"stdin": slave, "stderr": slave, "start_new_session": True}
    try:
        with Process("explain", "--config", config, "--json", **streams) as process:
            os.close(slave)
            until(lambda: not termios.tcgetattr(master)[3] & termios.ECHO)
            for at in range(0, len(typed), 1000):
                os.write(master, typed[at : at + 1000].encode())
            os.write(master, b"\n")
            out, _ = process.popen.communicate(timeout=LONG)
            while select.select([master], [], [], 0)[0]:
                try:
                    shown += os.read(master, 4096)
                except OSError:  # Linux's way to say that the other side has gone
                    break
        return Outcome(process.popen.returncode, out.decode(), ""), shown.decode()
    finally:
        os.close(master)


def test_on_a_terminal_the_prompt_is_hidden(realm, config):
    token = realm.token()

    found, shown = _on_a_terminal(config(), token)

    assert found.code == 0
    assert token[:20] not in shown
    assert shown.startswith("Token")
    assert found.json["allowed"] is True  # the prompt does not stand before what machines read


def test_a_terminal_takes_a_token_that_is_longer_than_its_line(realm, config):
    """A token with full scope on has 4.6 KB for fifty orgs: the very one that wants explaining."""
    access = {f"org{number}": {"roles": ["editor"]} for number in range(100)}
    token = realm.made(resource_access=access, scope=_PLAIN_SCOPE, aud=["hasura", *access])
    assert len(token) > 4096

    found, _ = _on_a_terminal(config(), token)

    assert Code.NO_ORG in found.out.partition('"rules"')[0]


# --- the other carriers


_NATIVE = {"from": "organization", "client": "hasura"}
_BY_CLAIM = {"from": "claim", "claim": "org.active"}
_EDITOR = {"resource_access": {"hasura": {"roles": ["editor"]}}}


def _native(scope: str, organization: Any, **changes: Any) -> Callable[[Realm], str]:
    return lambda r: r.made(scope=f"openid {scope}", organization=organization, **changes)


class Carried(NamedTuple):
    """A token, how its realm carries the org, the code (None: allowed) and what must be said."""

    token: Callable[[Realm], str]
    org: dict[str, Any]
    code: Code | None
    words: tuple[str, ...] = ()
    wish: str = ""
    unsaid: tuple[str, ...] = ("resource_access at all", "Full scope allowed", "scope=openid ORG")


CARRIED = {
    "an organization": Carried(
        _native("organization:acme", {"acme": _EDITOR}), _NATIVE, None, unsaid=()
    ),
    "no organization scope": Carried(
        _native("email", {"acme": _EDITOR}),
        _NATIVE,
        Code.NO_ORG,
        (
            "scope is 'openid email'",
            "organization claim has ['acme']",
            "No organization scope was asked for",
            "scope=openid organization:ALIAS",
        ),
    ),
    "no member of it": Carried(
        _native("organization:acme", None),
        _NATIVE,
        Code.NO_ORG,
        ("organization claim has []", "no member of what was asked for"),
    ),
    "several, and none was picked": Carried(
        _native("organization", {}), _NATIVE, Code.NO_ORG, ("several orgs and none was picked",)
    ),
    "a second entry": Carried(
        _native("organization:acme", {"acme": {}, "beta": _EDITOR}),
        _NATIVE,
        Code.NO_ORG,
        (
            "organization claim has ['acme', 'beta']",
            "Scope and claim name different orgs",
            "Drop the older token",
        ),
    ),
    "another is named beside the default scope": Carried(
        _native("organization organization:beta", {"acme": _EDITOR}),
        _NATIVE,
        Code.NO_ORG,
        ("Scope and claim name different orgs",),
    ),
    "an org that is cut off": Carried(
        _native("organization:acme", {"acme": _EDITOR}),
        {**_NATIVE, "deny": ["acme"]},
        Code.NO_ORG,
        ("kept out by `org.only` or `org.deny`",),
    ),
    "an org without its id": Carried(
        _native("organization:acme", {"acme": _EDITOR}),
        {**_NATIVE, "id": "attribute:tenant"},
        Code.NO_ORG,
        ("has no `org.id`",),
    ),
    "all of them": Carried(
        _native("organization:*", {"acme": _EDITOR, "beta": {}}),
        _NATIVE,
        Code.AMBIGUOUS_ORG,
        ("The token holds acme and beta", "names none of them", "organization:ALIAS"),
        "acme",
    ),
    "two that are named": Carried(
        _native("organization:acme organization:beta", {"acme": _EDITOR, "beta": {}}),
        _NATIVE,
        Code.AMBIGUOUS_ORG,
        ("The token holds acme and beta",),
        unsaid=("names none of them",),
    ),
    "another organization is named": Carried(
        _native("organization:acme", {"acme": _EDITOR}),
        _NATIVE,
        Code.ORG_NOT_GRANTED,
        ("It holds acme", "organization claim has ['acme']"),
        "beta",
        ("kept out", "different orgs"),
    ),
    "roles at the top level only": Carried(
        _native("organization:acme", ["acme"], resource_access=_EDITOR["resource_access"]),
        _NATIVE,
        Code.NO_ROLE,
        ("Roles held in 'acme': none that is allowed",),
    ),
    "a chosen org": Carried(lambda r: r.made(org={"active": "acme"}), _BY_CLAIM, None, unsaid=()),
    "none was chosen": Carried(
        lambda r: r.made(),
        _BY_CLAIM,
        Code.NO_ORG,
        ("The claim org.active is None", "only with a role in resource_access, and in aud"),
    ),
    "one was chosen without a role": Carried(
        lambda r: r.made(org={"active": "globex"}),
        _BY_CLAIM,
        Code.NO_ORG,
        ("The claim org.active is 'globex'",),
    ),
    "another than the chosen one is named": Carried(
        lambda r: r.made(org={"active": "acme"}),
        _BY_CLAIM,
        Code.ORG_NOT_GRANTED,
        ("It holds acme", "The claim org.active is 'acme'"),
        "globex",
    ),
}


@pytest.mark.parametrize("row", [pytest.param(row, id=name) for name, row in CARRIED.items()])
def test_what_is_said_of_orgs_is_about_how_the_realm_carries_them(realm, config, row):
    issuer = {**realm.settings()["issuers"][0], "org": row.org}
    file = config(issuers=[issuer])

    told = invoke("explain", "--config", file, "--org", row.wish, given=row.token(realm))
    found = invoke("explain", "--config", file, "--org", row.wish, "--json", given=row.token(realm))

    words = " ".join(told.out.split())
    assert (told.code, found.code) == ((0, 0) if row.code is None else (1, 1))
    assert found.json["code"] == row.code
    assert all(it in words for it in row.words)
    assert not [it for it in row.unsaid if it in words]
    [must] = [it["must"] for it in found.json["rules"] if it["code"] == Code.NO_ORG]
    assert must == PROOFS[row.org["from"]]
    if row.code is not None:
        assert found.json["advice"][-1] == advice_for(row.code, row.org["from"])


PROOFS = {
    "client-scope": "an org's scope, a role in that org and the org in aud are all in the token",
    "organization": "the organization claim holds an org that the scope asks for, and no other",
    "claim": "the claim names an org, and a role in that org and the org in aud are in the token "
    "too",
}


@pytest.mark.parametrize("source", PROOFS)
def test_what_must_hold_of_an_org_is_said_for_its_carrier(source):
    assert proof_of_org(OrgPolicy(source=source)) == PROOFS[source]


def test_a_token_that_is_not_read_so_far_has_the_rule_for_every_carrier(config):
    found = explained(config, "hello", "--json").json

    [must] = [it["must"] for it in found["rules"] if it["code"] == Code.NO_ORG]
    assert must == "the token proves an org, in all the ways that `org.from` asks for"


@pytest.mark.parametrize(
    ("code", "source", "own"),
    [
        (Code.NO_ORG, "organization", ("organization:ALIAS", "Members")),
        (Code.ORG_NOT_GRANTED, "organization", ("organization:ALIAS", "prompt=none")),
        (Code.AMBIGUOUS_ORG, "organization", ("organization:ALIAS", "by its alias")),
        (Code.NO_ROLE, "organization", ("Organizations, the organization, Groups", "Or list")),
        (Code.NO_ORG, "claim", ("Attributes", "client of that name")),
        (Code.ORG_NOT_GRANTED, "claim", ("change the user's choice", "refresh")),
    ],
)
def test_what_to_do_about_an_org_is_said_for_its_carrier(code, source, own):
    words = advice_for(code, source)

    assert words != ADVICE[code]
    assert all(it in words for it in own)
    assert "openid ORG" not in words
    assert words.endswith(".")


@pytest.mark.parametrize("source", PROOFS)
def test_all_else_is_said_alike(source):
    orgs = {Code.NO_ORG, Code.ORG_NOT_GRANTED, Code.AMBIGUOUS_ORG, Code.NO_ROLE}
    alike = set(Code) - orgs
    assert {code: advice_for(code, source) for code in alike} == {
        code: ADVICE[code] for code in alike
    }


@pytest.mark.parametrize(
    ("acr", "role", "code"),
    [("0", "org_admin", "step_up_required"), ("0", "", None), ("2", "org_admin", None)],
)
def test_a_login_that_is_too_weak_for_a_role_is_told(realm, config, acr, role, code):
    roles = {**realm.settings()["roles"], "acr": {"org_admin": ["2"]}}
    access = {"acme": {"roles": ["admin", "viewer"]}}
    token = realm.made(acr=acr, resource_access=access)

    told = invoke("explain", "--config", config(roles=roles), "--role", role, given=token)
    found = invoke(
        "explain", "--config", config(roles=roles), "--role", role, "--json", given=token
    )

    assert found.json["code"] == code
    broken = [it["code"] for it in found.json["rules"] if it["holds"] is False]
    assert broken == ([] if code is None else [code])
    if code is not None:
        words = " ".join(told.out.split())
        assert "The token's acr is '0'" in words
        assert "silent switch (prompt=none)" in words


# --- lightweight tokens


_BARE: dict[str, Any] = {"sub": None, "aud": None, "acr": None, "resource_access": None}


def _asking(realm: Realm, **changes: Any) -> dict[str, Any]:
    [port] = free_ports()
    nowhere = f"http://127.0.0.1:{port}/introspect"
    asks = {"client_id": "hasura", "client_secret": "s3cret", "url": nowhere, **changes}
    return {**realm.settings()["issuers"][0], "introspection": asks}


def test_keycloak_that_cannot_be_asked_leaves_it_open(realm, config):
    found = invoke(
        "explain",
        *("--config", config(issuers=[_asking(realm)]), "--json"),
        given=realm.made(**_BARE),
    )

    holds = {it["code"]: it["holds"] for it in found.json["rules"]}
    assert (found.code, found.json["code"]) == (3, "introspection_unavailable")
    assert holds["introspection_unavailable"] is False
    assert holds["bad_signature"] is True
    assert (holds["inactive_token"], holds["expired"], holds["no_org"]) == (None, None, None)
    assert "s3cret" not in found.out


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"exp": 0}, Code.EXPIRED, id="expired"),
        pytest.param({"azp": "admin-cli"}, Code.WRONG_CLIENT, id="another client"),
        pytest.param({"cnf": {}}, Code.SENDER_CONSTRAINED, id="bound to a key"),
        pytest.param({"exp": None}, Code.MISSING_CLAIM, id="no exp"),
        pytest.param({"exp": 0, "azp": "x"}, Code.EXPIRED, id="two things at once"),
    ],
)
def test_what_fails_by_its_own_claims_is_told_and_asks_nobody(realm, config, changes, code):
    found = invoke(
        "explain",
        *("--config", config(issuers=[_asking(realm)]), "--json"),
        given=realm.made(**_BARE, **changes),
    )

    holds = {it["code"]: it["holds"] for it in found.json["rules"]}
    broken = [it["code"] for it in found.json["rules"] if it["holds"] is False]
    assert (found.code, found.json["code"]) == (1, code)
    assert broken[0] == code
    assert (holds["inactive_token"], holds["no_org"]) == (None, None)
    assert found.json["advice"][-1] == ADVICE[code]


class _Says:
    """The port Introspects with one answer."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.answer = answer

    async def introspect(self, _token: str) -> Told:
        return Told(self.answer, 30.0)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({}, None, id="an answer that lets in"),
        pytest.param({"active": False}, Code.INACTIVE_TOKEN, id="inactive"),
        pytest.param({"jti": "x"}, Code.INACTIVE_TOKEN, id="about another token"),
        pytest.param({"typ": "ID"}, Code.WRONG_TYPE, id="an ID token"),
        pytest.param({"resource_access": {}}, Code.NO_ORG, id="a role that was withdrawn"),
    ],
)
async def test_what_keycloak_tells_is_examined_as_the_claims_of_a_token(changes, code):
    token = sign(claims(dict.fromkeys(_BARE, ABSENT)))
    says = _Says({**GOOD, "active": True, **changes})
    completions = {ISSUER: Completion(says, always=False)}
    asking = Authenticator(POLICY, KeysAtHand(), lambda: NOW, completions)

    found = await examine(asking, Request(token))

    assert (found.denied and found.denied.code) == code
    broken = [fact.code for fact, holds in found.findings() if holds is False]
    assert broken[:1] == ([] if code is None else [code])
    if code is Code.INACTIVE_TOKEN:
        assert "from 26.6 on" in reasons(found)[-1]


# --- the words


def test_there_is_advice_for_every_code():
    assert set(ADVICE) == set(Code)
    assert list(ADVICE) == list(Code)
    assert len(set(ADVICE.values())) == len(Code)
    assert all(words.endswith(".") and len(words) > 20 for words in ADVICE.values())


@pytest.mark.parametrize("code", list(Code))
def test_each_code_has_words_even_where_little_is_known(code):
    bare = reasons(Examination(denied=Denied(code)))
    detailed = reasons(Examination(denied=Denied(code, "so it is")))

    assert bare == [ADVICE[code]]
    assert detailed == ["In short: so it is.", ADVICE[code]]
    assert reasons(Examination()) == []


async def test_a_request_without_a_token_is_examined_as_well(service):
    found = await examine(service.service.authenticator, Request(None))

    assert found.denied is not None
    assert found.denied.code is Code.NO_CREDENTIALS
    holds = {fact.code: it for fact, it in found.findings()}
    assert holds[Code.NO_CREDENTIALS] is False
    assert holds[Code.AMBIGUOUS_CREDENTIALS] is True
    assert holds[Code.EXPIRED] is None


def test_several_issuers_with_namespaces_are_told_apart(realm, config):
    first = realm.settings()["issuers"][0]
    [port] = free_ports()
    second = {**first, "issuer": f"http://127.0.0.1:{port}/realms/other", "namespace": "us"}
    file = config(issuers=[{**first, "namespace": "eu"}, second])
    token = realm.token(scope="openid acme globex")

    ambiguous = invoke("explain", "--config", file, given=token)
    named = invoke("explain", "--config", file, "--json", "--org", "eu/acme", given=token)
    unprefixed = invoke("explain", "--config", file, "--json", "--org", "acme", given=token)

    assert "The token holds eu/acme and eu/globex." in " ".join(ambiguous.out.split())
    assert (named.code, named.json["variables"]["X-Hasura-Org-Id"]) == (0, "eu/acme")
    assert (unprefixed.code, unprefixed.json["code"]) == (1, "org_not_granted")


def test_it_fetches_the_keys_as_the_service_does(realm, config):
    realm.calm()

    explained(config, realm.token())

    assert dict(realm.issuer.fetches) == {"discovery": 1, "certs": 1}


def test_its_output_reads_well_on_a_narrow_terminal(realm, config):
    found = invoke(
        "explain", "--config", config(), given=realm.token(), variables={"COLUMNS": "80"}
    )

    assert max(map(len, found.out.splitlines())) <= 80
    for fact in ORDER:
        assert re.search(rf"\b{fact.code}\b", found.out)


def test_bearer_is_what_the_webhook_gets(realm):
    """The table above compares with this very request."""
    assert ask(realm.webhook_port, "/", bearer(realm.token())).status == 200


def test_what_the_start_needs_and_is_not_there_is_usage(config, monkeypatch):
    asks = {"client_id": "asker", "client_secret": "s3cret"}
    issuer = {"issuer": "https://sso.example.com/realms/a", "clients": ["frontend"]}
    file = config(issuers=[{**issuer, "introspection": asks}], shared={"url": "redis://127.0.0.1"})
    monkeypatch.setitem(sys.modules, "hasura_kc_auth.stores.shared", None)

    found = invoke("explain", "--config", file, given="a.b.c")

    assert found.code == 2
    assert "hasura-kc-auth[redis]" in found.err
    assert "s3cret" not in found.err + found.out
