"""The file of orgs: what its form may be, and what is read from it."""

from __future__ import annotations

from typing import Any

import hypothesis
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from hasura_kc_auth.config.orgs_file import read_orgs
from hasura_kc_auth.config.sources import ConfigurationError
from hasura_kc_auth.provisioning.wanted import Frontend, Org, Wanted
from tests.config.orgs_at_hand import NATIVE_ORGS, ORGS, SETTINGS, read, refused
from tests.config.settings_at_hand import ABSENT, changed, loaded, names_of

_VIEWER_EDITOR = {"viewer": frozenset[str](), "editor": frozenset[str]()}
_QUOTE = "and not as text: put it in quotes"
_TEXT = """\
realm: acme
carrier: client-scope
audience: hasura
frontends:
- client: frontend
  redirect_uris: ['https://app.example.com/*']
template:
  roles: {viewer: [], editor: []}
"""


def test_the_least_file_has_defaults_for_the_rest():
    file = read(ORGS)

    assert file.wanted == Wanted(
        realm="acme",
        carrier="client-scope",
        audience="hasura",
        frontends=(
            Frontend(
                "frontend",
                frozenset({"https://app.example.com/*"}),
                web_origins=frozenset({"+"}),
                public=True,
            ),
        ),
        orgs={
            "acme": Org("acme", "acme", _VIEWER_EDITOR, {}),
            "globex": Org("globex", "globex", _VIEWER_EDITOR, {}),
        },
        retired=frozenset(),
        scope="{org}",
        client="",
    )
    assert file.issuer == loaded(SETTINGS).issuers[0]


def test_all_that_can_be_said_is_read():
    orgs = {
        **NATIVE_ORGS,
        "frontends": [
            {
                "client": "frontend",
                "redirect_uris": ["https://a/*", "https://b/*"],
                "web_origins": ["https://a"],
                "public": False,
            }
        ],
        "template": {"roles": {"viewer": [], "editor": [], "org_admin": ["editor", "viewer"]}},
        "orgs": {
            "acme": {"display_name": "Acme Inc.", "members": {"alice": ["editor"], "bob": []}},
            "globex": {"roles": {"editor": None, "org_admin": None}},
        },
        "retired": ["oldco", "older"],
    }

    wanted = read(orgs).wanted

    everything = {**_VIEWER_EDITOR, "org_admin": frozenset({"editor", "viewer"})}
    members = {"alice": frozenset({"editor"}), "bob": frozenset[str]()}
    assert wanted == Wanted(
        realm="acme",
        carrier="organization",
        audience="hasura",
        frontends=(
            Frontend(
                "frontend",
                frozenset({"https://a/*", "https://b/*"}),
                frozenset({"https://a"}),
                public=False,
            ),
        ),
        orgs={
            "acme": Org("acme", "Acme Inc.", everything, members),
            "globex": Org("globex", "globex", {"viewer": frozenset()}),
        },
        retired=frozenset({"oldco", "older"}),
        client="hasura",
    )


def test_an_orgs_role_takes_the_place_of_the_templates_and_null_drops_it():
    roles = {"editor": ["viewer"], "org_admin": ["editor"]}
    orgs = changed(
        {
            "template.roles": {"viewer": [], "editor": [], "org_admin": []},
            "orgs": {
                "acme": {"roles": roles},
                "globex": {"roles": {"viewer": None}},
                "umbrella": {},
            },
        },
        ORGS,
    )

    wanted = read(orgs).wanted

    none = frozenset[str]()
    assert {name: org.roles for name, org in wanted.orgs.items()} == {
        "acme": {
            "viewer": none,
            "editor": frozenset({"viewer"}),
            "org_admin": frozenset({"editor"}),
        },
        "globex": {"editor": none, "org_admin": none},
        "umbrella": {"viewer": none, "editor": none, "org_admin": none},
    }


def test_an_org_may_have_roles_without_a_template():
    orgs = changed({"template": ABSENT, "orgs": {"acme": {"roles": {"viewer": []}}}}, ORGS)

    assert read(orgs).wanted.orgs == {"acme": Org("acme", "acme", {"viewer": frozenset()})}


def test_a_file_of_no_org_is_fine():
    assert read(changed({"orgs": {}}, ORGS)).wanted.orgs == {}


# --- the form


def test_unknown_keys_are_refused_on_every_level():
    orgs = changed(
        {
            "nonsense": 1,
            "frontends.0.nonsense": 1,
            "template.nonsense": 1,
            "orgs.acme.nonsense": 1,
        },
        ORGS,
    )

    assert sorted(refused(orgs)) == [
        "frontends.0.nonsense: is no key of this file",
        "nonsense: is no key of this file",
        "orgs.acme.nonsense: is no key of this file",
        "template.nonsense: is no key of this file",
    ]


