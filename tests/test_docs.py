"""What the manual says is so: its tests, codes, settings, links and metrics are the real ones."""

from __future__ import annotations

import ast
import json
import re
import runpy
import struct
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from hasura_kc_auth.cli.advice import ADVICE
from hasura_kc_auth.config.answers import VariableSettings
from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.core.errors import Code
from hasura_kc_auth.core.rendering import render
from hasura_kc_auth.core.rules import ORDER
from hasura_kc_auth.telemetry.denials import Denial
from hasura_kc_auth.telemetry.metrics import DecisionCounts, ServiceCollector, registry_of
from tests.config.settings_at_hand import LEAST, leaves, loaded, problems_of

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCS = ROOT / "docs"
SECURITY, OPERATIONS, KEYCLOAK, VERSUS, DENIALS, SETTINGS = (
    DOCS / f"{name}.md"
    for name in ("security", "operations", "keycloak", "versus-jwt-mode", "denials", "settings")
)
MANUAL = [README, *sorted(DOCS.glob("*.md"))]
PAGES = [*MANUAL, *sorted(it for it in ROOT.glob("*.md") if it != README)]

each_manual_page = pytest.mark.parametrize("page", [pytest.param(it, id=it.name) for it in MANUAL])
each_page = pytest.mark.parametrize("page", [pytest.param(it, id=it.name) for it in PAGES])

_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


@cache
def text_of(page: Path) -> str:
    return page.read_text("utf-8")


def prose_of(page: Path) -> str:
    """Return a page without its blocks of code."""
    return _FENCED.sub("", text_of(page))


def rows_of(text: str) -> list[list[str]]:
    """Return the cells of every table row, heads and rules left out."""
    lines = text.splitlines()
    rules = {number for number, line in enumerate(lines) if re.fullmatch(r"[| -]*---[| -]*", line)}
    heads = {number - 1 for number in rules}
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for number, line in enumerate(lines)
        if line.startswith("|") and number not in rules | heads
    ]


# --- docs/security.md

NUMBERED = [row for row in rows_of(text_of(SECURITY)) if row[0].isdigit()]
_NODE = re.compile(r"`?(tests/[a-z_/]+\.py)::(\w+(?:::\w+)?)`")


@cache
def names_in(file: str) -> frozenset[str]:
    """Return the tests of a file as pytest names them, without their parameters."""
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    return frozenset(_tests_of(tree.body, ""))


def _tests_of(body: list[ast.stmt], prefix: str) -> Iterator[str]:
    for it in body:
        if isinstance(it, ast.ClassDef) and it.name.startswith("Test"):
            yield from _tests_of(it.body, f"{it.name}::")
        elif isinstance(it, ast.FunctionDef | ast.AsyncFunctionDef) and it.name.startswith("test_"):
            yield f"{prefix}{it.name}"


def test_every_promise_is_there_once_and_in_its_place():
    assert [row[0] for row in NUMBERED] == [str(number) for number in range(1, 52)]
    assert {len(row) for row in NUMBERED} == {3}


@pytest.mark.parametrize("row", [pytest.param(it, id=it[0]) for it in NUMBERED])
def test_every_promise_is_held_by_tests_that_exist(row):
    _, promise, held_by = row
    named = _NODE.findall(held_by)

    assert promise.endswith(".")
    assert [f"{file}::{test}" for file, test in named if test not in names_in(file)] == []
    assert _NODE.sub("", held_by).strip(", |") == ""
    assert not all(file.startswith("tests/integration/") for file, _ in named)


@each_manual_page
def test_every_test_that_a_page_names_exists(page):
    named = _NODE.findall(text_of(page))

    assert len(named) == len(re.findall(r"\.py::\w+(?:::\w+)?`", prose_of(page)))
    assert [f"{file}::{test}" for file, test in named if test not in names_in(file)] == []


# --- docs/hasura.md

HASURA = DOCS / "hasura.md"
TABLES = ROOT / "deploy/compose/hasura/metadata/databases/default/tables"
_YAML = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHOWN = [it for it in map(yaml.safe_load, _YAML.findall(text_of(HASURA))) if "table" in it]


@pytest.mark.parametrize("shown", [pytest.param(it, id=it["table"]["name"]) for it in SHOWN])
def test_the_permissions_of_the_manual_are_those_that_are_run(shown):
    run = yaml.safe_load((TABLES / f"public_{shown['table']['name']}.yaml").read_text("utf-8"))
    kinds = shown.keys() - {"table"}

    assert run["table"] == shown["table"]
    assert [it for kind in kinds for it in shown[kind] if it not in run[kind]] == []
    assert kinds


