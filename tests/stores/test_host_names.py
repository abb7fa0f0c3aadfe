"""The host name of a shared store: looked up apart from all others, and never in two threads."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from yarl import URL

from hasura_kc_auth.devtools.introspection import CLIENT_SECRET, CONFIDENTIAL_CLIENT
from hasura_kc_auth.keycloak.introspection import Introspection, IntrospectionClient
from hasura_kc_auth.stores.introspections import Introspections
from hasura_kc_auth.stores.shared import NameLookUp, SharedCache
from tests.conftest import LONG
from tests.introspecting import TTL
from tests.keycloak.certificates import Authority, server_context

NAME = "redis.example.test"
HERE = "127.0.0.1"


class Resolver:
    """A resolver that hangs as long as it is told to; then it answers, or raises."""

    def __init__(self, answer=(HERE,), *, hanging=False):
        self.answer = answer
        self.asked = []
        self.proceed = Event()
        if not hanging:
            self.proceed.set()

    def __call__(self, name):
        self.asked.append(name)
        self.proceed.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def hanging():
    resolver = Resolver(hanging=True)
    yield resolver
    resolver.proceed.set()


@pytest.fixture
async def start_listening():
    """Give what listens on 127.0.0.1; it returns the port and a list that each caller joins."""
    servers = []

    async def start(tls=None):
        callers = []

        async def serve(_reader, writer):
            callers.append(writer.get_extra_info("sockname")[0])
            writer.close()

        server = await asyncio.start_server(serve, HERE, 0, ssl=tls)
        servers.append(server)
        return server.sockets[0].getsockname()[1], callers

    yield start
    for server in servers:
        server.close()


@pytest.fixture
async def keycloak(issuer, clock):
    """Give what asks the issuer by a name that the event loop has to look up."""
    client = IntrospectionClient(
        issuer=issuer.issuer,
        url=f"http://localhost:{issuer.port}/realms/demo/protocol/openid-connect/token/introspect",
        client_id=CONFIDENTIAL_CLIENT,
        client_secret=CLIENT_SECRET,
    )
    asking = Introspection(client, clock.monotonic, lambda *_: None)
    await asking.start()
    yield asking
    await asking.stop()


async def test_one_that_hangs_takes_nothing_from_keycloaks(issuer, keycloak, hanging, clock):
    """However many ask, and however long it hangs: one thread of its own, and a miss each."""
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(1))  # the threads that Keycloak's name needs
    store = SharedCache(URL(f"redis://{NAME}"), hanging)
    answers = Introspections(keycloak.introspect, store, clock.clocks, ttl=TTL, secret="secret")
    tokens = [issuer.login("bob", "openid acme").access for _ in range(20)]

    for _ in range(4):
        told = await asyncio.gather(*(answers.introspect(token) for token in tokens))
        assert [it.answer["active"] for it in told] == [True] * len(tokens)
        clock.advance(1.0)  # a store that was left alone is tried again

    assert hanging.asked == [NAME]
    assert answers.store_failures >= len(tokens)
    await answers.stop()
    await store.close()


async def test_all_who_wait_are_told_at_once(hanging):
    names = NameLookUp(hanging)
    waiting = [asyncio.create_task(names.addresses(NAME)) for _ in range(50)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    hanging.proceed.set()

    told = await asyncio.gather(*waiting[1:])

    assert told == [(HERE,)] * 49
    assert hanging.asked == [NAME]


async def test_it_is_looked_up_anew_for_each_connection():
    resolver = Resolver(socket.gaierror(socket.EAI_AGAIN, "try again"))
    names = NameLookUp(resolver)
    with pytest.raises(socket.gaierror):
        await names.addresses(NAME)
    resolver.answer = ("192.0.2.1",)
    assert await names.addresses(NAME) == ("192.0.2.1",)
    resolver.answer = ("192.0.2.2",)
    assert await names.addresses(NAME) == ("192.0.2.2",)


ENDING = """
import asyncio, threading
from hasura_kc_auth.stores.shared import NameLookUp

async def leave():
    try:
        await asyncio.wait_for(NameLookUp(lambda _: threading.Event().wait()).addresses("x"), 0.01)
    except TimeoutError:
        print("left")

asyncio.run(leave())
"""


def test_the_process_ends_though_one_hangs():
    ended = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", ENDING], capture_output=True, text=True, check=False, timeout=LONG
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "left\n", "")


async def test_the_addresses_are_tried_until_one_answers(start_listening):
    port, callers = await start_listening()
    store = SharedCache(URL(f"redis://{NAME}:{port}"), Resolver(("127.0.0.3", HERE)))
    with pytest.raises(RedisConnectionError):
        await store.get("key")
    assert set(callers) == {HERE}
    await store.close()


@pytest.mark.parametrize("addresses", [(), ("127.0.0.3",)], ids=["none", "where nobody listens"])
async def test_without_an_address_that_answers_there_is_no_connection(start_listening, addresses):
    port, _ = await start_listening()
    store = SharedCache(URL(f"redis://{NAME}:{port}"), Resolver(addresses))
    with pytest.raises(RedisConnectionError):
        await store.get("key")
    await store.close()


async def test_a_certificate_is_for_the_name_and_not_for_the_address(start_listening, tmp_path):
    certificate = Authority.make(tmp_path / "ca.pem").certificate(tmp_path / "server.pem")
    tls, names = server_context(certificate), []
    tls.sni_callback = lambda _socket, name, _context: names.append(name)
    port, _ = await start_listening(tls)
    store = SharedCache(URL(f"rediss://{NAME}:{port}"), Resolver())
    with pytest.raises(RedisConnectionError):
        await store.get("key")
    assert set(names) == {NAME}
    await store.close()
