"""The settings of the realms whose tokens are accepted."""

from __future__ import annotations

import re
import ssl
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    FilePath,
    SecretStr,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from yarl import URL

from hasura_kc_auth.config.sections import (
    Section,
    insecure_transport,
    is_loopback,
    read_secret,
)
from hasura_kc_auth.config.units import Seconds
from hasura_kc_auth.core.keys import SUPPORTED_ALGORITHMS
from hasura_kc_auth.core.policy import KEYCLOAK_CLIENTS, STANDARD_SCOPES, OrgRoles, OrgSource

_NAMESPACE = re.compile(r"[A-Za-z0-9_-]{1,32}")
_GLOB = frozenset("*?[")
_MAX_LEEWAY = 120.0
_URL_TEXT = re.compile(r"[!-~]+")


def check_transport(url: str, info: ValidationInfo) -> str:
    """Keys decide who can sign: they come over https, or from this machine."""
    try:
        parts = URL(url)
        host = parts.host
    except ValueError:
        raise ValueError("must be a URL") from None
    if url and not _URL_TEXT.fullmatch(url):
        raise ValueError("must be a URL, with no blanks and no other characters than ASCII")
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("must begin with https://")
    if parts.user or parts.password or parts.query_string or parts.fragment:
        raise ValueError("must have no user, query or fragment")
    if parts.scheme == "http" and not is_loopback(host) and not insecure_transport(info):
        raise ValueError("must be https, unless its host is loopback or insecure_transport is true")
    return url


def _check_algorithm(name: str) -> str:
    if name not in SUPPORTED_ALGORITHMS:
        raise ValueError(f"must be one of {', '.join(SUPPORTED_ALGORITHMS)}")
    return name


Algorithm = Annotated[
    str,
    AfterValidator(_check_algorithm),
    WithJsonSchema({"type": "string", "enum": list(SUPPORTED_ALGORITHMS)}),
]


# Which of an org's settings each carrier looks at.
_CARRIER_FIELDS: dict[OrgSource, set[str]] = {
    "client-scope": {"scope"},
    "organization": {"roles", "client", "realm_roles", "id"},
    "claim": {"claim"},
}
# What Keycloak's own mappers write into an entry, over an attribute of that name.
_WRITTEN_BY_MAPPERS = frozenset({"id", "groups", "realm_access", "resource_access"})


class OrgSettings(Section):
    """How an org is named in an issuer's tokens."""

    from_: OrgSource = Field("client-scope", alias="from", description="How tokens carry the org.")
    scope: str = Field("{org}", description="How an org's scope is named; {org} is its client id.")
    claim: str | None = Field(None, min_length=1, description="For claim: dotted path of the org.")
    roles: OrgRoles = Field("nested", description="For organization: where its roles are.")
    client: str | None = Field(None, min_length=1, description="For nested roles: of this client.")
    realm_roles: bool = Field(default=False, description="For nested roles: realm roles as well.")
    id: str = Field(
        "alias",
        pattern=r"^(alias|id|attribute:.{1,64})$",
        description="For organization: what X-Hasura-Org-Id is: alias, id or attribute:NAME.",
    )
    only: tuple[str, ...] = Field((), description="If not empty: only these orgs (globs).")
    deny: tuple[str, ...] = Field((), description="Orgs cut off now (globs).")

    @model_validator(mode="after")
    def _fits_the_carrier(self) -> Self:
        mine = _CARRIER_FIELDS[self.from_]
        foreign = self.model_fields_set & set().union(*_CARRIER_FIELDS.values()) - mine
        if foreign:
            raise ValueError(f"`{min(foreign)}` says nothing where `from` is {self.from_}")
        if self.from_ == "claim" and self.claim is None:
            raise ValueError("`claim` is required where `from` is claim")
        return self

    @model_validator(mode="after")
    def _knows_where_the_roles_are(self) -> Self:
        from_client_or_realm = self.client is not None or self.realm_roles
        if self.roles != "nested" and from_client_or_realm:
            raise ValueError("`client` and `realm_roles` go with nested roles only")
        nested = self.from_ == "organization" and self.roles == "nested"
        if nested and not from_client_or_realm:
            raise ValueError("`client` or `realm_roles` is required for nested roles")
        return self

    @field_validator("id")
    @classmethod
    def _is_the_orgs_own(cls, id_from: str) -> str:
        _, _, attribute = id_from.partition(":")
        if attribute in _WRITTEN_BY_MAPPERS:
            raise ValueError("names an attribute that Keycloak's mappers write over")
        return id_from

    @field_validator("scope")
    @classmethod
    def _names_the_org(cls, scope: str) -> str:
        if scope.count("{org}") != 1:
            raise ValueError("must hold {org} exactly once")
        if " " in scope:
            raise ValueError("must hold no space: a scope has none")
        return scope

    @field_validator("only")
    @classmethod
    def _is_no_reserved_name(cls, only: tuple[str, ...]) -> tuple[str, ...]:
        if not (KEYCLOAK_CLIENTS | STANDARD_SCOPES).isdisjoint(only):
            raise ValueError("holds a client or scope of Keycloak's own, which is never an org")
        return only


