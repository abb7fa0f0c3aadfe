"""The settings' types. Each check is made in its own section, by the field's name."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import (
    Field,
    FilePath,
    SecretStr,
    field_validator,
    model_validator,
)
from yarl import URL

from hasura_kc_auth.config.answers import AnonymousSettings, RoleSettings, SessionSettings
from hasura_kc_auth.config.issuers import IssuerSettings, check_namespaces
from hasura_kc_auth.config.listeners import ManagementSettings, WebhookSettings
from hasura_kc_auth.config.sections import Section, read_secret
from hasura_kc_auth.config.units import Seconds
from hasura_kc_auth.core.request import ROLE_HEADER

_DAY = 24 * 3600.0
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")
_DATABASE = re.compile(r"/?[0-9]{0,4}")


class KeySettings(Section):
    """How the issuers' keys are kept fresh."""

    ttl: Seconds = Field(
        300.0, description="How old keys may get; at four fifths of it they are fetched anew."
    )
    cooldown: Seconds = Field(
        10.0,
        ge=1,
        description="The least time between two attempts to fetch them, failed ones too, whatever "
        "is asked; at least 1s.",
    )
    timeout: Seconds = Field(
        3.0, gt=0, le=5, description="For discovery and the key set together, at most 5s."
    )
    max_stale: Seconds = Field(
        3600.0,
        description="How long keys serve after the last success, at most 24h; then nobody gets in.",
    )

    @model_validator(mode="after")
    def _are_in_order(self) -> Self:
        if not self.cooldown <= self.ttl <= self.max_stale <= _DAY:
            raise ValueError("must be cooldown <= ttl <= max_stale <= 24h")
        return self


class CacheSettings(Section):
    """How decisions are remembered."""

    entries: int = Field(
        10000, ge=0, le=1_000_000, description="How many are remembered; 0 turns it off."
    )
    ttl: Seconds = Field(
        60.0,
        description="How long one is remembered, and so how long a withdrawn key may still be "
        "believed.",
        gt=0,
    )


class SharedSettings(Section):
    """What replicas share: introspection answers."""

    url: SecretStr | None = Field(
        None,
        description="Address of a Redis or Valkey, redis:// or rediss://; this or `url_file` is "
        "required, not both.",
    )
    url_file: FilePath | None = Field(None, description="A file with that address.")

    @model_validator(mode="after")
    def _has_one_url(self) -> Self:
        if (self.url is None) == (self.url_file is None):
            raise ValueError("must have either `url` or `url_file`")
        text = self.secret_url
        try:
            url = URL(text)
            host = url.host
        except ValueError:  # whose words hold what was written
            raise ValueError("must be a URL") from None
        if url.scheme not in ("redis", "rediss") or not host:
            raise ValueError("must begin with redis:// or rediss:// and a host")
        if not _DATABASE.fullmatch(url.path) or url.query_string or url.fragment:
            raise ValueError("must end with the host, its port or a database's number, as in /0")
        return self

    @property
    def secret_url(self) -> str:
        """Return the address, which may hold a password. Raises ValueError."""
        return read_secret(self.url, self.url_file)


class LogSettings(Section):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least level that is logged; denials are at info."
    )
    format: Literal["json", "console"] = Field(
        "json", description="json: one object a line; console: for people."
    )


class Settings(Section):
    """Everything that can be set."""

    issuers: tuple[IssuerSettings, ...] = Field(
        min_length=1,
        description="The realms whose tokens are accepted; where there are several, each needs a "
        "`namespace`, or literal names in `org.only` that no other has.",
    )
    roles: RoleSettings
    anonymous: AnonymousSettings | None = Field(
        None, description="Set to let requests in that bring no credential at all."
    )
    session: SessionSettings = SessionSettings()
    org_header: str = Field(
        "X-Hasura-Org-Id",
        description="The header by which a request names one of its token's orgs.",
    )
    webhook: WebhookSettings = WebhookSettings()
    management: ManagementSettings = ManagementSettings()
    keys: KeySettings = KeySettings()
    cache: CacheSettings = CacheSettings()
    shared: SharedSettings | None = Field(
        None, description="Set for replicas to share introspection answers."
    )
    log: LogSettings = LogSettings()
    insecure_transport: bool = Field(
        default=False,
        description="Allow plain HTTP across a network, to Keycloak and from Hasura; warned of at "
        "the start.",
    )

    @field_validator("org_header")
    @classmethod
    def _is_a_free_header(cls, name: str) -> str:
        if not _HEADER.fullmatch(name) or name.lower() in ("authorization", ROLE_HEADER.lower()):
            raise ValueError("must be a header's name, and not one that means something else")
        return name

    @field_validator("issuers")
    @classmethod
    def _cannot_meet(cls, issuers: tuple[IssuerSettings, ...]) -> tuple[IssuerSettings, ...]:
        """Each issuer is a namespace: its admin can make any client, role and user id in it."""
        if len({issuer.issuer for issuer in issuers}) != len(issuers):
            raise ValueError("holds one issuer twice")
        if len(issuers) > 1:
            check_namespaces(issuers)
        return issuers
