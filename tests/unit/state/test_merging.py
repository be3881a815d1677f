"""Values merged where they stand, against a plain model: what becomes of them, what they were, which differ."""

from __future__ import annotations

import math
from datetime import date, datetime
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yeoul.engine.state.columns import SlotColumns
from yeoul.engine.state.merging import Merging
from yeoul.kernels.folding import Fold, Tell

INTS, FLOATS = st.integers(-(2**62), 2**62), st.sampled_from([0.0, -0.0, 1.5, -2.25, math.inf, math.nan])
SMALL = st.integers(-(2**31), 2**31 - 1)
DAYS = st.dates(date(1900, 1, 1), date(2100, 1, 1))
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)).map(lambda at: at.replace(microsecond=0))
KINDS: dict[str, tuple[pl.DataType, st.SearchStrategy, list[Fold]]] = {
    "whole": (pl.Int64(), INTS, list(Fold)),
    "small": (pl.Int32(), SMALL, [Fold.LEAST, Fold.GREATEST, Fold.FIRST, Fold.LAST]),
    "tiny": (pl.Int8(), st.integers(-128, 127), [Fold.LEAST, Fold.GREATEST, Fold.FIRST, Fold.LAST]),
    "double": (pl.Float64(), FLOATS, [Fold.SUM, Fold.FIRST, Fold.LAST]),
    "single": (pl.Float32(), st.sampled_from([0.5, 0.0, -0.0]), [Fold.FIRST, Fold.LAST]),
    "day": (pl.Date(), DAYS, [Fold.LEAST, Fold.GREATEST, Fold.FIRST, Fold.LAST]),
    "moment": (pl.Datetime("ms"), MOMENTS, [Fold.LEAST, Fold.GREATEST]),
    "text": (pl.String(), st.sampled_from(["", "a", "a text of more than twelve bytes"]), [Fold.LEAST, Fold.LAST]),
    "money": (pl.Decimal(38, 2), st.decimals(-1000, 1000, places=2), [Fold.SUM, Fold.GREATEST]),
}


def merged(fold: Fold, was, now):
    if was is None or now is None:
        return now if was is None else was
    if fold is Fold.SUM:
        total = was + now
        return (total + 2**63) % 2**64 - 2**63 if isinstance(total, int) else total
    return {
        Fold.LEAST: lambda: min(was, now),
        Fold.GREATEST: lambda: max(was, now),
        Fold.FIRST: lambda: was,
        Fold.LAST: lambda: now,
    }[fold]()


def same(one, other) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    return one == other


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_values_become_what_a_model_says(data):
    kinds = data.draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=4))
    columns = [
        (f"{kind}{at}", *KINDS[kind][:2], data.draw(st.sampled_from(KINDS[kind][2]))) for at, kind in enumerate(kinds)
    ]
    schema = {name: dtype for name, dtype, _, _ in columns}
    folds = {name: fold for name, _, _, fold in columns}
    # A sum is never NULL: whoever makes one leaves out what is.
    rows = st.tuples(
        *(values if fold is Fold.SUM else st.none() | values for _, _, values, fold in columns),
    )
    state, merging, model = SlotColumns(schema), Merging(folds), {}
    for _ in range(data.draw(st.integers(1, 5))):
        slots = data.draw(st.lists(st.integers(0, 40), unique=True, min_size=1, max_size=40))
        fresh = [data.draw(rows) for _ in slots]
        state.reserve(max(slots) + 1)
        frame = pl.DataFrame(fresh, schema=schema, orient="row")
        is_new = np.array([slot not in model for slot in slots])
        was = {slot: model.get(slot) for slot in slots}
        for slot, row in zip(slots, fresh, strict=True):
            before = model.get(slot)
            model[slot] = row if before is None else tuple(map(merged, folds.values(), before, row))
        given_slots = np.array(slots)
        how = data.draw(st.sampled_from(["merge", "merged", "told"]))
        if how == "merged":
            old, now = merging.merged(state, given_slots, frame, is_new)
            assert now.schema == old.schema == schema
            for slot, before, after in zip(slots, old.rows(), now.rows(), strict=True):
                assert all(map(same, after, model[slot]))
                assert was[slot] is None or all(map(same, before, was[slot]))
        elif how == "told":
            tells = {name: Tell.VALUE for name in schema if data.draw(st.booleans())}
            told = merging.told(state, given_slots, frame, is_new, tells)
            if told is None:
                assert any(kind in ("text", "money", "tiny", "single") for kind in kinds)
                merging.merge(state, given_slots, frame, is_new)
            else:
                places = [at for at, name in enumerate(schema) if name in tells]
                for slot, after, differs in zip(slots, told[0].rows(), told[1].tolist(), strict=True):
                    assert all(map(same, after, model[slot]))
                    before = was[slot]
                    assert differs == (before is None or not all(same(before[at], after[at]) for at in places))
        else:
            merging.merge(state, given_slots, frame, is_new)
        for slot, row in zip(slots, state.read(given_slots).rows(), strict=True):
            assert all(map(same, row, model[slot]))


