"""Inject the faults and show what came: `python -m tests.chaos [--write] [pytest's options]`."""

from __future__ import annotations

import argparse
import sys

import pytest

from tests.chaos.report import PAGE, PROXY, Table, write


def main() -> None:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument(
        "--write", action="store_true", help=f"write the table into docs/{PAGE.name}, if all passed"
    )
    options, for_pytest = parser.parse_known_args()
    table = Table()
    code = pytest.main(["tests/chaos", PROXY, *for_pytest], plugins=[table])
    print(table.text())
    if options.write and not code and (why := table.refusal()):
        sys.exit(f"not written: {why}")
    if options.write and not code:
        write(table.text())
    sys.exit(code)


if __name__ == "__main__":
    main()
