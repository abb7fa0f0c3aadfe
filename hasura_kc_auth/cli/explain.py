from __future__ import annotations

import random
from typing import Annotated

import typer

from hasura_kc_auth.authenticator import Authenticator
from hasura_kc_auth.cli.examination import Examination, examine, note_failure
from hasura_kc_auth.cli.prompt import ask_for_token
from hasura_kc_auth.cli.running import ConfigOption, Exit, JsonOption, run, settings_or_exit
from hasura_kc_auth.cli.verdict import request_with, tell
from hasura_kc_auth.config.policy import policy_of
from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.core.errors import Denied
from hasura_kc_auth.keycloak.jwks import IssuerKeys, RealmKeys
from hasura_kc_auth.wiring import SYSTEM_CLOCKS, Completers, StartFailed, key_source, key_times


def explain(
    config: ConfigOption = None,
    org: Annotated[str, typer.Option(help="The org that the request would name.")] = "",
    role: Annotated[str, typer.Option(help="The X-Hasura-Role that it would send.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Say why a token is let in or refused: every rule in order, and what to change in Keycloak.

    The token is read from standard input, or from a hidden prompt on a terminal; never from the
    command line, where others could read it. It walks the rules that the webhook walks and asks the
    same keys. What it prints holds claims of the token: it is for your eyes.

    Exit 0: allowed. 1: denied. 2: the settings are not valid. 3: the keys could not be fetched.
    """
    settings = settings_or_exit(config, as_json=as_json)
    text = ask_for_token()
    try:
        found = run(_examine(settings, text.strip(), org, role))
    except StartFailed as error:
        typer.echo(f"configuration: {error}", err=True)
        raise typer.Exit(Exit.USAGE) from None
    raise typer.Exit(tell(found, as_json=as_json))


async def _examine(settings: Settings, text: str, org: str, role: str) -> Examination:
    keys = RealmKeys(
        {
            issuer.issuer: IssuerKeys(
                key_source(issuer),
                key_times(settings),
                monotonic=SYSTEM_CLOCKS.monotonic,
                random=random.random,
                report=lambda *_: None,
            )
            for issuer in settings.issuers
        }
    )
    completers = Completers(settings, SYSTEM_CLOCKS, lambda *_: None)
    await keys.start()
    await completers.start()
    try:
        authenticator = Authenticator(
            policy_of(settings), keys, SYSTEM_CLOCKS.wall, completers.completions
        )
        return await examine(authenticator, request_with(settings, text, org, role))
    except Denied as denied:
        found = Examination(denied=denied)
        note_failure(found, denied)
        return found
    finally:
        await keys.stop()
        await completers.stop()
