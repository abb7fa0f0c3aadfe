"""Whether a file of orgs agrees with itself, and with what Keycloak takes.

Names are shown: in this file they are no secrets, and who reads the sentence has to find them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from hasura_kc_auth.config.orgs_document import OrgEntry, OrgsDocument
from hasura_kc_auth.core.claims import is_id
from hasura_kc_auth.core.policy import KEYCLOAK_CLIENTS, STANDARD_SCOPES
from hasura_kc_auth.provisioning.wanted import MY_ORGS, Org, Roles, Wanted

# Keycloak 26.4 and 26.7: 400 for an alias with one of these; 500 for a longer scope.
_NOT_IN_ALIASES = frozenset("*:,/")
_MAX_SCOPE = 255
_MAX_ROLE = 255


def contradictions(document: OrgsDocument) -> Iterator[str]:
    """Yield a sentence for each, beginning with the key as in `orgs.acme.roles.owner: …`."""
    wanted = document.wanted()
    yield from _carrier_faults(document)
    yield from _audience_faults(wanted)
    yield from _frontend_faults(document)
    yield from _name_faults(wanted)
    yield from _display_name_faults(wanted)
    yield from _role_faults(document, wanted)
    yield from _member_faults(wanted)


def _carrier_faults(document: OrgsDocument) -> Iterator[str]:
    natively = document.carrier == "organization"
    foreign, mine = ("scope", "client") if natively else ("client", "scope")
    if foreign in document.model_fields_set:
        yield f"{foreign}: says nothing where `carrier` is {document.carrier}; {mine} does"
    if natively and document.client is None:
        yield "client: is required where `carrier` is organization: whose roles the groups hold"
    if document.client in KEYCLOAK_CLIENTS:
        yield f"client: {document.client} is one of Keycloak's own clients"
    if document.client in {it.client for it in document.frontends}:
        yield f"client: {document.client} is a frontend; roles need a client of their own"


def _audience_faults(wanted: Wanted) -> Iterator[str]:
    if not is_id(wanted.audience_scope) or " " in wanted.audience:
        yield "audience: must be short and without blanks: a client scope is named after it"


def _frontend_faults(document: OrgsDocument) -> Iterator[str]:
    times = Counter(it.client for it in document.frontends)
    yield from (f"frontends: {name} is there twice" for name, n in times.items() if n > 1)
    for number, it in enumerate(document.frontends):
        if "*" in it.redirect_uris:
            yield f"frontends.{number}.redirect_uris: `*` would send codes to whoever asks for them"


# Names


def _name_faults(wanted: Wanted) -> Iterator[str]:
    reserved = _reserved(wanted)
    for org in wanted.orgs:
        yield from (f"orgs.{org}: {fault}" for fault in _faults_of_name(org, wanted, reserved))


def _reserved(wanted: Wanted) -> Mapping[str, str]:
    """Return what can't be the name of an org or of its scope, and what it is instead."""
    return {
        wanted.audience: "the audience, which is in the `aud` of every token",
        wanted.audience_scope: "the scope of the audience",
        MY_ORGS: "the scope by which a frontend lists its user's orgs",
        **dict.fromkeys((it.client_id for it in wanted.frontends), "a frontend"),
        **dict.fromkeys(STANDARD_SCOPES, "one of the standard scopes"),
        **dict.fromkeys(KEYCLOAK_CLIENTS, "one of Keycloak's own clients"),
    }


def _faults_of_name(org: str, wanted: Wanted, reserved: Mapping[str, str]) -> Iterator[str]:
    natively = wanted.carrier == "organization"
    scope = org if natively else wanted.scope_of(org)
    if not is_id(org) or len(scope) > _MAX_SCOPE:
        yield "the name must be 1 to 255 printable characters, and so must its scope's"
    if " " in org:
        yield "the name must hold no blanks: it is part of a scope's name, and those have none"
    if natively and not _NOT_IN_ALIASES.isdisjoint(org):
        yield "the name must hold none of * : , / where `carrier` is organization"
    for name in sorted({org, scope} & reserved.keys()):
        yield f"{name} is {reserved[name]}, and never an org"
    if org in wanted.retired:
        yield "the name is in `retired`: whoever used it again would inherit the old org's rows"


