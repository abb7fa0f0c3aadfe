"""What is measured by name, and how it comes into the page."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.bench import page, parts, plots
from tests.bench.__main__ import main
from tests.bench.memory import check_flat, steps
from tests.bench.parts import GROUPS, PARTS, chosen
from tests.bench.start import import_rows, library_of, own_times

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"

FIGURES = {"cpu_us": 45.0, "ratio": 1.4, "rate": 20_000.0, "resident_mb": 85.0, "hit_share": 1.0}
LATENCIES = {"p50_ms": 0.5, "p99_ms": 1.25, "p999_ms": 2.0}
ROW = {**FIGURES, **LATENCIES}


def curve(*lines: str) -> list[dict]:
    return [{**ROW, "case": f"{line} {x}", "line": line, "x": x} for x in (1, 10) for line in lines]


RESULTS = {
    "machine": dict.fromkeys(
        ("date", "machine", "kernel", "python", "libraries", "openssl", "load", "cores"), "some"
    ),
    "settings": {"rounds": 5, "scale_rounds": 3, "seconds": 1.0, "tokens": 10},
    "requests": [{**ROW, "case": "floor, GET", "line": "", "x": 0}],
    "flood": [{**LATENCIES, "x": x, "forged_rate": 10.0, "good": 250} for x in (0, 16)],
    "tokens": curve("any of them"),
    "orgs": curve("floor", "hit", "miss"),
    "connections": curve("floor", "hit"),
    "issuers": curve("hit", "miss"),
    "bodies": curve("floor", "hit"),
    "memory": [
        {"line": line, "x": x, "resident_mb": 85.0, "entries": 1.0}
        for line in ("good", "hostile")
        for x in (1, 10)
    ],
    "ready": [{"case": "it listens", "seconds": 0.5}],
    "imports": [{"case": it, "ms": 2.0, "share": 0.5, "modules": 3} for it in ("aiohttp", "all")],
}


# --- what is meant


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["speed"], ["requests", "flood"]),
        (["scale", "tokens"], ["tokens"]),
        (["tokens", "orgs"], ["tokens", "orgs"]),
        (["start", "scale", "bodies"], ["bodies", "ready", "imports"]),
        (["all"], list(PARTS)),
    ],
)
def test_a_group_is_all_of_its_parts_or_those_named_beside_it(words, names):
    assert chosen(words) == names


def test_a_word_that_is_neither_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["sped"])
    assert "there is no sped" in capsys.readouterr().err


def test_the_help_tells_of_every_part_and_group(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out

    assert [
        name for name in PARTS.keys() | GROUPS.keys() if not re.search(rf"\b{name}\b", said)
    ] == []


def test_every_part_is_in_a_group():
    assert {it for name, of in GROUPS.items() if name != "all" for it in of} == set(PARTS)


# --- tables


def test_rows_of_one_point_stand_side_by_side():
    text = PARTS["issuers"].table(curve("hit", "miss"))

    assert text.splitlines()[:3] == [
        "| issuers | CPU µs, hit | CPU µs, miss | p99 ms, hit | p99 ms, miss | resident MB |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        "| 1 | 45 | 45 | 1.25 | 1.25 | 85 |",
    ]


def test_a_line_that_was_not_measured_leaves_its_cells_empty():
    assert "| 1 |  | 45 |" in PARTS["issuers"].table(curve("miss"))


# --- the page


def places(names) -> str:
    return "".join(f"<!-- bench: {it} -->\nold\n<!-- /bench: {it} -->\nprose\n" for it in names)


def test_the_figures_come_between_the_comments_and_the_prose_stays():
    text = page.fill(places(["requests", "flood"]), {"flood": "new"})

    assert text == places(["requests", "flood"]).replace("flood -->\nold", "flood -->\n\nnew\n")
    assert page.fill(text, {"flood": "new"}) == text


@pytest.mark.parametrize("text", ["", places(["flood", "flood"])])
def test_a_page_without_the_place_is_refused(text):
    with pytest.raises(ValueError, match="no place for flood"):
        page.fill(text, {"flood": "new"})


def test_the_manuals_page_has_a_place_for_everything_that_is_measured():
    places_there = re.findall(r"^<!-- bench: (\w+) -->$", PAGE.read_text("utf-8"), re.MULTILINE)

    assert sorted(places_there) == sorted([*PARTS, page.MACHINE])


def test_every_picture_of_the_page_is_there_and_in_the_page():
    text = PAGE.read_text("utf-8")
    there = {file.name for file in (PAGE.parent / "images").glob("bench-*.svg")}

    assert there == {f"bench-{name}.svg" for name in plots.PICTURES}
    assert set(re.findall(r"\(images/(bench-\w+\.svg)\)", text)) == there


def test_a_page_is_of_one_run(tmp_path, capsys):
    """Else the facts of the machine would be beside figures of another."""
    results = tmp_path / "results.json"
    results.write_text('{"machine": {}, "flood": []}', "utf-8")

    for words in (["--from", str(results)], ["speed", "scale"]):
        with pytest.raises(SystemExit):
            main([*words, "--write", str(PAGE)])
        assert "a page is of one run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("rate", "words"), [(10_000.0, "**The machine was busy:** the server got at most 45%")]
)
def test_a_busy_machine_is_told(rate, words):
    assert page.quietness([{"cpu_us": 45.0, "rate": rate}]).startswith(words)
    assert "not held up" in page.quietness([{"cpu_us": 45.0, "rate": 21_000.0}])


# --- pictures


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Return a folder with a picture of each part that has one."""
    pytest.importorskip("matplotlib", reason="needs matplotlib (`make bench` brings it)")
    folder = tmp_path_factory.mktemp("images")
    plots.draw_all(RESULTS, folder)
    return folder


