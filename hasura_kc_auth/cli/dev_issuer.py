from __future__ import annotations

from typing import Annotated

import typer

from hasura_kc_auth.cli.running import Exit, Signals, run
from hasura_kc_auth.devtools.issuer import ORGS, DevIssuer, Fault
from hasura_kc_auth.devtools.tokens import AUDIENCE, FRONTEND
from hasura_kc_auth.wiring import SYSTEM_CLOCKS


def dev_issuer(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8180,
) -> None:
    """Run a Keycloak-shaped issuer on loopback, for your own development and tests.

    It is NO Keycloak: the users and passwords are ready made and printed. Get a token with curl,
    switch faults on and off, rotate the keys; it counts who fetched what.
    """
    try:
        run(_serve(port))
    except OSError as error:
        typer.echo(f"--port {port}: cannot listen there: {error.strerror}", err=True)
        raise typer.Exit(Exit.USAGE) from None


async def _serve(port: int) -> None:
    signals = Signals()
    issuer = DevIssuer(SYSTEM_CLOCKS.wall)
    await issuer.start(port)
    typer.secho("NO KEYCLOAK: anybody on this machine can get any token here.", fg="yellow")
    typer.echo(introduction(issuer))
    await signals.wait()
    await issuer.stop()


def introduction(issuer: DevIssuer) -> str:
    """Return what a person needs to use the issuer, to copy and paste."""
    base = f"http://127.0.0.1:{issuer.port}"
    token = f"curl -s {issuer.issuer}/protocol/openid-connect/token -d client_id={FRONTEND}"
    login = "-d grant_type=password -d username=alice -d password=demo"
    faults = ", ".join(list(Fault)[2:])
    roles = "\n".join(
        f"          {name} in {org}: {', '.join(held)}"
        for name, user in issuer.users.items()
        for org, held in user.roles.items()
    )
    return f"""\
issuer    {issuer.issuer}
client    {FRONTEND}   audience {AUDIENCE}   orgs {", ".join(ORGS)}
users     {", ".join(issuer.users)}   password: demo
{roles}

# a token for one org; another by refresh; the keys rotated; a fault and its end; who fetched what
{token} {login} -d scope='openid acme'
{token} -d grant_type=refresh_token -d refresh_token=… -d scope='openid acme'
curl -s -X POST {base}/dev/rotate
curl -s -X POST {base}/dev/fault/{Fault.DOWN}   # or {faults}
curl -s -X POST {base}/dev/fault/{Fault.NONE}
curl -s {base}/dev/state"""
