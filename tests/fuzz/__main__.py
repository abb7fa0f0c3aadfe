"""`make fuzz`: the three decoders under a coverage-guided fuzzer, one after the other.

Exit 0: nothing was found. 1: something was; it is in tests/fuzz/corpus, and from now on the suite
tries it again. 2: there is no fuzzer here.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

from tests.command_line import at_least, run

NAMES = ("header", "jws", "body")
WORK = Path(".fuzz")
ROOT = Path(__file__).parents[2]
NO_FUZZER = (
    "fuzzing needs atheris, whose wheels are for Linux on x86-64 and Python 3.11 to 3.13: "
    "make PYTHON=python3.13 VENV=.venv-fuzz fuzz"
)

# What libFuzzer says of each step on its way.
_PROGRESS = re.compile(
    r"#\d+\s+(?:NEW|REDUCE|RELOAD|pulse) |INFO: |WARNING: Failed to find|\"|#{6}"
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("decoders", nargs="*", metavar="DECODER", help=", ".join(NAMES))
    parser.add_argument(
        "--seconds", type=at_least(1, int), default=300, help="for all of them together (300)"
    )
    asked = parser.parse_args()
    names = asked.decoders or NAMES
    if unknown := set(names) - set(NAMES):
        parser.error(f"no decoder: {', '.join(unknown)}")
    if importlib.util.find_spec("atheris") is None:
        sys.stderr.write(f"{NO_FUZZER}\n")
        return 2
    found = [name for name in names if not _finds_nothing(name, asked.seconds // len(names))]
    for name in found:
        print(f"FOUND by {name}: see the new file in tests/fuzz/corpus/{name}")
    if not found:
        print("nothing was found")
    return 1 if found else 0


def _finds_nothing(name: str, seconds: int) -> bool:
    print(f"== {name}, {seconds} seconds", flush=True)
    work = WORK / name
    work.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.fuzz.one", name, str(max(1, seconds)), str(work)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own
        try:
            for line in process.stderr or ():
                if not _PROGRESS.match(line):
                    print(line, end="", flush=True)
        except KeyboardInterrupt:
            process.terminate()
            raise
    return process.returncode == 0


if __name__ == "__main__":
    run(main)
