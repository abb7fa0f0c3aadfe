"""`python -m hasura_kc_auth` and the console script are the same program."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from hasura_kc_auth import __main__, __version__
from hasura_kc_auth.__main__ import _occupy_standard_streams

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("arguments", [["version"], ["--help"], ["nonsense"]])
def test_it_is_the_commands(monkeypatch, capsys, arguments):
    monkeypatch.setattr(sys, "argv", ["anything", *arguments])

    with pytest.raises(SystemExit) as left:
        __main__.main()

    shown = capsys.readouterr()
    assert left.value.code == (2 if arguments == ["nonsense"] else 0)
    assert "hasura-kc-auth" in shown.out + shown.err
    assert "anything" not in shown.out + shown.err


def test_the_module_can_be_run(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["hasura_kc_auth", "version"])
    monkeypatch.delitem(sys.modules, "hasura_kc_auth.__main__")

    with pytest.raises(SystemExit) as left:
        runpy.run_module("hasura_kc_auth", run_name="__main__")

    assert left.value.code == 0
    assert capsys.readouterr().out.startswith(f"hasura-kc-auth {__version__}\n")


def test_to_import_it_runs_nothing(monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "hasura_kc_auth.__main__")

    runpy.run_module("hasura_kc_auth.__main__", run_name="imported")

    assert capsys.readouterr() == ("", "")


def test_as_a_process():
    done = subprocess.run(
        [sys.executable, "-m", "hasura_kc_auth", "version"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )

    assert done.stdout.startswith(f"hasura-kc-auth {__version__}\n")
    assert done.stderr == ""


def test_the_console_script_is_this_one():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

    assert project["scripts"] == {"hasura-kc-auth": "hasura_kc_auth.__main__:main"}


def test_a_closed_standard_stream_is_opened_on_nothing(monkeypatch):
    closed, opened = {1}, []

    def fstat(descriptor):
        if descriptor in closed:
            raise OSError(9, "Bad file descriptor")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fstat", fstat)
        patched.setattr(os, "open", lambda *arguments: opened.append(arguments))
        _occupy_standard_streams()

    assert opened == [(os.devnull, os.O_RDWR)]
