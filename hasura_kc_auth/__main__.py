"""`python -m hasura_kc_auth` and the console script."""

from __future__ import annotations

import os

from hasura_kc_auth.cli import app


def main() -> None:
    _occupy_standard_streams()
    app(prog_name="hasura-kc-auth")


def _occupy_standard_streams() -> None:
    """Open what was closed (`>&-`), or the next socket would be taken for standard output."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: this one


if __name__ == "__main__":
    main()
