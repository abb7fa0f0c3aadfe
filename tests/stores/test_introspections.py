"""Remembered answers of Keycloak: how long, how many, and believed by whom."""

from __future__ import annotations

import asyncio
from hashlib import sha256

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hasura_kc_auth.core.errors import Code, Denied
from hasura_kc_auth.stores.introspections import Introspections
from hasura_kc_auth.stores.memory import BoundedMemoryCache
from tests.conftest import LONG, FakeClock
from tests.made_tokens import NOW

TTL = 30.0
SECRET = "secret-of-the-client"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.token.of-alice"
OTHER_TOKEN = "eyJhbGciOiJSUzI1NiJ9.token.of-mallory"
EXP = NOW + 290


class Keycloak:
    """The other side of `Introspections`: answers, counts, fails and waits as a test says."""

    def __init__(self, **claims):
        self.claims = {"active": True, "exp": EXP, "roles": ["editor"], **claims}
        self.asked = []
        self.failure = None
        self.proceed = asyncio.Event()
        self.proceed.set()

    async def introspect(self, token):
        self.asked.append(token)
        await self.proceed.wait()
        if self.failure is not None:
            raise self.failure
        return {**self.claims, "about": token}


class Dict:
    """A store that can be looked into and tampered with."""

    def __init__(self):
        self.entries = {}
        self.ttls = {}
        self.closed = False

    async def get(self, key):
        return self.entries.get(key)

    async def set(self, key, value, *, ttl):
        self.entries[key], self.ttls[key] = value, ttl

    async def close(self):
        self.closed = True

    @property
    def key(self):
        (key,) = self.entries
        return key


class Faulty(Dict):
    """A store where every call ends, or does not, in a way of its own."""

    def __init__(self, fault):
        super().__init__()
        self.fault = fault

    async def get(self, _key):
        return await self.fault()

    async def set(self, _key, _value, **_options):
        await self.fault()


def remembering(keycloak=None, store=None, clock=None, **changes):
    clock = clock or FakeClock()
    store = Dict() if store is None else store
    options = {"ttl": TTL, "secret": SECRET} | changes
    return Introspections((keycloak or Keycloak()).introspect, store, clock.clocks, **options)


async def warmed(keycloak, store, clock=None, **changes):
    """Return answers of which that about TOKEN is remembered."""
    answers = remembering(keycloak, store, clock, **changes)
    await answers.introspect(TOKEN)
    await answers.stop()
    return answers


class TestRemembering:
    async def test_keycloak_is_asked_once(self, clock):
        keycloak = Keycloak()
        answers = await warmed(keycloak, Dict(), clock)
        told = await answers.introspect(TOKEN)
        assert told.answer == {**keycloak.claims, "about": TOKEN}
        assert told.fresh_for == TTL
        assert keycloak.asked == [TOKEN]
        assert answers.store_failures == 0

    async def test_each_token_has_its_own(self):
        answers = await warmed(Keycloak(), Dict())
        assert (await answers.introspect(OTHER_TOKEN)).answer["about"] == OTHER_TOKEN
        assert (await answers.introspect(TOKEN)).answer["about"] == TOKEN

    async def test_an_inactive_token_is_remembered_too(self, clock):
        keycloak = Keycloak(active=False, exp=None)
        answers = await warmed(keycloak, Dict(), clock)
        assert await answers.introspect(TOKEN) == (
            {"active": False, "exp": None, "roles": ["editor"], "about": TOKEN},
            TTL,
        )
        assert len(keycloak.asked) == 1

    async def test_neither_token_nor_secret_are_stored(self):
        store, keycloak = Dict(), Keycloak()
        await warmed(keycloak, store)
        kept = store.key.encode() + store.entries[store.key].replace(TOKEN.encode(), b"", 1)
        for word in (TOKEN, SECRET, sha256(TOKEN.encode()).hexdigest()):
            assert word.encode() not in kept

    async def test_no_failure_is_remembered(self):
        keycloak, store = Keycloak(), Dict()
        answers = remembering(keycloak, store)
        keycloak.failure = Denied(Code.INTROSPECTION_UNAVAILABLE)
        for _ in range(2):
            with pytest.raises(Denied) as caught:
                await answers.introspect(TOKEN)
            assert caught.value.code is Code.INTROSPECTION_UNAVAILABLE
        keycloak.failure = None
        assert (await answers.introspect(TOKEN)).answer["active"] is True
        assert len(keycloak.asked) == 3


