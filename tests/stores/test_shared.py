"""Answers shared by replicas: with a real Redis or Valkey, and with a faulty one."""

from __future__ import annotations

import asyncio
import signal
import sys

import pytest
from redis.asyncio import SSLConnection
from yarl import URL

from hasura_kc_auth.stores.introspections import Introspections, open_store
from hasura_kc_auth.wiring import Service, StartFailed
from tests.conftest import LONG, FakeClock, Output, settings_for
from tests.introspecting import TTL, introspecting, lightweight
from tests.stores.test_introspections import SECRET, TOKEN, Keycloak

PREFIX = "hasura-kc-auth:introspection:"
# A request, and the time that a faulty store may cost it; the machine may be busy.
SOON = 0.05 + 0.5


@pytest.fixture
async def start_replica(issuer, start_service):
    """Give what starts a service that remembers no decisions, and shares answers at this URL."""

    async def start(url, **changes):
        return await start_service(
            **introspecting(issuer), shared={"url": url}, cache={"entries": 0}, **changes
        )

    return start


async def _written(redis, count=1):
    """Wait for so many entries, and return their keys."""

    async def are_there():
        return len(await redis.keys()) >= count

    await _until(are_there)
    return await redis.keys()


async def _until(holds):
    async with asyncio.timeout(LONG):
        while not await holds():  # noqa: ASYNC110 - Redis has no event
            await asyncio.sleep(0.005)


async def _asks(service, headers, issuer, times=1):
    """Ask, with the right answer each time; return how often Keycloak was asked, and for how long.

    The time is that of the slowest request.
    """
    before, slowest = issuer.fetches["introspect"], 0.0
    now = asyncio.get_running_loop().time
    for _ in range(times):
        started = now()
        answer = await service.ask(headers)
        slowest = max(slowest, now() - started)
        assert answer.status == 200, answer.code
        assert answer.json["X-Hasura-Role"] == "viewer"
    return issuer.fetches["introspect"] - before, slowest


def _failures(service):
    return service.service.completers.store_failures


