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

from hasura_kc_auth.config.carriers import OrgSettings
from hasura_kc_auth.config.sections import (
    Section,
    insecure_transport,
    is_loopback,
    read_secret,
)
from hasura_kc_auth.config.units import Seconds
from hasura_kc_auth.core.keys import SUPPORTED_ALGORITHMS
from hasura_kc_auth.core.policy import KEYCLOAK_CLIENTS

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


class IntrospectionSettings(Section):
    """How tokens are completed that Keycloak tells little in."""

    client_id: str = Field(
        min_length=1,
        description="The confidential client that asks; from Keycloak 26.6 on it must be in the "
        "tokens' `aud`.",
    )
    client_secret: SecretStr | None = Field(
        None, description="Its secret; this or `client_secret_file` is required, not both."
    )
    client_secret_file: FilePath | None = Field(None, description="A file with its secret.")
    when: Literal["lightweight", "always"] = Field(
        "lightweight",
        description="lightweight: only tokens that hold too little are asked about; always: all, "
        "which notices a logout and a withdrawn role within `ttl`.",
    )
    ttl: Seconds = Field(
        30.0, ge=1, le=300, description="How long an answer is believed, 1s to 300s."
    )
    url: str | None = Field(
        None,
        description="The introspection endpoint; by default it is beside `jwks_uri` where that is "
        "set, else below the issuer.",
    )

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

    issuer: str = Field(
        description="The realm's address as its tokens have it in `iss`, compared byte for byte."
    )
    clients: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        min_length=1,
        description="The clients (frontends) whose tokens are accepted: one of them is `azp`.",
    )
    audiences: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        (),
        description="One of them must be in `aud` as well, which keeps tokens for other APIs out: "
        "recommended, and required where `org.from` is organization.",
    )
    jwks_uri: str | None = Field(
        None,
        description="Where its keys are; by default discovery says so. Set it where Keycloak's "
        "inner address is another than the public one.",
    )
    ca_file: FilePath | None = Field(
        None, description="Authorities (PEM) to trust for this issuer, instead of the system's."
    )
    algorithms: tuple[Algorithm, ...] = Field(
        ("RS256",),
        min_length=1,
        description="The algorithms that a token may be signed with; no token can add one.",
    )
    leeway: Seconds = Field(
        30.0,
        description="How far Keycloak's clock and this machine's may differ, at most 120s; an "
        "expired token passes for that long, too.",
    )
    namespace: str | None = Field(
        None,
        description="Prefix of this realm's org and user ids, as in eu/acme, and in the org header "
        "too: with several issuers no two can meet.",
    )
    org: OrgSettings = OrgSettings()
    introspection: IntrospectionSettings | None = Field(
        None, description="Set for realms whose access tokens are lightweight."
    )

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