class TestHowLong:
    async def test_for_its_ttl_at_most(self, clock):
        keycloak = Keycloak()
        answers = await warmed(keycloak, Dict(), clock)
        clock.advance(TTL - 0.5)
        assert (await answers.introspect(TOKEN)).fresh_for == pytest.approx(0.5)
        clock.advance(0.5)
        assert (await answers.introspect(TOKEN)).fresh_for == TTL
        assert len(keycloak.asked) == 2

    async def test_a_hit_makes_it_last_no_longer(self, clock):
        keycloak = Keycloak()
        answers = await warmed(keycloak, Dict(), clock)
        for _ in range(6):
            await answers.introspect(TOKEN)
            clock.advance(TTL / 6)
        assert len(keycloak.asked) == 1
        await answers.introspect(TOKEN)
        assert len(keycloak.asked) == 2

    async def test_never_past_the_tokens_exp(self, clock):
        keycloak, store = Keycloak(exp=NOW + 12), Dict()
        answers = await warmed(keycloak, store, clock)
        assert store.ttls[store.key] == 12.0
        clock.advance(11.5)
        assert (await answers.introspect(TOKEN)).fresh_for == pytest.approx(0.5)
        assert len(keycloak.asked) == 1
        clock.advance(0.5)
        await answers.introspect(TOKEN)
        assert len(keycloak.asked) == 2

    @pytest.mark.parametrize("exp", [NOW, NOW - 20, NOW + 0.0005])
    async def test_what_is_over_by_our_clock_is_not_remembered(self, clock, exp):
        keycloak, store = Keycloak(exp=exp), Dict()
        answers = await warmed(keycloak, store, clock)
        assert store.entries == {}
        assert (await answers.introspect(TOKEN)).fresh_for <= 0.001
        assert len(keycloak.asked) == 2

    @pytest.mark.parametrize("exp", [None, "soon", True, [NOW]])
    async def test_an_exp_of_another_type_ends_nothing_sooner(self, clock, exp):
        store = Dict()
        await warmed(Keycloak(exp=exp), store, clock)
        assert store.ttls[store.key] == TTL

    async def test_the_store_may_keep_it_for_longer(self, clock):
        """The end is under the seal: who replays an old entry brings nothing back."""
        keycloak, store = Keycloak(), Dict()
        answers = await warmed(keycloak, store, clock)
        old = dict(store.entries)
        clock.advance(TTL)
        keycloak.claims["roles"] = []
        await answers.introspect(TOKEN)
        await answers.stop()
        store.entries.update(old)
        assert (await answers.introspect(TOKEN)).answer["roles"] == []
        assert len(keycloak.asked) == 3
        assert answers.store_failures == 0

    @pytest.mark.parametrize("hours", [1, -1], ids=["forwards", "backwards"])
    async def test_a_jump_of_the_wall_clock_makes_it_last_no_longer(self, clock, hours):
        keycloak = Keycloak()
        answers = await warmed(keycloak, Dict(), clock)
        clock.jump(hours * 3600)
        await answers.introspect(TOKEN)
        assert len(keycloak.asked) == 2


