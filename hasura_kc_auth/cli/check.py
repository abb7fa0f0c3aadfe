from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from hasura_kc_auth.cli.online import IssuerReport, look
from hasura_kc_auth.cli.running import (
    ConfigOption,
    Exit,
    JsonOption,
    refuse,
    run,
    settings_or_exit,
)
from hasura_kc_auth.config.issuers import IssuerSettings
from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.keycloak.realm_reader import ServiceAccount
from hasura_kc_auth.wiring import ParserMissing, require_parser_in_c, warnings_about


def check(  # noqa: PLR0913, PLR0917 - one for each option
    config: ConfigOption = None,
    online: Annotated[
        bool,
        typer.Option("--online", help="Ask each issuer: its keys, its name, its clock."),
    ] = False,
    issuer: Annotated[
        str, typer.Option(metavar="URL", help="With --online: ask this one of the issuers alone.")
    ] = "",
    client_id: Annotated[
        str,
        typer.Option(
            metavar="ID",
            help="With --online: a service account with view-clients and query-clients, to read "
            "the realm's clients and scopes as well.",
        ),
    ] = "",
    client_secret_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The file that holds its secret.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Validate the settings: every problem at once, naming the setting, and what is dangerous.

    With --online it also names what in Keycloak will make tokens fail: full scope allowed, an org's
    scope assigned as default, a missing audience, roles that a scope does not map, a clock that
    differs, and more.

    Exit 0: fine (warnings are printed). 1: something in Keycloak does not fit. 2: the settings or
    the options are not valid, or the installation has no HTTP parser in C. 3: an issuer could not
    be reached, or its realm not be read.
    """
    settings = settings_or_exit(config, as_json=as_json)
    _refuse_to_parse_in_python(as_json=as_json)
    if not online and (issuer or client_id or client_secret_file is not None):
        _refuse("--issuer, --client-id and --client-secret-file: need --online")
    issuers = _chosen(settings, issuer)
    account = _account(client_id, client_secret_file)
    if account is not None and len(issuers) > 1:
        # A secret is for one realm: another one, perhaps of somebody else, must not be told it.
        _refuse("--client-id: there are several issuers; say by --issuer whose account it is")
    warnings = warnings_about(settings)
    reports = run(look(settings, issuers, account)) if online else []
    if as_json:
        print(json.dumps(_as_object(warnings, reports)))
    else:
        _print(settings, warnings, reports)
    raise typer.Exit(_exit_code(reports))


def _refuse_to_parse_in_python(*, as_json: bool) -> None:
    try:
        require_parser_in_c()
    except ParserMissing as error:
        refuse([str(error)], as_json=as_json)


def _chosen(settings: Settings, name: str) -> tuple[IssuerSettings, ...]:
    chosen = tuple(it for it in settings.issuers if name in ("", it.issuer))
    if not chosen:
        _refuse("--issuer: is none of `issuers`")
    return chosen


def _account(client_id: str, secret_file: Path | None) -> ServiceAccount | None:
    if not client_id and secret_file is None:
        return None
    if not client_id or secret_file is None:
        _refuse("--client-id and --client-secret-file: go together")
    try:
        secret = secret_file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        _refuse("--client-secret-file: cannot be read")
    if not secret:
        _refuse("--client-secret-file: is empty")
    return ServiceAccount(client_id, secret)


def _refuse(problem: str) -> NoReturn:
    typer.echo(problem, err=True)
    raise typer.Exit(Exit.USAGE) from None


def _exit_code(reports: list[IssuerReport]) -> Exit:
    if any(report.unknown for report in reports):
        return Exit.CANNOT_TELL
    return Exit.YES if all(report.fits for report in reports) else Exit.NO


def _print(settings: Settings, warnings: list[str], reports: list[IssuerReport]) -> None:
    typer.echo(f"settings are valid: {len(settings.issuers)} issuer(s)")
    for warning in warnings:
        typer.secho(f"warning: {warning}", fg="yellow", err=True)
    for report in reports:
        typer.secho(f"{report.issuer}: {report.detail}", fg="green" if report.fits else "red")
        for fault in report.faults:
            typer.secho(f"  {_printable(fault)}", fg="red")


def _printable(text: str) -> str:
    """Names are the realm's: what they hold must not steer the terminal of who reads them."""
    return "".join(it if it.isprintable() else "\N{REPLACEMENT CHARACTER}" for it in text)


def _as_object(warnings: list[str], reports: list[IssuerReport]) -> dict[str, object]:
    return {
        "problems": [],
        "warnings": warnings,
        "issuers": {
            it.issuer: {"result": it.result, "detail": it.detail, "faults": it.faults}
            for it in reports
        },
    }
