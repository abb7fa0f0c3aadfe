"""Asks for a token without showing it."""

from __future__ import annotations

import os
import sys
import termios

_ENDS = b"\r\n\x04"


def ask_for_token() -> str:
    """Return what comes on standard input, or what is typed at a hidden prompt on a terminal.

    Bytes that are no text make no token, and no crash.
    """
    if sys.stdin is None:  # closed
        return ""
    read = _typed if sys.stdin.isatty() else sys.stdin.buffer.read
    return read().decode("utf-8", "replace")


def _typed() -> bytes:
    """Read one line of any length: by itself a terminal takes 4096 characters, tokens have more."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    quiet = termios.tcgetattr(descriptor)
    quiet[3] &= ~(termios.ECHO | termios.ICANON)
    sys.stderr.write("Token: ")
    sys.stderr.flush()
    try:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, quiet)
        return _line(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
        sys.stderr.write("\n")


def _line(descriptor: int) -> bytes:
    line = b""
    while (piece := os.read(descriptor, 4096)) and not any(end in piece for end in _ENDS):
        line += piece
    return line + piece.split(b"\r")[0].split(b"\n")[0].split(b"\x04")[0]