GARBAGE = {
    "empty": lambda _: b"",
    "the seal alone": lambda sealed: sealed[:32],
    "a byte too few": lambda sealed: sealed[:-1],
    "a byte too many": lambda sealed: sealed + b" ",
    "without a seal": lambda sealed: sealed[32:],
    "zeros for a seal": lambda sealed: bytes(32) + sealed[32:],
    "text": lambda sealed: sealed.decode("latin-1"),
    "a number": lambda _: 42,
    "true": lambda _: True,
    "a list": lambda sealed: [sealed],
    "an object": lambda _: {"active": True},
    "an answer of Keycloak's": lambda _: b'{"active":true}',
    "a megabyte": lambda _: bytes(1024 * 1024 + 1),
}


class TestBelieving:
    @pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
    async def test_garbage_is_a_miss(self, garbage):
        keycloak, store = Keycloak(), Dict()
        answers = await warmed(keycloak, store)
        store.entries[store.key] = garbage(store.entries[store.key])
        assert (await answers.introspect(TOKEN)).answer["about"] == TOKEN
        assert len(keycloak.asked) == 2
        assert answers.store_failures == 1

    async def test_what_is_too_long_is_not_even_compared(self):
        """Though it is under the right seal."""
        keycloak, store = Keycloak(padding="x" * 1024 * 1024), Dict()
        answers = await warmed(keycloak, store)
        await answers.introspect(TOKEN)
        assert len(keycloak.asked) == 2
        assert answers.store_failures == 1

    @given(st.data())
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    async def test_no_flipped_bit_is_believed(self, data):
        keycloak, store = Keycloak(), Dict()
        answers = await warmed(keycloak, store)
        sealed = bytearray(store.entries[store.key])
        position = data.draw(st.integers(0, len(sealed) * 8 - 1))
        sealed[position // 8] ^= 1 << position % 8
        store.entries[store.key] = bytes(sealed)
        await answers.introspect(TOKEN)
        assert len(keycloak.asked) == 2

    @given(st.binary(max_size=200))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    async def test_no_made_up_entry_is_believed(self, entry):
        keycloak, store = Keycloak(), Dict()
        answers = await warmed(keycloak, store)
        store.entries[store.key] = entry
        await answers.introspect(TOKEN)
        assert len(keycloak.asked) == 2

    async def test_the_answer_for_another_token_is_not(self):
        keycloak, store = Keycloak(), Dict()
        answers = await warmed(keycloak, store)
        mine = store.key
        await answers.introspect(OTHER_TOKEN)
        await answers.stop()
        (other,) = set(store.entries) - {mine}
        store.entries[mine] = store.entries[other]
        assert (await answers.introspect(TOKEN)).answer["about"] == TOKEN
        assert keycloak.asked == [TOKEN, OTHER_TOKEN, TOKEN]

    async def test_replicas_believe_each_other(self):
        keycloak, store = Keycloak(), Dict()
        await warmed(Keycloak(), store)
        assert (await remembering(keycloak, store).introspect(TOKEN)).answer["about"] == TOKEN
        assert keycloak.asked == []

    async def test_one_with_another_secret_does_not(self):
        keycloak, store = Keycloak(), Dict()
        await warmed(Keycloak(), store)
        stranger = remembering(keycloak, store, secret="another")
        await stranger.introspect(TOKEN)
        await stranger.stop()
        assert keycloak.asked == [TOKEN]
        assert len(store.entries) == 2  # not even under the same key

    async def test_a_shorter_ttl_than_the_writers_is_kept(self, clock):
        keycloak, store = Keycloak(), Dict()
        await warmed(Keycloak(), store, clock)
        strict = remembering(keycloak, store, clock, ttl=5.0)
        assert (await strict.introspect(TOKEN)).fresh_for == 5.0
        assert keycloak.asked == [TOKEN]


class TestHowMuch:
    async def test_the_oldest_leaves_first(self):
        store, keycloak = BoundedMemoryCache(2), Keycloak()
        answers = remembering(keycloak, store)
        for token in ("a", "b", "c", "c", "b"):
            await answers.introspect(token)
            await answers.stop()
        assert keycloak.asked == ["a", "b", "c"]
        await answers.introspect("a")
        assert keycloak.asked == ["a", "b", "c", "a"]

    async def test_ten_thousand_tokens_keep_the_bound(self):
        store = BoundedMemoryCache(100)
        answers = remembering(Keycloak(), store)
        for number in range(10_000):
            await answers.introspect(f"token-{number}")
        await answers.stop()
        assert len(store._cache) == len(store._handlers) == 100  # noqa: SLF001 - its memory

    async def test_writing_anew_moves_nobody_out(self):
        store = BoundedMemoryCache(2)
        for key in ("a", "b", "b", "a"):
            await store.set(key, b"x", ttl=TTL)
        assert [await store.get(key) for key in ("a", "b")] == [b"x", b"x"]

    async def test_it_forgets_by_itself(self):
        store = BoundedMemoryCache(2)
        await store.set("a", b"x", ttl=0.02)
        async with asyncio.timeout(LONG):
            while await store.get("a") is not None:  # noqa: ASYNC110 - aiocache has no event
                await asyncio.sleep(0.005)
        assert store._cache == store._handlers == {}  # noqa: SLF001 - its memory


class TestSingleFlight:
    async def test_fifty_at_once_ask_once(self):
        keycloak = Keycloak()
        keycloak.proceed.clear()
        answers = remembering(keycloak)
        waiting = [asyncio.create_task(answers.introspect(TOKEN)) for _ in range(50)]
        await _until(lambda: keycloak.asked)
        keycloak.proceed.set()
        told = await asyncio.gather(*waiting)
        assert {it.answer["about"] for it in told} == {TOKEN}
        assert keycloak.asked == [TOKEN]

    async def test_fifty_at_once_fail_together(self):
        keycloak = Keycloak()
        keycloak.proceed.clear()
        keycloak.failure = Denied(Code.INTROSPECTION_UNAVAILABLE)
        answers = remembering(keycloak)
        waiting = [asyncio.create_task(answers.introspect(TOKEN)) for _ in range(50)]
        await _until(lambda: keycloak.asked)
        keycloak.proceed.set()
        failures = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(it) for it in failures} == {Denied}
        assert keycloak.asked == [TOKEN]

    async def test_fifty_tokens_do_not_wait_for_each_other(self):
        keycloak = Keycloak()
        answers = remembering(keycloak)
        told = await asyncio.gather(*(answers.introspect(f"t{number}") for number in range(50)))
        assert [it.answer["about"] for it in told] == [f"t{number}" for number in range(50)]

    @pytest.mark.parametrize("leaver", [0, 1], ids=["the first", "a later one"])
    async def test_one_who_leaves_cancels_nobody(self, leaver):
        keycloak = Keycloak()
        keycloak.proceed.clear()
        answers = remembering(keycloak)
        waiting = [asyncio.create_task(answers.introspect(TOKEN)) for _ in range(3)]
        await _until(lambda: keycloak.asked)
        waiting[leaver].cancel()
        await asyncio.sleep(0)
        keycloak.proceed.set()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert [isinstance(it, asyncio.CancelledError) for it in results] == [
            number == leaver for number in range(3)
        ]
        assert keycloak.asked == [TOKEN]

    async def test_all_leaving_still_brings_the_answer(self):
        keycloak, store = Keycloak(), Dict()
        keycloak.proceed.clear()
        answers = remembering(keycloak, store)
        waiting = asyncio.create_task(answers.introspect(TOKEN))
        await _until(lambda: keycloak.asked)
        waiting.cancel()
        keycloak.proceed.set()
        await _until(lambda: store.entries)
        assert (await answers.introspect(TOKEN)).answer["about"] == TOKEN
        assert keycloak.asked == [TOKEN]

    async def test_stopping_waits_for_no_keycloak(self):
        keycloak = Keycloak()
        keycloak.proceed.clear()
        answers = remembering(keycloak)
        waiting = asyncio.create_task(answers.introspect(TOKEN))
        await _until(lambda: keycloak.asked)
        async with asyncio.timeout(LONG):
            await answers.stop()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def _until(holds):
    async with asyncio.timeout(LONG):
        while not holds():  # noqa: ASYNC110 - what it waits for has no event
            await asyncio.sleep(0.001)


