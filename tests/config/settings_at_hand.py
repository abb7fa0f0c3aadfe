"""Settings for the tests: the least that can be written, and one change at a time.

settings = loaded(changed({"webhook.port": 1}))         # through the file
settings = loaded(variables={"WEBHOOK__PORT": "1"})     # through the environment
problems_of(changed({"webhook.port": "x"}))             # the sentences of a refusal
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args, get_origin

import pytest
import yaml
from pydantic import BaseModel

from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.config.sources import PREFIX, ConfigurationError, load

ISSUER = "https://sso.example.com/realms/acme"
LEAST: Mapping[str, Any] = {
    "issuers": [{"issuer": ISSUER, "clients": ["frontend"]}],
    "roles": {"allowed": ["org_admin", "editor", "viewer"]},
}
"""The three settings without which there is no service."""

LEAST_VARIABLES: Mapping[str, str] = {
    "ISSUER": ISSUER,
    "CLIENTS": "frontend",
    "ROLES__ALLOWED": "org_admin,editor,viewer",
}

ABSENT: Any = object()
"""As a changed value: leave this setting out."""


def changed(changes: Mapping[str, Any], base: Mapping[str, Any] = LEAST) -> dict[str, Any]:
    """Return the settings with some dotted ones changed; `issuers.0.leeway` steps into the list."""
    tree: dict[str, Any] = copy.deepcopy(dict(base))
    for path, value in changes.items():
        *steps, last = path.split(".")
        branch: Any = tree
        for step in steps:
            branch = branch[int(step)] if isinstance(branch, list) else branch.setdefault(step, {})
        if value is ABSENT:
            del branch[last]
        elif isinstance(branch, list):
            branch[int(last)] = value
        else:
            branch[last] = value
    return tree


def loaded(
    settings: Mapping[str, Any] | str | bytes | None = None,
    variables: Mapping[str, str] | None = None,
) -> Settings:
    """Read settings from a file, given as values or as it is, and variables without the prefix."""
    environment = {PREFIX + name: text for name, text in (variables or {}).items()}
    if settings is None:
        return load(None, environment)
    with TemporaryDirectory() as folder:
        file = Path(folder, "settings.yaml")
        file.write_bytes(_encoded(settings))
        return load(file, environment)


def _encoded(settings: Mapping[str, Any] | str | bytes) -> bytes:
    if isinstance(settings, bytes):
        return settings
    text = settings if isinstance(settings, str) else yaml.safe_dump(settings, sort_keys=False)
    return text.encode()


def problems_of(
    settings: Mapping[str, Any] | str | bytes | None = None,
    variables: Mapping[str, str] | None = None,
) -> list[str]:
    """Return the sentences of the refusal that these settings must meet."""
    with pytest.raises(ConfigurationError) as refused:
        loaded(settings, variables)
    assert str(refused.value) == "\n".join(refused.value.problems)
    return refused.value.problems


def names_of(problems: list[str]) -> list[str]:
    """Return what each problem names: the part before the first colon and blank."""
    return [problem.partition(": ")[0] for problem in problems]


def setting_at(settings: Settings, path: str) -> Any:
    value: Any = settings
    for step in path.split("."):
        name = "from_" if step == "from" else step
        value = value[int(step)] if step.isdigit() else getattr(value, name)
    return value


def leaves(model: type[BaseModel] = Settings, path: str = "") -> Iterator[str]:
    """Yield the dotted path of every setting: a map is one, the issuers are the first of them."""
    for name, field in model.model_fields.items():
        here = f"{path}{field.alias or name}"
        kinds = [
            kind
            for kind in (field.annotation, *get_args(field.annotation))
            if isinstance(kind, type) and issubclass(kind, BaseModel)
        ]
        if not kinds or get_origin(field.annotation) is dict:
            yield here
        else:
            yield from leaves(kinds[0], f"{here}.0." if name == "issuers" else f"{here}.")
