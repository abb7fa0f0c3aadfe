"""Keycloak's native Organizations: orgs, members, groups with roles, and what writes the claim."""

from collections.abc import Iterable, Mapping
from typing import Any, Self

from admin import Admin, AdminError, Representation
from browser import Attempt, Browser, form_action
from login import Tokens
from realm import Realm

SCOPE = "organization"
CLAIM = {"claim__name": "organization", "access__token__claim": "true"}


class Organizations(Realm):
    """A realm with organizations; each alias is its name as well."""

    def __init__(self, admin: Admin, name: str) -> None:
        super().__init__(admin, name)
        self.orgs: dict[str, str] = {}
        self.groups: dict[tuple[str, str], str] = {}

    @classmethod
    async def create(cls, admin: Admin, name: str | None = None, **settings: Any) -> Self:
        return await super().create(admin, name, organizationsEnabled=True, **settings)

    async def add_organization(
        self, alias: str, *members: str, **attributes: Iterable[str]
    ) -> None:
        org = {
            "name": alias,
            "alias": alias,
            "enabled": True,
            "attributes": {name: list(values) for name, values in attributes.items()},
        }
        self.orgs[alias] = await self.admin.post(f"{self.path}/organizations", org)
        for user in members:
            await self.add_member(alias, user)

    async def add_member(self, alias: str, user: str) -> None:
        # The body is the bare id, as a JSON string.
        await self.admin.post(f"{self._org(alias)}/members", self.users[user])

    async def remove_member(self, alias: str, user: str) -> None:
        await self.admin.delete(f"{self._org(alias)}/members/{self.users[user]}")

    async def configure_organization(self, alias: str, **changes: Any) -> None:
        """Change an org: `enabled=False`."""
        await self.admin.change(self._org(alias), **changes)

    # Groups within an org, from 26.6 on

    async def has_groups(self) -> bool:
        """Whether this Keycloak knows groups of an org; needs one org at least."""
        try:
            await self.admin.get(f"{self._org(next(iter(self.orgs)))}/groups")
        except AdminError as error:
            if error.status != 404:
                raise
            return False
        return True

    async def add_group(
        self,
        alias: str,
        name: str,
        *members: str,
        roles: Mapping[str, Iterable[str]] | None = None,
        realm_roles: Iterable[str] = (),
        parent: str | None = None,
    ) -> None:
        """Add a group with roles by client; `name` is its path without the first slash."""
        above = f"groups/{self.groups[alias, parent]}/children" if parent else "groups"
        group = {"name": name.rpartition("/")[2]}
        self.groups[alias, name] = await self.admin.post(f"{self._org(alias)}/{above}", group)
        path = f"{self._group(alias, name)}/role-mappings"
        for client, names in (roles or {}).items():
            found = await self._roles(client, names)
            await self.admin.post(f"{path}/clients/{self.clients[client]}", found)
        for role in realm_roles:
            await self.admin.post(f"{path}/realm", [await self._realm_role(role)])
        for user in members:
            await self.join_group(alias, name, user)

    async def join_group(self, alias: str, group: str, user: str) -> None:
        await self.admin.put(f"{self._group(alias, group)}/members/{self.users[user]}")

    async def leave_group(self, alias: str, group: str, user: str) -> None:
        await self.admin.delete(f"{self._group(alias, group)}/members/{self.users[user]}")

    async def _realm_role(self, name: str) -> Representation:
        path = f"{self.path}/roles"
        if all(role["name"] != name for role in await self.admin.get(path)):
            await self.admin.post(path, {"name": name})
        role: Representation = await self.admin.get(f"{path}/{name}")
        return role

    # What writes the claim

    async def map_membership(self, **options: str) -> None:
        """Set the mapper that the scope has by itself: `addOrganizationId="true"`."""
        path = f"{self._scope(SCOPE)}/protocol-mappers/models"
        [mapper] = await self.admin.get(path)
        config = {option.replace("__", "."): value for option, value in options.items()}
        changed = {**mapper, "config": {**mapper["config"], **config}}
        await self.admin.put(f"{path}/{mapper['id']}", changed)

    async def map_groups(self, **options: str) -> None:
        """Let the claim hold groups; with `addGroupRoleMappings="true"` their roles as well."""
        await self.add_scope_mapper(
            SCOPE,
            "groups",
            "oidc-organization-group-membership-mapper",
            **{**CLAIM, "id__token__claim": "true", **options},
        )

    def _org(self, alias: str) -> str:
        return f"{self.path}/organizations/{self.orgs[alias]}"

    def _group(self, alias: str, group: str) -> str:
        return f"{self._org(alias)}/groups/{self.groups[alias, group]}"


class MemberBrowser(Browser):
    """A browser at a login that asks for the name first, perhaps for the org, and the password."""

    async def login_to(
        self, user: str, scope: str, pick: str | None = None, **extra: str
    ) -> Tokens:
        """Log in; `pick` is answered where the page asks to select an organization."""
        attempt = Attempt()
        page, redirect = await self._authorize(attempt, scope, extra)
        answers = [{"username": user}, {"kc.org": pick}, {"password": user}]
        for answer in answers:
            name, value = next(iter(answer.items()))
            if redirect is None and value is not None and f'name="{name}"' in page:
                page, redirect = await self._send("POST", form_action(page), data={name: value})
        return await self._finish(attempt, page, redirect)
