"""A plan in words: a diff for people, an object for machines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hasura_kc_auth.provisioning.items import (
    Assignment,
    Client,
    Composite,
    Group,
    Item,
    Member,
    Organization,
    Role,
    Scope,
    ScopeMapping,
)
from hasura_kc_auth.provisioning.plan import Plan, Step

MARKS = {"create": "+", "change": "~", "remove": "-"}
COLOURS = {"create": "green", "change": "yellow", "remove": "red"}

# As the admin console calls them.
_LABELS = {
    "contains": "contains",
    "config": "options",
    "display_name": "name",
    "full_scope": "Full scope allowed",
    "how": "assigned as",
    "in_token": "Include in token scope",
    "organizations": "Organizations",
    "owned": "owned by the file",
    "public": "public",
    "redirect_uris": "Valid redirect URIs",
    "standard_flow": "Standard flow",
    "web_origins": "Web origins",
}
# What says most of a new piece; the rest is as every piece of its kind is.
_TELLING = ("roles", "contains", "how")


def line(step: Step) -> str:
    """Return a step as one line: `~ client frontend: Full scope allowed on -> off`."""
    details = ", ".join(_details(step))
    return printable(f"{MARKS[step.do]} {step.item}{': ' if details else ''}{details}")


def _details(step: Step) -> Iterator[str]:
    if step.do == "change":
        for name, (old, new) in step.changes.items():
            yield f"{_LABELS.get(name, name)} {_change(old, new)}"
    elif step.do == "create":
        for name in _TELLING:
            value = getattr(step.item, name, None)
            if value:
                yield _word(value)


def _change(old: object, new: object) -> str:
    if isinstance(old, frozenset) and isinstance(new, frozenset):
        return " ".join(
            [*(f"+{it}" for it in sorted(new - old)), *(f"-{it}" for it in sorted(old - new))]
        )
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        names = sorted(it for it in {*old, *new} if old.get(it) != new.get(it))
        return ", ".join(f"{it} {_word(old.get(it))} -> {_word(new.get(it))}" for it in names)
    return f"{_word(old)} -> {_word(new)}"


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, frozenset):
        return ", ".join(sorted(value))
    return "not set" if value is None else str(value)


def lines(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield (colour, line) of each step, but all that makes one new org as a single line."""
    scopes = {it.item.name: it.item.org for it in plan.steps if isinstance(it.item, Scope)}
    new: dict[str, list[Item]] = {_org_of(it.item, {}): [] for it in plan.steps if _makes_org(it)}
    for step in plan.steps:
        pieces = new.get(_org_of(step.item, scopes))
        if pieces is None:
            yield COLOURS[step.do], line(step)
        else:
            pieces.append(step.item)
    for org, pieces in new.items():
        yield COLOURS["create"], printable(f"+ org {org}: {', '.join(_contents(pieces))}")


def _makes_org(step: Step) -> bool:
    is_client = isinstance(step.item, Client) and step.item.use == "org"
    return step.do == "create" and (is_client or isinstance(step.item, Organization))


def _org_of(item: Item, scopes: Mapping[str, str]) -> str:
    """Return the org that a piece is for, "" for none. `scopes`: whose scope each is."""
    match item:
        case Client(use="org", client_id=org) | Organization(alias=org):
            return org
        case Scope(org=org) | Group(org=org) | Member(org=org):
            return org
        case Role(client=org) | Composite(client=org) | ScopeMapping(client=org):
            return org
        case Assignment(scope=scope):
            return scopes.get(scope, "")
        case _:
            return ""


def _contents(pieces: Sequence[Item]) -> Iterator[str]:
    roles = sorted(it.name for it in pieces if isinstance(it, Role | Group))
    yield f"roles {', '.join(roles)}" if roles else "no roles"
    members = sum(isinstance(it, Member) for it in pieces)
    if members:
        yield f"{members} member{'s' if members > 1 else ''}"


def summary(plan: Plan) -> str:
    """Return how many steps of each sort there are."""
    counts = {do: sum(step.do == do for step in plan.steps) for do in MARKS}
    return ", ".join(f"{count} to {do}" for do, count in counts.items())


def as_object(plan: Plan) -> dict[str, object]:
    """Return the plan for machines: each step with its kind, names and changes."""
    return {
        "steps": [_step_object(step) for step in plan.steps],
        "problems": list(plan.problems),
        "notes": list(plan.notes),
    }


def _step_object(step: Step) -> dict[str, object]:
    kind, *names = step.item.key
    changes = {
        name: {"old": _plain(old), "new": _plain(new)} for name, (old, new) in step.changes.items()
    }
    return {"do": step.do, "kind": kind, "name": names, "changes": changes, "text": line(step)}


def _plain(value: object) -> object:
    return sorted(value) if isinstance(value, frozenset) else value


def printable(text: str) -> str:
    """Names are the realm's: what they hold must not steer the terminal of who reads them."""
    return "".join(it if it.isprintable() else "\N{REPLACEMENT CHARACTER}" for it in text)
