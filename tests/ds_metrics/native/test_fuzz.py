"""A few rounds of the fuzzer on whichever build is tested; `make sanitized` plays many."""

import fuzz
import pytest


@pytest.mark.parametrize("number", range(15))
@pytest.mark.parametrize("target", fuzz.TARGETS)
def test_round(target, number):
    fuzz.play(target, seed=1, number=number)
