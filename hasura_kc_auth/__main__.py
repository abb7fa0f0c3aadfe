"""`python -m hasura_kc_auth` and the console script."""

from __future__ import annotations

from hasura_kc_auth.cli import app


def main() -> None:
    app(prog_name="hasura-kc-auth")


if __name__ == "__main__":
    main()
