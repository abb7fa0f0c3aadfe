"""Lightweight tokens through the whole service, with a Keycloak-shaped issuer to be asked."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from hasura_kc_auth.core.request import Request
from hasura_kc_auth.core.token import VerifiedClaims, parse
from hasura_kc_auth.devtools.issuer import Fault
from hasura_kc_auth.devtools.tokens import TokenMaker, lightweight_claims
from hasura_kc_auth.wiring import ListenFailed, Service
from tests.conftest import Output, settings_for
from tests.introspecting import TTL, bearer, introspecting, lightweight
from tests.keycloak.publishing import publishing


@pytest.fixture
def start_asking(issuer, start_service):
    """Give what starts a service that asks the issuer about lightweight tokens."""

    async def start(how=None, **changes):
        return await start_service(**introspecting(issuer, **(how or {})), **changes)

    return start


@pytest.fixture
async def service(start_asking):
    return await start_asking()


def _asked(issuer):
    return issuer.fetches["introspect"]


class TestAnswers:
    @pytest.mark.parametrize("scope", ["openid acme", "openid globex"])
    async def test_a_lightweight_token_is_answered_as_a_full_one(self, issuer, service, scope):
        full = await service.ask(bearer(issuer.login("alice", scope).access))
        assert _asked(issuer) == 0
        light = await service.ask(lightweight(issuer, "alice", scope))
        # Hasura is told no longer a time than Keycloak's answer is believed for.
        assert (light.status, light.json) == (200, {**full.json, "Cache-Control": "max-age=30"})
        assert light.json["X-Hasura-Org-Id"] == scope.split()[1]
        assert _asked(issuer) == 1

    @pytest.mark.parametrize(
        ("login", "wishes", "code"),
        [
            (("carol", "openid acme"), {}, "no_org"),
            (("alice", "openid"), {}, "no_org"),
            (("alice", "openid acme globex"), {}, "ambiguous_org"),
            (("alice", "openid acme"), {"X-Hasura-Org-Id": "globex"}, "org_not_granted"),
            (("alice", "openid acme"), {"X-Hasura-Role": "org_admin"}, "role_not_granted"),
        ],
    )
    async def test_and_refused_as_a_full_one(self, issuer, service, login, wishes, code):
        for headers in (bearer(issuer.login(*login).access), lightweight(issuer, *login)):
            answer = await service.ask(headers | wishes)
            assert (answer.status, answer.code) == (401, code)

    async def test_the_wish_chooses_among_the_answers_orgs(self, issuer, service):
        headers = lightweight(issuer, "alice", "openid acme globex")
        for org, role in (("acme", "editor"), ("globex", "viewer")):
            answer = await service.ask(headers | {"X-Hasura-Org-Id": org})
            assert answer.json["X-Hasura-Role"] == role
        assert _asked(issuer) == 1  # the answer is remembered, not only the decision

    async def test_always_asks_about_full_tokens_as_well(self, issuer, start_asking):
        service = await start_asking({"when": "always"})
        headers = bearer(issuer.login("bob", "openid acme").access)
        assert (await service.ask(headers)).status == 200
        assert _asked(issuer) == 1

    async def test_without_introspection_it_is_a_token_without_a_user(self, issuer, start_service):
        service = await start_service(issuer.issuer)
        assert (await service.ask(lightweight(issuer))).code == "missing_claim"
        assert _asked(issuer) == 0

    async def test_a_url_of_its_own_is_asked(self, issuer, start_asking):
        url = f"{issuer.issuer}/protocol/openid-connect/token/introspect"
        async with publishing() as publisher:
            elsewhere = await start_asking({"url": f"{publisher.origin}/elsewhere"})
            assert (await elsewhere.ask(lightweight(issuer))).code == "introspection_unavailable"
            assert publisher.asked == {"/elsewhere": 1}
        assert (await (await start_asking({"url": url})).ask(lightweight(issuer))).status == 200

    async def test_odd_characters_in_id_and_secret_arrive(self, issuer, start_asking):
        issuer.introspector.clients["hasura:kc/ä+%"] = "p:ä ss+%&="
        how = {"client_id": "hasura:kc/ä+%", "client_secret": "p:ä ss+%&="}
        assert (await (await start_asking(how)).ask(lightweight(issuer))).status == 200

    async def test_the_claims_can_be_had_as_explain_has_them(self, issuer, service):
        authenticator = service.service.authenticator
        token = issuer.login("bob", "openid acme", lightweight=True).access
        policy = authenticator.policy.issuers[issuer.issuer]
        request = Request(token)
        claims = await authenticator.verify(parse(token), policy)
        completed = await authenticator.complete(claims, request, policy)
        assert "sub" not in claims
        assert completed["sub"] == issuer.users["bob"].subject
        assert not {"active", "client_id", "username", "token_type"} & set(completed)
        whole = VerifiedClaims({**completed, "jti": "onrtro:whole"})
        assert await authenticator.complete(whole, request, policy) is whole
        assert _asked(issuer) == 1


class TestInactive:
    async def test_an_id_token_is_no_access_token_though_active(self, issuer, start_asking):
        service = await start_asking({"when": "always"})
        identity = issuer.login("bob", "openid acme").identity
        assert (await service.ask(bearer(identity))).code == "wrong_type"
        assert _asked(issuer) == 0

    async def test_nor_is_an_answer_that_calls_it_one(self, issuer, start_asking):
        """Whatever the token itself says: the answer's own `typ` is judged as well."""
        service = await start_asking()
        headers = lightweight(issuer)
        (told,) = issuer.introspector.told.values()
        told["typ"] = "ID"
        assert (await service.ask(headers)).code == "wrong_type"
        assert _asked(issuer) == 1

    @pytest.mark.parametrize("name", ["iss", "azp", "exp", "iat", "jti"])
    async def test_an_answer_about_another_token_is_none(self, issuer, service, name):
        headers = lightweight(issuer)
        (told,) = issuer.introspector.told.values()
        told[name] = told[name] + 1 if isinstance(told[name], int) else "another"
        assert (await service.ask(headers)).code == "inactive_token"

    async def test_a_user_who_is_gone_is_inactive(self, issuer, service):
        headers = lightweight(issuer)
        del issuer.users["bob"]
        answer = await service.ask(headers)
        assert (answer.status, answer.code) == (401, "inactive_token")

    async def test_a_client_outside_the_audience_is_told_that_all_are(self, issuer, service):
        issuer.introspector.checks_audience = True
        assert (await service.ask(lightweight(issuer))).code == "inactive_token"
        (denial,) = await service.events("denied")
        assert "not in the token's aud" in denial["detail"]

    async def test_one_within_it_is_not(self, issuer, start_asking):
        issuer.introspector.checks_audience = True
        issuer.introspector.clients["hasura"] = "demo"
        service = await start_asking({"client_id": "hasura"})
        assert (await service.ask(lightweight(issuer))).status == 200

    async def test_keycloak_is_not_asked_about_strangers(self, issuer, start_asking, clock):
        service = await start_asking({"when": "always"})
        maker, keys = issuer.maker, issuer.keys
        good = maker.access_claims(issuer.users["bob"], ["acme"], "openid acme") | {
            "sub": "4f1f",
            "sid": "a",
        }
        light = lightweight_claims(good)
        late = TokenMaker(issuer.issuer, keys, issuer.orgs, lambda: clock.wall() - 86_400)
        signed = keys.sign(light)
        tokens = {
            keys.sign(light | {"azp": "another"}): "wrong_client",
            keys.sign(light | {"typ": "ID"}): "wrong_type",
            keys.sign(light | {"typ": "Refresh"}): "wrong_type",
            keys.sign(light | {"typ": 1}): "missing_claim",
            keys.sign(light | {"exp": clock.wall() - 31}): "expired",
            keys.sign(light | {"iat": clock.wall() + 31}): "not_yet_valid",
            keys.sign(light | {"cnf": {"jkt": "x"}}): "sender_constrained",
            keys.sign({"iss": issuer.issuer}): "missing_claim",
            keys.sign(light | {"iss": "https://else.example.com"}): "wrong_issuer",
            f"{signed.rpartition('.')[0]}.{'A' * 342}": "bad_signature",
            signed.replace(".", "!", 1): "malformed_token",
            late.issue(issuer.users["bob"], "openid acme").access: "expired",
            issuer.login("bob").refresh: "unsupported_algorithm",
        }
        for token, code in tokens.items():
            answer = await service.ask(bearer(token))
            assert (answer.status, answer.code) == (401, code)
        assert _asked(issuer) == 0


