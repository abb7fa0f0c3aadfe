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

    cert_file: FilePath = Field(description="The certificate and its chain, in PEM form.")
    key_file: FilePath = Field(description="Its private key, in PEM form.")

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

    tls: TlsSettings | None = Field(None, description="Set to answer over HTTPS.")
    host: Host = Field(
        "127.0.0.1",
        description="The address to listen on; beyond loopback it wants `webhook.tls`, or "
        "`insecure_transport` where the network lets nobody but Hasura in.",
    )
    port: Port = Field(8090, description="The port to listen on.")
    path: str = Field(
        "/",
        pattern=r"^/[A-Za-z0-9/_.~-]*$",
        description="The one path that is answered, exactly; nothing redirects to it.",
    )
    max_token: Bytes = Field(
        32 * 1024, le=60 * 1024, description="The longest token that is looked at, at most 60KiB."
    )
    max_body: Bytes = Field(
        8 * 1024**2,
        description="The longest body of a POST, in which Hasura v2 sends its client's query too.",
    )
    read_timeout: Seconds = Field(
        10.0,
        description="A request that has not come in whole by then is given up, and its connection "
        "closed.",
        gt=0,
    )
    drain: Seconds = Field(
        5.0,
        description="How long after SIGTERM all goes on, for load balancers to see that `/readyz` "
        "is 503.",
    )

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

    host: Host = Field(
        "127.0.0.1",
        description="The address to listen on; nothing there asks for a credential.",
    )
    port: Port = Field(8091, description="The port to listen on.")
