from __future__ import annotations

import signal

import typer

from hasura_kc_auth.cli.running import (
    ConfigOption,
    Exit,
    Signals,
    raw_output,
    run_and_leave,
    settings_or_exit,
)
from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.wiring import Service, StartFailed

_STDOUT = 1


def serve(config: ConfigOption = None) -> None:
    """Run the webhook and the management listener.

    Hasura calls the webhook (HASURA_GRAPHQL_AUTH_HOOK); the orchestrator and Prometheus call
    /livez, /readyz and /metrics. Logs go to standard output. SIGTERM stops it without a failed
    request: not ready first, then webhook.drain, then open connections are asked to go.
    """
    settings = settings_or_exit(config)
    try:
        run_and_leave(_serve(settings))
    except StartFailed as error:
        typer.echo(f"configuration: {error}", err=True)
        raise typer.Exit(Exit.USAGE) from None


async def _serve(settings: Settings) -> None:
    signals = Signals()
    service = Service(settings, raw_output(_STDOUT))
    await service.start()
    came = await signals.wait()
    # Ctrl-C is a person waiting at a terminal, not an orchestrator with traffic behind it.
    await service.stop(drain=0.0 if came is signal.SIGINT else settings.webhook.drain)
