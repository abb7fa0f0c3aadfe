"""Settings from a YAML file and the environment: strict, and every problem at once.

pydantic-settings lets unknown variables, duplicate keys and a missing file pass; a typing error in
the settings of a security component must stop the start instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, NamedTuple, NoReturn, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from typing_extensions import override

from hasura_kc_auth.config.issuers import IssuerSettings
from hasura_kc_auth.config.listeners import ManagementSettings
from hasura_kc_auth.config.sections import INSECURE_TRANSPORT
from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.core.strict_json import decode_value

# Two underscores: for a Service of our name Kubernetes injects HASURA_KC_AUTH_PORT and the like.
PREFIX = "HASURA_KC_AUTH__"
CONFIG_VARIABLE = f"{PREFIX}CONFIG"
_MANAGEMENT = f"{PREFIX}MANAGEMENT".split("__")

_MAX_FILE = 16 * 1024**2

Tree = dict[str, Any]


class ConfigurationError(Exception):
    """The settings are not usable. `problems`: a sentence each, naming the setting, no values."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class _Written(NamedTuple):
    """What file and variables say; which variable each setting came from; what is wrong."""

    tree: Tree
    origins: dict[str, str]
    problems: list[str]


def load(file: Path | None, environment: Mapping[str, str]) -> Settings:
    """Read the settings; variables win over the file. Raises ConfigurationError."""
    tree, origins, problems = _gather(file, environment)
    try:
        settings = _validate(tree)
    except ValidationError as error:
        raise ConfigurationError(problems + list(_sentences(error, origins))) from None
    if problems:
        raise ConfigurationError(problems)
    return settings


class _ManagementAlone(BaseModel):
    management: ManagementSettings = ManagementSettings()


def load_management(file: Path | None, environment: Mapping[str, str]) -> ManagementSettings:
    """Read where the management listener is. Raises ConfigurationError.

    Nothing else is looked at: a running service has judged its settings when it started, and who
    asks after its health may not be allowed to read its secrets.
    """
    ours = {
        name: value
        for name, value in environment.items()
        if name == CONFIG_VARIABLE or name.split("__")[:2] == _MANAGEMENT
    }
    tree, origins, problems = _gather(file, ours)
    try:
        found = _ManagementAlone.model_validate(tree).management
    except ValidationError as error:
        raise ConfigurationError(problems + list(_sentences(error, origins))) from None
    if problems:
        raise ConfigurationError(problems)
    return found


def as_written(file: Path | None, environment: Mapping[str, str]) -> Tree:
    """Return the settings that are written, by name, as YAML has them. Raises ConfigurationError.

    They are checked as by `load`, but for files that they name: those are where the service runs.
    """
    tree, origins, problems = _gather(file, environment)
    try:
        _validate(tree)
    except ValidationError as error:
        problems += _sentences(error, origins, but=_NO_FILE)
    if problems:
        raise ConfigurationError(problems)
    return tree


def _gather(file: Path | None, environment: Mapping[str, str]) -> _Written:
    problems: list[str] = []
    if file is None and (name := environment.get(CONFIG_VARIABLE)):
        file = Path(name)
    tree = {} if file is None else _read_file(file, problems)
    origins = _merge_environment(tree, environment, problems)
    return _Written(tree, origins, problems)


def _validate(tree: Tree) -> Settings:
    try:
        insecure = TypeAdapter(bool).validate_python(tree.get(INSECURE_TRANSPORT, False))
    except ValidationError:
        insecure = False  # and said below, by its name
    return Settings.model_validate(tree, context={INSECURE_TRANSPORT: insecure})


class NotReadable(Exception):
    """What a file holds cannot be read. The text holds nothing of it."""


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key written twice."""

    @override
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(self.construct_object(key, deep=True))
            if name in seen:
                line = key.start_mark.line + 1
                raise NotReadable(f"line {line}: a key stands here twice")
            seen.add(name)
        return super().construct_mapping(node, deep)


def _refuse_binary(_loader: _StrictLoader, node: yaml.Node) -> NoReturn:
    raise NotReadable(f"line {node.start_mark.line + 1}: binary data is no setting")


_StrictLoader.add_constructor("tag:yaml.org,2002:binary", _refuse_binary)


def _read_file(file: Path, problems: list[str]) -> Tree:
    try:
        tree = read_yaml(file)
    except NotReadable as error:
        problems.append(f"{file}: {error}")
        return {}
    if tree is not None and not isinstance(tree, dict):
        problems.append(f"{file}: must hold settings by name, as in `roles: …`")
        return {}
    return tree or {}


def read_yaml(file: Path) -> Any:  # noqa: ANN401 - what YAML can hold
    """Read a file of at most 16 MiB strictly. Raises NotReadable."""
    try:
        with file.open("rb") as opened:
            content = opened.read(_MAX_FILE + 1)
        if len(content) > _MAX_FILE:
            raise NotReadable("is larger than 16 MiB")
        return parse_yaml(content.decode("utf-8-sig"))
    except OSError as error:
        raise NotReadable(f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise NotReadable("is not UTF-8") from None


def parse_yaml(text: str) -> Any:  # noqa: ANN401 - what YAML can hold
    """Read strictly. Raises NotReadable in words of our own: the loader's may hold the text."""
    try:
        return yaml.load(text, _StrictLoader)  # noqa: S506 - a SafeLoader
    except NotReadable:
        raise
    except yaml.MarkedYAMLError as error:
        kind = type(error).__name__.removesuffix("Error").lower()
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise NotReadable(f"{line}is not YAML that can be read here ({kind})") from error
    except Exception as error:  # the loader raises whatever a bad value makes it stumble on
        raise NotReadable("is not YAML that can be read here") from error


