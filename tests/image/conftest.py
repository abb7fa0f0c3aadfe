"""The image's tree, made by running the Dockerfile's own steps."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.image.dockerfile import (
    Build,
    Stage,
    find_python,
    host_environment,
    read_stages,
    sent_to_the_engine,
)

ROOT = Path(__file__).parents[2]
SWITCH = "HASURA_KC_AUTH_TEST_IMAGE"
MACHINE = dict(os.environ)  # noqa: TID251 - the tests' own switch, and how to reach an index


@pytest.fixture(scope="session")
def stages() -> list[Stage]:
    return read_stages((ROOT / "Dockerfile").read_text("utf-8"))


class Image(NamedTuple):
    build: Build
    stage: Stage

    @property
    def environment(self) -> dict[str, str]:
        """Return the image's variables. PATH has nothing besides: no shell, no tool."""
        nothing = str(self.build.root / "nothing")
        own = {name: self.build.below(it) for name, it in self.stage.environment.items()}
        return {**own, "PATH": own["PATH"].replace("${PATH}", nothing)}


@pytest.fixture(scope="session")
def image(stages: list[Stage]) -> Iterator[Image]:
    """Give the built tree: nobody may write in it."""
    python = find_python()
    assert python, "there is no Python that others than this user may run"
    folder = Path(tempfile.mkdtemp(prefix="hasura-kc-auth-image-"))
    folder.chmod(0o755)  # pytest's own folders can be entered by nobody else
    build = Build(folder / "context", folder)
    try:
        ignore = (ROOT / ".dockerignore").read_text("utf-8")
        sent_to_the_engine(ROOT, ignore, folder / "context")
        build.run(stages, host_environment(python, folder / "python", MACHINE))
        for path in (build.root, *build.root.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode & ~0o222 | 0o444)
        yield Image(build, stages[-1])
    except subprocess.CalledProcessError as failed:
        pytest.fail(f"{failed.cmd[-1]}\n{failed.stdout}", pytrace=False)
    finally:
        subprocess.run(["/bin/chmod", "-R", "u+w", str(folder)], check=False)  # noqa: S603
        shutil.rmtree(folder)
