"""How much memory the service has after more and more distinct tokens, good and hostile ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from hasura_kc_auth.config.settings import CacheSettings
from tests.bench.calls import get
from tests.bench.cases import Bench, Row
from tests.bench.client import Client
from tests.bench.issuers import Realm, Realms, answering
from tests.bench.load import CONNECTIONS
from tests.bench.process import counts, resident_mb, total, wait_until_ready
from tests.bench.servers import Server, service

_ENTRIES = CacheSettings().entries
_FLAT = 1.1
_IN_CACHE = "cache_entries"
_HOSTILE_SHARE = 10  # for ten good tokens a hostile one: a tenth of a million is enough to see


def measure(bench: Bench) -> list[Row]:
    """Return a row for each step. Raises SystemExit if an answer or the cache is not as it must."""
    realms = Realms()
    with answering(realms), service(realms, ISSUERS=realms.settings(1)) as server:
        wait_until_ready(server)
        kinds = {
            "good": (good(realms.all[0]), 200, steps(bench.tokens)),
            "hostile": (hostile(realms.all[0]), 401, steps(bench.tokens // _HOSTILE_SHARE)),
        }
        work = [(step, kind) for kind, (_, _, each) in kinds.items() for step in each]
        done = dict.fromkeys(kinds, 0)
        rows = [_row(server, "good", 0)]
        for step, kind in bench.track(work, "memory"):
            requests, expect, _ = kinds[kind]
            _send(server, islice(requests, step - done[kind]), expect)
            done[kind] = step
            rows.append(_row(server, kind, step))
    check_flat(rows)
    return rows


def check_flat(rows: Sequence[Row]) -> None:
    """Raise SystemExit if memory went on growing after the cache was full."""
    full = [float(row["resident_mb"]) for row in rows if row["entries"] == _ENTRIES]
    if full and max(full) > _FLAT * full[0]:
        raise SystemExit(f"memory: {full[0]:.0f} MB with a full cache, {max(full):.0f} MB later")


def steps(last: int) -> list[int]:
    """Return 1, 2, 5, 10, 20, … thousands up to the last."""
    scale = [factor * 10**power for power in range(3, 10) for factor in (1, 2, 5)]
    return [*(it for it in scale if it < last), last]


def good(realm: Realm) -> Iterator[bytes]:
    """Make requests with another user's token each, when they are asked for."""
    while True:
        yield get(realm.token())


def hostile(realm: Realm) -> Iterator[bytes]:
    """Make requests with another forged token each: a signature of another token."""
    before = realm.token()
    while True:
        token = realm.token()
        yield get(token.rpartition(".")[0] + "." + before.rpartition(".")[2])
        before = token


def _send(server: Server, requests: Iterator[bytes], expect: int) -> None:
    client = Client(server.port, CONNECTIONS)
    client.run(requests)
    client.close()
    if set(client.statuses) - {expect}:
        raise SystemExit(f"memory: not only {expect} came, but {client.statuses}")


def _row(server: Server, kind: str, tokens: int) -> Row:
    entries = total(counts(server), _IN_CACHE)
    if kind == "good" and entries > _ENTRIES:
        raise SystemExit(f"memory: the cache has {entries:.0f} entries and not {_ENTRIES}")
    return {"line": kind, "x": tokens, "resident_mb": resident_mb(server.pid), "entries": entries}
