"""Arrays and maps out of JSON: what Python's own parser says of the same texts, and what is wrong with bad ones."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yeoul.formats.contract import Decoded, FormatColumn, RecordBuffer
from yeoul.formats.json.decoder import JsonDecoder

MAP = pl.List(pl.Struct({"key": pl.String, "value": pl.Int64}))
DEEP = pl.List(
    pl.Struct({"a": pl.List(pl.Int64), "m": pl.List(pl.Struct({"key": pl.String, "value": pl.List(pl.String)}))})
)


def records_of(texts: Sequence[str]) -> RecordBuffer:
    raw = [text.encode() for text in texts]
    lengths = np.array([len(one) for one in raw], np.int64)
    return RecordBuffer(np.frombuffer(b"".join(raw), np.uint8), np.cumsum(lengths) - lengths, lengths)


def decoded(dtype: pl.DataType, values: Sequence[str], *, ignore: bool = False) -> Decoded:
    decoder = JsonDecoder((FormatColumn("n", pl.Int64()), FormatColumn("v", dtype)), ignore_parse_errors=ignore)
    return decoder.decode(records_of([f'{{"n": {index}, "v": {value}}}' for index, value in enumerate(values)]))


def read(dtype: pl.DataType, *values: str, ignore: bool = False) -> list[Any]:
    return decoded(dtype, values, ignore=ignore).frame["v"].to_list()


def reason(dtype: pl.DataType, value: str) -> str:
    (found,) = decoded(dtype, ["null", value, "null"]).dead.reasons
    return found


TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
INTEGERS = st.none() | st.integers(-(2**63), 2**63 - 1)
LISTS = st.lists(INTEGERS, max_size=4)
ITEMS = st.none() | st.fixed_dictionaries(
    {}, optional={"a": st.none() | LISTS, "m": st.none() | st.dictionaries(TEXTS, st.none() | st.lists(TEXTS))}
)


def as_polars(value: Any, dtype: Any) -> Any:
    """Parsed JSON as Polars shows it: objects as lists of pairs where the type is a map's."""
    if value is None:
        return None
    if isinstance(dtype, pl.Struct):
        return {field.name: as_polars(value.get(field.name), field.dtype) for field in dtype.fields}
    if isinstance(dtype, pl.List) and isinstance(value, Mapping):
        kind = dtype.inner.fields[1].dtype
        return [{"key": key, "value": as_polars(one, kind)} for key, one in value.items()]
    return [as_polars(one, dtype.inner) for one in value] if isinstance(dtype, pl.List) else value


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(st.none() | st.lists(ITEMS, max_size=3), max_size=6),
    spaced=st.booleans(),
    plain=st.booleans(),
)
def test_any_nesting_is_read_as_by_python(rows: list[Any], spaced: bool, plain: bool) -> None:
    separators = (" , ", " :\n") if spaced else (",", ":")
    texts = [json.dumps(row, ensure_ascii=plain, separators=separators) for row in rows]
    assert read(DEEP, *texts) == [as_polars(row, DEEP) for row in rows]


@pytest.mark.parametrize(
    ("dtype", "text", "value"),
    [
        (pl.List(pl.Int32), "[]", []),
        (pl.List(pl.Int32), '[1, " 2 ", 3.9, null]', [1, 2, 3, None]),
        (pl.List(pl.String), '["a\\u00e9", 1.50, {"b": [1, 2]}, null]', ["aé", "1.50", '{"b":[1,2]}', None]),
        (pl.List(pl.Decimal(5, 2)), "[1.005, 99999]", [Decimal("1.01"), None]),
        (pl.List(pl.Float64), "[1e400, -0.0, 1234567890123456789012]", [float("inf"), -0.0, 1.234567890123456789e21]),
        (pl.List(pl.List(pl.Int64)), "[[1], [], null, [2, 3]]", [[1], [], None, [2, 3]]),
        (pl.List(pl.Binary), '["aGk="]', [b"hi"]),
        (MAP, '{"a": 1, "b": null}', [{"key": "a", "value": 1}, {"key": "b", "value": None}]),
        (MAP, '{"a": 1, "b": 2, "a": 3}', [{"key": "b", "value": 2}, {"key": "a", "value": 3}]),
        (MAP, '[{"key": "a", "value": 1}]', [{"key": "a", "value": 1}]),
        (pl.List(pl.Struct({"key": pl.Int32, "value": pl.Boolean})), '{"7": true}', [{"key": 7, "value": True}]),
        (pl.List(pl.Struct({"x": pl.Int64})), '[{"x": 1, "y": 2}, {}, null]', [{"x": 1}, {"x": None}, None]),
    ],
)  # fmt: skip
def test_elements_are_coerced_as_columns_are(dtype: pl.DataType, text: str, value: Any) -> None:
    assert read(dtype, "null", text) == [None, value]


def test_timestamps_within_arrays() -> None:
    found = decoded(pl.List(pl.Datetime("ms")), ['["2024-01-02 03:04:05.678"]']).frame["v"]
    assert found.to_list()[0][0].isoformat() == "2024-01-02T03:04:05.678000"


@pytest.mark.parametrize(
    ("dtype", "text", "expected"),
    [
        (pl.List(pl.Int32), '[1, "x"]', "field 'v': text cannot be read as ARRAY or MAP"),
        (pl.List(pl.Int32), "[3000000000]", "field 'v': number out of range of ARRAY or MAP"),
        (pl.List(pl.Int32), '{"a": 1}', "field 'v': expected ARRAY or MAP, got another kind of value"),
        (pl.List(pl.Struct({"x": pl.Int64})), "[1]", "field 'v': expected ARRAY or MAP, got another kind of value"),
        (pl.List(pl.Struct({"x": pl.Int64})), "[true]", "field 'v': expected ARRAY or MAP, got another kind of value"),
        (pl.List(pl.Struct({"x": pl.Int64})), '[{"x": "?"}]', "field 'v': text cannot be read as ARRAY or MAP"),
        (MAP, '{"a": "x"}', "field 'v': text cannot be read as ARRAY or MAP"),
        (MAP, "5", "field 'v': expected ARRAY or MAP, got another kind of value"),
    ],
)  # fmt: skip
def test_one_bad_element_makes_the_record_dead_and_no_other(dtype: pl.DataType, text: str, expected: str) -> None:
    assert reason(dtype, text) == expected
    found = decoded(dtype, ["null", text, "null"])
    assert found.frame["n"].to_list() == [0, 2]
    assert found.dead.records.tolist() == [1]


def test_ignoring_parse_errors_nulls_the_element_alone() -> None:
    assert read(pl.List(pl.Int32), '[1, "x", 3]', "5", ignore=True) == [[1, None, 3], None]
    assert read(pl.List(pl.Struct({"x": pl.Int64})), '[{"x": "?"}, 7, {"x": 1}]', ignore=True) == [
        [{"x": None}, None, {"x": 1}]
    ]


def test_an_array_is_no_map() -> None:
    pairs = pl.List(pl.Struct({"key": pl.String, "value": pl.Int64}))
    assert read(pairs, "[1, 2]", '{"a": 1}', "[[1]]", '["a"]', ignore=True) == [
        None,
        [{"key": "a", "value": 1}],
        None,
        None,
    ]
    assert "expected ARRAY or MAP" in reason(pairs, "[1, 2]")
    assert read(pairs, '[{"key": "a", "value": 1}, null]') == [[{"key": "a", "value": 1}, None]]
