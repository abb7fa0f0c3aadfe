"""The commands that look into a realm, and set it up: one file each."""

from __future__ import annotations

import typer

from hasura_kc_auth.cli.keycloak.apply import apply
from hasura_kc_auth.cli.keycloak.export import export
from hasura_kc_auth.cli.keycloak.orgs import orgs
from hasura_kc_auth.cli.keycloak.plan import plan
from hasura_kc_auth.cli.keycloak.schema import schema
from hasura_kc_auth.cli.keycloak.token import token

keycloak = typer.Typer(
    help="Set up a realm by a file of orgs, and look into it.\n\n"
    "**plan** shows what would be done, **apply** does it, **export** writes the file of a realm "
    "that is there. **token** and **orgs** answer what a user would get, without a password.\n\n"
    "They log in as a service account (--client-id) or as an admin (--admin); needs the extra: "
    "`pip install 'hasura-kc-auth[keycloak]'`.",
    rich_markup_mode="markdown",
    no_args_is_help=True,
)
for command in (plan, apply, export, token, orgs, schema):
    keycloak.command()(command)
