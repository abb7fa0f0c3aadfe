"""Mutations of the JSON itself, in the header and in the payload, rightly signed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from tests.differential.kinds import Kinds, Material
from tests.differential.originals import compact

_Members = Mapping[str, Any]
_Write = Callable[[_Members, Material], bytes]


def _with_member(text: str) -> _Write:
    """Add a member as this text has it: behind the others, or before them."""

    def write(members: _Members, it: Material) -> bytes:
        inner = compact(members)[1:-1]
        together = [inner, text.encode("utf-8", "surrogatepass")]
        it.random.shuffle(together)
        return b"{" + b",".join(together) + b"}"

    return write


def _one_member(*texts: str) -> _Write:
    return lambda members, it: _with_member(it.random.choice(texts))(members, it)


def _named_twice(members: _Members, it: Material) -> bytes:
    name = it.random.choice(list(members))
    value = it.pick(members[name], None, "x", 1)
    spelt = it.pick(json.dumps(name), f'"\\u{ord(name[0]):04x}{name[1:]}"')
    return _with_member(f"{spelt}:{json.dumps(value)}")(members, it)


def _named_twice_inside(members: _Members, it: Material) -> bytes:
    return _with_member('"own":{"a":1,"a":2}')(members, it)


def _escaped(members: _Members, it: Material) -> bytes:
    """Names and values in escapes: the same JSON, in other bytes."""
    name = it.random.choice(list(members))
    spelt = "".join(f"\\u{ord(sign):04x}" for sign in name)
    return compact(members).replace(json.dumps(name).encode(), f'"{spelt}"'.encode(), 1)


def _spaced(members: _Members, it: Material) -> bytes:
    return json.dumps(members, indent=it.pick(0, 1, "\t"), ensure_ascii=False).encode() + b"\r\n "


def _in_encoding(*encodings: str) -> _Write:
    return lambda members, it: compact(members).decode().encode(it.random.choice(encodings))


def _marked(members: _Members, _it: Material) -> bytes:
    return b"\xef\xbb\xbf" + compact(members)


def _ill_formed_utf8(members: _Members, it: Material) -> bytes:
    text = it.pick(b"\xff", b"\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80")
    return compact(members)[:-1] + b',"own":"' + text + b'"}'


def _nested(depths: tuple[int, ...], members: _Members, it: Material) -> bytes:
    depth = it.random.choice(depths)
    opened, closed = it.pick(("[", "]"), ('{"a":', "}"))
    leaf = "1" if closed == "}" else ""
    return _with_member(f'"own":{opened * depth}{leaf}{closed * depth}')(members, it)


def _no_object(members: _Members, it: Material) -> bytes:
    values = ([], [members], None, True, 1, "x", json.dumps(members), {})
    return it.pick(b"", b" ", b"{", *(compact(value) for value in values))


def _nearly_json(members: _Members, it: Material) -> bytes:
    text = compact(members).decode()
    return it.pick(
        text[:-1] + ",}",
        text + "x",
        text + text,
        text + "\x00",
        "/* */" + text,
        text + "//",
        text.replace('"', "'"),
        text[:-1],
        "\x0b" + text,
        "\xa0" + text,
        "\u2028" + text,
        ")]}'" + text,
        text.replace(":", "=", 1),
        text[:-1] + ',"own":"a\nb"}',
        text[:-1] + ',"own":"a\x00b"}',
        text[:-1] + ',"own":01}',
        text[:-1] + ',"own":+1}',
        text[:-1] + ',"own":.5}',
        text[:-1] + ',"own":0x1}',
        text[:-1] + ',"own":"\\x41"}',
        text[:-1] + ",own:1}",
        text[:-1] + ',"own":undefined}',
        text[:-1] + ',"own":True}',
    ).encode()


_WRITERS: dict[str, _Write] = {
    "a member twice": _named_twice,
    "a member twice, further in": _named_twice_inside,
    "in escapes": _escaped,
    "with blanks": _spaced,
    "in another encoding": _in_encoding("utf-16", "utf-16-le", "utf-32", "utf-16-be", "utf-7"),
    "behind a byte order mark": _marked,
    "in ill-formed UTF-8": _ill_formed_utf8,
    "nested": partial(_nested, (1, 10, 60)),
    "nested deeply": partial(_nested, (66, 1000, 5000)),
    "no object": _no_object,
    "nearly JSON": _nearly_json,
    "with NaN": _one_member('"own":NaN', '"own":Infinity', '"own":-Infinity', '"own":nan'),
    "with a number beyond every float": _one_member('"own":1e400', '"own":-1e999', '"own":[1e400]'),
    "with a large number": _one_member('"own":1e308', '"own":12345678901234567890'),
    "with an endless number": _one_member(f'"own":{"9" * 5000}', f'"own":-{"1" * 9000}'),
    "with half a surrogate pair": _one_member(r'"own":"\ud800"', r'"\udfff":1', r'"a":["\uD83D"]'),
    "with a surrogate pair": _one_member(r'"own":"\ud83d\ude00"', '"own":"😀"'),
    "with U+0000": _one_member(r'"own":"a\u0000b"', r'"\u0000":1'),
    "with a name of JavaScript's": _one_member(
        '"__proto__":{"typ":"Bearer"}', '"constructor":1', '"toString":null', '"__proto__":null'
    ),
    "with a long member": _one_member(f'"own":"{"x" * 20000}"'),
    "with many members": _one_member(",".join(f'"m{n}":{n}' for n in range(2000))),
}


def _of_payload(write: _Write, it: Material) -> str:
    return it.draft.signed_bytes(compact(it.draft.header), write(it.draft.claims, it))


def _of_header(write: _Write, it: Material) -> str:
    return it.draft.signed_bytes(write(it.draft.header, it), compact(it.draft.claims))


# A claim that a rule reads, written so that two readers may see two values.
_READINGS = (
    '"exp":1e400', '"exp":-1e400', '"exp":NaN', '"nbf":-1e400', '"iat":-1e999', '"exp":1.8e9',
    '"exp":18e8', '"exp":1800000290.0000000001', '"exp":99999999999999999999999999', '"nbf":-0',
    '"nbf":1E2', '"iat":1799999990.0', '"iat":1.79999999e9', '"exp":-Infinity', '"nbf":1e-400',
    f'"exp":{"9" * 400}', f'"nbf":{"0." + "0" * 500}1', f'"iat":-{"9" * 5000}',
)  # fmt: skip


def _read_in_two_ways(it: Material) -> str:
    reading = it.random.choice(_READINGS)
    name = reading.split('"')[1]
    members = {key: value for key, value in it.draft.claims.items() if key != name}
    return it.draft.signed_bytes(compact(it.draft.header), _with_member(reading)(members, it))


KINDS: Kinds = {
    **{f"payload {name}": partial(_of_payload, write) for name, write in _WRITERS.items()},
    **{f"header {name}": partial(_of_header, write) for name, write in _WRITERS.items()},
    "a time in another notation": _read_in_two_ways,
}
