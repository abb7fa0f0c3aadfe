"""The reference of the file of orgs, and its JSON schema, say what is so."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from hasura_kc_auth.config.orgs_document import (
    FrontendEntry,
    OrgEntry,
    OrgsDocument,
    TemplateEntry,
)
from hasura_kc_auth.provisioning.wanted import Frontend, Org, Wanted
from tests.config import orgs_schema
from tests.config.orgs_at_hand import read
from tests.config.settings_at_hand import loaded

PAGE = Path(__file__).parents[2] / "docs" / "orgs-file.md"
_BLOCK = re.compile(r"^```yaml\n# (orgs|settings)\.yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FRONTENDS = (Frontend("frontend", frozenset({"https://app.example.com/*"})),)

_NONE = frozenset[str]()
_BY_SCOPE = {"viewer": _NONE, "editor": _NONE, "owner": frozenset({"editor", "viewer"})}
_NATIVELY = {"viewer": _NONE, "editor": frozenset({"viewer"})}
EXAMPLES = [
    Wanted(
        "acme",
        "client-scope",
        "hasura",
        _FRONTENDS,
        {
            "acme": Org(
                "acme",
                "Acme Inc.",
                {**_BY_SCOPE, "auditor": _NONE},
                {"alice": frozenset({"owner"}), "bob": frozenset({"viewer", "auditor"})},
            ),
            "globex": Org("globex", "globex", _BY_SCOPE),
            "initech": Org("initech", "initech", {"editor": _NONE, "owner": frozenset({"editor"})}),
        },
        frozenset({"oldco"}),
    ),
    Wanted(
        "acme",
        "organization",
        "hasura",
        _FRONTENDS,
        {
            "acme": Org(
                "acme", "Acme Inc.", _NATIVELY, {"alice": frozenset({"editor"}), "bob": _NONE}
            ),
            "globex": Org("globex", "globex", _NATIVELY),
        },
        client="hasura",
    ),
]


def test_each_example_fits_the_settings_below_it():
    blocks = _BLOCK.findall(PAGE.read_text("utf-8"))

    assert [kind for kind, _ in blocks] == ["orgs", "settings"] * len(EXAMPLES)
    texts = [text for _, text in blocks]
    files = [read(orgs, loaded(it)) for orgs, it in zip(texts[::2], texts[1::2], strict=True)]
    assert [file.wanted for file in files] == EXAMPLES


def test_the_reference_has_every_key():
    table = re.findall(r"^\| (.*?) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    told = {name for cell in table for name in re.findall(r"`([a-z_]+)`", cell)}
    models: tuple[type[BaseModel], ...] = (OrgsDocument, FrontendEntry, TemplateEntry, OrgEntry)

    assert told == {name for model in models for name in model.model_fields}


def test_the_schema_beside_the_reference_is_up_to_date():
    """Write it anew: `python -m tests.config.orgs_schema`."""
    assert orgs_schema.FILE.read_text("utf-8") == orgs_schema.text()


def _objects(schema: Any) -> list[Any]:
    return [schema, *schema["$defs"].values()]


def test_the_schema_knows_no_other_keys_and_explains_each():
    schema = json.loads(orgs_schema.text())

    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["required"] == ["realm", "carrier", "audience", "frontends", "orgs"]
    for it in _objects(schema):
        assert it["additionalProperties"] is False
        assert it["description"]
    nameless = {"frontends", "template"}  # which are explained where they are defined
    assert {
        name
        for it in _objects(schema)
        for name, key in it["properties"].items()
        if "description" not in key
    } == nameless


@pytest.mark.parametrize("of", ["orgs", "roles"])
def test_the_schema_lets_null_stand_where_the_file_may_have_it(of):
    schema = json.loads(orgs_schema.text())
    holder = schema if of == "orgs" else schema["$defs"]["OrgEntry"]

    assert {"type": "null"} in holder["properties"][of]["additionalProperties"]["anyOf"]
