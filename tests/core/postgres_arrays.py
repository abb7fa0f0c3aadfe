"""A reader of Postgres array literals, after the PostgreSQL documentation, 8.15.2 and 8.15.6.

One dimension, text elements, delimiter comma: what a session variable is cast to.
"""

from __future__ import annotations


def read_array(literal: str) -> list[str | None]:
    """Return the elements, None for NULL. Raises ValueError: malformed array literal."""
    if not (literal.startswith("{") and literal.endswith("}")):
        raise ValueError("no braces")
    rest = literal[1:-1]
    elements: list[str | None] = []
    if not rest:
        return elements
    while True:
        element, rest = _quoted(rest[1:]) if rest.startswith('"') else _bare(rest)
        elements.append(element)
        if not rest:
            return elements
        if not rest.startswith(","):
            raise ValueError("junk after an element")
        rest = rest[1:]


def _quoted(rest: str) -> tuple[str, str]:
    text = ""
    while rest:
        character, rest = rest[0], rest[1:]
        if character == '"':
            return text, rest
        if character == "\\":
            if not rest:
                break
            character, rest = rest[0], rest[1:]
        text += character
    raise ValueError("no closing quote")


def _bare(rest: str) -> tuple[str | None, str]:
    end = rest.find(",")
    text = rest if end < 0 else rest[:end]
    if not text.strip() or set(text) & set('{}"\\'):
        raise ValueError("an element that needs quotes")
    # Blanks around a bare element do not count, and NULL in any case is no text.
    return (None if text.strip().lower() == "null" else text.strip()), rest[len(text) :]