@pytest.mark.parametrize("name", list(plots.PICTURES))
def test_a_picture_is_drawn_without_the_time(drawn, name):
    picture = (drawn / f"bench-{name}.svg").read_bytes()

    assert ET.fromstring(picture).tag.endswith("svg")  # noqa: S314 - our own
    assert b"<dc:date>" not in picture


def test_the_same_figures_give_the_same_picture(drawn, tmp_path):
    shown = plots.draw("orgs", RESULTS["orgs"], tmp_path)

    assert (tmp_path / "bench-orgs.svg").read_bytes() == (drawn / "bench-orgs.svg").read_bytes()
    assert shown.endswith(f"]({tmp_path.name}/bench-orgs.svg)")


@pytest.mark.parametrize(
    ("number", "text"), [(0.5, "0.5"), (200, "200"), (10_000, "10k"), (1e6, "1M")]
)
def test_numbers_of_an_axis_are_short(number, text):
    assert plots.short(number) == text


def test_every_result_of_the_test_has_a_table_as_it_is_written():
    written = page.blocks(RESULTS, {"flood": "![picture](x.svg)"})

    assert set(written) == {*PARTS, page.MACHINE}
    assert written["flood"].endswith("\n\n![picture](x.svg)")
    assert all(len(set(map(_cells, _table(written[it])))) == 1 for it in PARTS)


def _table(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("|")]


def _cells(line: str) -> int:
    return line.count(" | ")


# --- the steps of memory; what the imports take


def test_the_steps_go_up_to_the_last_number():
    assert steps(1_000_000) == [
        *(1_000, 2_000, 5_000, 10_000, 20_000, 50_000),
        *(100_000, 200_000, 500_000, 1_000_000),
    ]
    assert steps(3_000) == [1_000, 2_000, 3_000]
    assert steps(500) == [500]


def test_memory_that_goes_on_growing_ends_the_run():
    def rows(*resident: float) -> list[dict]:
        return [{"resident_mb": it, "entries": 10_000.0} for it in resident]

    check_flat([{"resident_mb": 50.0, "entries": 0.0}, *rows(100.0, 109.0)])
    with pytest.raises(SystemExit, match="memory: 100 MB with a full cache, 120 MB later"):
        check_flat(rows(100.0, 120.0, 110.0))


IMPORTTIME = """\
import time: self [us] | cumulative | imported package
import time:       100 |        100 |   aiohttp.web
import time:        50 |        150 | aiohttp
import time:        30 |         30 | _io
a line of the service's own
import time:        20 |         20 |     hasura_kc_auth.wiring
""".splitlines()


def test_the_time_of_imports_is_each_librarys_own():
    assert own_times(IMPORTTIME) == {
        "aiohttp": (150, 2),
        "Python itself": (30, 1),
        "hasura_kc_auth": (20, 1),
    }
    assert library_of("_cffi_backend") == "cffi_backend"


def test_what_takes_least_is_summed_up():
    runs = [{f"library{number}": (1000 * number, 1) for number in range(1, 16)}] * 2

    rows = import_rows(runs)

    assert rows[0] == {"case": "library15", "ms": 15.0, "share": 0.125, "modules": 1}
    assert rows[-2] == {"case": "3 others", "ms": 6.0, "share": 0.05, "modules": 3}
    assert rows[-1]["ms"] == 120.0


def test_parts_have_nothing_that_is_not_measured():
    assert {*plots.PICTURES} | {"ready"} == set(parts.PARTS)