def test_the_lists_of_the_manual_are_what_is_answered():
    rows = {row[0].strip("`"): row[1].strip("`") for row in rows_of(text_of(HASURA))}
    tokens = {'["eu", "us"]': ["eu", "us"], '["a,b"]': ["a,b"], '"eu"': ["eu"], "nothing": []}

    assert {it: rows[it] for it in tokens} == {
        it: render(values, "text") for it, values in tokens.items()
    }


# --- docs/threat-model.md

THREATS = DOCS / "threat-model.md"


def _promised() -> dict[str, str]:
    """Return each promise's number with the heading that it stands under."""
    promised, heading = {}, ""
    for line in text_of(SECURITY).splitlines():
        heading = line.removeprefix("## ") if line.startswith("## ") else heading
        if number := re.match(r"\| (\d+) \|", line):
            promised[number[1]] = heading.lower().replace(" ", "-")
    return promised


def test_every_number_in_the_threat_model_leads_to_its_promise():
    named = re.findall(r"\[(\d+)\]\(security\.md#([a-z-]+)\)", text_of(THREATS))

    assert len(named) > 20
    assert [it for it in named if it not in _promised().items()] == []


# --- docs/versus-jwt-mode.md

TRIED = "tests/integration/test_jwt_mode.py"
COMPARED = [row for row in rows_of(text_of(VERSUS)) if len(row) == 4]


@pytest.mark.parametrize("row", [pytest.param(it, id=it[0]) for it in COMPARED])
def test_every_comparison_is_tried_by_tests_that_exist(row):
    *_, tried_by = row
    named = re.findall(r"`(test_\w+)`", tried_by)

    assert [it for it in named if it not in names_in(TRIED)] == []
    assert tried_by == ", ".join(f"`{it}`" for it in named) != ""


def test_every_test_of_jwt_mode_is_told_about():
    named = re.findall(r"`(test_\w+)`", " ".join(row[3] for row in COMPARED))

    assert sorted(named) == sorted(names_in(TRIED))
    assert {"`tests/hasura_jwt_mode.py`", f"`{TRIED}`"} <= set(
        re.findall(r"`tests/[^`]+`", text_of(VERSUS))
    )


# --- the codes


def sections_of(page: Path, level: str) -> dict[str, str]:
    """Return the text of each section of this level, by its heading."""
    found = re.findall(rf"^{level} (.+)\n\n((?:(?!#).*\n?)*)", text_of(page), re.MULTILINE)
    return {heading.strip("`"): text for heading, text in found}


def test_the_page_of_denials_has_each_code_in_its_order():
    assert list(sections_of(DENIALS, "###")) == [code.value for code in Code]


@pytest.mark.parametrize("code", Code)
def test_a_code_has_its_rule_its_cause_and_its_cure_there(code):
    must = "; ".join(fact.must for fact in ORDER if fact.code is code)
    rule = [("Must hold:", f"{must}.")] if must else []  # a mistake of ours breaks no rule
    found = re.findall(r"^\*\*(.+?)\*\* (.+)$", sections_of(DENIALS, "###")[code], re.MULTILINE)
    ((_, cause),) = (it for it in found if it[0] == "Cause.")
    screen = [it for it in found if it[0] == "In Keycloak."]

    assert found == [*rule, ("Cause.", cause), ("Cure.", ADVICE[code]), *screen]
    assert len(cause.split()) > 5
    assert cause.startswith("503. ") == code.undecided


def test_the_example_of_a_denial_is_one():
    (example,) = re.findall(r"^```json\n(.+?)^```$", text_of(DENIALS), re.MULTILINE | re.DOTALL)
    ((denial,),) = json.loads(example).values()

    assert tuple(denial) == Denial._fields
    assert denial["code"] in set(Code)


@each_manual_page
def test_what_stands_beside_a_status_is_a_code(page):
    assert set(_denials(page)) <= set(Code)


def _denials(page: Path) -> list[str]:
    return re.findall(r"\b(?:401|503) `([a-z_]+)`", prose_of(page))


def test_denials_are_found_in_the_pages():
    assert "malformed_request" in _denials(SECURITY)


def test_what_goes_wrong_goes_wrong_by_its_code():
    first_words = [re.match(r"`([a-z_]+)`", row[0]) for row in rows_of(text_of(KEYCLOAK))]
    codes = [found[1] for found in first_words if found]

    assert "no_org" in codes
    assert set(codes) <= set(Code)


# --- the settings


