"""`check`: what is wrong with the settings, what is dangerous, and whether the realm fits."""

from __future__ import annotations

import pytest

from hasura_kc_auth.devtools.issuer import Fault
from tests.cli.commands import free_ports, invoke
from tests.cli.realm import written


def test_settings_that_are_fine_are_fine(config):
    found = invoke("check", "--config", config())

    assert found == (0, "settings are valid: 1 issuer(s)\n", "")


def test_settings_may_come_from_variables_alone(realm):
    variables = {
        "HASURA_KC_AUTH__ISSUER": realm.issuer.issuer,
        "HASURA_KC_AUTH__CLIENTS": "frontend",
        "HASURA_KC_AUTH__AUDIENCES": "hasura",
        "HASURA_KC_AUTH__ROLES__ALLOWED": "editor",
    }

    assert invoke("check", "--online", variables=variables).code == 0
    assert invoke("check").code == 2


def test_the_file_may_be_named_by_a_variable(config):
    assert invoke("check", variables={"HASURA_KC_AUTH__CONFIG": config()}).code == 0
    assert invoke("check", "-c", config()).code == 0


def test_what_is_dangerous_is_a_warning_and_no_failure(realm, config):
    issuer = {**realm.settings()["issuers"][0], "audiences": []}
    file = config(issuers=[issuer], insecure_transport=True)

    found = invoke("check", "--config", file)

    assert (found.code, found.out) == (0, "settings are valid: 1 issuer(s)\n")
    first, second = found.err.splitlines()
    assert first.startswith("warning: issuers.0.audiences is empty")
    assert second.startswith("warning: insecure_transport is true")
    as_json = invoke("check", "--config", file, "--json")
    assert (as_json.code, as_json.err) == (0, "")
    assert as_json.json == {
        "problems": [],
        "warnings": [line.removeprefix("warning: ") for line in (first, second)],
        "issuers": {},
    }


def test_every_problem_is_told_at_once_by_its_name(fails_loudly):
    variables = {"HASURA_KC_AUTH__ROLES__NONSENSE": "1"}

    found = invoke("check", "--config", fails_loudly, variables=variables)
    as_json = invoke("check", "--config", fails_loudly, "--json", variables=variables)

    lines = found.err.splitlines()
    assert (found.code, found.out, as_json.code, as_json.err) == (2, "", 2, "")
    assert len(lines) == 5
    assert all(line.startswith("configuration: ") for line in lines)
    assert as_json.json == {"problems": [line.removeprefix("configuration: ") for line in lines]}
    for name in ("HASURA_KC_AUTH__ROLES__NONSENSE", "issuers", "roles", "webhook.port", "nonsense"):
        assert any(line.startswith(f"configuration: {name}: ") for line in lines), name


def test_a_file_that_is_not_there_is_named(tmp_path):
    found = invoke("check", "--config", str(tmp_path / "none.yaml"))

    assert found.code == 2
    assert f"{tmp_path / 'none.yaml'}: cannot be read: No such file" in found.err


@pytest.mark.parametrize("online", [True, False])
def test_wrong_settings_ask_nobody(realm, fails_loudly, online):
    options = ["--online"] if online else []

    assert invoke("check", "--config", fails_loudly, *options).code == 2
    assert realm.issuer.fetches == {}


def test_online_asks_once_and_tells_what_it_got(realm, config):
    issuer = realm.issuer.issuer

    found = invoke("check", "--config", config(), "--online")
    as_json = invoke("check", "--config", config(), "--online", "--json")

    assert (found.code, found.err) == (0, "")
    assert found.out.splitlines()[1:] == [f"{issuer}: 1 usable key(s) for RS256"]
    assert as_json.json["issuers"] == {
        issuer: {"result": "ok", "detail": "1 usable key(s) for RS256"}
    }
    assert dict(realm.issuer.fetches) == {"discovery": 2, "certs": 2}


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.NONE, (0, "ok", "usable key")),
        (Fault.DOWN, (3, "connect", "no connection")),
        (Fault.SLOW, (3, "timeout", "no answer within keys.timeout")),
        (Fault.HANGING, (3, "timeout", "no answer within keys.timeout")),
        (Fault.ERROR, (1, "status", "status is not 200")),
        (Fault.GARBAGE, (1, "invalid", "not a JSON object")),
        (Fault.REDIRECT, (1, "status", "status is not 200")),
        (Fault.EMPTY, (1, "invalid", "no key in it can verify")),
    ],
)
def test_each_fault_has_its_answer(realm, config, fault, expected):
    code, result, said = expected
    realm.issuer.fault = fault
    file = config(keys={"timeout": "300ms", "cooldown": "1s"})

    found = invoke("check", "--config", file, "--online")
    as_json = invoke("check", "--config", file, "--online", "--json")

    assert (found.code, as_json.code) == (code, code)
    assert f"{realm.issuer.issuer}: " in found.out
    assert said in found.out
    detail = as_json.json["issuers"][realm.issuer.issuer]
    assert detail["result"] == result
    assert said in detail["detail"]
    assert realm.issuer.fetches["canary"] == 0


def test_every_fault_is_in_the_table_above():
    rows = test_each_fault_has_its_answer.pytestmark[0].args[1]

    assert [row[0] for row in rows] == list(Fault)


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        pytest.param(("127.0.0.1", "localhost"), 1, "names another issuer", id="another host"),
        pytest.param(("/realms/demo", "/realms/Demo"), 1, "status is not 200", id="another realm"),
        pytest.param(("/realms/demo", "/realms/demo/"), 1, "names another issuer", id="a slash"),
    ],
)
def test_an_issuer_that_is_not_the_realms_own_does_not_fit(realm, config, change, code, said):
    issuer = {**realm.settings()["issuers"][0], "issuer": realm.issuer.issuer.replace(*change)}

    found = invoke("check", "--config", config(issuers=[issuer]), "--online")

    assert found.code == code
    assert said in found.out


def test_algorithms_that_the_realm_has_no_key_for_do_not_fit(realm, config):
    issuer = {**realm.settings()["issuers"][0], "algorithms": ["ES256"]}

    found = invoke("check", "--config", config(issuers=[issuer]), "--online")

    assert found.code == 1
    assert "no key in it can verify the configured algorithms" in found.out


def test_nobody_there_is_cannot_tell_and_outweighs_what_does_not_fit(realm, tmp_path):
    [port] = free_ports()
    good = realm.settings()["issuers"][0]
    issuers = [
        {**good, "namespace": "a"},
        {**good, "namespace": "b", "issuer": f"http://127.0.0.1:{realm.issuer.port}/realms/other"},
        {**good, "namespace": "c", "issuer": f"http://127.0.0.1:{port}/realms/demo"},
    ]
    all_three = written(tmp_path / "three.yaml", realm.settings(issuers=issuers))
    two = written(tmp_path / "two.yaml", realm.settings(issuers=issuers[:2]))

    found = invoke("check", "--config", all_three, "--online", "--json")

    assert found.code == 3
    assert [it["result"] for it in found.json["issuers"].values()] == ["ok", "status", "connect"]
    assert invoke("check", "--config", two, "--online").code == 1
    told = invoke("check", "--config", all_three, "--online")
    assert told.out.startswith("settings are valid: 3 issuer(s)\n")
    assert len(told.out.splitlines()) == 4
