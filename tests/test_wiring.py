"""The service as a whole: what the settings make of it, its start, its stop, and its faults."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from io import FileIO, RawIOBase
from threading import Event

import pytest
from aiohttp import http_parser

from hasura_kc_auth import __version__
from hasura_kc_auth.devtools.issuer import Fault
from hasura_kc_auth.wiring import ListenFailed, ParserMissing, Service, warnings_about
from tests.conftest import LONG, Output, RunningService, settings_for
from tests.keycloak.certificates import Authority, server_context
from tests.keycloak.publishing import publishing
from tests.made_tokens import OTHER_KEY, claims, sign
from tests.web.wire import answer_to, connected, get

NOBODY = "http://127.0.0.1:1/realms/none"


def bearer(issuer, user="bob", scope="openid acme"):
    return {"Authorization": f"Bearer {issuer.login(user, scope).access}"}


class TestStarting:
    async def test_says_where_it_listens_and_what_is_dangerous(self, issuer, start_service):
        service = await start_service(issuers=[{"issuer": issuer.issuer, "clients": ["frontend"]}])
        assert (await service.ask(bearer(issuer))).status == 200
        events = [
            {name: line[name] for name in line if name not in ("timestamp", "level")}
            for line in await service.log_lines()
        ]
        assert events == [
            {
                "event": "started",
                "version": __version__,
                "webhook": service.webhook_url,
                "management": service.management_url,
            },
            {"event": "configuration", "warning": warnings_about(service.service._settings)[0]},  # noqa: SLF001
            {"event": "keys_fetched", "issuer": issuer.issuer},
        ]

    def test_nothing_is_dangerous_by_default(self):
        assert warnings_about(settings_for(NOBODY)) == []

    def test_missing_audiences_are(self):
        issuers = [
            {"issuer": f"{NOBODY}{number}", "clients": ["frontend"], "namespace": f"n{number}"}
            for number in range(3)
        ]
        issuers[1]["audiences"] = ["hasura"]
        warnings = warnings_about(settings_for(issuers=issuers))
        assert [warning.partition(" ")[0] for warning in warnings] == [
            "issuers.0.audiences",
            "issuers.2.audiences",
        ]

    def test_insecure_transport_is(self):
        (warning,) = warnings_about(settings_for(NOBODY, insecure_transport=True))
        assert warning.startswith("insecure_transport is true")

    def test_a_store_that_nobody_needs_is(self):
        shared = {"url": "redis://127.0.0.1"}
        (warning,) = warnings_about(settings_for(NOBODY, shared=shared))
        assert warning.startswith("shared is set, but no issuer has introspection")
        asked = {
            "issuer": NOBODY,
            "clients": ["frontend"],
            "audiences": ["hasura"],
            "introspection": {"client_id": "hook", "client_secret": "secret"},
        }
        assert warnings_about(settings_for(issuers=[asked], shared=shared)) == []

    async def test_the_parser_in_python_is_refused_before_anything_listens(self, monkeypatch):
        monkeypatch.setattr(http_parser, "HttpRequestParser", http_parser.HttpRequestParserPy)
        service = Service(settings_for(NOBODY), Output())
        before = asyncio.all_tasks()
        with pytest.raises(ParserMissing) as caught:
            await service.start()
        for told in ("AIOHTTP_NO_EXTENSIONS", "without a C compiler", "install aiohttp"):
            assert told in str(caught.value)
        assert asyncio.all_tasks() == before

    @pytest.mark.parametrize("section", ["webhook", "management"])
    async def test_an_address_that_is_taken_names_the_settings(self, section):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            service = Service(settings_for(NOBODY, **{section: {"port": port}}), Output())
            before = asyncio.all_tasks()
            with pytest.raises(ListenFailed) as caught:
                await service.start()
        assert str(caught.value).startswith(
            f"{section}.host, {section}.port: cannot listen there: "
        )
        assert not service.keys.issuers[NOBODY].usable
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == before

    async def test_with_the_issuer_down_it_starts_and_says_why_it_is_not_ready(
        self, issuer, start_service
    ):
        await issuer.stop()
        service = await start_service(issuer.issuer)
        answer = await service.ask(bearer(issuer))
        assert (answer.status, answer.code) == (503, "keys_unavailable")
        (failure,) = await service.events("keys_not_fetched")
        assert failure["level"] == "warning"
        assert failure["issuer"] == issuer.issuer
        assert (failure["result"], failure["detail"]) == (
            "connect",
            "no connection to the address",
        )

    async def test_addresses_of_the_newer_protocol_are_written_in_brackets(self, start_service):
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError:
            pytest.skip("there is no IPv6 here")
        service = await start_service(NOBODY, webhook={"host": "::1"}, management={"host": "::1"})
        assert service.webhook_url.startswith("http://[::1]:")
        assert service.management_url.startswith("http://[::1]:")
        assert (await service.ask()).code == "no_credentials"
        assert (await service.manage("/livez")).status == 200


class TestSettings:
    """Each setting that the composition root hands on arrives where it works."""

    async def test_org_header(self, issuer, start_service):
        service = await start_service(issuer.issuer, org_header="X-Team")
        both = bearer(issuer, "alice", "openid acme globex")
        assert (await service.ask({**both, "X-Hasura-Org-Id": "acme"})).code == "ambiguous_org"
        answer = await service.ask({**both, "x-team": "acme"})
        assert answer.json["X-Hasura-Org-Id"] == "acme"

    async def test_max_token_and_path(self, start_service):
        service = await start_service(NOBODY, webhook={"max_token": "10B", "path": "/a/b"})
        assert service.webhook_url.endswith("/a/b")
        for token, detail in (
            ("a" * 10, "not three parts of base64url"),
            ("a" * 11, "the token is longer than webhook.max_token"),
        ):
            await service.ask({"Authorization": f"Bearer {token}"})
            assert (await service.events("denied"))[-1]["detail"] == detail

    async def test_session_values(self, issuer, start_service):
        service = await start_service(
            issuer.issuer, session={"values": "json", "max_age": None, "user_id": "email"}
        )
        assert (await service.ask(bearer(issuer))).json == {
            "X-Hasura-Org-Id": "acme",
            "X-Hasura-Role": "viewer",
            "X-Hasura-Allowed-Roles": ["viewer"],
            "X-Hasura-User-Id": "bob@example.com",
        }

    async def test_cache_turned_off(self, issuer, start_service):
        service = await start_service(issuer.issuer, cache={"entries": 0})
        for _ in range(3):
            assert (await service.ask(bearer(issuer))).status == 200
        assert (service.service.decisions.hits, len(service.service.decisions)) == (0, 0)

    async def test_cache_ttl_and_keys(self, issuer, start_service, clock):
        """A key that left the published set signs nobody in for longer than the cache's ttl."""
        service = await start_service(
            issuer.issuer, cache={"ttl": "20s"}, keys={"cooldown": "5s", "timeout": "1s"}
        )
        old = bearer(issuer)
        assert (await service.ask(old)).status == 200
        issuer.keys.rotate(keep_old=False)
        clock.advance(19)
        assert (await service.ask(bearer(issuer))).status == 200
        assert (await service.ask(old)).status == 200
        clock.advance(1)
        assert (await service.ask(old)).code == "unknown_key"
        assert issuer.fetches["certs"] == 2

    @pytest.mark.parametrize("seconds", [0, 100, 329])
    async def test_cache_ttl_and_the_tokens_own_end(self, issuer, start_service, clock, seconds):
        """A session is not remembered beyond its token's exp and leeway, however long the ttl."""
        service = await start_service(issuer.issuer, cache={"ttl": "1h"})
        token = bearer(issuer)
        clock.advance(seconds)
        assert (await service.ask(token)).status == 200
        clock.advance(329 - seconds)
        assert (await service.ask(token)).status == 200
        clock.advance(1)
        assert (await service.ask(token)).code == "expired"

    async def test_ca_file_and_jwks_uri(self, tmp_path, start_service):
        authority = Authority.make(tmp_path / "ca.pem")
        tls = server_context(authority.certificate(tmp_path / "server.pem"))
        async with publishing(tls) as publisher:
            token = sign(claims(iss="https://sso.example.com/realms/x"))
            settings = {
                "issuer": "https://sso.example.com/realms/x",
                "jwks_uri": publisher.certs,
                "clients": ["frontend"],
                "ca_file": str(authority.file),
            }
            service = await start_service(issuers=[settings])
            answer = await service.ask({"Authorization": f"Bearer {token}"})
            assert (answer.status, answer.json["X-Hasura-Org-Id"]) == (200, "org1")
            assert publisher.asked == {"/certs": 1}

    async def test_log_level_and_format(self, start_service):
        service = await start_service(NOBODY, log={"level": "error", "format": "console"})
        await service.ask()
        service.service.log.error("the end")
        await asyncio.to_thread(service.output.wait_for, b"the end")
        assert b"denied" not in service.output.written
        assert b"[error" in service.output.written


