"""What the JSON encoder writes: Flink's format, and whatever the decoder reads back."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yeoul.errors import UserError
from yeoul.formats.contract import FormatColumn
from yeoul.formats.registry import make_decoder, make_encoder


def encode(frame: pl.DataFrame, **options: str) -> list[str]:
    columns = [FormatColumn(name, dtype) for name, dtype in frame.schema.items()]
    given_options = {name.replace("__", ".").replace("_", "-"): value for name, value in options.items()}
    records = make_encoder("json", columns, given_options).encode(frame)
    return [(records.record(index) or b"").decode() for index in range(len(records))]


def test_values_are_written_as_flink_writes_them() -> None:
    frame = pl.DataFrame(
        {
            "s": ['a"b\\\n\x01é여울', None],
            "i": [-9223372036854775808, 9223372036854775807],
            "d": [1.0, float("nan")],
            "b": [True, None],
            "ts": pl.Series(
                [datetime(2024, 1, 1, 10), datetime(1969, 12, 31, 23, 59, 59, 120000)], dtype=pl.Datetime("ms")
            ),
            "tz": pl.Series([datetime(2024, 1, 1, 10, 0, 0, 123000), None], dtype=pl.Datetime("ms", "UTC")),
            "day": [date(2024, 2, 29), None],
            "at": [time(1, 2, 3), None],
            "dec": pl.Series([Decimal("1.50"), None], dtype=pl.Decimal(10, 2)),
            "by": [b"hello", None],
            "l": [[1, None], []],
            "m": pl.Series(
                [[{"key": 'k"', "value": 1.5}], None],
                dtype=pl.List(pl.Struct({"key": pl.String, "value": pl.Float64})),
            ),
            "r": [{"x": 1, "y": ["q"]}, None],
        }
    )
    assert encode(frame) == [
        '{"s":"a\\"b\\\\\\n\\u0001é여울","i":-9223372036854775808,"d":1.0,"b":true,"ts":"2024-01-01 10:00:00",'
        '"tz":"2024-01-01 10:00:00.123Z","day":"2024-02-29","at":"01:02:03","dec":1.50,"by":"aGVsbG8=","l":[1,null],'
        '"m":{"k\\"":1.5},"r":{"x":1,"y":["q"]}}',
        '{"s":null,"i":9223372036854775807,"d":"NaN","b":null,"ts":"1969-12-31 23:59:59.12","tz":null,"day":null,'
        '"at":null,"dec":null,"by":null,"l":[],"m":null,"r":null}',
    ]


def test_options_change_timestamps_and_nulls() -> None:
    frame = pl.DataFrame(
        {"a": [None], "t": pl.Series([datetime(2024, 1, 1, 10, 0, 0, 100000)], dtype=pl.Datetime("ms"))}
    )
    assert encode(frame, timestamp_format__standard="ISO-8601") == ['{"a":null,"t":"2024-01-01T10:00:00.100"}']
    assert encode(frame, encode__ignore_null_fields="true") == ['{"t":"2024-01-01 10:00:00.1"}']


def test_long_texts_grow_the_buffer() -> None:
    texts = ["\x01" * 50_000, "plain " * 10_000, "\\", ""]
    assert [json.loads(text)["s"] for text in encode(pl.DataFrame({"s": texts}))] == texts


def test_a_slice_of_a_frame_is_encoded_from_where_it_begins() -> None:
    frame = pl.DataFrame({"s": ["a", "bb", "ccc"], "n": [[1], [2, 3], [4]]})[1:]
    assert encode(frame) == ['{"s":"bb","n":[2,3]}', '{"s":"ccc","n":[4]}']


def test_an_interval_cannot_be_written() -> None:
    with pytest.raises(UserError, match="Column 'v': the json format cannot write an INTERVAL"):
        make_encoder("json", [FormatColumn("v", pl.Duration())])


moments = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30))
rows = st.fixed_dictionaries(
    {
        "s": st.none() | st.text(max_size=50),
        "i": st.none() | st.integers(-(2**63), 2**63 - 1),
        "d": st.none() | st.floats(allow_nan=False),
        "f": st.none() | st.floats(width=32, allow_nan=False),
        "b": st.none() | st.booleans(),
        "ts": st.none() | moments,
        "tz": st.none() | moments.map(lambda moment: moment.replace(tzinfo=UTC)),
        "day": st.none() | st.dates(),
        "by": st.none() | st.binary(max_size=20),
        "dec": st.none() | st.decimals(-(10**15), 10**15, places=5),
        "l": st.none() | st.lists(st.none() | st.text(max_size=5), max_size=4),
        "r": st.none()
        | st.fixed_dictionaries({"x": st.none() | st.integers(-5, 5), "y": st.none() | st.text(max_size=20)}),
    }
)
ROUND_TRIP = {
    "s": pl.String(),
    "i": pl.Int64(),
    "d": pl.Float64(),
    "f": pl.Float32(),
    "b": pl.Boolean(),
    "ts": pl.Datetime("us"),
    "tz": pl.Datetime("us", "UTC"),
    "day": pl.Date(),
    "by": pl.Binary(),
    "dec": pl.Decimal(30, 5),
    "l": pl.List(pl.String()),
    "r": pl.Struct({"x": pl.Int32(), "y": pl.String()}),
}


@given(st.lists(rows, max_size=12), st.sampled_from(["SQL", "ISO-8601"]))
@settings(max_examples=60, deadline=None)
def test_what_is_written_reads_back_equal(records: list[dict[str, Any]], standard: str) -> None:
    frame = pl.DataFrame(records, schema=ROUND_TRIP)
    columns = [FormatColumn(name, dtype) for name, dtype in ROUND_TRIP.items()]
    options = {"timestamp-format.standard": standard}
    written = make_encoder("json", columns, options).encode(frame)
    read = make_decoder("json", columns, options).decode(written)
    assert not read.dead
    assert read.frame.equals(frame)


_MAP = pl.List(pl.Struct({"key": pl.String(), "value": pl.Int64()}))


@pytest.mark.parametrize(
    ("options", "written"),
    [
        ({"mode": "DROP"}, ['{"m":{"b":2}}', '{"m":{}}', '{"m":null}']),
        ({"mode": "LITERAL"}, ['{"m":{"null":1,"b":2}}', '{"m":{"null":3}}', '{"m":null}']),
        ({"mode": "literal", "literal": "no"}, ['{"m":{"no":1,"b":2}}', '{"m":{"no":3}}', '{"m":null}']),
    ],
)
def test_a_null_key_of_a_map_is_left_out_or_named(options: dict[str, str], written: list[str]) -> None:
    maps = [[{"key": None, "value": 1}, {"key": "b", "value": 2}], [{"key": None, "value": 3}], None]
    frame = pl.DataFrame({"m": pl.Series(maps, dtype=_MAP)})
    assert encode(frame, **{f"map_null_key__{name}": value for name, value in options.items()}) == written


def test_a_null_key_of_a_map_is_refused_by_default() -> None:
    with pytest.raises(UserError, match="A map has a NULL key"):
        encode(pl.DataFrame({"m": pl.Series([[{"key": None, "value": 1}]], dtype=_MAP)}))
