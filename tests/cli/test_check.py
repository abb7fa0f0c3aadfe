"""`check`: what is wrong with the settings, what is dangerous, and whether the realm fits."""

from __future__ import annotations

import asyncio
from threading import Thread

import aiohttp
import pytest
from aiohttp import web

from hasura_kc_auth.cli import online as cli_online
from hasura_kc_auth.devtools.issuer import Fault
from hasura_kc_auth.keycloak import realm_reader
from tests.cli.commands import LONG, free_ports, invoke
from tests.cli.realm import written
from tests.keycloak.admin_api import (
    ACCOUNT,
    ASKER,
    ASKERS_SECRET,
    SECRET,
    TOKEN,
    AdminApi,
    broken,
    redirecting,
)


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


def test_several_realms_without_a_namespace_are_warned_of(config):
    issuers = [
        {
            "issuer": f"https://{name}.example.com/realms/a",
            "clients": ["frontend"],
            "audiences": ["hasura"],
            "org": {"only": [name]},
        }
        for name in ("acme", "globex")
    ]

    found = invoke("check", "--config", config(issuers=issuers))

    assert found.code == 0
    assert found.err.startswith("warning: several issuers have no namespace")


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
        issuer: {"result": "ok", "detail": "1 usable key(s) for RS256", "faults": []}
    }
    # Each time: as the service does, and twice more for the clock and the name.
    assert dict(realm.issuer.fetches) == {"discovery": 6, "certs": 2}


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
    assert detail["faults"] == []
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
    assert [it["faults"] for it in found.json["issuers"].values()] == [[], [], []]
    assert invoke("check", "--config", two, "--online").code == 1
    told = invoke("check", "--config", all_three, "--online")
    assert told.out.startswith("settings are valid: 3 issuer(s)\n")
    assert len(told.out.splitlines()) == 4


# --- what is asked besides the keys


@pytest.fixture
def api():
    """Give a Keycloak with an admin API, on an event loop of its own."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()
    api = AdminApi()
    runner = asyncio.run_coroutine_threadsafe(api.start(), loop).result(LONG)
    yield api
    asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(LONG)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(LONG)
    loop.close()


@pytest.fixture
def settings(api, config):
    """Give what writes a file of settings for that Keycloak; the members are the issuer's."""

    def write(**members):
        usual = {"issuer": api.issuer, "clients": ["frontend"], "audiences": ["hasura"]}
        return config(issuers=[{**usual, **members}])

    return write


@pytest.fixture
def secret_file(tmp_path):
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n", "utf-8")
    return str(file)


@pytest.fixture
def check_realm(secret_file):
    """Give what runs the check with the account, both ways, and shows no secret in either."""

    def run(file, *options):
        account = ("--client-id", ACCOUNT, "--client-secret-file", secret_file)
        found = invoke("check", "--config", file, "--online", *account, *options)
        as_json = invoke("check", "--config", file, "--online", *account, *options, "--json")
        for text in (*found[1:], *as_json[1:]):
            assert SECRET not in text
            assert TOKEN not in text
        assert found.code == as_json.code
        assert (found.err, as_json.err) == ("", "")
        [report] = as_json.json["issuers"].values()
        # On the terminal each fault has a line of its own below the issuer's.
        assert found.out.splitlines()[2:] == [f"  {fault}" for fault in report["faults"]]
        return as_json.code, report

    return run


def test_a_good_realm_has_no_fault(settings, check_realm, api):
    assert check_realm(settings()) == (
        0,
        {"result": "ok", "detail": "1 usable key(s) for RS256", "faults": []},
    )
    assert api.forms[-1]["client_secret"] == SECRET


def test_without_an_account_nobody_asks_the_admin_api(settings, api):
    assert invoke("check", "--config", settings(), "--online").code == 0
    assert not any(path.startswith("/admin") for path in api.asked)
    assert api.forms == []


def test_what_does_not_fit_is_named_and_is_no(settings, check_realm, api):
    api.follows_host = True
    api.client("frontend")["fullScopeAllowed"] = True

    code, report = check_realm(settings(clients=["frontend", "gone"]))

    assert (code, report["result"]) == (1, "ok")
    follows, gone, full = report["faults"]
    assert follows.startswith("the issuer's name follows the Host header")
    assert gone == "client gone: is in `clients`, and not in the realm"
    assert full.startswith("client frontend: Full scope allowed is on")