def listing_in(page: Path) -> str:
    """Return the one listing of all settings that a page has, or nothing."""
    blocks = re.findall(r"^```yaml\n(issuers:.*?)^```$", text_of(page), re.MULTILINE | re.DOTALL)
    return "".join(block for block in blocks if "\norg_header:" in block)


each_listing = pytest.mark.parametrize(
    "page", [pytest.param(it, id=it.name) for it in MANUAL if listing_in(it)]
)


def test_the_page_of_settings_has_the_listing():
    assert listing_in(SETTINGS)


@each_listing
def test_the_listing_of_settings_is_valid_and_shows_the_defaults(page):
    assert loaded(listing_in(page)) == loaded(LEAST)


@each_listing
def test_the_listing_has_every_setting(page):
    listing = listing_in(page)
    shown: Any = yaml.safe_load(listing)
    optional = {"anonymous", "webhook.tls", "issuers.0.introspection", "shared"}

    # Those of the other carriers stand there as remarks: each belongs to one value of `from`.
    remarks = re.findall(r"^      # ([a-z_]+): ", listing, re.MULTILINE)
    listed = set(_paths(shown, "")) | {f"issuers.0.org.{name}" for name in remarks}

    expected = {it for it in leaves() if it.rpartition(".")[0] not in optional} | optional
    assert listed == expected


def _paths(tree: Any, path: str) -> Iterator[str]:
    if isinstance(tree, dict) and tree:
        for name, branch in tree.items():
            yield from _paths(branch, f"{path}.{name}" if path else name)
    elif isinstance(tree, list) and tree and isinstance(tree[0], dict):
        yield from _paths(tree[0], f"{path}.0")
    else:
        yield path


def test_the_reference_of_settings_is_what_their_types_say():
    page = runpy.run_path(str(DOCS / "tools" / "settings_page.py"))["page"]

    assert text_of(SETTINGS) == page(text_of(SETTINGS)), "run `make docs-settings`"


def test_the_reference_has_every_setting():
    named = re.findall(r"^### `([a-zA-Z_.\[\]]+)`$", text_of(SETTINGS), re.MULTILINE)
    known = {it.replace("issuers.0.", "issuers[].") for it in leaves()}
    variable = {f"session.variables.NAME.{it}" for it in VariableSettings.model_fields}

    assert sorted(named) == sorted(known | variable)


@pytest.mark.parametrize(
    "variable",
    re.findall(r"^- Variable: `HASURA_KC_AUTH__(\w+)`$", text_of(SETTINGS), re.MULTILINE),
)
def test_every_variable_of_the_reference_is_one(variable):
    problems = problems_of(variables={variable: "x", "NOT__THERE": "x"})

    assert [it for it in problems if it.endswith(": is no setting")] == [
        "HASURA_KC_AUTH__NOT__THERE: is no setting"
    ]


def test_every_setting_says_in_a_sentence_what_it_is():
    schema = Settings.model_json_schema()
    sections = {"Settings": schema, **schema["$defs"]}
    told = {
        f"{name}.{field}": it.get("description", "")
        for name, section in sections.items()
        for field, it in section.get("properties", {}).items()
        if not it.get("$ref", "").endswith("Settings")
    }

    assert len(told) > 60
    assert [name for name, text in told.items() if len(text) < 20 or text[-1] != "."] == []
    described = {
        name: it.get("description", "") for name, it in sections.items() if "properties" in it
    }
    assert [name for name, text in described.items() if not text] == []


_SETTING = re.compile(r"`((?:org|roles|session|webhook|management|keys|cache|log)\.[a-z_.]+)[`: ]")


@each_manual_page
def test_every_setting_that_a_page_names_exists(page):
    known = {part for leaf in leaves() for part in (leaf, leaf.rpartition(".")[0])}
    named = {f"issuers.0.{it}" if it.startswith("org.") else it for it in _named_settings(page)}

    assert named - known == set()


def _named_settings(page: Path) -> list[str]:
    return _SETTING.findall(prose_of(page))


def test_settings_are_found_in_the_pages():
    assert "webhook.max_token" in _named_settings(SECURITY)


# --- what forges and the site must read alike


@each_page
def test_a_list_begins_after_a_blank_line(page):
    """Forges take one that does not for a list; the site takes it for a part of the paragraph."""
    lines = ["", *prose_of(page).splitlines()]
    begun = re.compile(r" *([-*]|\d+\.) ")

    assert [
        line
        for before, line in pairwise(lines)
        if begun.match(line) and before.strip() and not begun.match(before) and before[0] != " "
    ] == []


# --- links


