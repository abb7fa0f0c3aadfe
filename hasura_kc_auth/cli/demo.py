from __future__ import annotations

import json
import os
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hasura_kc_auth.cli.dev_issuer import introduction
from hasura_kc_auth.cli.running import Exit, JsonOption, Signals, raw_output, run
from hasura_kc_auth.cli.scenario import QUESTIONS, Answer, Question, ask, rows
from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.core.session import ORG_ID, ROLE
from hasura_kc_auth.devtools.issuer import ORGS, DevIssuer
from hasura_kc_auth.devtools.tokens import AUDIENCE, FRONTEND, TokenMaker
from hasura_kc_auth.wiring import SYSTEM_CLOCKS, ListenFailed, ParserMissing, Service

_STDERR = 2
_DAY = 86400


def demo(
    once: Annotated[bool, typer.Option("--once", help="Print the table and exit.")] = False,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Of the webhook; 0 takes a free one.")
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    """See the main job with nothing else installed.

    Runs a Keycloak-shaped issuer and the webhook on loopback, with users and orgs ready made, calls
    the webhook as Hasura does, and prints who asked what and what came back. Then it stays up, with
    examples to copy and paste.

    Exit 0: every answer was the right one. 1: one was not. 2: it could not start.
    """
    try:
        right = run(_demo(port, once=once or as_json, as_json=as_json))
    except ListenFailed as error:
        typer.echo(f"--port {port}: {error}", err=True)
        raise typer.Exit(Exit.USAGE) from None
    except ParserMissing as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(Exit.USAGE) from None
    raise typer.Exit(Exit.YES if right else Exit.NO)


def demo_settings(issuer: str, port: int) -> Settings:
    """Return settings as a team would write them for this issuer."""
    return Settings.model_validate(
        {
            "issuers": [{"issuer": issuer, "clients": [FRONTEND], "audiences": [AUDIENCE]}],
            "roles": {
                "allowed": ["org_admin", "editor", "viewer"],
                "map": {"admin": "org_admin"},
            },
            "session": {"variables": {"X-Hasura-Email": "email"}},
            "webhook": {"port": port},
            "management": {"port": 0},
            "log": {"format": "console"},
        }
    )


async def _demo(port: int, *, once: bool, as_json: bool) -> bool:
    issuer = DevIssuer(SYSTEM_CLOCKS.wall)
    await issuer.start()
    try:
        settings = demo_settings(issuer.issuer, port)
        answers = await _ask_all(settings, issuer)
        show_answers(answers, as_json=as_json)
        if not once:
            await _stay(settings, issuer)
    finally:
        await issuer.stop()
    return all(answer.as_expected for answer in answers)


async def _ask_all(settings: Settings, issuer: DevIssuer) -> list[Answer]:
    with open(os.devnull, "wb", buffering=0) as nowhere:  # noqa: ASYNC230, PTH123 - no waiting there
        service = Service(settings, nowhere)
        await service.start()
        try:
            return await ask(service.webhook_url, [(it, _token(issuer, it)) for it in QUESTIONS])
        finally:
            await service.stop(drain=0.0)


def _token(issuer: DevIssuer, question: Question) -> str | None:
    if question.kind == "none":
        return None
    if question.kind == "expired":
        maker = TokenMaker(issuer.issuer, issuer.keys, ORGS, lambda: SYSTEM_CLOCKS.wall() - _DAY)
        return maker.issue(issuer.users[question.user], question.scope).access
    tokens = issuer.login(question.user, question.scope)
    return {"access": tokens.access, "identity": tokens.identity, "refresh": tokens.refresh}[
        question.kind
    ]


def show_answers(answers: list[Answer], *, as_json: bool) -> None:
    """Print what was asked and what came back."""
    if as_json:
        print(json.dumps({"answers": list(rows(answers))}))
        return
    table = Table("asked", "token of", "header", "answer", box=None, padding=(0, 1, 0, 0))
    for answer in answers:
        table.add_row(
            escape(answer.question.title),
            _token_of(answer.question),
            ", ".join(f"{_SHORT[name]} {value}" for name, value in answer.question.wishes.items()),
            _verdict(answer),
        )
    Console(highlight=False).print(table)


_SHORT = {ORG_ID: "org", ROLE: "role"}


def _token_of(question: Question) -> str:
    orgs = question.scope.removeprefix("openid").strip()
    return f"{question.user}: {orgs or 'no org'}" if question.user else "nobody"


def _verdict(answer: Answer) -> str:
    surprise = "" if answer.as_expected else " [bold red]NOT AS EXPECTED[/bold red]"
    if answer.code is not None:
        return f"[red]{answer.status} {answer.code}[/red]{surprise}"
    org, role = answer.variables[ORG_ID], answer.variables[ROLE]
    return f"[green]{answer.status} {escape(org)} as {escape(role)}[/green]{surprise}"


async def _stay(settings: Settings, issuer: DevIssuer) -> None:
    signals = Signals()
    service = Service(settings, raw_output(_STDERR))
    await service.start()
    typer.echo(_invitation(issuer, service))
    await signals.wait()
    await service.stop(drain=0.0)


def _invitation(issuer: DevIssuer, service: Service) -> str:
    call = f'curl -si {service.webhook_url} -H "Authorization: Bearer $TOKEN"'
    body = '{\\"headers\\":{\\"Authorization\\":\\"Bearer $TOKEN\\"}}'
    return f"""
The issuer (NO KEYCLOAK) and the webhook stay up until Ctrl-C; denials are logged here.

{introduction(issuer)}

# ask the webhook as Hasura does: GET with the client's headers, POST with them in a JSON body
TOKEN=…   # the access_token of the first call
{call}
{call} -H "X-Hasura-Role: viewer"   # 200 for dave, who is one; 401 for alice
curl -si {service.webhook_url} -d "{body}"
curl -s {service.management_url}/readyz
curl -s {service.management_url}/metrics | grep hasura_kc_auth_decisions
"""