@pytest.mark.redis
class TestRealServer:
    async def test_what_one_was_told_the_other_need_not_ask(self, issuer, redis, start_replica):
        headers = lightweight(issuer)
        one, other = await start_replica(redis.url), await start_replica(redis.url)
        assert (await _asks(one, headers, issuer))[0] == 1
        await _written(redis)
        assert (await _asks(other, headers, issuer, 3))[0] == 0
        assert _failures(one) == _failures(other) == 0

    async def test_what_lies_there(self, issuer, redis, start_replica):
        headers = lightweight(issuer)
        await _asks(await start_replica(redis.url), headers, issuer)
        (key,) = await _written(redis)
        assert key.startswith(PREFIX)
        assert len(key) == len(PREFIX) + 64
        assert 0 < int((await redis.command("PTTL", key))[1:]) <= TTL * 1000
        value = await redis.command("GET", key)
        assert b'"active":true' in value
        assert headers["Authorization"][7:].encode() not in value

    async def test_it_is_gone_when_its_time_is_over(self, issuer, redis, start_replica, clock):
        headers = lightweight(issuer)
        clock.advance(299.8)
        service = await start_replica(redis.url)
        await _asks(service, headers, issuer)
        await _written(redis)

        async def is_empty():
            return not await redis.keys()

        await _until(is_empty)
        assert (await _asks(service, headers, issuer))[0] == 1

    async def test_killed_mid_way(self, issuer, redis, start_replica, clock):
        headers = lightweight(issuer)
        service = await start_replica(redis.url)
        await _asks(service, headers, issuer)
        await _written(redis)
        redis.kill()
        asked, slowest = await _asks(service, headers, issuer, 5)
        assert asked == 5
        assert slowest < SOON
        assert _failures(service) >= 5
        await redis.start()
        async with asyncio.timeout(LONG):  # a busy machine may need more than one try to write
            while (await _asks(service, headers, issuer))[0]:
                clock.advance(1.0)  # until then it is left alone
                await asyncio.sleep(0.05)

    async def test_stopped_and_continued(self, issuer, redis, start_replica, clock):
        headers = lightweight(issuer)
        service = await start_replica(redis.url)
        await _asks(service, headers, issuer)
        await _written(redis)
        redis.signal(signal.SIGSTOP)
        asked, slowest = await _asks(service, headers, issuer, 5)
        redis.signal(signal.SIGCONT)
        assert asked == 5
        assert slowest < SOON
        clock.advance(1.0)
        # It answers again, and what comes late is nobody's answer.
        assert (await _asks(service, headers, issuer, 5))[0] <= 1

    async def test_while_others_wait_nobody_gets_anothers_answer(
        self, issuer, redis, start_replica, clock
    ):
        """A read that was given up on leaves its answer on the way (as redis once mixed up)."""
        service = await start_replica(redis.url)
        people = {"alice": "editor", "bob": "viewer"}
        tokens = [(lightweight(issuer, name), role) for name, role in people.items()] * 10
        for number in range(6):
            redis.signal(signal.SIGSTOP if number % 2 == 0 else signal.SIGCONT)
            clock.advance(1.0)
            answers = await asyncio.gather(*(service.ask(headers) for headers, _ in tokens))
            assert [it.json["X-Hasura-Role"] for it in answers] == [role for _, role in tokens]

    @pytest.mark.parametrize("command", ["FLUSHALL", "DEL"])
    async def test_flushed(self, issuer, redis, start_replica, command):
        headers = lightweight(issuer)
        service = await start_replica(redis.url)
        await _asks(service, headers, issuer)
        (key,) = await _written(redis)
        await redis.command(*(["FLUSHALL"] if command == "FLUSHALL" else ["DEL", key]))
        assert (await _asks(service, headers, issuer))[0] == 1
        assert _failures(service) == 0

    async def test_the_right_password(self, issuer, make_redis, start_replica):
        redis = make_redis(password="p:a@s/s")
        await redis.start()
        headers = lightweight(issuer)
        url = f"redis://:p%3Aa%40s%2Fs@127.0.0.1:{redis.port}/0"
        one, other = await start_replica(url), await start_replica(url)
        await _asks(one, headers, issuer)
        await _written(redis)
        assert (await _asks(other, headers, issuer))[0] == 0

    async def test_a_user_and_another_database(self, issuer, redis, start_replica):
        await redis.command("ACL", "SETUSER", "kc", "on", ">pw", "~*", "+@all")
        headers = lightweight(issuer)
        url = f"redis://kc:pw@127.0.0.1:{redis.port}/3"
        one, other = await start_replica(url), await start_replica(url)
        await _asks(one, headers, issuer)

        async def is_there():
            return b"db3:keys=1" in await redis.command("INFO", "keyspace")

        await _until(is_there)
        assert (await _asks(other, headers, issuer))[0] == 0
        assert _failures(other) == 0

    @pytest.mark.parametrize("login", ["", ":wrong@", "nobody:secret@"], ids=str)
    async def test_a_wrong_password_is_a_miss(self, issuer, make_redis, start_replica, login):
        redis = make_redis(password="secret")
        await redis.start()
        service = await start_replica(f"redis://{login}127.0.0.1:{redis.port}")
        asked, slowest = await _asks(service, lightweight(issuer), issuer, 3)
        assert asked == 3
        assert slowest < SOON
        assert _failures(service) >= 3
        assert "wrong" not in await service.log_text()

    async def test_a_list_under_our_key_is_a_miss(self, issuer, redis, start_replica):
        headers = lightweight(issuer)
        service = await start_replica(redis.url)
        await _asks(service, headers, issuer)
        (key,) = await _written(redis)
        await redis.command("DEL", key)
        await redis.command("RPUSH", key, "a", "b")
        assert (await _asks(service, headers, issuer))[0] == 1
        assert _failures(service) == 1

    async def test_a_forged_answer_under_our_key_is_a_miss(self, issuer, redis, start_replica):
        headers = lightweight(issuer)
        service = await start_replica(redis.url)
        await _asks(service, headers, issuer)
        (key,) = await _written(redis)
        value = (await redis.command("GET", key)).split(b"\r\n", 1)[1][:-2]
        await redis.command("SET", key, value.replace(b'"viewer"', b'"admin" '))
        assert (await _asks(service, headers, issuer))[0] == 1
        assert _failures(service) == 1


