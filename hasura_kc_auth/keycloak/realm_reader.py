"""Reads a realm's set-up through Keycloak's admin API, by a service account that views clients.

The account needs the roles `view-clients` and `query-clients` of `realm-management` in its token,
and no more. Whatever the answers look like, what comes of them is facts or a FetchFailed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import aiohttp
from yarl import URL

from hasura_kc_auth.core.policy import IssuerPolicy, OrgPolicy
from hasura_kc_auth.core.strict_json import Json, decode_value
from hasura_kc_auth.keycloak.admin.answers import Object, an_object, list_of_objects, text
from hasura_kc_auth.keycloak.admin.errors import OddAnswer
from hasura_kc_auth.keycloak.fetch import FetchFailed, FetchResult, read_bounded
from hasura_kc_auth.keycloak.organization_check import SCOPE as ORGANIZATION
from hasura_kc_auth.keycloak.realm.representations import names_of
from hasura_kc_auth.keycloak.realm_facts import (
    ClientFacts,
    Config,
    OrganizationFacts,
    OrgFacts,
    RealmFacts,
)

_PAGE = 100
# Each answer; these are calls of milliseconds, or of a second in a very large realm.
_PATIENCE = aiohttp.ClientTimeout(total=15.0)
_MAX_BYTES = 16 * 1024 * 1024
_AUDIENCE = "oidc-audience-mapper"
_MEMBERSHIP = "oidc-organization-membership-mapper"
_GROUPS = "oidc-organization-group-membership-mapper"
_CERTS = "/protocol/openid-connect/certs"
_TOKEN_TEXT = re.compile(r"[!-~]+")
_RIGHTS = "needed: view-clients and query-clients of realm-management, in its token"


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    client_id: str
    client_secret: str = field(repr=False)


class RealmReader:
    """Asks one realm: at the issuer, or beside `jwks_uri` where Keycloak's inner address is set."""

    def __init__(
        self, session: aiohttp.ClientSession, issuer: str, jwks_uri: str | None = None
    ) -> None:
        self._session = session
        realm = realm_url(issuer, jwks_uri)
        self._token_url = f"{realm}/protocol/openid-connect/token"
        self._admin_url = _admin_url(realm)
        self._token = ""

    async def login(self, account: ServiceAccount) -> None:
        """Get a token for the account. Raises FetchFailed, ClientError, TimeoutError."""
        with _of_keycloaks_shape():
            self._token = await self._log_in(account)

    async def _log_in(self, account: ServiceAccount) -> str:
        form = {
            "grant_type": "client_credentials",
            "client_id": account.client_id,
            "client_secret": account.client_secret,
        }
        # A redirect would take the secret to whatever place the answer names.
        async with self._session.post(
            self._token_url, data=form, allow_redirects=False, timeout=_PATIENCE
        ) as response:
            if response.status in (400, 401):
                detail = f"the login was refused ({response.status}): look at id, secret and realm"
                raise FetchFailed(FetchResult.STATUS, detail)
            token = text(an_object(await _json(response, "the login")), "access_token")
        if not _TOKEN_TEXT.fullmatch(token):
            raise OddAnswer("access_token")
        return token

    async def read(self, policy: IssuerPolicy) -> RealmFacts:
        """Return what concerns this issuer's clients and orgs.

        Raises FetchFailed, ClientError, TimeoutError.
        """
        with _of_keycloaks_shape():
            return await self._read(policy)

    async def _read(self, policy: IssuerPolicy) -> RealmFacts:
        clients = {text(it, "clientId"): it for it in await self._all_clients()}
        scopes = {text(it, "name"): it for it in list_of_objects(await self._get("client-scopes"))}
        # Every realm has some. Who may query and not view is told of none, with status 200.
        if not clients or not scopes:
            raise FetchFailed(FetchResult.STATUS, f"the account is shown nothing ({_RIGHTS})")
        frontends = {
            name: await self._client(clients[name], scopes)
            for name in sorted(policy.clients & clients.keys())
        }
        # Reduced to a few members for who may not view the realm.
        realm = an_object(await self._get(""))
        native = policy.org.source == "organization"
        roles = await self._roles(_candidates(clients, scopes, policy))
        names = {text(client, "id"): name for name, client in clients.items()}
        return RealmFacts(
            frontends,
            orgs=await self._orgs(roles, clients, scopes, policy.org),
            leads_to={
                org: frozenset(names.get(it, it) for it in await self._reached(held))
                for org, held in roles.items()
            },
            algorithm=str(realm.get("defaultSignatureAlgorithm") or ""),
            organizations=_organizations(realm, scopes.get(ORGANIZATION, {})) if native else None,
        )

    async def _client(self, client: Object, scopes: Mapping[str, Object]) -> ClientFacts:
        path = f"clients/{text(client, 'id')}"
        default = names_of(await self._get(f"{path}/default-client-scopes"))
        optional = names_of(await self._get(f"{path}/optional-client-scopes"))
        attributes = an_object(client.get("attributes"))
        holders = [client, *(scopes[name] for name in default if name in scopes)]
        return ClientFacts(
            full_scope=client.get("fullScopeAllowed") is True,
            default_scopes=default,
            optional_scopes=optional,
            audiences=frozenset(_audiences(holders)),
            algorithm=str(attributes.get("access.token.signed.response.alg") or ""),
            lightweight=attributes.get("client.use.lightweight.access.token.enabled") == "true",
        )

    async def _roles(self, clients: Mapping[str, Object]) -> dict[str, list[Object]]:
        return {
            name: list_of_objects(await self._get(f"clients/{text(client, 'id')}/roles"))
            for name, client in clients.items()
        }

    async def _orgs(
        self,
        roles: Mapping[str, Sequence[Object]],
        clients: Mapping[str, Object],
        scopes: Mapping[str, Object],
        org: OrgPolicy,
    ) -> dict[str, OrgFacts]:
        if org.source != "client-scope":
            return {}
        return {
            name: await self._org(clients[name], held, scopes[org.scope_of(name)])
            for name, held in roles.items()
        }

    async def _org(self, client: Object, roles: Sequence[Object], scope: Object) -> OrgFacts:
        # "composite": with what mapped composites contain, since Keycloak lets these through too.
        mappings = f"scope-mappings/clients/{text(client, 'id')}/composite"
        mapped = await self._get(f"client-scopes/{text(scope, 'id')}/{mappings}")
        in_scope = an_object(scope.get("attributes")).get("include.in.token.scope", "true")
        return OrgFacts(names_of(list(roles)), names_of(mapped), in_token_scope=in_scope == "true")

    async def _reached(self, roles: Iterable[Object]) -> set[str]:
        """Return the ids of all clients that composites lead to, over any number of steps.

        Not over a realm role: what that contains is for `view-realm` to see.
        """
        left = [role for role in roles if role.get("composite") is True]
        seen, reached = {text(role, "id") for role in left}, set[str]()
        while left:
            parts = list_of_objects(
                await self._get(f"roles-by-id/{text(left.pop(), 'id')}/composites")
            )
            for part in (it for it in parts if it.get("clientRole") is True):
                reached.add(text(part, "containerId"))
                if part.get("composite") is True and text(part, "id") not in seen:
                    seen.add(text(part, "id"))
                    left.append(part)
        return reached

    async def _all_clients(self) -> list[Object]:
        clients: list[Object] = []
        while True:
            page = list_of_objects(
                await self._get("clients", first=str(len(clients)), max=str(_PAGE))
            )
            clients += page
            if len(page) < _PAGE:
                return clients

    async def _get(self, path: str, **query: str) -> Json:
        url = URL(f"{self._admin_url}/{path}".removesuffix("/"), encoded=True).with_query(query)
        headers = {"Authorization": f"Bearer {self._token}"}
        async with self._session.get(
            url, headers=headers, allow_redirects=False, timeout=_PATIENCE
        ) as response:
            return await _json(response, path.partition("/")[0] or "the realm")