def _merge_environment(
    tree: Tree, environment: Mapping[str, str], problems: list[str]
) -> dict[str, str]:
    """Write the variables into the tree. Returns which variable each dotted setting came from."""
    origins: dict[str, str] = {}
    single: Tree = {}
    for name in sorted(environment):
        if not name.startswith(PREFIX) or name == CONFIG_VARIABLE:
            continue
        if name != name.upper():
            problems.append(f"{name}: must be written in capitals")
            continue
        path = name.removeprefix(PREFIX).lower().split("__")
        ours = path[0] in IssuerSettings.model_fields
        try:
            field = _field(IssuerSettings if ours else Settings, path)
            _write(single if ours else tree, path, _read_variable(field, environment[name]))
        except ValueError as error:
            problems.append(f"{name}: {error}")
        else:
            origins[".".join(["issuers.0", *path] if ours else path)] = name
    if single and "issuers" in tree:
        problems.append(
            f"{PREFIX}ISSUER and its kind: cannot stand together with `issuers`; use one of both"
        )
    elif single:
        tree["issuers"] = [single]
    return origins


def _field(model: type[BaseModel], path: list[str]) -> FieldInfo:
    """Return the field that a variable's path leads to. Raises ValueError."""
    for name in path[:-1]:
        inner = _section(_lookup(model, name))
        if inner is None:
            raise ValueError("is no setting")
        model = inner
    return _lookup(model, path[-1])


def _lookup(model: type[BaseModel], name: str) -> FieldInfo:
    for field_name, field in model.model_fields.items():
        if name == (field.alias or field_name):
            return field
    raise ValueError("is no setting")


def _section(field: FieldInfo) -> type[BaseModel] | None:
    """Return the section that a field is, also where it may be left out; None for any other."""
    for kind in _alternatives(field):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def _alternatives(field: FieldInfo) -> tuple[object, ...]:
    kind = field.annotation
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)


def _read_variable(field: FieldInfo, text: str) -> Any:  # noqa: ANN401 - what JSON can hold
    """Return a variable's value: lists as `a,b` or JSON, maps and objects as JSON."""
    kinds = {get_origin(kind) or kind for kind in _alternatives(field)}
    if not text and type(None) in kinds:
        return None
    if tuple in kinds and not text.lstrip().startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    if tuple in kinds or dict in kinds or _section(field):
        try:
            return decode_value(text)
        except ValueError:
            raise ValueError("must be JSON") from None
    return text


def _write(tree: Tree, steps: list[str], value: Any) -> None:  # noqa: ANN401
    for step in steps[:-1]:
        branch = tree.get(step)
        tree[step] = branch = dict(branch) if isinstance(branch, dict) else {}
        tree = branch
    tree[steps[-1]] = value


def _sentences(
    error: ValidationError, origins: Mapping[str, str], but: str | None = None
) -> Iterator[str]:
    """Yield a sentence for each error, but for those of one type."""
    for where, message in messages(error, _PLAIN, but):
        setting = ".".join(map(str, where))
        variable = origins.get(setting)
        yield f"{setting or 'settings'}: {message}" + (f" (from {variable})" if variable else "")


_NO_FILE = "path_not_file"
_PLAIN = {
    "missing": "is required",
    "extra_forbidden": "is no setting",
    "too_short": "must not be empty",
    _NO_FILE: "is no readable file",
}


def messages(
    error: ValidationError, plain: Mapping[str, str], but: str | None = None
) -> Iterator[tuple[tuple[int | str, ...], str]]:
    """Yield where a problem is, and what it is; those of one type are left out.

    `plain`: words of our own by pydantic's type.
    """
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    for problem in problems:
        location = problem["loc"]
        if problem["type"] == "too_short" and any(
            it["loc"] != location and it["loc"][: len(location)] == location for it in problems
        ):
            continue  # a list is called too short as well where one of its items is not right
        if problem["type"] != but:
            message = plain.get(problem["type"]) or problem["msg"].removeprefix("Value error, ")
            yield location, message
