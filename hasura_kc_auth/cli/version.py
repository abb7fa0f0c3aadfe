from __future__ import annotations

import json
import platform
from importlib.metadata import version as installed_version

from hasura_kc_auth import __version__
from hasura_kc_auth.cli.running import JsonOption

_LIBRARIES = ("aiohttp", "joserfc", "cryptography")


def version(as_json: JsonOption = False) -> None:
    """Print the version, and those of Python and of the libraries that decide."""
    versions = {
        "hasura-kc-auth": __version__,
        "python": platform.python_version(),
        **{name: installed_version(name) for name in _LIBRARIES},
    }
    if as_json:
        print(json.dumps(versions))
        return
    for name, text in versions.items():
        print(f"{name} {text}")