def test_what_is_missing_is_told_at_once():
    assert refused({}) == [
        f"{key}: is required" for key in ("realm", "carrier", "audience", "frontends", "orgs")
    ]
    assert refused(changed({"frontends.0": {}}, ORGS)) == [
        "frontends.0.client: is required",
        "frontends.0.redirect_uris: is required",
    ]


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("carrier", "scope", "carrier: Input should be 'client-scope' or 'organization'"),
        ("realm", "", "realm: must not be empty"),
        ("realm", ["a"], "realm: must be text"),
        ("audience", "", "audience: must not be empty"),
        ("client", "", "client: must not be empty"),
        ("issuer", {}, "issuer: must be text"),
        ("frontends", [], "frontends: must not be empty"),
        ("frontends", {}, "frontends: must be a list, as in [a, b]"),
        ("frontends.0", "frontend", "frontends.0: must be a map, as in {key: …}"),
        ("frontends.0.client", "", "frontends.0.client: must not be empty"),
        ("frontends.0.redirect_uris", [], "frontends.0.redirect_uris: must not be empty"),
        ("frontends.0.redirect_uris", [""], "frontends.0.redirect_uris.0: must not be empty"),
        ("frontends.0.web_origins", "+", "frontends.0.web_origins: must be a list, as in [a, b]"),
        ("template", None, "template: must be a map, as in {key: …}"),
        ("template.roles.viewer", None, "template.roles.viewer: must be a list, as in [a, b]"),
        ("template.roles", {"": []}, "template.roles: a name in it: must not be empty"),
        ("orgs", None, "orgs: must be a map, as in {name: …}"),
        ("orgs", ["acme"], "orgs: must be a map, as in {name: …}"),
        ("orgs.acme", "Acme Inc.", "orgs.acme: must be a map, as in {key: …}"),
        ("orgs.acme.display_name", "", "orgs.acme.display_name: must not be empty"),
        (
            "orgs.acme.display_name",
            "x" * 256,
            "orgs.acme.display_name: String should have at most 255 characters",
        ),
        ("orgs.acme.roles", None, "orgs.acme.roles: must be a map, as in {name: …}"),
        ("orgs.acme.roles", {"": []}, "orgs.acme.roles: a name in it: must not be empty"),
        ("orgs.acme.members", {"": []}, "orgs.acme.members: a name in it: must not be empty"),
        ("orgs.acme.members", {"a": "x"}, "orgs.acme.members.a: must be a list, as in [a, b]"),
        ("retired", "oldco", "retired: must be a list, as in [a, b]"),
        ("retired", [""], "retired.0: must not be empty"),
    ],
)
def test_a_wrong_form_is_refused(key, value, said):
    assert refused(changed({key: value}, ORGS)) == [said]


def test_a_claim_as_carrier_is_refused_and_told_why():
    [problem] = refused(changed({"carrier": "claim"}, ORGS))

    assert problem.startswith("carrier: must be client-scope or organization: what carries the org")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("orgs: {no: {}}", "orgs: a name in it: YAML reads it as False"),
        ("orgs: {007: {}}", "orgs: a name in it: YAML reads it as 7"),
        ("orgs: {1.50: {}}", "orgs: a name in it: YAML reads it as 1.5"),
        ("orgs: {~: {}}", "orgs: a name in it: YAML reads it as None"),
        ("orgs: {2024-01-01: {}}", "orgs: a name in it: YAML reads it as 2024-01-01"),
        (
            "orgs: {acme: {members: {123: [editor]}}}",
            "orgs.acme.members: a name in it: YAML reads it as 123",
        ),
        (
            "orgs: {acme: {roles: {on: []}}}",
            "orgs.acme.roles: a name in it: YAML reads it as True",
        ),
        (
            "orgs: {acme: {members: {alice: [no]}}}",
            "orgs.acme.members.alice.0: YAML reads it as False",
        ),
        ("orgs: {acme: {display_name: 2024}}", "orgs.acme.display_name: YAML reads it as 2024"),
        ("orgs: {}\nretired: [123]", "retired.0: YAML reads it as 123"),
        ("orgs: {}\nscope: 123", "scope: YAML reads it as 123"),
        ("orgs: {}\nissuer: 123", "issuer: YAML reads it as 123"),
    ],
)
def test_what_yaml_does_not_read_as_text_is_refused_with_a_hint(line, said):
    assert refused(_TEXT + line) == [f"{said}, {_QUOTE}"]


