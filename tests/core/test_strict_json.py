"""Reading JSON strictly: what Python's reader lets pass and this one does not."""

from __future__ import annotations

import json
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hasura_kc_auth.core.strict_json import (
    decode_foreign_object,
    decode_member,
    decode_object,
    decode_value,
)

BOTH = (decode_object, decode_foreign_object)
TOO_DEEP = 100_000


@pytest.mark.parametrize("decode", BOTH)
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{}", id="an empty object"),
        pytest.param(' {"a" : [1, -2.5, true, null, "b"]}\n', id="every type, blanks around"),
        pytest.param('{"name":"Alice Ünal 😀"}', id="letters beyond ASCII"),
        pytest.param(r'{"name":"\ud83d\ude00"}', id="an escaped pair of surrogates"),
        pytest.param(r'{"path":"C:\\ud800 \\u0000"}', id="what only looks like an escape"),
        pytest.param('{"a":{"b":1},"c":{"b":1}}', id="equal names in two objects"),
    ],
)
def test_an_object_is_read_as_python_reads_it(decode, text):
    assert decode(text.encode()) == json.loads(text)


@pytest.mark.parametrize("decode", BOTH)
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="half an object"),
        pytest.param(b"{} {}", id="two objects"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"null", id="null"),
        pytest.param(b'"text"', id="a string"),
        pytest.param(b"1", id="a number"),
        pytest.param(b"\xef\xbb\xbf{}", id="a byte order mark"),
        pytest.param('{"a":1}'.encode("utf-16"), id="UTF-16"),
        pytest.param('{"a":1}'.encode("utf-16-le"), id="UTF-16 without a mark"),
        pytest.param('{"a":1}'.encode("utf-32"), id="UTF-32"),
        pytest.param('{"a":"ü"}'.encode("latin-1"), id="Latin-1"),
        pytest.param(b'{"a":"\xed\xa0\x80"}', id="a surrogate in UTF-8"),
        pytest.param(b"\x0b{}", id="other white space in front"),
        pytest.param(b"X{}", id="a letter in front"),
        pytest.param("{}\u00a0".encode(), id="other white space behind it"),
        pytest.param(b'{"a":NaN}', id="NaN"),
        pytest.param(b'{"a":Infinity}', id="Infinity"),
        pytest.param(b'{"a":-Infinity}', id="minus Infinity"),
        pytest.param(b'{"a":"b\nc"}', id="a bare line end in a string"),
        pytest.param(b'{"a":"b\x00c"}', id="a bare U+0000"),
        pytest.param(b'{"a":' + b"1" * 5_000 + b"}", id="a number with too many digits"),
        pytest.param(b'{"a":' + b"[" * TOO_DEEP, id="lists nested too deep"),
        pytest.param(b'{"a":' * TOO_DEEP, id="objects nested too deep"),
        pytest.param(b'{"a":1,}', id="a comma too many"),
        pytest.param(b"{'a':1}", id="single quotes"),
        pytest.param(b'{"a":1/**/}', id="a comment"),
    ],
)
def test_anything_but_one_json_object_in_utf_8_is_refused(decode, data):
    with pytest.raises(ValueError, match=r"^not (strict JSON|a JSON object)$"):
        decode(data)


@pytest.mark.parametrize("decode", BOTH)
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(rb'{"a":1,"a":1}', id="at the top"),
        pytest.param(rb'{"a":[{"b":1,"b":2}]}', id="inside"),
        pytest.param(rb'{"b":1,"\u0062":2}', id="under an escape"),
    ],
)
def test_duplicate_members_are_refused(decode, data):
    with pytest.raises(ValueError, match=r"^not strict JSON$"):
        decode(data)


ODD = [
    pytest.param(rb'{"a":"\ud800"}', id="a lone high surrogate"),
    pytest.param(rb'{"a":["\uDFFF"]}', id="a lone low surrogate, in capitals"),
    pytest.param(rb'{"\ud800":1}', id="a lone surrogate in a name"),
    pytest.param(rb'{"a":"\ude00\ud83d"}', id="a pair of surrogates the wrong way round"),
    pytest.param(rb'{"a":"b\u0000c"}', id="an escaped U+0000"),
    pytest.param(rb'{"a":"\\\u0000"}', id="an escaped U+0000 after a backslash"),
    pytest.param(rb'{"\u0000":1}', id="an escaped U+0000 in a name"),
    pytest.param(b'{"a":1e999}', id="a number beyond every float"),
    pytest.param(b'{"a":[{"b":-2e308}]}', id="a number below every float"),
    pytest.param(b'{"a":' + b"[" * 64 + b"1" + b"]" * 64 + b"}", id="lists 65 deep"),
    pytest.param(b'{"a":' * 65 + b"{}" + b"}" * 65, id="objects 66 deep"),
]


@pytest.mark.parametrize("data", ODD)
def test_what_nobody_could_write_or_store_is_refused(data):
    with pytest.raises(ValueError, match=r"."):
        decode_object(data)


@pytest.mark.parametrize("data", ODD)
def test_what_somebody_else_wrote_may_hold_it(data):
    assert isinstance(decode_foreign_object(data), dict)


