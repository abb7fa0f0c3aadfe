"""Reads a Dockerfile and runs its steps without a container engine.

Stands in for the engine: each stage gets an empty folder as its root, all at one path, one after
the other; absolute paths in RUN, WORKDIR, COPY and ENV are moved below it. The base image is this
machine. What it cannot show is what a base image has or lacks.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self

_CONTINUED = re.compile(r"\\\n")
_COMMENT = re.compile(r"(?m)^[ \t]*#.*\n")
_ABSOLUTE = re.compile(r"(?<![\w./-])/(?=[a-z])")


class Instruction(NamedTuple):
    """One line of a Dockerfile, flags apart: `--from=build` is `{"from": "build"}`."""

    name: str
    flags: Mapping[str, str]
    text: str

    @classmethod
    def read(cls, line: str) -> Self:
        name, _, rest = line.partition(" ")
        flags: dict[str, str] = {}
        while found := re.match(r"\s*--([a-z-]+)=(\S+)\s*", rest):
            flags[found[1]] = found[2]
            rest = rest[found.end() :]
        return cls(name.upper(), flags, rest.strip())

    @property
    def words(self) -> list[str]:
        """Return the exec form's words. Raises ValueError for the shell form."""
        words = json.loads(self.text)
        if not isinstance(words, list):
            raise TypeError(f"{self.name}: no exec form")
        return words

    @property
    def pairs(self) -> dict[str, str]:
        """Return what ENV and LABEL say."""
        return dict(word.split("=", 1) for word in shlex.split(self.text))  # type: ignore[misc]


@dataclass
class Stage:
    base: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)

    def all(self, name: str) -> list[Instruction]:
        return [it for it in self.instructions if it.name == name]

    def last(self, name: str) -> Instruction:
        return self.all(name)[-1]

    @property
    def environment(self) -> dict[str, str]:
        return {name: value for it in self.all("ENV") for name, value in it.pairs.items()}


def read_stages(text: str) -> list[Stage]:
    stages: list[Stage] = []
    for line in _CONTINUED.sub(" ", _COMMENT.sub("", text)).splitlines():
        if not line.strip():
            continue
        instruction = Instruction.read(line.strip())
        if instruction.name == "FROM":
            base, _, name = instruction.text.partition(" AS ")
            stages.append(Stage(base, name))
        elif stages:
            stages[-1].instructions.append(instruction)
    return stages


class Build:
    """Runs the stages below `folder`; afterwards `root` is what the last one holds."""

    def __init__(self, context: Path, folder: Path) -> None:
        self.root = folder / "root"
        self._context = context
        self._folder = folder
        self._done: dict[str, Path] = {}

    def run(self, stages: list[Stage], environment: Mapping[str, str]) -> None:
        """Run them all. Raises CalledProcessError, with the output of the step that failed."""
        for number, stage in enumerate(stages):
            if self.root.exists():
                self._done[stages[number - 1].name] = self.root.rename(self._folder / f"{number}")
            self.root.mkdir()
            self._run_stage(stage, {**environment})

    def below(self, text: str) -> str:
        """Move absolute paths below the root."""
        return _ABSOLUTE.sub(f"{self.root}/", text)

    def _run_stage(self, stage: Stage, environment: dict[str, str]) -> None:
        directory = self.root
        for it in stage.instructions:
            if it.name == "WORKDIR":
                directory = Path(self.below(it.text))
                directory.mkdir(parents=True)
            elif it.name == "ENV":
                environment.update(it.pairs)
            elif it.name == "COPY":
                self._copy(it, directory)
            elif it.name == "RUN":
                subprocess.run(  # noqa: S603 - the project's own Dockerfile
                    ["/bin/sh", "-ec", self.below(it.text)],
                    cwd=directory,
                    env=environment,
                    check=True,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )

    def _copy(self, it: Instruction, directory: Path) -> None:
        *sources, target = it.text.split()
        source_root = self._done[it.flags["from"]] if "from" in it.flags else self._context
        for name in sources:
            source = source_root / name.removeprefix("/")
            wanted = directory / self.below(target)
            if source.is_dir():
                shutil.copytree(source, wanted, symlinks=True, dirs_exist_ok=True)
            else:
                into = wanted / source.name if target.endswith("/") else wanted
                into.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, into)


def sent_to_the_engine(context: Path, ignore: str, target: Path) -> None:
    """Copy what .dockerignore lets through: here every line but `*` and `**/…` begins with `!`."""
    for line in ignore.splitlines():
        if line.startswith("!"):
            source, into = context / line[1:], target / line[1:]
            into.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, into, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, into)


def find_python() -> str | None:
    """Return a Python of this version that others may run as well: venvs are links to it."""
    version = f"python3.{sys.version_info.minor}"
    found = [Path(sys.base_prefix, "bin", version), Path("/usr/bin", version)]
    return next((str(it) for it in found if it.exists() and _open_to_all(it.resolve())), None)


def _open_to_all(program: Path) -> bool:
    return all(path.stat().st_mode & 0o001 for path in (program, *program.parents))


def host_environment(python: str, folder: Path, machine: Mapping[str, str]) -> dict[str, str]:
    """Return what the base image would have: `python` with pip, a shell, its usual tools."""
    subprocess.run([python, "-m", "venv", str(folder)], check=True)  # noqa: S603
    kept = {name: it for name, it in machine.items() if name.startswith("PIP_")}
    kept |= {name: machine[name] for name in ("HOME", "SSL_CERT_FILE") if name in machine}
    return {**kept, "PATH": f"{folder}/bin:/usr/bin:/bin"}


def size_by_package(tree: Path) -> Iterator[tuple[str, int]]:
    """Give the bytes of each folder in site-packages, and of what stands beside them."""
    [packages] = tree.rglob("site-packages")
    for entry in sorted(packages.iterdir()):
        files = entry.rglob("*") if entry.is_dir() else [entry]
        yield entry.name, sum(it.lstat().st_size for it in files if it.is_file())
