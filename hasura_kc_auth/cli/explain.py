from __future__ import annotations

import json
import random
import re
from typing import Annotated

import typer
from multidict import CIMultiDict
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hasura_kc_auth.authenticator import Authenticator
from hasura_kc_auth.cli.examination import Examination, examine, note_failure, reasons
from hasura_kc_auth.cli.prompt import ask_for_token
from hasura_kc_auth.cli.running import ConfigOption, Exit, JsonOption, run, settings_or_exit
from hasura_kc_auth.config.policy import policy_of
from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.core.errors import Code, Denied
from hasura_kc_auth.core.request import ROLE_HEADER, Request, read_request
from hasura_kc_auth.keycloak.jwks import IssuerKeys, RealmKeys
from hasura_kc_auth.wiring import SYSTEM_CLOCKS, Completers, StartFailed, key_source, key_times

_HEADER_NAME = re.compile(r"^authorization:", re.IGNORECASE)
_MARKS = {True: "[green]✓[/green]", False: "[red]✗[/red]", None: "[dim]·[/dim]"}


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
    if as_json:
        print(json.dumps(_as_object(found)))
    else:
        _print(found)
    if found.denied is None:
        raise typer.Exit(Exit.YES)
    raise typer.Exit(Exit.CANNOT_TELL if found.denied.code.undecided else Exit.NO)


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
        return await examine(authenticator, _request(settings, text, org, role))
    except Denied as denied:
        found = Examination(denied=denied)
        note_failure(found, denied)
        return found
    finally:
        await keys.stop()
        await completers.stop()


def _request(settings: Settings, text: str, org: str, role: str) -> Request:
    """Read the text as the webhook reads headers; people paste the header as well as the token."""
    credential = _HEADER_NAME.sub("", text).strip()
    if " " not in credential:
        credential = f"Bearer {credential}"
    headers = CIMultiDict(
        {"Authorization": credential, settings.org_header: org, ROLE_HEADER: role}
    )
    return read_request(headers, settings.org_header, settings.webhook.max_token)


def _print(found: Examination) -> None:
    console = Console(highlight=False)
    table = Table(box=None, show_header=False)
    for fact, holds in found.findings():
        table.add_row(_MARKS[holds], escape(fact.must), f"[dim]{fact.code}[/dim]")
    console.print(table)
    if found.session is not None:
        console.print("[green]allowed[/green]")
        console.print(json.dumps(found.session.variables, indent=2), markup=False, soft_wrap=True)
        return
    code = found.denied.code if found.denied else Code.INTERNAL_ERROR
    console.print(f"[red]denied: {code}[/red]")
    for reason in reasons(found):
        console.print(escape(reason))


def _as_object(found: Examination) -> dict[str, object]:
    return {
        "allowed": found.session is not None,
        "code": found.denied.code if found.denied else None,
        "rules": [
            {"code": fact.code, "must": fact.must, "holds": holds}
            for fact, holds in found.findings()
        ],
        "advice": reasons(found),
        "variables": found.session.variables if found.session else None,
    }