def test_sixty_four_levels_are_read_and_no_more():
    assert decode_value("[" * 64 + "]" * 64)
    with pytest.raises(ValueError, match=r"^nested too deep$"):
        decode_value("[" * 65 + "]" * 65)


def test_a_broad_token_is_not_a_deep_one():
    broad = b'{"a":[' + b",".join([b'{"roles":["[{"]}'] * 500) + b'],"b":' + b"[" * 50 + b"]" * 50
    assert len(decode_object(broad + b"}")["a"]) == 500


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_nesting_at_the_limit_of_the_stack_raises_nothing_but_value_error(opening, closing):
    for depth in range(600, 1_100):
        data = b'{"a":' + opening * depth + rb'"\ud83d\ude00"' + closing * depth + b"}"
        with pytest.raises(ValueError, match=r"."):
            decode_object(data)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("null", None, id="null"),
        pytest.param(" 1.5\n", 1.5, id="a number with blanks around"),
        pytest.param('"ü"', "ü", id="a string"),
        pytest.param('[1,{"value":2}]', [1, {"value": 2}], id="a list"),
        pytest.param('{"a":1}', {"a": 1}, id="an object"),
    ],
)
def test_any_one_value_is_read_out_of_a_text(text, value):
    assert decode_value(text) == value


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("1 2", id="two values"),
        pytest.param("1,2", id="two values and a comma"),
        pytest.param('1,"b":2', id="a value and another member"),
        pytest.param('1,"value":2', id="a value and a second one"),
        pytest.param("1}", id="a value and a brace"),
        pytest.param('1},{"a":2', id="two objects' insides"),
        pytest.param("x", id="no JSON"),
        pytest.param("NaN", id="NaN"),
        pytest.param("1e999", id="a number beyond every float"),
        pytest.param('{"a":1,"a":2}', id="a duplicate member"),
        pytest.param('"\udcff"', id="a byte that was no UTF-8"),
        pytest.param(r'"\ud800"', id="an escaped lone surrogate"),
    ],
)
def test_anything_but_one_value_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        decode_value(text)


_json_text = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
).map(partial(json.dumps, ensure_ascii=True))
_bytes = (
    st.binary()
    | st.text('{}[]":,\\udU08e9. \n\ufeff').map(str.encode)
    | _json_text.map(str.encode)
    | st.builds(
        lambda text, encoding: text.encode(encoding, "surrogatepass"),
        st.text(st.characters(exclude_categories=())) | _json_text,
        st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
    )
)


@given(_bytes)
@settings(max_examples=200, deadline=None)
def test_any_bytes_give_an_object_or_value_error(data):
    for decode in BOTH:
        try:
            value = decode(data)
        except ValueError:
            continue
        assert isinstance(value, dict)


@given(st.dictionaries(st.text(), st.text() | st.integers(), max_size=4))
@settings(max_examples=100, deadline=None)
def test_what_is_read_strictly_can_be_written_as_strict_json(value):
    if any("\0" in text for text in map(str, [*value, *value.values()])):
        return
    assert decode_object(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"headers":{},"headers":{}}', id="its member twice"),
        pytest.param('{"a":1,"a":2,"headers":{}}', id="another member twice"),
        pytest.param('{"headers":{"A":"1","A":"2"}}', id="a member of its member twice"),
        pytest.param('{1:2,"headers":{}}', id="a member named by a number"),
        pytest.param('{"headers":{},}', id="a comma too many"),
        pytest.param('{,"headers":{}}', id="a comma in front"),
        pytest.param('{"headers":{} "a":1}', id="no comma"),
        pytest.param('{"headers" {}}', id="no colon"),
        pytest.param('{"headers":}', id="no value"),
        pytest.param('{"headers":{}', id="no end"),
        pytest.param('{"headers":{}} {}', id="something behind it"),
        pytest.param('{"headers":{}}x', id="one character behind it"),
        pytest.param('{"request":NaN,"headers":{}}', id="no number"),
        pytest.param('{"request":[1,]}', id="no list"),
        pytest.param("[]", id="a list"),
        pytest.param("", id="nothing"),
        pytest.param('\ufeff{"headers":{}}', id="a byte order mark"),
        pytest.param('{"request":' + "[" * 100_000 + "}", id="too deep"),
    ],
)
def test_a_member_is_read_out_of_one_proper_object_only(text):
    said = r"^(not strict JSON|not a JSON object|duplicate member)$"  # nothing of what was read
    with pytest.raises(ValueError, match=said):
        decode_member(text.encode(), "headers")


@pytest.mark.parametrize(
    ("text", "member"),
    [
        ('{"headers":{"A":"1"}}', {"A": "1"}),
        (' {\n"request" : [ {"a":1,"a":2} ] ,\t"headers"\r:\n{ } } ', {}),
        ('{"request":{"q":"\\ud800 \\u0000","n":1e999},"headers":[]}', []),
        ('{"request":%s,"headers":{}}' % ("9" * 5_000), {}),
        ("{}", None),
        (" { } ", None),
        ('{"Headers":{}}', None),
    ],
)
def test_a_member_is_read_whatever_stands_beside_it(text, member):
    assert decode_member(text.encode(), "headers") == member