async def _slow():
    await asyncio.sleep(5)


async def _raise():
    raise LookupError("of a kind that nobody thought of")


async def _refuse():
    raise ConnectionRefusedError


async def _time_out():
    raise TimeoutError


FAULTS = {"slow": _slow, "raising": _raise, "down": _refuse, "timing out by itself": _time_out}


class TestFaultyStores:
    @pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
    async def test_a_faulty_store_is_a_miss_and_costs_little(self, fault):
        keycloak = Keycloak()
        answers = remembering(keycloak, Faulty(fault))
        now = asyncio.get_running_loop().time
        for _ in range(2):
            started = now()
            assert (await answers.introspect(TOKEN)).answer["about"] == TOKEN
            assert now() - started < 0.05 + 0.2  # the machine may be busy
        assert len(keycloak.asked) == 2
        assert answers.store_failures >= 2
        await answers.stop()
        assert answers.store_failures == 4

    async def test_what_is_not_allowed_stays_so(self):
        keycloak = Keycloak()
        keycloak.failure = Denied(Code.INTROSPECTION_UNAVAILABLE)
        answers = remembering(keycloak, Faulty(_raise))
        with pytest.raises(Denied):
            await answers.introspect(TOKEN)

    async def test_leaving_while_the_store_is_slow_is_leaving(self):
        keycloak = Keycloak()
        answers = remembering(keycloak, Faulty(_slow))
        waiting = asyncio.create_task(answers.introspect(TOKEN))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert (keycloak.asked, answers.store_failures) == ([], 0)


