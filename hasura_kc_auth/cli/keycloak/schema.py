from __future__ import annotations

import json

from hasura_kc_auth.config.orgs_file import orgs_schema


def schema() -> None:
    """Print the JSON schema of the file of orgs, for editors that complete and check by it."""
    print(json.dumps(orgs_schema(), indent=2))