@pytest.mark.parametrize(("before", "change", "differs"), [(0, 0, False), (0, 2, True), (2, 5, False), (2, -2, True)])
def test_of_a_count_only_its_presence_may_tell(before, change, differs):
    state, merging = SlotColumns({"n": pl.Int64()}), Merging({"n": Fold.SUM})
    slots, known = np.array([0]), np.array([False])
    state.write(slots, pl.DataFrame({"n": [before]}))
    told = merging.told(state, slots, pl.DataFrame({"n": [change]}), known, {"n": Tell.PRESENCE})
    assert told is not None
    assert (told[0].rows(), told[1].tolist()) == ([(before + change,)], [differs])


def test_rows_get_flags_when_the_first_null_comes():
    state, merging = SlotColumns({"a": pl.Int64(), "b": pl.Int64()}), Merging({"a": Fold.GREATEST, "b": Fold.SUM})
    slots = np.array([0, 1])
    state.reserve(2)
    merging.merge(state, slots, pl.DataFrame({"a": [1, 2], "b": [10, 20]}), np.array([True, True]))
    later = pl.DataFrame({"a": [None, 5], "b": [1, 2]})
    was, now = merging.merged(state, slots, later, np.array([False, False]))
    assert (was.rows(), now.rows()) == ([(1, 10), (2, 20)], [(1, 11), (5, 22)])


def test_a_decimal_stands_beside_numbers():
    state, merging = SlotColumns({"m": pl.Decimal(20, 2), "n": pl.Int64()}), Merging({"m": Fold.SUM, "n": Fold.SUM})
    fresh = pl.DataFrame({"m": [Decimal("1.25")], "n": [1]}, schema={"m": pl.Decimal(20, 2), "n": pl.Int64()})
    state.reserve(1)
    merging.merge(state, np.array([0]), fresh, np.array([True]))
    was, now = merging.merged(state, np.array([0]), fresh, np.array([False]))
    assert (was.rows(), now.rows()) == ([(Decimal("1.25"), 1)], [(Decimal("2.50"), 2)])


def test_no_double_differs_by_the_bits_of_its_zero_or_its_nan():
    state, merging = SlotColumns({"x": pl.Float64()}), Merging({"x": Fold.LAST})
    slots, known = np.arange(4), np.zeros(4, np.bool_)
    state.write(slots, pl.DataFrame({"x": [0.0, math.nan, math.nan, 1.0]}))
    later = pl.DataFrame({"x": np.array([-0.0, np.copysign(math.nan, -1), 1.0, math.nan])})
    told = merging.told(state, slots, later, known, {"x": Tell.VALUE})
    assert told is not None
    assert told[1].tolist() == [False, False, True, True]
