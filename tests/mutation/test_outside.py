"""What mutmut leaves alone is mutated as well, nothing twice, and only failed tests are proof."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

pytest.importorskip("mutmut", reason="only `make mutate` installs mutmut")

from tests.mutation.outside import is_noticed, mutated


def changes(tmp_path, source):
    """Return the changed lines of each mutant of a module."""
    file = tmp_path / "module.py"
    file.write_text(dedent(source))
    return [(mutant.change.before, mutant.change.after) for mutant in mutated(file)]


@pytest.mark.parametrize(
    ("source", "change"),
    [
        pytest.param("LIMIT = 1\n", ("LIMIT = 1", "LIMIT = 2"), id="a constant"),
        pytest.param('NAMES = {"a"}\n', ('NAMES = {"a"}', 'NAMES = {"XXaXX"}'), id="a set"),
        pytest.param(
            "RULE = lambda it: it.a\n",
            ("RULE = lambda it: it.a", "RULE = lambda it: None"),
            id="a rule",
        ),
        pytest.param(
            "class A:\n    a: bool = False\n", ("a: bool = False", "a: bool = True"), id="a default"
        ),
        pytest.param(
            "class A:\n    @property\n    def a(self):\n        return not self.b\n",
            ("return not self.b", "return self.b"),
            id="a property",
        ),
    ],
)
def test_what_runs_at_the_import_is_mutated_and_what_is_decorated(tmp_path, source, change):
    assert change in changes(tmp_path, source)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("def f(a):\n    return a + 1\n", id="a function, which mutmut mutates"),
        pytest.param("class A:\n    def f(self):\n        return 1\n", id="a method"),
        pytest.param('A: TypeAlias = "B"\n', id="an alias"),
        pytest.param('A = Literal["a", "b"]\n', id="a type"),
        pytest.param('A = NewType("A", str)\n', id="a new type"),
        pytest.param("class A(Protocol):\n    a: int = 1\n", id="a protocol"),
        pytest.param("@dataclass(frozen=True)\nclass A:\n    a: int\n", id="a decorator"),
    ],
)
def test_nothing_else_is(tmp_path, source):
    assert changes(tmp_path, source) == []


@pytest.mark.parametrize(("exit_code", "noticed"), [(0, False), (1, True), (2, True)])
def test_a_failed_test_notices_and_so_does_one_that_cannot_be_imported(exit_code, noticed):
    assert is_noticed(exit_code) is noticed


@pytest.mark.parametrize(
    "exit_code",
    [
        pytest.param(3, id="an internal error"),
        pytest.param(4, id="wrong usage"),
        pytest.param(5, id="no tests"),
        pytest.param(125, id="an exception around pytest"),
        pytest.param(-9, id="a signal"),
    ],
)
def test_no_other_end_proves_anything(exit_code):
    with pytest.raises(RuntimeError, match=f"exit code {exit_code} proves nothing"):
        is_noticed(exit_code)


JUDGE = """
import sys
from pathlib import Path
from tests.mutation.outside import judged

for mutant in judged(list(map(Path, sys.argv[1:])), ["-m", "not slow"], ["tests/core"], 1):
    print(mutant.module, mutant.killed)
"""
MODULE = "LIMIT = 1\n"
CHECKS_ITSELF = MODULE + "assert LIMIT == 1\n"
PASSES = "def test_it():\n    from hasura_kc_auth.core import {name}\n"
FAILS = PASSES + "    assert {name}.LIMIT == 2\n"
NOTICES = PASSES + "    assert {name}.LIMIT == 1\n"
NEVER_RUNS = "import pytest\npytestmark = pytest.mark.slow\n" + PASSES
DIES = PASSES + "    import os\n    {name}.LIMIT == 1 or os._exit(70)\n"


def judgement(folder, first, second=PASSES, module=MODULE):
    """Judge two modules with these tests, of one constant each: two mutants of each."""
    package = folder / "hasura_kc_auth/core"
    (folder / "tests/core").mkdir(parents=True)
    package.mkdir(parents=True)
    for parent in (package, package.parent):
        (parent / "__init__.py").touch()
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = slow\n")
    for name, test in (("first", first), ("second", second)):
        (package / f"{name}.py").write_text(module)
        (folder / f"tests/core/test_{name}.py").write_text(test.format(name=name))
    files = [f"hasura_kc_auth/core/{name}.py" for name in ("first", "second")]
    return subprocess.run(  # noqa: S603 - a process of its own, since it forks
        [sys.executable, "-c", JUDGE, *files],
        cwd=folder,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_failed_test_kills_and_what_no_test_minds_survives(tmp_path):
    done = judgement(tmp_path, NOTICES)

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("core.first True") == 2
    assert done.stdout.count("core.second False") == 2


def test_a_mutant_that_cannot_be_imported_is_noticed(tmp_path):
    done = judgement(tmp_path, PASSES, module=CHECKS_ITSELF)

    assert done.returncode == 0, done.stderr
    assert "True" in done.stdout
    assert "False" not in done.stdout


@pytest.mark.parametrize(
    ("second", "said"),
    [
        pytest.param(FAILS, "without any mutant: tests/core/test_second.py", id="a failure"),
        pytest.param(
            NEVER_RUNS, "exit code 5 proves nothing: hasura_kc_auth/core/second.py", id="no tests"
        ),
    ],
)
def test_each_modules_own_tests_must_pass_without_any_mutant(tmp_path, second, said):
    done = judgement(tmp_path, PASSES, second)

    assert done.returncode == 1
    assert said in done.stderr
    assert "hasura_kc_auth" not in done.stdout


def test_a_mutant_whose_tests_have_no_end_of_their_own_stops_the_run(tmp_path):
    done = judgement(tmp_path, PASSES, DIES)

    assert done.returncode == 1
    assert "exit code 70 proves nothing: hasura_kc_auth/core/second.py" in done.stderr
    assert "+ LIMIT = " in done.stderr
    assert "core.second" not in done.stdout