class Counting(Dict):
    """A store that fails as long as it is told to, and counts who tries it."""

    def __init__(self):
        super().__init__()
        self.tried = 0
        self.failing = True

    async def get(self, key):
        self.tried += 1
        if self.failing:
            raise ConnectionRefusedError
        return await super().get(key)

    async def set(self, key, value, *, ttl):
        await self.get(key)
        await super().set(key, value, ttl=ttl)


class TestAStoreThatIsDown:
    @pytest.fixture
    def store(self):
        return Counting()

    @pytest.fixture
    async def answers(self, store, clock):
        """Give answers whose store has failed often enough to be left alone."""
        answers = remembering(store=store, clock=clock)
        for _ in range(5):
            await answers.introspect(TOKEN)
        await answers.stop()
        return answers

    async def test_it_is_left_alone(self, answers, store):
        tried = store.tried
        for number in range(100):
            await answers.introspect(f"token-{number}")
        await answers.stop()
        assert store.tried == tried == answers.store_failures

    async def test_one_request_in_each_second_tries_for_all(self, answers, store, clock):
        for _ in range(3):
            tried = store.tried
            clock.advance(1.0)
            await asyncio.gather(*(answers.introspect(f"token-{number}") for number in range(100)))
            await answers.stop()
            assert store.tried == tried + 1

    async def test_once_it_is_back_it_is_used_again(self, answers, store, clock):
        store.failing = False
        clock.advance(1.0)
        await answers.introspect(TOKEN)
        await answers.stop()
        assert len(store.entries) == 1
        tried = store.tried
        for _ in range(3):
            assert (await answers.introspect(TOKEN)).answer["about"] == TOKEN
        assert store.tried == tried + 3

    async def test_garbage_in_it_is_no_reason(self, clock):
        keycloak, store = Keycloak(), Dict()
        answers = await warmed(keycloak, store, clock)
        sealed = store.entries[store.key]
        for _ in range(10):
            store.entries[store.key] = b"garbage"
            await answers.introspect(TOKEN)
            await answers.stop()
        assert store.entries[store.key] == sealed
        await answers.introspect(TOKEN)
        assert len(keycloak.asked) == 11
