"""A refusal never shows a value: it goes to logs, tickets and chats."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hasura_kc_auth.config.sources import ConfigurationError
from tests.config.settings_at_hand import LEAST, LEAST_VARIABLES, changed, leaves, loaded

CANARY = "c4n4ry"

# Each field gets the canary in every form that some check might repeat.
_TEXTS = [
    "{}",
    "http://{}",
    "https://{}:{}@sso",
    "https://sso?{}",
    "https://{}:port",
    "https://xn--{}-ecp.ru",
    "https://[{}]/",
    "ftp://{}",
    "/{}",
    "{}/x.pem",
    "30{}",
    "30s {}",
    "32KiB{}",
    "{} {}",
    "X-Hasura-{}_",
    "{{org}} {}",
    "admin {}",
    "{}\n",
    "[{}",
    '{{"{}": ',
    '["{}", 1]',
]
_texts = st.sampled_from(_TEXTS).map(lambda form: form.replace("{}", CANARY).replace("{{", "{"))
_values: st.SearchStrategy[Any] = st.one_of(
    _texts,
    st.lists(_texts, min_size=1, max_size=3),
    st.dictionaries(st.sampled_from(["X-Hasura-A", "claim", "role", "k"]), _texts, min_size=1),
    st.lists(st.dictionaries(st.just("k"), _texts), min_size=1, max_size=2),
)
_VARIABLES = [leaf.removeprefix("issuers.0.").replace(".", "__").upper() for leaf in leaves()] + [
    "ISSUERS",
    "WEBHOOK",
    "SESSION",
    "NONSENSE",
    "ORG",
    "WEBHOOK__TLS",
    "ANONYMOUS",
]


def _told(*arguments: Any) -> str:
    try:
        loaded(*arguments)
    except ConfigurationError as refused:
        # What is raised on the way stays out of a traceback as well.
        assert refused.__suppress_context__ or refused.__context__ is None  # noqa: PT017
        return f"{refused} {refused!r} {refused.problems}".lower()
    return ""


@given(st.dictionaries(st.sampled_from(list(leaves())), _values, min_size=1, max_size=6))
def test_no_value_of_the_file_shows_in_its_refusal(changes):
    tree = changed({**changes, "nonsense": CANARY, "webhook.nonsense": [CANARY]})

    assert CANARY not in _told(tree)


@given(st.dictionaries(st.sampled_from(_VARIABLES), _texts, min_size=1, max_size=6))
def test_no_value_of_a_variable_shows_in_its_refusal(variables):
    assert CANARY not in _told(None, {**LEAST_VARIABLES, **variables, "NONSENSE": CANARY})


@pytest.mark.parametrize("leaf", list(leaves()))
def test_no_field_shows_what_it_holds(leaf):
    for form in _TEXTS:
        value = form.replace("{}", CANARY).replace("{{", "{")
        for wrong in (value, [value], {"X-Hasura-A": value}, [[value]], [{"k": value}]):
            assert CANARY not in _told(changed({leaf: wrong}))


@pytest.mark.parametrize(
    "text",
    [
        "log: *c4n4ry",
        "log: !c4n4ry x",
        "log: !!c4n4ry x",
        "log: !<c4n4ry> x",
        "log: [c4n4ry",
        "log: 'c4n4ry",
        'log: "\\c4n4ry"',
        "log: |c4n4ry",
        "log: &c4n4ry 1\nc: &c4n4ry 2",
        "log: c4n4ry: c4n4ry",
        "%c4n4ry\n---\n",
        "%TAG c4n4ry\n---\n",
        "log: !!int c4n4ry",
        "log: !!timestamp c4n4ry",
        "log: !!float c4n4ry",
        "log: !!bool c4n4ry",
        "log: @c4n4ry",
        "c4n4ry",
        "- c4n4ry",
    ],
)
def test_no_text_that_yaml_stumbles_on_shows(text):
    assert CANARY not in _told(text, LEAST_VARIABLES)


def test_a_refusal_does_name_the_setting_and_the_variable():
    told = _told(None, {**LEAST_VARIABLES, "WEBHOOK__PORT": CANARY})

    assert "webhook.port" in told
    assert "hasura_kc_auth__webhook__port" in told
    assert _told(LEAST) == ""
