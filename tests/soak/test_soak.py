"""Some seconds of the whole soak: passed by the right service, and not by a wrong one."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest

from tests.chaos.report import PAGE
from tests.cli.commands import ROOT, undisturbed_environment
from tests.soak.judge import Judge
from tests.soak.page import MARKS, refusal, show
from tests.soak.realm import Realm
from tests.soak.run import Plan, soak
from tests.soak.tally import MOST_FILES_LEFT, MOST_GROWTH, Sample, Tally, spread
from tests.soak.timeline import Times

QUICK = Times(
    ttl=2.0,
    cooldown=1.0,
    timeout=0.6,
    max_stale=4.0,
    cache_ttl=1.5,
    leeway=1.0,
    read_timeout=2.0,
    slack=0.4,
)
PERIOD = 8.0


MB = 1_000_000


def samples(
    middle: tuple[int, int] = (50 * MB, 10), end: tuple[int, int] = (50 * MB, 10)
) -> list[Sample]:
    """Return samples of a process whose start is 40 MB and 10 descriptors."""
    sizes = {"at the start": (40 * MB, 10), "in the middle": middle, "at the end": end}
    return [Sample(when, *size, cache_entries=0) for when, size in sizes.items()]


def plan(seconds: float, **changes: object) -> Plan:
    return Plan(seconds, rate=80.0, seed=3, period=PERIOD, times=QUICK, **changes)  # type: ignore[arg-type]


async def test_a_right_service_passes():
    tally = await soak(plan(2 * PERIOD))

    assert tally.failures() == []
    assert tally.requests > 500
    assert tally.rotations == 2
    assert {"granted", "expired", "unknown_key", "keys_unavailable"} <= tally.outcomes.keys()
    assert [sample.when for sample in tally.samples] == [
        "at the start",
        "in the middle",
        "at the end",
    ]
    assert tally.fetch_attempts > 2
    assert tally.log_lines > 10


async def test_a_service_that_is_set_otherwise_is_noticed():
    """Its decisions outlive their token and their key, and its first role is another one."""
    wrong = {"LEEWAY": "120s", "CACHE__TTL": "60s", "ROLES__ALLOWED": "viewer,editor,org_admin"}

    tally = await soak(plan(1.25 * PERIOD, settings=wrong))

    assert f"{len(tally.wrong)} wrong answers" in tally.failures()
    for noticed in ("not 401 expired", "not 401 unknown_key", "as viewer, of viewer/editor"):
        assert any(noticed in text for text in tally.wrong)
    assert not any("eyJ" in text for text in tally.wrong)


async def test_the_command_prints_what_it_found():
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.soak", "--minutes", "0.05", "--rate", "40", "--json"),
        cwd=ROOT,
        env=undisturbed_environment(),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()

    found = json.loads(out)
    assert (process.returncode, found["failures"], found["wrong"]) == (0, [], [])
    assert found["requests"] == sum(found["kinds"].values()) > 50
    assert found["exit_code"] == 0
    assert set(found["steady"]) == {"p50", "p99", "p99.9", "max"}


async def test_what_asking_or_judging_raises_is_a_wrong_answer(monkeypatch):
    def confused(*_args: object) -> None:
        raise AttributeError("eyJhbGciOi")

    monkeypatch.setattr(Judge, "wrong", confused)
    tally = await soak(plan(1.0))

    assert f"{len(tally.wrong)} wrong answers" in tally.failures()
    assert tally.wrong[0].endswith("failed: AttributeError")
    assert not any("eyJ" in text for text in tally.wrong)


async def test_what_befalls_the_issuer_must_not_end_unseen(monkeypatch):
    def confused(_realm: object) -> None:
        raise LookupError("no key is left")

    monkeypatch.setattr(Realm, "rotate", confused)
    tally = await soak(plan(0.5 * PERIOD))

    assert any(text.endswith("the issuer failed: LookupError") for text in tally.wrong)
    assert f"{len(tally.wrong)} wrong answers" in tally.failures()


class TestTally:
    def good(self) -> Tally:
        tally = Tally(exit_code=0, fetch_bound=5, fetch_attempts=5)
        tally.samples = samples(
            middle=(60 * MB, 200), end=(60 * MB + MOST_GROWTH, 10 + MOST_FILES_LEFT)
        )
        tally.kinds["granted"] = 1
        return tally

    def test_a_good_one_has_no_failures(self):
        assert self.good().failures() == []

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("wrong", ["at 1.0 s, granted: came 401 no_org"]),
            ("fetch_attempts", 6),
            ("exit_code", 1),
            ("exit_code", None),
            ("unfit_log_lines", 1),
            ("samples", samples(end=(50 * MB + MOST_GROWTH + 1, 10))),
            ("samples", samples(end=(50 * MB, 11 + MOST_FILES_LEFT))),
            ("samples", samples()[:2]),
        ],
    )
    def test_each_fault_is_one(self, name, value):
        tally = self.good()
        setattr(tally, name, value)

        assert len(tally.failures()) == 1
        assert tally.as_json()["failures"] == tally.failures()
        assert list(tally.lines())[-1].endswith(tally.failures()[0])

    @pytest.mark.parametrize(
        ("seconds", "exit_code", "why"),
        [(600.0, 0, None), (599.0, 0, "it lasted 599 s, and not 600"), (600.0, 1, "it failed")],
    )
    def test_only_a_long_one_that_passed_is_shown(self, seconds, exit_code, why):
        tally = self.good()
        tally.seconds, tally.exit_code = seconds, exit_code
        assert refusal(tally) == why

    def test_its_report_has_a_place_in_the_page(self, tmp_path):
        page = tmp_path / "page.md"
        page.write_bytes(PAGE.read_bytes())
        show(self.good(), page)

        shown = page.read_text("utf-8").partition(MARKS[0])[2].partition(MARKS[1])[0]
        assert "result            as it should be\n```\n" in shown

    def test_the_page_tells_the_bounds(self):
        page = PAGE.read_text("utf-8")
        assert f"more than {MOST_GROWTH // MB} MB from the middle to the end" in page
        assert f"more than {MOST_FILES_LEFT} file descriptors more than at the start" in page

    def test_only_the_first_ten_wrong_answers_are_shown(self):
        tally = self.good()
        tally.wrong = [f"number {number}" for number in range(11)]
        shown = [line for line in tally.lines() if line.startswith("  number")]
        assert shown == [f"  number {number}" for number in range(10)]

    def test_quantiles_are_by_nearest_rank(self):
        assert spread([value / 1000 for value in range(1, 1001)]) == {
            "p50": 500.0,
            "p99": 990.0,
            "p99.9": 999.0,
            "max": 1000.0,
        }
        assert spread([])["p50"] is None