class TestStopping:
    async def test_says_so(self, issuer):
        output = Output()
        service = Service(settings_for(issuer.issuer), output)
        await service.start()
        await service.stop(drain=0.0)
        events = [line for line in output.written.decode().splitlines() if "stop" in line]
        assert ['"event": "stopping"' in events[0], '"event": "stopped"' in events[1]] == [True] * 2
        assert '"drain_seconds": 0.0' in events[0]

    async def test_leaves_nothing_behind(self, issuer):
        before = asyncio.all_tasks()
        service = Service(settings_for(issuer.issuer), Output())
        await service.start()
        urls = (service.webhook_url, service.management_url)
        await service.stop(drain=0.0)
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == before
        for url in urls:
            with pytest.raises(ConnectionRefusedError):
                async with connected(url):
                    pass

    async def test_does_not_wait_for_a_hanging_issuer(self, issuer):
        issuer.fault = Fault.HANGING
        service = Service(settings_for(issuer.issuer), Output())
        await service.start()
        async with asyncio.timeout(LONG):
            while not issuer.fetches:  # noqa: ASYNC110 - the issuer has only its counter
                await asyncio.sleep(0.001)
            await service.stop(drain=0.0)


class TestUnderLoad:
    async def test_a_cold_start_with_two_hundred_at_once_is_one_fetch(self, issuer, start_service):
        service = await start_service(issuer.issuer)
        headers = bearer(issuer)
        answers = await asyncio.gather(*(service.ask(headers) for _ in range(200)))
        assert {answer.status for answer in answers} == {200}
        assert issuer.fetches == {"discovery": 1, "certs": 1}

    async def test_a_client_who_leaves_first_takes_nobody_along(self, issuer, start_service):
        issuer.fault = Fault.HANGING
        service = await start_service(issuer.issuer)
        headers = bearer(issuer)
        async with connected(service.webhook_url) as wire:
            await wire.send(get(f"Authorization: {headers['Authorization']}"))
            async with asyncio.timeout(LONG):
                while not service.service.counts.in_flight:  # noqa: ASYNC110 - a plain number
                    await asyncio.sleep(0.001)
            others = [asyncio.create_task(service.ask(headers)) for _ in range(49)]
            wire.writer.transport.abort()
        issuer.fault = Fault.NONE
        issuer._hang.set()  # noqa: SLF001 - the issuer gets well in the middle of an answer
        answers = await asyncio.gather(*others)
        assert [answer.status for answer in answers] == [200] * 49
        assert issuer.fetches == {"discovery": 1, "certs": 1}

    @pytest.mark.parametrize("fault", [Fault.NONE, Fault.ERROR, Fault.DOWN, Fault.HANGING])
    async def test_a_flood_of_unknown_keys_delays_nobody_and_asks_once(
        self, issuer, start_service, clock, fault
    ):
        service = await start_service(issuer.issuer, keys={"timeout": "300ms"})
        good = bearer(issuer)
        assert (await service.ask(good)).status == 200
        issuer.fault = fault
        clock.advance(11)
        foreign = [{"Authorization": f"Bearer {sign(claims(iss=issuer.issuer))}"}] * 64
        flood = asyncio.gather(*map(service.ask, foreign))
        assert (await service.ask(good)).status == 200
        assert fault is not Fault.HANGING or not flood.done()
        answers = [*await flood, *await asyncio.gather(*map(service.ask, foreign))]
        assert [answer.code for answer in answers] == ["unknown_key"] * 128
        assert issuer.fetches == {"discovery": 2, "certs": 2 if fault is Fault.NONE else 1}

    async def test_no_address_and_no_key_out_of_a_token_is_used(self, issuer, start_service, clock):
        service = await start_service(issuer.issuer)
        assert (await service.ask(bearer(issuer))).status == 200
        published = issuer.keys.public()["keys"][-1]["kid"]
        canary = issuer.issuer.partition("/realms")[0] + "/dev/canary"
        own = {"jwk": OTHER_KEY.jwk(), "x5c": ["MII"], "x5t": "a", "jku": canary, "x5u": canary}
        for kid, code in ((published, "bad_signature"), (OTHER_KEY.kid, "unknown_key")):
            clock.advance(11)  # a fetch would be due
            token = sign(claims(iss=issuer.issuer), {**own, "kid": kid}, OTHER_KEY)
            assert (await service.ask({"Authorization": f"Bearer {token}"})).code == code
        assert issuer.fetches == {"discovery": 2, "certs": 2}

    async def test_denials_beyond_ten_a_second_are_summed_up(self, start_service):
        service = await start_service(NOBODY)
        for _ in range(25):
            await service.ask()
        await asyncio.to_thread(service.output.wait_for, b"not_logged")
        denials = await service.events("denied")
        assert len(denials) == 11
        assert denials[-1]["not_logged"] == 15


