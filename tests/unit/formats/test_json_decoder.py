"""What the JSON decoder makes of records: values, nulls, errors, and nothing that could harm Polars."""

from __future__ import annotations

import gc
import json
import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import json_oracle as oracle  # found beside this file
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yeoul.errors import UserError
from yeoul.formats.contract import FormatColumn, RecordBuffer
from yeoul.formats.json.decoder import JsonDecoder
from yeoul.formats.registry import make_decoder
from yeoul.kernels.lines import split_lines


def decode(dtype: pl.DataType, *values: str, **options: bool) -> tuple[list[Any], list[str]]:
    """Returns the values and the reasons for records of one column `v`, given as JSON values."""
    records = oracle.records_of([b'{"v":' + value.encode() + b"}" for value in values])
    decoded = JsonDecoder((FormatColumn("v", dtype),), **options).decode(records)
    return decoded.frame["v"].to_list(), list(decoded.dead.reasons)


@pytest.mark.parametrize(
    ("dtype", "text", "value"),
    [
        (pl.Int32(), '"2"', 2),
        (pl.Int32(), "4.7", 4),
        (pl.Int64(), "-4.7e1", -47),
        (pl.Int64(), "9223372036854775807", 9223372036854775807),
        (pl.Int64(), "-9223372036854775808", -9223372036854775808),
        (pl.Int8(), "-128", -128),
        (pl.String(), "1.50", "1.50"),
        (pl.String(), "true", "true"),
        (pl.String(), '{ "a" : [ 1, "x y" ] }', '{"a":[1,"x y"]}'),
        (pl.String(), '"\\ud83d\\ude00 \\u00e9\\n"', "😀 é\n"),
        (pl.Float64(), '"1e3"', 1000.0),
        (pl.Float64(), "5e-324", 5e-324),
        (pl.Float64(), "1e400", float("inf")),
        (pl.Float32(), "0.1", pytest.approx(0.1)),
        (pl.Boolean(), '"TRUE"', True),
        (pl.Boolean(), '"no"', False),
        (pl.Decimal(10, 2), "1.005", Decimal("1.01")),
        (pl.Decimal(10, 2), "123456789.0", None),
        (pl.Decimal(38, 10), '"12345678901234567890.12345678905"', Decimal("12345678901234567890.1234567891")),
        (pl.Datetime("ms"), '"2024-01-01 10:00:00.1239"', datetime(2024, 1, 1, 10, 0, 0, 123000)),
        (pl.Date(), '"2024-02-29"', date(2024, 2, 29)),
        (pl.Time(), '"10:11:12.5"', time(10, 11, 12, 500000)),
        (pl.Binary(), '"aGVsbG8="', b"hello"),
        (pl.List(pl.Int32), '[1, "2", null]', [1, 2, None]),
        (pl.List(pl.Struct({"key": pl.String, "value": pl.Float64})), '{"a":1.5}', [{"key": "a", "value": 1.5}]),
        (pl.Struct({"x": pl.Int64}), '{"x":1,"y":2}', {"x": 1}),
        (pl.Struct({"x": pl.Int64}), "null", None),
    ],
)
def test_values_are_coerced_as_flink_does(dtype: pl.DataType, text: str, value: Any) -> None:
    assert decode(dtype, text) == ([value], [])


@pytest.mark.parametrize(
    ("dtype", "text", "reason"),
    [
        (pl.Int32(), "99999999999", "field 'v': number out of range of INT (byte 5: '99999999999}')"),
        (
            pl.Int64(),
            "9223372036854775808",
            "field 'v': number out of range of BIGINT (byte 5: '9223372036854775808}')",
        ),
        (pl.Int8(), "1.5", "field 'v': expected TINYINT, got another kind of value (byte 5: '1.5}')"),
        (pl.Int32(), '"abc"', "field 'v': text cannot be read as INT (byte 5: '\"abc\"}')"),
        (pl.Datetime("ms"), '"2023-02-29 00:00:00"', "field 'v': text cannot be read as TIMESTAMP(3)"),
        (pl.Datetime("ms"), '"2024-01-01T00:00:00"', "field 'v': text cannot be read as TIMESTAMP(3)"),
        (pl.Datetime("ms", "UTC"), '"2024-01-01 00:00:00"', "field 'v': text cannot be read as TIMESTAMP_LTZ(3)"),
        (pl.Binary(), '"a==="', "field 'v': text is not base64"),
        (pl.String(), '"\\ud800"', "field 'v': an escaped surrogate stands alone and has no UTF-8 form"),
        (pl.List(pl.Int32), "5", "field 'v': expected ARRAY or MAP, got another kind of value"),
        (pl.String(), "007", "not JSON: malformed number (byte 5: '007}')"),
        (pl.Int32(), "1.", "not JSON: malformed number"),
        (pl.String(), ".5", "not JSON: expected a value"),
        (pl.String(), '"\x01"', "not JSON: a control character inside a string must be written as an escape"),
        (pl.String(), '"\\x"', "not JSON: unknown escape in a string"),
        (pl.String(), "1} ", "not JSON: something follows the object"),
        (pl.String(), "[" * 1001 + "]" * 1001, "not JSON: nested deeper than 1000 levels"),
        (pl.String(), "1,", "not JSON: expected a key in double quotes (byte 7: '}')"),
    ],
)
def test_bad_records_say_what_is_wrong(dtype: pl.DataType, text: str, reason: str) -> None:
    rows, reasons = decode(dtype, text)
    assert rows == []
    assert len(reasons) == 1
    assert reasons[0].startswith(reason)


