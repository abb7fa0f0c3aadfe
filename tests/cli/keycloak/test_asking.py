"""What the commands ask on a terminal, which this process holds the other end of."""

from __future__ import annotations

import os
import pty
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import typer

from hasura_kc_auth.cli.keycloak.access import login_or_exit
from hasura_kc_auth.cli.keycloak.apply import confirmed
from hasura_kc_auth.config.credentials import LoginOptions
from hasura_kc_auth.provisioning.items import Member, Role
from hasura_kc_auth.provisioning.plan import Plan, Step

REMOVAL = Plan((Step(Role("acme", "editor"), None),), (), ())


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch, typed: bytes) -> Iterator[None]:
    ours, theirs = pty.openpty()
    os.write(ours, typed)
    with os.fdopen(theirs, encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield
    os.close(ours)


def test_a_removal_is_asked_about(monkeypatch, capsys):
    with terminal(monkeypatch, b"y\n"):
        confirmed(REMOVAL, as_json=False)

    assert "to be removed:\n- role acme:editor\n" in capsys.readouterr().err


@pytest.mark.parametrize("typed", [b"n\n", b"\n"])
def test_anything_but_yes_is_no(monkeypatch, typed):
    with terminal(monkeypatch, typed), pytest.raises(typer.Abort):
        confirmed(REMOVAL, as_json=False)


def test_so_are_roles_that_are_taken_from_people(monkeypatch, capsys):
    old, new = (Member("acme", "alice", frozenset(roles)) for roles in (["a", "b"], ["b", "c"]))
    with terminal(monkeypatch, b"y\n"):
        confirmed(Plan((Step(old, new),), (), ()), as_json=False)

    assert "~ org acme, member alice: roles +c -a\n" in capsys.readouterr().err


def test_giving_roles_is_no_question(capsys):
    old, new = (Member("acme", "alice", frozenset(roles)) for roles in (["a"], ["a", "b"]))
    confirmed(Plan((Step(old, new),), (), ()), as_json=False)

    assert capsys.readouterr() == ("", "")


def test_nothing_to_remove_is_no_question(capsys):
    confirmed(Plan((Step(None, Role("acme", "editor")),), (), ()), as_json=False)

    assert capsys.readouterr() == ("", "")


def test_a_password_is_asked_for(monkeypatch):
    # Typed ahead it would be thrown away: the terminal is emptied before nothing is shown.
    monkeypatch.setattr("getpass.getpass", lambda _prompt: "typed")
    monkeypatch.delenv("KEYCLOAK_PASSWORD", raising=False)
    with terminal(monkeypatch, b""):
        login = login_or_exit(LoginOptions(admin="root"))

    assert login.password == "typed"
