"""SPLIT_INDEX by the kernel: what Python's split gives, wherever the texts lie."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from yeoul.engine.compile.parts import part_of

TEXTS = st.lists(
    st.none() | st.text(st.sampled_from("ab/ü\x01.\x00") | st.characters(exclude_categories=["Cs"]), max_size=40)
)


@settings(deadline=None)
@given(TEXTS, TEXTS, st.integers(0, 4), st.sampled_from("/\x00a"), st.integers(0, 3))
def test_parts_are_those_of_python(first, second, index, separator, cut):
    texts = pl.concat([pl.Series("t", each, dtype=pl.String) for each in (first, second)], rechunk=False)[cut:]
    right = [None if text is None or text.count(separator) < index else text.split(separator)[index] for text in texts]
    found = part_of(texts, separator, index)
    assert found.dtype == pl.String
    assert found.name == "t"
    assert found.to_list() == right
    assert part_of(found, separator, 0).to_list() == right
