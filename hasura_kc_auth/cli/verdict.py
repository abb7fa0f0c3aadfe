"""What an examination found, told to a person or a machine."""

from __future__ import annotations

import json
import re

from multidict import CIMultiDict
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hasura_kc_auth.cli.examination import Examination, reasons
from hasura_kc_auth.cli.running import Exit
from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.core.errors import Code
from hasura_kc_auth.core.request import ROLE_HEADER, Request, read_request

_HEADER_NAME = re.compile(r"^authorization:", re.IGNORECASE)
_MARKS = {True: "[green]✓[/green]", False: "[red]✗[/red]", None: "[dim]·[/dim]"}


def tell(found: Examination, *, as_json: bool) -> Exit:
    """Print what was found, and return the command's exit code."""
    if as_json:
        print(json.dumps(_as_object(found)))
    else:
        _print(found)
    if found.denied is None:
        return Exit.YES
    return Exit.CANNOT_TELL if found.denied.code.undecided else Exit.NO


def request_with(settings: Settings, text: str, org: str, role: str) -> Request:
    """Read the text as the webhook reads headers; people paste the header as well as the token."""
    credential = _HEADER_NAME.sub("", text).strip()
    if " " not in credential:
        credential = f"Bearer {credential}"
    headers = CIMultiDict(
        {"Authorization": credential, settings.org_header: org, ROLE_HEADER: role}
    )
    return read_request(headers, settings.org_header, settings.webhook.max_token)


def _print(found: Examination) -> None:
    console = Console(highlight=False)
    table = Table(box=None, show_header=False)
    for fact, holds in found.findings():
        table.add_row(_MARKS[holds], escape(fact.must), f"[dim]{fact.code}[/dim]")
    console.print(table)
    if found.session is not None:
        console.print("[green]allowed[/green]")
        console.print(json.dumps(found.session.variables, indent=2), markup=False, soft_wrap=True)
        return
    code = found.denied.code if found.denied else Code.INTERNAL_ERROR
    console.print(f"[red]denied: {code}[/red]")
    for reason in reasons(found):
        console.print(escape(reason))


def _as_object(found: Examination) -> dict[str, object]:
    return {
        "allowed": found.session is not None,
        "code": found.denied.code if found.denied else None,
        "rules": [
            {"code": fact.code, "must": fact.must, "holds": holds}
            for fact, holds in found.findings()
        ],
        "advice": reasons(found),
        "variables": found.session.variables if found.session else None,
    }
