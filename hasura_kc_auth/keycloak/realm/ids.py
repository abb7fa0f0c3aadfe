"""By what ids Keycloak knows the pieces of a realm."""

from __future__ import annotations

from dataclasses import dataclass, field

from hasura_kc_auth.keycloak.admin.errors import NotFound
from hasura_kc_auth.provisioning.items import Key


@dataclass(frozen=True, slots=True)
class RealmIds:
    """`of`: of clients, scopes, organizations and groups. `users`: by name, as the file has it.

    `client_names`: by id, of all clients. `roles`: client -> role -> id, for the clients whose
    roles are known as they are now.
    """

    of: dict[Key, str] = field(default_factory=dict)
    users: dict[str, str] = field(default_factory=dict)
    client_names: dict[str, str] = field(default_factory=dict)
    roles: dict[str, dict[str, str]] = field(default_factory=dict)

    def keep(self, key: Key, its_id: str) -> None:
        self.of[key] = its_id
        match key:
            case ("client", name):
                self.client_names[its_id] = name
            case _:
                pass

    def id_of(self, key: Key) -> str:
        """Return an id. Raises NotFound."""
        return _known(self.of.get(key), " ".join(key))

    def id_of_user(self, name: str) -> str:
        """Return an id. Raises NotFound."""
        return _known(self.users.get(name), f"user {name}")


def _known(found: str | None, what: str) -> str:
    if found is None:
        raise NotFound(f"{what}: is not in the realm (any more)")
    return found
