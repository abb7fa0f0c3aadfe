from __future__ import annotations

from typing import Annotated

import aiohttp
import typer
from yarl import URL

from hasura_kc_auth.cli.running import ConfigOption, Exit, run, settings_or_exit

_TIMEOUT = aiohttp.ClientTimeout(total=3)
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound


def healthcheck(
    config: ConfigOption = None,
    live: Annotated[
        bool, typer.Option("--live", help="Ask whether it is alive, not whether it is ready.")
    ] = False,
) -> None:
    """Ask the running service on this machine whether it is ready, as a container's health check.

    Exit 0: ready. 1: not ready (no issuer's keys could be fetched yet). 3: no answer.
    """
    management = settings_or_exit(config).management
    host = _ANY_ADDRESS.get(management.host, management.host)
    url = URL.build(scheme="http", host=host, port=management.port)
    status = run(_status(url / ("livez" if live else "readyz")))
    if status is None:
        typer.echo(f"management.host, management.port: no answer from {url}", err=True)
        raise typer.Exit(Exit.CANNOT_TELL)
    raise typer.Exit(Exit.YES if status == 200 else Exit.NO)  # noqa: PLR2004 - HTTP's OK


async def _status(url: URL) -> int | None:
    try:
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session, session.get(url) as response:
            return response.status
    except (aiohttp.ClientError, TimeoutError):
        return None
