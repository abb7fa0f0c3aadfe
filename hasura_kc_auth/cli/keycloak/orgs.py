from __future__ import annotations

import json
from collections.abc import Mapping

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hasura_kc_auth.cli.examination import Examination
from hasura_kc_auth.cli.keycloak.access import (
    AdminOption,
    ClientIdOption,
    IssuerOption,
    LoginRealmOption,
    PasswordOption,
    SecretOption,
    issuer_or_exit,
    login_or_exit,
    open_realm,
    refuse,
    run_or_exit,
)
from hasura_kc_auth.cli.keycloak.showing import printable
from hasura_kc_auth.cli.keycloak.token import (
    FrontendOption,
    UserOption,
    claims_of,
    judge,
    scopes_for,
)
from hasura_kc_auth.cli.running import ConfigOption, Exit, JsonOption, settings_or_exit
from hasura_kc_auth.config.credentials import LoginOptions
from hasura_kc_auth.config.issuers import IssuerSettings
from hasura_kc_auth.config.policy import policy_of
from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.core.claims import object_at
from hasura_kc_auth.core.session import ORG_ID
from hasura_kc_auth.keycloak.admin.api import Login
from hasura_kc_auth.keycloak.realm.example_tokens import ExampleTokens
from hasura_kc_auth.provisioning.recipe import ORGANIZATION
from hasura_kc_auth.provisioning.wanted import MY_ORGS


def orgs(  # noqa: PLR0913, PLR0917 - one for each option
    user: UserOption,
    client: FrontendOption = "",
    config: ConfigOption = None,
    issuer: IssuerOption = "",
    client_id: ClientIdOption = "",
    client_secret_file: SecretOption = None,
    admin: AdminOption = "",
    admin_password_file: PasswordOption = None,
    login_realm: LoginRealmOption = "",
    as_json: JsonOption = False,
) -> None:
    """List the orgs that a user could pick, and the Hasura roles that they would have in each.

    Groups and composite roles count, as they do in a login; the answer is that of the rules and
    settings that you serve with. The account needs view-clients and view-users.

    Exit 0: there is one at least. 1: there is none. 2: the settings or the options are not valid.
    3: Keycloak can't be reached, or the account may not look.
    """
    settings = settings_or_exit(config, as_json=as_json)
    chosen = issuer_or_exit(settings, issuer, as_json=as_json)
    if chosen.org.from_ == "claim":
        refuse(["org.from is claim: there is no scope that tells all orgs"], as_json=as_json)
    options = LoginOptions(client_id, client_secret_file, admin, admin_password_file, login_realm)
    login = login_or_exit(options, as_json=as_json)
    found = run_or_exit(
        _judge_each(settings, chosen, login, client or chosen.clients[0], user), as_json=as_json
    )
    if as_json:
        print(json.dumps({"orgs": [_as_object(org, it) for org, it in found.items()]}))
    else:
        _print(found)
    allowed = any(it.session is not None for it in found.values())
    raise typer.Exit(Exit.YES if allowed else Exit.NO)


async def _judge_each(
    settings: Settings, issuer: IssuerSettings, login: Login, client: str, user: str
) -> dict[str, Examination]:
    """Return, by org, what the service says of a login for it alone."""
    policy = policy_of(settings).issuers[issuer.issuer]
    every = MY_ORGS if policy.org.source == "client-scope" else f"{ORGANIZATION}:*"
    carrier = "resource_access" if policy.org.source == "client-scope" else ORGANIZATION
    found: dict[str, Examination] = {}
    async with open_realm(issuer, login) as admin:
        examples = ExampleTokens(admin, client)
        told = await claims_of(examples, issuer, user, [every])
        for org in filter(policy.can_be_org, object_at(told, carrier)):
            claims = await claims_of(examples, issuer, user, scopes_for(policy.org, org))
            found[org] = await judge(settings, issuer, claims, "", "")
    return found


def _print(found: Mapping[str, Examination]) -> None:
    table = Table("org", "roles", box=None, padding=(0, 1, 0, 0))
    for org, examination in found.items():
        table.add_row(escape(printable(org)), _verdict(examination))
    console = Console(highlight=False, emoji=False)
    console.print(table if found else "[yellow]none: the user holds no role in any org[/yellow]")


def _verdict(found: Examination) -> str:
    if found.session is None:
        return f"[red]{found.denied.code if found.denied else ''}[/red]"
    return f"[green]{escape(', '.join(_roles(found)))}[/green]"


def _roles(found: Examination) -> tuple[str, ...]:
    return found.case.held if found.case is not None else ()


def _as_object(org: str, found: Examination) -> dict[str, object]:
    session = found.session
    return {
        "org": org,
        "org_id": session.variables[ORG_ID] if session else None,
        "roles": list(_roles(found)),
        "code": found.denied.code if found.denied else None,
    }