def test_the_name_is_checked_without_an_account_too(settings, api):
    api.follows_host = True

    found = invoke("check", "--config", settings(), "--online")

    assert found.code == 1
    assert found.out.splitlines()[2].startswith("  the issuer's name follows the Host header")


def test_a_clock_that_differs_is_named(settings, monkeypatch):
    wall = cli_online.SYSTEM_CLOCKS.wall
    ahead = cli_online.SYSTEM_CLOCKS._replace(wall=lambda: wall() + 3600)
    monkeypatch.setattr(cli_online, "SYSTEM_CLOCKS", ahead)

    found = invoke("check", "--config", settings(), "--online", "--json")

    assert found.code == 1
    [report] = found.json["issuers"].values()
    [fault] = report["faults"]
    assert "s behind this machine's" in fault


def test_an_inner_address_is_asked_where_there_is_one(settings, check_realm, api):
    outer = "https://sso.example.test/realms/made"
    keys = f"{api.issuer}/protocol/openid-connect/certs"
    api.client("frontend")["fullScopeAllowed"] = True

    code, report = check_realm(settings(issuer=outer, jwks_uri=keys))

    assert (code, report["result"]) == (1, "ok")
    assert "Full scope allowed" in report["faults"][0]


async def _hang(_request):
    await asyncio.sleep(LONG)


def test_discovery_that_hangs_hides_neither_keys_nor_realm(settings, check_realm, api):
    api.discovery = _hang
    api.client("frontend")["fullScopeAllowed"] = True
    keys = f"{api.issuer}/protocol/openid-connect/certs"

    code, report = check_realm(settings(jwks_uri=keys))

    assert (code, report["result"], len(report["faults"])) == (1, "ok", 1)


def test_names_do_not_steer_the_terminal(settings, secret_file, api):
    name = "a\x1b[31m\nb"
    api.client("acme")["clientId"] = name
    api.scope("acme")["name"] = name
    account = ("--client-id", ACCOUNT, "--client-secret-file", secret_file)

    found = invoke("check", "--config", settings(), "--online", *account)

    assert found.code == 1
    assert found.out.splitlines()[2:] == [
        "  client frontend: lacks the scope a\ufffd[31m\ufffdb: asking for it is invalid_scope"
    ]


@pytest.mark.parametrize(("introspector", "faults"), [("hasura", 0), ("hook", 1)])
def test_who_introspects_is_checked(settings, check_realm, api, introspector, faults):
    api.client("frontend")["attributes"] = {"client.use.lightweight.access.token.enabled": "true"}
    how = {"client_id": introspector, "client_secret": ASKERS_SECRET}
    api.introspection = {"active": False}  # whoever asks

    code, report = check_realm(settings(introspection=how))

    assert (code, len(report["faults"])) == (min(faults, 1), faults)


@pytest.fixture
def introspecting(settings):
    """Give what writes settings with a client that introspects."""

    def write(secret=ASKERS_SECRET, **how):
        return settings(introspection={"client_id": ASKER, "client_secret": secret, **how})

    return write


def test_the_login_of_who_introspects_is_tried_without_an_account_too(introspecting, api):
    found = invoke("check", "--config", introspecting(), "--online", "--json")

    assert found.code == 0
    [report] = found.json["issuers"].values()
    assert report == {
        "result": "ok",
        "detail": "1 usable key(s) for RS256; --client-id is needed to tell whether hasura is in "
        "the tokens' aud: from 26.6 on Keycloak answers others `active: false`",
        "faults": [],
    }
    assert api.introspected == [{"token": "no-token", "token_type_hint": "access_token"}]
    assert api.forms == []


REFUSED = (
    "introspection.client_id, client_secret: Keycloak refuses the login of hasura, "
    "introspection_unavailable: take its secret from Keycloak (Clients, the client, Credentials); "
    "it must be enabled and have Client authentication on"
)
UNASKED = "introspection.url: Keycloak's introspection cannot be asked: "


