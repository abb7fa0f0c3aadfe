"""Looking keys up: what is served while Keycloak is well or not, and how often it is asked.

Time stands still unless a test moves it; every count is exact.
"""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from hasura_kc_auth.core.errors import Code, Denied
from hasura_kc_auth.core.keys import VerificationKey
from hasura_kc_auth.devtools.issuer import DevIssuer, Fault
from hasura_kc_auth.keycloak.fetch import FetchResult
from hasura_kc_auth.keycloak.jwks import KeySource, RealmKeys
from tests.conftest import LONG, FakeClock
from tests.keycloak.publishing import RS256, fetching, hang, ok, reset
from tests.made_tokens import KEY, OTHER_KEY, jwks, made_key

ONE_FETCH = Counter(discovery=1, certs=1)
TWO_FETCHES = Counter(discovery=2, certs=2)
COOLDOWN = 10.0
# For what ends only by the timeout.
SOON = 0.1


def kid_of(issuer: DevIssuer) -> str:
    """Return the id of the key that the issuer signs with."""
    kid: str = issuer.keys.public()["keys"][-1]["kid"]
    return kid


class TestAColdStart:
    async def test_the_first_look_up_waits_for_the_first_fetch(self, issuer, start_fetching):
        fetching = await start_fetching(issuer.issuer)
        key = await fetching.keys.find(kid_of(issuer))
        assert key.kid == kid_of(issuer)
        assert fetching.reports == [(issuer.issuer, FetchResult.OK, "")]
        assert (fetching.keys.usable, fetching.keys.age) == (True, 0.0)
        assert issuer.fetches == ONE_FETCH

    async def test_keys_are_fetched_before_anybody_asks(self, issuer, start_fetching):
        fetching = await start_fetching(issuer.issuer)
        await fetching.until_reported(1)
        await fetching.keys.find(kid_of(issuer))
        assert issuer.fetches == ONE_FETCH

    async def test_a_configured_address_needs_no_discovery(self, issuer, start_fetching):
        fetching = await start_fetching(
            "https://sso.example.com/realms/acme",
            jwks_uri=f"{issuer.issuer}/protocol/openid-connect/certs",
        )
        await fetching.keys.find(kid_of(issuer))
        assert issuer.fetches == Counter(certs=1)

    async def test_fifty_at_once_make_one_fetch(self, issuer, start_fetching):
        fetching = await start_fetching(issuer.issuer)
        keys = await asyncio.gather(*(fetching.keys.find(kid_of(issuer)) for _ in range(50)))
        assert {key.kid for key in keys} == {kid_of(issuer)}
        assert issuer.fetches == ONE_FETCH
        assert fetching.keys.unknown_kids == 0

    async def test_with_the_issuer_down_nobody_gets_in_until_it_is_up(
        self, issuer, start_fetching, clock
    ):
        await issuer.stop()
        fetching = await start_fetching(issuer.issuer)
        codes = await asyncio.gather(*(fetching.code_for(kid_of(issuer)) for _ in range(50)))
        assert set(codes) == {Code.KEYS_UNAVAILABLE}
        assert (fetching.keys.usable, fetching.keys.age) == (False, None)
        assert fetching.results == [FetchResult.CONNECT]

        await issuer.start()
        clock.advance(COOLDOWN - 0.1)
        assert await fetching.code_for(kid_of(issuer)) is Code.KEYS_UNAVAILABLE
        assert issuer.fetches == Counter()

        clock.advance(0.1)
        assert (await fetching.keys.find(kid_of(issuer))).kid == kid_of(issuer)
        assert fetching.results == [FetchResult.CONNECT, FetchResult.OK]
        assert issuer.fetches == ONE_FETCH

    async def test_a_host_without_an_address_is_keys_unavailable(self, start_fetching):
        fetching = await start_fetching("http://idp.invalid/realms/acme")
        with pytest.raises(Denied) as caught:
            await fetching.keys.find(KEY.kid)
        assert caught.value.code is Code.KEYS_UNAVAILABLE
        assert caught.value.detail == "no connection to the address"
        assert caught.value.issuer == "http://idp.invalid/realms/acme"

    @pytest.mark.parametrize(
        ("changes", "detail"),
        [
            pytest.param(
                {"issuer": "http://127.0.0.1/realms/made"},
                "the discovery document names another issuer",
                id="another issuer",
            ),
            pytest.param(
                {"jwks_uri": "http://127.0.0.2/certs"},
                "discovery has no jwks_uri at the issuer's origin",
                id="keys at another origin",
            ),
            pytest.param(
                {"jwks_uri": None},
                "discovery has no jwks_uri at the issuer's origin",
                id="no jwks_uri",
            ),
        ],
    )
    async def test_a_lying_discovery_is_not_used(self, publisher, start_fetching, changes, detail):
        document = {"issuer": publisher.issuer, "jwks_uri": publisher.certs} | changes
        address = "/realms/made/.well-known/openid-configuration"
        publisher.replies[address] = ok(document)
        fetching = await start_fetching(publisher.issuer)
        assert await fetching.code_for(KEY.kid) is Code.KEYS_UNAVAILABLE
        assert fetching.reports == [(publisher.issuer, FetchResult.INVALID, detail)]
        assert publisher.asked == {address: 1}
        assert fetching.keys.last_failure == detail

    async def test_the_timeout_is_for_discovery_and_keys_together(self, publisher, start_fetching):
        async def late(_reader, writer):
            await asyncio.sleep(0.3)
            writer.write(ok({"issuer": publisher.issuer, "jwks_uri": publisher.certs}))

        publisher.replies["/realms/made/.well-known/openid-configuration"] = late
        publisher.replies["/certs"] = hang
        fetching = await start_fetching(publisher.issuer, timeout=0.5)
        assert await fetching.code_for(KEY.kid) is Code.KEYS_UNAVAILABLE
        assert fetching.results == [FetchResult.TIMEOUT]
        assert fetching.keys.last_failure == "no answer within keys.timeout"


