"""Files of orgs for the tests: good ones for either carrier, and one change at a time.

file = read(changed({"orgs.acme.members": {"alice": ["editor"]}}, ORGS))
refused(changed({"realm": "x"}, ORGS))       # the sentences of a refusal, without the file's name
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml

from hasura_kc_auth.config.orgs_file import OrgsFile, read_orgs
from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.config.sources import ConfigurationError
from tests.config.settings_at_hand import LEAST, changed, loaded

SETTINGS: Mapping[str, Any] = changed({"issuers.0.audiences": ["api", "hasura"]}, LEAST)
NATIVE_SETTINGS: Mapping[str, Any] = changed(
    {"issuers.0.org": {"from": "organization", "client": "hasura"}}, SETTINGS
)
ORGS: Mapping[str, Any] = {
    "realm": "acme",
    "carrier": "client-scope",
    "audience": "hasura",
    "frontends": [{"client": "frontend", "redirect_uris": ["https://app.example.com/*"]}],
    "template": {"roles": {"viewer": [], "editor": []}},
    "orgs": {"acme": {}, "globex": None},
}
NATIVE_ORGS: Mapping[str, Any] = changed({"carrier": "organization", "client": "hasura"}, ORGS)


def settings_for(orgs: Any) -> Settings:
    natively = isinstance(orgs, Mapping) and orgs.get("carrier") == "organization"
    return loaded(NATIVE_SETTINGS if natively else SETTINGS)


def read(orgs: Mapping[Any, Any] | str | bytes, settings: Settings | None = None) -> OrgsFile:
    """Read a file, given as values or as it is."""
    with TemporaryDirectory() as folder:
        file = Path(folder, "orgs.yaml")
        file.write_bytes(_encoded(orgs))
        return read_orgs(file, settings or settings_for(orgs))


def _encoded(orgs: Mapping[Any, Any] | str | bytes) -> bytes:
    if isinstance(orgs, bytes):
        return orgs
    text = orgs if isinstance(orgs, str) else yaml.safe_dump(dict(orgs), sort_keys=False)
    return text.encode()


def refused(orgs: Mapping[Any, Any] | str | bytes, settings: Settings | None = None) -> list[str]:
    with pytest.raises(ConfigurationError) as refusal:
        read(orgs, settings)
    problems = refusal.value.problems
    assert all("orgs.yaml: " in it for it in problems)
    return [it.partition("orgs.yaml: ")[2] for it in problems]
