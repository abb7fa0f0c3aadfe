"""Two realms with the same names in one service: nothing of the one through the other."""

import pytest
import pytest_asyncio
from admin import Admin
from asking import Answer, ask, denied, forged, granted, running, settings_for
from conftest import make_realm
from lightweight import SECRET, add_lightweight, light_login
from login import Client, Tokens
from native import login_to
from organizations import Organizations
from pydantic import ValidationError
from realm import SIGNED_BY, Realm
from realm_keys import add_key


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def twin(admin: Admin) -> Realm:
    """Give a realm with the names of the shared one, where bob is the owner of org1."""
    twin = await make_realm(admin)
    await twin.grant("bob", "org1", "owner")
    await add_lightweight(twin)
    return twin


async def org1(realm: Realm, user: str = "alice", scope: str = "openid org1") -> Tokens:
    return await Client(realm.admin.http, realm.issuer).password(user, scope)


def inside(realm: Realm, user: str, org: str, *roles: str, user_id: str = "") -> Answer:
    """Return the answer of one realm among others: its name is before every id."""
    answer = granted(realm, user, f"{realm.name}/{org}", *roles)
    qualified = f"{realm.name}/{user_id or realm.users[user]}"
    return Answer(200, {**answer.body, "X-Hasura-User-Id": qualified})


async def test_the_same_names_are_not_the_same_org_or_user(realm: Realm, twin: Realm) -> None:
    here = (await org1(realm, "bob")).access
    there = (await org1(twin, "bob")).access

    async with running(settings_for(realm, twin)) as service:
        for _ in range(2):  # the second time out of the cache
            assert await ask(service, here) == inside(realm, "bob", "org1", "viewer")
            owner = inside(twin, "bob", "org1", "org_admin", "owner", "editor", "viewer")
            assert await ask(service, there) == owner
        assert await ask(service, here, role="owner") == denied("role_not_granted")
        for token, foreign in ((here, twin), (there, realm)):
            for wish in (f"{foreign.name}/org1", "org1", f"{foreign.name}/org2"):
                assert await ask(service, token, org_id=wish) == denied("org_not_granted")


async def test_a_user_id_that_both_could_have_stays_apart(realm: Realm, twin: Realm) -> None:
    """By the user's name, which is the same in both."""
    session = {"user_id": "preferred_username", "variables": {"X-Hasura-Email": "email"}}

    async with running(settings_for(realm, twin, session=session)) as service:
        for it, held in ((realm, "editor"), (twin, "editor")):
            expected = inside(it, "alice", "org1", held, user_id="alice")
            assert await ask(service, (await org1(it)).access) == expected


async def test_keys_of_one_never_verify_for_the_other(realm: Realm, twin: Realm) -> None:
    here, there = await org1(realm), await org1(twin)

    async with running(settings_for(realm, twin)) as service:
        # Both key sets are known.
        for it, tokens in ((realm, here), (twin, there)):
            assert await ask(service, tokens.access) == inside(it, "alice", "org1", "editor")
        for mine, other, target in ((there, here, realm), (here, there, twin)):
            renamed = forged(mine.access, 1, iss=target.issuer)
            assert await ask(service, renamed) == denied("unknown_key")
            posing = forged(renamed, 0, kid=other.header["kid"])
            assert await ask(service, posing) == denied("bad_signature")
            unrenamed = forged(mine.access, 0, kid=other.header["kid"])
            assert await ask(service, unrenamed) == denied("unknown_key")


async def test_an_issuer_is_compared_byte_for_byte(realm: Realm, twin: Realm) -> None:
    token = (await org1(twin)).access

    async with running(settings_for(realm, twin)) as service:
        for issuer in (
            f"{twin.issuer}/",
            twin.issuer.upper(),
            f"{twin.issuer}#",
            "",
            [twin.issuer],
        ):
            assert await ask(service, forged(token, 1, iss=issuer)) == denied("wrong_issuer")
    async with running(settings_for(realm)) as only:
        assert await ask(only, token) == denied("wrong_issuer")


async def test_each_has_clients_and_algorithms_of_its_own(admin: Admin, realm: Realm) -> None:
    other = await make_realm(admin)
    await add_key(other, algorithm="ES256", provider="ecdsa-generated")
    await other.configure_client("frontend", attributes={SIGNED_BY: "ES256"})
    await other.add_frontend("usual")
    for scope, how in (("org1", "optional"), ("hasura-audience", "default")):
        await other.assign("usual", scope, how)
    here, there = await org1(realm), await org1(other)
    strange = await Client(other.admin.http, other.issuer, "usual").password("alice", "openid org1")

    assert (there.header["alg"], strange.header["alg"]) == ("ES256", "RS256")
    settings = settings_for(realm, other, each=[{}, {"algorithms": ["ES256"]}])
    async with running(settings) as service:
        assert await ask(service, here.access) == inside(realm, "alice", "org1", "editor")
        assert await ask(service, there.access) == inside(other, "alice", "org1", "editor")
        assert await ask(service, strange.access) == denied("unsupported_algorithm")
    settings = settings_for(realm, other, each=[{}, {"algorithms": ["ES256", "RS256"]}])
    async with running(settings) as service:
        assert await ask(service, strange.access) == denied("wrong_client")
    settings = settings_for(realm, other, each=[{"clients": ["usual"]}, {"clients": ["usual"]}])
    async with running(settings) as service:
        assert await ask(service, here.access) == denied("wrong_client")


async def test_each_carries_the_org_in_its_own_way(realm: Realm, native: Organizations) -> None:
    """The rules of one are not tried on the other's tokens."""
    org = {"from": "organization", "roles": "client"}
    here = (await org1(realm)).access
    there = (await login_to(native, "alice", "acme")).access

    async with running(settings_for(realm, native, each=[{}, {"org": org}])) as service:
        assert await ask(service, here) == inside(realm, "alice", "org1", "editor")
        assert await ask(service, there) == inside(native, "alice", "acme", "editor")
        for token in (here, there):
            wish = f"{native.name}/org1"
            assert await ask(service, token, org_id=wish) == denied("org_not_granted")
    async with running(settings_for(realm, native)) as service:
        assert await ask(service, there) == denied("no_org")


async def test_one_realm_is_asked_about_tokens_and_the_other_is_not(
    realm: Realm, twin: Realm
) -> None:
    introspection = {"client_id": "hasura", "client_secret": SECRET}
    asks = {"clients": ["frontend", "light"], "introspection": introspection}
    token = (await light_login(twin, "alice", "openid org1")).access
    here = (await org1(realm)).access

    async with running(settings_for(realm, twin, each=[{}, asks])) as service:
        assert await ask(service, token) == inside(twin, "alice", "org1", "editor")
        assert await ask(service, here) == inside(realm, "alice", "org1", "editor")
    async with running(settings_for(realm, twin, each=[asks, {"clients": ["light"]}])) as service:
        assert await ask(service, token) == denied("missing_claim")


async def test_two_realms_need_a_namespace_each(realm: Realm, twin: Realm) -> None:
    for changes in ({"namespace": None}, {"namespace": realm.name}):
        with pytest.raises(ValidationError, match="namespace"):
            settings_for(realm, twin, each=[{}, changes])
