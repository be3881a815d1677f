"""Where Polars reads JSON as we do, both give the same columns: generated documents, written in many ways.

Polars refuses integers beyond 128 bits even in fields that nobody asked for; those are left out here.
"""

from __future__ import annotations

import json
import os

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from yeoul.formats.contract import FormatColumn, RecordBuffer
from yeoul.formats.json.decoder import JsonDecoder
from yeoul.kernels.lines import split_lines

SCHEMA = {"s": pl.String(), "i": pl.Int64(), "f": pl.Float64(), "b": pl.Boolean()}
VALUES = {
    "s": st.none() | st.text(max_size=30),
    "i": st.none() | st.integers(-(2**63), 2**63 - 1),
    "f": st.none() | st.floats(allow_nan=False, allow_infinity=False),
    "b": st.none() | st.booleans(),
}
EXTRA = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
STYLES = st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : ")])


@st.composite
def documents(draw: st.DrawFn) -> str:
    """One object: some of the columns in any order, something unknown among them, in some spelling."""
    names = draw(st.permutations([*VALUES, "unknown"]))
    kept = draw(st.lists(st.sampled_from(names), unique=True, min_size=1))
    row = {name: draw(VALUES[name]) if name in VALUES else draw(EXTRA) for name in kept}
    return json.dumps(row, separators=draw(STYLES), ensure_ascii=draw(st.booleans()))


@given(st.lists(documents(), min_size=1, max_size=40))
@settings(max_examples=int(os.environ.get("YEOUL_FUZZ", "200")), deadline=None)
def test_generated_documents(lines: list[str]) -> None:
    text = "\n".join(lines).encode()
    data = np.frombuffer(text, np.uint8)
    columns = tuple(FormatColumn(name, dtype) for name, dtype in SCHEMA.items())
    decoded = JsonDecoder(columns).decode(RecordBuffer(data, *split_lines(data)))
    assert not len(decoded.dead)
    assert_frame_equal(decoded.frame, pl.read_ndjson(text, schema=SCHEMA), check_exact=True)