LOADING = b"-LOADING Redis is loading the dataset in memory\r\n"
STUBS = {
    "hanging": None,
    "loading": LOADING,
    "random": bytes(range(256)),
    "no redis": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "nil for all": b"$-1\r\n",
    "ok for all": b"+OK\r\n",
    "a number for all": b":1\r\n",
    "an object for all": b'$15\r\n{"active":true}\r\n',
    "a string that never ends": b"$1000000\r\nabc",
    "a huge length": b"$99999999999999999999\r\n",
    "deep lists": b"*1\r\n" * 5000,
    "readonly": b"-READONLY You can't write against a read only replica.\r\n",
    "moved": b"-MOVED 1 127.0.0.1:1\r\n",
}


class TestFaultyServer:
    @pytest.mark.parametrize("reply", STUBS.values(), ids=STUBS)
    async def test_it_is_a_miss_and_costs_little(self, issuer, start_stub, start_replica, reply):
        service = await start_replica(await start_stub(reply))
        asked, slowest = await _asks(service, lightweight(issuer), issuer, 3)
        assert asked == 3
        assert slowest < SOON

    @pytest.mark.parametrize(
        "url",
        ["redis://127.0.0.1:1", "redis://nowhere.invalid", "rediss://127.0.0.1:1"],
        ids=["nobody listens", "no such host", "nobody listens for TLS"],
    )
    async def test_it_was_never_there(self, issuer, start_replica, url):
        service = await start_replica(url)
        asked, slowest = await _asks(service, lightweight(issuer), issuer, 3)
        assert asked == 3
        assert slowest < SOON
        assert (await service.manage("/readyz")).status == 200
        assert _failures(service) >= 3

    async def test_what_keycloak_refuses_stays_refused(self, issuer, start_stub, start_replica):
        service = await start_replica(await start_stub(b'$15\r\n{"active":true}\r\n'))
        headers = lightweight(issuer)
        del issuer.users["bob"]
        assert (await service.ask(headers)).code == "inactive_token"


class TestAddress:
    @pytest.mark.parametrize(
        ("url", "options"),
        [
            (
                "redis://127.0.0.1",
                {"host": "127.0.0.1", "port": 6379, "db": 0, "password": None, "username": None},
            ),
            (
                "redis://u%40x:p%2Fw@[::1]:6380/2",
                {"host": "::1", "port": 6380, "db": 2, "password": "p/w", "username": "u@x"},
            ),
            (
                "rediss://example.com/",
                {"host": "example.com", "port": 6379, "db": 0, "ssl_check_hostname": True},
            ),
        ],
    )
    async def test_all_of_it_arrives(self, url, options):
        store = open_store(URL(url), 1)
        pool = store.client.connection_pool
        assert {name: pool.connection_kwargs.get(name) for name in options} == options
        assert issubclass(pool.connection_class, SSLConnection) is url.startswith("rediss")
        await store.close()

    async def test_without_the_extra_the_start_names_it(self, issuer, monkeypatch):
        monkeypatch.setitem(sys.modules, "hasura_kc_auth.stores.shared", None)
        settings = settings_for(**introspecting(issuer), shared={"url": "redis://127.0.0.1"})
        with pytest.raises(StartFailed) as caught:
            Service(settings, Output())
        assert str(caught.value) == "shared: needs the extra: hasura-kc-auth[redis]"


@pytest.mark.redis
async def test_it_keeps_bytes_as_they_are(redis):
    store = open_store(URL(redis.url), 1)
    for value in (b"", bytes(range(256)), b"\xff" * 1000):
        await store.set("key", value, ttl=TTL)
        assert await store.get("key") == value
    assert await store.get("another") is None
    await store.close()


@pytest.mark.redis
async def test_replicas_with_another_secret_share_nothing(redis):
    store, keycloak = open_store(URL(redis.url), 1), Keycloak()
    clock = FakeClock()
    for secret in (SECRET, SECRET, "another"):
        answers = Introspections(keycloak.introspect, store, clock.clocks, ttl=TTL, secret=secret)
        await answers.introspect(TOKEN)
        await answers.stop()
    await store.close()
    assert len(keycloak.asked) == 2