@contextmanager
def _of_keycloaks_shape() -> Iterator[None]:
    try:
        yield
    except OddAnswer as odd:
        raise FetchFailed(FetchResult.INVALID, odd.detail) from odd


async def _json(response: aiohttp.ClientResponse, what: str) -> Json:
    if response.status != 200:  # noqa: PLR2004 - the one status that has what was asked for
        rights = f" ({_RIGHTS})" if response.status == 403 else ""  # noqa: PLR2004 - forbidden
        detail = f"{what}: Keycloak answered {response.status}{rights}"
        raise FetchFailed(FetchResult.STATUS, detail)
    body = await read_bounded(response.content, _MAX_BYTES)
    try:
        return decode_value(body.decode("utf-8"))
    except ValueError as error:
        raise FetchFailed(FetchResult.INVALID, f"{what}: the answer is no JSON") from error


def realm_url(issuer: str, jwks_uri: str | None) -> str:
    """Return where Keycloak is asked about the realm: where its keys are, as for introspection."""
    inner = jwks_uri is not None and jwks_uri.endswith(_CERTS)
    return (jwks_uri.removesuffix(_CERTS) if jwks_uri and inner else issuer).removesuffix("/")


def _admin_url(realm: str) -> str:
    """Return the admin address beside a realm's, also below a relative path of Keycloak's own."""
    before, _, name = realm.rpartition("/realms/")
    return f"{before}/admin/realms/{name}"


def _candidates(
    clients: Mapping[str, Object], scopes: Mapping[str, Object], policy: IssuerPolicy
) -> dict[str, Object]:
    """Return the clients whose roles may be an org's: by this carrier, and by the settings."""
    org = policy.org
    return {
        name: client
        for name, client in clients.items()
        if org.reads_resource_access
        and policy.can_be_org(name)
        and (org.source != "client-scope" or org.scope_of(name) in scopes)
    }


def _organizations(realm: Object, scope: Object) -> OrganizationFacts:
    enabled = realm.get("organizationsEnabled")
    return OrganizationFacts(
        enabled=enabled if isinstance(enabled, bool) else None,
        membership=next(_mappers(scope, _MEMBERSHIP), None),
        groups=next(_mappers(scope, _GROUPS), None),
    )


def _mappers(holder: Object, provider: str) -> Iterator[Config]:
    """Yield the options of the mappers of this kind that write into access tokens."""
    for mapper in list_of_objects(holder.get("protocolMappers") or []):
        config = an_object(mapper.get("config"))
        if mapper.get("protocolMapper") == provider and config.get("access.token.claim") == "true":
            yield config


def _audiences(holders: Iterable[Object]) -> Iterator[str]:
    for holder in holders:
        for config in _mappers(holder, _AUDIENCE):
            custom = config.get("included.custom.audience")
            # With both Keycloak takes the client.
            yield str(config.get("included.client.audience") or custom or "")