def anchors_of(page: Path) -> set[str]:
    """Return what a heading of this page can be linked by, as forges make it out of the words."""
    seen: Counter[str] = Counter()
    anchors = set()
    for heading in re.findall(r"^#+ (.+)$", prose_of(page), re.MULTILINE):
        words = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        anchors.add(f"{words}-{seen[words]}" if seen[words] else words)
        seen[words] += 1
    return anchors


def links_in(page: Path) -> list[str]:
    links = re.findall(r"\]\(([^()\s]+)\)", prose_of(page))
    return [link for link in links if not re.match(r"[a-z]+:", link)]


@each_page
def test_every_link_leads_somewhere(page):
    for link in links_in(page):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.is_file(), link
        assert target.resolve().is_relative_to(ROOT.resolve()), link
        assert not anchor or anchor in anchors_of(target), link


def test_links_are_found_in_the_pages():
    assert "docs/security.md" in links_in(README)
    assert "denials.md#4-the-cure" in links_in(SECURITY)


# --- pictures

IMAGES = DOCS / "images"
PICTURES = sorted(IMAGES.glob("*.png"))


def shown_in(page: Path) -> list[tuple[str, str]]:
    """Return each picture of a page: its alternative text, its path."""
    return re.findall(r"!\[([^\]]*)\]\(([^()\s]+)\)", text_of(page))


def test_every_picture_is_shown_and_told_in_words():
    shown = [it for page in MANUAL for it in shown_in(page)]
    paths = {path.rpartition("images/")[2] for _, path in shown}

    assert paths >= {it.name for it in PICTURES} != set()
    assert [path for alt, path in shown if len(alt.split()) < 4] == []


@pytest.mark.parametrize("picture", [pytest.param(it, id=it.stem) for it in PICTURES])
def test_a_picture_is_small_and_of_one_size(picture):
    png = picture.read_bytes()

    assert png.startswith(b"\x89PNG")
    assert struct.unpack(">II", png[16:24]) == (1280, 800)
    assert len(png) < 150_000


# --- the site

NAVIGATION = (ROOT / "mkdocs.yml").read_text("utf-8").partition("\nnav:\n")[2]


def test_every_page_is_in_the_navigation_of_the_site_once():
    pages = re.findall(r": ([a-z-]+\.md)$", NAVIGATION, re.MULTILINE)
    hooks = (DOCS / "tools" / "site_hooks.py").read_text("utf-8")
    outside = re.findall(r'^    "[A-Za-z/]+\.md": "([a-z]+\.md)",$', hooks, re.MULTILINE)

    assert [page for page, times in Counter(pages).items() if times > 1] == []
    assert {page.name for page in DOCS.glob("*.md")} | set(outside) <= set(pages)
    assert "index.md" in outside


# --- metrics

PREFIX = "hasura_kc_auth_"


class _Cache(list[None]):
    hits = misses = 1


class _Keys:
    age = 1.0
    unknown_kids = 1

    def __init__(self):
        self.fetches = Counter(ok=1)


class _Introspections:
    requests: ClassVar = {"https://sso.example.com": Counter(ok=1)}
    store_failures = 0


def printed() -> dict[str, set[str]]:
    """Return each metric of the service's own in /metrics, with its labels."""
    counts = DecisionCounts()
    counts.allow("https://sso.example.com", 0.001)
    keys = {"https://sso.example.com": _Keys()}
    collector = ServiceCollector(counts, _Cache(), keys, lambda: 0, _Introspections())
    text = generate_latest(registry_of(collector)).decode()
    metrics: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name.startswith(PREFIX):
                histogram = family.type == "histogram"
                name = (family.name if histogram else sample.name).removeprefix(PREFIX)
                metrics.setdefault(name, set()).update(sample.labels.keys() - {"le"})
    return metrics


def told() -> dict[str, set[str]]:
    """Return each metric of the manual's table, with its labels."""
    _, _, section = text_of(OPERATIONS).partition("\n## Metrics\n")
    table, _, _ = section.partition("\n## ")
    cells = [row[0] for row in rows_of(table)]
    found = re.findall(r"`([a-z_]+)(?:\{([a-z, ]+)\})?`", " ".join(cells))
    return {name: set(labels.split(", ")) if labels else set() for name, labels in found}


def test_the_metrics_of_the_manual_are_those_that_are_printed():
    assert told() == printed()


@each_page
def test_every_metric_named_in_full_is_printed(page):
    named = set(re.findall(rf"\b{PREFIX}([a-z][a-z_]*)", text_of(page)))

    assert named <= set(printed())
