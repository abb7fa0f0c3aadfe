"""Which cores the run uses: the measured server has one of its own, where there are two."""

from __future__ import annotations

import os

_ALLOWED = sorted(os.sched_getaffinity(0))
SERVER, LOAD = _ALLOWED[0], _ALLOWED[-1]
SHARED = SERVER == LOAD
"""True on one core: then the load takes time from the server, and only CPU figures mean much."""


def pin_load() -> None:
    """Keep this process, and what it starts from now on, off the server's core."""
    os.sched_setaffinity(0, {LOAD})
