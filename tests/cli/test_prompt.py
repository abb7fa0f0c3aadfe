"""The hidden prompt, on a terminal that this process holds the other end of."""

from __future__ import annotations

import io
import os
import pty
import sys
import termios
import threading
import time

import pytest

from hasura_kc_auth.cli.prompt import ask_for_token


def typed(monkeypatch, *pieces):
    """Type at a terminal; return what was read, and whether it echoes afterwards as before."""
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)

    def type_when_asked():
        while termios.tcgetattr(master)[3] & termios.ICANON:
            time.sleep(0.01)
        for piece in pieces:
            os.write(master, piece)

    typist = threading.Thread(target=type_when_asked)
    with os.fdopen(slave, encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        typist.start()
        text = ask_for_token()
        typist.join()
        restored = termios.tcgetattr(slave) == before
    os.close(master)
    return text, restored


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\x04"], ids=["enter", "return", "end of input"])
def test_a_line_is_read_and_the_terminal_is_as_before(monkeypatch, capsys, end):
    assert typed(monkeypatch, b"a.b", b".c" + end) == ("a.b.c", True)
    assert capsys.readouterr() == ("", "Token: \n")


def test_a_line_may_be_longer_than_a_terminals(monkeypatch):
    pieces = [b"x" * 1000] * 20

    assert typed(monkeypatch, *pieces, b"\n") == ("x" * 20_000, True)


def test_what_is_no_text_is_read_all_the_same(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a\xff.b")))

    assert ask_for_token() == "a\ufffd.b"


def test_a_closed_input_is_empty(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)

    assert ask_for_token() == ""
