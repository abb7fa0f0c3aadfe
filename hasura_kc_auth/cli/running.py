"""What the commands share: reading the settings, the event loop, the output, the exit codes."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer

from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.config.sources import CONFIG_VARIABLE, ConfigurationError, load

Result = TypeVar("Result")


class Exit(IntEnum):
    YES = 0
    NO = 1
    USAGE = 2
    CANNOT_TELL = 3


ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help=f"The YAML file of settings. Default: the variable {CONFIG_VARIABLE}; with neither, "
        "the variables HASURA_KC_AUTH__… alone.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object, for machines.")]


def settings_or_exit(config: Path | None, *, as_json: bool = False) -> Settings:
    """Read the settings; with any problem print them all and exit 2."""
    return read_or_exit(load, config, as_json=as_json)


def read_or_exit(
    read: Callable[[Path | None, Mapping[str, str]], Result],
    config: Path | None,
    *,
    as_json: bool = False,
) -> Result:
    """Read something of the settings; with any problem print them all and exit 2."""
    try:
        return read(config, os.environ)  # noqa: TID251 - handed on: config.sources reads it
    except ConfigurationError as error:
        refuse(error.problems, as_json=as_json)


def refuse(problems: list[str], *, as_json: bool = False) -> NoReturn:
    """Print what is wrong with the settings, and exit 2."""
    complain(problems, lambda it: f"configuration: {it}", as_json=as_json)
    raise typer.Exit(Exit.USAGE)


def complain(problems: list[str], in_words: Callable[[str], str], *, as_json: bool) -> None:
    """Print problems: for machines as they are, for people one a line."""
    if as_json:
        typer.echo(json.dumps({"problems": problems}))
    for problem in () if as_json else problems:
        typer.echo(in_words(problem), err=True)


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """Run on uvloop where there is one."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(main)


def run_and_leave(main: Coroutine[Any, Any, None]) -> None:
    """Run, and end the process as soon as that is done.

    Closing a loop waits for a name look-up that hangs in its thread, half a minute and more; by
    then an orchestrator has killed what had long stopped.
    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(main)
        leave(Exit.YES)


def leave(code: Exit) -> None:
    """End the process now, threads or not. Nothing is lost: what is logged is not buffered."""
    os._exit(code)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - not there on every platform
    except ImportError:
        return None
    return uvloop.new_event_loop


def raw_output(descriptor: int) -> io.RawIOBase:
    """Return an unbuffered stream on a descriptor; nowhere, if that is closed."""
    try:
        return io.FileIO(descriptor, "w", closefd=False)
    except OSError:
        return io.FileIO(os.devnull, "w")


class Signals:
    """Waits for SIGTERM or SIGINT from the moment that it is made, so that none is lost.

    Make it first, within the loop: for the first process of a container the kernel drops a signal
    that has no handler yet.
    """

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._came: asyncio.Future[signal.Signals] = loop.create_future()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._note, number)

    async def wait(self) -> signal.Signals:
        return await self._came

    def _note(self, number: signal.Signals) -> None:
        if self._came.done():
            sys.exit(Exit.NO)  # asked twice: somebody is in a hurry
        self._came.set_result(number)
