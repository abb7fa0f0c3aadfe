"""What all sections share."""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, SecretStr, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from typing_extensions import override

from hasura_kc_auth.config.units import default_as_written
from hasura_kc_auth.core.policy import HASURA_ADMIN

INSECURE_TRANSPORT = "insecure_transport"
"""Key of the validation context: whether plain HTTP was explicitly allowed."""

_ROLE = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @classmethod
    @override
    def __get_pydantic_json_schema__(
        cls, core_schema: Any, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        schema = handler.resolve_ref_schema(handler(core_schema))
        for field in schema.get("properties", {}).values():
            default_as_written(field)
        return schema


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def insecure_transport(info: ValidationInfo) -> bool:
    """Whether the operator has allowed plain HTTP across a network."""
    return bool((info.context or {}).get(INSECURE_TRANSPORT))


def read_secret(written: SecretStr | None, file: Path | None) -> str:
    """Return a secret that is written out, or else what its file holds. Raises ValueError."""
    if written is not None:
        text = written.get_secret_value()
    else:
        try:
            text = Path(file or "").read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise ValueError("its file must be readable text") from None
    if not text:
        raise ValueError("must not be empty")
    return text


def check_hasura_role(role: str) -> str:
    if role == HASURA_ADMIN:
        raise ValueError(
            "must not be `admin`, Hasura's superuser who sees every org: map it to another role"
        )
    if not _ROLE.fullmatch(role):
        raise ValueError("must be 1 to 64 of A-Z a-z 0-9 _ . : -")
    return role
