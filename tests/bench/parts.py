"""What can be measured, and how each part's rows become a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.bench import flood, memory, scale, speed, start
from tests.bench.cases import Bench, Row

Group = Mapping[str, Row]
"""The rows of one point by their line; of a part without lines, one row under ""."""
Column = tuple[str, Callable[[Group], str]]


def cell(key: str, form: str = "{}", line: str = "") -> Callable[[Group], str]:
    """Return what writes one figure of one line; nothing where the line is not there."""
    return lambda group: form.format(group[line][key]) if line in group else ""


def _any(key: str, form: str) -> Callable[[Group], str]:
    """Return what writes a figure that all lines of a point share."""
    return lambda group: form.format(next(iter(group.values()))[key])


def _curve(x: str, lines: Sequence[str], *more: Column) -> tuple[Column, ...]:
    """Return the columns of a series: CPU time and p99 of each line."""
    return (
        (x, _any("x", "{:,}")),
        *((f"CPU µs, {line}", cell("cpu_us", "{:,.0f}", line)) for line in lines),
        *((f"p99 ms, {line}", cell("p99_ms", "{:,.2f}", line)) for line in lines),
        *more,
    )


# The most that a request may cost, as a ratio to the floor: what this service was made to reach.
TARGETS = {"GET hit": 1.35, "POST hit, 2 KB": 2.0, "GET miss": 3.5, "garbage token": 1.6}


def _target(group: Group) -> str:
    most = TARGETS.get(str(group[""]["case"]))
    return "" if most is None else f"{most:.2f}"


_PERCENTILES: tuple[Column, ...] = (
    ("p50 ms", cell("p50_ms", "{:.2f}")),
    ("p99 ms", cell("p99_ms", "{:.2f}")),
    ("p99.9 ms", cell("p999_ms", "{:.2f}")),
)


@dataclass(frozen=True, slots=True)
class Part:
    """`grouped`: rows of one `x` stand side by side."""

    measure: Callable[[Bench], list[Row]]
    columns: tuple[Column, ...]
    grouped: bool = False

    def table(self, rows: Sequence[Row]) -> str:
        """Return the rows as a Markdown table."""
        groups = grouped(rows) if self.grouped else [{"": row} for row in rows]
        return table(
            [title for title, _ in self.columns],
            [[write(group) for _, write in self.columns] for group in groups],
        )


PARTS = {
    "requests": Part(
        speed.measure,
        (
            ("case", cell("case")),
            ("CPU µs a request", cell("cpu_us", "{:.1f}")),
            ("ratio to the floor", cell("ratio", "{:.2f}")),
            ("at most", _target),
            ("requests/s", cell("rate", "{:,.0f}")),
            *_PERCENTILES,
        ),
    ),
    "flood": Part(
        flood.measure,
        (
            ("connections of the flood", cell("x")),
            ("forged requests/s", cell("forged_rate", "{:,.0f}")),
            *((f"good ones: {title}", write) for title, write in _PERCENTILES),
        ),
    ),
    "tokens": Part(
        scale.tokens,
        (
            ("tokens in circulation", cell("x", "{:,}")),
            ("share of hits", cell("hit_share", "{:.1%}")),
            ("CPU µs a request", cell("cpu_us", "{:.0f}")),
            ("p99 ms", cell("p99_ms", "{:.2f}")),
            ("resident MB", cell("resident_mb", "{:.0f}")),
        ),
    ),
    "orgs": Part(
        scale.orgs,
        (
            *_curve("orgs in the token", ("floor", "hit", "miss")),
            ("hit: ratio", cell("ratio", "{:.2f}", "hit")),
            ("miss: ratio", cell("ratio", "{:.1f}", "miss")),
        ),
        grouped=True,
    ),
    "connections": Part(
        scale.connections,
        (
            *_curve("connections", ("floor", "hit")),
            ("hits/s", cell("rate", "{:,.0f}", "hit")),
            ("resident MB", cell("resident_mb", "{:.0f}", "hit")),
        ),
        grouped=True,
    ),
    "issuers": Part(
        scale.issuers,
        (
            *_curve("issuers", ("hit", "miss")),
            ("resident MB", cell("resident_mb", "{:.0f}", "hit")),
        ),
        grouped=True,
    ),
    "bodies": Part(
        scale.bodies,
        (
            *_curve("bytes of the body", ("floor", "hit")),
            ("resident MB", cell("resident_mb", "{:.0f}", "hit")),
        ),
        grouped=True,
    ),
    "memory": Part(
        memory.measure,
        (
            ("tokens sent", cell("line")),
            ("distinct ones", cell("x", "{:,}")),
            ("resident MB", cell("resident_mb", "{:.1f}")),
            ("cache entries", cell("entries", "{:,.0f}")),
        ),
    ),
    "ready": Part(
        start.ready,
        (("from the start of the process until", cell("case")), ("s", cell("seconds", "{:.2f}"))),
    ),
    "imports": Part(
        start.imports,
        (
            ("library", cell("case")),
            ("its modules' own ms", cell("ms", "{:.0f}")),
            ("share", cell("share", "{:.0%}")),
            ("modules", cell("modules", "{:.0f}")),
        ),
    ),
}

GROUPS = {
    "speed": ("requests", "flood"),
    "scale": ("tokens", "orgs", "connections", "issuers", "bodies", "memory"),
    "start": ("ready", "imports"),
    "all": tuple(PARTS),
}


def chosen(words: Sequence[str]) -> list[str]:
    """Return the parts that are meant. A group with some of its parts beside it means those only.

    Raises ValueError for a word that is neither.
    """
    unknown = [word for word in words if word not in PARTS.keys() | GROUPS.keys()]
    if unknown:
        raise ValueError(f"there is no {unknown[0]}")
    meant = {word for word in words if word in PARTS}
    whole = (GROUPS[word] for word in words if word in GROUPS)
    for parts in whole:
        meant |= set() if meant & set(parts) else set(parts)
    return [name for name in PARTS if name in meant]


def grouped(rows: Sequence[Row]) -> list[Group]:
    """Return the rows with one `x` together, by their line."""
    groups: dict[object, dict[str, Row]] = {}
    for row in rows:
        groups.setdefault(row["x"], {})[str(row["line"])] = row
    return list(groups.values())


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; the first column is text or the quantity, the others figures."""
    rule = ["---", *("---:" for _ in titles[1:])]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (titles, rule, *rows))
