from __future__ import annotations

import asyncio
import json
from typing import Annotated

import typer

from hasura_kc_auth.cli.running import ConfigOption, Exit, JsonOption, run, settings_or_exit
from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.keycloak.fetch import FetchFailed, FetchResult, client_session
from hasura_kc_auth.keycloak.jwks import KeySource, fetch_key_set
from hasura_kc_auth.wiring import key_source, warnings_about

_UNREACHABLE = (FetchResult.TIMEOUT, FetchResult.CONNECT)


def check(
    config: ConfigOption = None,
    online: Annotated[
        bool, typer.Option("--online", help="Fetch each issuer's keys as the service would.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Validate the settings: every problem at once, naming the setting, and what is dangerous.

    Exit 0: fine (warnings are printed). 1: an issuer's discovery or keys do not fit. 2: the
    settings are not valid. 3: an issuer could not be reached.
    """
    settings = settings_or_exit(config, as_json=as_json)
    warnings = warnings_about(settings)
    results = run(_ask_issuers(settings)) if online else {}
    if as_json:
        issuers = {issuer: {"result": it, "detail": text} for issuer, (it, text) in results.items()}
        print(json.dumps({"problems": [], "warnings": warnings, "issuers": issuers}))
    else:
        _print(settings, warnings, results)
    outcomes = {result for result, _ in results.values()}
    if outcomes.intersection(_UNREACHABLE):
        raise typer.Exit(Exit.CANNOT_TELL)
    raise typer.Exit(Exit.NO if outcomes - {FetchResult.OK} else Exit.YES)


Results = dict[str, tuple[FetchResult, str]]


def _print(settings: Settings, warnings: list[str], results: Results) -> None:
    typer.echo(f"settings are valid: {len(settings.issuers)} issuer(s)")
    for warning in warnings:
        typer.secho(f"warning: {warning}", fg="yellow", err=True)
    for issuer, (result, text) in results.items():
        typer.secho(f"{issuer}: {text}", fg="green" if result is FetchResult.OK else "red")


async def _ask_issuers(settings: Settings) -> Results:
    sources = [key_source(issuer) for issuer in settings.issuers]
    answers = await asyncio.gather(*(_ask(it, settings.keys.timeout) for it in sources))
    return {source.issuer: answer for source, answer in zip(sources, answers, strict=True)}


async def _ask(source: KeySource, timeout: float) -> tuple[FetchResult, str]:  # noqa: ASYNC109
    try:
        async with asyncio.timeout(timeout), client_session(source.tls) as session:
            keys = await fetch_key_set(session, source)
    except TimeoutError:
        return FetchResult.TIMEOUT, "no answer within keys.timeout"
    except FetchFailed as failure:
        return failure.result, f"{failure.detail} ({failure.result})"
    usable = ", ".join(sorted({name for key in keys.values() for name in key.verifiers}))
    return FetchResult.OK, f"{len(keys)} usable key(s) for {usable}"
