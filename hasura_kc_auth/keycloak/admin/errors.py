"""What can go wrong with Keycloak's admin API, and which role of an account opens which call."""

from __future__ import annotations

import re

BUSY = frozenset({429, 500, 502, 503, 504})
"""Statuses that may pass. Keycloak answers 500 where two writers met in its database."""


class AdminFailed(Exception):
    """An admin call did not do what it was for.

    `detail`, and the text of the error, is a sentence for people: it names the call and never holds
    a secret or a token.
    """

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class LoginRefused(AdminFailed):
    """Keycloak does not know the account, or does not let it in."""


class Unreachable(AdminFailed):
    """No answer, or none that says anything. `may_pass`: the same call may well work later."""

    def __init__(self, detail: str, *, may_pass: bool = True) -> None:
        super().__init__(detail)
        self.may_pass = may_pass


class Stumbled(Unreachable):
    """Keycloak fails at this call again and again, while it may well do others."""


class ExtraMissing(AdminFailed):
    """What speaks to the admin API is not installed."""


class LoginImpossible(AdminFailed):
    """Nobody could log in as what was asked about; the text says why."""


class Forbidden(AdminFailed):
    """The account lacks a role; the text says which, and for what."""


class NotFound(AdminFailed):
    """There is no such thing: status 404."""


class Conflict(AdminFailed):
    """There is one already: status 409. It may be of the same call, whose answer was lost."""


class OddAnswer(AdminFailed):
    """Something answered, but not as Keycloak does."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}: the answer is not of Keycloak's shape")


# First match: method, path, what the call is for, the roles of realm-management that it takes.
# Measured on 26.7.3; where Keycloak asks for more than one role, all of them are named.
_RIGHTS = (
    ("GET", r"clients/[^/]+/evaluate-scopes/", "ask for a token", "view-clients and view-users"),
    ("GET", r"clients|client-scopes|roles-by-id", "look at clients, scopes, roles", "view-clients"),
    ("*", r"clients|client-scopes|roles-by-id", "set up clients and scopes", "manage-clients"),
    ("GET", r"users|ui-ext", "look at users and their roles", "view-users"),
    ("*", r"users", "give and take users' roles", "manage-users"),
    (
        "GET",
        r"organizations/.*members",
        "look at members",
        "view-organizations and view-users",
    ),
    ("GET", r"organizations", "look at organizations", "view-organizations"),
    (
        "*",
        r"organizations/.*(members|role-mappings)",
        "set up members and the roles of groups",
        "manage-organizations and manage-users",
    ),
    ("*", r"organizations", "set up organizations", "manage-organizations"),
    ("GET", r"", "look at the realm", "view-realm"),
    ("*", r"", "change the realm", "manage-realm"),
)
_ID = re.compile(r"(?<=/)[0-9a-f]{8}-[0-9a-f-]{27}(?=/|$)")


def call_name(method: str, path: str) -> str:
    """Return a call as Keycloak's documentation writes it, without the ids of this realm."""
    return f"{method} {_ID.sub('{id}', path) or 'the realm'}"


def forbidden(method: str, path: str) -> Forbidden:
    """Return the error for status 403: which call, what for, and what the account lacks."""
    purpose, roles = next(
        (purpose, roles)
        for its_method, pattern, purpose, roles in _RIGHTS
        if its_method in (method, "*") and re.match(pattern, path)
    )
    return Forbidden(
        f"{call_name(method, path)}: the account may not {purpose};"
        f" it needs {roles} of realm-management, in its token"
    )
