from __future__ import annotations

import typer

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
from hasura_kc_auth.cli.running import ConfigOption, settings_or_exit
from hasura_kc_auth.config.credentials import LoginOptions
from hasura_kc_auth.config.issuers import IssuerSettings
from hasura_kc_auth.config.orgs_file import orgs_yaml
from hasura_kc_auth.config.policy import policy_of
from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.keycloak.admin.api import Login
from hasura_kc_auth.keycloak.realm.state import RealmState
from hasura_kc_auth.provisioning.wanted import Wanted


def export(  # noqa: PLR0913, PLR0917 - one for each option
    config: ConfigOption = None,
    issuer: IssuerOption = "",
    client_id: ClientIdOption = "",
    client_secret_file: SecretOption = None,
    admin: AdminOption = "",
    admin_password_file: PasswordOption = None,
    login_realm: LoginRealmOption = "",
) -> None:
    """Print a file of orgs for a realm that follows the recipe already.

    Which clients are orgs is told by the settings (`org.scope`, `org.only`, `clients`). Members are
    left out. Look at it, keep it as orgs.yaml, and see with `plan --adopt` what taking over means.

    Exit 0: written. 2: the settings or the options are not valid. 3: Keycloak can't be reached, or
    the account may not look.
    """
    settings = settings_or_exit(config)
    options = LoginOptions(client_id, client_secret_file, admin, admin_password_file, login_realm)
    login = login_or_exit(options)
    chosen = issuer_or_exit(settings, issuer)
    wanted = run_or_exit(_survey(settings, chosen, login))
    typer.echo(orgs_yaml(wanted, chosen.issuer if len(settings.issuers) > 1 else None), nl=False)


async def _survey(settings: Settings, issuer: IssuerSettings, login: Login) -> Wanted:
    async with open_realm(issuer, login) as admin:
        return await RealmState(admin).survey(policy_of(settings).issuers[issuer.issuer])
