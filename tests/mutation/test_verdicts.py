"""A survivor is found out, and so is a list that no longer fits."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.mutation.verdicts import (
    Change,
    Mutant,
    change_in,
    complaints,
    read_equivalents,
    summary,
)

CHANGE = Change("core.keys.find", "if a < b:", "if a <= b:")
OTHER = Change("core.keys", "LIMIT = 1", "LIMIT = 2")


def survivors(*changes: Change) -> list[Mutant]:
    return [Mutant("core.keys", change, killed=False) for change in changes]


def test_a_killed_mutant_needs_no_entry():
    assert complaints([Mutant("core.keys", CHANGE, killed=True)], Counter()) == []


def test_a_survivor_that_is_listed_is_accepted():
    assert complaints(survivors(CHANGE), Counter([CHANGE])) == []


def test_a_survivor_that_is_not_listed_is_shown():
    [text] = complaints(survivors(CHANGE, OTHER), Counter([OTHER]))

    assert text.startswith("survived")
    assert "core.keys.find\n    - if a < b:\n    + if a <= b:" in text


@pytest.mark.parametrize("mutants", [[], [Mutant("core.keys", CHANGE, killed=True)]])
def test_an_entry_that_is_no_survivor_is_stale(mutants):
    [text] = complaints(mutants, Counter([CHANGE]))

    assert text.startswith("listed")


def test_equal_changes_are_counted():
    assert len(complaints(survivors(CHANGE, CHANGE), Counter([CHANGE]))) == 1
    assert len(complaints(survivors(CHANGE), Counter({CHANGE: 2}))) == 1
    assert complaints(survivors(CHANGE, CHANGE), Counter({CHANGE: 2})) == []


def test_a_change_is_known_by_its_lines_wherever_they_stand():
    diff = ["--- a", "+++ a", "@@ -7,3 +7,3 @@", " def find():", "-    a = 1", "+    a = 2"]

    assert change_in("core.keys.find", diff) == Change("core.keys.find", "a = 1", "a = 2")


def test_a_change_belongs_to_its_module_and_to_no_other_of_a_similar_name():
    assert CHANGE.is_of(["core.keys"])
    assert OTHER.is_of(["core.rules", "core.keys"])
    assert not CHANGE.is_of(["core.key"])


def test_the_list_is_read_with_its_numbers(tmp_path):
    file = tmp_path / "list.toml"
    file.write_text(
        '[[mutant]]\nwhere = "a.b"\nbefore = "1"\nafter = "2"\nreason = "x"\ntimes = 2\n'
        '[[mutant]]\nwhere = "a.c"\nbefore = "1"\nafter = "2"\nreason = "x"\n'
    )

    assert read_equivalents(file) == {Change("a.b", "1", "2"): 2, Change("a.c", "1", "2"): 1}


def test_an_entry_without_a_reason_is_refused(tmp_path):
    file = tmp_path / "list.toml"
    file.write_text('[[mutant]]\nwhere = "a.b"\nbefore = "1"\nafter = "2"\nreason = " "\n')

    with pytest.raises(ValueError, match="no reason"):
        read_equivalents(file)


def test_the_table_counts_by_module():
    lines = summary([*survivors(CHANGE), Mutant("core.keys", OTHER, killed=True)]).splitlines()

    assert [line.split() for line in lines[1:]] == [
        ["core.keys", "2", "1", "1"],
        ["all", "2", "1", "1"],
    ]
