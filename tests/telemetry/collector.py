"""An OpenTelemetry collector for the tests: takes what is sent over OTLP, or never answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from typing_extensions import override


class Collector(ThreadingHTTPServer):
    """`spans`: the names that came; `resource`: who sent them. `silent`: answer nothing."""

    def __init__(self, *, silent: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Receiver)
        self.silent = silent
        self.over = Event()
        self.asked = Event()
        self.spans: list[str] = []
        self.resource: dict[str, str] = {}

    @property
    def variables(self) -> dict[str, str]:
        """What makes a service send here."""
        return {
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.server_port}",
        }

    def take(self, body: bytes) -> None:
        for sent in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resource = {it.key: it.value.string_value for it in sent.resource.attributes}
            self.spans += [span.name for scope in sent.scope_spans for span in scope.spans]


class _Receiver(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        assert self.path == "/v1/traces"
        self.server.asked.set()
        if self.server.silent:
            self.server.over.wait()
            return
        self.server.take(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    @override
    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def collecting(*, silent: bool = False) -> Iterator[Collector]:
    with Collector(silent=silent) as collector:
        thread = Thread(target=collector.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield collector
        collector.over.set()
        collector.shutdown()
        thread.join()
