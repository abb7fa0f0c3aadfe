from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

from hasura_kc_auth.cli.personas import Outcome, Persona, PersonaFile, Tribunal
from hasura_kc_auth.cli.running import ConfigOption, Exit, JsonOption, run, settings_or_exit
from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.config.sources import NotReadable, read_yaml
from hasura_kc_auth.wiring import SYSTEM_CLOCKS


def policy_test(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="YAML files of personas.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Test your rules in your own CI: personas and what they must get, with no Keycloak needed.

    Each persona's claims are signed with a throw-away key and go through the whole pipeline, by the
    settings that you serve with. docs/policy-tests.md has the files' form and examples.

    Exit 0: all as expected. 1: one is not; what was expected and what came is shown. 2: the
    settings or a file are not valid.
    """
    settings = settings_or_exit(config, as_json=as_json)
    problems: list[str] = []
    personas = [persona for file in files for persona in _read(file, settings, problems)]
    if problems:
        if as_json:
            print(json.dumps({"problems": problems}))
        for problem in () if as_json else problems:
            typer.echo(problem, err=True)
        raise typer.Exit(Exit.USAGE)
    outcomes = run(_judge_all(Tribunal(settings, SYSTEM_CLOCKS.wall), personas))
    if as_json:
        print(json.dumps({"personas": [_as_object(outcome) for outcome in outcomes]}))
    else:
        _print(outcomes)
    failed = any(outcome.differences for outcome in outcomes)
    raise typer.Exit(Exit.NO if failed else Exit.YES)


def _read(file: Path, settings: Settings, problems: list[str]) -> list[Persona]:
    """Read one file. What is wrong with it is added to the problems."""
    try:
        personas = PersonaFile.model_validate(read_yaml(file)).personas
    except NotReadable as error:
        problems.append(f"{file}: {error}")
    except ValidationError as error:
        for it in error.errors(include_url=False):
            where = ".".join(map(str, it["loc"])) or "file"
            problems.append(f"{file}: {where}: {it['msg'].removeprefix('Value error, ')}")
    else:
        known = {None, *(issuer.issuer for issuer in settings.issuers)}
        foreign = [it.name for it in personas if it.issuer not in known]
        problems += (f"{file}: {name}: its issuer is not in the settings" for name in foreign)
        return personas
    return []


async def _judge_all(tribunal: Tribunal, personas: list[Persona]) -> list[Outcome]:
    return [await tribunal.judge(persona) for persona in personas]


def _print(outcomes: list[Outcome]) -> None:
    console = Console(highlight=False)
    for outcome in outcomes:
        mark = "[red]✗[/red]" if outcome.differences else "[green]✓[/green]"
        console.print(mark, escape(outcome.persona.name))
        for what, expected, got in outcome.differences:
            console.print(f"    {escape(what)}: expected {escape(repr(expected))}", soft_wrap=True)
            console.print(f"    {' ' * len(what)}       got {escape(repr(got))}", soft_wrap=True)
    failed = sum(bool(outcome.differences) for outcome in outcomes)
    console.print(f"{len(outcomes) - failed} as expected, {failed} not")


def _as_object(outcome: Outcome) -> dict[str, object]:
    return {
        "name": outcome.persona.name,
        "code": outcome.code,
        "variables": dict(outcome.variables),
        "differences": [
            {"what": what, "expected": expected, "got": got}
            for what, expected, got in outcome.differences
        ],
    }
