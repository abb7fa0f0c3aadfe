"""The JSON schema of the file of orgs as it is kept beside its reference.

Write it anew after a change of `config/orgs_document.py`: `python -m tests.config.orgs_schema`.
"""

from __future__ import annotations

import json
from pathlib import Path

from hasura_kc_auth.config.orgs_file import orgs_schema

FILE = Path(__file__).parents[2] / "docs" / "orgs.schema.json"


def text() -> str:
    return json.dumps(orgs_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), "utf-8")
