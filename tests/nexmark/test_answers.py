"""Answers of other engines: read back, typed and compared as the page says."""

from __future__ import annotations

import datetime
import json

import polars as pl
import pytest
from bench.nexmark import answers

RIGHT = pl.DataFrame(
    {"auction": [1], "day": ["2015-07-15"], "at": [datetime.datetime(2015, 7, 15, 1, 2, 3)], "mean": [7]},
    schema={"auction": pl.Int64, "day": pl.String, "at": pl.Datetime("ms"), "mean": pl.Int64},
)


def compared(tmp_path, rows: list[list[object]], name: str = "q17") -> list[str]:
    path = tmp_path / "answer"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return answers.differences(name, answers.read_answer(name, path, RIGHT), RIGHT)


@pytest.mark.parametrize("at", [1_436_922_123_000, "2015-07-15 01:02:03", "2015-07-15T01:02:03.000"])
@pytest.mark.parametrize("mean", [7, 7.9, "7.0"])
def test_times_and_averages_in_any_spelling_are_the_same(tmp_path, at, mean):
    assert compared(tmp_path, [["+I", 1, "2015-07-15", at, mean]]) == []


def test_what_is_taken_back_does_not_count(tmp_path):
    first, last = [1, "2015-07-15", "2015-07-15 01:02:03", 5], [1, "2015-07-15", "2015-07-15 01:02:03", 7]
    assert compared(tmp_path, [["+I", *first], ["-U", *first], ["+U", *last]]) == []
    assert compared(tmp_path, [["insert", *first], ["insert", *last]]) == []


def test_a_row_of_another_value_or_one_too_many_is_told(tmp_path):
    row = [1, "2015-07-15", "2015-07-15 01:02:03", 8]
    assert len(compared(tmp_path, [["+I", *row]])) == 2
    assert compared(tmp_path, [["+I", *row[:3], 7], ["+I", *row[:3], 7]], name="q00")
