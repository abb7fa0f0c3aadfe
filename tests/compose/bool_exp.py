"""A small stand-in for what Hasura v2 makes of its permissions: SQL for the operators used here.

It follows the engine's own: `filter` becomes a condition on each row; an object relationship an
EXISTS; a session variable is read as text from the session's JSON and cast to the column's type, to
an array of it for `_in`. So a list that PostgreSQL cannot read fails here as it does there. The
columns compared are NOT NULL, where Hasura's `_eq` is SQL's `=`.
"""

# ruff: noqa: S608 - making SQL is what this does

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.compose.example import permission, tables
from tests.compose.postgres_server import PostgresServer, quoted

Session = Mapping[str, str]
"""What the webhook answered: session variables."""

_SESSION = "current_setting('hasura.user')::json"


class MissingVariable(Exception):
    """A rule needs a session variable that is not there: Hasura fails the whole request."""


class Hasura:
    """Reads and writes as a role may, with the example's permissions on a real PostgreSQL."""

    def __init__(self, postgres: PostgresServer) -> None:
        self._postgres = postgres
        self._types = {(it["t"], it["c"]): it["type"] for it in postgres.rows(_COLUMNS)}
        self._targets = {(it["t"], it["c"]): it["target"] for it in postgres.rows(_FOREIGN_KEYS)}

    @property
    def tables(self) -> set[str]:
        return {table for table, _ in self._types}

    def columns(self, table: str) -> set[str]:
        return {column for its, column in self._types if its == table}

    def select(self, session: Session, table: str, *columns: str) -> list[dict[str, Any]]:
        """Return these columns of the rows that may be read, by id. Raises LookupError."""
        permitted = permission(table, "select", role_of(session))
        if unknown := set(columns) - set(permitted["columns"]):
            raise LookupError(f"{role_of(session)} may not select {unknown}")
        rows = self._matching(session, table, permitted["filter"], ", ".join(columns))
        return [{name: row[name] for name in columns} for row in rows]

    def changeable(self, session: Session, table: str, kind: str) -> list[int]:
        """Return the ids of the rows that an `update` or a `delete` reaches. Raises LookupError."""
        permitted = permission(table, kind, role_of(session))
        return [it["id"] for it in self._matching(session, table, permitted["filter"], "id")]

    def insert(self, session: Session, table: str, **values: Any) -> dict[str, Any] | None:
        """Return the row as it would be; None where the check refuses it. Nothing stays.

        Raises LookupError for a column that may not be written.
        """
        permitted = permission(table, "insert", role_of(session))
        if unknown := values.keys() - set(permitted["columns"]):
            raise LookupError(f"{role_of(session)} may not write {unknown}")
        written = {name: quoted(str(value)) for name, value in values.items()}
        for name, variable in permitted["set"].items():
            written[name] = _variable(session, variable, self._types[table, name])
        names, literals = ", ".join(written), ", ".join(written.values())
        check = self._condition(session, table, permitted["check"], "new")
        made: list[dict[str, Any]] = json.loads(
            self._postgres.run(
                f"begin;\n{_entered(session)}"
                f"with new as (insert into {table} ({names}) values ({literals}) returning *)\n"
                f"select coalesce(json_agg(new) filter (where {check}), '[]') from new; rollback;"
            )
        )
        return made[0] if made else None

    def _matching(
        self, session: Session, table: str, expression: Mapping[str, Any], columns: str
    ) -> list[dict[str, Any]]:
        condition = self._condition(session, table, expression, table)
        select = f"select {columns} from {table} where {condition} order by id"
        return self._postgres.rows(select, _entered(session))

    def _condition(
        self, session: Session, table: str, expression: Mapping[str, Any], row: str
    ) -> str:
        parts = [self._part(session, table, it, row) for it in expression.items()]
        return f"({' and '.join(parts)})" if parts else "true"

    def _part(self, session: Session, table: str, part: tuple[str, Any], row: str) -> str:
        name, inner = part
        if name == "_and":
            return " and ".join(self._condition(session, table, it, row) for it in inner)
        if (table, name) in self._types:
            return self._comparison(session, table, name, inner, row)
        column = _relationship(table, name)
        target = self._targets[table, column]
        condition = self._condition(session, target, inner, target)
        joined = f"{target}.id = {row}.{column}"
        return f"exists (select 1 from {target} where {joined} and {condition})"

    def _comparison(
        self, session: Session, table: str, column: str, inner: Mapping[str, str], row: str
    ) -> str:
        [(operator, variable)] = inner.items()
        kind = self._types[table, column]
        if operator == "_eq":
            return f"({row}.{column} = {_variable(session, variable, kind)})"
        if operator == "_in":
            return f"({row}.{column} = any ({_variable(session, variable, f'{kind}[]')}))"
        raise NotImplementedError(f"{operator} is not used in the example")


def role_of(session: Session) -> str:
    return session["X-Hasura-Role"]


def _variable(session: Session, name: str, kind: str) -> str:
    key = name.lower()
    if not key.startswith("x-hasura-"):
        raise NotImplementedError("constants are not used in the example")
    if key not in {it.lower() for it in session}:
        raise MissingVariable(key)
    return f"(({_SESSION} ->> {quoted(key)})::{kind})"


def _entered(session: Session) -> str:
    lowered = json.dumps({name.lower(): value for name, value in session.items()})
    return f"select set_config('hasura.user', {quoted(lowered)}, false) \\g /dev/null\n"


def _relationship(table: str, name: str) -> str:
    for it in tables()[table].get("object_relationships", []):
        if it["name"] == name:
            return str(it["using"]["foreign_key_constraint_on"])
    raise LookupError(f"{table} has neither a column nor a relationship {name}")


_COLUMNS = """
select attrelid::regclass::text as t, attname as c, format_type(atttypid, null) as type
from pg_attribute join pg_class on pg_class.oid = attrelid
where relkind = 'r' and relnamespace = 'public'::regnamespace and attnum > 0
"""
_FOREIGN_KEYS = """
select conrelid::regclass::text as t, attname as c, confrelid::regclass::text as target
from pg_constraint join pg_attribute on attrelid = conrelid and attnum = conkey[1]
where contype = 'f'
"""
