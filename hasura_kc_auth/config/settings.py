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

    ttl: Seconds = 300.0
    cooldown: Seconds = Field(10.0, ge=1, description="Between two attempts, failed ones too.")
    timeout: Seconds = Field(3.0, gt=0, le=5, description="Discovery and key set together.")
    max_stale: Seconds = Field(3600.0, description="Since the last success; then nobody gets in.")

    @model_validator(mode="after")
    def _are_in_order(self) -> Self:
        if not self.cooldown <= self.ttl <= self.max_stale <= _DAY:
            raise ValueError("must be cooldown <= ttl <= max_stale <= 24h")
        return self


class CacheSettings(Section):
    """How decisions are remembered."""

    entries: int = Field(10000, ge=0, le=1_000_000, description="0 turns it off.")
    ttl: Seconds = Field(60.0, description="How long a withdrawn key may still be believed.", gt=0)


class SharedSettings(Section):
    """What replicas share: introspection answers."""

    url: SecretStr | None = Field(None, description="redis:// or rediss://; Redis or Valkey.")
    url_file: FilePath | None = None

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
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"


class Settings(Section):
    """Everything that can be set."""

    issuers: tuple[IssuerSettings, ...] = Field(min_length=1)
    roles: RoleSettings
    anonymous: AnonymousSettings | None = None
    session: SessionSettings = SessionSettings()
    org_header: str = Field("X-Hasura-Org-Id", description="The header that names the wished org.")
    webhook: WebhookSettings = WebhookSettings()
    management: ManagementSettings = ManagementSettings()
    keys: KeySettings = KeySettings()
    cache: CacheSettings = CacheSettings()
    shared: SharedSettings | None = None
    log: LogSettings = LogSettings()
    insecure_transport: bool = Field(
        default=False, description="Allow plain HTTP to Keycloak and from Hasura across a network."
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
