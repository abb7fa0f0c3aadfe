"""How long the service takes until it is ready, and where the time of its imports goes."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from tempfile import TemporaryFile

from hasura_kc_auth.devtools.issuer import DevIssuer
from tests.bench.cases import Bench, Row
from tests.bench.issuers import answering
from tests.bench.process import wait_until_ready
from tests.bench.servers import service, service_variables

SHOWN = 12
_OURS = "hasura_kc_auth"
_IMPORTED = re.compile(r"import time: +(\d+) \| +\d+ \| +(\S+)")


def ready(bench: Bench) -> list[Row]:
    """Return medians in seconds: until it answers at all, and until it has its keys."""
    issuer = DevIssuer(time.time)  # noqa: TID251 - as its clock
    with answering(issuer):
        starts = [_start(issuer) for _ in bench.track(range(bench.rounds), "start")]
    names = ("it listens", "it is ready: it has its issuer's keys")
    return [
        {"case": name, "seconds": statistics.median(times)}
        for name, times in zip(names, zip(*starts, strict=True), strict=True)
    ]


def _start(issuer: DevIssuer) -> tuple[float, float]:
    began = time.perf_counter()
    with service(issuer) as server:
        listening = time.perf_counter() - began
        wait_until_ready(server)
        return listening, time.perf_counter() - began


def imports(bench: Bench) -> list[Row]:
    """Return for each library what its modules take by themselves, the slowest first."""
    runs = [own_times(_imported()) for _ in bench.track(range(bench.rounds), "imports")]
    return import_rows(runs)


def _imported() -> Iterable[str]:
    """Return what `python -X importtime` writes while the service starts."""
    variables = service_variables("http://127.0.0.1:1/realms/none")
    with TemporaryFile("w+") as said:  # no pipe: nobody would empty it meanwhile
        process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-X", "importtime", "-m", _OURS, "serve"],
            env={**os.environ, **variables},  # noqa: TID251 - passed on
            stdout=subprocess.PIPE,
            stderr=said,
        )
        assert process.stdout is not None
        process.stdout.readline()  # it has started: all that `serve` needs is imported
        process.kill()
        process.communicate()
        said.seek(0)
        return said.read().splitlines()


def own_times(lines: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Read `-X importtime`: for each library its modules' own µs, and how many they are."""
    times: Counter[str] = Counter()
    modules: Counter[str] = Counter()
    for line in lines:
        found = _IMPORTED.fullmatch(line)
        if found is None:
            continue  # its heading, or words of the service
        library = library_of(found[2])
        times[library] += int(found[1])
        modules[library] += 1
    return {library: (times[library], modules[library]) for library in times}


def library_of(module: str) -> str:
    top = module.partition(".")[0]
    return "Python itself" if top in sys.stdlib_module_names else top.lstrip("_")


def import_rows(runs: list[dict[str, tuple[int, int]]]) -> list[Row]:
    """Sum the runs up: medians, the rest in one row, and all of it."""
    libraries = {name for run in runs for name in run}
    none = (0, 0)

    def row(name: str, parts: Iterable[str]) -> Row:
        chosen = list(parts)
        taken = [[run.get(it, none) for it in chosen] for run in runs]
        own = [sum(own for own, _ in each) for each in taken]
        shares = [
            part / sum(it for it, _ in run.values()) for part, run in zip(own, runs, strict=True)
        ]
        return {
            "case": name,
            "ms": statistics.median(own) / 1000,
            "share": statistics.median(shares),
            "modules": statistics.median(sum(number for _, number in each) for each in taken),
        }

    whole = row("all", libraries)
    rows = sorted((row(it, [it]) for it in libraries), key=lambda it: -float(it["ms"]))
    rest = [str(it["case"]) for it in rows[SHOWN:]]
    return [*rows[:SHOWN], row(f"{len(rest)} others", rest), whole]
