"""The settings of the two listeners."""

from __future__ import annotations

import ssl
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    FilePath,
    ValidationInfo,
    field_validator,
    model_validator,
)

from hasura_kc_auth.config.sections import Section, insecure_transport, is_loopback
from hasura_kc_auth.config.units import Bytes, Seconds


def _refuse_bool(port: object) -> object:
    if isinstance(port, bool):
        raise ValueError("Input should be a number")  # noqa: TRY004 - pydantic collects ValueErrors
    return port


Port = Annotated[int, Field(ge=0, le=65535), BeforeValidator(_refuse_bool)]


def _check_host(host: str) -> str:
    try:
        host.encode("idna")
    except UnicodeError:
        raise ValueError("must be an address or a host's name") from None
    if not host.isprintable() or " " in host:
        raise ValueError("must be an address or a host's name")
    return host


Host = Annotated[str, Field(min_length=1), AfterValidator(_check_host)]


class TlsSettings(Section):
    """The webhook's own certificate."""

    cert_file: FilePath
    key_file: FilePath

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
                self.cert_file, self.key_file
            )
        except OSError:  # ssl.SSLError is one
            raise ValueError(
                "cert_file and key_file must be readable, in PEM form, and belong together"
            ) from None
        return self


class WebhookSettings(Section):
    """The listener that Hasura calls."""

    tls: TlsSettings | None = None
    host: Host = "127.0.0.1"
    port: Port = 8090
    path: str = Field("/", pattern=r"^/[A-Za-z0-9/_.~-]*$")
    max_token: Bytes = Field(32 * 1024, le=60 * 1024, description="Longest token looked at.")
    max_body: Bytes = Field(8 * 1024**2, description="Longest body of a POST.")
    read_timeout: Seconds = Field(10.0, description="For a request to come in whole.", gt=0)
    drain: Seconds = Field(5.0, description="Between SIGTERM and closing the listener.")

    @field_validator("host")
    @classmethod
    def _guards_the_answer(cls, host: str, info: ValidationInfo) -> str:
        """Keep the answer, which decides who is what, from crossing a network in the clear."""
        # Where `tls` itself is not right, it is not in the data, and that is problem enough.
        plain = info.data.get("tls", ...) is None
        if plain and not is_loopback(host) and not insecure_transport(info):
            raise ValueError(
                "is not loopback: set webhook.tls, or insecure_transport: true where the network "
                "lets nobody but Hasura in"
            )
        return host


class ManagementSettings(Section):
    """The listener for health and metrics."""

    host: Host = "127.0.0.1"
    port: Port = 8091