class TestTime:
    @pytest.mark.parametrize("hours", [1, -1])
    async def test_a_jump_of_the_clock_keeps_no_session(self, service, issuer, clock, hours):
        headers = bearer(issuer)
        assert (await service.ask(headers)).status == 200
        clock.jump(hours * 3600)
        assert (await service.ask(headers)).code == ("expired" if hours > 0 else "not_yet_valid")
        assert (await service.ask(bearer(issuer))).status == 200
        assert issuer.fetches["certs"] == 1

    async def test_nor_does_it_freeze_the_fetching_of_keys(self, service, issuer, clock):
        assert (await service.ask(bearer(issuer))).status == 200
        clock.jump(-3600)
        issuer.keys.rotate(keep_old=True)
        clock.advance(11)
        assert (await service.ask(bearer(issuer))).status == 200


class _Blocked(RawIOBase):
    """An output that blocks for as long as the test runs."""

    def __init__(self):
        self.over = Event()

    def write(self, data):
        self.over.wait(LONG)
        return len(data)


FULL = pytest.param(
    "full disk",
    marks=pytest.mark.skipif(not sys.platform.startswith("linux"), reason="there is no /dev/full"),
)


@pytest.mark.parametrize("output", ["blocked", "closed pipe", FULL])
async def test_requests_do_not_wait_for_the_log(issuer, clock, http, output):
    blocked = _Blocked()
    if output == "closed pipe":
        reading, writing = os.pipe()
        os.close(reading)
        stream = FileIO(writing, "w")
    else:
        stream = blocked if output == "blocked" else FileIO("/dev/full", "w")
    service = Service(settings_for(issuer.issuer), stream, clock.clocks)
    await service.start()
    running = RunningService(service, Output(), http)
    for number in range(1200):
        service.log.info("a line", number=number)
    assert (await running.ask(bearer(issuer))).status == 200
    assert (await running.ask()).code == "no_credentials"
    metrics = (await running.manage("/metrics")).body.decode().splitlines()
    name = "hasura_kc_auth_log_lines_dropped_total "
    (dropped,) = (line for line in metrics if line.startswith(name))
    assert float(dropped.split()[1]) > 0
    await http.close()
    await service.stop(drain=0.0)
    blocked.over.set()
    stream.close()


