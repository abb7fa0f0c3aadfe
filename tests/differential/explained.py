"""What the service refuses though jose would not, and why that is meant so.

The other way round there is no table: what the service accepts and jose does not is a hole.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

from hasura_kc_auth.core.errors import Code


class Explanation(NamedTuple):
    """Why mutants of these kinds (globs) are denied with this code."""

    kinds: tuple[str, ...]
    code: Code
    why: str


EXPLANATIONS = (
    Explanation(
        ("header unused bits set", "payload unused bits set", "signature unused bits set"),
        Code.MALFORMED_TOKEN,
        "Bits of a last character that no byte uses must be zero (RFC 4648, 3.5): else one "
        "signature has several texts. jose decodes as browsers do, which ignore them.",
    ),
    Explanation(
        ("a part's last character changed",),
        Code.MALFORMED_TOKEN,
        "Where the new last character happens to differ from the old one in unused bits only.",
    ),
    Explanation(
        ("header padded", "payload padded", "signature padded"),
        Code.MALFORMED_TOKEN,
        "base64url in a JWS has no padding (RFC 7515, 2).",
    ),
    Explanation(
        ("header with a blank", "payload with a blank", "signature with a blank"),
        Code.MALFORMED_TOKEN,
        "base64url in a JWS has no blanks or line ends (RFC 7515, 2). jose decodes as browsers do, "
        "which drop them.",
    ),
    Explanation(
        ("something around it",),
        Code.MALFORMED_TOKEN,
        "A line end, a blank or padding behind the signature, which browsers' decoders drop.",
    ),
    Explanation(
        ("kid absent",),
        Code.MALFORMED_TOKEN,
        "A key is found by its `kid` alone. jose takes the only key that fits, where there is one.",
    ),
    Explanation(
        ("a key comes along",),
        Code.MALFORMED_TOKEN,
        "These have lost their `kid`, but are signed by the realm's own key, which jose tries. The "
        "key that comes along is looked at by neither.",
    ),
    Explanation(
        ("b64 true, without crit", "b64 false, without crit", "b64 no boolean"),
        Code.MALFORMED_TOKEN,
        "`b64` is refused whatever it says (RFC 7797 wants it in `crit`); jose ignores it there.",
    ),
    Explanation(
        ("crit", "b64 true, with crit"),
        Code.MALFORMED_TOKEN,
        "No extension is understood here, so any `crit` is refused (RFC 7515, 4.1.11). jose "
        "understands `b64`, and lets it pass where it is true.",
    ),
    Explanation(
        ("typ in full",),
        Code.WRONG_TYPE,
        "`application/at+jwt` is `at+jwt` written out (RFC 7515, 4.1.9). Keycloak writes it short, "
        "and no other spelling is let in.",
    ),
    Explanation(
        ("header a member twice*", "payload a member twice*"),
        Code.MALFORMED_TOKEN,
        "Two readers may take two values of a duplicate member: refused (RFC 7515, 4, allows "
        "that). JavaScript takes the last one.",
    ),
    Explanation(
        ("header behind a byte order mark", "payload behind a byte order mark"),
        Code.MALFORMED_TOKEN,
        "JSON has no byte order mark (RFC 8259, 8.1); the decoder of browsers removes it.",
    ),
    Explanation(
        ("header nested deeply", "payload nested deeply"),
        Code.MALFORMED_TOKEN,
        "A token nests four deep; beyond 64 it is refused before any reader runs out of stack.",
    ),
    Explanation(
        (
            "header with a number beyond every float",
            "payload with a number beyond every float",
            "header with an endless number",
            "payload with an endless number",
            "a time in another notation",
        ),
        Code.MALFORMED_TOKEN,
        "A number that no float can hold (1e400), or of thousands of digits: JavaScript reads "
        "Infinity, which no rule should compare a time with.",
    ),
    Explanation(
        ("exp an endless number", "a time in another notation"),
        Code.MISSING_CLAIM,
        "An integer of hundreds of digits, which no float can hold: for jose it never expires.",
    ),
    Explanation(
        ("header with half a surrogate pair", "payload with half a surrogate pair"),
        Code.MALFORMED_TOKEN,
        "Half a surrogate pair is no character: neither Hasura nor Postgres can hold it.",
    ),
    Explanation(
        ("header with U+0000", "payload with U+0000", "* a text with U+0000"),
        Code.MALFORMED_TOKEN,
        "No Postgres text can hold U+0000, so no claim may.",
    ),
    Explanation(
        ("cnf *",),
        Code.SENDER_CONSTRAINED,
        "`cnf` binds a token to a key of its sender, which cannot be checked behind Hasura. jose "
        "leaves that to its caller.",
    ),
    Explanation(
        ("sub *",),
        Code.MISSING_CLAIM,
        "The user's id becomes a session variable: a printable string of 1 to 255 characters. "
        "jose asks for its presence only.",
    ),
    Explanation(
        ("aud with no strings",),
        Code.WRONG_AUDIENCE,
        "`aud` is a string or a list of strings (RFC 7519, 4.1.3): with anything else among them "
        "it says nothing. jose looks for the one audience among them.",
    ),
)


def explanation_of(kinds: Iterable[str], code: str) -> Explanation | None:
    """Return why a mutant made of these kinds is denied with this code, if it is known."""
    found = (
        it
        for it in EXPLANATIONS
        for kind in kinds
        if it.code == code and any(fnmatchcase(kind, pattern) for pattern in it.kinds)
    )
    return next(found, None)
