"""Mutations of the text: characters, base64url, and the parts of several tokens put together."""

from __future__ import annotations

import string
from base64 import urlsafe_b64decode
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tests.differential.kinds import Kinds, Material
from tests.differential.originals import compact
from tests.made_tokens import b64

_ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
_STRANGE = string.punctuation + " \t\r\n\x00\x7f\x85\xa0é€\u2028\ufeff\ud800😀"
_BLANKS = " \t\r\n\f"
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def _unchanged(it: Material) -> str:
    return it.draft.token


def _a_character_changed(it: Material) -> str:
    return _replaced(it, it.random.randrange(len(it.draft.token)), _ALPHABET)


def _a_strange_character(it: Material) -> str:
    return _replaced(it, it.random.randrange(len(it.draft.token)), _STRANGE)


def _a_last_character_changed(it: Material) -> str:
    ends = [at - 1 for at, sign in enumerate(it.draft.token + ".") if sign == "."]
    return _replaced(it, it.random.choice(ends), _ALPHABET)


def _replaced(it: Material, at: int, alphabet: str) -> str:
    token = it.draft.token
    return token[:at] + it.random.choice(alphabet) + token[at + 1 :]


def _a_character_more(it: Material) -> str:
    at = it.random.randrange(len(it.draft.token) + 1)
    return it.draft.token[:at] + it.random.choice(_ALPHABET) + it.draft.token[at:]


def _a_character_less(it: Material) -> str:
    at = it.random.randrange(len(it.draft.token))
    return it.draft.token[:at] + it.draft.token[at + 1 :]


def _cut_short(it: Material) -> str:
    return it.draft.token[: it.random.randrange(len(it.draft.token))]


def _a_bit_flipped(it: Material) -> str:
    parts = it.parts
    which = it.random.randrange(3)
    data = bytearray(_decoded(parts[which]))
    data[it.random.randrange(len(data))] ^= 1 << it.random.randrange(8)
    parts[which] = b64(bytes(data))
    return ".".join(parts)


def _decoded(part: str) -> bytes:
    return urlsafe_b64decode(part + "==")


# --- parts


def _parts_of_several(it: Material) -> str:
    return ".".join(it.random.choice(it.world.originals).token.split(".")[at] for at in range(3))


def _another_signature(it: Material) -> str:
    other = it.random.choice(it.world.originals).token
    return it.draft.token.rpartition(".")[0] + "." + other.rpartition(".")[2]


def _more_or_less_parts(it: Material) -> str:
    header, payload, signature = it.parts
    return ".".join(
        it.pick(
            [header, payload],
            [header, payload, signature, ""],
            [header, payload, signature, signature],
            [header, "", payload, "", signature],
            [header, "", signature],
            [header, payload, ""],
            ["", payload, signature],
            [payload, header, signature],
            [header, header, signature],
            ["", "", ""],
            [],
        )
    )


def _a_token_in_a_token(it: Material) -> str:
    header = b64(compact({**it.draft.header, "cty": "JWT"}))
    return it.draft.signed_text(header, b64(it.draft.token.encode()))


def _json_serialisation(it: Material) -> str:
    header, payload, signature = it.parts
    flat = {"protected": header, "payload": payload, "signature": signature}
    return compact(flat).decode()


# --- base64url


def _unused_bits(part: str, it: Material) -> str:
    """Set some of the bits that no byte uses."""
    unused = {2: 4, 3: 2}.get(len(part) % 4, 0)
    if not unused:
        return part
    last = _ALPHABET.index(part[-1]) | it.random.randrange(1, 1 << unused)
    return part[:-1] + _ALPHABET[last]


def _padded(part: str, _it: Material) -> str:
    return part + "=" * (-len(part) % 4)


def _padded_wrongly(part: str, it: Material) -> str:
    wrong = [count for count in range(1, 5) if count != -len(part) % 4]
    return part + "=" * it.random.choice(wrong)


def _with_blanks(part: str, it: Material) -> str:
    at = it.random.randrange(len(part) + 1)
    return part[:at] + it.random.choice(_BLANKS) + part[at:]


