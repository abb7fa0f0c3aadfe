"""How long a file of many orgs takes: `python -m tests.bench.provisioning [ORGS] [AT_ONCE…]`.

It starts a real Keycloak, as the integration tests do, and prints for each number of calls at once
the time of `apply` on an empty realm and of a plan that finds nothing to do, with the processor
time of both sides: on a machine that others use as well, that is the figure to compare. Seconds,
MiB.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

HERE = Path(__file__).parents[1] / "integration"
sys.path.insert(0, str(HERE))

from admin import Admin  # noqa: E402
from keycloak_dist import Tools, find_tools  # noqa: E402
from keycloak_server import KeycloakServer  # noqa: E402
from provisioned import ROLES, Provisioned, empty_realm  # noqa: E402

from hasura_kc_auth.keycloak.admin.api import Admin as AdminApi  # noqa: E402
from hasura_kc_auth.keycloak.realm.state import RealmState  # noqa: E402
from hasura_kc_auth.keycloak.realm.writer import RealmWriter  # noqa: E402
from hasura_kc_auth.provisioning.plan import Plan, plan  # noqa: E402
from hasura_kc_auth.provisioning.wanted import Org  # noqa: E402

VERSION = "26.7.3"
TICKS = os.sysconf("SC_CLK_TCK")


async def main(orgs: int, at_once: list[int]) -> None:
    environment = dict(os.environ)  # noqa: TID251 - where Java and Maven are
    tools = find_tools(environment)
    if not isinstance(tools, Tools):
        sys.exit(tools)
    with tempfile.TemporaryDirectory() as folder:
        server = KeycloakServer.install(VERSION, tools, Path(folder), environment)
        await server.start()
        try:
            for number in at_once:
                await _measure(server, orgs, number)
        finally:
            await server.stop()


async def _measure(server: KeycloakServer, orgs: int, at_once: int) -> None:
    bootstrap = server.bootstrap
    async with Admin(server.url, bootstrap.username, bootstrap.password) as admin:
        made = await empty_realm(server, admin, "client-scope")
        names = [f"org{number}" for number in range(orgs)]
        made.wanted = replace(made.wanted, orgs={it: Org(it, it.title(), ROLES) for it in names})
        async with AdminApi(server.url, made.realm.name, made.login, at_once=at_once) as api:
            print(f"{orgs} orgs, {at_once} calls at once")
            await _timed("  apply", server, api, lambda: _apply(api, made))
            left = await _timed("  plan ", server, api, lambda: _plan(api, made))
            assert left.is_empty
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  peak  {peak:.0f} MiB")


async def _apply(api: AdminApi, made: Provisioned) -> None:
    state = RealmState(api)
    steps = plan(made.wanted, await state.read(made.wanted)).steps
    outcome = await RealmWriter(api, state).apply(steps)
    assert outcome.is_complete, outcome


async def _plan(api: AdminApi, made: Provisioned) -> Plan:
    return plan(made.wanted, await RealmState(api).read(made.wanted))


async def _timed(
    name: str, server: KeycloakServer, api: AdminApi, work: Callable[[], Awaitable[Any]]
) -> Any:
    calls, theirs, ours, begun = api.calls, _cpu(server), process_time(), perf_counter()
    result = await work()
    print(
        f"{name} {perf_counter() - begun:6.1f} s, {api.calls - calls} calls,"
        f" processor: ours {process_time() - ours:.1f} s, Keycloak's {_cpu(server) - theirs:.1f} s"
    )
    return result


def _cpu(server: KeycloakServer) -> float:
    """Return the processor seconds of the server's group; kc.sh and the JVM below it."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        if int(fields[2]) == server.pid:
            total += int(fields[11]) + int(fields[12])
    return total / TICKS


if __name__ == "__main__":
    count, *numbers = [int(it) for it in sys.argv[1:]] or [1000]
    asyncio.run(main(count, numbers or [8]))
