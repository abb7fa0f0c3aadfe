"""Takes the steps of a plan: many at once, each so that it can be cut off and taken again.

What makes a piece ours, its ownership attribute, comes with the call that makes it. What is changed
is read anew before, and of what a role, a scope or a user holds only that is taken away which the
plan said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from hasura_kc_auth.keycloak.admin.api import Admin
from hasura_kc_auth.keycloak.admin.errors import (
    AdminFailed,
    Forbidden,
    LoginRefused,
    NotFound,
    Stumbled,
    Unreachable,
)
from hasura_kc_auth.keycloak.realm.assignment_writer import AssignmentWriter
from hasura_kc_auth.keycloak.realm.member_writer import MemberWriter
from hasura_kc_auth.keycloak.realm.piece_writer import PieceWriter
from hasura_kc_auth.keycloak.realm.role_writer import NONE, Names, RoleWriter
from hasura_kc_auth.keycloak.realm.state import RealmState
from hasura_kc_auth.provisioning.items import (
    Assignment,
    Client,
    Composite,
    Group,
    Item,
    Key,
    Mapper,
    Member,
    Organization,
    OwnMapping,
    RealmSwitch,
    Role,
    Scope,
    ScopeMapping,
)
from hasura_kc_auth.provisioning.plan import Do, Step, by_rank

Progress = Callable[[Step], None]

# After these no other step would fare better.
_FATAL = (Forbidden, LoginRefused, Unreachable)


@dataclass(frozen=True, slots=True)
class Failure:
    """A step that could not be taken; `detail` says why, for people."""

    step: Step
    detail: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """`left`: steps that were not tried, because of a failure before them or since it was stopped.

    All others were taken. Whatever is left, a new plan finds it. `is_hopeless`: the account lacks a
    right, or Keycloak could not be reached.
    """

    failures: tuple[Failure, ...]
    left: tuple[Step, ...]
    is_hopeless: bool = False

    @property
    def is_complete(self) -> bool:
        return not self.failures and not self.left


class RealmWriter:
    """Changes the realm that `state` has read."""

    def __init__(self, admin: Admin, state: RealmState) -> None:
        self._admin = admin
        self._pieces = PieceWriter(admin, state.ids)
        self._roles = RoleWriter(admin, state.ids)
        self._members = MemberWriter(admin, state.ids, self._roles)
        self._assignments = AssignmentWriter(admin, state.ids)

    async def take(self, step: Step) -> None:
        """Take one step, whose predecessors were taken. Raises AdminFailed."""
        old, new = _names(step.old), _names(step.new)
        match step.item:
            case RealmSwitch(organizations=enabled):
                await self._admin.put("", {"organizationsEnabled": enabled})
            case Client() | Scope() | Mapper() | Role() | Organization() as piece:
                await self._pieces.take(step.do, piece)
            case Group() as group:
                await self._group(step.do, group, old, new)
            case Assignment(how=how) as assignment:
                await self._assignments.bring(assignment, None if step.new is None else how)
            case _:
                await self._bring(step.item, old, new)

    async def _bring(self, item: Item, old: Names, new: Names) -> None:
        match item:
            case Composite():
                await self._roles.composite(item, old, new)
            case ScopeMapping():
                await self._roles.scope_mapping(item, old, new)
            case OwnMapping():
                await self._roles.own_mapping(item, old, new)
            case Member():
                await self._members.bring(item, old, new)
            case _:
                raise TypeError(f"{item}: is no piece of a realm")

    async def _group(self, do: Do, group: Group, old: Names, new: Names) -> None:
        try:
            await self._pieces.take(do, group)
            if do != "remove":
                await self._roles.group(group, old, new)
        except NotFound as error:
            detail = f"{error}; groups of organizations with roles came with Keycloak 26.7"
            raise AdminFailed(detail) from None

    async def apply(
        self,
        steps: Iterable[Step],
        progress: Progress = lambda _step: None,
        stop: asyncio.Event | None = None,
    ) -> Outcome:
        """Take all steps of a plan, rank by rank, as many at a time as the admin API may be asked.

        `progress` is called after each that was taken. `stop`: no further step is begun as soon as
        it is set. A step that fails is no hindrance to those which have nothing to do with it;
        a right that is missing, or a Keycloak that can't be reached, is one to all.
        """
        run = _Run(self, progress, stop or asyncio.Event())
        for lot in by_rank(steps):
            # One kind after another: a new scope makes Keycloak read the realm again for the next
            # client, which costs a third of the time.
            lines = iter(sorted(lot, key=_kind))
            workers = min(self._admin.at_once, len(lot))
            async with asyncio.TaskGroup() as group:
                for _ in range(workers):
                    group.create_task(run.work(lines))
        return Outcome(tuple(run.failures), tuple(run.left), run.is_hopeless)


@dataclass(slots=True)
class _Run:
    writer: RealmWriter
    progress: Progress
    stop: asyncio.Event
    failures: list[Failure] = field(default_factory=list)
    left: list[Step] = field(default_factory=list)
    is_hopeless: bool = False
    _missing: set[Key] = field(default_factory=set)

    async def work(self, steps: Iterator[Step]) -> None:
        for step in steps:
            if self._is_held_up(step):
                self._missing.add(step.item.key)
                self.left.append(step)
            else:
                await self._take(step)

    def _is_held_up(self, step: Step) -> bool:
        stopped = self.is_hopeless or self.stop.is_set()
        return stopped or not self._missing.isdisjoint(step.item.parts)

    async def _take(self, step: Step) -> None:
        try:
            await self.writer.take(step)
        except AdminFailed as error:
            self.failures.append(Failure(step, error.detail))
            self._missing.add(step.item.key)
            if isinstance(error, _FATAL) and not isinstance(error, Stumbled):
                self.is_hopeless = True
        else:
            self.progress(step)


def _kind(step: Step) -> str:
    return step.item.key[0]


def _names(item: Item | None) -> Names:
    """Return the roles that an item holds."""
    match item:
        case Composite(contains=names):
            return names
        case ScopeMapping() | OwnMapping() | Group() | Member():
            return item.roles
        case _:
            return NONE
