"""How much memory the service has: idle, and with its default cache full of distinct tokens."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from urllib.request import urlopen

from hasura_kc_auth.config.settings import CacheSettings
from hasura_kc_auth.devtools.issuer import DevIssuer
from tests.bench.calls import get
from tests.bench.load import CONNECTIONS, Load
from tests.bench.servers import Server, service

_ENTRIES = CacheSettings().entries
_IN_CACHE = "hasura_kc_auth_cache_entries "

Row = dict[str, float | str]


async def measure() -> list[Row]:
    """Return a row for the idle service and one for the full cache."""
    issuer = DevIssuer(time.time)  # noqa: TID251 - tokens that a real clock accepts
    await issuer.start()
    try:
        with service(issuer) as server:
            # In a thread: the issuer answers the service's fetches meanwhile.
            return await asyncio.to_thread(_fill, issuer, server)
    finally:
        await issuer.stop()


def _fill(issuer: DevIssuer, server: Server) -> list[Row]:
    load = Load(server.port, server.pid)
    load.run([get(_token(issuer))], CONNECTIONS)
    rows = [_row("idle", server)]
    # A tenth more than there is room for, so that the cache is full to the last entry.
    for _ in range(0, int(_ENTRIES * 1.1), CONNECTIONS):
        sample = load.run([get(_token(issuer)) for _ in range(CONNECTIONS)], CONNECTIONS)
        if sample.statuses != {200}:
            raise SystemExit(f"statuses {sorted(sample.statuses)} came")
    rows.append(_row("full cache", server))
    load.close()
    if rows[-1]["entries"] != _ENTRIES:
        raise SystemExit(f"the cache has {rows[-1]['entries']} entries and not {_ENTRIES}")
    return rows


def _token(issuer: DevIssuer) -> str:
    return issuer.login("alice", "openid acme").access


def _row(name: str, server: Server) -> Row:
    return {
        "case": name,
        "resident_mb": _resident_bytes(server.pid) / 1e6,
        "entries": _entries(server.management),
    }


def _resident_bytes(pid: int) -> int:
    """Return what the process has in memory (Linux)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (found,) = (line for line in lines if line.startswith("VmRSS:"))
    return int(found.split()[1]) * 1024


def _entries(management: str) -> float:
    with urlopen(f"{management}/metrics") as answer:  # noqa: S310 - our own
        lines = answer.read().decode().splitlines()
    return next(float(it.removeprefix(_IN_CACHE)) for it in lines if it.startswith(_IN_CACHE))
