"""The file of orgs: read for a service with these settings, written, and its JSON schema."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from hasura_kc_auth.config.issuers import IssuerSettings
from hasura_kc_auth.config.orgs_check import contradictions
from hasura_kc_auth.config.orgs_document import OrgsDocument
from hasura_kc_auth.config.orgs_fit import issuers_for, misfits, no_issuer
from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.config.sources import (
    ConfigurationError,
    NotReadable,
    Tree,
    messages,
    read_yaml,
)
from hasura_kc_auth.provisioning.wanted import Frontend, Org, Roles, Wanted

_MESSAGES = {
    "missing": "is required",
    "too_short": "must not be empty",
    "extra_forbidden": "is no key of this file",
    "invalid_key": "is no key of this file",
    "string_type": "must be text",
    "string_too_short": "must not be empty",
    "tuple_type": "must be a list, as in [a, b]",
    "dict_type": "must be a map, as in {name: …}",
    "model_type": "must be a map, as in {key: …}",
}

_HEAD = """\
# Orgs, their roles and frontends for `hasura-kc-auth keycloak plan` and `apply`.
# What each key is: docs/orgs-file.md.
"""


@dataclass(frozen=True, slots=True)
class OrgsFile:
    """What a file of orgs asks for, and the issuer whose realm it is about."""

    wanted: Wanted
    issuer: IssuerSettings


def read_orgs(file: Path, settings: Settings) -> OrgsFile:
    """Read the file. Raises ConfigurationError: `FILE: orgs.acme.roles.owner: …`, a line each.

    All that is wrong with its form is told at once; where nothing is, all that contradicts itself
    or the settings.
    """
    try:
        document = OrgsDocument.model_validate(read_yaml(file))
    except NotReadable as error:
        raise ConfigurationError([f"{file}: {error}"]) from None
    except ValidationError as error:
        raise _refusal(file, _of_form(error)) from None
    issuers = issuers_for(document, settings)
    problems = list(contradictions(document))
    if len(issuers) == 1:
        problems += misfits(document, issuers[0], settings)
    else:
        problems.append(no_issuer(document, several=bool(issuers)))
    if problems:
        raise _refusal(file, problems)
    return OrgsFile(document.wanted(), issuers[0])


def _refusal(file: Path, problems: list[str]) -> ConfigurationError:
    return ConfigurationError([f"{file}: {problem}" for problem in problems])


def _of_form(error: ValidationError) -> list[str]:
    return [f"{_key(where)}: {message}" for where, message in messages(error, _MESSAGES)]


def _key(where: tuple[int | str, ...]) -> str:
    # pydantic says by a last step that a name is wrong; the step before is what it takes it for.
    if where[-1:] == ("[key]",):
        return f"{'.'.join(map(str, where[:-2]))}: a name in it"
    return ".".join(map(str, where)) or "file"


# Writing


def orgs_yaml(wanted: Wanted, issuer: str | None = None) -> str:
    """Return the file's text. `issuer`: for where several issuers' realms have this name.

    The template has the roles that more orgs have than lack, each with what it contains in most of
    them; the orgs say only what they have otherwise.
    """
    template = _template(wanted.orgs.values())
    tree: Tree = {
        **({"issuer": issuer} if issuer is not None else {}),
        "realm": wanted.realm,
        "carrier": wanted.carrier,
        "audience": wanted.audience,
        **_carrier_key(wanted),
        "frontends": [_frontend(it) for it in wanted.frontends],
        "template": {"roles": {role: sorted(parts) for role, parts in template.items()}},
        "orgs": {name: _org(org, template) for name, org in wanted.orgs.items()},
        "retired": sorted(wanted.retired),
    }
    return _HEAD + yaml.dump(
        tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=None
    )


class _Dumper(yaml.SafeDumper):
    """SafeDumper that writes U+0085 and its kind so that they are read again."""


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = None if text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def _carrier_key(wanted: Wanted) -> Tree:
    natively = wanted.carrier == "organization"
    return {"client": wanted.client} if natively else {"scope": wanted.scope}


def _template(orgs: Iterable[Org]) -> Roles:
    roles = [org.roles for org in orgs]
    times = Counter(pair for it in roles for pair in it.items())
    # Of a role that is there in several forms, the most common one comes last, and stays.
    commonest = dict(sorted(times, key=lambda pair: times[pair]))
    having = Counter(role for it in roles for role in it)
    lacking = {role: len(roles) - count for role, count in having.items()}
    return {
        role: parts
        for role, parts in sorted(commonest.items())
        if times[role, parts] > lacking[role]
    }


def _frontend(frontend: Frontend) -> Tree:
    return {
        "client": frontend.client_id,
        "redirect_uris": sorted(frontend.redirect_uris),
        "web_origins": sorted(frontend.web_origins),
        "public": frontend.public,
    }


def _org(org: Org, template: Roles) -> Tree:
    tree: Tree = {} if org.display_name == org.name else {"display_name": org.display_name}
    roles: dict[str, list[str] | None] = {
        role: sorted(parts) for role, parts in org.roles.items() if template.get(role) != parts
    }
    roles.update(dict.fromkeys(role for role in template if role not in org.roles))
    if roles:
        tree["roles"] = roles
    if org.members:
        tree["members"] = {user: sorted(held) for user, held in org.members.items()}
    return tree


# For editors


def orgs_schema() -> dict[str, Any]:
    """Return the file's JSON schema (2020-12), which editors complete from."""
    schema = OrgsDocument.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "orgs.yaml",
    }
