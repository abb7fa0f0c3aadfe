"""Log lines through a bounded queue and a thread of their own.

A request never waits for the output: where it is full, closed or blocked, lines are dropped and
counted. Lines are JSON objects (or columns on a console), one an event.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, MutableMapping
from io import RawIOBase
from typing import Literal

import structlog
from typing_extensions import override

_QUEUE_LINES = 1000
_STOP = None

LogFormat = Literal["json", "console"]
LogLevel = Literal["debug", "info", "warning", "error"]


class LineWriter:
    """Writes lines from a thread, straight to an unbuffered stream.

    A buffered one would hold a lock while its write blocks, and Python could not exit past that.
    """

    def __init__(self, stream: RawIOBase) -> None:
        self._stream = stream
        self._lines: queue.Queue[str | None] = queue.Queue(_QUEUE_LINES)
        # One count for each thread: neither needs a lock.
        self._dropped_before_queue = 0
        self._dropped_at_output = 0
        self._torn = False
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """How many lines were lost so far."""
        return self._dropped_before_queue + self._dropped_at_output

    def put(self, line: str) -> None:
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._dropped_before_queue += 1

    def close(self, timeout: float = 1.0) -> None:
        """Write what is queued, for at most about this many seconds."""
        try:
            self._lines.put(_STOP, timeout=timeout)
        except queue.Full:
            return
        self._thread.join(timeout)

    def _run(self) -> None:
        while (line := self._lines.get()) is not _STOP:
            try:
                self._write(f"{line}\n".encode("utf-8", "replace"))
            except (OSError, ValueError):  # a full disk, a closed pipe, a closed stream
                self._dropped_at_output += 1

    def _write(self, line: bytes) -> None:
        data = memoryview(b"\n" + line if self._torn else line)
        while data:
            written = self._stream.write(data)
            if written is None:
                raise BlockingIOError("the output would block")
            data = data[written:]
            self._torn = bool(data)  # half a line is out: the next one begins on its own


class _WriterLogger:
    """What structlog calls at the end of its chain."""

    def __init__(self, writer: LineWriter) -> None:
        self._writer = writer

    def msg(self, line: str) -> None:
        self._writer.put(line)

    debug = info = warning = error = msg


def open_log(
    writer: LineWriter, level: LogLevel, log_format: LogFormat, *, colours: bool = False
) -> structlog.BoundLogger:
    """Return the service's logger, and lead the libraries' warnings into the same lines."""
    log = _logger(writer, level, _renderer(log_format, colours=colours))
    handler = _LibraryHandler(log)
    for name in _LIBRARIES:
        library = logging.getLogger(name)
        library.handlers = [handler]
        library.propagate = False
    return log


def _logger(
    writer: LineWriter, level: LogLevel, renderer: structlog.typing.Processor
) -> structlog.BoundLogger:
    logger: structlog.BoundLogger = structlog.wrap_logger(
        _WriterLogger(writer),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    return logger


def _renderer(log_format: LogFormat, *, colours: bool) -> structlog.typing.Processor:
    if log_format == "json":
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(colors=colours)


_LIBRARIES = ("aiohttp", "asyncio", "opentelemetry")


class _LibraryHandler(logging.Handler):
    """Passes on what a library has to say, without its arguments and tracebacks.

    aiohttp's parser errors hold the bytes they stumbled on ("Bearer eyJ…"): only the template of
    the message and the exception's type are passed on.
    """

    def __init__(self, log: structlog.BoundLogger) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    @override
    def emit(self, record: logging.LogRecord) -> None:
        # Without arguments the text may be put together already, out of anything.
        template = str(record.msg) if record.args else None
        error = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        where = f"{record.module}.{record.funcName}"
        self._log.warning("library", logger=record.name, where=where, message=template, error=error)


class DenialLog:
    """Logs denials, at most so many a second for each code; the rest is summed up in one line.

    `later`: calls a function after a second, so that the sum comes out also when the storm is over.
    """

    def __init__(
        self,
        log: structlog.BoundLogger,
        later: Callable[[Callable[[], None]], object],
        per_second: int = 10,
    ) -> None:
        self._log = log
        self._later = later
        self._per_second = per_second
        self._counts: MutableMapping[str, int] = {}

    def denied(self, reason: str, **fields: str | None) -> None:
        if not self._counts:
            self._later(self._sum_up)
        count = self._counts[reason] = self._counts.get(reason, 0) + 1
        if count <= self._per_second:
            known = {name: value for name, value in fields.items() if value is not None}
            self._log.info("denied", reason=reason, **known)

    def _sum_up(self) -> None:
        counts, self._counts = self._counts, {}
        for reason, count in counts.items():
            if count > self._per_second:
                self._log.info("denied", reason=reason, not_logged=count - self._per_second)
