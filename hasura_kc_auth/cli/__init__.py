"""The commands, one file each.

Exit codes everywhere: 0 yes or nothing to do; 1 no (denied, findings, a failed check); 2 usage or
configuration, naming the setting; 3 cannot tell (unreachable).
"""

from __future__ import annotations

import typer

from hasura_kc_auth.cli.check import check
from hasura_kc_auth.cli.demo import demo
from hasura_kc_auth.cli.dev_issuer import dev_issuer
from hasura_kc_auth.cli.explain import explain
from hasura_kc_auth.cli.healthcheck import healthcheck
from hasura_kc_auth.cli.helm_values import helm_values
from hasura_kc_auth.cli.keycloak import keycloak
from hasura_kc_auth.cli.policy_test import policy_test
from hasura_kc_auth.cli.serve import serve
from hasura_kc_auth.cli.version import version

app = typer.Typer(
    help="The org-aware front door between Keycloak and Hasura.\n\n"
    "Start with **demo**, which needs nothing else. Then write your settings, "
    "**check** them, **serve**, and when somebody is refused, "
    "**explain** their token.\n\n"
    "Exit codes: 0 yes; 1 no (denied, findings); 2 usage or configuration; 3 cannot tell.",
    rich_markup_mode="markdown",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (serve, demo, dev_issuer, check, explain, healthcheck, version, helm_values):
    app.command()(command)
app.command("test")(policy_test)
app.add_typer(keycloak, name="keycloak")