class TestFreshness:
    async def test_a_removed_role_ends_the_session(self, issuer, service, clock):
        headers = lightweight(issuer)
        assert (await service.ask(headers)).status == 200
        issuer.users["bob"] = replace(issuer.users["bob"], roles={})
        clock.advance(TTL - 0.1)
        assert (await service.ask(headers)).status == 200
        clock.advance(0.1)
        answer = await service.ask(headers)
        assert (answer.status, answer.code) == (401, "no_org")

    async def test_a_changed_role_is_seen(self, issuer, service, clock):
        headers = lightweight(issuer)
        await service.ask(headers)
        issuer.users["bob"] = replace(issuer.users["bob"], roles={"acme": ("editor",)})
        clock.advance(TTL)
        assert (await service.ask(headers)).json["X-Hasura-Role"] == "editor"

    async def test_a_decision_does_not_outlive_the_answer_it_rests_on(self, issuer, service, clock):
        """A wish decided late from a remembered answer ends with that answer, not a ttl later."""
        headers = lightweight(issuer)
        await service.ask(headers)
        issuer.users["bob"] = replace(issuer.users["bob"], roles={})
        clock.advance(TTL - 1)
        wish = headers | {"X-Hasura-Role": "viewer"}
        assert (await service.ask(wish)).status == 200
        assert _asked(issuer) == 1
        clock.advance(1)
        assert (await service.ask(wish)).code == "no_org"

    async def test_a_decision_is_remembered_as_long_as_the_answer(self, issuer, service, clock):
        headers = lightweight(issuer)
        for _ in range(3):
            await service.ask(headers)
            clock.advance(TTL / 3 - 0.01)
        assert service.service.decisions.hits == 2
        clock.advance(1)
        await service.ask(headers)
        assert _asked(issuer) == 2

    async def test_a_full_token_is_remembered_as_ever(self, issuer, service, clock):
        headers = bearer(issuer.login("bob", "openid acme").access)
        await service.ask(headers)
        clock.advance(59)
        await service.ask(headers)
        assert service.service.decisions.hits == 1

    async def test_inactive_is_remembered_for_its_time_only(self, issuer, service, clock):
        headers = lightweight(issuer)
        bob = issuer.users.pop("bob")
        for _ in range(3):
            assert (await service.ask(headers)).code == "inactive_token"
        assert _asked(issuer) == 1
        issuer.users["bob"] = bob
        clock.advance(TTL)
        assert (await service.ask(headers)).status == 200

    async def test_fifty_at_once_ask_once(self, issuer, service):
        headers = lightweight(issuer)
        answers = await asyncio.gather(*(service.ask(headers) for _ in range(50)))
        assert {answer.status for answer in answers} == {200}
        assert _asked(issuer) == 1

    async def test_with_no_decisions_remembered_answers_still_are_but_one(
        self, issuer, start_asking
    ):
        service = await start_asking(cache={"entries": 0})
        for headers in [lightweight(issuer)] * 3:
            assert (await service.ask(headers)).status == 200
        assert _asked(issuer) == 1


