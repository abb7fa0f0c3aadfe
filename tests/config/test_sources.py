"""The file and the environment are read strictly: a slip of the pen stops the start."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from hasura_kc_auth.config.sources import PREFIX, ConfigurationError, load
from tests.config.settings_at_hand import (
    ISSUER,
    LEAST,
    LEAST_VARIABLES,
    changed,
    loaded,
    names_of,
    problems_of,
)

LEAST_TEXT = yaml.safe_dump(dict(LEAST))


def told_of_the_file(text: str | bytes) -> str:
    """Return what is said of the file itself, with its name cut off."""
    problems = problems_of(text, LEAST_VARIABLES)
    assert len(problems) == 1
    return problems[0].partition("settings.yaml:")[2].strip()


# --- the file


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("log: {}\nlog: {}", 2, id="at the top"),
        pytest.param("webhook:\n  port: 1\n  port: 1", 3, id="nested"),
        pytest.param("webhook: {port: 1, host: '::1', port: 2}", 1, id="in braces"),
        pytest.param("webhook: {'port': 1, \"port\": 2}", 1, id="in other quotes"),
        pytest.param("cache: {1: a, '1': b}", 1, id="number and text"),
        pytest.param("session:\n  variables:\n    X-Hasura-A: a\n    X-Hasura-A: a", 4, id="a map"),
        pytest.param("roles:\n  allowed: [a]\n  map: {x: a, x: a}", 3, id="roles"),
        pytest.param("issuers:\n- issuer: a\n- clients: [a]\n  clients: [b]", 4, id="in a list"),
    ],
)
def test_a_key_written_twice_is_refused_with_its_second_line(text, line):
    assert told_of_the_file(text) == f"line {line}: a key stands here twice"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("- a\n- b", "must hold settings by name", id="a list"),
        pytest.param("settings", "must hold settings by name", id="a word"),
        pytest.param("5", "must hold settings by name", id="a number"),
        pytest.param("false", "must hold settings by name", id="false"),
        pytest.param("log: {level: debug", "line 1:", id="an open brace"),
        pytest.param("log:\n  level: a\n level: b", "line 3:", id="bad indentation"),
        pytest.param("\tlog: {}", "line 1:", id="a tab"),
        pytest.param("log: {}\n---\nlog: {}", "line 2:", id="two documents"),
        pytest.param("? [a]\n: b", "line 1:", id="a list as a key"),
        pytest.param("log: \x00", "is not YAML", id="a NUL"),
        pytest.param(b"log: {level: d\xe9bug}", "is not UTF-8", id="Latin-1"),
        pytest.param("log: {}".encode("utf-16"), "is not UTF-8", id="UTF-16"),
        pytest.param(b"\x80", "is not UTF-8", id="binary"),
    ],
)
def test_a_file_that_holds_no_settings_is_refused(text, said):
    assert told_of_the_file(text).startswith(said)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("log: 2024-13-45", id="a date that is none"),
        pytest.param("log: !!timestamp soon", id="a word as a time"),
        pytest.param("log: !!int five", id="a word as a number"),
        pytest.param("log: !!float five", id="a word as a fraction"),
        pytest.param("log: !!binary '*'", id="no base64"),
        pytest.param("log: " + "[" * 500, id="too deep"),
    ],
)
def test_a_value_that_yaml_stumbles_on_is_refused_and_no_crash(text):
    assert told_of_the_file(text)


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.mkdir [made]",
        "!!python/object/new:os.mkdir [made]",
        "!!python/name:os.system",
        "!!python/module:os",
        "!!python/tuple [a]",
        "!anything {a: b}",
    ],
)
def test_no_tag_constructs_an_object(tag, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert "constructor" in told_of_the_file(f"log: {tag}")
    assert list(tmp_path.iterdir()) == []


def test_an_anchor_repeats_a_value_and_no_more():
    text = f"{LEAST_TEXT}\nwebhook: {{read_timeout: &t 7s, drain: *t}}"

    assert loaded(text).webhook.drain == loaded(text).webhook.read_timeout == 7


def test_an_anchor_that_holds_itself_is_refused():
    text = f"{LEAST_TEXT}\nanonymous: {{role: public, variables: &a {{X-Hasura-A: *a}}}}"

    assert problems_of(text)


@pytest.mark.parametrize("text", ["", "# only a remark", "---\n", "null"])
def test_an_empty_file_is_no_settings(text):
    assert loaded(text, LEAST_VARIABLES) == loaded(LEAST)


def test_a_byte_order_mark_is_let_pass():
    assert loaded("\ufeff" + LEAST_TEXT) == loaded(LEAST)


@pytest.mark.parametrize("by_variable", [False, True])
def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path, by_variable):
    for file, reason in (
        (tmp_path / "none.yaml", "No such file or directory"),
        (tmp_path, "Is a directory"),
    ):
        option, variable = (None, str(file)) if by_variable else (file, "")
        with pytest.raises(ConfigurationError) as refused:
            load(option, {f"{PREFIX}CONFIG": variable})
        assert refused.value.problems[0] == f"{file}: cannot be read: {reason}"


def test_a_missing_file_is_refused_even_where_the_variables_are_enough(tmp_path):
    environment = {PREFIX + name: text for name, text in LEAST_VARIABLES.items()}

    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(tmp_path / "none.yaml", environment)


def test_unknown_keys_are_refused_on_every_level():
    tree = changed(
        {
            "nonsense": 1,
            "issuers.0.nonsense": 1,
            "issuers.0.org.nonsense": 1,
            "roles.nonsense": 1,
            "session.nonsense": 1,
            "webhook.nonsense": 1,
            "management.nonsense": 1,
            "keys.nonsense": 1,
            "cache.nonsense": 1,
            "log.nonsense": 1,
        }
    )

    problems = problems_of(tree)

    assert len(problems) == 10
    assert {problem.partition(": ")[2] for problem in problems} == {"is no setting"}
    assert all(name.endswith("nonsense") for name in names_of(problems))


@pytest.mark.parametrize("key", [1, None, 1.5])
def test_a_key_that_is_no_text_is_refused(key):
    assert names_of(problems_of({**LEAST, key: "x"})) == [str(key)]
    assert names_of(problems_of({**LEAST, "log": {key: "x"}})) == [f"log.{key}"]


# --- the environment


@pytest.mark.parametrize(
    "name",
    [
        *("NONSENSE", "", "_", "WEBHOOK__NONSENSE", "WEBHOOK__PORT__X", "WEBHOOK__", "__WEBHOOK"),
        *(
            "WEBHOOK_PORT",
            "ISSUERS__0__CLIENTS",
            "ORG_SCOPE",
            "FROM",
            "ONLY",
            "ROLE",
            "CONFIG_FILE",
        ),
        *("SESSION__VARIABLES__X-HASURA-A", "ORG__FROM_", "ISSUER__URL", "MODEL_CONFIG"),
    ],
)
def test_an_unknown_variable_with_the_prefix_is_refused(name):
    problems = problems_of(variables={**LEAST_VARIABLES, name: "1"})

    assert problems == [f"{PREFIX}{name}: is no setting"]


@pytest.mark.parametrize("name", ["ORG__SCOP", "ISSUER__URL", "CLIENTS__0"])
def test_an_unknown_variable_of_the_one_issuer_is_refused_beside_a_file_too(name):
    problems = problems_of(LEAST, {name: "1"})

    assert f"{PREFIX}{name}: is no setting" in problems


@pytest.mark.parametrize("name", ["ORG__SCOP", "ISSUER__URL"])
def test_an_unknown_variable_of_the_one_issuer_is_refused_alone(name):
    assert f"{PREFIX}{name}: is no setting" in problems_of(variables={name: "1"})


@pytest.mark.parametrize("name", ["ISSUERS__CLIENTS", "SESSION__VARIABLES__CLAIM"])
def test_a_variable_does_not_lead_into_a_list_or_a_map(name):
    assert f"{PREFIX}{name}: is no setting" in problems_of(LEAST, {name: "a"})


def test_what_kubernetes_injects_for_a_service_of_our_name_is_not_read():
    injected = {
        "HASURA_KC_AUTH_PORT": "tcp://10.0.0.7:8090",
        "HASURA_KC_AUTH_SERVICE_HOST": "10.0.0.7",
        "HASURA_KC_AUTH_SERVICE_PORT": "8090",
        "HASURA_KC_AUTH_SERVICE_PORT_WEBHOOK": "8090",
        "HASURA_KC_AUTH_PORT_8090_TCP": "tcp://10.0.0.7:8090",
        "HASURA_KC_AUTH_PORT_8090_TCP_ADDR": "10.0.0.7",
        "HASURA_KC_AUTH_CONFIG": "/nowhere",
        "HASURA_KC_AUTH": "x",
    }
    ours = {PREFIX + name: text for name, text in LEAST_VARIABLES.items()}

    assert load(None, {**injected, **ours, "PATH": "/bin"}) == loaded(LEAST)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ROLES__MAP", "admin=org_admin"),
        ("ROLES__MAP", "{"),
        ("CLIENTS", '["a"'),
        ("SESSION__VARIABLES", "X-Hasura-Email: email"),
        ("WEBHOOK", "port=1"),
        ("ANONYMOUS", "public"),
        pytest.param("ROLES__MAP", "[" * 100_000, id="too deep"),
    ],
)
def test_a_map_that_is_no_json_is_refused(name, text):
    problems = problems_of(variables={**LEAST_VARIABLES, name: text})

    assert problems[0] == f"{PREFIX}{name}: must be JSON"


def test_a_member_written_twice_is_refused_in_json_as_in_yaml():
    twice = '{"admin": "org_admin", "admin": "viewer"}'

    problems = problems_of(variables={**LEAST_VARIABLES, "ROLES__MAP": twice})

    assert names_of(problems) == [f"{PREFIX}ROLES__MAP"]


def test_one_issuer_needs_no_file():
    settings = loaded(variables={**LEAST_VARIABLES, "ORG__SCOPE": "org:{org}", "LEEWAY": "1s"})

    assert len(settings.issuers) == 1
    issuer = settings.issuers[0]
    assert (issuer.issuer, issuer.clients) == (ISSUER, ("frontend",))
    assert (issuer.org.scope, issuer.leeway) == ("org:{org}", 1.0)


def test_the_one_issuer_can_stand_beside_a_file_without_issuers():
    file = {"roles": LEAST["roles"], "webhook": {"port": 1}}

    settings = loaded(file, {"ISSUER": ISSUER, "CLIENTS": "frontend"})

    assert (settings.issuers[0].issuer, settings.webhook.port) == (ISSUER, 1)


@pytest.mark.parametrize("name", ["ISSUER", "CLIENTS", "JWKS_URI", "LEEWAY", "ORG__SCOPE"])
def test_both_forms_of_issuers_together_are_refused(name):
    text = {"ISSUER": ISSUER, "LEEWAY": "5s", "ORG__SCOPE": "{org}"}.get(name, ISSUER)

    by_file = problems_of(LEAST, {name: text})
    by_variable = problems_of(
        {"roles": LEAST["roles"]}, {name: text, "ISSUERS": json.dumps(LEAST["issuers"])}
    )

    assert by_file == by_variable
    assert by_file == [
        f"{PREFIX}ISSUER and its kind: cannot stand together with `issuers`; use one of both"
    ]


@pytest.mark.parametrize("value", ["nonsense", {"audiences": ["api"]}, {"nonsense": 1}, None])
def test_the_short_form_is_for_variables_only(value):
    """A key `issuer` at the top of the file is a slip: variables must not hide it or take it up."""
    file = {"issuer": value, "roles": LEAST["roles"]}

    problems = problems_of(file, {"ISSUER": ISSUER, "CLIENTS": "frontend"})

    assert "issuer: is no setting" in problems


def test_a_short_form_without_its_issuer_says_so():
    problems = problems_of(variables={"CLIENTS": "frontend", "ROLES__ALLOWED": "editor"})

    assert problems == ["issuers.0.issuer: is required"]


def test_a_variable_replaces_a_value_that_is_no_section():
    assert loaded({**LEAST, "webhook": None}, {"WEBHOOK__PORT": "1"}).webhook.port == 1


def test_reading_changes_nothing_that_was_handed_in():
    environment = {PREFIX + name: text for name, text in LEAST_VARIABLES.items()}
    before = dict(environment)

    load(None, environment)

    assert environment == before


@given(st.binary(max_size=200))
@example(b"!!python/name:os.system")
@example(b"a: !!timestamp x")
def test_any_file_gives_settings_or_a_refusal(content: bytes):
    """The two required sections are never in it by chance."""
    problems_of(content)


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=60))
def test_any_text_in_any_variable_gives_settings_or_a_refusal(text: str):
    for name in ("ISSUER", "CLIENTS", "ROLES__MAP", "WEBHOOK__PORT", "SESSION", "ISSUERS", text):
        try:
            loaded(variables={**LEAST_VARIABLES, name: text})
        except ConfigurationError as refused:
            assert refused.problems  # noqa: PT017 - both outcomes are right


def test_a_file_may_lie_anywhere(tmp_path):
    file = tmp_path / "with blanks ü" / "x.yml"
    file.parent.mkdir()
    file.write_text(LEAST_TEXT, "utf-8")

    assert load(Path(file), {}) == loaded(LEAST)


def test_a_variable_in_small_letters_is_refused_and_not_overlooked():
    problems = problems_of(variables={**LEAST_VARIABLES, "WEBHOOK__port": "1"})

    assert problems == [f"{PREFIX}WEBHOOK__port: must be written in capitals"]
