"""Settings from a YAML file and the environment: strict, and every problem at once.

pydantic-settings lets unknown variables, duplicate keys and a missing file pass; a typing error in
the settings of a security component must stop the start instead.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from typing_extensions import override

from hasura_kc_auth.config.issuers import IssuerSettings
from hasura_kc_auth.config.sections import INSECURE_TRANSPORT
from hasura_kc_auth.config.settings import Settings

# Two underscores: for a Service of our name Kubernetes injects HASURA_KC_AUTH_PORT and the like.
PREFIX = "HASURA_KC_AUTH__"
CONFIG_VARIABLE = f"{PREFIX}CONFIG"

Tree = dict[str, Any]


class ConfigurationError(Exception):
    """The settings are not usable. `problems`: a sentence each, naming the setting, no values."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def load(file: Path | None, environment: Mapping[str, str]) -> Settings:
    """Read the settings; variables win over the file. Raises ConfigurationError."""
    problems: list[str] = []
    if file is None and (name := environment.get(CONFIG_VARIABLE)):
        file = Path(name)
    tree = {} if file is None else _read_file(file, problems)
    origins = _merge_environment(tree, environment, problems)
    insecure = tree.get(INSECURE_TRANSPORT) in (True, "true", "1")
    try:
        settings = Settings.model_validate(tree, context={INSECURE_TRANSPORT: insecure})
    except ValidationError as error:
        raise ConfigurationError(problems + list(_sentences(error, origins))) from None
    if problems:
        raise ConfigurationError(problems)
    return settings


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key written twice."""

    @override
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if len({str(key) for key in keys}) != len(keys):
            raise yaml.constructor.ConstructorError(
                None, None, "a key stands here twice", node.start_mark
            )
        return super().construct_mapping(node, deep)


def _read_file(file: Path, problems: list[str]) -> Tree:
    try:
        tree = yaml.load(file.read_text("utf-8"), _StrictLoader)  # noqa: S506 - a SafeLoader
    except OSError as error:
        problems.append(f"{file}: cannot be read: {error.strerror}")
    except (yaml.MarkedYAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}:" if mark else ""
        problems.append(f"{file}:{line} {getattr(error, 'problem', 'is not UTF-8')}")
    except yaml.YAMLError:
        problems.append(f"{file}: is not YAML")
    else:
        if isinstance(tree, dict):
            return tree
        if tree is not None:
            problems.append(f"{file}: must hold settings by name, as in `roles: …`")
    return {}


def _merge_environment(
    tree: Tree, environment: Mapping[str, str], problems: list[str]
) -> dict[str, str]:
    """Write the variables into the tree. Returns which variable each dotted setting came from."""
    origins: dict[str, str] = {}
    shorthand = False
    model: type[BaseModel]
    for name in sorted(environment):
        if not name.startswith(PREFIX) or name == CONFIG_VARIABLE:
            continue
        path = name.removeprefix(PREFIX).lower().split("__")
        if path[0] in IssuerSettings.model_fields:
            shorthand, model, steps = True, IssuerSettings, ["issuer", *path]
        else:
            model, steps = Settings, path
        try:
            value = _read_variable(_field(model, path), environment[name])
        except ValueError as error:
            problems.append(f"{name}: {error}")
            continue
        _write(tree, steps, value)
        origins[".".join(path)] = name
    if shorthand:
        _adopt_single_issuer(tree, problems)
    return origins


def _field(model: type[BaseModel], path: list[str]) -> FieldInfo:
    """Return the field that a variable's path leads to. Raises ValueError."""
    for name in path[:-1]:
        inner = next((it for it in _models(_lookup(model, name))), None)
        if inner is None:
            raise ValueError("is no setting")
        model = inner
    return _lookup(model, path[-1])


def _lookup(model: type[BaseModel], name: str) -> FieldInfo:
    for field_name, field in model.model_fields.items():
        if name == (field.alias or field_name):
            return field
    raise ValueError("is no setting")


def _models(field: FieldInfo) -> Iterator[type[BaseModel]]:
    for kind in (field.annotation, *get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield kind


def _read_variable(field: FieldInfo, text: str) -> Any:  # noqa: ANN401 - what JSON can hold
    """Return a variable's value: lists as `a,b` or JSON, maps and objects as JSON."""
    kinds = {get_origin(kind) or kind for kind in (field.annotation, *get_args(field.annotation))}
    if not text and type(None) in kinds:
        return None
    if tuple in kinds and not text.lstrip().startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    if tuple in kinds or dict in kinds or any(_models(field)):
        try:
            return json.loads(text)
        except ValueError:
            raise ValueError("must be JSON") from None
    return text


def _write(tree: Tree, steps: list[str], value: Any) -> None:  # noqa: ANN401
    for step in steps[:-1]:
        branch = tree.get(step)
        tree[step] = branch = dict(branch) if isinstance(branch, dict) else {}
        tree = branch
    tree[steps[-1]] = value


def _adopt_single_issuer(tree: Tree, problems: list[str]) -> None:
    """Take the variables of the one issuer as its settings."""
    issuer = tree.pop("issuer")
    if "issuers" in tree:
        problems.append(
            f"{PREFIX}ISSUER and its kind: cannot stand together with `issuers`; use one of both"
        )
    else:
        tree["issuers"] = [issuer]


def _sentences(error: ValidationError, origins: Mapping[str, str]) -> Iterator[str]:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    for problem in problems:
        location = problem["loc"]
        if problem["type"] == "too_short" and any(
            it["loc"] != location and it["loc"][: len(location)] == location for it in problems
        ):
            continue  # a list is called too short as well where one of its items is not right
        setting = ".".join(map(str, location))
        variable = origins.get(setting) or origins.get(setting.removeprefix("issuers.0."))
        message = _PLAIN.get(problem["type"]) or problem["msg"].removeprefix("Value error, ")
        yield f"{setting or 'settings'}: {message}" + (f" (from {variable})" if variable else "")


_PLAIN = {
    "missing": "is required",
    "extra_forbidden": "is no setting",
    "too_short": "must not be empty",
    "path_not_file": "is no readable file",
}
