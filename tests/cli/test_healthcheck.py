"""`healthcheck`: what a container's health check asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from typing_extensions import override

from tests.cli.commands import free_ports, invoke


class _Management(BaseHTTPRequestHandler):
    answers: dict[str, int]

    def do_GET(self) -> None:
        self.send_response(self.answers.get(self.path, 404))
        self.send_header("Content-Length", "0")
        self.end_headers()

    @override
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def management() -> Iterator[Callable[..., dict[str, object]]]:
    """Give what starts a management listener with these answers and returns its settings."""
    servers: list[HTTPServer] = []

    def start(**answers: int) -> dict[str, object]:
        handler = type(
            "Handler", (_Management,), {"answers": {f"/{k}": v for k, v in answers.items()}}
        )
        server = HTTPServer(("127.0.0.1", 0), handler)
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return {"host": "127.0.0.1", "port": server.server_port}

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("answers", "code", "code_live"),
    [
        pytest.param({"readyz": 200, "livez": 200}, 0, 0, id="ready"),
        pytest.param({"readyz": 503, "livez": 200}, 1, 0, id="not ready"),
        pytest.param({}, 1, 1, id="something else"),
        pytest.param({"readyz": 304, "livez": 500}, 1, 1, id="something else yet"),
    ],
)
def test_the_answer_is_the_exit_code(config, management, answers, code, code_live):
    file = config(management=management(**answers))

    assert invoke("healthcheck", "--config", file) == (code, "", "")
    assert invoke("healthcheck", "--config", file, "--live") == (code_live, "", "")


@pytest.mark.parametrize("options", [[], ["--live"]])
def test_no_answer_is_cannot_tell_and_names_the_settings(config, options):
    [port] = free_ports()

    found = invoke("healthcheck", "--config", config(management={"port": port}), *options)

    assert (found.code, found.out) == (3, "")
    assert found.err.startswith("management.host, management.port: no answer from http://127.0.0.1")


@pytest.mark.parametrize(
    ("host", "asked"),
    [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("::1", "[::1]")],  # noqa: S104 - not bound
)
def test_a_listener_on_any_address_is_asked_on_this_machine(config, host, asked):
    [port] = free_ports()

    found = invoke("healthcheck", "--config", config(management={"host": host, "port": port}))

    assert found.code == 3
    assert f"no answer from http://{asked}:{port}" in found.err


def test_it_asks_the_listener_on_any_address(config, management):
    settings = {**management(readyz=200), "host": "0.0.0.0"}  # noqa: S104

    assert invoke("healthcheck", "--config", config(management=settings)).code == 0


def test_wrong_settings_are_usage(fails_loudly):
    found = invoke("healthcheck", "--config", fails_loudly)

    assert found.code == 2
    assert "configuration: webhook.port: " in found.err
