"""Personas: made-up claims, and the answer that a team expects for them.

The claims are signed with a throw-away key and go through the whole pipeline, from the header to
the answer's body, so that what is tested is what is served.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from multidict import CIMultiDict
from pydantic import BaseModel, ConfigDict, Field, model_validator

from hasura_kc_auth.authenticator import Authenticator
from hasura_kc_auth.cli.throw_away_keys import ThrowAwayKeys
from hasura_kc_auth.config.answers import Constant
from hasura_kc_auth.config.issuers import IssuerSettings
from hasura_kc_auth.config.policy import policy_of
from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.core.claims import object_at
from hasura_kc_auth.core.errors import Code, Denied
from hasura_kc_auth.core.request import read_request
from hasura_kc_auth.core.strict_json import Json
from hasura_kc_auth.ports import Clock

_LIFESPAN = 300


class Persona(BaseModel):
    """One case. `claims` are laid over those that every token has; null takes one away.

    `claims: null` sends no token at all. `headers` are the client's. Either `allow` lists variables
    that must be answered (null: must not be), or `deny` names the code.
    """

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=255)  # it is the `sub` as well
    issuer: str | None = None
    claims: dict[str, Constant] | None = Field({})
    headers: dict[str, str] = Field({})
    allow: dict[str, Constant] | None = None
    deny: Code | None = None

    @model_validator(mode="after")
    def _expects_one_thing(self) -> Self:
        if (self.allow is None) == (self.deny is None):
            raise ValueError("must have either `allow` or `deny`")
        return self


class PersonaFile(BaseModel):
    """What a file of personas holds."""

    model_config = ConfigDict(extra="forbid")

    personas: list[Persona] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a persona got. `differences`: (what, expected, got); empty where all is as expected."""

    persona: Persona
    code: Code | None
    variables: Mapping[str, Json]
    differences: tuple[tuple[str, Json, Json], ...]


class Tribunal:
    """Judges personas by the service's own settings."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._issuers = {issuer.issuer: issuer for issuer in settings.issuers}
        self._keys = ThrowAwayKeys(settings)
        self._authenticator = Authenticator(policy_of(settings), self._keys, clock)

    async def judge(self, persona: Persona) -> Outcome:
        """Judge one. Raises KeyError for an issuer that is not configured."""
        issuer = self._issuers[persona.issuer or self._settings.issuers[0].issuer]
        headers = CIMultiDict(persona.headers)
        if persona.claims is not None:
            claims = self._laid_over(persona.name, persona.claims, issuer)
            token = self._keys.sign(claims, issuer)
            headers.add("Authorization", f"Bearer {token}")
        webhook = self._settings.webhook
        try:
            request = read_request(headers, self._settings.org_header, webhook.max_token)
            session = await self._authenticator.authenticate(request)
        except Denied as denied:
            return Outcome(persona, denied.code, {}, tuple(_compare(persona, denied.code, {})))
        answer = session.variables
        return Outcome(persona, None, answer, tuple(_compare(persona, None, answer)))

    def _laid_over(
        self, name: str, claims: Mapping[str, Json], issuer: IssuerSettings
    ) -> dict[str, Json]:
        now = int(self._clock())
        usual = {
            "iss": issuer.issuer,
            "typ": "Bearer",
            "azp": issuer.clients[0],
            "sub": name,
            "iat": now,
            "exp": now + _LIFESPAN,
            # As Keycloak's audience mappers do it.
            "aud": [*issuer.audiences[:1], *object_at(claims, "resource_access")],
        }
        together = {**usual, **claims}
        return {claim: value for claim, value in together.items() if value is not None}


def _compare(
    persona: Persona, code: Code | None, variables: Mapping[str, Json]
) -> Iterator[tuple[str, Json, Json]]:
    if code != persona.deny:
        yield "code", str(persona.deny or "allowed"), str(code or "allowed")
    for name, expected in (persona.allow or {}).items():
        found = {key.lower(): value for key, value in variables.items()}.get(name.lower())
        if code is None and _written(found) != _written(expected):
            yield name, expected, found


def _written(value: Json) -> str:
    """Return a value as JSON: Hasura tells true from 1, Python does not."""
    return json.dumps(value, sort_keys=True)
