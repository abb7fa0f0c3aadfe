"""The steps from what a realm has to what a file of orgs wants: a pure comparison of items.

Nothing is removed but with `prune`, and nothing changed that the file does not own, but with
`adopt`. What lets one org's roles into tokens for another is always taken back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal

from hasura_kc_auth.provisioning.items import (
    Assignment,
    Client,
    Composite,
    Found,
    Group,
    Item,
    Key,
    Member,
    Organization,
    OwnMapping,
    Role,
    Scope,
    ScopeMapping,
    client_key,
)
from hasura_kc_auth.provisioning.recipe import BUILT_IN_SCOPES, items
from hasura_kc_auth.provisioning.wanted import Wanted

Do = Literal["create", "change", "remove"]
Items = Mapping[Key, Item]


@dataclass(frozen=True, slots=True)
class Step:
    """One piece made, changed or removed; `old` is None where there was none, `new` where none is.

    `changes`: of a change, field -> (old value, new value).
    """

    old: Item | None
    new: Item | None

    @property
    def item(self) -> Item:
        item = self.new if self.new is not None else self.old
        if item is None:
            raise ValueError("a step is from something or to something")
        return item

    @property
    def do(self) -> Do:
        if self.old is None:
            return "create"
        return "remove" if self.new is None else "change"

    @property
    def changes(self) -> dict[str, tuple[object, object]]:
        if self.old is None or self.new is None:
            return {}
        pairs = {f.name: _pair(self.old, self.new, f.name) for f in fields(self.new)}  # type: ignore[arg-type]
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _pair(old: Item, new: Item, name: str) -> tuple[object, object]:
    return getattr(old, name), getattr(new, name)


@dataclass(frozen=True, slots=True)
class Plan:
    """`steps`: in the order to take them; those of one rank stand together.

    `problems`: what is not as the file says, and stays so. `notes`: what others made, and was left.
    """

    steps: Sequence[Step]
    problems: Sequence[str]
    notes: Sequence[str]

    @property
    def is_empty(self) -> bool:
        return not self.steps and not self.problems


def plan(wanted: Wanted, found: Found, *, prune: bool = False, adopt: bool = False) -> Plan:
    """Compare, and return what is to be done."""
    return _Comparison(wanted, found, prune=prune, adopt=adopt).plan()


class _Comparison:
    def __init__(self, wanted: Wanted, found: Found, *, prune: bool, adopt: bool) -> None:
        self._file = wanted
        self._wanted = items(wanted)
        self._found = found
        self._prune = prune
        self._adopt = adopt
        self._problems: list[str] = []
        self._notes: list[str] = []
        self._dependents = _dependents(self._wanted.values())
        self._strangers = _strangers(found.items, self._wanted)

    def plan(self) -> Plan:
        blocked = set(self._blocked())
        steps = [
            step
            for step in map(self._towards, self._wanted.values())
            if step is not None and blocked.isdisjoint((step.item.key, *step.item.parts))
        ]
        steps.sort(key=lambda step: step.item.rank)
        besides = sorted(self._besides(blocked), key=lambda step: -step.item.rank)
        return Plan((*steps, *besides), tuple(self._problems), tuple(self._notes))

    # What can't be done, and all that consists of it

    def _blocked(self) -> Iterator[Key]:
        for item in self._wanted.values():
            if problem := self._obstacle(item):
                self._problem(problem)
                yield from self._with_dependents(item.key)

    def _with_dependents(self, key: Key) -> Iterator[Key]:
        yield key
        for dependent in self._dependents.get(key, ()):
            yield from self._with_dependents(dependent)

    def _obstacle(self, item: Item) -> str:
        old = self._found.items.get(item.key)
        if old is not None and _is_strange(old) and not self._adopt:
            return f"{item}: is there, and not of this file's making (--adopt takes it over)"
        if isinstance(item, Client) and isinstance(old, Client) and old.owned:
            return "" if item.use == old.use else f"{item}: is used otherwise ({old.use})"
        if isinstance(item, Assignment) and not self._has_scope(item.scope):
            return f"client {item.client}: the realm lacks Keycloak's own scope {item.scope}"
        if isinstance(item, Member) and item.user not in self._found.users:
            return f"org {item.org}: there is no user {item.user}; users are never made here"
        return ""

    def _has_scope(self, name: str) -> bool:
        built_in = name in BUILT_IN_SCOPES[self._file.carrier]
        return not built_in or name in self._found.scopes

    # What is wanted

    def _towards(self, item: Item) -> Step | None:
        old = self._found.items.get(item.key)
        new = item if old is None else self._meeting(item, old)
        if new == old or (old is None and _is_nothing(new)):
            return None
        return Step(old, new)

    def _meeting(self, item: Item, old: Item) -> Item:
        """Return what to make of what is there: more than is wanted may stay."""
        if isinstance(item, Member) and isinstance(old, Member) and not self._prune:
            return replace(item, roles=item.roles | old.roles)
        if isinstance(item, ScopeMapping) and isinstance(old, ScopeMapping):
            return replace(item, roles=item.roles | (old.roles & self._strangers[item.client]))
        if isinstance(item, Composite) and isinstance(old, Composite):
            kept = old.contains & self._strangers[item.client]
            return replace(item, contains=item.contains | kept)
        if isinstance(item, Client) and item.display_name is None and isinstance(old, Client):
            return replace(item, display_name=old.display_name)
        return item

    # What is there besides

    def _besides(self, blocked: set[Key]) -> Iterator[Step]:
        left = {key: it for key, it in self._found.items.items() if key not in self._wanted}
        for item in left.values():
            if not (left.keys() | blocked).isdisjoint(item.parts):
                continue  # goes, or stays, with what it consists of
            if isinstance(item, ScopeMapping):
                # It brings roles of one org into tokens for another.
                yield Step(item, replace(item, roles=frozenset()))
            elif not _is_owned(item):
                self._leave(item)
            elif self._may_remove(item):
                yield Step(item, None)

    def _leave(self, item: Item) -> None:
        """Say of what others made what may be wrong with it; it is not for this file to change."""
        if _org_of(item) in self._file.retired:
            self._problem(
                f"{item}: is retired, and others have made it again; it would inherit the old rows"
            )
        elif isinstance(item, Role):
            self._notes.append(
                f"{item}: is not in the file; who holds only it may be without the org"
            )
        elif isinstance(item, Group) and item.roles:
            roles = ", ".join(sorted(item.roles))
            self._notes.append(f"{item}: is not in the file, and gives {roles} in that org")

    def _may_remove(self, item: Item) -> bool:
        org = _org_of(item)
        # What goes with an org can go where that is still wanted: by another scope, or carrier.
        if org and org not in self._file.retired and org not in self._file.orgs:
            # A name that fell out of the file by a slip must not take a tenant's roles along.
            self._problem(
                f"org {org}: is in the realm and not in the file; put it back, or under `retired`"
            )
            return False
        if not self._prune:
            self._problem(f"{item}: is not wanted any more; --prune removes it")
        return self._prune

    def _problem(self, text: str) -> None:
        if text not in self._problems:
            self._problems.append(text)


def _dependents(wanted: Iterable[Item]) -> dict[Key, list[Key]]:
    """Return what consists of each item; an org's scope is nothing without its client."""
    dependents = defaultdict[Key, list[Key]](list)
    for item in wanted:
        of_org = (client_key(item.org),) if isinstance(item, Scope) and item.org else ()
        for part in (*item.parts, *of_org):
            dependents[part].append(item.key)
    return dependents


