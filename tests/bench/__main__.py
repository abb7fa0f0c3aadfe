"""Measure: `python -m tests.bench [speed|memory|start] [--requests N] [--rounds N] [--json]`."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import time
from dataclasses import dataclass

from hasura_kc_auth.devtools.issuer import ORGS, DevIssuer
from hasura_kc_auth.devtools.tokens import TokenMaker
from tests.bench import memory, start
from tests.bench.calls import get, post
from tests.bench.load import Load, Sample
from tests.bench.servers import Server, floor, service

_LOAD_CPU = 1
_ANSWER_LENGTH = 200
_DISTINCT_TOKENS = 2000


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of request. `server`: whom it asks; `expect`: the only status that may come."""

    name: str
    server: str
    requests: list[bytes]
    expect: int


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("speed", "memory", "start"), default="speed")
    parser.add_argument("--requests", type=int, default=8000, help="of each kind in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    os.sched_setaffinity(0, {_LOAD_CPU % (os.cpu_count() or 1)})
    if options.what == "memory":
        results, show = asyncio.run(memory.measure()), _print_memory
    elif options.what == "start":
        results, show = asyncio.run(start.measure(options.rounds)), _print_start
    else:
        results, show = asyncio.run(_bench(options.requests, options.rounds)), _print
    if options.json:
        print(json.dumps(results))
    else:
        show(results)


async def _bench(requests: int, rounds: int) -> list[dict[str, float | str]]:
    issuer = DevIssuer(time.time)  # noqa: TID251 - tokens that a real clock accepts
    await issuer.start()
    try:
        entries = str(_DISTINCT_TOKENS // 2)
        with floor(_ANSWER_LENGTH) as least, service(issuer, CACHE__ENTRIES=entries) as ours:
            servers = {"floor": least, "service": ours}
            # In a thread: the issuer answers the service's fetches meanwhile.
            samples = await asyncio.to_thread(_measure, servers, _rows(issuer), requests, rounds)
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
        Row("floor, GET", "floor", [get(token)], 200),
        Row("floor, POST 2 KB", "floor", [post(token)], 200),
        Row("GET hit", "service", [get(token)], 200),
        Row("POST hit, 2 KB", "service", [post(token)], 200),
        # More distinct tokens in a circle than the cache has entries: each is a miss.
        Row("GET miss", "service", [get(each) for each in many], 200),
        Row("garbage token", "service", [get("x" * len(token))], 401),
        Row("expired token", "service", [get(expired)], 401),
        Row("forged, known kid", "service", [get(forged)], 401),
    ]


Samples = dict[str, list[Sample]]


def _measure(servers: dict[str, Server], rows: list[Row], requests: int, rounds: int) -> Samples:
    loads = {name: Load(server.port, server.pid) for name, server in servers.items()}
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


def _print_memory(results: list[memory.Row]) -> None:
    print(f"{'case':20} {'resident MB':>15} {'cache entries':>15}")
    for row in results:
        print(f"{row['case']:20} {row['resident_mb']:15.1f} {row['entries']:15.0f}")


def _print_start(results: list[start.Row]) -> None:
    print(f"{'case':20} {'seconds':>15}")
    for row in results:
        print(f"{row['case']:20} {row['seconds']:15.2f}")


if __name__ == "__main__":
    main()
