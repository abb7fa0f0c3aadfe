"""Draws the figures as SVG: the same figures always give the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bench.cases import Row
from tests.bench.parts import grouped

COLOURS = {"floor": "#8a8f9c", "hit": "#3f51b5", "miss": "#d9822b", "": "#3f51b5"}
_MORE = ("#d9822b", "#2f8f6b", "#8a8f9c")
_STYLE = {
    "svg.hashsalt": "hasura-kc-auth",
    "font.size": 10,
    "axes.grid": True,
    "grid.color": "#e4e6ee",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "white",
    "lines.marker": "o",
    "lines.markersize": 4,
}

Rows = Sequence[Row]
Draw = Callable[[Any, Rows], None]


def draw_all(results: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """Write a picture for each part that has one; return each one's Markdown, for a page beside.

    Raises ImportError without matplotlib.
    """
    names = [name for name in PICTURES if name in results]
    return {name: draw(name, results[name], folder) for name in names}


def draw(name: str, rows: Rows, folder: Path) -> str:
    # Only who draws needs it.
    import matplotlib  # noqa: ICN001, PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    alternative, wide, paint = PICTURES[name]
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(9, 3.6 if wide else 3.4), layout="constrained")
        paint(figure, rows)
        file = folder / f"bench-{name}.svg"
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    # Its lines end in blanks, which reviews and editors stumble over.
    lines = [line.rstrip() for line in file.read_text("utf-8").splitlines()]
    file.write_text("\n".join([*lines, ""]), "utf-8")
    return f"![{alternative}]({folder.name}/{file.name})"


def _requests(figure: Any, rows: Rows) -> None:
    cpu, latency = figure.subplots(1, 2, sharey=True)
    names = [str(row["case"]) for row in rows]
    colours = [COLOURS["floor" if name.startswith("floor") else "hit"] for name in names]
    bars = cpu.barh(names, [row["cpu_us"] for row in rows], color=colours)
    cpu.bar_label(bars, [f"{row['ratio']:.2f}" for row in rows], padding=3)
    cpu.margins(x=0.18)
    cpu.set(title="CPU time; ratio to the floor", xlabel="µs a request")
    cpu.invert_yaxis()
    marks = (("p50_ms", "p50", "o"), ("p99_ms", "p99", "D"), ("p999_ms", "p99.9", "^"))
    for (key, label, marker), colour in zip(marks, (COLOURS["hit"], *_MORE), strict=False):
        latency.plot(
            [row[key] for row in rows], names, marker, color=colour, label=label, linestyle="none"
        )
    latency.set(title="Latency, 16 in flight", xlabel="ms", xscale="log")
    _plain_numbers(latency.xaxis, (1, 2, 5))
    latency.legend()


def _flood(figure: Any, rows: Rows) -> None:
    axes = figure.subplots()
    names = [f"{row['x']}\n({row['forged_rate']:,.0f}/s)" for row in rows]
    marks = (("p50_ms", "p50"), ("p99_ms", "p99"), ("p999_ms", "p99.9"))
    for (key, label), colour in zip(marks, (COLOURS["hit"], *_MORE), strict=False):
        axes.plot(names, [row[key] for row in rows], color=colour, label=label)
    axes.set(
        title="Good requests at a fixed pace beside a flood of forged ones",
        xlabel="connections of the flood (forged requests/s)",
        ylabel="latency of good requests, ms",
        yscale="log",
    )
    _plain_numbers(axes.yaxis, (1, 2, 5))
    axes.legend()


def _curves(xlabel: str, *, linear: bool = True) -> Draw:
    """Return what draws CPU time and p99 of each line over the quantity."""

    def paint(figure: Any, rows: Rows) -> None:
        cpu, latency = figure.subplots(1, 2)
        lines = list(dict.fromkeys(str(row["line"]) for row in rows))
        for line in lines:
            mine = [group[line] for group in grouped(rows) if line in group]
            style = {"color": COLOURS.get(line, COLOURS[""]), "label": line}
            cpu.plot([it["x"] for it in mine], [it["cpu_us"] for it in mine], **style)
            latency.plot([it["x"] for it in mine], [it["p99_ms"] for it in mine], **style)
        scale = "linear" if linear else "log"
        cpu.set(title="CPU time", xlabel=xlabel, ylabel="µs a request", xscale="log", yscale=scale)
        latency.set(title="Latency, p99", xlabel=xlabel, ylabel="ms", xscale="log", yscale=scale)
        for axes in (cpu, latency):
            _plain_numbers(axes.xaxis, (1,))
            if linear:
                axes.set_ylim(bottom=0)
            else:
                _plain_numbers(axes.yaxis, (1, 2, 5))
        if len(lines) > 1:
            cpu.legend()

    return paint


def _plain_numbers(axis: Any, steps: Sequence[int]) -> None:
    """Label a logarithmic axis with 1, 2, 5, 10 and not with powers. `steps`: in each ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter  # noqa: PLC0415

    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axis.set_minor_formatter(NullFormatter())


def short(number: float) -> str:
    """Return a label's text: 0.5, 200, 10k, 1M."""
    for size, sign in ((1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:g}{sign}"
    return f"{number:g}"


def _memory(figure: Any, rows: Rows) -> None:
    axes = figure.subplots()
    good = [row for row in rows if row["line"] == "good"]
    sent = good[-1]["x"]
    hostile = [{**row, "x": float(row["x"]) + float(sent)} for row in rows if row not in good]
    for mine, colour, label in ((good, COLOURS["hit"], "good"), (hostile, _MORE[0], "forged")):
        axes.plot(
            [row["x"] for row in mine],
            [row["resident_mb"] for row in mine],
            color=colour,
            label=label,
        )
    axes.set(
        title="Resident memory by distinct tokens: good ones, then forged ones",
        xlabel="distinct tokens sent to one process",
        ylabel="MB",
        ylim=(0, 1.2 * max(float(row["resident_mb"]) for row in rows)),
    )
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.legend(loc="lower right")


def _imports(figure: Any, rows: Rows) -> None:
    axes = figure.subplots()
    shown = rows[:-1]  # without the sum
    bars = axes.barh(
        [str(row["case"]) for row in shown], [row["ms"] for row in shown], color=COLOURS[""]
    )
    axes.bar_label(bars, fmt="{:.0f}", padding=3)
    axes.set(title="What the imports of `serve` take, by library", xlabel="ms of its own modules")
    axes.margins(x=0.1)
    axes.invert_yaxis()


PICTURES: dict[str, tuple[str, bool, Draw]] = {
    "requests": ("CPU time and latency of each kind of request", True, _requests),
    "flood": ("Latency of good requests beside a flood, by its connections", False, _flood),
    "tokens": (
        "CPU time and p99 by the number of tokens in circulation",
        False,
        _curves("tokens in circulation"),
    ),
    "orgs": (
        "CPU time and p99 by the number of orgs in a token",
        False,
        _curves("orgs in the token", linear=False),
    ),
    "connections": (
        "CPU time and p99 by the number of connections",
        False,
        _curves("connections, each with a request in flight", linear=False),
    ),
    "issuers": ("CPU time and p99 by the number of issuers", False, _curves("issuers")),
    "bodies": (
        "CPU time and p99 by the length of the body",
        False,
        _curves("bytes of the body", linear=False),
    ),
    "memory": ("Resident memory by the number of distinct tokens", False, _memory),
    "imports": ("Time of the imports by library", True, _imports),
}
