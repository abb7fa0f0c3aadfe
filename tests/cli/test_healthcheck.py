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


def test_wrong_settings_are_usage(tmp_path):
    file = tmp_path / "wrong.yaml"
    file.write_text("management: {port: -1, nonsense: 1}", "utf-8")

    found = invoke("healthcheck", "--config", str(file))

    assert (found.code, found.out) == (2, "")
    assert found.err.splitlines() == [
        "configuration: management.port: Input should be greater than or equal to 0",
        "configuration: management.nonsense: is no setting",
    ]


def test_a_file_that_is_not_there_is_usage(tmp_path):
    found = invoke("healthcheck", "--config", str(tmp_path / "none.yaml"))

    assert found.code == 2
    assert "cannot be read" in found.err


def test_only_the_section_management_is_looked_at(management, fails_loudly, tmp_path):
    """The service has judged the rest; here secrets may not even be readable."""
    port = management(readyz=200)["port"]
    with (tmp_path / "wrong.yaml").open("a") as file:
        file.write(f"management: {{port: {port}}}\n")
    wrong = {"HASURA_KC_AUTH__ROLES__ALLOWED": "admin", "HASURA_KC_AUTH__NONSENSE": "1"}

    assert invoke("healthcheck", "--config", fails_loudly, variables=wrong) == (0, "", "")


def test_without_a_file_the_variables_are_enough(management):
    port = str(management(readyz=200)["port"])
    apart = {
        "HASURA_KC_AUTH__MANAGEMENT__HOST": "0.0.0.0",  # noqa: S104 - not bound
        "HASURA_KC_AUTH__MANAGEMENT__PORT": port,
    }
    whole = {"HASURA_KC_AUTH__MANAGEMENT": f'{{"port": {port}}}'}

    assert invoke("healthcheck", variables=apart).code == 0
    assert invoke("healthcheck", variables=whole).code == 0


def test_the_file_may_be_named_by_its_variable(config, management):
    file = config(management=management(readyz=200))

    assert invoke("healthcheck", variables={"HASURA_KC_AUTH__CONFIG": file}).code == 0


def test_an_address_may_be_given_instead(management, fails_loudly):
    url = f"http://127.0.0.1:{management(readyz=503, livez=200)['port']}"

    assert invoke("healthcheck", "--url", url, "--config", fails_loudly).code == 1
    assert invoke("healthcheck", "--url", url, "--live").code == 0


def test_no_answer_from_a_given_address_names_the_option():
    [port] = free_ports()

    found = invoke("healthcheck", "--url", f"http://127.0.0.1:{port}")

    assert (found.code, found.out) == (3, "")
    assert found.err == f"--url: no answer from http://127.0.0.1:{port}\n"


@pytest.mark.parametrize("url", ["127.0.0.1:8091", "ftp://127.0.0.1", "http://", "http://[", ""])
def test_what_is_no_address_is_usage(url):
    found = invoke("healthcheck", "--url", url)

    assert (found.code, found.out) == (2, "")
    assert "must be an address such as" in found.err
