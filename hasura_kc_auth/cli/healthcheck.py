from __future__ import annotations

from typing import Annotated

import aiohttp
import typer
from yarl import URL

from hasura_kc_auth.cli.running import ConfigOption, Exit, read_or_exit, run
from hasura_kc_auth.config.listeners import ManagementSettings
from hasura_kc_auth.config.sources import load_management

_TIMEOUT = aiohttp.ClientTimeout(total=3)
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound


def _read_url(text: str) -> URL:
    try:
        url = URL(text)
        if url.scheme in ("http", "https") and url.host:
            return url
    except ValueError:
        pass
    raise typer.BadParameter("must be an address such as http://127.0.0.1:8091")


def healthcheck(
    config: ConfigOption = None,
    url: Annotated[
        URL | None,
        typer.Option(
            parser=_read_url,
            metavar="URL",
            help="Ask this management listener, and read no settings.",
        ),
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Ask whether it is alive, not whether it is ready.")
    ] = False,
) -> None:
    """Ask the running service on this machine whether it is ready, as a container's health check.

    Of the settings only `management` is read, from the same variables and file as the service's;
    with neither, http://127.0.0.1:8091 is asked.

    Exit 0: ready. 1: not ready (no issuer's keys could be fetched yet). 3: no answer.
    """
    asked = url or _address(read_or_exit(load_management, config))
    status = run(_status(asked / ("livez" if live else "readyz")))
    if status is None:
        named = "--url" if url else "management.host, management.port"
        typer.echo(f"{named}: no answer from {asked}", err=True)
        raise typer.Exit(Exit.CANNOT_TELL)
    raise typer.Exit(Exit.YES if status == 200 else Exit.NO)  # noqa: PLR2004 - HTTP's OK


def _address(management: ManagementSettings) -> URL:
    host = _ANY_ADDRESS.get(management.host, management.host)
    return URL.build(scheme="http", host=host, port=management.port)


async def _status(url: URL) -> int | None:
    try:
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session, session.get(url) as response:
            return response.status
    except (aiohttp.ClientError, TimeoutError):
        return None
