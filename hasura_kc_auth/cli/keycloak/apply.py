from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

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
    refuse,
    run_or_exit,
)
from hasura_kc_auth.cli.keycloak.plan import AdoptOption, PruneOption, show_remarks
from hasura_kc_auth.cli.keycloak.showing import COLOURS, as_object, line
from hasura_kc_auth.cli.running import ConfigOption, Exit, JsonOption, Signals
from hasura_kc_auth.config.credentials import LoginOptions
from hasura_kc_auth.config.orgs_file import OrgsFile
from hasura_kc_auth.keycloak.admin.api import Login
from hasura_kc_auth.keycloak.realm.state import RealmState
from hasura_kc_auth.keycloak.realm.writer import Outcome, RealmWriter
from hasura_kc_auth.provisioning.items import Member
from hasura_kc_auth.provisioning.plan import Plan, Step
from hasura_kc_auth.provisioning.plan import plan as steps_towards


def apply(  # noqa: PLR0913, PLR0917 - one for each option
    file: FileArgument = Path("orgs.yaml"),
    config: ConfigOption = None,
    prune: PruneOption = False,
    adopt: AdoptOption = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask before something is removed (for CI).")
    ] = False,
    client_id: ClientIdOption = "",
    client_secret_file: SecretOption = None,
    admin: AdminOption = "",
    admin_password_file: PasswordOption = None,
    login_realm: LoginRealmOption = "",
    as_json: JsonOption = False,
) -> None:
    """Bring the realm to what the file says; a second run does nothing.

    Each change is printed as it is done. It may be interrupted and run again at any time. Users are
    never made or removed; orgs are removed only if they are under `retired`, with --prune, and
    after a question. The account needs manage-clients, and manage-users where the file has members;
    docs/provisioning.md has the roles of each command.

    Exit 0: the realm is as the file says. 1: something could not be done, or was interrupted. 2:
    the file, the settings or the options are not valid. 3: Keycloak can't be reached, or forbids.
    """
    orgs = orgs_or_exit(file, config, as_json=as_json)
    options = LoginOptions(client_id, client_secret_file, admin, admin_password_file, login_realm)
    login = login_or_exit(options, as_json=as_json)
    confirm = _no_question if yes else partial(confirmed, as_json=as_json)
    console = Console(highlight=False, emoji=False, quiet=as_json)
    wishes = Wishes(prune=prune, adopt=adopt)
    result = run_or_exit(_bring(orgs, login, wishes, confirm, console), as_json=as_json)
    if as_json:
        print(json.dumps(_as_object(result)))
    else:
        _print(result, console)
    raise typer.Exit(result.exit)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line allows besides what the file says."""

    prune: bool
    adopt: bool


@dataclass(frozen=True, slots=True)
class Result:
    """What was planned, and what came of it."""

    plan: Plan
    outcome: Outcome

    @property
    def exit(self) -> Exit:
        if self.outcome.is_complete and not self.plan.problems:
            return Exit.YES
        return Exit.CANNOT_TELL if self.outcome.is_hopeless else Exit.NO

    @property
    def done(self) -> int:
        outcome = self.outcome
        return len(self.plan.steps) - len(outcome.failures) - len(outcome.left)

    @property
    def problems(self) -> list[str]:
        """What the file wants and was not had; one detail once, however many steps it stopped."""
        failures = (f"{it.step.item}: {it.detail}" for it in self.outcome.failures)
        return list(dict.fromkeys((*self.plan.problems, *failures)))


async def _bring(
    orgs: OrgsFile, login: Login, wishes: Wishes, confirm: Callable[[Plan], None], console: Console
) -> Result:
    async with open_realm(orgs.issuer, login) as admin:
        state = RealmState(admin)
        found = await state.read(orgs.wanted)
        plan = steps_towards(orgs.wanted, found, prune=wishes.prune, adopt=wishes.adopt)
        confirm(plan)
        return Result(plan, await _take(RealmWriter(admin, state), plan, console))


async def _take(writer: RealmWriter, plan: Plan, console: Console) -> Outcome:
    """Take the steps, each told as it is done; an interrupt lets those under way come to an end."""
    stop = asyncio.Event()
    asked = asyncio.create_task(_stop_when_asked(stop))
    with _progress(console) as progress:
        bar = progress.add_task("", total=len(plan.steps))

        def done(step: Step) -> None:
            console.print(line(step), style=COLOURS[step.do], markup=False, soft_wrap=True)
            progress.advance(bar)

        try:
            return await writer.apply(plan.steps, done, stop)
        finally:
            asked.cancel()


async def _stop_when_asked(stop: asyncio.Event) -> None:
    await Signals().wait()
    stop.set()


def _progress(console: Console) -> Progress:
    """Return a bar below the lines; on standard error where these are not for a terminal."""
    where = console if console.is_terminal and not console.quiet else Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=where, transient=True, disable=not where.is_terminal)


def _no_question(_: Plan) -> None:
    """Do as the plan says: `--yes`."""


def confirmed(plan: Plan, *, as_json: bool) -> None:
    """Ask before something is taken from people; where nobody can be asked, refuse."""
    removed = [line(step) for step in plan.steps if step.do == "remove" or _takes_roles(step)]
    if not removed:
        return
    if as_json or not sys.stdin.isatty():
        refuse(["--yes: is needed to remove something where nobody can be asked"], as_json=as_json)
    typer.echo("to be removed:\n" + "\n".join(removed), err=True)
    typer.confirm("Remove them, with all roles that people hold there?", abort=True, err=True)


def _takes_roles(step: Step) -> bool:
    old, new = step.old, step.new
    return isinstance(old, Member) and isinstance(new, Member) and not old.roles <= new.roles


def _print(result: Result, console: Console) -> None:
    show_remarks(result.problems, result.plan.notes, console)
    if result.plan.is_empty:
        console.print("nothing to do: the realm is as the file says", style="green")
        return
    console.print(f"{result.done} of {len(result.plan.steps)} steps done")
    if result.outcome.left:
        console.print("run it again to go on", style="yellow")


def _as_object(result: Result) -> dict[str, object]:
    left = [line(step) for step in result.outcome.left]
    return {
        **as_object(result.plan),
        "problems": result.problems,
        "done": result.done,
        "left": left,
    }
