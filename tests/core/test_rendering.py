"""Session variables as Hasura and Postgres read them."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hasura_kc_auth.core.rendering import array_literal, compact_json, json_object, render
from tests.core.postgres_arrays import read_array


@pytest.mark.parametrize(
    ("elements", "literal"),
    [
        pytest.param([], "{}", id="no element"),
        pytest.param(["a"], "{a}", id="one element"),
        pytest.param(["a", "b"], "{a,b}", id="two elements"),
        pytest.param(["Org:acme.io/x@y_z-1"], "{Org:acme.io/x@y_z-1}", id="what needs no quotes"),
        pytest.param([""], '{""}', id="an empty element"),
        pytest.param(["a,b"], '{"a,b"}', id="a comma cannot make two elements"),
        pytest.param(["a b"], '{"a b"}', id="a blank"),
        pytest.param(["a\n"], '{"a\n"}', id="a line end at the end"),
        pytest.param(['a"b'], r'{"a\"b"}', id="a quote"),
        pytest.param(["a\\b"], r'{"a\\b"}', id="a backslash"),
        pytest.param(['\\"'], r'{"\\\""}', id="a backslash before a quote"),
        pytest.param(["{}"], '{"{}"}', id="braces"),
        pytest.param(["null"], '{"null"}', id="null is text"),
        pytest.param(["NULL", "Null"], '{"NULL","Null"}', id="NULL in any case is text"),
        pytest.param(["nullable"], "{nullable}", id="what only begins like null"),
        pytest.param(["Ünï"], '{"Ünï"}', id="letters beyond ASCII"),
    ],
)
def test_an_array_literal_is_quoted_where_postgres_needs_it(elements, literal):
    assert array_literal(elements) == literal
    assert read_array(literal) == elements


@given(st.lists(st.text(st.characters(exclude_characters="\0")) | st.text('ab,"\\{} nullNULL\n\t')))
@example(["NULL", "", ",", '"', "\\", "{", "}", " a ", "nuLL"])
@settings(max_examples=200, deadline=None)
def test_what_postgres_reads_is_what_was_written(elements):
    assert read_array(array_literal(elements)) == elements


@pytest.mark.parametrize(
    "literal", ["", "{", "a", "{a", "{,}", "{a,}", '{"a}', '{"a"b}', r'{"a\\', '{"\\}', "{a b{}"]
)
def test_the_reader_of_this_test_refuses_malformed_literals(literal):
    with pytest.raises(ValueError, match=r"."):
        read_array(literal)


def test_the_reader_of_this_test_knows_null_and_blanks():
    assert read_array("{NULL, a ,null}") == [None, "a", None]


VALUES = [
    pytest.param("a", "a", id="a string as it is"),
    pytest.param("", "", id="an empty string"),
    pytest.param("Ünï", "Ünï", id="letters beyond ASCII"),
    pytest.param(True, "true", id="true"),
    pytest.param(False, "false", id="false"),
    pytest.param(0, "0", id="zero"),
    pytest.param(1.5, "1.5", id="a fraction"),
    pytest.param(10**30, "1" + "0" * 30, id="a big integer"),
    pytest.param({"a": [1, 2]}, '{"a":[1,2]}', id="an object as compact JSON"),
    pytest.param(["a", "b,c"], '{a,"b,c"}', id="a list as an array literal"),
    pytest.param([], "{}", id="an empty list"),
    pytest.param([1, True, "x"], "{1,true,x}", id="a mixed list"),
    pytest.param([None], '{"null"}', id="null in a list never becomes NULL"),
    pytest.param([["a", "b"]], r'{"[\"a\",\"b\"]"}', id="a list in a list is one element"),
]


@pytest.mark.parametrize(("value", "text"), VALUES)
def test_as_text_every_value_is_a_string(value, text):
    assert render(value, "text") == text


@pytest.mark.parametrize(("value", "_text"), VALUES)
def test_as_json_every_value_stays_as_it_is(value, _text):
    assert render(value, "json") is value


def test_json_is_written_without_blanks_and_in_ascii():
    assert compact_json({"a": ["ü", 1], "b": None}) == r'{"a":["\u00fc",1],"b":null}'


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), _values))
@example({})
@example({'"': '"\\\x00\ud800é€'})
@example({"a": {"b": ["ü", 1.5, None]}, "c": ""})
def test_an_object_is_written_member_by_member_as_in_one_piece(members):
    assert json_object(members) == json.dumps(members, separators=(",", ":"))
