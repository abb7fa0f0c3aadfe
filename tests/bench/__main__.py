"""Measure: `python -m tests.bench [--requests N] [--rounds N] [--json]`."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from hasura_kc_auth.devtools.issuer import ORGS, DevIssuer
from hasura_kc_auth.devtools.tokens import AUDIENCE, FRONTEND, TokenMaker
from tests.bench.load import Load, Sample

_SERVER_CPU, _LOAD_CPU = 0, 1
_ANSWER_LENGTH = 200
_DISTINCT_TOKENS = 2000
_POST_BODY = 2048


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of request. `server`: whom it asks; `expect`: the only status that may come."""

    name: str
    server: str
    requests: list[bytes]
    expect: int


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--requests", type=int, default=8000, help="of each kind in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    os.sched_setaffinity(0, {_LOAD_CPU % (os.cpu_count() or 1)})
    results = asyncio.run(_bench(options.requests, options.rounds))
    if options.json:
        print(json.dumps(results))
    else:
        _print(results)


async def _bench(requests: int, rounds: int) -> list[dict[str, float | str]]:
    issuer = DevIssuer(time.time)  # noqa: TID251 - tokens that a real clock accepts
    await issuer.start()
    try:
        with _servers(issuer) as ports:
            rows = _rows(issuer)
            # In a thread: the issuer answers the service's fetches meanwhile.
            samples = await asyncio.to_thread(_measure, ports, rows, requests, rounds)
    finally:
        await issuer.stop()
    return _summary(samples)


def _rows(issuer: DevIssuer) -> list[Row]:
    token = issuer.login("alice", "openid acme").access
    many = [issuer.login("alice", "openid acme").access for _ in range(_DISTINCT_TOKENS)]
    old = TokenMaker(issuer.issuer, issuer.keys, ORGS, lambda: 1_600_000_000.0)
    expired = old.issue(issuer.users["alice"], "openid acme").access
    forged = many[0].rpartition(".")[0] + "." + many[1].rpartition(".")[2]
    return [
        Row("floor, GET", "floor", [_get(token)], 200),
        Row("floor, POST 2 KB", "floor", [_post(token)], 200),
        Row("GET hit", "service", [_get(token)], 200),
        Row("POST hit, 2 KB", "service", [_post(token)], 200),
        # More distinct tokens in a circle than the cache has entries: each is a miss.
        Row("GET miss", "service", [_get(each) for each in many], 200),
        Row("garbage token", "service", [_get("x" * len(token))], 401),
        Row("expired token", "service", [_get(expired)], 401),
        Row("forged, known kid", "service", [_get(forged)], 401),
    ]


def _client_headers(token: str) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {token}",
        "X-Request-Id": "5c0d0d6e-7f2a-4a51-9d2c-0a3c7b6f9f10",
        "X-Forwarded-For": "203.0.113.7",
        "X-Hasura-Role": "editor",
        "Cookie": "theme=dark; consent=yes",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    }


def _get(token: str) -> bytes:
    lines = [f"{name}: {value}" for name, value in _client_headers(token).items()]
    return "\r\n".join(["GET / HTTP/1.1", "Host: auth:8090", *lines, "", ""]).encode()


def _post(token: str) -> bytes:
    body = {"headers": _client_headers(token), "request": {"query": ""}}
    body["request"] = {"query": "q" * (_POST_BODY - len(json.dumps(body)))}
    text = json.dumps(body, separators=(",", ":")).encode()
    head = f"POST / HTTP/1.1\r\nHost: auth:8090\r\nContent-Length: {len(text)}\r\n\r\n"
    return head.encode() + text


@contextmanager
def _servers(issuer: DevIssuer) -> Iterator[dict[str, tuple[int, int]]]:
    """Start both servers on the other core; yields (port, pid) by name."""
    floor = _start([sys.executable, "-m", "tests.bench.floor", str(_ANSWER_LENGTH)], {})
    service = _start(
        [sys.executable, "-m", "hasura_kc_auth", "serve"],
        {
            "HASURA_KC_AUTH__ISSUER": issuer.issuer,
            "HASURA_KC_AUTH__CLIENTS": FRONTEND,
            "HASURA_KC_AUTH__AUDIENCES": AUDIENCE,
            "HASURA_KC_AUTH__ROLES__ALLOWED": "editor,viewer",
            "HASURA_KC_AUTH__CACHE__ENTRIES": str(_DISTINCT_TOKENS // 2),
            "HASURA_KC_AUTH__WEBHOOK__PORT": "0",
            "HASURA_KC_AUTH__MANAGEMENT__PORT": "0",
        },
    )
    try:
        yield {
            "floor": (int(_first_line(floor)), floor.pid),
            "service": (_port(json.loads(_first_line(service))["webhook"]), service.pid),
        }
    finally:
        for process in (floor, service):
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()


def _start(command: list[str], settings: dict[str, str]) -> subprocess.Popen[bytes]:
    environment = {**os.environ, **settings}  # noqa: TID251 - passed on to the servers
    return subprocess.Popen(  # noqa: S603 - our own commands
        command,
        env=environment,
        stdout=subprocess.PIPE,
        preexec_fn=lambda: os.sched_setaffinity(0, {_SERVER_CPU}),  # noqa: PLW1509
    )


def _first_line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    return process.stdout.readline()


def _port(url: str) -> int:
    return int(url.rpartition(":")[2].rstrip("/"))


Samples = dict[str, list[Sample]]


def _measure(
    ports: dict[str, tuple[int, int]], rows: list[Row], requests: int, rounds: int
) -> Samples:
    loads = {name: Load(*where) for name, where in ports.items()}
    samples: Samples = {row.name: [] for row in rows}
    time.sleep(0.5)  # the first fetch of the keys
    for _ in range(rounds):
        for row in rows:
            load = loads[row.server]
            load.run(row.requests, requests // 10)
            sample = load.run(row.requests, requests)
            if sample.statuses != {row.expect}:
                raise SystemExit(f"{row.name}: statuses {sorted(sample.statuses)} came")
            samples[row.name].append(sample)
    for load in loads.values():
        load.close()
    return samples


def _summary(samples: Samples) -> list[dict[str, float | str]]:
    floor = [sample.cpu for sample in samples["floor, GET"]]
    return [
        {
            "case": name,
            "cpu_us": statistics.median(sample.cpu for sample in taken),
            "ratio": statistics.median(
                sample.cpu / base for sample, base in zip(taken, floor, strict=True)
            ),
            "requests_per_second": statistics.median(sample.rate for sample in taken),
        }
        for name, taken in samples.items()
    ]


def _print(results: list[dict[str, float | str]]) -> None:
    print(f"{'case':20} {'CPU µs/request':>15} {'ratio to floor':>15} {'requests/s':>12}")
    for row in results:
        print(
            f"{row['case']:20} {row['cpu_us']:15.1f} {row['ratio']:15.2f}"
            f" {row['requests_per_second']:12.0f}"
        )


if __name__ == "__main__":
    main()