class IntrospectionSettings(Section):
    """How tokens are completed that Keycloak tells little in."""

    client_id: str = Field(min_length=1, description="A confidential client, in the tokens' aud.")
    client_secret: SecretStr | None = None
    client_secret_file: FilePath | None = None
    when: Literal["lightweight", "always"] = "lightweight"
    ttl: Seconds = Field(30.0, ge=1, le=300, description="How long an answer is believed.")
    url: str | None = Field(None, description="Default: beside jwks_uri, or below the issuer.")

    @field_validator("url")
    @classmethod
    def _url_transport(cls, url: str | None, info: ValidationInfo) -> str | None:
        return None if url is None else check_transport(url, info)

    @model_validator(mode="after")
    def _has_one_secret(self) -> Self:
        if (self.client_secret is None) == (self.client_secret_file is None):
            raise ValueError("must have either `client_secret` or `client_secret_file`")
        read_secret(self.client_secret, self.client_secret_file)
        return self

    @property
    def secret(self) -> str:
        """Return the secret itself. Raises ValueError where its file has gone meanwhile."""
        return read_secret(self.client_secret, self.client_secret_file)


class IssuerSettings(Section):
    """One Keycloak realm."""

    issuer: str = Field(description="Compared with `iss` byte for byte.")
    clients: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        min_length=1, description="The frontends: allowed `azp`."
    )
    audiences: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        (), description="One of them must be in `aud` as well. Recommended."
    )
    jwks_uri: str | None = Field(None, description="Default: from discovery.")
    ca_file: FilePath | None = Field(None, description="Authorities to trust, instead of usual.")
    algorithms: tuple[Algorithm, ...] = Field(("RS256",), min_length=1)
    leeway: Seconds = Field(30.0, description="Tolerance for clocks that differ; at most 120s.")
    namespace: str | None = Field(None, description="Prefix of org and user ids, as in eu/acme.")
    org: OrgSettings = OrgSettings()
    introspection: IntrospectionSettings | None = None

    _transport = field_validator("issuer")(check_transport)

    @field_validator("jwks_uri")
    @classmethod
    def _jwks_transport(cls, url: str | None, info: ValidationInfo) -> str | None:
        return None if url is None else check_transport(url, info)

    @field_validator("clients")
    @classmethod
    def _are_the_operators_own(cls, clients: tuple[str, ...]) -> tuple[str, ...]:
        if not KEYCLOAK_CLIENTS.isdisjoint(clients):
            raise ValueError(
                "holds a client of Keycloak's own, whose tokens carry the roles of every org"
            )
        return clients

    @field_validator("ca_file")
    @classmethod
    def _holds_certificates(cls, file: Path | None) -> Path | None:
        if file is not None:
            try:
                ssl.create_default_context(cafile=str(file))
            except OSError:  # ssl.SSLError is one
                raise ValueError("must be a readable file of certificates in PEM form") from None
        return file

    @field_validator("leeway")
    @classmethod
    def _is_no_loophole(cls, leeway: float) -> float:
        if leeway > _MAX_LEEWAY:
            raise ValueError("must be at most 120s")
        return leeway

    @field_validator("namespace")
    @classmethod
    def _cannot_run_into_an_id(cls, namespace: str | None) -> str | None:
        if namespace is not None and not _NAMESPACE.fullmatch(namespace):
            raise ValueError("must be 1 to 32 of A-Z a-z 0-9 _ -")
        return namespace

    @model_validator(mode="after")
    def _has_an_audience(self) -> Self:
        if self.org.from_ == "organization" and not self.audiences:
            raise ValueError(
                "audiences is required where org.from is organization: organizations put none of "
                "their own into `aud`"
            )
        return self

    @model_validator(mode="after")
    def _has_orgs_that_can_be(self) -> Self:
        if not set(self.clients).isdisjoint(self.org.only):
            raise ValueError("org.only holds one of `clients`: a frontend is never an org")
        return self


def check_namespaces(issuers: tuple[IssuerSettings, ...]) -> None:
    spaces = [issuer.namespace for issuer in issuers if issuer.namespace is not None]
    literals = [org for issuer in issuers if issuer.namespace is None for org in issuer.org.only]
    for issuer in issuers:
        if issuer.namespace is None and issuer.org.id != "alias":
            # `only` has aliases: what a realm's admin writes into an attribute is not held by it.
            raise ValueError(
                "where there are several, each with another `org.id` than alias needs a `namespace`"
            )
        named = issuer.org.only and not any(_GLOB & set(org) for org in issuer.org.only)
        if issuer.namespace is None and not named:
            raise ValueError(
                "where there are several, each needs a `namespace`, or literal names in `org.only`"
            )
    if len(set(spaces)) != len(spaces) or len(set(literals)) != len(literals):
        raise ValueError("two issuers share a `namespace` or a name in `org.only`")
    if any(org.startswith(f"{space}/") for org in literals for space in spaces):
        raise ValueError("a name in `org.only` begins with another issuer's `namespace`")
