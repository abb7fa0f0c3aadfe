"""The hostile requests that are kept as files: how one is read, and what bytes it stands for.

A file says in its first line what is answered: `401 malformed_token`, `200 acme viewer`, or
`closed` for no answer; several answers on one connection are parted by `; `. A line `POST: …` below
it holds for POST mode, where that differs. The next line tells what is hostile. After an empty line
comes the request, in one of these forms:

`.http`     a whole HTTP request. Each line is sent with CRLF behind it, but for one that ends in
            `«.»`. What follows `«pause»` is sent a moment later
`.headers`  the lines of a client's headers, sent in both modes
`.claims`   members of JSON, put in the place of those of a good token, which is then signed;
            `without: exp` leaves claims out, `wish: X-Hasura-Role: admin` is a header beside it
`.token`    a token made by hand, out of the lines `header: `, `payload: `, `signature: `, `token: `
`.body`     the body of a call in POST mode, sent as it stands

In all of them `«…»` stands for something else: `«00 ff»` for bytes, `«1000 times a»` for a thousand
letters, `«length»` for the length of what follows the first empty line, any other word for what
the test gives by that name: `«token»`, `«issuer»`, `«now+60»`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

CORPUS = Path(__file__).parent / "corpus"
MODES = ("GET", "POST")

_SPECIAL = re.compile("«([^«»]*)»")
_BYTES = re.compile(r"[0-9a-f]{2}(?: [0-9a-f]{2})*")
_REPEATED = re.compile("([0-9]+) times (.+)", re.DOTALL)

Words = Callable[[str], bytes]
"""What a word between `«` and `»` stands for. Raises KeyError."""


class Case(NamedTuple):
    """One file. `answers`: by mode, what comes back, in order."""

    name: str
    form: str
    answers: Mapping[str, tuple[str, ...]]
    told: str
    content: str


def cases() -> Iterator[Case]:
    """Read the whole corpus."""
    return map(_read, sorted(it for it in CORPUS.rglob("*") if it.is_file()))


def _read(file: Path) -> Case:
    head, _, content = file.read_bytes().decode("utf-8").partition("\n\n")
    answers, *others, told = head.split("\n")
    by_mode = dict.fromkeys(MODES, answers) | dict(line.split(": ", 1) for line in others)
    return Case(
        str(file.relative_to(CORPUS)),
        file.suffix,
        {mode: tuple(by_mode[mode].split("; ")) for mode in MODES},
        told,
        content,
    )


PAUSE = b"<a pause>"


def http_bytes(content: str, words: Words) -> bytes:
    """Return the bytes of a `.http` file."""
    lines = "".join(f"{line}\r\n" for line in content.removesuffix("\n").split("\n"))
    head, gap, body = lines.replace("«.»\r\n", "").partition("\r\n\r\n")
    sent = filled(body, words)
    return filled(head.replace("«length»", str(len(sent))) + gap, words) + sent


def no_http() -> dict[str, bytes]:
    """Return what aiohttp's parser itself refuses, by name: it needs no tokens."""
    found = (case for case in cases() if case.name.startswith("no-http/"))
    return {case.name: http_bytes(case.content, {}.__getitem__) for case in found}


def filled(text: str, words: Words) -> bytes:
    """Return the bytes of a text with all that is special in it."""
    pieces = _SPECIAL.split(text)
    return b"".join(
        _special(piece, words) if number % 2 else piece.encode()
        for number, piece in enumerate(pieces)
    )


def _special(piece: str, words: Words) -> bytes:
    if piece == "pause":
        return PAUSE
    if _BYTES.fullmatch(piece):
        return bytes.fromhex(piece)
    if repeated := _REPEATED.fullmatch(piece):
        return repeated[2].encode() * int(repeated[1])
    return words(piece)


def header_lines(content: str, words: Words) -> list[tuple[bytes, bytes]]:
    """Return the names and values of a `.headers` file."""
    lines = (line.partition(": ") for line in content.removesuffix("\n").split("\n"))
    return [(filled(name, words), filled(value, words)) for name, _, value in lines]


class Claims(NamedTuple):
    """A `.claims` file: which claims to leave out, what text to write instead, which wishes."""

    without: frozenset[str]
    members: str
    wishes: list[str]

    def payload(self, good: Mapping[str, object]) -> str:
        """Return the payload's text. What stands in the file is not read and written again."""
        changed = self.without | frozenset(_names(self.members))
        kept = json.dumps({name: it for name, it in good.items() if name not in changed})
        return f"{kept[:-1]}, {self.members}}}" if self.members else kept


def _names(members: str) -> Iterator[str]:
    """Yield the names at the outer level: a line of a `.claims` file begins with each of them."""
    return (found[1] for found in re.finditer(r'^"([^"\n]+)":', members, re.MULTILINE))


def claims(content: str) -> Claims:
    lines = content.removesuffix("\n").split("\n")
    without = [line.removeprefix("without: ") for line in lines if line.startswith("without: ")]
    wishes = [line.removeprefix("wish: ") for line in lines if line.startswith("wish: ")]
    members = [line for line in lines if line and not line.startswith(("without: ", "wish: "))]
    return Claims(frozenset(", ".join(without).split(", ")), "\n".join(members), wishes)


class MadeToken(NamedTuple):
    """A `.token` file. `token`: how header, payload and signature are put together."""

    header: str
    payload: str
    signature: str
    token: str


def made_token(content: str) -> MadeToken:
    lines = dict(line.split(": ", 1) for line in content.removesuffix("\n").split("\n"))
    return MadeToken(
        lines["header"],
        lines.get("payload", "«good»"),
        lines.get("signature", "right"),
        lines.get("token", "«header».«payload».«signature»"),
    )