@pytest.mark.parametrize(
    ("fault", "result"),
    [
        (Fault.DOWN, FetchResult.CONNECT),
        (Fault.SLOW, FetchResult.TIMEOUT),
        (Fault.HANGING, FetchResult.TIMEOUT),
        (Fault.ERROR, FetchResult.STATUS),
        (Fault.GARBAGE, FetchResult.INVALID),
        (Fault.REDIRECT, FetchResult.STATUS),
        (Fault.EMPTY, FetchResult.INVALID),
    ],
)
class TestAnIllIssuer:
    async def test_known_keys_are_served_and_the_old_ones_kept(
        self, issuer, start_fetching, clock, fault, result
    ):
        fetching = await start_fetching(issuer.issuer, timeout=SOON)
        old = await fetching.keys.find(kid_of(issuer))
        issuer.fault = fault
        clock.advance(COOLDOWN)
        assert await fetching.code_for("unknown") is Code.UNKNOWN_KEY
        assert await fetching.keys.find(kid_of(issuer)) is old
        assert fetching.results == [FetchResult.OK, result]
        assert (fetching.keys.usable, fetching.keys.age) == (True, COOLDOWN)
        assert issuer.fetches["canary"] == 0

    async def test_known_keys_do_not_wait_for_a_fetch(
        self, issuer, start_fetching, clock, fault, result
    ):
        fetching = await start_fetching(issuer.issuer, timeout=SOON)
        await fetching.keys.find(kid_of(issuer))
        issuer.fault = fault
        clock.advance(COOLDOWN)
        unknown = asyncio.create_task(fetching.code_for("unknown"))
        await asyncio.sleep(0)
        with pytest.raises(StopIteration):  # it never gives the loop away
            fetching.keys.find(kid_of(issuer)).send(None)
        assert not unknown.done()
        assert await unknown is Code.UNKNOWN_KEY
        assert fetching.results[1:] == [result]

    async def test_an_issuer_ill_from_the_start_is_asked_once_a_cooldown(
        self, issuer, start_fetching, clock, fault, result
    ):
        issuer.fault = fault
        fetching = await start_fetching(issuer.issuer, timeout=SOON)
        for _ in range(3):
            codes = await asyncio.gather(*(fetching.code_for(kid_of(issuer)) for _ in range(20)))
            assert set(codes) == {Code.KEYS_UNAVAILABLE}
            assert await fetching.code_for(kid_of(issuer)) is Code.KEYS_UNAVAILABLE
            clock.advance(COOLDOWN)
        assert fetching.results == [result] * 3

    async def test_keys_come_back_with_the_issuer(
        self, issuer, start_fetching, clock, fault, result
    ):
        issuer.fault = fault
        fetching = await start_fetching(issuer.issuer, timeout=SOON)
        assert await fetching.code_for(kid_of(issuer)) is Code.KEYS_UNAVAILABLE
        assert fetching.keys.last_failure == fetching.reports[0][2]
        issuer.fault = Fault.NONE
        clock.advance(COOLDOWN)
        assert (await fetching.keys.find(kid_of(issuer))).kid == kid_of(issuer)
        assert fetching.results == [result, FetchResult.OK]
        assert fetching.keys.last_failure is None