def _in_the_other_alphabet(part: str, _it: Material) -> str:
    return part.replace("-", "+").replace("_", "/")


def _percent_encoded(part: str, it: Material) -> str:
    at = it.random.randrange(len(part))
    return f"{part[:at]}%{ord(part[at]):02X}{part[at + 1 :]}"


_ENCODINGS: dict[str, Callable[[str, Material], str]] = {
    "unused bits set": _unused_bits,
    "padded": _padded,
    "padded wrongly": _padded_wrongly,
    "with a blank": _with_blanks,
    "in the other alphabet": _in_the_other_alphabet,
    "percent-encoded": _percent_encoded,
}


def _of_signature(encode: Callable[[str, Material], str]) -> Callable[[Material], str]:
    def mutate(it: Material) -> str:
        head, _, signature = it.draft.token.rpartition(".")
        return f"{head}.{encode(signature, it)}"

    return mutate


def _of_signed_parts(encode: Callable[[str, Material], str], at: int) -> Callable[[Material], str]:
    """Encode the header (0) or the payload (1) so, and sign that text."""

    def mutate(it: Material) -> str:
        # A blank or two of JSON, so that every length of the last group comes up.
        claims = compact(it.draft.claims) + b" " * it.random.randrange(3)
        header = compact(it.draft.header) + b" " * it.random.randrange(3)
        parts = [b64(header), b64(claims)]
        parts[at] = encode(parts[at], it)
        return it.draft.signed_text(*parts)

    return mutate


# --- signatures


def _another_form_of_signature(it: Material) -> str:
    head, _, text = it.draft.token.rpartition(".")
    signature = _decoded(text)
    forms = [signature[::-1], b"\x00" + signature, signature[1:], signature + b"\x00", b"\x00" * 64]
    if it.draft.key.algorithm == "ES256":
        r, s = _numbers(signature)
        forms += [encode_dss_signature(r, s), encode_dss_signature(r, s).ljust(72, b"\x00")]
        forms += [signature[32:] + signature[:32], (r or 1).to_bytes(32) + bytes(32)]
    return f"{head}.{b64(it.random.choice(forms))}"


def _the_twin_signature(it: Material) -> str:
    """With (r, s) goes (r, n - s): both are right by FIPS 186-5, which no token form forbids."""
    head, _, text = it.draft.token.rpartition(".")
    if it.draft.key.algorithm != "ES256":
        return it.draft.token
    r, s = _numbers(_decoded(text))
    return f"{head}.{b64(r.to_bytes(32) + (_P256_ORDER - s).to_bytes(32))}"


def _numbers(signature: bytes) -> tuple[int, int]:
    return int.from_bytes(signature[:32]), int.from_bytes(signature[32:])


def _around(it: Material) -> str:
    before, after = it.pick(
        ("", "\n"), (" ", ""), ("Bearer ", ""), ("", ";"), ("", "=="), ('"', '"')
    )
    return f"{before}{it.draft.token}{after}"


KINDS: Kinds = {
    "as it is": _unchanged,
    "a character changed": _a_character_changed,
    "a strange character": _a_strange_character,
    "a part's last character changed": _a_last_character_changed,
    "a character more": _a_character_more,
    "a character less": _a_character_less,
    "cut short": _cut_short,
    "a bit flipped": _a_bit_flipped,
    "parts of several tokens": _parts_of_several,
    "another token's signature": _another_signature,
    "more or fewer parts": _more_or_less_parts,
    "a token in a token": _a_token_in_a_token,
    "JSON serialisation": _json_serialisation,
    "the signature in another form": _another_form_of_signature,
    "the signature's twin": _the_twin_signature,
    "something around it": _around,
    **{f"signature {name}": _of_signature(encode) for name, encode in _ENCODINGS.items()},
    **{f"header {name}": _of_signed_parts(encode, 0) for name, encode in _ENCODINGS.items()},
    **{f"payload {name}": _of_signed_parts(encode, 1) for name, encode in _ENCODINGS.items()},
}