FAULTS = [Fault.ERROR, Fault.GARBAGE, Fault.REDIRECT, Fault.EMPTY, Fault.DOWN]


class TestKeycloakDown:
    @pytest.mark.parametrize("fault", FAULTS)
    async def test_it_is_unavailable_and_recovers(self, issuer, service, fault):
        headers = lightweight(issuer)
        issuer.introspection_fault = fault
        answer = await service.ask(headers)
        assert (answer.status, answer.code) == (503, "introspection_unavailable")
        # Who needs no introspection does not notice, and the service stays ready.
        assert (await service.ask(bearer(issuer.login("bob", "openid acme").access))).status == 200
        assert (await service.manage("/readyz")).status == 200
        issuer.introspection_fault = Fault.NONE
        assert (await service.ask(headers)).status == 200
        assert issuer.fetches["canary"] == 0

    async def test_hanging_is_waited_for_no_longer_than_it_is_set(self, issuer, start_asking):
        service = await start_asking(keys={"timeout": "200ms"})
        headers = lightweight(issuer)
        await service.ask(bearer(issuer.login("bob", "openid acme").access))
        issuer.introspection_fault = Fault.HANGING
        started = asyncio.get_running_loop().time()
        assert (await service.ask(headers)).code == "introspection_unavailable"
        assert asyncio.get_running_loop().time() - started < 2.0

    async def test_after_five_failures_it_is_left_alone_for_a_cooldown(
        self, issuer, service, clock
    ):
        issuer.introspection_fault = Fault.ERROR
        for _ in range(10):
            assert (await service.ask(lightweight(issuer))).status == 503
        assert _asked(issuer) == 5
        issuer.introspection_fault = Fault.NONE
        clock.advance(10)
        assert (await service.ask(lightweight(issuer))).status == 200
        assert (await service.ask(lightweight(issuer))).status == 200
        assert len(await service.events("introspection_failed")) == 5

    async def test_a_wrong_secret_is_no_verdict(self, issuer, start_asking):
        service = await start_asking({"client_secret": "wrong-Zq1SecretXv"})
        answer = await service.ask(lightweight(issuer))
        assert (answer.status, answer.code) == (503, "introspection_unavailable")
        (failure,) = await service.events("introspection_failed")
        assert failure["issuer"] == issuer.issuer
        assert failure["level"] == "warning"
        assert "Zq1Secret" not in await service.log_text()

    async def test_a_public_client_is_none_either(self, issuer, start_asking):
        service = await start_asking({"client_id": "frontend"})
        assert (await service.ask(lightweight(issuer))).status == 503


