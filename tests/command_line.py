"""What the commands that measure and judge (`make bench`, `make soak`, …) have in common."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from typing import NoReturn, TypeVar

Number = TypeVar("Number", int, float)

INTERRUPTED = 128 + signal.SIGINT
"""The exit code that shells give whoever Ctrl-C has ended."""


def at_least(least: Number, kind: type[Number]) -> Callable[[str], Number]:
    """Return what reads an option's number: a run of nothing must not pass for a good one."""

    def read(text: str) -> Number:
        number = kind(text)
        if not number >= least:
            raise argparse.ArgumentTypeError(f"{text} is less than {least}")
        return number

    read.__name__ = kind.__name__  # argparse says "invalid int value" by it
    return read


def run(main: Callable[[], int | None]) -> NoReturn:
    """Run a command. Ctrl-C and SIGTERM end it, and with it the processes that it has started."""
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(INTERRUPTED)
