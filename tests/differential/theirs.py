"""The other judge: npm `jose` in a Node of its own, asked over its standard input."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from tests.differential.mutants import Mutant
from tests.differential.originals import LEEWAY, World

_HERE = Path(__file__).parent
_LEAST_NODE = 20


def missing() -> str | None:
    """Return what is missing to ask it, in a sentence for people; None where all is there."""
    node = shutil.which("node")
    if node is None or _major_version(node) < _LEAST_NODE:
        return f"the other judge needs Node {_LEAST_NODE} or newer"
    if not (_HERE / "node_modules" / "jose").is_dir():
        return "jose is not installed: `make differential` does it"
    return None


def _major_version(node: str) -> int:
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=True)  # noqa: S603 - Node
    return int(told.stdout.removeprefix("v").partition(".")[0])


class Theirs:
    """Judges mutants by jose. What is asked first is answered first."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._questions, self._answers = process.stdin, process.stdout

    async def ask(self, mutants: Iterable[Mutant]) -> None:
        lines = (json.dumps({"token": it.token, "now": it.now}) for it in mutants)
        await self.write(*lines)

    async def write(self, *lines: str) -> None:
        self._questions.write("".join(f"{line}\n" for line in lines).encode("ascii"))
        await self._questions.drain()

    async def answer(self) -> str:
        """Return the next answer: `accept`, or its code for why not."""
        line = await self._answers.readline()
        if not line:
            raise RuntimeError("the other judge has ended early; it says why above")
        return line.decode().rstrip("\n")

    def end(self) -> None:
        self._questions.close()


@asynccontextmanager
async def theirs(world: World) -> AsyncIterator[Theirs]:
    process = await asyncio.create_subprocess_exec(
        "node",
        str(_HERE / "judge.mjs"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    judge = Theirs(process)
    try:
        await judge.write(json.dumps(_policy(world)))
        yield judge
    finally:
        judge.end()
        await process.wait()


def _policy(world: World) -> list[dict[str, object]]:
    return [
        {
            "issuer": it.issuer,
            "jwks": it.published,
            "algorithms": it.algorithms,
            "audiences": it.audiences,
            "clients": it.clients,
            "leeway": LEEWAY,
        }
        for it in world.realms
    ]
