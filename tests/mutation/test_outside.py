"""What mutmut leaves alone is mutated as well, and nothing twice."""

from __future__ import annotations

from textwrap import dedent

import pytest

pytest.importorskip("mutmut", reason="only `make mutate` installs mutmut")

from tests.mutation.outside import mutated


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