def _display_name_faults(wanted: Wanted) -> Iterator[str]:
    first: dict[str, str] = {}
    for org in wanted.orgs.values():
        if not org.display_name.strip() and org.display_name != org.name:
            yield f"orgs.{org.name}.display_name: must not be blank"
        other = first.setdefault(org.display_name, org.name)
        # Keycloak keeps the names of organizations unique, besides their aliases.
        if wanted.carrier == "organization" and other != org.name:
            yield f"orgs.{org.name}.display_name: is that of the org {other} as well"


# Roles


def _role_faults(document: OrgsDocument, wanted: Wanted) -> Iterator[str]:
    entries = document.entries()
    taken = frozenset({"", *wanted.orgs, *wanted.retired})
    template = {role: frozenset(parts) for role, parts in document.template.roles.items()}
    # A template that no org has as it stands need not hold together.
    in_use = not entries or any(not it.roles for it in entries.values())
    known = set(_faults_of_roles(template, taken)) if in_use else set()
    yield from (f"template.roles.{role}: {fault}" for role, fault in sorted(known))
    for name, entry in entries.items():
        org = wanted.orgs[name]
        if entry.roles:
            for role, fault in _faults_of_roles(org.roles, taken):
                if (role, fault) not in known:
                    yield f"orgs.{name}.roles.{role}: {fault}"
        yield from _faults_of_overrides(name, entry, template)
        if not org.roles:
            yield f"orgs.{name}: has no role, so nobody can get in; give it one, or the template"
    if wanted.carrier == "organization":
        yield from _differing_roles(wanted)


def _faults_of_roles(roles: Roles, taken: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield a role and what is wrong with it. `taken`: what stands before a colon elsewhere."""
    for role, parts in roles.items():
        if len(role) > _MAX_ROLE:
            yield role, "must have at most 255 characters"
        for part in sorted(parts - roles.keys()):
            yield role, f"contains {part}, which is no role of the org"
        if role in _within(role, roles):
            yield role, "contains itself, at once or by way of a role that it contains"
        if not taken.isdisjoint(_before_colons(role)):
            yield role, "reads like a role of another org or of the realm: `client:role`"


def _within(role: str, roles: Roles) -> set[str]:
    """Return all that a role contains, at any depth."""
    found: set[str] = set()
    ahead = list(roles[role])
    while ahead:
        part = ahead.pop()
        if part not in found:
            found.add(part)
            ahead += roles.get(part, ())
    return found


def _before_colons(role: str) -> Iterator[str]:
    return (role[:at] for at, character in enumerate(role) if character == ":")


def _faults_of_overrides(name: str, entry: OrgEntry, template: Roles) -> Iterator[str]:
    for role, parts in entry.roles.items():
        if parts is None and role not in template:
            yield f"orgs.{name}.roles.{role}: is dropped by null, and not in the template"


def _differing_roles(wanted: Wanted) -> Iterator[str]:
    """One client holds the roles of all organizations: a name stands for one thing."""
    first: dict[str, Org] = {}
    for org in wanted.orgs.values():
        for role, parts in org.roles.items():
            other = first.setdefault(role, org)
            if other.roles[role] != parts:
                yield (
                    f"orgs.{org.name}.roles.{role}: contains other roles than in {other.name}; "
                    "with organizations a role is the same in all orgs"
                )


def _member_faults(wanted: Wanted) -> Iterator[str]:
    for org in wanted.orgs.values():
        times = Counter(user.lower() for user in org.members)
        yield from (
            f"orgs.{org.name}.members: {user} is there twice: Keycloak keeps names in small letters"
            for user, n in times.items()
            if n > 1
        )
        for user, roles in org.members.items():
            for role in sorted(roles - org.roles.keys()):
                yield f"orgs.{org.name}.members.{user}: holds {role}, which is no role of the org"
            # An organization has members without a role; otherwise it is roles that make a member.
            if not roles and wanted.carrier == "client-scope":
                yield f"orgs.{org.name}.members.{user}: holds no role; leave the user out"
