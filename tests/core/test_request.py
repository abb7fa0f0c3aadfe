"""What is asked: one credential and the client's wishes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from hasura_kc_auth.core.errors import Code, Denied
from hasura_kc_auth.core.request import Request, headers_in_body, read_request
from tests.made_tokens import denied, outcome

ORG_HEADER = "X-Hasura-Org-Id"
MAX_TOKEN = 100


def read(*headers: tuple[str, str], max_token: int = MAX_TOKEN) -> Request:
    return read_request(CIMultiDict(headers), ORG_HEADER, max_token)


BEARER = ("Authorization", "Bearer a.b.c")


@pytest.mark.parametrize(
    ("headers", "request_"),
    [
        pytest.param([BEARER], Request("a.b.c"), id="a token"),
        pytest.param([], Request(None), id="nothing at all"),
        pytest.param(
            [BEARER, ("x-hasura-org-id", "org1"), ("X-HASURA-ROLE", "viewer")],
            Request("a.b.c", "org1", "viewer"),
            id="a token and both wishes, names in any case",
        ),
        pytest.param(
            [("X-Hasura-Org-Id", "org1"), ("X-Hasura-Role", "viewer")],
            Request(None, "org1", "viewer"),
            id="wishes without a credential",
        ),
        pytest.param(
            [BEARER, ("X-Hasura-Org-Id", ""), ("X-Hasura-Role", " \t")],
            Request("a.b.c"),
            id="an empty wish is no wish",
        ),
        pytest.param(
            [BEARER, ("X-Hasura-Org-Id", " org 1\t")], Request("a.b.c", "org 1"), id="outer blanks"
        ),
        pytest.param(
            [BEARER, ("X-Hasura-Org-Id", " X-org-X")],
            Request("a.b.c", "X-org-X"),
            id="no letter is a blank",
        ),
        pytest.param(
            [BEARER, ("X-Hasura-Org-Id", "\u00a0org1")],
            Request("a.b.c", "\u00a0org1"),
            id="other white space is part of a wish",
        ),
        pytest.param(
            [
                *(BEARER, ("authorization", " Bearer a.b.c\t")),
                *(("X-Hasura-Role", "viewer"), ("x-hasura-role", "viewer ")),
                *(("X-Hasura-Org-Id", "org1"), ("x-hasura-org-id", " org1")),
            ],
            Request("a.b.c", "org1", "viewer"),
            id="equal pairs, as a WebSocket sends them",
        ),
        pytest.param([("Authorization", "bearer a.b.c")], Request("a.b.c"), id="bearer"),
        pytest.param([("Authorization", "BEARER a.b.c")], Request("a.b.c"), id="BEARER"),
        pytest.param(
            [("Authorization", "Bearer a.b.c\x0b")],
            Request("a.b.c\x0b"),
            id="other white space is part of the token, which is malformed then",
        ),
        pytest.param(
            [("Authorization", "Bearer  a.b.c")],
            Request(" a.b.c"),
            id="a second blank is part of the token, which is malformed then",
        ),
        pytest.param(
            [("Authorization", "Bearer " + "a" * MAX_TOKEN)],
            Request("a" * MAX_TOKEN),
            id="the longest token",
        ),
        pytest.param(
            [
                *(BEARER, ("X-Hasura-User-Id", "mallory"), ("X-Hasura-Allowed-Roles", "{admin}")),
                *(("X-Forwarded-User", "mallory"), ("X-Hasura-Admin-Secret", "x")),
            ],
            Request("a.b.c"),
            id="other headers change nothing",
        ),
        pytest.param(
            [
                *(("Proxy-Authorization", "Bearer a.b.c"), ("Cookie", "access_token=a.b.c")),
                *(("X-Access-Token", "a.b.c"), ("X-Auth-Token", "a.b.c")),
            ],
            Request(None),
            id="no token from any other header",
        ),
    ],
)
def test_headers_are_read(headers, request_):
    assert read(*headers) == request_


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        pytest.param(
            [("Authorization", "Bearer a.b.c"), ("authorization", "Bearer a.b.d")],
            Code.AMBIGUOUS_CREDENTIALS,
            id="two tokens",
        ),
        pytest.param(
            [("Authorization", "Bearer a.b.c"), ("Authorization", "")],
            Code.AMBIGUOUS_CREDENTIALS,
            id="a token and an empty value",
        ),
        pytest.param(
            [("Authorization", "Bearer a.b.c"), ("Authorization", "bearer a.b.c")],
            Code.AMBIGUOUS_CREDENTIALS,
            id="one token, the scheme written differently",
        ),
        pytest.param(
            [BEARER, ("X-Hasura-Role", "viewer"), ("x-hasura-role", "editor")],
            Code.MALFORMED_REQUEST,
            id="two roles wished for",
        ),
        pytest.param(
            [BEARER, ("X-Hasura-Org-Id", "org1"), ("x-hasura-org-id", "org2")],
            Code.MALFORMED_REQUEST,
            id="two orgs wished for",
        ),
        pytest.param(
            [BEARER, ("X-Hasura-Org-Id", "org1"), ("x-hasura-org-id", "")],
            Code.MALFORMED_REQUEST,
            id="an org and an empty wish",
        ),
        pytest.param(
            [BEARER, ("X-Hasura-Role", "viewer"), ("x-hasura-role", "Viewer")],
            Code.MALFORMED_REQUEST,
            id="two roles that differ in case",
        ),
        pytest.param(
            [BEARER, ("X-Hasura-Role", "viewer"), ("x-hasura-role", "viewer\u00a0")],
            Code.MALFORMED_REQUEST,
            id="two roles that differ in other white space",
        ),
        pytest.param(
            [("X-Hasura-Role", "viewer"), ("x-hasura-role", "editor")],
            Code.MALFORMED_REQUEST,
            id="two roles wished for without a credential",
        ),
        pytest.param(
            [
                *(("X-Hasura-Role", "viewer"), ("x-hasura-role", "editor")),
                *(("Authorization", "a"), ("Authorization", "b")),
            ],
            Code.MALFORMED_REQUEST,
            id="two roles before two credentials",
        ),
        pytest.param([("Authorization", "")], Code.MALFORMED_TOKEN, id="an empty credential"),
        pytest.param([("Authorization", " \t")], Code.MALFORMED_TOKEN, id="a blank credential"),
        pytest.param([("Authorization", "Bearer")], Code.MALFORMED_TOKEN, id="only the scheme"),
        pytest.param([("Authorization", "Bearer ")], Code.MALFORMED_TOKEN, id="an empty token"),
        pytest.param([("Authorization", "a.b.c")], Code.MALFORMED_TOKEN, id="no scheme"),
        pytest.param([("Authorization", "Basic YTpi")], Code.MALFORMED_TOKEN, id="Basic"),
        pytest.param([("Authorization", "DPoP a.b.c")], Code.MALFORMED_TOKEN, id="DPoP"),
        pytest.param([("Authorization", "Token a.b.c")], Code.MALFORMED_TOKEN, id="Token"),
        pytest.param([("Authorization", "Bearer\ta.b.c")], Code.MALFORMED_TOKEN, id="a tab"),
        pytest.param([("Authorization", "Bearer:a.b.c")], Code.MALFORMED_TOKEN, id="a colon"),
        pytest.param([("Authorization", "Bearera.b.c")], Code.MALFORMED_TOKEN, id="no separator"),
        pytest.param(
            [("Authorization", "Bearer " + "a" * (MAX_TOKEN + 1))],
            Code.MALFORMED_TOKEN,
            id="a token too long",
        ),
        pytest.param(
            [("Authorization", "Bearer a.b.ü")], Code.MALFORMED_TOKEN, id="a letter beyond ASCII"
        ),
        pytest.param(
            [("Authorization", "Bearer a.b.\udcff")], Code.MALFORMED_TOKEN, id="a stray byte"
        ),
    ],
)
def test_a_request_that_does_not_say_one_thing_is_denied(headers, code):
    with denied(code):
        read(*headers)


def test_the_orgs_header_has_the_configured_name():
    headers = CIMultiDict([BEARER, ("X-Tenant", "org1"), ("X-Hasura-Org-Id", "org2")])

    assert read_request(headers, "x-tenant", MAX_TOKEN).org == "org1"


_names = st.sampled_from(
    ["Authorization", "authorization", "X-Hasura-Role", "x-hasura-role", ORG_HEADER, "Cookie"]
)
_values = st.text(st.characters(exclude_categories=()), max_size=20) | st.sampled_from(
    ["Bearer a.b.c", "bearer  x", "Bearer", "Basic x", "org1", "viewer", " viewer\t", ""]
)


@given(st.lists(st.tuples(_names, _values), max_size=6))
@settings(max_examples=200, deadline=None)
def test_any_headers_give_a_request_or_a_denial(headers):
    request = outcome(read, *headers)

    if isinstance(request, Code):
        assert request in {"malformed_request", "ambiguous_credentials", "malformed_token"}
    else:
        sent = [value for name, value in headers if name.lower() == "authorization"]
        assert (request.token is None) == (not sent)
        assert request.token is None or 0 < len(request.token) <= MAX_TOKEN


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param({}, id="no request"),
        pytest.param({"request": None}, id="a null request"),
        pytest.param({"request": [{"query": "{a}"}]}, id="a batch"),
        pytest.param({"request": {"variables": {"a": "\ud800\0"}}}, id="odd characters in it"),
    ],
)
def test_only_the_headers_of_a_body_are_looked_at(rest):
    body = json.dumps({"headers": {"Authorization": "Bearer a.b.c", "X": ""}, **rest})

    assert headers_in_body(body.encode()) == [("Authorization", "Bearer a.b.c"), ("X", "")]


def test_the_headers_of_a_body_may_be_empty():
    assert headers_in_body(b'{"headers":{}}') == []


def test_two_spellings_of_a_name_stay_two_headers():
    body = b'{"headers":{"Authorization":"Bearer a","authorization":"Bearer b"}}'

    with denied(Code.AMBIGUOUS_CREDENTIALS):
        read(*headers_in_body(body))


@pytest.mark.parametrize("name", ["Authorization", "X-Hasura-Role"])
def test_two_differing_headers_of_one_spelling_in_a_body_are_denied(name):
    body = f'{{"headers":{{"{name}":"Bearer a","{name}":"Bearer b"}}}}'.encode()

    with pytest.raises(Denied):
        read(*headers_in_body(body))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="an empty body"),
        pytest.param(b"x", id="no JSON"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"null", id="null"),
        pytest.param(b"{}", id="no headers"),
        pytest.param(b'{"headers":null}', id="null headers"),
        pytest.param(b'{"headers":[["Authorization","Bearer a"]]}', id="a list of headers"),
        pytest.param(b'{"headers":"Authorization: Bearer a"}', id="headers in a string"),
        pytest.param(b'{"headers":{"Authorization":null}}', id="a null header"),
        pytest.param(b'{"headers":{"Authorization":["Bearer a"]}}', id="a list as a header"),
        pytest.param(b'{"headers":{"a":"b","c":1}}', id="a number as a header"),
        pytest.param(b'{"headers":{"c":true,"a":"b"}}', id="a bool as a header"),
        pytest.param(b'{"headers":{"c":{}}}', id="an object as a header"),
        pytest.param(b'\xef\xbb\xbf{"headers":{}}', id="a byte order mark"),
        pytest.param('{"headers":{}}'.encode("utf-16"), id="UTF-16"),
        pytest.param(b'{"headers":{"a":"\xff"}}', id="no UTF-8"),
        pytest.param(b'{"headers":{},"request":NaN}', id="NaN"),
        pytest.param(b'{"headers":{},"request":' + b"[" * 100_000, id="nested too deep"),
    ],
)
def test_a_body_without_an_object_of_strings_is_malformed(body):
    with denied(Code.MALFORMED_REQUEST):
        headers_in_body(body)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_bodies = st.binary() | st.builds(
    lambda headers, rest: json.dumps({"request": rest, "headers": headers}).encode(),
    st.dictionaries(st.text(), st.text() | _json, max_size=4) | _json,
    _json,
)


@given(_bodies)
@settings(max_examples=200, deadline=None)
def test_any_body_gives_headers_or_is_malformed(body):
    headers = outcome(headers_in_body, body)

    assert headers is Code.MALFORMED_REQUEST or all(
        type(text) is str for pair in headers for text in pair
    )