class TestWiring:
    async def test_the_metrics_tell(self, issuer, service):
        await service.ask(lightweight(issuer))
        issuer.introspection_fault = Fault.ERROR
        await service.ask(lightweight(issuer))
        lines = (await service.manage("/metrics")).body.decode().splitlines()
        name = "hasura_kc_auth_introspections_total"
        assert f'{name}{{issuer="{issuer.issuer}",result="ok"}} 1.0' in lines
        assert f'{name}{{issuer="{issuer.issuer}",result="status"}} 1.0' in lines
        assert "hasura_kc_auth_introspection_store_failures_total 0.0" in lines

    async def test_without_introspection_there_are_no_such_metrics(self, issuer, start_service):
        service = await start_service(issuer.issuer)
        assert b"introspection" not in (await service.manage("/metrics")).body

    @pytest.mark.parametrize("section", ["webhook", "management"])
    async def test_a_start_that_fails_leaves_nothing_open(self, issuer, section):
        settings = settings_for(**introspecting(issuer), **{section: {"port": issuer.port}})
        service = Service(settings, Output())
        with pytest.raises(ListenFailed):
            await service.start()

    async def test_two_issuers_are_asked_each_about_its_own(self, issuer, start_service):
        (mine,) = introspecting(issuer)["issuers"]
        other = {"issuer": "http://127.0.0.1:1/realms/b", "clients": ["frontend"]}
        service = await start_service(
            issuers=[mine | {"namespace": "a"}, other | {"namespace": "b"}]
        )
        answer = await service.ask(lightweight(issuer))
        assert answer.json["X-Hasura-Org-Id"] == "a/acme"
        assert set(service.service.completers.requests) == {issuer.issuer}
