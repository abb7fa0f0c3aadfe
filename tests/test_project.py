"""Rules of the project itself: what it depends on, what lies in its repository."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from hasura_kc_auth.core.errors import Code
from hasura_kc_auth.core.rules import ORDER

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
DEPENDENCIES = {it.name: it for it in map(Requirement, PYPROJECT["project"]["dependencies"])}
PINNED_FILES = sorted((ROOT / "requirements").glob("*.txt"))

# Below these, holes that reach this service are open.
FLOORS = {"joserfc": "1.7.6", "aiohttp": "3.14.1"}

_PINNED = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;]+)(?: ; [^\\]+?)?"
    r"(?P<hashes>(?: \\\n    --hash=sha256:[0-9a-f]{64})+)\n"
)


def pinned_in(file: Path) -> dict[str, str]:
    return {found["name"]: found["version"] for found in _PINNED.finditer(file.read_text("utf-8"))}


# --- dependencies


@pytest.mark.parametrize(("name", "floor"), list(FLOORS.items()))
def test_no_version_with_known_holes_can_be_installed(name, floor):
    [bound] = [it for it in DEPENDENCIES[name].specifier if it.operator == ">="]

    assert Version(bound.version) >= Version(floor)
    for file in PINNED_FILES:
        pinned = pinned_in(file).get(name, floor)
        assert Version(pinned) >= Version(floor), file.name


def test_known_holes_in_what_is_pinned_are_looked_up_before_a_change_lands():
    makefile, ci = ((ROOT / it).read_text("utf-8") for it in ("Makefile", ".ci/run"))

    assert "/pip-audit --requirement requirements/main.txt" in makefile
    assert "--requirement requirements/image.txt --require-hashes" in makefile
    assert "\nmake audit " in ci


def test_nothing_is_installed_without_its_hash():
    """But the project itself, and then nothing that it requires."""
    files = ((ROOT / it).read_text("utf-8") for it in ("Makefile", ".ci/run"))
    installs = re.findall(r'^.*\bpip"? install\b.*$', "\n".join(files), re.MULTILINE)

    assert len(installs) >= 4
    assert [it for it in installs if "--require-hashes" not in it and "--no-deps" not in it] == []


def test_there_is_one_jose_library():
    others = {"pyjwt", "python-jose", "authlib", "jwcrypto"}

    assert not others & {name.lower() for name in DEPENDENCIES}
    assert not others & {name.lower() for name in pinned_in(ROOT / "requirements" / "main.txt")}


def test_http_is_parsed_by_the_parser_in_c():
    """The one in Python has had the smuggling holes."""
    parser = importlib.import_module("aiohttp.http_parser").HttpRequestParser

    assert parser.__module__ == "aiohttp._http_parser"


def test_every_dependency_has_a_lower_bound_and_a_pin_that_fits():
    pinned = pinned_in(ROOT / "requirements" / "main.txt")

    for name, requirement in DEPENDENCIES.items():
        assert [it.operator for it in requirement.specifier] == [">="], name
        assert requirement.specifier.contains(pinned[name]), name


def test_every_lower_bound_has_its_reason_in_the_manual():
    page = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \| ([0-9., ]+): ([^|]+) \|$", page, re.MULTILINE)
    told = {
        name: version
        for names, versions, _ in rows
        for name, version in zip(
            names.split(" (")[0].split(", "), versions.split(", "), strict=False
        )
    }

    for name, requirement in DEPENDENCIES.items():
        assert [it.version for it in requirement.specifier] == [told[name]], name


def test_there_are_pinned_requirements_for_each_purpose():
    names = ["bench", "build", "chart", "docs", "fuzz", "image", "lint", "main", "mutate", "test"]
    assert [file.stem for file in PINNED_FILES] == names


@pytest.mark.parametrize("file", [pytest.param(it, id=it.name) for it in PINNED_FILES])
def test_every_requirement_is_pinned_by_hash_and_nothing_else_stands_there(file):
    text = file.read_text("utf-8")

    assert _PINNED.sub("", text) == ""
    assert len(pinned_in(file)) == len(_PINNED.findall(text)) >= 1
    assert "://" not in text
    assert "index" not in re.sub(r"(?m)^[a-z0-9-]+==", "", text)


@pytest.mark.parametrize("name", ["image", "lint", "test"])
def test_the_tools_run_on_the_same_versions_as_the_service(name):
    main, tools = (pinned_in(ROOT / "requirements" / f"{it}.txt") for it in ("main", name))

    assert main.items() <= tools.items()


# --- the vocabulary


def test_every_code_is_a_rules_and_in_the_order_of_the_rules():
    first_seen = list(dict.fromkeys(fact.code for fact in ORDER))

    assert [*first_seen, Code.INTERNAL_ERROR] == list(Code)


def test_every_fact_says_what_must_hold():
    assert len({fact.must for fact in ORDER}) == len(ORDER)
    assert all(fact.must for fact in ORDER)


# --- the repository

# Written in pieces, so that this file is not one of those it looks for.
_WORKPLACES = [f"/{name}/" for name in ("root", "work")]
_REGISTRIES = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("pypi", "python", "org"),
        ("npmjs", "org"),
        ("yarnpkg", "com"),
        ("crates", "io"),
        ("rubygems", "org"),
        ("repo1", "maven", "org"),
        ("repo", "maven", "apache", "org"),
        ("proxy", "golang", "org"),
    )
]


def _repository() -> list[Path]:
    """Return what is in git or would be added to it."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("no git repository")
    listed = subprocess.run(  # noqa: S603 - git
        [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [file for file in files if file.is_file()]


def test_nothing_of_a_workplace_and_no_registry_is_in_the_repository():
    files = _repository()
    texts = {str(it.relative_to(ROOT)): it.read_bytes().decode("utf-8", "replace") for it in files}

    found = [
        f"{name}: {words}"
        for name, text in texts.items()
        for words in (*_WORKPLACES, *_REGISTRIES)
        if words in text
    ]

    assert found == []
    assert "pyproject.toml" in texts
    assert f"tests/{Path(__file__).name}" in texts
