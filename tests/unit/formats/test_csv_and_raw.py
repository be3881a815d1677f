"""CSV and raw: values, malformed records, round trips, options."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import json_oracle as oracle
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yeoul.errors import UserError
from yeoul.formats.contract import FormatColumn, RecordBuffer
from yeoul.formats.csv.decoder import CsvDecoder
from yeoul.formats.csv.dialect import CsvDialect
from yeoul.formats.registry import check_options, make_decoder, make_encoder

COLUMNS = [
    FormatColumn(name, dtype)
    for name, dtype in {"s": pl.String(), "i": pl.Int32(), "d": pl.Float64(), "t": pl.Datetime("ms")}.items()
]


def test_csv_fields_are_read_by_place_and_unquoted() -> None:
    documents = [
        b'a,1,1.5,2024-01-01 10:00:00',
        b'"q,""uoted"" and longer than twelve",,,',
        b'"line\nend", 7 ,"1e400",\r',
        b"",
    ]  # fmt: skip
    decoded = make_decoder("csv", COLUMNS).decode(oracle.records_of(documents, guarded=True))
    assert decoded.frame.rows() == [
        ("a", 1, 1.5, datetime(2024, 1, 1, 10)),
        ('q,"uoted" and longer than twelve', None, None, None),
        ("line\nend", 7, float("inf"), None),
    ]
    assert decoded.skipped == 1


@pytest.mark.parametrize("length", [0, 1, 30, 31, 32, 33, 63, 64, 65, 200])
def test_csv_fields_end_where_they_end_however_long(length: int) -> None:
    long = "x" * length
    documents = [f"{long},1", f'"{long}",2', f'"{long}""",3', f'"{long},",4', f'"{long}', f"{long}\\,,5"]
    columns = [COLUMNS[0], COLUMNS[1]]
    read = make_decoder("csv", columns).decode(oracle.records_of([one.encode() for one in documents], guarded=True))
    assert read.frame.rows() == [(long, 1), (long, 2), (long + '"', 3), (long + ",", 4)]
    assert read.dead.records.tolist() == [4, 5]
    escaped = make_decoder("csv", columns, {"escape-character": "\\"})
    found = escaped.decode(oracle.records_of([documents[5].encode(), f'"{long}\\"",6'.encode()], guarded=True))
    assert found.frame.rows() == [(long + ",", 5), (long + '"', 6)]


def test_without_a_delimiter_a_byte_that_is_no_text_ends_nothing() -> None:
    whole = CsvDialect(delimiter=None, quote=None)
    decoder = CsvDecoder((COLUMNS[0],), (COLUMNS[0],), whole)
    read = decoder.decode(oracle.records_of([b"a,b", b"a\xffb"]))
    assert read.frame.rows() == [("a,b",)]
    assert list(read.dead.reasons) == ["field 's': invalid UTF-8 (byte 0: X'61ff62')"]


def test_a_projection_of_csv_reads_the_right_fields() -> None:
    decoder = make_decoder("csv", [COLUMNS[2], COLUMNS[0]], record=COLUMNS)
    assert decoder.decode(oracle.records_of([b"a,x,1.5,"])).frame.rows() == [(1.5, "a")]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"a,1,1.5", "too few fields (byte 7: the end)"),
        (b"a,1,1.5,,x", "too many fields (byte 8: ',x')"),
        (b"a,x,1.5,", "field 'i': text cannot be read as INT (byte 2: 'x,1.5,')"),
        (b'"open,1,1.5,', "not CSV: a quoted field is not closed before the next one"),
        (b'"a"b,1,1.5,', "not CSV: a quoted field is not closed before the next one (byte 3: 'b,1,1.5,')"),
        (b"\xff,1,1.5,", "field 's': invalid UTF-8"),
    ],
)
def test_malformed_csv_records_say_why(document: bytes, reason: str) -> None:
    decoded = make_decoder("csv", COLUMNS).decode(oracle.records_of([b"ok,1,1,", document]))
    assert decoded.dead.records.tolist() == [1]
    assert decoded.dead.reasons[0].startswith(reason)
    assert len(decoded.frame) == 1


