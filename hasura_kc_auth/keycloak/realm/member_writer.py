"""Makes users members of orgs: by roles of the org's client, or by the groups of an organization.

Users are never made, changed or removed.
"""

from __future__ import annotations

from contextlib import suppress

from hasura_kc_auth.keycloak.admin.api import Admin
from hasura_kc_auth.keycloak.admin.errors import Conflict, NotFound
from hasura_kc_auth.keycloak.realm.ids import RealmIds
from hasura_kc_auth.keycloak.realm.role_writer import NONE, Names, RoleWriter
from hasura_kc_auth.provisioning.items import Group, Member, client_key, organization_key


class MemberWriter:
    """Every method raises AdminFailed."""

    def __init__(self, admin: Admin, ids: RealmIds, roles: RoleWriter) -> None:
        self._admin = admin
        self._ids = ids
        self._roles = roles

    async def bring(self, member: Member, old: Names, new: Names) -> None:
        """Let a member hold these roles in the org."""
        user = self._ids.id_of_user(member.user)
        if organization_key(member.org) in self._ids.of:
            await self._groups(member, user, old, new)
        else:
            client = self._ids.id_of(client_key(member.org))
            at = f"users/{user}/role-mappings/clients/{client}"
            await self._roles.bring(at, member.org, old, new)

    async def _groups(self, member: Member, user: str, old: Names, new: Names) -> None:
        organization = f"organizations/{self._ids.id_of(organization_key(member.org))}"
        with suppress(Conflict):  # a member already
            # The body is the bare id.
            await self._admin.post(f"{organization}/members", user)
        for name in sorted(new - old):
            with suppress(Conflict):  # in the group already
                await self._admin.put(f"{organization}/{self._group(member, name)}/members/{user}")
        for name in sorted(old - new):
            with suppress(NotFound):  # left it already
                await self._admin.delete(
                    f"{organization}/{self._group(member, name)}/members/{user}"
                )

    def _group(self, member: Member, name: str) -> str:
        return f"groups/{self._ids.id_of(Group(member.org, name, NONE).key)}"
