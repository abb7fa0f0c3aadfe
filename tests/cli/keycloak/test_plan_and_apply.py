"""`keycloak plan` and `keycloak apply`."""

from __future__ import annotations

import os
import pty
import re
import signal
import sys
from contextlib import suppress

import pytest

from tests.cli.commands import LONG, Process
from tests.cli.keycloak.conftest import LOGIN, ORGS, Place
from tests.keycloak.realm_server import SECRET, Fault

NOTHING = "nothing to do: the realm is as the file says\n"


def test_a_plan_is_a_diff_and_does_nothing(place: Place) -> None:
    said = place.plan()

    assert said.code == 1
    assert said.out.splitlines() == [
        "+ scope hasura-audience",
        "+ client frontend",
        "+ scope my-orgs",
        "+ scope hasura-audience, mapper audience",
        "+ client frontend, scope basic: default",
        "+ client frontend, scope hasura-audience: default",
        "+ scope my-orgs, mapper orgs",
        "+ client frontend, scope roles: default",
        "+ client frontend, scope my-orgs: optional",
        "+ org acme: roles editor, viewer, 1 member",
        "+ org globex: roles editor, viewer",
        "24 to create, 0 to change, 0 to remove",
    ]
    assert {call.split()[0] for call in place.server.calls[1:]} == {"GET"}


def test_a_plan_for_machines(place: Place) -> None:
    said = place.plan("--json")

    assert said.code == 1
    assert said.json["steps"][0] == {
        "do": "create",
        "kind": "scope",
        "name": ["hasura-audience"],
        "changes": {},
        "text": "+ scope hasura-audience",
    }
    assert (len(said.json["steps"]), said.json["problems"], said.json["notes"]) == (24, [], [])


def test_apply_does_the_plan_and_a_second_run_nothing(place: Place) -> None:
    first, second = place.apply(), place.apply()
    after = place.plan()

    lines = first.out.splitlines()
    assert (first.code, lines[-1]) == (0, "24 of 24 steps done")
    assert min(lines) == "+ client acme"
    assert (second.code, second.out) == (0, NOTHING)
    assert (after.code, after.out) == (0, NOTHING)
    assert place.server.held(
        f"users/{next(iter(place.server.things['users']))}/role-mappings/clients/"
        f"{place.server.client('acme')['id']}"
    ) == {"acme:editor"}


def test_apply_for_machines(place: Place) -> None:
    said = place.apply("--json")

    assert said.code == 0
    assert (said.json["done"], said.json["left"], said.json["problems"]) == (24, [], [])


def test_what_cannot_be_had_is_said_and_the_rest_is_done(place: Place) -> None:
    place.write({**ORGS, "orgs": {"acme": {"members": {"zoe": ["editor"]}}}})
    problem = "org acme: there is no user zoe; users are never made here"

    planned, applied, after = place.plan(), place.apply(), place.apply("--json")

    assert (planned.code, planned.out.splitlines()[-2:]) == (
        1,
        [f"! {problem}", "16 to create, 0 to change, 0 to remove"],
    )
    assert (applied.code, applied.out.splitlines()[-2:]) == (
        1,
        [f"! {problem}", "16 of 16 steps done"],
    )
    assert (after.code, after.json["problems"], after.json["steps"]) == (1, [problem], [])


def test_a_failed_step_is_told_with_what_it_was_for(place: Place) -> None:
    place.server.faults.append(Fault("POST client-scopes$", 400))

    said = place.apply()

    assert said.code == 1
    assert re.search(
        r"^! scope [a-z-]+: POST client-scopes: Keycloak answered 400", said.out, re.MULTILINE
    )
    assert said.out.endswith("run it again to go on\n")
    assert place.apply().code == 0


def test_a_missing_right_is_named_and_ends_it(place: Place) -> None:
    place.server.faults.append(Fault("POST clients$", 403, times=99))

    said = place.apply()

    assert said.code == 3
    assert "the account may not set up clients and scopes; it needs manage-clients" in said.out


def test_an_account_that_may_not_look_is_told_so(place: Place) -> None:
    place.server.faults.append(Fault("GET clients", 403, times=99))

    said = place.plan()

    assert (said.code, said.out) == (3, "")
    assert "it needs view-clients" in said.err


# Notes, and what is removed


@pytest.fixture
def retired(place: Place) -> Place:
    """Give a realm where globex was set up, and a file that has retired it."""
    place.apply()
    place.write({**ORGS, "orgs": {"acme": ORGS["orgs"]["acme"]}, "retired": ["globex"]})
    return place


def test_what_is_not_wanted_any_more_is_only_told_of(retired: Place) -> None:
    said, applied = retired.plan(), retired.apply()

    problems = [
        "! client globex: is not wanted any more; --prune removes it",
        "! scope globex: is not wanted any more; --prune removes it",
    ]
    assert (said.code, said.out.splitlines()[:-1]) == (1, problems)
    assert (applied.code, applied.out.splitlines()) == (1, [*problems, "0 of 0 steps done"])


def test_what_others_made_is_told_of_and_left(place: Place) -> None:
    place.apply()
    place.server.add_role("acme", "auditor")
    note = "  role acme:auditor: is not in the file; who holds only it may be without the org"

    planned, applied = place.plan(), place.apply()

    assert (planned.code, planned.out) == (0, f"{note}\n{NOTHING}")
    assert (applied.code, applied.out) == (0, f"{note}\n{NOTHING}")


