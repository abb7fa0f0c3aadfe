"""The flood's process ends with its measurement, however that ends."""

from __future__ import annotations

import sys

import pytest

from tests.bench.flood import running

WAITS = (sys.executable, "-c", "import time; time.sleep(600)")


def test_a_measurement_that_fails_takes_its_load_along():
    with pytest.raises(TimeoutError), running(WAITS) as flood:
        raise TimeoutError

    assert flood.returncode is not None


def test_a_load_that_ends_is_not_killed():
    with running((sys.executable, "-c", "print('done')")) as flood:
        out, _ = flood.communicate()

    assert (out, flood.returncode) == ("done\n", 0)
