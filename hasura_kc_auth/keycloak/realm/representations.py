"""The pieces of a realm as Keycloak writes them in JSON: read, and written into what is there.

Keycloak replaces what is PUT, so what is written is always all that was found, changed where the
piece says so. Every reading function raises OddAnswer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import get_args

from hasura_kc_auth.core.strict_json import Json
from hasura_kc_auth.keycloak.admin.answers import (
    Object,
    an_object,
    attribute,
    by_client,
    list_of_objects,
    text,
    texts,
)
from hasura_kc_auth.provisioning.items import (
    OWNER,
    Client,
    Group,
    Mapper,
    Organization,
    Role,
    Scope,
    Use,
)

IN_TOKEN = "include.in.token.scope"  # noqa: S105 - an attribute's name
_AUDIENCE_CLIENT = "included.client.audience"
_PROTOCOL = "openid-connect"
_NO_ORG = "-"
_OWNED = "yes"

Written = dict[str, Json]


def is_owned(it: Object) -> bool:
    return attribute(it, OWNER) != ""


# Clients


def use_of(it: Object) -> Use | None:
    """Return what a file keeps this client for; None where it is nobody's."""
    owner = attribute(it, OWNER)
    return next((use for use in get_args(Use) if use == owner), None)


def read_client(it: Object, use: Use) -> Client:
    """Return a client; `use`: what to take it for where it is nobody's."""
    owner = use_of(it)
    return Client(
        text(it, "clientId"),
        owner or use,
        owned=owner is not None,
        full_scope=it.get("fullScopeAllowed") is True,
        public=it.get("publicClient") is True,
        standard_flow=it.get("standardFlowEnabled") is True,
        redirect_uris=texts(it, "redirectUris"),
        web_origins=texts(it, "webOrigins"),
        display_name=text(it, "name") if it.get("name") else None,
    )


def write_client(client: Client, found: Object) -> Written:
    return {
        **(found or _new_client(client)),
        "fullScopeAllowed": client.full_scope,
        "publicClient": client.public,
        "standardFlowEnabled": client.standard_flow,
        "redirectUris": sorted(client.redirect_uris),
        "webOrigins": sorted(client.web_origins),
        "attributes": {**an_object(found.get("attributes")), OWNER: client.use},
        **({} if client.display_name is None else {"name": client.display_name}),
    }


def _new_client(client: Client) -> Written:
    new: Written = {
        "clientId": client.client_id,
        "enabled": True,
        "protocol": _PROTOCOL,
        "directAccessGrantsEnabled": False,
        "implicitFlowEnabled": False,
        "serviceAccountsEnabled": False,
    }
    # Nobody logs in at an org, so it needs none of the scopes that a realm gives to new clients.
    no_scopes: Written = {"defaultClientScopes": [], "optionalClientScopes": []}
    return new if client.use == "frontend" else {**new, **no_scopes}


# Client scopes and their mappers


def read_scope(it: Object, org: str) -> Scope:
    """Return a scope; `org`: whose to take it for where it is nobody's."""
    owner = attribute(it, OWNER)
    whose = "" if owner == _NO_ORG else owner
    return Scope(
        text(it, "name"),
        in_token=(attribute(it, IN_TOKEN) or "true") == "true",
        org=whose if owner else org,
        owned=owner != "",
    )


def write_scope(scope: Scope, found: Object) -> Written:
    new: Written = {"name": scope.name, "protocol": _PROTOCOL}
    own = {IN_TOKEN: str(scope.in_token).lower(), OWNER: scope.org or _NO_ORG}
    return {**(found or new), "attributes": {**an_object(found.get("attributes")), **own}}


def read_mapper(scope: str, it: Object, wanted: Mapper) -> Mapper:
    """Return a mapper with the options that matter: what is wanted, and what would overrule it."""
    config = an_object(it.get("config"))
    matters = {*wanted.config, _AUDIENCE_CLIENT}
    return Mapper(
        scope,
        text(it, "name"),
        text(it, "protocolMapper"),
        {name: str(value) for name, value in config.items() if name in matters and value},
    )


def write_mapper(mapper: Mapper, found: Object) -> Written:
    # With both audiences Keycloak takes the client.
    config = {**an_object(found.get("config"))}
    config.pop(_AUDIENCE_CLIENT, None)
    return {
        **found,
        "name": mapper.name,
        "protocol": _PROTOCOL,
        "protocolMapper": mapper.provider,
        "config": {**config, **mapper.config},
    }


# Roles


def read_role(client: str, it: Object) -> Role:
    return Role(client, text(it, "name"), owned=is_owned(it))


def write_role(role: Role, found: Object) -> Written:
    return {"name": role.name, **found, "attributes": _with_owner(found)}


def names_of(roles: Json) -> frozenset[str]:
    return frozenset(text(it, "name") for it in list_of_objects(roles))


def label(role: Object, client: str, client_names: Mapping[str, str]) -> str:
    """Return how a client calls a role: its own by name, others `client:role`, realm's `:role`.

    `client_names`: by id.
    """
    name = text(role, "name")
    if role.get("clientRole") is not True:
        return f":{name}"
    container = text(role, "containerId")
    holder = client_names.get(container, container)
    return name if holder == client else f"{holder}:{name}"


def labels(mappings: Json) -> Iterator[tuple[str, str, str]]:
    """Yield the client roles of a role mapping: (`client:role`, client, role)."""
    for client, roles in by_client(mappings):
        for name in names_of(roles):
            yield f"{client}:{name}", client, name


# Organizations and their groups


def read_organization(it: Object) -> Organization:
    return Organization(text(it, "alias"), text(it, "name"), owned=is_owned(it))


def write_organization(organization: Organization, found: Object) -> Written:
    new: Written = {"alias": organization.alias, "enabled": True}
    return {
        **(found or new),
        "name": organization.display_name,
        "attributes": _with_owner(found),
    }


def read_group(org: str, it: Object) -> Group:
    """Return a group. Its roles come with it where the groups were asked for in full."""
    held = an_object(it.get("clientRoles"))
    roles = {f"{client}:{name}" for client in held for name in texts(held, client)}
    realm_roles = {f":{name}" for name in texts(it, "realmRoles")}
    return Group(org, text(it, "name"), frozenset(roles | realm_roles), owned=is_owned(it))


def write_group(group: Group, found: Object) -> Written:
    return {"name": group.name, **found, "attributes": _with_owner(found)}


def _with_owner(found: Object) -> Mapping[str, Json]:
    return {**an_object(found.get("attributes")), OWNER: [_OWNED]}
