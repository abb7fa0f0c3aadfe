"""The management listener: alive, ready, measured, asked why; and nothing of anybody in it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import product

import pytest

from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.devtools.issuer import Fault
from hasura_kc_auth.telemetry.denials import KEPT_DENIALS
from tests.conftest import settings_for
from tests.hostile.corpus import no_http
from tests.web.wire import answer_to, connected, get, head, post_bytes

COOLDOWN = 10.0


async def _states(service):
    return (await service.manage("/readyz")).json["issuers"]


class TestLivez:
    async def test_a_running_service_is_alive(self, service):
        answer = await service.manage("/livez")
        assert (answer.status, answer.json) == (200, {"status": "alive"})

    async def test_so_is_one_without_keys(self, keyless):
        assert (await keyless.manage("/livez")).status == 200


class TestReadyz:
    async def test_ready_with_usable_keys(self, service, issuer, bob, clock):
        await service.ask({"Authorization": bob})
        clock.advance(1.25)
        answer = await service.manage("/readyz")
        state = {"keys": "usable", "age_seconds": 1.2, "last_failure": None}
        assert answer.status == 200
        assert answer.json == {"status": "ready", "issuers": {issuer.issuer: state}}

    async def test_not_ready_without(self, issuer, start_service, bob):
        await issuer.stop()
        service = await start_service(issuer.issuer)
        await service.ask({"Authorization": bob})
        answer = await service.manage("/readyz")
        failure = "no connection to the address"
        state = {"keys": "none", "age_seconds": None, "last_failure": failure}
        assert answer.status == 503
        assert answer.json == {"status": "not ready", "issuers": {issuer.issuer: state}}

    async def test_ready_by_itself_when_the_issuer_comes_up(
        self, issuer, start_service, bob, clock
    ):
        await issuer.stop()
        service = await start_service(issuer.issuer)
        assert (await service.ask({"Authorization": bob})).status == 503
        await issuer.start()
        clock.advance(1.1 * COOLDOWN)
        assert (await service.ask({"Authorization": bob})).status == 200
        assert (await service.manage("/readyz")).status == 200

    async def test_still_ready_with_stale_keys_and_not_beyond(self, service, issuer, bob, clock):
        await service.ask({"Authorization": bob})
        issuer.fault = Fault.ERROR
        clock.advance(3599)
        await service.ask({"Authorization": f"{bob[:-350]}"})
        assert (await service.manage("/readyz")).status == 200
        clock.advance(2)
        answer = await service.manage("/readyz")
        assert (answer.status, answer.json["status"]) == (503, "not ready")
        assert answer.json["issuers"][issuer.issuer]["age_seconds"] == 3601

    async def test_one_realms_outage_takes_no_pod_down(self, issuer, start_service, bob):
        gone = "http://127.0.0.1:1/realms/gone"
        issuers = [
            {"issuer": name, "clients": ["frontend"], "namespace": namespace}
            for name, namespace in ((issuer.issuer, "here"), (gone, "gone"))
        ]
        service = await start_service(settings=_settings(issuers))
        assert (await service.ask({"Authorization": bob})).json["X-Hasura-Org-Id"] == "here/acme"
        answer = await service.manage("/readyz")
        assert answer.status == 200
        assert {name: it["keys"] for name, it in answer.json["issuers"].items()} == {
            issuer.issuer: "usable",
            gone: "none",
        }


def _settings(issuers) -> Settings:
    plain = settings_for("http://127.0.0.1:1/none").model_dump(exclude={"issuers"})
    return Settings.model_validate(
        {
            "issuers": issuers,
            "roles": plain["roles"],
            "webhook": {"port": 0},
            "management": {"port": 0},
        }
    )


class TestDenials:
    async def test_tells_the_last_ones_newest_first(self, service, issuer, bob, clock):
        await service.ask({"Authorization": bob, "X-Hasura-Role": "editor", "x-request-id": "a-1"})
        clock.advance(61.0625)
        await service.ask({"x-request-id": "not logged: it is no id"})
        answer = await service.manage("/denials")
        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
        assert answer.json == {
            "denials": [
                {
                    "time": _written(clock.wall_now),
                    "code": "no_credentials",
                    "issuer": None,
                    "request_id": None,
                },
                {
                    "time": _written(clock.wall_now - 61.0625),
                    "code": "role_not_granted",
                    "issuer": issuer.issuer,
                    "request_id": "a-1",
                },
            ]
        }

    async def test_those_of_one_request(self, keyless):
        for number in (1, 2, 1, 3):
            await keyless.ask({"x-request-id": f"a-{number}"})
        for query, found in (
            ("?request_id=a-1", ["a-1", "a-1"]),
            ("?request_id=a%2D2", ["a-2"]),
            ("?request_id=a-4", []),
            ("?request_id=", []),
            ("?", ["a-3", "a-1", "a-2", "a-1"]),
        ):
            answer = await keyless.manage(f"/denials{query}")
            assert [it["request_id"] for it in answer.json["denials"]] == found, query

    @pytest.mark.parametrize(
        "query",
        [
            "request_id=a&request_id=b",
            "request-id=a",
            "REQUEST_ID=a",
            "code=no_org",
            "a",
            "=",
            "&a",
        ],
    )
    async def test_a_filter_that_is_none_is_refused_without_an_echo(self, keyless, query):
        answer = await keyless.manage(f"/denials?{query}")
        assert (answer.status, answer.json) == (
            400,
            {"status": "bad request: the only parameter is request_id, once"},
        )

    @pytest.mark.parametrize(
        "query", ["request_id=%", "request_id=%ff", "request_id=" + "a" * 9999]
    )
    async def test_whatever_is_asked_for_is_only_compared(self, keyless, query):
        await keyless.ask()
        answer = await answer_to(keyless.management_url, get(path=f"/denials?{query}"))
        assert (answer.status, answer.json) == (200, {"denials": []})

    async def test_an_allowed_request_is_none(self, service, bob):
        assert (await service.ask({"Authorization": bob})).status == 200
        assert (await service.manage("/denials")).json == {"denials": []}

    async def test_no_flood_makes_it_grow(self, keyless):
        async with connected(keyless.webhook_url) as wire:
            for number in range(KEPT_DENIALS + 5):
                await wire.ask(get(f"x-request-id: {number}"))
        denials = (await keyless.manage("/denials")).json["denials"]
        kept = [str(number) for number in range(KEPT_DENIALS + 4, 4, -1)]
        assert [it["request_id"] for it in denials] == kept


def _written(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


class TestTheListenerItself:
    @pytest.mark.parametrize(
        "path", ["/", "/metrics/", "/livez/", "/denials/", "/hook", "/dev/state"]
    )
    async def test_has_no_other_paths(self, service, path):
        assert (await service.manage(path)).status == 404

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PURGE"])
    @pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/denials"])
    async def test_only_tells(self, service, path, method):
        answer = await service.fetch(service.management_url + path, method, data=b"{}")
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")

    async def test_what_is_no_http_is_refused_without_an_echo(self, service):
        answer = await answer_to(service.management_url, head("GET", "CANARY without a colon"))
        assert (answer.status, answer.json) == (400, {"status": "bad request"})
        assert "CANARY" not in await service.log_text()

    async def test_answers_head_as_get_without_a_body(self, service):
        for path in ("/livez", "/denials"):
            answer = await service.fetch(service.management_url + path, "HEAD")
            assert (answer.status, answer.body) == (200, b"")

    async def test_answers_no_variables(self, service, bob):
        for path, method in product(
            ("/", "/livez", "/readyz", "/metrics", "/denials"), ("GET", "POST")
        ):
            answer = await service.fetch(
                service.management_url + path, method, headers={"Authorization": bob}
            )
            assert b"X-Hasura" not in answer.body


def _series(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return [line.rpartition(" ")[0] for line in lines]


async def test_no_client_can_make_a_new_series(service, issuer, bob):
    """Whatever is sent: labels come from closed sets."""
    words = [f"word-{number}" for number in range(20)]
    async with connected(service.webhook_url) as wire:
        for word, (name, value) in product(
            words,
            (
                ("Authorization", "Bearer {}"),
                ("Authorization", "{} x"),
                ("X-Hasura-Role", "{}"),
                ("X-Hasura-Org-Id", "{}"),
                ("{}", "a"),
                ("x-request-id", "{}"),
            ),
        ):
            line = f"{name.format(word)}: {value.format(word)}"
            await wire.ask(get(line))
            if name != "Authorization":
                await wire.ask(get(line, f"Authorization: {bob}"))
            await wire.ask(get(line, path=f"/{word}"))
            await wire.ask(head("PURGE", line))
            await wire.ask(post_bytes(f'{{"headers":{{"{word}":1}}}}'.encode()))
    for data in no_http().values():
        await answer_to(service.webhook_url, data)
    for user, scope in product(issuer.users, ("openid", "openid acme", "openid acme globex")):
        tokens = issuer.login(user, scope)
        for token in (tokens.access, tokens.identity, tokens.refresh):
            await service.ask({"Authorization": f"Bearer {token}"})
            for number in range(3):
                forged = token[:-12] + f"{number:x}" * 10 + token[-2:]
                await service.ask({"Authorization": f"Bearer {forged}"})
    before = _series((await service.manage("/metrics")).body.decode())
    assert len(before) == len(set(before)) < 200
    text = "\n".join(before)
    assert "word-" not in text
    assert bob[7:15] not in text
    assert json.dumps(issuer.users["bob"].subject) not in text