def _strangers(found: Items, wanted: Items) -> dict[str, set[str]]:
    """Return by client the roles that are not in the file and may stay mapped and contained.

    Those of others harm nobody by it, unless they contain roles of another client; the file's own
    of once go by --prune, and until then nobody is to lose an org.
    """
    strangers = defaultdict[str, set[str]](set)
    for item in found.values():
        if isinstance(item, Role) and item.key not in wanted and not _leads_away(item, found):
            strangers[item.client].add(item.name)
    return strangers


def _leads_away(role: Role, found: Items) -> bool:
    content = found.get(("composite", role.client, role.name))
    return isinstance(content, Composite) and any(":" in it for it in content.contains)


def _is_strange(item: Item) -> bool:
    """Whether somebody else made the item, so that taking it over has to be asked for.

    A role or a group that the file names is the file's as soon as its client or organization is.
    """
    return isinstance(item, Client | Scope | Organization) and not item.owned


def _is_owned(item: Item) -> bool:
    return not _is_strange(item) and not (isinstance(item, Role | Group) and not item.owned)


def _org_of(item: Item) -> str:
    """Return the org that goes with this item, "" for none."""
    if isinstance(item, Client):
        return item.client_id if item.use == "org" else ""
    if isinstance(item, Scope):
        return item.org
    return item.alias if isinstance(item, Organization) else ""


def _is_nothing(item: Item) -> bool:
    """Whether an item that is not found is as good as there: nothing wanted in it."""
    return (isinstance(item, Composite) and not item.contains) or (
        isinstance(item, OwnMapping) and not item.roles
    )


def by_rank(steps: Iterable[Step]) -> Iterator[list[Step]]:
    """Yield the steps that may be taken at the same time, one lot after another."""
    lot: list[Step] = []
    for step in steps:
        if lot and _lot(step) != _lot(lot[0]):
            yield lot
            lot = []
        lot.append(step)
    if lot:
        yield lot


def _lot(step: Step) -> tuple[bool, int]:
    return (step.do == "remove", step.item.rank)
