from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hasura_kc_auth.cli.keycloak.access import (
    AdminOption,
    ClientIdOption,
    FileArgument,
    LoginRealmOption,
    PasswordOption,
    SecretOption,
    login_or_exit,
    open_realm,
    orgs_or_exit,
    run_or_exit,
)
from hasura_kc_auth.cli.keycloak.showing import as_object, lines, printable, summary
from hasura_kc_auth.cli.running import ConfigOption, Exit, JsonOption
from hasura_kc_auth.config.credentials import LoginOptions
from hasura_kc_auth.config.orgs_file import OrgsFile
from hasura_kc_auth.keycloak.admin.api import Login
from hasura_kc_auth.keycloak.realm.state import RealmState
from hasura_kc_auth.provisioning.items import Found
from hasura_kc_auth.provisioning.plan import Plan
from hasura_kc_auth.provisioning.plan import plan as steps_towards

PruneOption = Annotated[
    bool, typer.Option("--prune", help="Remove what the file owns and does not want any more.")
]
AdoptOption = Annotated[
    bool, typer.Option("--adopt", help="Take over what the file names and others have made.")
]


def plan(  # noqa: PLR0913, PLR0917 - one for each option
    file: FileArgument = Path("orgs.yaml"),
    config: ConfigOption = None,
    prune: PruneOption = False,
    adopt: AdoptOption = False,
    client_id: ClientIdOption = "",
    client_secret_file: SecretOption = None,
    admin: AdminOption = "",
    admin_password_file: PasswordOption = None,
    login_realm: LoginRealmOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show what `apply` would do to the realm, and do nothing.

    `+` is made, `~` is changed (old -> new), `-` is removed (with --prune only), `!` can't be had
    that way. The account needs view-clients, and view-users where the file has members;
    docs/provisioning.md has the roles of each command.

    Exit 0: the realm is as the file says. 1: it is not. 2: the file, the settings or the options
    are not valid. 3: Keycloak can't be reached, or the account may not look.
    """
    orgs = orgs_or_exit(file, config, as_json=as_json)
    options = LoginOptions(client_id, client_secret_file, admin, admin_password_file, login_realm)
    login = login_or_exit(options, as_json=as_json)
    found = run_or_exit(_look(orgs, login), as_json=as_json)
    made = steps_towards(orgs.wanted, found, prune=prune, adopt=adopt)
    if as_json:
        print(json.dumps(as_object(made)))
    else:
        show(made)
    raise typer.Exit(Exit.YES if made.is_empty else Exit.NO)


async def _look(orgs: OrgsFile, login: Login) -> Found:
    async with open_realm(orgs.issuer, login) as admin:
        return await RealmState(admin).read(orgs.wanted)


def show(made: Plan) -> None:
    """Print a plan as a diff."""
    console = Console(highlight=False, emoji=False)
    for colour, text in lines(made):
        console.print(text, style=colour, markup=False, soft_wrap=True)
    show_remarks(made.problems, made.notes, console)
    if made.is_empty:
        console.print("nothing to do: the realm is as the file says", style="green")
    else:
        console.print(summary(made))


def show_remarks(problems: Iterable[str], notes: Iterable[str], console: Console) -> None:
    """Print what is not as the file says and stays so, and what others made and was left."""
    for problem in problems:
        console.print(f"! {printable(problem)}", style="bold red", markup=False, soft_wrap=True)
    for note in notes:
        console.print(f"  {printable(note)}", style="dim", markup=False, soft_wrap=True)