@pytest.mark.parametrize("key", [123, None, True])
def test_a_key_that_is_no_text_is_none_of_the_files(key):
    [problem] = refused(changed({"orgs.acme": {key: []}}, ORGS))

    assert problem.endswith(": is no key of this file")


def test_names_in_quotes_are_text():
    assert [*read(_TEXT + "orgs: {'no': , '123': }").wanted.orgs] == ["no", "123"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("realm: a\nrealm: b", "line 2: a key stands here twice"),
        ("orgs:\n  acme: {}\n  globex: {}\n  acme: {}", "line 4: a key stands here twice"),
        ("orgs: [", "line 1: is not YAML that can be read here (parser)"),
        (
            "orgs: !!python/name:os.system",
            "line 1: is not YAML that can be read here (constructor)",
        ),
        ("[" * 100_000, "is not YAML that can be read here"),
        ("", "file: must be a map, as in {key: …}"),
        ("- acme", "file: must be a map, as in {key: …}"),
        (b"\xff\xfe\xff", "is not UTF-8"),
        (b"#" * (16 * 1024**2 + 1), "is larger than 16 MiB"),
    ],
    ids=["key", "org", "syntax", "tag", "depth", "empty", "list", "encoding", "size"],
)
def test_what_is_no_such_file_is_refused(text, said):
    assert refused(text) == [said]


def test_a_file_that_is_not_there_is_named(tmp_path):
    file = tmp_path / "none.yaml"

    with pytest.raises(ConfigurationError) as refusal:
        read_orgs(file, loaded(SETTINGS))

    assert refusal.value.problems == [f"{file}: cannot be read: No such file or directory"]


def test_all_problems_of_form_and_then_all_others_are_told_at_once():
    of_form = changed({"nonsense": 1, "realm": 1, "orgs.acme.members": {"a": 1}}, ORGS)
    others = changed(
        {
            "carrier": "client-scope",
            "client": "hasura",
            "audience": "my api",
            "scope": "org:{org}",
            "frontends": [*ORGS["frontends"] * 2, {"client": "other", "redirect_uris": ["x"]}],
            "template.roles": {"viewer": ["none"], "editor": ["editor"]},
            "orgs": {
                "account": {},
                "a b": {"display_name": " ", "members": {"eve": ["admin"], "mallory": []}},
                "oldco": {"roles": {"auditor": [], "gone": None}},
            },
            "retired": ["oldco"],
        },
        ORGS,
    )

    assert sorted(names_of(refused(of_form))) == ["nonsense", "orgs.acme.members.a", "realm"]
    assert sorted(names_of(refused(others))) == sorted(
        [
            *("client", "audience", "audience", "scope", "frontends", "frontends.2.client"),
            *("template.roles.viewer", "template.roles.editor"),
            *("orgs.account", "orgs.a b", "orgs.a b.display_name"),
            *("orgs.a b.members.eve", "orgs.a b.members.mallory"),
            *("orgs.oldco", "orgs.oldco.roles.auditor", "orgs.oldco.roles.gone"),
        ]
    )


_names = st.sampled_from(
    ["acme", "account", "frontend", "my-orgs", "a b", "", "no", "editor", "viewer", "x:y", "ü"]
)
_parts: Any = st.lists(_names, max_size=2) | st.none()
_orgs = st.dictionaries(
    _names,
    st.fixed_dictionaries(
        {},
        optional={
            "display_name": _names,
            "roles": st.dictionaries(_names, _parts, max_size=3),
            "members": st.dictionaries(_names, _parts, max_size=2),
        },
    )
    | st.none(),
    max_size=3,
)


@hypothesis.settings(deadline=None)
@given(st.sampled_from([ORGS, NATIVE_ORGS]), st.dictionaries(_names, _parts, max_size=3), _orgs)
def test_any_file_is_read_or_refused(base, roles, orgs):
    try:
        file = read({**base, "template": {"roles": roles}, "orgs": orgs})
    except ConfigurationError as refusal:
        assert refusal.problems  # noqa: PT017 - both outcomes are right
    else:
        assert file.wanted.orgs.keys() == orgs.keys()


@hypothesis.settings(deadline=None)
@given(st.binary(max_size=100) | st.recursive(st.none() | _names, st.lists).map(yaml.safe_dump))
@example(b"!!timestamp x")
def test_any_bytes_are_refused(content):
    """The required keys are never in it by chance."""
    assert refused(content)