@pytest.mark.parametrize("sequence", [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe2\x82", b"\x80"])
@pytest.mark.parametrize("key", [b"v", b"skipped"])
def test_invalid_utf8_never_becomes_a_row(sequence: bytes, key: bytes) -> None:
    documents = [b'{"v":"fine","skipped":"x"}', b'{"' + key + b'":"some text ' + sequence + b' "}']
    decoded = JsonDecoder((FormatColumn("v", pl.String()),)).decode(oracle.records_of(documents))
    assert decoded.frame["v"].to_list() == ["fine"]
    assert decoded.dead.reasons[0].startswith("not JSON: invalid UTF-8 in a string")


def test_ignoring_parse_errors_nulls_bad_fields_and_skips_bad_records() -> None:
    documents = [b'{"i":"x","s":"a"}', b"{", b"null", b"", b'{"i":7}']
    columns = [FormatColumn("i", pl.Int32()), FormatColumn("s", pl.String())]
    decoded = make_decoder("json", columns, {"ignore-parse-errors": "true"}).decode(oracle.records_of(documents))
    assert decoded.frame.rows() == [(None, "a"), (7, None)]
    assert decoded.records is not None
    assert decoded.records.tolist() == [0, 4]
    assert (len(decoded.dead), decoded.skipped) == (0, 3)


def test_missing_fields_can_be_refused_but_nulls_pass() -> None:
    documents = [b'{"i":1}', b'{"i":null}', b'{"j":1}']
    columns = [FormatColumn("i", pl.Int32())]
    decoded = make_decoder("json", columns, {"fail-on-missing-field": "true"}).decode(oracle.records_of(documents))
    assert decoded.frame.rows() == [(1,), (None,)]
    assert list(decoded.dead.reasons) == ["field 'i': missing"]


def test_an_array_of_objects_becomes_rows_or_is_dead_as_a_whole() -> None:
    documents = [b'{"i":0}', b'[{"i":1}, {"i":2}]', b'[{"i":3},{"i":"x"}]', b"[]", b'{"i":4}']
    decoded = JsonDecoder((FormatColumn("i", pl.Int32()),)).decode(oracle.records_of(documents))
    assert decoded.frame["i"].to_list() == [0, 1, 2, 4]
    assert decoded.records is not None
    assert decoded.records.tolist() == [0, 1, 1, 4]
    assert decoded.dead.records.tolist() == [2]
    assert decoded.dead.reasons[0] == "field 'i': text cannot be read as INT (byte 14: '\"x\"}]')"
    assert decoded.skipped == 1


def test_the_last_of_repeated_keys_counts_whatever_the_layout() -> None:
    documents = [b'{"i":1,"i":2}', b'{"i":1,"i":3}', b'{"i":1}', b'{"\\u0069":9}', b'{"i":5,"i":null}']
    decoded = JsonDecoder((FormatColumn("i", pl.Int32()),)).decode(oracle.records_of(documents))
    assert decoded.frame["i"].to_list() == [2, 3, 1, 9, None]


def test_null_records_and_blank_lines_are_skipped() -> None:
    text = np.frombuffer(b'{"i":1}\n\n  \r\n{"i":2}', np.uint8)
    decoded = JsonDecoder((FormatColumn("i", pl.Int32()),)).decode(RecordBuffer(text, *split_lines(text)))
    assert decoded.frame["i"].to_list() == [1, 2]
    tombstones = RecordBuffer(text, np.array([0, 0]), np.array([-1, 7]))
    assert JsonDecoder((FormatColumn("i", pl.Int32()),)).decode(tombstones).skipped == 1


def test_interleaved_layouts_are_all_read() -> None:
    objects = [{"a": i, "b": f"text {i}", "c": i / 4} for i in range(300)]
    styles = [
        lambda o: json.dumps(o),
        lambda o: json.dumps(o, separators=(",", ":")),
        lambda o: json.dumps(dict(reversed(o.items()))),
        lambda o: json.dumps({"x": [1, {"y": "z"}], **o}, indent=1),
        lambda o: json.dumps({key: o[key] for key in ("a", "c")}),
    ]
    documents = [styles[(i // 7) % 5](one).encode() for i, one in enumerate(objects)]
    columns = (FormatColumn("c", pl.Float64()), FormatColumn("b", pl.String()), FormatColumn("a", pl.Int64()))
    frame = JsonDecoder(columns).decode(oracle.records_of(documents)).frame
    want = [(o["c"], None if (i // 7) % 5 == 4 else o["b"], o["a"]) for i, o in enumerate(objects)]
    assert frame.rows() == want


def test_a_record_outside_its_buffer_is_refused() -> None:
    data = np.frombuffer(b'{"i":1}', np.uint8)
    for offset, length in [(0, 8), (-1, 3), (7, 1), (1 << 62, 1 << 62)]:
        with pytest.raises(ValueError, match="outside"):
            JsonDecoder((FormatColumn("i", pl.Int32()),)).decode(
                RecordBuffer(data, np.array([offset]), np.array([length]))
            )


def test_wide_and_nested_schemas_with_long_keys() -> None:
    names = [f"{'k' * (n % 40)}{n}" for n in range(200)]
    columns = tuple(FormatColumn(name, pl.Int64()) for name in names)
    documents = [json.dumps({name: row * n for n, name in enumerate(names)}).encode() for row in range(20)]
    frame = JsonDecoder(columns).decode(oracle.records_of(documents)).frame
    assert frame.rows() == [tuple(row * n for n in range(200)) for row in range(20)]


def test_a_type_that_json_cannot_be_read_into_is_the_users_mistake() -> None:
    with pytest.raises(UserError, match="Column 'v': the json format cannot read the type Duration"):
        JsonDecoder((FormatColumn("v", pl.Duration()),))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
documents = st.dictionaries(st.sampled_from(list(oracle.SCHEMA)) | st.text(max_size=4), json_values, max_size=9)


@given(
    st.lists(documents, max_size=8),
    st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", "\n: ")]),
    st.booleans(),
    st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_any_document_decodes_as_python_reads_it(
    objects: list[dict[str, Any]], separators: tuple[str, str], ascii_only: bool, lenient: bool
) -> None:
    texts = [json.dumps(one, separators=separators, ensure_ascii=ascii_only) for one in objects]
    encoded = [text.encode(errors="surrogatepass") for text in texts]
    oracle.check(encoded, lenient=lenient)


def test_mutated_documents_decode_as_python_reads_them_and_crash_nothing() -> None:
    """In a process of its own, before an unreadable page; YEOUL_FUZZ sets how many."""
    count = os.environ.get("YEOUL_FUZZ", "12000")
    script = Path(oracle.__file__)
    run = subprocess.run([sys.executable, script, count, "1"], capture_output=True, text=True, timeout=3600)
    assert run.returncode == 0, run.stderr[-3000:]


def test_one_decoder_serves_several_threads() -> None:
    rng = random.Random(5)
    batches = [[oracle.document(rng) for _ in range(200)] for _ in range(12)]
    decoder = JsonDecoder(oracle.COLUMNS)
    alone = [decoder.decode(oracle.records_of(batch)).frame for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda batch: decoder.decode(oracle.records_of(batch)).frame, batches * 4))
    assert all(frame.equals(alone[index % 12]) for index, frame in enumerate(together))


def test_strings_outlive_the_buffers_they_were_read_from() -> None:
    frame = (
        JsonDecoder((FormatColumn("s", pl.String()),))
        .decode(
            oracle.records_of(
                [b'{"s":"a text that is longer than a view holds"}', b'{"s":"an \\u00e9scaped text in the side"}']
            )
        )
        .frame
    )
    gc.collect()
    filler = [np.full(200, 255, np.uint8) for _ in range(1000)]
    assert frame["s"].to_list() == ["a text that is longer than a view holds", "an éscaped text in the side"]
    assert len(filler) == 1000


def test_integers_at_the_edge_of_their_type_however_spelled() -> None:
    spellings = [
        "-79425134552300328415", "9223372036854775807.5", "-9223372036854775808.5", "9223372036854775808.5", "1e18",
        "9.223372036854775807e18", "-9.223372036854775808e18", "-9.2233720368547758089e18", "1e19",
        "123456789012345678901e-2", "92233720368547758071e-1", "-92233720368547758089e-1", "0e99",
        "1234567890123456789012345678901234567890e-25", "-9223372036854775809", "92233720368547758070", "2147483647.9",
    ]  # fmt: skip
    for text in spellings:
        oracle.check([b'{"big":' + text.encode() + b"}", b'{"i":' + text.encode() + b"}"], lenient=False)
    oracle.check([b'{"big":-79425134552300328415,"big":1}'], lenient=False)


def test_reasons_are_a_sequence() -> None:
    decoded = JsonDecoder((FormatColumn("i", pl.Int32()),)).decode(oracle.records_of([b'{"i":"x"}', b"{", b"7"]))
    reasons = decoded.dead.reasons
    assert [reasons[0], reasons[1], reasons[-1]] == list(reasons)
    assert list(reasons[1:]) == list(reasons)[1:]
    with pytest.raises(IndexError):
        reasons[3]
