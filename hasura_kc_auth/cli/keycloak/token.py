from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from hasura_kc_auth.authenticator import Authenticator
from hasura_kc_auth.cli.examination import Examination, examine
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
    run_or_exit,
)
from hasura_kc_auth.cli.running import ConfigOption, JsonOption, settings_or_exit
from hasura_kc_auth.cli.throw_away_keys import ThrowAwayKeys
from hasura_kc_auth.cli.verdict import request_with, tell
from hasura_kc_auth.config.credentials import LoginOptions
from hasura_kc_auth.config.issuers import IssuerSettings
from hasura_kc_auth.config.policy import policy_of
from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.core.policy import OrgPolicy
from hasura_kc_auth.core.strict_json import Json
from hasura_kc_auth.keycloak.admin.api import Login
from hasura_kc_auth.keycloak.admin.errors import LoginImpossible
from hasura_kc_auth.keycloak.realm.example_tokens import ExampleTokens
from hasura_kc_auth.wiring import SYSTEM_CLOCKS

UserOption = Annotated[str, typer.Option(metavar="NAME", help="The user's name in the realm.")]
FrontendOption = Annotated[
    str,
    typer.Option(metavar="ID", help="The client of the login. Default: the first of `clients`."),
]


def token(  # noqa: PLR0913, PLR0917 - one for each option
    user: UserOption,
    org: Annotated[str, typer.Option(help="The org that the login asks for.")] = "",
    role: Annotated[str, typer.Option(help="The X-Hasura-Role that a request would send.")] = "",
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
    """Say what a user would get for an org: with the token that Keycloak would issue, no password.

    Keycloak makes the claims (evaluate-scopes, as its console does); they are signed with a
    throw-away key and judged by the rules and settings that you serve with. No token is printed,
    and none is issued. The account needs view-clients and view-users.

    Exit 0: allowed. 1: denied, and why. 2: the settings or the options are not valid. 3: Keycloak
    can't be reached, or the account may not look.
    """
    settings = settings_or_exit(config, as_json=as_json)
    chosen = issuer_or_exit(settings, issuer, as_json=as_json)
    options = LoginOptions(client_id, client_secret_file, admin, admin_password_file, login_realm)
    login = login_or_exit(options, as_json=as_json)
    frontend = client or chosen.clients[0]
    scopes = scopes_for(policy_of(settings).issuers[chosen.issuer].org, org)
    claims = run_or_exit(_claims(chosen, login, frontend, user, scopes), as_json=as_json)
    found = run_or_exit(judge(settings, chosen, claims, org, role))
    if not as_json:
        typer.echo(f"a login at {frontend} for scope={login_scope(scopes)}: the claims are")
        typer.echo("Keycloak's, signed here with a throw-away key, and judged by your settings")
    raise typer.Exit(tell(found, as_json=as_json))


def scopes_for(policy: OrgPolicy, org: str) -> list[str]:
    """Return what a login asks for to get this org; with the carrier claim nothing chooses it."""
    if not org:
        return []
    return {
        "client-scope": [policy.scope_of(org)],
        "organization": [f"organization:{org}"],
        "claim": [],
    }[policy.source]


def login_scope(scopes: Sequence[str]) -> str:
    return " ".join(["openid", *scopes])


async def _claims(
    issuer: IssuerSettings, login: Login, client: str, user: str, scopes: Sequence[str]
) -> dict[str, Json]:
    async with open_realm(issuer, login) as admin:
        return await claims_of(ExampleTokens(admin, client), issuer, user, scopes)


async def claims_of(
    examples: ExampleTokens, issuer: IssuerSettings, user: str, scopes: Sequence[str]
) -> dict[str, Json]:
    """Return the claims that Keycloak would put into this login's access token.

    Raises AdminFailed; LoginImpossible where a scope is asked for that the client does not have.
    """
    for scope in scopes:
        if not await examples.may_ask_for(scope):
            raise LoginImpossible(
                f"client {examples.client_id} lacks the scope {scope}: a login that asks for it is "
                "invalid_scope (Clients, the client, Client scopes; or `keycloak apply`)"
            )
    claims = await examples.claims(user, login_scope(scopes))
    # Where no hostname is set Keycloak calls itself as it was asked: here perhaps at an inner
    # address, in a login at the one that the settings have.
    return {**claims, "iss": issuer.issuer}


async def judge(
    settings: Settings, issuer: IssuerSettings, claims: Mapping[str, Json], org: str, role: str
) -> Examination:
    """Judge claims by the service's own rules, all the way from the header to the answer."""
    keys = ThrowAwayKeys(settings)
    authenticator = Authenticator(policy_of(settings), keys, SYSTEM_CLOCKS.wall)
    return await examine(
        authenticator, request_with(settings, keys.sign(claims, issuer), org, role)
    )
