"""Log lines: their form, what is left out of them, and that nobody ever waits for them."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import sys
from io import FileIO, RawIOBase
from threading import Event

import pytest

from hasura_kc_auth.telemetry.logs import DenialLog, LineWriter, open_log
from tests.conftest import LONG, Output

QUEUE = 1000


@pytest.fixture
def output():
    return Output()


@pytest.fixture
def log(output):
    """Give a JSON log at level debug; `lines_of(output)` after closing shows what it wrote."""
    writer = LineWriter(output)
    log = open_log(writer, "debug", "json")
    yield log
    writer.close()


def _closed(writer: LineWriter, output: Output) -> str:
    writer.close(LONG)
    return output.written.decode()


class Held(RawIOBase):
    """An output that blocks until it is let go, as a pipe that nobody reads."""

    def __init__(self) -> None:
        self.entered = Event()
        self.let_go = Event()
        self.lines: list[bytes] = []

    def write(self, data):
        self.entered.set()
        self.let_go.wait(LONG)
        self.lines.append(bytes(data))
        return len(data)


class Failing(RawIOBase):
    """An output whose every write fails."""

    def __init__(self, error) -> None:
        self.error = error

    def write(self, _data):
        if isinstance(self.error, Exception):
            raise self.error
        return self.error


class Sipping(Output):
    """An output that takes a few bytes at a time, as a pipe that is nearly full."""

    def write(self, data):
        return super().write(data[:3])


class TestTheWriter:
    def test_lines_come_in_their_order(self, output):
        writer = LineWriter(output)
        for number in range(100):
            writer.put(f"line {number}")
        written = _closed(writer, output).splitlines()
        assert written == [f"line {number}" for number in range(100)]
        assert writer.dropped == 0

    def test_a_line_is_written_in_whole_however_little_is_taken_at_once(self):
        output = Sipping()
        writer = LineWriter(output)
        writer.put("a line of ünïcödé")
        assert _closed(writer, output) == "a line of ünïcödé\n"

    def test_what_is_no_unicode_is_replaced(self, output):
        writer = LineWriter(output)
        writer.put("a\udcffb")
        writer.put("c")
        assert _closed(writer, output) == "a?b\nc\n"
        assert writer.dropped == 0

    def test_a_blocked_output_makes_nobody_wait(self):
        output = Held()
        writer = LineWriter(output)
        writer.put("taken by the thread")
        assert output.entered.wait(LONG)
        for number in range(QUEUE + 500):
            writer.put(str(number))
        assert writer.dropped == 500
        output.let_go.set()
        writer.close(LONG)
        assert len(output.lines) == 1 + QUEUE
        assert output.lines[-1] == b"%d\n" % (QUEUE - 1)

    def test_closing_does_not_wait_for_a_blocked_output(self):
        output = Held()
        writer = LineWriter(output)
        writer.put("taken by the thread")
        assert output.entered.wait(LONG)
        writer.close(0.05)  # it has room for the mark of the end, but nobody reads it
        for number in range(QUEUE):
            writer.put(str(number))
        writer.close(0.05)  # it has not even that
        output.let_go.set()

    def test_a_pipe_that_nobody_reads_blocks_the_thread_alone(self):
        reading, writing = os.pipe()
        with FileIO(reading) as reader, FileIO(writing, "w") as stream:
            writer = LineWriter(stream)
            line = "x" * 10_000
            for _ in range(2 * QUEUE):
                writer.put(line)
            assert writer.dropped > 0
            writer.close(0.05)
            written = QUEUE * 2 - writer.dropped
            for _ in range(written):  # let the thread come to its end
                left = len(line) + 1
                while left:
                    left -= len(reader.read(left))
            writer.close(LONG)

    def test_a_pipe_without_a_reader_drops_and_counts(self):
        reading, writing = os.pipe()
        os.close(reading)
        with FileIO(writing, "w") as stream:
            writer = LineWriter(stream)
            for _ in range(3):
                writer.put("x")
            writer.close(LONG)
        assert writer.dropped == 3

    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="there is no /dev/full")
    def test_a_full_disk_drops_and_counts(self):
        with FileIO("/dev/full", "w") as stream:
            writer = LineWriter(stream)
            for _ in range(3):
                writer.put("x")
            writer.close(LONG)
        assert writer.dropped == 3

    @pytest.mark.parametrize(
        "error",
        [OSError(5, "I/O error"), ValueError("I/O operation on closed file"), None],
        ids=["failing", "closed", "would block"],
    )
    def test_a_failing_output_drops_and_counts(self, error):
        stream = Failing(error)
        writer = LineWriter(stream)
        for _ in range(3):
            writer.put("x")
        writer.close(LONG)
        assert writer.dropped == 3

    def test_an_output_that_recovers_is_used_again(self):
        class Recovering(Output):
            failures = 2

            def write(self, data):
                if self.failures:
                    self.failures -= 1
                    raise OSError(28, "No space left on device")
                return super().write(data)

        output = Recovering()
        writer = LineWriter(output)
        for number in range(4):
            writer.put(str(number))
        assert _closed(writer, output) == "2\n3\n"
        assert writer.dropped == 2

    def test_a_line_behind_half_a_line_begins_on_its_own(self):
        class Tearing(Sipping):
            takes = 2

            def write(self, data):
                self.takes -= 1
                if self.takes in (0, -1):
                    raise OSError(28, "No space left on device")
                return super().write(data)

        output = Tearing()
        writer = LineWriter(output)
        for line in ("abcdef", "lost", "ghijkl", "m"):
            writer.put(line)
        assert _closed(writer, output) == "abc\nghijkl\nm\n"
        assert writer.dropped == 2

    def test_a_closed_stream_drops_and_counts(self, tmp_path):
        stream = FileIO(tmp_path / "log", "w")
        stream.close()
        writer = LineWriter(stream)
        writer.put("x")
        writer.close(LONG)
        assert writer.dropped == 1


class TestFormats:
    def test_json_is_one_object_a_line(self, output):
        writer = LineWriter(output)
        log = open_log(writer, "info", "json")
        log.info("denied", reason="no_org", detail='line\nbreak "quoted" \u2028 é \x1b[31m')
        line = _closed(writer, output)
        assert line.count("\n") == 1
        assert "\x1b" not in line
        event = json.loads(line)
        assert event.pop("timestamp").endswith("Z")
        assert event == {
            "event": "denied",
            "level": "info",
            "reason": "no_org",
            "detail": 'line\nbreak "quoted" \u2028 é \x1b[31m',
        }

    def test_console_is_columns(self, output):
        writer = LineWriter(output)
        log = open_log(writer, "info", "console")
        log.warning("denied", reason="no_org")
        line = _closed(writer, output)
        assert "[warning  ] denied" in line
        assert line.endswith("reason=no_org\n")
        assert "\x1b[" not in line

    def test_console_has_colours_on_a_terminal(self, output):
        writer = LineWriter(output)
        log = open_log(writer, "info", "console", colours=True)
        log.warning("denied")
        assert "\x1b[" in _closed(writer, output)

    @pytest.mark.parametrize(
        ("level", "logged"),
        [
            ("debug", ["debug", "info", "warning", "error"]),
            ("info", ["info", "warning", "error"]),
            ("warning", ["warning", "error"]),
            ("error", ["error"]),
        ],
    )
    def test_what_is_below_the_level_is_left_out(self, output, level, logged):
        writer = LineWriter(output)
        log = open_log(writer, level, "json")
        for name in ("debug", "info", "warning", "error"):
            getattr(log, name)("event")
        lines = _closed(writer, output).splitlines()
        assert [json.loads(line)["level"] for line in lines] == logged


@pytest.fixture
def library_lines(output):
    """Give a function that closes the log and returns what the libraries said in it."""
    writer = LineWriter(output)
    open_log(writer, "debug", "json")

    def read():
        return [json.loads(line) for line in _closed(writer, output).splitlines()]

    yield read
    writer.close()


CANARY = "eyJCANARYxyz"


class TestLibraries:
    def test_only_the_template_and_the_kind_of_error_are_passed_on(self, library_lines):
        try:
            int(CANARY)
        except ValueError:
            logging.getLogger("aiohttp.server").exception(
                "Error handling %s from %s", CANARY, CANARY
            )
        (line,) = library_lines()
        assert line.pop("timestamp")
        assert line == {
            "event": "library",
            "level": "warning",
            "logger": "aiohttp.server",
            "where": "test_logs.test_only_the_template_and_the_kind_of_error_are_passed_on",
            "message": "Error handling %s from %s",
            "error": "ValueError",
        }

    def test_an_error_without_an_exception_has_none(self, library_lines):
        logging.getLogger("aiohttp.access").warning("a template %s", CANARY)
        logging.getLogger("asyncio").error("a template", exc_info=(None, None, None))
        assert [(line["message"], line["error"]) for line in library_lines()] == [
            ("a template %s", None),
            (None, None),
        ]

    @pytest.mark.parametrize("message", [f"put together: {CANARY}", ValueError(CANARY), 5, None])
    def test_a_text_without_arguments_may_hold_anything_and_is_left_out(
        self, library_lines, message
    ):
        logging.getLogger("aiohttp").error(message)
        (line,) = library_lines()
        assert line["message"] is None
        assert line["where"].startswith("test_logs.test_a_text_without")

    def test_what_is_no_warning_is_not_passed_on(self, library_lines):
        for name in ("aiohttp.access", "aiohttp.client", "asyncio"):
            logging.getLogger(name).setLevel(logging.DEBUG)
            logging.getLogger(name).info("an access: %s", CANARY)
            logging.getLogger(name).setLevel(logging.NOTSET)
        assert library_lines() == []

    def test_nothing_goes_to_the_root_logger(self, library_lines, capsys):
        captured = io.StringIO()
        handler = logging.StreamHandler(captured)
        logging.getLogger().addHandler(handler)
        try:
            logging.getLogger("aiohttp.server").error("%s", CANARY)
        finally:
            logging.getLogger().removeHandler(handler)
        assert captured.getvalue() == ""
        assert CANARY not in "".join(capsys.readouterr())
        assert len(library_lines()) == 1

    def test_a_second_log_takes_the_place_of_the_first(self, library_lines):
        second = Output()
        writer = LineWriter(second)
        open_log(writer, "debug", "json")
        logging.getLogger("aiohttp").warning("who gets %s", "this")
        assert "who gets %s" in _closed(writer, second)
        assert library_lines() == []

    async def test_a_task_nobody_waited_for_shows_only_that_it_failed(self, library_lines):
        async def fail():
            raise ValueError(CANARY)

        task = asyncio.create_task(fail(), name=CANARY)
        await asyncio.wait([task])
        asyncio.get_running_loop().call_exception_handler(
            {"message": f"lost {CANARY}", "task": task, "exception": task.exception()}
        )
        (line,) = library_lines()
        assert line["error"] == "ValueError"
        assert "CANARY" not in json.dumps(line)

    async def test_a_failing_callback_shows_nothing_of_its_arguments(self, library_lines):
        def fail(text):
            raise ValueError(text)

        asyncio.get_running_loop().call_soon(fail, CANARY)
        await asyncio.sleep(0.01)
        (line,) = library_lines()
        assert line["error"] == "ValueError"
        assert "CANARY" not in json.dumps(line)


class Later:
    """What calls the sum after a second: when the test says so."""

    def __init__(self) -> None:
        self.waiting = []

    def __call__(self, function) -> None:
        self.waiting.append(function)

    def a_second_passes(self) -> None:
        waiting, self.waiting = self.waiting, []
        for function in waiting:
            function()


class TestDenials:
    @pytest.fixture
    def later(self):
        return Later()

    @pytest.fixture
    def denials(self, output, later):
        writer = LineWriter(output)
        self.writer = writer
        yield DenialLog(open_log(writer, "info", "json"), later, per_second=3)
        writer.close()

    def _events(self, output):
        written = _closed(self.writer, output).splitlines()
        lines = [json.loads(line) for line in written]
        return [
            {name: value for name, value in line.items() if name not in ("timestamp", "level")}
            for line in lines
        ]

    def test_a_denial_has_the_fields_that_are_known(self, denials, output):
        denials.denied("no_org", issuer="https://a", detail=None, request_id="1")
        denials.denied("no_credentials")
        assert self._events(output) == [
            {"event": "denied", "reason": "no_org", "issuer": "https://a", "request_id": "1"},
            {"event": "denied", "reason": "no_credentials"},
        ]

    def test_so_many_a_second_of_each_code_are_logged_and_the_rest_is_summed_up(
        self, denials, output, later
    ):
        for number in range(10):
            denials.denied("expired", request_id=str(number))
        for _ in range(3):
            denials.denied("no_org")
        later.a_second_passes()
        expired = {"event": "denied", "reason": "expired"}
        assert self._events(output) == [
            *({**expired, "request_id": str(number)} for number in range(3)),
            *({"event": "denied", "reason": "no_org"} for _ in range(3)),
            {**expired, "not_logged": 7},
        ]

    def test_the_next_second_begins_anew(self, denials, output, later):
        for _ in range(2):
            for _ in range(5):
                denials.denied("expired")
            later.a_second_passes()
        assert len(later.waiting) == 0
        sums = [event["not_logged"] for event in self._events(output) if "not_logged" in event]
        assert sums == [2, 2]
        assert output.written.count(b'"reason": "expired"') == 2 * (3 + 1)

    def test_one_sum_is_waited_for_however_many_denials(self, denials, later):
        for code in ("expired", "no_org", "wrong_client"):
            for _ in range(5):
                denials.denied(code)
        assert len(later.waiting) == 1
        later.a_second_passes()
        denials.denied("expired")
        assert len(later.waiting) == 1

    def test_a_quiet_second_says_nothing(self, denials, output, later):
        denials.denied("expired")
        later.a_second_passes()
        assert len(self._events(output)) == 1


def test_ten_a_second_are_logged_unless_said_otherwise(output):
    writer = LineWriter(output)
    denials = DenialLog(open_log(writer, "info", "json"), lambda _function: None)
    for _ in range(50):
        denials.denied("expired")
    assert _closed(writer, output).count("\n") == 10