def test_csv_options() -> None:
    options = {"field-delimiter": ";", "quote-character": "'", "null-literal": "n/a", "allow-comments": "true"}
    documents = [b"# a comment", b"'a;b';1;n/a;", b"n/a;2;1;"]
    decoded = make_decoder("csv", COLUMNS, options).decode(oracle.records_of(documents))
    assert decoded.frame.rows() == [("a;b", 1, None, None), (None, 2, 1.0, None)]
    written = make_encoder("csv", COLUMNS, options).encode(decoded.frame)
    assert [written.record(0), written.record(1)] == [b"'a;b';1;n/a;n/a", b"n/a;2;1.0;n/a"]
    lenient = make_decoder("csv", COLUMNS, {"ignore-parse-errors": "true"})
    assert lenient.decode(oracle.records_of([b"a,x,1,", b"a,1,,,x"])).frame.rows() == [("a", None, 1.0, None)]


S_AND_N = [FormatColumn("s", pl.String()), FormatColumn("n", pl.Int32())]


@pytest.mark.parametrize(
    ("options", "document", "rows"),
    [
        ({}, b"a,1,", [("a", 1)]),
        ({"allow-trailing-comma": "false"}, b"a,1,", []),
        ({}, b"a", []),
        ({"ignore-parse-errors": "true"}, b"a", [("a", None)]),
        ({"ignore-parse-errors": "true", "fail-on-missing-columns": "true"}, b"a", []),
        ({"ignore-trailing-unmappable": "true"}, b"a,1,x,y", [("a", 1)]),
        ({}, b' "a" ,1', [(' "a" ', 1)]),
        ({"trim-spaces": "true"}, b' "a " , 1 ', [("a ", 1)]),
        ({"trim-spaces": "true"}, b" a b ,1", [("a b", 1)]),
        ({"empty-string-as-null": "true"}, b'"",1', [(None, 1)]),
        ({"escape-character": "\\"}, rb'"x\"y",1', [('x"y', 1)]),
        ({"escape-character": "\\"}, rb"p\,q,2", [("p,q", 2)]),
        ({"escape-character": "\\"}, rb'"t\t0\0r\rn\n\q""",5', [('t\t0\0r\rn\nq"', 5)]),
        ({"escape-character": "\\"}, rb"\1,1\0", [("1", 1)]),
    ],
)
def test_csv_options_read_as_flink_reads(
    options: dict[str, str], document: bytes, rows: list[tuple[str | None, int | None]]
) -> None:
    assert make_decoder("csv", S_AND_N, options).decode(oracle.records_of([document])).frame.rows() == rows


def test_csv_escapes_what_it_writes() -> None:
    frame = pl.DataFrame({"s": ['a"b', r"e\f", "plain"], "n": [1, 2, 3]}, schema_overrides={"n": pl.Int32})
    encoder = make_encoder("csv", S_AND_N, {"escape-character": "\\"})
    written = encoder.encode(frame)
    assert [written.record(index) for index in range(3)] == [b'"a""b",1', rb'"e\\f",2', b"plain,3"]
    assert make_decoder("csv", S_AND_N, {"escape-character": "\\"}).decode(written).frame.equals(frame)


NESTED = [
    FormatColumn("a", pl.List(pl.Int32())),
    FormatColumn("b", pl.List(pl.String())),
    FormatColumn("r", pl.Struct({"x": pl.Int32(), "y": pl.String()})),
]


@pytest.mark.parametrize(
    ("document", "row"),
    [
        (b"1;2,x;y,1;z", ([1, 2], ["x", "y"], {"x": 1, "y": "z"})),
        (b",,", ([], [], None)),
        (b" 1 ; 2 ,' x ; y ',1;z;w", ([1, 2], [" x ", " y "], {"x": 1, "y": "z"})),
        (b"1,x,1;", ([1], ["x"], {"x": 1, "y": ""})),
        (b"N,N;q,N;N", (None, [None, "q"], {"x": None, "y": None})),
        (b"1;;2,;,;", ([1, None, 2], ["", ""], {"x": None, "y": ""})),
    ],
)
def test_csv_fields_of_several_parts(document: bytes, row: tuple[Any, ...]) -> None:
    options = {"null-literal": "N", "quote-character": "'"}
    assert make_decoder("csv", NESTED, options).decode(oracle.records_of([document])).frame.rows() == [row]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"1;q,,", "field 'a': text cannot be read as ARRAY<INT>"),
        (b",,1", "field 'r': text cannot be read as ROW<INT, STRING>"),
    ],
)
def test_csv_fields_whose_parts_are_bad_make_dead_rows(document: bytes, reason: str) -> None:
    records = oracle.records_of([b"1,x,1;y", document, b"2,,"])
    decoded = make_decoder("csv", NESTED).decode(records)
    assert decoded.frame["a"].to_list() == [[1], [2]]
    assert decoded.dead.records.tolist() == [1]
    assert list(decoded.dead.reasons) == [reason]
    lenient = make_decoder("csv", NESTED, {"ignore-parse-errors": "true"}).decode(records)
    assert len(lenient.frame) == 3