async def _html_401(_request):
    return web.Response(status=401, text="<html>no</html>")


def _bad_request(error):
    async def answer(_request):
        return web.json_response({"error": error}, status=400)

    return answer


@pytest.mark.parametrize(
    ("answer", "code", "faults"),
    [
        pytest.param({"active": False}, 0, [], id="a token that is none"),
        pytest.param(_bad_request("invalid_request"), 0, [], id="the token's fault"),
        pytest.param(401, 1, [REFUSED], id="401"),
        pytest.param(403, 1, [REFUSED], id="a public client"),
        pytest.param(_html_401, 1, [REFUSED], id="a proxy's 401"),
        pytest.param(_bad_request("invalid_client"), 1, [REFUSED], id="invalid_client"),
        pytest.param(_bad_request("unauthorized_client"), 1, [REFUSED], id="unauthorized_client"),
        pytest.param(404, 1, [f"{UNASKED}the answer's status is not 200"], id="404"),
        pytest.param(
            {}, 1, [f"{UNASKED}the answer does not say whether it is active"], id="no answer"
        ),
        pytest.param(
            b"<html>",
            1,
            [f"{UNASKED}the answer does not say whether it is active"],
            id="no JSON",
        ),
        pytest.param(redirecting, 1, [f"{UNASKED}the answer's status is not 200"], id="elsewhere"),
        pytest.param(broken, 3, [f"{UNASKED}no connection to the address"], id="broken"),
    ],
)
def test_each_answer_of_introspection_is_told_for_what_it_is(
    introspecting, api, *, answer, code, faults
):
    api.introspection = answer

    found = invoke("check", "--config", introspecting(), "--online", "--json")

    [report] = found.json["issuers"].values()
    assert (found.code, report["faults"]) == (code, faults)
    assert ASKERS_SECRET not in found.out
    assert "/elsewhere" not in api.asked


def test_a_wrong_secret_of_who_introspects_is_named_beside_the_realms_faults(
    introspecting, check_realm, api
):
    api.client("frontend")["fullScopeAllowed"] = True

    code, report = check_realm(introspecting(secret="another"))

    assert code == 1
    refused, full = report["faults"]
    assert refused == REFUSED
    assert full.startswith("client frontend: Full scope allowed is on")


def test_introspection_that_hangs_is_cannot_tell(config, api):
    api.introspection = _hang
    usual = {"issuer": api.issuer, "clients": ["frontend"], "audiences": ["hasura"]}
    how = {"client_id": ASKER, "client_secret": ASKERS_SECRET}
    file = config(
        issuers=[{**usual, "introspection": how}], keys={"timeout": "300ms", "cooldown": "1s"}
    )

    found = invoke("check", "--config", file, "--online", "--json")

    [report] = found.json["issuers"].values()
    assert (found.code, report["faults"]) == (3, [f"{UNASKED}no answer within keys.timeout"])


@pytest.mark.parametrize(("algorithm", "faults"), [("RS256", 0), (None, 0), ("HS256", 1)])
def test_the_realms_default_algorithm_is_checked(settings, check_realm, api, algorithm, faults):
    api.answers[""] = {"realm": "made", "defaultSignatureAlgorithm": algorithm}

    code, report = check_realm(settings())

    assert (code, len(report["faults"])) == (faults, faults)


def test_organizations_are_checked(settings, check_realm):
    code, report = check_realm(settings(org={"from": "organization", "client": "hasura"}))

    assert code == 1
    [fault] = report["faults"]
    assert fault.startswith("scope organization: lacks the mapper Organization Group Membership")


# --- a realm that cannot be read

UNREAD = "the realm's set-up could not be read: "
RIGHTS = "needed: view-clients and query-clients of realm-management, in its token"


