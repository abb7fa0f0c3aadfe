"""What the commands share: the options of a login, and the realm that they open with it."""

from __future__ import annotations

import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer

from hasura_kc_auth.cli.keycloak.showing import printable
from hasura_kc_auth.cli.running import Exit, complain, run, settings_or_exit
from hasura_kc_auth.config.credentials import LoginOptions, login_of
from hasura_kc_auth.config.issuers import IssuerSettings
from hasura_kc_auth.config.orgs_file import OrgsFile, read_orgs
from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.config.sources import ConfigurationError
from hasura_kc_auth.keycloak.admin.api import Admin, AdminFailed, Login
from hasura_kc_auth.keycloak.admin.errors import ExtraMissing, LoginImpossible
from hasura_kc_auth.keycloak.realm_reader import realm_url

Result = TypeVar("Result")

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The file of orgs.")]
ClientIdOption = Annotated[
    str,
    typer.Option(metavar="ID", help="Log in as this service account. Else: KEYCLOAK_CLIENT_ID."),
]
SecretOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="The file of its secret. Else: KEYCLOAK_CLIENT_SECRET."),
]
AdminOption = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="Log in as this admin, for a first try. Else: KEYCLOAK_USER."
    ),
]
PasswordOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="The file of their password. Else: KEYCLOAK_PASSWORD, or you are asked.",
    ),
]
LoginRealmOption = Annotated[
    str,
    typer.Option(
        metavar="REALM", help="Where the account is. Default: the realm itself; of admins: master."
    ),
]
IssuerOption = Annotated[
    str, typer.Option(metavar="URL", help="Which of the issuers, where there are several.")
]


def login_or_exit(options: LoginOptions, *, as_json: bool = False) -> Login:
    """Return who logs in; or say what is missing, and exit 2."""
    try:
        return login_of(options, os.environ, _ask)  # noqa: TID251 - handed on, read in config
    except ConfigurationError as error:
        refuse(error.problems, as_json=as_json)


def _ask(question: str) -> str:
    if not sys.stdin.isatty():
        return ""
    return str(typer.prompt(question, hide_input=True, default="", show_default=False, err=True))


def orgs_or_exit(file: Path, config: Path | None, *, as_json: bool = False) -> OrgsFile:
    """Read the file of orgs; with any problem in it or the settings print them all and exit 2."""
    settings = settings_or_exit(config, as_json=as_json)
    try:
        return read_orgs(file, settings)
    except ConfigurationError as error:
        refuse(error.problems, as_json=as_json)


def issuer_or_exit(settings: Settings, url: str, *, as_json: bool = False) -> IssuerSettings:
    """Return the one issuer that is meant; or say which there are to choose from, and exit 2."""
    chosen = [it for it in settings.issuers if url in ("", it.issuer)]
    if not chosen:
        refuse(["--issuer: is none of `issuers`"], as_json=as_json)
    if len(chosen) > 1:
        problem = "--issuer: there are several issuers; say which one is meant"
        refuse([problem], as_json=as_json)
    return chosen[0]


def open_realm(issuer: IssuerSettings, login: Login) -> Admin:
    """Return the admin API of an issuer's realm: asked where its keys are."""
    server, _, realm = realm_url(issuer.issuer, issuer.jwks_uri).rpartition("/realms/")
    return Admin(server, realm, login, ca_file=issuer.ca_file)


def run_or_exit(main: Coroutine[Any, Any, Result], *, as_json: bool = False) -> Result:
    """Run; exit 1 where nobody could log in so, 3 where Keycloak can't be reached or forbids it."""
    try:
        return run(main)
    except ExtraMissing as failure:
        refuse([str(failure)], as_json=as_json)
    except LoginImpossible as failure:
        complain([f"Keycloak: {failure}"], printable, as_json=as_json)
        raise typer.Exit(Exit.NO) from None
    except AdminFailed as failure:
        complain([f"Keycloak: {failure}"], printable, as_json=as_json)
        raise typer.Exit(Exit.CANNOT_TELL) from None


def refuse(problems: list[str], *, as_json: bool = False) -> NoReturn:
    """Print what is wrong with the command, its file or the settings, and exit 2."""
    complain(problems, printable, as_json=as_json)
    raise typer.Exit(Exit.USAGE) from None
