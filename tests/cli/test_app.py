"""What all commands share, and `version`."""

from __future__ import annotations

import asyncio
import importlib
import os
import platform
import re
import signal
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

import pytest

from hasura_kc_auth import __version__
from hasura_kc_auth.cli import app, running
from tests.cli.commands import Process, invoke

# Each command with words that its help must have.
COMMANDS = {
    "serve": ("webhook", "management listener", "SIGTERM", "HASURA_GRAPHQL_AUTH_HOOK"),
    "demo": ("nothing else installed", "--once", "--port", "--json", "calls the webhook as Hasura"),
    "dev-issuer": ("loopback", "NO Keycloak", "--port", "8180", "rotate the keys"),
    "check": ("every problem at once", "--online", "--json", "--config"),
    "explain": ("refused", "standard input", "--org", "--role", "--json", "never from the"),
    "healthcheck": ("ready", "--live", "--config"),
    "version": ("version", "Python", "--json"),
    "helm-values": ("Hasura's own Helm chart", "--secret", "--extra-container", "--image"),
    "test": ("FILE", "no Keycloak needed", "throw-away", "--config", "--json"),
}


def test_the_commands_are_these():
    registered = [it.name or it.callback.__name__ for it in app.registered_commands]

    assert [name.replace("_", "-") for name in registered] == list(COMMANDS)


@pytest.mark.parametrize("option", ["--help", "-h"])
@pytest.mark.parametrize(("command", "words"), list(COMMANDS.items()))
def test_each_command_says_what_it_does(command, words, option):
    found = invoke(command, option)

    told = " ".join(re.sub("[│╭╮╰╯─]", " ", found.out).split())
    assert (found.code, found.err) == (0, "")
    assert "\x1b" not in found.out
    for word in words:
        assert word in told


def test_the_help_names_every_command_and_the_exit_codes():
    for arguments, code in ((["--help"], 0), ([], 2)):
        found = invoke(*arguments)
        told = found.out + found.err
        assert found.code == code
        assert all(re.search(rf"\b{name}\b", told) for name in COMMANDS)
        assert (
            "0 yes; 1 no (denied, findings); 2 usage or configuration; 3 cannot tell"
            in " ".join(told.split())
        )


@pytest.mark.parametrize(
    "arguments",
    [
        *(["nonsense"], ["--nonsense"], ["check", "--nonsense"], ["check", "more"], ["serve", "x"]),
        *(["demo", "--port", "x"], ["demo", "--port", "-1"], ["demo", "--port", "65536"]),
        *(["dev-issuer", "--port", "70000"], ["explain", "--org"], ["check", "--config"]),
    ],
)
def test_wrong_usage_is_exit_2(arguments):
    found = invoke(*arguments)

    assert (found.code, found.out) == (2, "")
    assert " Error " in found.err


def test_version_names_what_decides():
    lines = invoke("version").out.splitlines()

    assert lines[:2] == [f"hasura-kc-auth {__version__}", f"python {platform.python_version()}"]
    assert [line.split()[0] for line in lines[2:]] == ["aiohttp", "joserfc", "cryptography"]
    assert lines[3] == f"joserfc {installed_version('joserfc')}"


def test_version_as_json_says_the_same():
    lines = invoke("version").out.splitlines()

    assert invoke("version", "--json").json == dict(line.split(" ") for line in lines)


@pytest.mark.parametrize("arguments", [["--help"], ["demo", "--once"], ["demo", "--nonsense"]])
def test_no_colours_go_where_there_is_no_terminal(arguments):
    with Process(*arguments) as process:
        found = process.end()

    assert "\x1b" not in found.out + found.err
    assert found.out + found.err


def test_no_colours_of_warnings_and_denials_go_where_there_is_no_terminal(realm, config):
    issuer = {**realm.settings()["issuers"][0], "audiences": []}
    with Process("check", "--online", "--config", config(issuers=[issuer])) as process:
        found = process.end()

    assert found.code == 0
    assert "warning: " in found.err
    assert "\x1b" not in found.out + found.err


# --- running


def test_the_loop_is_uvloops_where_there_is_uvloop(monkeypatch):
    async def kind() -> str:
        return type(asyncio.get_running_loop()).__module__

    assert running.run(kind()).startswith("uvloop")
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert running.run(kind()).startswith("asyncio")


def test_the_output_is_raw_and_goes_nowhere_where_it_is_closed():
    reading, writing = os.pipe()
    with running.raw_output(writing) as output:
        output.write(b"line")
    os.write(writing, b"!")  # it is closed by whoever opened it
    assert os.read(reading, 10) == b"line!"
    os.close(writing)
    os.close(reading)

    with running.raw_output(writing) as output:
        assert output.write(b"line") == 4


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_waited_for(number):
    async def main() -> signal.Signals:
        signals = running.Signals()
        os.kill(os.getpid(), number)
        return await signals.wait()

    assert running.run(main()) is number


def test_a_second_signal_is_an_exit_at_once():
    async def main() -> None:
        signals = running.Signals()
        os.kill(os.getpid(), signal.SIGTERM)
        await signals.wait()
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(30)

    with pytest.raises(SystemExit) as left:
        running.run(main())

    assert left.value.code == 1


def test_the_exit_codes_are_the_documented_ones():
    codes = {it.name: it.value for it in running.Exit}

    assert codes == {"YES": 0, "NO": 1, "USAGE": 2, "CANNOT_TELL": 3}


def test_each_command_is_one_file_of_its_name():
    # A module named `test` would be taken for one of tests.
    for name in ["policy-test" if name == "test" else name for name in COMMANDS]:
        module = importlib.import_module(f"hasura_kc_auth.cli.{name.replace('-', '_')}")
        assert Path(str(module.__file__)).stem == name.replace("-", "_")


def test_to_leave_is_to_end_the_process_at_once(monkeypatch):
    codes = []
    with monkeypatch.context() as patched:
        patched.setattr(os, "_exit", codes.append)
        running.leave(running.Exit.YES)

    assert codes == [0]
