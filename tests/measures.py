"""What several suites measure in one way."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path


def resident_bytes(pid: int, *, peak: bool = False) -> int:
    """Return what a process has in memory, or had at most (Linux)."""
    line = rf"^Vm{'HWM' if peak else 'RSS'}:\s+(\d+) kB$"
    (found,) = re.findall(line, Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found) * 1024


def nearest_rank(values: Sequence[float], share: float) -> float:
    """Return the value that this share of all did not exceed. `share`: above 0, at most 1."""
    return sorted(values)[math.ceil(share * len(values)) - 1]