class TestMaxStale:
    @pytest.fixture
    async def aged(self, issuer, start_fetching):
        fetching = await start_fetching(issuer.issuer, max_stale=3600.0)
        await fetching.keys.find(kid_of(issuer))
        return fetching

    async def test_old_keys_are_good_until_then(self, aged, issuer, clock):
        await issuer.stop()
        clock.advance(3599.9)
        assert (await aged.keys.find(kid_of(issuer))).kid == kid_of(issuer)
        assert aged.results == [FetchResult.OK]

    async def test_and_nobody_gets_in_beyond(self, aged, issuer, clock):
        await issuer.stop()
        clock.advance(3600.0)
        assert not aged.keys.usable
        assert await aged.code_for(kid_of(issuer)) is Code.KEYS_UNAVAILABLE
        assert aged.results == [FetchResult.OK, FetchResult.CONNECT]
        assert aged.keys.age == 3600.0

    async def test_a_fetch_makes_them_young_again(self, aged, issuer, clock):
        clock.advance(3600.0)
        assert (await aged.keys.find(kid_of(issuer))).kid == kid_of(issuer)
        assert (aged.keys.usable, aged.keys.age) == (True, 0.0)

    async def test_the_wall_clock_has_no_say(self, aged, issuer, clock):
        clock.jump(86_400)
        assert (await aged.keys.find(kid_of(issuer))).kid == kid_of(issuer)
        assert aged.keys.age == 0.0
        assert issuer.fetches == ONE_FETCH


