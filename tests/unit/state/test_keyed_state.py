"""Keyed state: values of every type come back, keys are told apart as GROUP BY tells them, snapshots restore."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yeoul.engine.state.fingerprints import fingerprints
from yeoul.engine.state.keyed import KeyedState

LONG = "a name that is longer than twelve bytes"
SAMPLES = {
    "string": pl.Series(["a", "", None, LONG, LONG + "!", "twelve bytes", "thirteen byte"]),
    "int": pl.Series([1, -1, None, 0, 2**62], dtype=pl.Int64),
    "tiny": pl.Series([1, -1, None, 0], dtype=pl.Int8),
    "unsigned": pl.Series([1, 2**64 - 1, None, 0], dtype=pl.UInt64),
    "double": pl.Series([1.5, -0.5, None, 0.0, math.inf], dtype=pl.Float64),
    "bool": pl.Series([True, False, None]),
    "decimal": pl.Series([Decimal("1.25"), Decimal("-1.25"), None, Decimal("9" * 30 + ".00")], dtype=pl.Decimal(38, 2)),
    "date": pl.Series([dt.date(2024, 1, 1), dt.date(1969, 12, 31), None]),
    "datetime": pl.Series([dt.datetime(2024, 1, 1), dt.datetime(1960, 1, 1), None], dtype=pl.Datetime("ms")),
    "duration": pl.Series([dt.timedelta(seconds=1), None], dtype=pl.Duration("ms")),
    "time": pl.Series([dt.time(1, 2, 3), None, dt.time(0)]),
    "binary": pl.Series([b"a", b"", None, b"\xff" * 20]),
    "list": pl.Series([[1, 2], [], None, [1], [None, 1], [1, None]], dtype=pl.List(pl.Int64)),
    "struct": pl.Series([{"a": 1, "b": "x"}, {"a": None, "b": "x"}, None, {"a": 1, "b": None}]),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_values_of_each_type_are_kept_overwritten_and_restored(name):
    values = SAMPLES[name].alias("v")
    state = KeyedState({"k": pl.Int64()}, {"v": values.dtype})
    keys = pl.DataFrame({"k": range(len(values))})
    slots = state.upsert(keys).slots
    state.write(slots, values.to_frame())
    assert state.read(slots)["v"].to_list() == values.to_list()
    backwards = values.reverse()
    state.write(slots[::-1], values.to_frame())
    assert state.read(slots)["v"].to_list() == backwards.to_list()
    copy = KeyedState({"k": pl.Int64()}, {"v": values.dtype})
    copy.restore(state.snapshot())
    assert copy.read(copy.find(keys))["v"].to_list() == backwards.to_list()


@pytest.mark.parametrize("name", SAMPLES)
def test_different_values_of_each_type_are_different_keys(name):
    values = SAMPLES[name]
    low, high = fingerprints([values], len(values), seed=5)
    assert len(set(zip(low.tolist(), high.tolist(), strict=True))) == len(values)
    turned = fingerprints([pl.concat([values.tail(1), values]).slice(1)], len(values), seed=5)
    assert turned[0].tolist() == low.tolist()


def test_zeros_and_nans_are_one_key_each_and_column_boundaries_count():
    low, _ = fingerprints([pl.Series([0.0, -0.0, math.nan, -math.nan])], 4, seed=1)
    assert (low[0] == low[1], low[2] == low[3], low[0] == low[2]) == (True, True, False)
    two, _ = fingerprints([pl.Series(["a", "ab", None, "a"]), pl.Series(["bc", "c", "a", None])], 4, seed=1)
    assert len(set(two.tolist())) == 4


def test_the_fingerprint_of_a_value_never_changes():
    low, high = fingerprints([pl.Series(["yeoul", LONG]), pl.Series([1, None])], 2, seed=7)
    assert [low.tolist(), high.tolist()] == PINNED


PINNED = [[-8065544092276412996, 2274287101953196219], [1991807714233324438, 4398670883459001235]]


@given(st.lists(st.lists(st.tuples(st.integers(0, 40), st.text(max_size=20)), max_size=40), max_size=12))
@settings(max_examples=60, deadline=None)
def test_state_holds_what_a_dictionary_holds(batches):
    state, model = KeyedState({"k": pl.Int64()}, {"v": pl.String()}), {}
    for batch in batches:
        newest = dict(batch)
        frame = pl.DataFrame({"k": list(newest), "v": list(newest.values())}, schema={"k": pl.Int64, "v": pl.String})
        found = state.upsert(frame)
        assert found.is_new.tolist() == [key not in model for key in newest]
        state.write(found.slots, frame)
        model |= newest
        gone = [key for key in newest if key % 5 == 0]
        state.remove(state.find(pl.DataFrame({"k": gone}, schema={"k": pl.Int64})))
        model = {key: value for key, value in model.items() if key not in gone}
    rows = state.snapshot()
    assert dict(zip(rows["k"], rows["v"], strict=True)) == model
    assert len(state) == len(model)


def test_untouched_keys_are_found():
    state = KeyedState({"k": pl.Int64()}, {})
    slots = state.upsert(pl.DataFrame({"k": [1, 2, 3]})).slots
    state.touch(slots, 100)
    state.touch(slots[1:2], 200)
    assert state.read_keys(state.untouched_since(150))["k"].to_list() == [1, 3]
    assert np.array_equal(state.untouched_since(50), [])


def test_a_restored_state_that_grows_has_a_snapshot_again():
    state = KeyedState({"k": pl.Int64()}, {"v": pl.Int64()})
    write(state, range(10))
    again = KeyedState({"k": pl.Int64()}, {"v": pl.Int64()})
    again.restore(state.snapshot())
    write(again, range(5_000))
    assert again.snapshot()["k"].sort().to_list() == list(range(5_000))


def write(state: KeyedState, keys: range) -> None:
    frame = pl.DataFrame({"k": keys, "v": keys})
    state.write(state.upsert(frame).slots, frame)


def test_memory_returns_after_keys_die():
    state = KeyedState({"k": pl.String()}, {"n": pl.Int64(), "v": pl.String()})
    frame = pl.DataFrame({"k": [f"a key of some length {n}" for n in range(200_000)]})
    frame = frame.with_columns(v=pl.col("k"), n=pl.int_range(pl.len()))
    slots = state.upsert(frame).slots
    state.write(slots, frame)
    full_bytes = state.size_bytes
    state.remove(slots[100:])
    state.give_back()
    assert state.size_bytes < full_bytes / 50
    kept = state.find(frame)
    assert (kept >= 0).sum() == 100
    assert state.read(kept[:100]).rows() == frame.select("n", "v").head(100).rows()


def test_what_the_values_of_gone_keys_took_returns_while_others_live():
    state = KeyedState({"k": pl.Int64()}, {"v": pl.String()})
    taken = []
    for batch in range(40):
        frame = pl.DataFrame({"k": range(batch * 5_000, (batch + 1) * 5_000)}).with_columns(v=pl.lit(LONG * 3))
        slots = state.upsert(frame).slots
        state.write(slots, frame)
        taken.append(state.size_bytes)
        state.remove(slots)
    assert max(taken[10:]) <= 2 * max(taken[:10])


def test_slots_that_were_never_written_can_be_read():
    state = KeyedState({"k": pl.Int64()}, {"n": pl.Int64(), "v": pl.String()})
    slots = state.upsert(pl.DataFrame({"k": [1, 2]})).slots
    assert state.read(slots)["v"].to_list() == ["", ""]
