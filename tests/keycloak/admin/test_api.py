"""The admin API's client: logins, attempts, bounds, and what it says when something is wrong."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from hasura_kc_auth.keycloak.admin import connection
from hasura_kc_auth.keycloak.admin.api import (
    Admin,
    AdminFailed,
    Conflict,
    Forbidden,
    Login,
    LoginRefused,
    NotFound,
    OddAnswer,
    Unreachable,
)
from tests.keycloak.certificates import Authority, server_context
from tests.keycloak.realm_server import (
    ACCOUNT,
    REALM,
    SECRET,
    Fault,
    Pauses,
    RealmServer,
    opened,
    realm_server,
)

FORBIDDEN = (
    "GET clients: the account may not look at clients, scopes, roles; it needs"
    " view-clients of realm-management, in its token"
)
WRONG = "the login was refused (401): look at the account's name, its secret and its realm"


async def failing(
    server: RealmServer, kind: type[AdminFailed], login: Login = ACCOUNT, **options: Any
) -> str:
    """Return the sentence that a call fails with."""
    async with opened(server, login, **options) as admin:
        with pytest.raises(AdminFailed) as caught:
            await admin.get("clients")
    assert type(caught.value) is kind
    assert str(caught.value) == caught.value.detail
    assert SECRET not in repr(caught.value)
    assert not any(token in str(caught.value) for token in server.tokens)
    return caught.value.detail


# Logging in


@pytest.mark.parametrize(
    ("login", "form"),
    [
        (ACCOUNT, {"client_id": "provisioner", "client_secret": SECRET}),
        (
            Login(username="root", password=SECRET),
            {"client_id": "admin-cli", "username": "root", "password": SECRET},
        ),
    ],
)
async def test_the_account_logs_in_once_for_all_calls(
    server: RealmServer, login: Login, form: dict[str, str]
) -> None:
    async with opened(server, login) as admin:
        await asyncio.gather(*(admin.get("clients") for _ in range(20)))

    assert len(server.logins) == 1
    assert form.items() <= server.logins[0].items()


@pytest.mark.parametrize(
    ("login", "realm"),
    [
        (ACCOUNT, REALM),
        (Login(client_id="a", client_secret=SECRET, realm="other"), "other"),
        (Login(username="root", password=SECRET), "master"),
        (Login(username="root", password=SECRET, realm=REALM), REALM),
    ],
)
async def test_where_the_account_is(server: RealmServer, login: Login, realm: str) -> None:
    async with opened(server, login) as admin:
        await admin.get("clients")

    assert server.calls[0] == f"POST realms/{realm}/protocol/openid-connect/token"


def test_secrets_are_not_shown() -> None:
    login = Login("a", SECRET, "b", SECRET)

    assert SECRET not in repr(login)
    account = connection.Account("a", "b", SECRET, "c", SECRET)
    assert SECRET not in repr(account)


async def test_a_token_that_has_run_out_is_replaced_once_for_all_that_wait(
    server: RealmServer,
) -> None:
    server.lifetime = 0
    async with opened(server) as admin:
        await admin.get("clients")
        server.lifetime = 300
        await asyncio.gather(*(admin.get("clients") for _ in range(20)))

    assert len(server.logins) == 2


async def test_a_token_that_is_not_taken_any_more_is_replaced(server: RealmServer) -> None:
    async with opened(server) as admin:
        await admin.get("clients")
        server.tokens.clear()
        assert [it["clientId"] for it in await admin.get("clients")] == ["account"]


async def test_a_token_of_another_realm_is_refused(server: RealmServer) -> None:
    server.faults = [Fault("GET clients", 401, times=2)]

    assert await failing(server, LoginRefused) == (
        "GET clients: Keycloak does not take the account's token; is it of this realm?"
    )


@pytest.mark.parametrize(
    ("status", "detail"),
    [
        (400, WRONG.replace("401", "400")),
        (401, WRONG),
        (404, "the login: there is no such realm (404); look at its name"),
    ],
)
async def test_a_login_that_is_refused(server: RealmServer, status: int, detail: str) -> None:
    server.faults = [Fault("/token", status)]

    assert await failing(server, LoginRefused) == detail
    assert len(server.calls) == 1


async def test_a_wrong_secret(server: RealmServer) -> None:
    assert await failing(server, LoginRefused, Login(client_id="a", client_secret="b")) == WRONG


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>",
        b"[]",
        b"{}",
        b'{"access_token": 1, "expires_in": 1}',
        b'{"access_token": "a", "expires_in": []}',
    ],
)
async def test_a_login_that_is_answered_oddly(server: RealmServer, answer: bytes) -> None:
    server.faults = [Fault("/token", answer)]

    assert await failing(server, OddAnswer) == "the login: the answer is not of Keycloak's shape"


# Attempts


@pytest.mark.parametrize("how", [500, 502, 503, 504, 429, "cut", "lost"])
@pytest.mark.parametrize("call", ["GET clients", "/token"])
async def test_what_may_pass_is_tried_again(server: RealmServer, call: str, how: Any) -> None:
    pauses = Pauses()
    server.faults = [Fault(call, how, times=4)]

    async with opened(server, sleep=pauses.sleep) as admin:
        assert [it["clientId"] for it in await admin.get("clients")] == ["account"]

    assert pauses.seconds == [0.5, 1.0, 2.0, 4.0]


@pytest.mark.parametrize(
    ("call", "how", "words"),
    [
        ("GET clients", 503, "Keycloak answered 503"),
        ("GET clients", "cut", "the connection failed"),
        ("/token", 500, "the login: Keycloak answered 500"),
    ],
)
async def test_the_fifth_attempt_is_the_last(
    server: RealmServer, call: str, how: Any, words: str
) -> None:
    server.faults = [Fault(call, how, times=5)]

    assert await failing(server, Unreachable) == f"GET clients: {words}"
    assert server.faults[0].times == 0


async def test_pauses_are_between_half_and_all(server: RealmServer) -> None:
    pauses = Pauses()
    server.faults = [Fault("GET clients", 503, times=2)]

    async with opened(server, sleep=pauses.sleep, random=lambda: 0.0) as admin:
        await admin.get("clients")

    assert pauses.seconds == [0.25, 0.5]


async def test_a_call_that_gets_no_answer_ends(
    server: RealmServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_PATIENCE", 0.05)
    server.faults = [Fault("GET clients", "never", times=5)]

    assert await failing(server, Unreachable) == "GET clients: no answer within 0.05 s"


async def test_nobody_listens(server: RealmServer) -> None:
    server.origin = "http://127.0.0.1:9"

    assert await failing(server, Unreachable) == "GET clients: the connection failed"


async def test_no_more_calls_at_once_than_allowed(server: RealmServer) -> None:
    server.delay = 0.02
    async with opened(server, at_once=3) as admin:
        await asyncio.gather(*(admin.get("clients") for _ in range(30)))

    assert server.most_at_once == 3
    assert admin.calls == 30


async def test_connections_are_used_again(server: RealmServer) -> None:
    async with opened(server, at_once=2) as admin:
        await asyncio.gather(*(admin.get("clients") for _ in range(30)))

    assert len(server.connections) <= 2


# Answers


@pytest.mark.parametrize(
    ("status", "kind", "detail"),
    [
        (400, AdminFailed, "GET clients: Keycloak answered 400: as wanted"),
        (404, NotFound, "GET clients: there is none (404): as wanted"),
        (409, Conflict, "GET clients: there is one already (409): as wanted"),
        (307, AdminFailed, "GET clients: Keycloak answered 307: as wanted"),
        (
            403,
            Forbidden,
            FORBIDDEN,
        ),
    ],
)
async def test_answers_that_say_no_are_not_tried_again(
    server: RealmServer, status: int, kind: type[AdminFailed], detail: str
) -> None:
    server.faults = [Fault("GET clients", status)]

    assert await failing(server, kind) == detail
    assert len(server.calls) == 2


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"[]",
        b"{}",
        b'{"errorMessage": 1}',
        b'{"errorMessage": "two\\nlines"}',
        b'{"errorMessage": "it is %s"}' % SECRET.encode(),
        b'{"errorMessage": "it is the.token.1"}',
        b'{"errorMessage": "%s"}' % (b"a" * 201),
    ],
)
async def test_words_are_passed_on_only_where_they_are_short_and_plain(
    server: RealmServer, body: bytes
) -> None:
    server.faults = [Fault("GET clients", body, status=400)]

    assert await failing(server, AdminFailed) == "GET clients: Keycloak answered 400"


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"a": NaN}', b"\xff", b"[" * 100_000])
async def test_an_answer_that_is_no_json(server: RealmServer, body: bytes) -> None:
    server.faults = [Fault("GET clients", body)]

    detail = "GET clients: the answer is not of Keycloak's shape"
    assert await failing(server, OddAnswer) == detail


async def test_an_answer_that_is_too_large(
    server: RealmServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_MAX_BYTES", 1000)
    server.faults = [Fault("GET clients", b" " * 1001)]

    assert await failing(server, OddAnswer) == "the server: the answer is not of Keycloak's shape"


async def test_what_is_made_has_an_id_where_keycloak_tells_it(server: RealmServer) -> None:
    async with opened(server) as admin:
        made = await admin.post("clients", {"clientId": "acme"})
        assert made == server.client("acme")["id"]
        server.faults = [Fault("POST clients", b"")]
        assert await admin.post("clients", {"clientId": "globex"}) == ""


async def test_changing_and_removing(server: RealmServer) -> None:
    async with opened(server) as admin:
        path = f"clients/{server.client('account')['id']}"
        await admin.put(path, {"clientId": "other"})
        assert await admin.get(path) == {"clientId": "other"}
        await admin.delete(path)
        with pytest.raises(NotFound, match=r"DELETE clients/\{id\}: there is none"):
            await admin.delete(path)


async def test_a_realms_name_is_told_plainly() -> None:
    async with Admin("http://127.0.0.1", "my%20realm", ACCOUNT) as admin:
        assert admin.realm == "my realm"


# Transport


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.make(tmp_path / "ca.pem")


async def test_a_certificate_that_is_not_trusted_is_named_and_not_tried_again(
    authority: Authority, tmp_path: Path
) -> None:
    tls = server_context(authority.certificate(tmp_path / "server.pem"))
    pauses = Pauses()
    async with realm_server(tls) as server:
        assert await failing(server, Unreachable, sleep=pauses.sleep) == (
            "GET clients: the server's certificate is not trusted (`ca_file` names another"
            " authority)"
        )
        assert (server.calls, pauses.seconds) == ([], [])


async def test_another_authority_is_trusted_where_it_is_named(
    authority: Authority, tmp_path: Path
) -> None:
    tls = server_context(authority.certificate(tmp_path / "server.pem"))
    async with realm_server(tls) as server, opened(server, ca_file=authority.file) as admin:
        assert [it["clientId"] for it in await admin.get("clients")] == ["account"]


async def test_no_proxy_is_taken_from_the_environment(
    server: RealmServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    async with opened(server) as admin:
        assert [it["clientId"] for it in await admin.get("clients")] == ["account"]


async def test_without_the_extra_it_says_what_to_install(
    server: RealmServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "hasura_kc_auth.keycloak.admin.connection")
    monkeypatch.setitem(sys.modules, "keycloak", None)

    with pytest.raises(AdminFailed, match=r"pip install 'hasura-kc-auth\[keycloak\]'"):
        Admin(server.origin, REALM, ACCOUNT)
