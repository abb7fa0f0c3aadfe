"""Writes the figures into a page: between two comments for each part; the prose is by hand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.bench.parts import PARTS

Results = Mapping[str, Any]
"""`machine`: its facts; `settings`: how it was measured; each part's name: its rows."""

_SATURATED = 0.9
MACHINE = "machine"


def blocks(results: Results, images: Mapping[str, str]) -> dict[str, str]:
    """Return each block's text. `images`: the Markdown of a part's picture."""
    written = {MACHINE: machine_lines(results)}
    for name, part in PARTS.items():
        if name in results:
            pieces = [part.table(results[name]), images.get(name, "")]
            written[name] = "\n\n".join(piece for piece in pieces if piece)
    return written


def fill(text: str, written: Mapping[str, str]) -> str:
    """Put each block between its comments. Raises ValueError if a page has no such place."""
    for name, block in written.items():
        place = re.compile(rf"(<!-- bench: {name} -->\n).*?(<!-- /bench: {name} -->)", re.DOTALL)
        if len(place.findall(text)) != 1:
            raise ValueError(f"the page has no place for {name}, or several")
        text = place.sub(lambda found, block=block: f"{found[1]}\n{block}\n\n{found[2]}", text)
    return text


def write(page: Path, results: Results, images: Mapping[str, str]) -> None:
    page.write_text(fill(page.read_text("utf-8"), blocks(results, images)), "utf-8")


def machine_lines(results: Results) -> str:
    """Return the machine's facts, and how quiet it was."""
    facts, settings = results[MACHINE], results["settings"]
    measured = (
        f"Measured on {facts['date']}: {facts['machine']}, {facts['kernel']}, Python "
        f"{facts['python']}, {facts['libraries']}, {facts['openssl']}. Load by {facts['load']}; "
        f"{facts['cores']}. Rounds: {settings['rounds']}, of growth {settings['scale_rounds']}; "
        f"{settings['seconds']:g} s for each case in each."
    )
    lines = [measured]
    if "requests" in results:
        lines.append(quietness(results["requests"]))
    return "\n\n".join(lines)


def quietness(rows: list[dict[str, Any]]) -> str:
    """Say whether the server had its core for itself: it should have used all of it."""
    share = max(row["cpu_us"] * row["rate"] / 1e6 for row in rows)
    if share >= _SATURATED:
        return f"The server used its core up to {share:.0%}: it was not held up by others."
    return (
        f"**The machine was busy:** the server got at most {share:.0%} of its core, so others, or "
        "the load, held it up. CPU times and ratios still compare; latencies and requests/s are "
        "worse than on a quiet machine."
    )
