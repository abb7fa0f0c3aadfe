"""The bundled client, against a server that answers what it is told to."""

from __future__ import annotations

import socket
from io import BytesIO
from threading import Thread

import pytest

from tests.bench.client import Client, ask, read_requests, status_of, write_requests
from tests.bench.paced import Paced

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
DENIAL = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n"
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
END = REQUEST[-4:]


@pytest.fixture
def port():
    """Return the port of a server that answers each request; `/denied` with 401, `/bye` never."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=_accept, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:  # the end of the test
            return
        Thread(target=_answer, args=(connection,), daemon=True).start()


def _answer(connection: socket.socket) -> None:
    received = b""
    with connection:
        while data := connection.recv(1 << 20):
            received += data
            while END in received:
                request, _, received = received.partition(END)
                if b"/bye" in request:
                    return
                # In two pieces, as the network may bring it.
                answer = DENIAL if b"/denied" in request else ANSWER
                connection.sendall(answer[:20])
                connection.sendall(answer[20:])


def test_each_request_is_sent_once_and_counted_by_its_status(port):
    client = Client(port, 3)

    client.run(iter([REQUEST] * 7 + [REQUEST.replace(b"/ ", b"/denied ")] * 4))
    client.close()

    assert client.statuses == {200: 7, 401: 4}
    assert sum(client.latencies.values()) == 11


def test_a_request_longer_than_the_sockets_buffers_is_sent_whole(port):
    client = Client(port, 1)

    client.run(iter([REQUEST[:-4] + b"\r\nx: " + b"x" * 8_000_000 + END]))
    client.close()

    assert client.statuses == {200: 1}


def test_a_server_that_hangs_up_is_no_answer(port):
    client = Client(port, 1)

    with pytest.raises(ConnectionError):
        client.run(iter([REQUEST.replace(b"/ ", b"/bye ")]))
    client.close()


def test_requests_are_sent_over_and_over_for_the_time(port):
    said = ask(port, 2, 0.05, [REQUEST, REQUEST.replace(b"/ ", b"/denied ")])

    assert said["statuses"].keys() == {200, 401}
    assert said["requests"] == said["statuses"].total() > 2
    assert 0.05 <= said["seconds"] < 30


def test_at_a_pace_each_request_is_sent_whatever_came_before(port):
    paced = Paced(port, REQUEST)

    paced.run(rate=1000, seconds=0.05)
    paced.close()

    assert paced.statuses == {200: 50}
    assert paced.latencies.total() == 50


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (ANSWER, 200),
        (DENIAL, 401),
        (ANSWER[:-1], None),
        (ANSWER[:30], None),
        (b"", None),
    ],
)
def test_an_answer_has_a_status_once_it_is_here_whole(answer, status):
    assert status_of(answer) == status


def test_requests_are_read_from_a_file_as_they_were_written():
    file = BytesIO()
    requests = [REQUEST, b"POST / HTTP/1.1\r\n\r\n3\n12\n", b""]

    write_requests(file, requests)
    file.seek(0)

    assert list(read_requests(file)) == requests