@given(st.lists(st.none() | st.lists(st.none() | st.integers(-9, 9), min_size=2, max_size=4), max_size=8))
@settings(max_examples=40, deadline=None)
def test_csv_arrays_round_trip(lists: list[list[int | None] | None]) -> None:
    options = {"null-literal": "N", "array-element-delimiter": ","}
    columns = [FormatColumn("a", pl.List(pl.Int32())), FormatColumn("r", pl.Struct({"x": pl.Int32(), "d": pl.Date()}))]
    rows = [{"a": one, "r": None if one is None else {"x": one[0], "d": None}} for one in lists]
    frame = pl.DataFrame(rows, schema={column.name: column.dtype for column in columns})
    decoded = make_decoder("csv", columns, options).decode(make_encoder("csv", columns, options).encode(frame))
    assert decoded.frame.equals(frame)


@given(
    st.lists(
        st.tuples(
            st.text(max_size=20), st.none() | st.integers(-(2**31), 2**31 - 1), st.none() | st.floats(allow_nan=False)
        ),
        max_size=10,
    )
)
@settings(max_examples=60, deadline=None)
def test_csv_round_trip(rows: list[tuple[Any, ...]]) -> None:
    columns = COLUMNS[:3]
    frame = pl.DataFrame(rows, schema={column.name: column.dtype for column in columns}, orient="row")
    decoded = make_decoder("csv", columns).decode(make_encoder("csv", columns).encode(frame))
    assert not decoded.dead
    assert decoded.frame.equals(frame)


@given(st.lists(st.binary(max_size=60), max_size=20))
@settings(max_examples=100, deadline=None)
def test_raw_text_is_what_python_decodes(documents: list[bytes]) -> None:
    decoded = make_decoder("raw", COLUMNS[:1]).decode(oracle.records_of(documents))
    want = {}
    for index, document in enumerate(documents):
        try:
            want[index] = document.decode()
        except UnicodeDecodeError:
            assert index in decoded.dead.records
    assert decoded.frame["s"].to_list() == list(want.values())


@pytest.mark.parametrize("endianness", ["big-endian", "little-endian"])
@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        (pl.String(), ["a", None, "여울"]),
        (pl.Binary(), [b"\xff", None, b""]),
        (pl.Int32(), [1, None, -2]),
        (pl.Float64(), [1.5, None, -0.0]),
        (pl.Boolean(), [True, None, False]),
    ],
)
def test_raw_round_trip(dtype: pl.DataType, values: list[Any], endianness: str) -> None:
    columns, options = [FormatColumn("v", dtype)], {"endianness": endianness}
    records: RecordBuffer = make_encoder("raw", columns, options).encode(
        pl.DataFrame({"v": pl.Series(values, dtype=dtype)})
    )
    assert records.lengths[1] == -1
    assert make_decoder("raw", columns, options).decode(records).frame["v"].to_list() == values


def test_raw_numbers_of_the_wrong_size_are_dead() -> None:
    decoded = make_decoder("raw", [FormatColumn("v", pl.Int32())]).decode(oracle.records_of([b"\0\0\0\1", b"\1"]))
    assert decoded.frame["v"].to_list() == [1]
    assert list(decoded.dead.reasons) == ["expected 4 bytes"]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("jsn", {}, "Unknown format 'jsn'. Did you mean 'json'?"),
        (
            "json",
            {"ignore-parse-error": "true"},
            "Unknown option 'json.ignore-parse-error'. Did you mean 'json.ignore-parse-errors'?",
        ),
        (
            "json",
            {"ignore-parse-errors": "yes"},
            "Option 'json.ignore-parse-errors': expected true or false, got 'yes'",
        ),
        (
            "csv",
            {"field-delimiter": ",,"},
            "Option 'csv.field-delimiter': expected one ASCII character, not a line end, got ',,'",
        ),
        (
            "json",
            {"fail-on-missing-field": "true", "ignore-parse-errors": "true"},
            "'json.fail-on-missing-field' and 'json.ignore-parse-errors' cannot both be true. "
            "Choose what should become of an incomplete record: dead, or NULL where something is missing",
        ),
    ],
)
def test_wrong_options_are_explained(name: str, options: dict[str, str], message: str) -> None:
    with pytest.raises(UserError) as caught:
        check_options(name, options)
    assert str(caught.value) == message