@pytest.mark.parametrize(
    ("path", "answer", "words"),
    [
        ("login", 401, "the login was refused (401): look at id, secret and realm"),
        ("login", broken, "the connection broke"),
        (
            "/clients",
            403,
            f"clients: Keycloak answered 403 ({RIGHTS})",
        ),
        ("/client-scopes", 500, "client-scopes: Keycloak answered 500"),
        ("/clients/id-acme/roles", b"<html>", "clients: the answer is no JSON"),
        ("/clients", [{}], "clientId: the answer is not of Keycloak's shape"),
        ("/client-scopes", broken, "the connection broke"),
        ("/client-scopes", _hang, "Keycloak did not answer in time"),
    ],
)
def test_a_realm_that_cannot_be_read_is_cannot_tell(
    settings, check_realm, api, monkeypatch, *, path, answer, words
):
    monkeypatch.setattr(realm_reader, "_PATIENCE", aiohttp.ClientTimeout(total=0.3))
    api.follows_host = True
    if path == "login":
        api.login = answer
    else:
        api.answers[path] = answer

    code, report = check_realm(settings())

    assert (code, report["result"]) == (3, "ok")
    follows, unread = report["faults"]  # what was found before is told all the same
    assert follows.startswith("the issuer's name")
    assert unread == UNREAD + words


def test_a_realm_that_takes_too_long_is_cannot_tell(settings, check_realm, api, monkeypatch):
    monkeypatch.setattr(cli_online, "_REALM_SECONDS", 0.3)
    api.answers["/clients"] = _hang

    code, report = check_realm(settings())

    assert (code, report["faults"]) == (3, [f"{UNREAD}Keycloak did not answer in time"])


# --- the options


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--online", "--client-id", "x"], "--client-id and --client-secret-file: go together"),
        (
            ["--online", "--client-secret-file", "FILE"],
            "--client-id and --client-secret-file: go together",
        ),
        (
            ["--client-id", "x", "--client-secret-file", "FILE"],
            "--issuer, --client-id and --client-secret-file: need --online",
        ),
        (
            ["--issuer", "https://sso.example.test"],
            "--issuer, --client-id and --client-secret-file: need --online",
        ),
        (["--online", "--issuer", "https://sso.example.test"], "--issuer: is none of `issuers`"),
        (
            ["--online", "--client-id", "x", "--client-secret-file", "NONE"],
            "--client-secret-file: cannot be read",
        ),
        (
            ["--online", "--client-id", "x", "--client-secret-file", "FOLDER"],
            "--client-secret-file: cannot be read",
        ),
        (
            ["--online", "--client-id", "x", "--client-secret-file", "BYTES"],
            "--client-secret-file: cannot be read",
        ),
        (
            ["--online", "--client-id", "x", "--client-secret-file", "EMPTY"],
            "--client-secret-file: is empty",
        ),
    ],
)
def test_options_that_do_not_fit_are_named_and_ask_nobody(
    realm, config, tmp_path, secret_file, *, options, error
):
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    (tmp_path / "empty").write_text(" \n", "utf-8")
    files = {
        "FILE": secret_file,
        "NONE": str(tmp_path / "none"),
        "FOLDER": str(tmp_path),
        "BYTES": str(tmp_path / "bytes"),
        "EMPTY": str(tmp_path / "empty"),
    }

    found = invoke("check", "-c", config(), *(files.get(it, it) for it in options))

    assert found == (2, "", f"{error}\n")
    assert realm.issuer.fetches == {}


def test_the_secret_is_told_to_one_realm_only(realm, api, tmp_path, secret_file):
    good = realm.settings()["issuers"][0]
    issuers = [{**good, "namespace": "a"}, {**good, "namespace": "b", "issuer": api.issuer}]
    file = written(tmp_path / "two.yaml", realm.settings(issuers=issuers))
    account = ("--client-id", ACCOUNT, "--client-secret-file", secret_file)

    both = invoke("check", "-c", file, "--online", *account)
    assert (both.code, both.out, api.asked, realm.issuer.fetches) == (2, "", [], {})
    assert both.err == (
        "--client-id: there are several issuers; say by --issuer whose account it is\n"
    )

    one = invoke("check", "-c", file, "--online", "--json", "--issuer", api.issuer, *account)
    assert (one.code, [*one.json["issuers"]]) == (0, [api.issuer])
    assert len(api.forms) == 1
    assert realm.issuer.fetches == {}

    assert len(invoke("check", "-c", file, "--online", "--json").json["issuers"]) == 2