class TestAnUnknownKey:
    async def test_within_the_cooldown_of_the_last_fetch_it_costs_nothing(
        self, issuer, start_fetching, clock
    ):
        fetching = await start_fetching(issuer.issuer)
        await fetching.until_reported(1)
        clock.advance(COOLDOWN - 0.1)
        codes = [await fetching.code_for(f"unknown-{number}") for number in range(20)]
        assert set(codes) == {Code.UNKNOWN_KEY}
        assert issuer.fetches == ONE_FETCH
        assert fetching.keys.unknown_kids == 20

    async def test_after_it_costs_one_fetch_whoever_and_however_many_ask(
        self, issuer, start_fetching, clock
    ):
        fetching = await start_fetching(issuer.issuer)
        await fetching.until_reported(1)
        clock.advance(COOLDOWN)
        codes = await asyncio.gather(*(fetching.code_for(f"unknown-{n}") for n in range(50)))
        assert set(codes) == {Code.UNKNOWN_KEY}
        assert issuer.fetches == TWO_FETCHES
        clock.advance(COOLDOWN - 0.1)
        assert await fetching.code_for("unknown") is Code.UNKNOWN_KEY
        assert issuer.fetches == TWO_FETCHES

    @pytest.mark.parametrize("fault", [Fault.DOWN, Fault.ERROR, Fault.HANGING])
    async def test_a_flood_does_not_hammer_a_failing_issuer(
        self, issuer, start_fetching, clock, fault
    ):
        fetching = await start_fetching(issuer.issuer, timeout=SOON)
        await fetching.until_reported(1)
        issuer.fault = fault
        for attempt in range(1, 4):
            clock.advance(COOLDOWN)
            for _ in range(3):
                await asyncio.gather(*(fetching.code_for(f"unknown-{n}") for n in range(16)))
            assert len(fetching.results) == 1 + attempt
        assert fetching.keys.unknown_kids == 3 * 3 * 16

    async def test_the_cooldown_is_counted_from_the_attempt(self, publisher, start_fetching, clock):
        async def take_four_seconds(_reader, writer):
            clock.advance(4.0)
            writer.write(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")

        publisher.replies["/certs"] = take_four_seconds
        fetching = await start_fetching(publisher.issuer)
        assert await fetching.code_for(KEY.kid) is Code.KEYS_UNAVAILABLE
        clock.advance(COOLDOWN - 4.0 - 0.1)
        assert await fetching.code_for(KEY.kid) is Code.KEYS_UNAVAILABLE
        assert publisher.asked["/certs"] == 1
        clock.advance(0.1)
        assert await fetching.code_for(KEY.kid) is Code.KEYS_UNAVAILABLE
        assert publisher.asked["/certs"] == 2

    async def test_the_cooldown_has_up_to_a_tenth_of_jitter(self, issuer, start_fetching, clock):
        fetching = await start_fetching(issuer.issuer, random=lambda: 1.0)
        await fetching.until_reported(1)
        clock.advance(10.9)
        await fetching.code_for("unknown")
        assert issuer.fetches == ONE_FETCH
        clock.advance(0.2)
        await fetching.code_for("unknown")
        assert issuer.fetches == TWO_FETCHES

    async def test_it_joins_a_fetch_in_flight(self, issuer, start_fetching, clock):
        fetching = await start_fetching(issuer.issuer)
        await fetching.until_reported(1)
        clock.advance(COOLDOWN)
        first = asyncio.create_task(fetching.code_for("unknown"))
        await asyncio.sleep(0)
        issuer.keys.rotate(keep_old=True)
        second = asyncio.create_task(fetching.keys.find(kid_of(issuer)))
        assert await first is Code.UNKNOWN_KEY
        assert (await second).kid == kid_of(issuer)
        assert issuer.fetches == TWO_FETCHES


class TestACallerWhoLeaves:
    async def test_does_not_cancel_the_fetch_that_others_wait_for(self, issuer, start_fetching):
        issuer.fault = Fault.HANGING
        fetching = await start_fetching(issuer.issuer)
        waiting = [asyncio.create_task(fetching.keys.find(kid_of(issuer))) for _ in range(50)]
        async with asyncio.timeout(LONG):
            while not issuer.fetches:  # noqa: ASYNC110 - the issuer has only its counter
                await asyncio.sleep(0.001)
        waiting[0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting[0]
        issuer.fault = Fault.NONE
        issuer._hang.set()  # noqa: SLF001 - the issuer gets well in the middle of an answer
        keys = await asyncio.gather(*waiting[1:])
        assert {key.kid for key in keys} == {kid_of(issuer)}
        assert issuer.fetches == ONE_FETCH

    async def test_does_not_stop_the_fetch_when_nobody_is_left(self, issuer, start_fetching, clock):
        fetching = await start_fetching(issuer.issuer)
        await fetching.until_reported(1)
        clock.advance(COOLDOWN)
        alone = asyncio.create_task(fetching.code_for("unknown"))
        await asyncio.sleep(0)
        alone.cancel()
        await fetching.until_reported(2)
        assert issuer.fetches == TWO_FETCHES


class TestARotation:
    @pytest.mark.parametrize("keep_old", [True, False], ids=["old key kept", "old key dropped"])
    async def test_the_new_key_is_found_at_first_sight(
        self, issuer, start_fetching, clock, keep_old
    ):
        fetching = await start_fetching(issuer.issuer)
        old = kid_of(issuer)
        await fetching.keys.find(old)
        issuer.keys.rotate(keep_old=keep_old)
        clock.advance(COOLDOWN)
        assert (await fetching.keys.find(old)).kid == old  # not looked at anew, so still known
        assert (await fetching.keys.find(kid_of(issuer))).kid == kid_of(issuer)
        assert issuer.fetches == TWO_FETCHES
        found = await fetching.outcome_for(old)
        assert isinstance(found, VerificationKey) is keep_old
        assert keep_old or found is Code.UNKNOWN_KEY

    async def test_within_the_cooldown_the_new_key_waits(self, issuer, start_fetching, clock):
        fetching = await start_fetching(issuer.issuer)
        await fetching.keys.find(kid_of(issuer))
        issuer.keys.rotate(keep_old=True)
        assert await fetching.code_for(kid_of(issuer)) is Code.UNKNOWN_KEY
        clock.advance(COOLDOWN)
        assert (await fetching.keys.find(kid_of(issuer))).kid == kid_of(issuer)


WEAK = {**KEY.jwk(kid="weak"), "n": KEY.jwk()["n"][:171]}
BAD_KEYS = [
    *(None, 1, "key", [], {}),
    KEY.jwk(kid="no-modulus", n=""),
    KEY.jwk(kid="odd-modulus", n="!"),
    KEY.jwk(kid="number", n=5),
    KEY.jwk(kid="bad-exponent", e="AA"),
    KEY.jwk(kid=None),
    KEY.jwk(kid=["list"]),
    KEY.jwk(kid="enc", use="enc"),
    KEY.jwk(kid="list-kty", kty=["RSA"]),
    KEY.jwk(kid="unknown-kty", kty="AKP"),
    {"kid": "curve", "kty": "EC", "crv": "P-999", "x": "AA", "y": "AA"},
    {"kid": "point", "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
    {"kid": "shared", "kty": "oct", "k": "c2VjcmV0", "alg": "HS256"},
    made_key("ES256").jwk(),
    WEAK,
]


class TestOddKeySets:
    async def test_bad_keys_among_good_ones_do_no_harm(self, publisher, start_fetching):
        publisher.publish(jwks(*BAD_KEYS, KEY.jwk(), *BAD_KEYS, OTHER_KEY.jwk()))
        fetching = await start_fetching(publisher.issuer)
        assert (await fetching.keys.find(KEY.kid)).kid == KEY.kid
        assert (await fetching.keys.find(OTHER_KEY.kid)).kid == OTHER_KEY.kid
        for kid in ("weak", "enc", "shared", "curve", "point", made_key("ES256").kid):
            assert await fetching.code_for(kid) is Code.UNKNOWN_KEY

    @pytest.mark.parametrize(
        ("reply", "result"),
        [
            pytest.param(ok(jwks()), FetchResult.INVALID, id="empty"),
            pytest.param(ok({}), FetchResult.INVALID, id="no list"),
            pytest.param(ok({"keys": {}}), FetchResult.INVALID, id="an object for the list"),
            pytest.param(ok(jwks(WEAK)), FetchResult.INVALID, id="a weak key only"),
            pytest.param(
                ok(jwks(OTHER_KEY.jwk(), OTHER_KEY.jwk())), FetchResult.INVALID, id="one kid twice"
            ),
            pytest.param(ok(jwks(OTHER_KEY.jwk()))[:-9], FetchResult.INVALID, id="cut off"),
            pytest.param(ok(b'{"keys":[]}'.ljust(11 * 1024**2)), FetchResult.INVALID, id="11 MB"),
            pytest.param(reset, FetchResult.CONNECT, id="reset"),
            pytest.param(hang, FetchResult.TIMEOUT, id="hanging"),
        ],
    )
    async def test_an_unusable_set_does_not_replace_a_good_one(
        self, publisher, start_fetching, clock, reply, result
    ):
        fetching = await start_fetching(publisher.issuer, timeout=1.0)
        await fetching.keys.find(KEY.kid)
        publisher.replies["/certs"] = reply
        clock.advance(COOLDOWN)
        assert await fetching.code_for(OTHER_KEY.kid) is Code.UNKNOWN_KEY
        assert (await fetching.keys.find(KEY.kid)).kid == KEY.kid
        assert fetching.results == [FetchResult.OK, result]

    async def test_a_good_set_without_our_key_does(self, publisher, start_fetching, clock):
        fetching = await start_fetching(publisher.issuer)
        await fetching.keys.find(KEY.kid)
        publisher.publish(jwks(OTHER_KEY.jwk()))
        clock.advance(COOLDOWN)
        await fetching.keys.find(OTHER_KEY.kid)
        assert await fetching.code_for(KEY.kid) is Code.UNKNOWN_KEY

    async def test_a_key_that_changed_under_its_id_is_taken(self, publisher, start_fetching, clock):
        fetching = await start_fetching(publisher.issuer)
        before = await fetching.keys.find(KEY.kid)
        publisher.publish(jwks(OTHER_KEY.jwk(kid=KEY.kid)))
        clock.advance(COOLDOWN)
        await fetching.code_for("unknown")
        after = await fetching.keys.find(KEY.kid)
        signature = OTHER_KEY.signature(b"text")
        assert [key.verifiers["RS256"](b"text", signature) for key in (before, after)] == [
            False,
            True,
        ]


class TestSeveralIssuers:
    async def test_each_has_its_own_keys(self, publisher, issuer, clock):
        publisher.publish(jwks(KEY.jwk()))
        keys = RealmKeys(
            {
                name: fetching(clock, KeySource(name, RS256)).keys
                for name in (publisher.issuer, issuer.issuer)
            }
        )
        await keys.start()
        try:
            assert (await keys.find(publisher.issuer, KEY.kid)).kid == KEY.kid
            assert (await keys.find(issuer.issuer, kid_of(issuer))).kid == kid_of(issuer)
            assert keys.find(issuer.issuer, kid_of(issuer)).kid == kid_of(issuer)  # at once by now
            for name, kid in ((issuer.issuer, KEY.kid), (publisher.issuer, kid_of(issuer))):
                with pytest.raises(Denied) as caught:
                    await keys.find(name, kid)
                assert (caught.value.code, caught.value.issuer) == (Code.UNKNOWN_KEY, name)
        finally:
            await keys.stop()


async def test_keys_that_never_began_can_be_stopped():
    await fetching(FakeClock(), KeySource("http://127.0.0.1:1", RS256)).keys.stop()
