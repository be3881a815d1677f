"""How many events a query is timed over: enough for some steady seconds, in few runs, however wrong the guess was."""

from __future__ import annotations

import pytest
from bench.nexmark.sizing import SIZES, STEADY_S, Steady, next_size, steady
from hypothesis import given
from hypothesis import strategies as st


def timed(rate: float, start_s: float, guess: float, compiling_s: float = 0.0) -> list[tuple[int, float]]:
    """The runs of an engine that compiles in the first, takes `start_s` before each and then has a rate."""
    runs: list[tuple[int, float]] = []
    while size := next_size(runs, guess):
        runs.append((size, start_s + size / rate + (0.0 if runs else compiling_s)))
    return runs


@given(st.floats(2e4, 1e7), st.floats(0, 3), st.floats(2e4, 1e7), st.floats(0, 10))
def test_the_counted_part_is_long_enough_and_its_rate_is_right(rate, start_s, guess, compiling_s):
    runs = timed(rate, start_s, guess, compiling_s)
    part = steady(runs)
    assert part is not None
    assert part.rate == pytest.approx(rate)
    assert part.took_s >= STEADY_S / 2 or part.whole == SIZES[-1] or sum(took_s for _, took_s in runs) > 6 * STEADY_S


@given(st.floats(5e4, 1e7), st.floats(0.8, 1.25))
def test_a_good_guess_takes_three_runs_or_repeats_the_longest(rate, error):
    runs = timed(rate, 0.5, rate * error)
    assert len(runs) == 3 or {size for size, _ in runs[2:]} == {SIZES[-1]}
    assert sum(took_s for _, took_s in runs) < 5 * STEADY_S


def test_a_whole_that_took_hardly_longer_tells_no_rate():
    cold = (100_000, 4.0)
    assert steady([cold, (100_000, 2.0), (400_000, 2.05)]) is None
    assert steady([cold, (100_000, 2.0)]) is None
    assert steady([cold, (400_000, 3.0)]) is None
    assert steady([cold, (400_000, 6.0), (100_000, 2.0)]) is None
    assert steady([cold, (100_000, 2.0), (400_000, 3.5)]) == Steady(100_000, 400_000, 1.5)
