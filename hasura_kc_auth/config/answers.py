"""The settings of what is answered: roles, variables, the anonymous session."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    JsonValue,
    ValidationInfo,
    field_validator,
    model_validator,
)

from hasura_kc_auth.config.sections import Section, check_hasura_role
from hasura_kc_auth.config.units import Seconds
from hasura_kc_auth.core.session import ALLOWED_ROLES, ORG_ID, ROLE, USER_ID

_VARIABLE = re.compile(r"[Xx]-[Hh]asura-[A-Za-z0-9-]{1,56}")
# What the service answers itself, and what means something else to Hasura.
_RESERVED_VARIABLES = frozenset(
    name.lower()
    for name in (
        *(ORG_ID, ROLE, ALLOWED_ROLES, USER_ID),
        "X-Hasura-Default-Role",
        "X-Hasura-Admin-Secret",
        "X-Hasura-Access-Key",
        "X-Hasura-Use-Backend-Only-Permissions",
    )
)


class RoleSettings(Section):
    """Which Keycloak roles become which Hasura roles."""

    allowed: tuple[str, ...] = Field(
        min_length=1, description="Hasura roles that may be answered; the first one held is default"
    )
    map: dict[str, str] = Field({}, description="Keycloak role -> Hasura role.")

    acr: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]] = Field(
        {}, description="Hasura role -> the `acr` values with one of which alone it is held."
    )

    @field_validator("allowed")
    @classmethod
    def _are_hasura_roles(cls, allowed: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(allowed)) != len(allowed):
            raise ValueError("holds a role twice")
        return tuple(map(check_hasura_role, allowed))

    @field_validator("map")
    @classmethod
    def _leads_to_allowed_roles(
        cls, mapping: dict[str, str], info: ValidationInfo
    ) -> dict[str, str]:
        targets = set(map(check_hasura_role, mapping.values()))
        # Where `allowed` itself is not right, it is not in the data, and that is problem enough.
        if not targets <= set(info.data.get("allowed", targets)):
            raise ValueError("leads to a role that is not in roles.allowed")
        return mapping

    @field_validator("acr")
    @classmethod
    def _is_about_allowed_roles(
        cls, acr: dict[str, tuple[str, ...]], info: ValidationInfo
    ) -> dict[str, tuple[str, ...]]:
        if not acr.keys() <= set(info.data.get("allowed", acr)):
            raise ValueError("names a role that is not in roles.allowed")
        return acr


def _check_variable_names(names: Mapping[str, object]) -> None:
    folded = [name.lower() for name in names]
    if len(set(folded)) != len(folded):
        raise ValueError("holds one name in two spellings; Hasura compares them without case")
    for name in names:
        if not _VARIABLE.fullmatch(name):
            raise ValueError("holds a name that is not X-Hasura-… of A-Z a-z 0-9 -")
        if name.lower() in _RESERVED_VARIABLES:
            raise ValueError(f"must not set {name}: it is the service's or Hasura's own")


def _check_json(value: JsonValue) -> JsonValue:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        raise ValueError("must be a value that JSON has: no .nan and no .inf") from None
    return value


Constant = Annotated[JsonValue, AfterValidator(_check_json)]


class AnonymousSettings(Section):
    """What a request without any credential gets."""

    role: str
    variables: dict[str, Constant] = Field({})

    _role = field_validator("role")(check_hasura_role)

    @field_validator("variables")
    @classmethod
    def _are_free_names(cls, variables: dict[str, JsonValue]) -> dict[str, JsonValue]:
        _check_variable_names(variables)
        return variables


class VariableSettings(Section):
    r"""One session variable: a claim by its dotted path (`\.` escapes a dot), or a constant."""

    claim: str | None = Field(None, min_length=1)
    list: bool = Field(
        default=False, description="Always a list: empty where the claim is missing."
    )
    default: Constant = Field(None, description="Where the claim is missing.")
    value: Constant = Field(None, description="A constant, instead of a claim.")

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.claim is None) == (self.value is None):
            raise ValueError("must have either `claim` or `value`")
        if self.value is not None and (self.list or self.default is not None):
            raise ValueError("`list` and `default` go with `claim` only")
        return self


class SessionSettings(Section):
    """How the answer is written."""

    user_id: str = Field("sub", min_length=1, description="Dotted path of X-Hasura-User-Id.")
    variables: dict[str, VariableSettings] = Field({}, description="More session variables.")
    values: Literal["text", "json"] = Field(
        "text", description="text: strings, lists as Postgres arrays (v2); json: native (v3)."
    )
    max_age: Seconds | None = Field(300.0, description="Cap of Cache-Control; null leaves it out.")

    @field_validator(
        "variables", mode="before", json_schema_input_type=dict[str, str | VariableSettings]
    )
    @classmethod
    def _short_form(cls, variables: JsonValue) -> JsonValue:
        """Read `X-Hasura-Email: email` as `{claim: email}`."""
        if not isinstance(variables, dict):
            return variables
        return {
            name: {"claim": spec} if isinstance(spec, str) else spec
            for name, spec in variables.items()
        }

    @field_validator("variables")
    @classmethod
    def _are_free_names(cls, variables: dict[str, VariableSettings]) -> dict[str, VariableSettings]:
        _check_variable_names(variables)
        return variables

    @field_validator("max_age")
    @classmethod
    def _is_at_least_a_second(cls, max_age: float | None) -> float | None:
        if max_age is not None and max_age < 1:
            raise ValueError("must be at least 1s: Hasura closes a WebSocket at once for less")
        return max_age
