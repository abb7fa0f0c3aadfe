"""What all sections share."""

from __future__ import annotations

import re
from ipaddress import ip_address

from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationInfo,
)

INSECURE_TRANSPORT = "insecure_transport"
"""Key of the validation context: whether plain HTTP was explicitly allowed."""

_ROLE = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


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


def check_hasura_role(role: str) -> str:
    if role == "admin":
        raise ValueError(
            "must not be `admin`, Hasura's superuser who sees every org: map it to another role"
        )
    if not _ROLE.fullmatch(role):
        raise ValueError("must be 1 to 64 of A-Z a-z 0-9 _ . : -")
    return role
