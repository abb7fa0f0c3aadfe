"""A pytest plugin: property tests that are the same in every run, and do not explain their failure.

A mutant is dead as soon as one example fails; shrinking that example would take longer than finding
it. And a mutant that only luck kills would be alive in the next run.
"""

from __future__ import annotations

from hypothesis import Phase, settings

NAME = "mutation"

settings.register_profile(
    NAME,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
)