def test_removing_is_refused_where_nobody_can_be_asked(retired: Place) -> None:
    said, as_json = retired.apply("--prune"), retired.apply("--prune", "--json")
    problem = "--yes: is needed to remove something where nobody can be asked"

    assert (said.code, said.out, said.err) == (2, "", f"{problem}\n")
    assert (as_json.code, as_json.json) == (2, {"problems": [problem]})
    assert retired.server.client("globex")


def test_yes_is_an_answer(retired: Place) -> None:
    said = retired.apply("--prune", "--yes")

    assert said.code == 0
    assert sorted(said.out.splitlines()) == [
        "- client globex",
        "- scope globex",
        "2 of 2 steps done",
    ]


@pytest.mark.parametrize(("answer", "code", "left"), [("n\n", 1, {"globex"}), ("y\n", 0, set())])
def test_on_a_terminal_the_question_is_asked(
    retired: Place, answer: str, code: int, left: set[str]
) -> None:
    said = on_a_terminal(retired, answer, "apply", "--prune")

    names = {it["clientId"] for it in retired.server.things["clients"].values()}
    assert names & {"globex"} == left
    assert said[0] == code
    assert "to be removed:\r\n- client globex\r\n- scope globex\r\n" in said[1]


def test_a_password_is_asked_for_on_a_terminal_and_not_shown(place: Place) -> None:
    code, shown = on_a_terminal(place, f"{SECRET}\n", "plan", "--admin", "root", login={})

    assert code == 1
    assert "Password of root" in shown
    assert SECRET not in shown
    assert place.server.logins[-1]["username"] == "root"


def test_no_password_is_asked_for_where_nobody_can_be_asked(place: Place) -> None:
    said = place.run("plan", str(place.folder / "orgs.yaml"), "--admin", "root", given=SECRET)

    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("--admin-password-file: is needed")


def on_a_terminal(
    place: Place, typed: str, command: str, *words: str, login: dict[str, str] | None = None
) -> tuple[int, str]:
    """Run a command on a pseudo-terminal, type, and return its exit code and all that it showed."""
    ours, theirs = pty.openpty()
    orgs, settings = place.folder / "orgs.yaml", place.folder / "settings.yaml"
    with Process(
        *("keycloak", command, str(orgs), *words, "--config", str(settings)),
        variables=LOGIN if login is None else login,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = b""
        while not shown.endswith(b": "):  # the last blank comes when nothing is shown any more
            shown += os.read(ours, 1024)
        os.write(ours, typed.encode())
        with suppress(OSError):  # when the other end is closed
            while True:
                shown += os.read(ours, 1024)
        os.close(ours)
        return process.popen.wait(LONG), shown.decode()


# What is wrong with the command, its files or the account


@pytest.mark.parametrize("command", ["plan", "apply"])
def test_a_wrong_file_is_refused_before_anything_is_sent(place: Place, command: str) -> None:
    place.write({**ORGS, "realm": "other", "carriers": "claim"})

    said = place.run(command, str(place.folder / "orgs.yaml"))
    as_json = place.run(command, str(place.folder / "orgs.yaml"), "--json")

    assert (said.code, said.out) == (2, "")
    assert "carriers: is no key of this file" in said.err
    assert (as_json.code, as_json.json) == (2, {"problems": said.err.splitlines()})
    assert place.server.calls == []


def test_wrong_settings_are_refused(place: Place) -> None:
    place.write(settings={"issuers": []})

    assert place.plan().code == 2


def test_a_login_that_is_not_said_is_asked_for(place: Place) -> None:
    orgs = str(place.folder / "orgs.yaml")
    missing = place.run("plan", orgs, KEYCLOAK_CLIENT_ID="")
    both = place.run("plan", orgs, "--client-id", "a", "--admin", "b", "--json")

    assert (missing.code, missing.out) == (2, "")
    assert missing.err.startswith("--client-id or --admin: who is to log in?")
    assert both.json == {"problems": ["--client-id and --admin: only one of them can log in"]}


def test_a_login_that_is_refused_is_told_without_the_secret(place: Place) -> None:
    said = place.run("plan", str(place.folder / "orgs.yaml"), KEYCLOAK_CLIENT_SECRET="not-this-one")

    assert said.code == 3
    assert said.err.startswith("Keycloak: ")
    assert "not-this-one" not in said.err


class _Interrupts(list[str]):
    """The server's calls; the first that makes a client presses Ctrl-C here."""

    def append(self, call: str, /) -> None:
        if call == "POST clients" and call not in self:
            os.kill(os.getpid(), signal.SIGINT)
        super().append(call)


def test_without_the_extra_it_is_said_what_to_install(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "hasura_kc_auth.keycloak.admin.connection", None)

    said = place.plan()

    assert (said.code, said.out) == (2, "")
    assert said.err == "python-keycloak is not installed: pip install 'hasura-kc-auth[keycloak]'\n"


def test_ctrl_c_ends_it_between_two_steps(place: Place) -> None:
    place.server.calls = _Interrupts()

    interrupted = place.apply()
    after = place.apply("--json")

    assert interrupted.code == 1
    assert interrupted.out.endswith("of 24 steps done\nrun it again to go on\n")
    assert "role" not in interrupted.out
    assert after.code == 0
    assert 0 < after.json["done"] < 24
    assert place.plan().out == NOTHING
