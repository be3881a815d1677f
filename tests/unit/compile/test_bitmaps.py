"""Bitmaps in Roaring's portable format: lists, bits and runs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yeoul.engine.compile.bitmaps import from_roaring, to_roaring


@settings(max_examples=40, deadline=None)
@given(
    values=st.sets(st.integers(0, 2**32 - 1), max_size=50),
    dense=st.none() | st.tuples(st.integers(0, 2**16 - 1), st.integers(4_090, 9_000)),
)
def test_what_is_written_is_read_again(values: set[int], dense: tuple[int, int] | None) -> None:
    if dense is not None:
        values |= {(dense[0] << 16) + each for each in range(dense[1])}
    whole = np.array(sorted(values), np.uint32)
    assert from_roaring(to_roaring(whole)).tolist() == whole.tolist()


def test_runs_are_read() -> None:
    # One container with one run, 10 to 14: cookie with the count of containers, the runs' marks, key, cardinality.
    data = bytes.fromhex("3b300000 01 0000 0400 0100 0a00 0400")
    assert from_roaring(data).tolist() == [10, 11, 12, 13, 14]


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x00\x11", b"\x3a\x30\x00\x00\x02\x00\x00\x00\x01"])
def test_other_bytes_are_no_bitmap(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_roaring(data)
