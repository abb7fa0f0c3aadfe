"""Whether every line of the decision is held by a test.

    make mutate                     # everything; some minutes on two cores
    make mutate ARGS='rules keys'   # these modules alone

Each mutant is the decision with one small change. The exit code is 0 only where each is noticed by
a test, or is listed in tests/core/equivalent_mutants.toml with the reason why no test can notice;
and where whatever is listed is a survivor still.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.utils.format_utils import orig_function_and_class_names_from_key

from tests.command_line import run
from tests.mutation.outside import judged, module_of
from tests.mutation.verdicts import Change, Mutant, change_in, complaints, read_equivalents, summary

_PACKAGE = Path("hasura_kc_auth")
_WORKSHOP = Path("mutants")  # mutmut's own
_EQUIVALENT = Path("tests/core/equivalent_mutants.toml")
_AT_ONCE = min(2, os.cpu_count() or 1)
_TEST_FAILED = 1
"""mutmut's note on a killed mutant. All others prove nothing: no test, no end, pytest's fault."""


def main(names: list[str]) -> int:
    modules = {file.stem: file for file in _modules()}
    if unknown := set(names) - modules.keys():
        sys.exit(f"no such module: {', '.join(sorted(unknown))}")
    files = [modules[name] for name in names or modules]
    mutants = [*_inside(files), *_outside(files)]
    listed = read_equivalents(_EQUIVALENT)
    looked_at = [module_of(file) for file in files]
    print(summary(mutants))
    wrong = complaints(mutants, Counter({it: n for it, n in listed.items() if it.is_of(looked_at)}))
    print(*wrong, sep="\n")
    return 1 if wrong else 0


def _modules() -> list[Path]:
    return [*sorted((_PACKAGE / "core").glob("[a-z]*.py")), _PACKAGE / "authenticator.py"]


def _inside(files: Sequence[Path]) -> Iterator[Mutant]:
    """Yield the mutants of functions: mutmut's own, by what it notes down of each run."""
    # Begun anew: mutmut would keep the verdicts of tests that have changed meanwhile.
    shutil.rmtree(_WORKSHOP, ignore_errors=True)
    patterns = [f"{module_of(file)}.*" for file in files]
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(_AT_ONCE), *patterns]
    subprocess.run(command, check=True)  # noqa: S603 - mutmut
    for file in files:
        notes = SourceFileMutationData(path=file)
        notes.load()
        for name, status in notes.exit_code_by_key.items():
            change = _change(file, name)
            yield Mutant(module_of(file), change, killed=status == _TEST_FAILED)


def _change(file: Path, name: str) -> Change:
    function, owner = orig_function_and_class_names_from_key(name)
    where = ".".join(filter(None, (module_of(file), owner, function)))
    return change_in(where, get_diff_for_mutant(name, path=file).splitlines())


def _outside(files: Sequence[Path]) -> Iterator[Mutant]:
    """Yield the mutants of everything else."""
    settings = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["tool"]["mutmut"]
    return judged(
        files,
        settings["pytest_add_cli_args"],
        settings["pytest_add_cli_args_test_selection"],
        _AT_ONCE,
    )


if __name__ == "__main__":
    run(lambda: main(sys.argv[1:]))
