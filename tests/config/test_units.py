"""Durations and sizes as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hasura_kc_auth.config.units import parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0s", 0.0),
        ("1ms", 0.001),
        ("250ms", 0.25),
        ("30s", 30.0),
        ("5m", 300.0),
        ("1h", 3600.0),
        ("007s", 7.0),
        ("999999999h", 999999999 * 3600.0),
    ],
)
def test_a_duration_is_a_whole_number_with_a_unit(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "value",
    [
        *("", "s", "30", "30 s", " 30s", "30s ", "30s\n", "30S", "1.5s", "-1s", "+1s", "1e3s"),
        *("1d", "1m30s", "1_0s", "1000000000s", "P30S", "inf", "30sec"),
        *(30, 30.0, True, None, ["30s"], {"s": 30}, b"30s"),
    ],
    ids=repr,
)
def test_nothing_else_is_a_duration(value):
    with pytest.raises(ValueError, match="whole number with a unit: ms, s, m or h"):
        parse_duration(value)


@pytest.mark.parametrize(
    ("text", "size"),
    [("0B", 0), ("512B", 512), ("32KiB", 32768), ("8MiB", 8388608), ("010B", 10)],
)
def test_a_size_is_a_whole_number_with_a_unit(text, size):
    parsed = parse_size(text)

    assert parsed == size
    assert type(parsed) is int


@pytest.mark.parametrize(
    "value",
    [
        *("", "KiB", "32", "32 KiB", " 32KiB", "32KiB\n", "32kib", "32KB", "32K", "1.5MiB", "-1B"),
        *("1GiB", "1000000000B", 32, 32.0, True, None, ["32KiB"], b"32KiB"),
    ],
    ids=repr,
)
def test_nothing_else_is_a_size(value):
    with pytest.raises(ValueError, match="whole number with a unit: B, KiB or MiB"):
        parse_size(value)


@given(st.one_of(st.text(), st.integers(), st.floats(), st.none(), st.lists(st.text())))
def test_anything_gives_a_number_or_a_sentence_without_it(value):
    for parse in (parse_duration, parse_size):
        try:
            number = parse(value)
        except ValueError as error:
            told = str(error)
        else:
            told = "must be a whole number with a unit" if number >= 0 else ""
        assert told.startswith("must be a whole number with a unit")
