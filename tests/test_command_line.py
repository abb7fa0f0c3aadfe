"""The commands that measure and judge: their options, and how they are interrupted."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

NONSENSE = {
    "bench": ["--rounds 0", "--rounds x", "--seconds 0", "--seconds -1", "--tokens 0"],
    "differential": ["--count 0", "--count -5", "--only -1"],
    "fuzz": ["--seconds 0"],
    "isolation": ["--count 0", "--count -5"],
    "soak": ["--minutes 0", "--rate 0"],
}

STARTS_ANOTHER = """
import subprocess, sys, time
from tests.command_line import run

def main():
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other:
        try:
            print(other.pid, flush=True)
            time.sleep(60)
        finally:
            other.kill()

run(main)
"""


@pytest.mark.parametrize(
    ("command", "option"), [(name, it) for name, options in NONSENSE.items() for it in options]
)
def test_a_run_of_nothing_is_refused_by_its_option(command, option):
    told = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", f"tests.{command}", *option.split()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert told.returncode == 2
    assert f"argument {option.split()[0]}" in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_what_it_has_started(number):
    with subprocess.Popen(  # noqa: S603 - our own code
        [sys.executable, "-c", STARTS_ANOTHER],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        other = int(process.stdout.readline())
        process.send_signal(number)
        _, told = process.communicate(timeout=20)

    assert (process.returncode, told) == (130, "interrupted\n")
    assert not Path(f"/proc/{other}").exists()
