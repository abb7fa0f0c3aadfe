"""What a carrier finds."""

from __future__ import annotations

from typing import NamedTuple


class Grant(NamedTuple):
    """One org that a token proves.

    `id`: what Hasura gets to see, and by which a request names it. `roles`: Keycloak's, held in
    this org alone.
    """

    id: str
    roles: tuple[str, ...]


class Grants(NamedTuple):
    """All orgs that a token proves. `selectable`: whether one of them may be acted for at all."""

    orgs: tuple[Grant, ...] = ()
    selectable: bool = True
