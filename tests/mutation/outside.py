"""Mutants of what mutmut leaves alone: tables, constants, defaults of fields, decorated functions.

mutmut mutates the bodies of plain functions and methods, in place, behind a switch. Code that runs
when a module is imported has no such switch: here each mutant is a module of its own, imported by a
process of its own. The mutations themselves are mutmut's.

Left out, since they are for the type checker and change nothing that runs: aliases and variables of
types, protocols, and the members of a `Literal`.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from difflib import unified_diff
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import libcst as cst
import libcst.matchers as m
import pytest
from libcst.metadata import MetadataWrapper, ParentNodeProvider
from mutmut.mutation.file_mutation import MutationVisitor
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import IgnoredCode
from typing_extensions import override

from tests.mutation.verdicts import Change, Mutant, change_in

_BROKEN = 125
"""Exit code of a process that got no answer of pytest's; pytest itself has 0 to 5."""

_TYPES = m.OneOf(
    m.AnnAssign(annotation=m.Annotation(m.Name("TypeAlias"))),
    m.Assign(value=m.Subscript(value=m.Name())),
    m.Assign(value=m.Call(func=m.Name("TypeVar") | m.Name("NewType"))),
    m.ClassDef(
        bases=[m.AtLeastN(n=0), m.Arg(m.Name("Protocol")), m.AtLeastN(n=0)],
    ),
)


class Mutated(NamedTuple):
    """A whole module with one change."""

    file: Path
    source: str
    change: Change

    @property
    def module(self) -> str:
        return module_of(self.file)


class _OutsideVisitor(MutationVisitor):
    """Finds the mutations that mutmut has left out."""

    METADATA_DEPENDENCIES = (*MutationVisitor.METADATA_DEPENDENCIES, ParentNodeProvider)

    @override
    def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.FunctionDef):
            return not node.decorators
        return m.matches(node, _TYPES) or super()._skip_node_and_children(node)


def module_of(file: Path) -> str:
    return ".".join(file.with_suffix("").parts)


def mutated(file: Path) -> Iterator[Mutated]:
    """Yield each mutant of a module that mutmut does not make itself."""
    source = file.read_text("utf-8")
    wrapper = MetadataWrapper(cst.parse_module(source))
    visitor = _OutsideVisitor(mutation_operators, IgnoredCode(set(), set(), set()))
    tree = wrapper.visit(visitor)
    for mutation in visitor.mutations:
        changed = tree.deep_replace(mutation.original_node, mutation.mutated_node)
        text = cst.ensure_type(changed, cst.Module).code
        diff = unified_diff(source.splitlines(), text.splitlines(), lineterm="", n=0)
        yield Mutated(file, text, change_in(module_of(file), diff))


class _Importer(importlib.abc.MetaPathFinder, importlib.abc.SourceLoader):
    """Imports one module from the text at hand."""

    def __init__(self, mutant: Mutated) -> None:
        self._mutant = mutant

    @override
    def find_spec(self, fullname: str, path: object, target: ModuleType | None = None) -> object:
        if fullname != self._mutant.module:
            return None
        return importlib.util.spec_from_file_location(fullname, self._mutant.file, loader=self)

    @override
    def get_data(self, path: str) -> bytes:
        return self._mutant.source.encode()

    @override
    def get_filename(self, fullname: str) -> str:
        return str(self._mutant.file)


def judged(
    files: Sequence[Path], options: Sequence[str], tests: Sequence[str], at_once: int
) -> Iterator[Mutant]:
    """Try each mutant in a process of its own, so many at once, and yield what became of it.

    Raises RuntimeError where tests fail without any mutant, or end as `is_noticed` has no answer
    for: then they prove nothing.
    """
    _import_libraries([*options, *tests])
    everything = _in_order(tests)
    for file, selected in [*((it, _own_tests(it)) for it in files), (files[0], everything)]:
        unchanged = Mutated(file, file.read_text("utf-8"), Change("", "", ""))
        if _ended({_started(unchanged, options, [selected]): unchanged}).killed:
            raise RuntimeError(f"these fail without any mutant: {' '.join(selected)}")
    running: dict[int, Mutated] = {}
    for mutant in (mutant for file in files for mutant in mutated(file)):
        # The module's own tests find most of it out, and sooner.
        running[_started(mutant, options, [_own_tests(mutant.file), everything])] = mutant
        if len(running) == at_once:
            yield _ended(running)
    while running:
        yield _ended(running)


def is_noticed(exit_code: int) -> bool:
    """Whether pytest's exit code says that a test has noticed the mutant.

    2 does, as 1: pytest calls it an interruption when a test module cannot be imported, as where
    the mutated module raises. (Ctrl-C gives 2 as well, and ends this process too.) Raises
    RuntimeError for any other but 0: an internal error, wrong usage, no tests, or no end of its
    own. They would be there without the mutant as well, for all that is known.
    """
    if exit_code in {pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED}:
        return True
    if exit_code == pytest.ExitCode.OK:
        return False
    raise RuntimeError(f"pytest's exit code {exit_code} proves nothing")


def _import_libraries(arguments: Sequence[str]) -> None:
    """Import once what all tests need, and nothing that a mutant could be part of."""
    pytest.main(["--collect-only", "-qqq", "-p", "no:cacheprovider", *arguments])
    ours = ("hasura_kc_auth", "tests.")
    for name in [name for name in sys.modules if name.startswith(ours)]:
        if not name.startswith("tests.mutation"):
            del sys.modules[name]


def _ended(running: dict[int, Mutated]) -> Mutant:
    child, status = os.wait()
    mutant = running.pop(child)
    try:
        killed = is_noticed(os.waitstatus_to_exitcode(status))
    except RuntimeError as error:
        raise RuntimeError(f"{error}: {mutant.file}\n{mutant.change}") from error
    return Mutant(mutant.module, mutant.change, killed)


def _started(mutant: Mutated, options: Sequence[str], selections: Iterable[Sequence[str]]) -> int:
    """Return the process that runs these tests, one selection after the other until one fails."""
    child = os.fork()
    if child:
        return child
    status = _BROKEN
    try:
        _silence()
        sys.meta_path.insert(0, _Importer(mutant))
        status = next(filter(None, (_exit_code([*options, *some]) for some in selections)), 0)
    finally:
        os._exit(status)


def _exit_code(arguments: Sequence[str]) -> int:
    return pytest.main(["-x", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", *arguments])


def _own_tests(file: Path) -> list[str]:
    test = Path("tests/core") / f"test_{file.name}"
    return [str(test)] if test.exists() else ["tests/core/test_rules.py"]


def _in_order(tests: Iterable[str]) -> list[str]:
    """Return these files and those in these folders, the slow property tests at the end."""
    files = [
        file
        for path in map(Path, tests)
        for file in ([path] if path.is_file() else path.rglob("test_*.py"))
    ]
    return [str(file) for file in sorted(files, key=lambda it: ("_any_" in it.name, it))]


def _silence() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.dup2(nowhere, sys.stderr.fileno())
