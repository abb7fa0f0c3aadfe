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
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from yarl import URL

from hasura_kc_auth.config.sections import Section, insecure_transport, is_loopback
from hasura_kc_auth.config.units import Seconds
from hasura_kc_auth.core.keys import SUPPORTED_ALGORITHMS
from hasura_kc_auth.core.policy import KEYCLOAK_CLIENTS, STANDARD_SCOPES

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


class OrgSettings(Section):
    """How an org is named in an issuer's tokens."""

    from_: Literal["client-scope"] = Field("client-scope", alias="from")
    scope: str = Field("{org}", description="How an org's scope is named; {org} is its client id.")
    only: tuple[str, ...] = Field((), description="If not empty: only these orgs (globs).")
    deny: tuple[str, ...] = Field((), description="Orgs cut off now (globs).")

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
    def _has_orgs_that_can_be(self) -> Self:
        if not set(self.clients).isdisjoint(self.org.only):
            raise ValueError("org.only holds one of `clients`: a frontend is never an org")
        return self


def check_namespaces(issuers: tuple[IssuerSettings, ...]) -> None:
    spaces = [issuer.namespace for issuer in issuers if issuer.namespace is not None]
    literals = [org for issuer in issuers if issuer.namespace is None for org in issuer.org.only]
    for issuer in issuers:
        named = issuer.org.only and not any(_GLOB & set(org) for org in issuer.org.only)
        if issuer.namespace is None and not named:
            raise ValueError(
                "where there are several, each needs a `namespace`, or literal names in `org.only`"
            )
    if len(set(spaces)) != len(spaces) or len(set(literals)) != len(literals):
        raise ValueError("two issuers share a `namespace` or a name in `org.only`")
    if any(org.startswith(f"{space}/") for org in literals for space in spaces):
        raise ValueError("a name in `org.only` begins with another issuer's `namespace`")