async def test_the_metrics_tell_what_happened(service, issuer):
    for _ in range(3):
        assert (await service.ask(bearer(issuer))).status == 200
    headers = bearer(issuer)
    assert (await service.ask(headers)).status == 200
    assert (await service.ask(headers, mode="POST")).status == 200
    await service.ask(bearer(issuer, "alice", "openid acme globex"))
    await service.ask({"Authorization": f"Bearer {sign(claims(iss=issuer.issuer))}"})
    await service.ask({"Authorization": "Bearer x"})
    await answer_to(service.webhook_url, b"\0\r\n\r\n")
    text = (await service.manage("/metrics")).body.decode()
    own = dict(
        line.removeprefix("hasura_kc_auth_").rsplit(" ", 1)
        for line in text.splitlines()
        if line.startswith("hasura_kc_auth_")
    )
    labels = f'issuer="{issuer.issuer}"'
    expected = {
        f'decisions_total{{{labels},outcome="allow",reason="ok"}}': "5.0",
        f'decisions_total{{{labels},outcome="deny",reason="ambiguous_org"}}': "1.0",
        f'decisions_total{{{labels},outcome="deny",reason="unknown_key"}}': "1.0",
        'decisions_total{issuer="none",outcome="deny",reason="malformed_token"}': "1.0",
        'decisions_total{issuer="none",outcome="deny",reason="malformed_request"}': "1.0",
        'decision_duration_seconds_count{outcome="allow"}': "5.0",
        'decision_duration_seconds_count{outcome="deny"}': "4.0",
        "cache_hits_total": "1.0",
        "cache_misses_total": "7.0",
        "cache_entries": "4.0",
        f'jwks_fetches_total{{{labels},result="ok"}}': "1.0",
        f"jwks_age_seconds{{{labels}}}": "0.0",
        f"unknown_kids_total{{{labels}}}": "1.0",
        "requests_in_flight": "0.0",
        "log_lines_dropped_total": "0.0",
    }
    assert {name: own.get(name) for name in expected} == expected
    decisions = [name for name in own if name.startswith("decisions_total{")]
    assert len(decisions) == 6  # the sixth is for mistakes of ours: none


async def test_two_issuers_never_verify_for_each_other(issuer, start_service):
    """A realm's tokens under the other realm's name are nobody's."""
    async with publishing() as publisher:
        issuers = [
            {"issuer": name, "clients": ["frontend"], "namespace": namespace}
            for name, namespace in ((issuer.issuer, "one"), (publisher.issuer, "two"))
        ]
        service = await start_service(issuers=issuers)
        asked = [
            bearer(issuer),
            {"Authorization": f"Bearer {sign(claims(iss=publisher.issuer))}"},
            {"Authorization": f"Bearer {sign(claims(iss=issuer.issuer))}"},
        ]
        answers = [await service.ask(headers) for headers in asked]
        assert [answer.code or answer.json["X-Hasura-Org-Id"] for answer in answers] == [
            "one/acme",
            "two/org1",
            "unknown_key",
        ]
