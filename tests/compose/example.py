"""The example's files, read as the programs that they are for read them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.devtools.tokens import User

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "deploy" / "compose"

Permission = tuple[str, str, str, Mapping[str, Any]]
"""Table, kind (`select`, `insert`, …), role, and what is permitted."""


@cache
def compose() -> Any:
    return yaml.safe_load((EXAMPLE / "compose.yaml").read_text("utf-8"))


@cache
def realm() -> Any:
    return json.loads((EXAMPLE / "keycloak" / "demo-realm.json").read_text("utf-8"))


def users() -> dict[str, User]:
    """Return the realm's users, with the ids, roles and passwords that Keycloak is to give them."""
    return {
        it["username"]: User(
            it["username"],
            {org: tuple(roles) for org, roles in it["clientRoles"].items()},
            it["credentials"][0]["value"],
            it["id"],
        )
        for it in realm()["users"]
    }


def regions(name: str) -> list[str]:
    """Return what the mapper `regions` collects from the user's groups."""
    by_group = {f"/{it['name']}": it["attributes"]["regions"] for it in realm()["groups"]}
    [user] = [it for it in realm()["users"] if it["username"] == name]
    return [region for group in user["groups"] for region in by_group[group]]


def settings(issuer: str, jwks_uri: str | None = None) -> Settings:
    """Return the example's settings for a realm at another address, on free loopback ports."""
    tree = yaml.safe_load((EXAMPLE / "hasura-kc-auth.yaml").read_text("utf-8"))
    [only] = tree["issuers"]
    only |= {"issuer": issuer, "jwks_uri": jwks_uri}
    loopback = {"webhook": {"port": 0}, "management": {"port": 0}}
    return Settings.model_validate({**tree, **loopback}, context={"insecure_transport": True})


@cache
def tables() -> dict[str, Any]:
    """Return Hasura's metadata by table."""
    folder = EXAMPLE / "hasura" / "metadata" / "databases"
    [database] = _included(folder / "databases.yaml")
    return {it["table"]["name"]: it for it in database["tables"]}


def permissions() -> Iterator[Permission]:
    for table, metadata in tables().items():
        for kind in ("select", "insert", "update", "delete"):
            for it in metadata.get(f"{kind}_permissions", []):
                yield table, kind, it["role"], it["permission"]


def permission(table: str, kind: str, role: str) -> Mapping[str, Any]:
    """Return one. Raises LookupError: to this role Hasura does not even show the field."""
    for *place, permitted in permissions():
        if place == [table, kind, role]:
            assert isinstance(permitted, dict)
            return permitted
    raise LookupError(f"{role} may not {kind} {table}")


def _included(file: Path) -> Any:
    """Read YAML with the includes of Hasura's CLI."""
    return _follow(yaml.safe_load(file.read_text("utf-8")), file.parent)


def _follow(tree: Any, folder: Path) -> Any:
    if isinstance(tree, str) and tree.startswith("!include "):
        return _included(folder / tree.removeprefix("!include "))
    if isinstance(tree, dict):
        return {name: _follow(branch, folder) for name, branch in tree.items()}
    if isinstance(tree, list):
        return [_follow(branch, folder) for branch in tree]
    return tree
