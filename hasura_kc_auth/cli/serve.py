from __future__ import annotations

import gc
import os
import signal
from collections.abc import Mapping

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
from hasura_kc_auth.config.sources import ConfigurationError
from hasura_kc_auth.config.tracing import wants_tracing
from hasura_kc_auth.telemetry.tracing import NO_TRACING, Tracing
from hasura_kc_auth.wiring import SYSTEM_CLOCKS, Service, StartFailed

_STDOUT = 1
# New objects that hold others, by which the garbage collector looks among them. Python's 700 are
# few beside a POST body's: at a megabyte it would look a hundred times, for nothing.
_COLLECT_AFTER = 10_000


def serve(config: ConfigOption = None) -> None:
    """Run the webhook and the management listener.

    Hasura calls the webhook (HASURA_GRAPHQL_AUTH_HOOK); the orchestrator and Prometheus call
    /livez, /readyz and /metrics, and /denials tells who was refused and why. Logs go to standard
    output. SIGTERM stops it without a failed request: not ready first, then webhook.drain, then
    open connections are asked to go.
    """
    settings = settings_or_exit(config)
    try:
        run_and_leave(_serve(settings))
    except (StartFailed, ConfigurationError) as error:
        for problem in str(error).splitlines():
            typer.echo(f"configuration: {problem}", err=True)
        raise typer.Exit(Exit.USAGE) from None


async def _serve(settings: Settings) -> None:
    signals = Signals()
    tracing = _tracing(os.environ)  # noqa: TID251 - handed on: config.tracing reads it
    service = Service(settings, raw_output(_STDOUT), SYSTEM_CLOCKS, tracing)
    await service.start()
    _spare_the_collector()
    came = await signals.wait()
    # Ctrl-C is a person waiting at a terminal, not an orchestrator with traffic behind it.
    await service.stop(drain=0.0 if came is signal.SIGINT else settings.webhook.drain)


def _spare_the_collector() -> None:
    """Set aside what the start has made, which stays: no collection need look at it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)


def _tracing(environment: Mapping[str, str]) -> Tracing:
    """Return tracing as the variables OTEL_* say. Raises ConfigurationError, StartFailed."""
    if not wants_tracing(environment):
        return NO_TRACING
    try:
        from hasura_kc_auth.telemetry.spans import open_spans  # noqa: PLC0415 - the extra `otel`
    except ImportError as error:
        missing = "OTEL_TRACES_EXPORTER: needs the extra: hasura-kc-auth[otel]"
        raise StartFailed(missing) from error
    return open_spans()
