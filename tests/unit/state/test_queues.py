"""Rows by key that come behind and go in front: whatever comes and goes, each key has its newest rows in order."""

from __future__ import annotations

from collections import defaultdict, deque

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from yeoul.engine.state.queues import KeyedQueues

COLUMNS = {"n": pl.Int64(), "text": pl.String(), "parts": pl.List(pl.Int64())}
KEYS = {"k": pl.Int64()}
steps = st.lists(st.tuples(st.dictionaries(st.integers(0, 5), st.integers(1, 9)), st.integers(0, 9)), max_size=12)


def rows_from(first: int, count: int) -> pl.DataFrame:
    numbers = range(first, first + count)
    texts = [None if n % 5 == 0 else f"the text of row number {n}" for n in numbers]
    return pl.DataFrame({"n": list(numbers), "text": texts, "parts": [[n] * (n % 3) for n in numbers]}, schema=COLUMNS)


def held(queues: KeyedQueues) -> dict[int, list[tuple]]:
    found = defaultdict(list)
    for key, _, *row in queues.snapshot().iter_rows():
        found[key].append(tuple(row))
    return dict(found)


@settings(deadline=None)
@given(steps)
def test_rows_go_in_the_order_in_which_they_came(steps):
    queues, wanted, numbered = KeyedQueues(COLUMNS, KEYS), defaultdict(deque), 0
    for coming, most in steps:
        keys = queues.enter(pl.DataFrame({"k": list(coming)}, schema=KEYS))
        rows, sizes = queues.read(keys)
        assert rows.rows() == [row for key in coming for row in wanted[key]]
        new = rows_from(numbered, sum(coming.values()))
        queues.add(keys, np.array(list(coming.values()), np.int64), new)
        numbered, arriving = numbered + new.height, iter(new.rows())
        for key, count in coming.items():
            wanted[key].extend(next(arriving) for _ in range(count))
        rows, sizes = queues.read(keys)
        gone = np.maximum(sizes - most, 0)
        queues.remove(queues.take(np.repeat(keys, gone)))
        for key, count in zip(coming, gone, strict=True):
            for _ in range(count):
                wanted[key].popleft()
        wanted = defaultdict(deque, {key: rows for key, rows in wanted.items() if rows})
        assert held(queues) == {key: list(rows) for key, rows in wanted.items()}
        assert len(queues) == sum(map(len, wanted.values()))
    again = KeyedQueues(COLUMNS, KEYS)
    again.restore(queues.snapshot())
    assert held(again) == held(queues)


def test_rows_of_keys_that_were_not_touched_are_found_by_their_age():
    queues = KeyedQueues({"n": pl.Int64()}, KEYS)
    keys = queues.enter(pl.DataFrame({"k": [1, 2]}))
    queues.add(keys, np.array([1, 2]), pl.DataFrame({"n": [10, 20, 21]}))
    queues.touch(keys, 100)
    queues.touch(keys[1:], 200)
    again = KeyedQueues({"n": pl.Int64()}, KEYS)
    again.restore(queues.snapshot())
    for each in (queues, again):
        each.remove(each.untouched_since(150))
        assert each.snapshot().rows() == [(2, 200, 20), (2, 200, 21)]


def test_free_rings_are_given_to_other_keys():
    queues, count = KeyedQueues({"n": pl.Int64()}, KEYS), 1_000
    for first in range(0, 50 * count, count):
        keys = queues.enter(pl.DataFrame({"k": range(first, first + count)}))
        queues.add(keys, np.full(count, 3), pl.DataFrame({"n": range(3 * count)}))
        queues.remove(keys)
    assert len(queues) == 0
    assert queues.slot_count < 10 * count
