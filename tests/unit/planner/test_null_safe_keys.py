"""IS NOT DISTINCT FROM as the key of a join, and as what binds a subquery to its outer row, whatever the type."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import polars as pl
import pytest

from yeoul import Session

_INSTANT = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_VALUES = {
    "BIGINT": pl.Series([5, None, 5, None], dtype=pl.Int64),
    "DOUBLE": pl.Series([0.0, None, 0.0, None]),
    "DECIMAL": pl.Series([Decimal("0.00"), None, Decimal("0.00"), None], dtype=pl.Decimal(38, 18)),
    "STRING": pl.Series(["", None, "", None]),
    "BYTES": pl.Series([b"", None, b"", None]),
    "BOOLEAN": pl.Series([False, None, False, None]),
    "DATE": pl.Series([dt.date(1970, 1, 1), None, dt.date(1970, 1, 1), None]),
    "TIMESTAMP": pl.Series([dt.datetime(1970, 1, 1), None, dt.datetime(1970, 1, 1), None], dtype=pl.Datetime("ms")),
    "TIMESTAMP_LTZ": pl.Series([_INSTANT, None, _INSTANT, None], dtype=pl.Datetime("ms", "UTC")),
    "TIME": pl.Series([dt.time(), None, dt.time(), None]),
    "ARRAY": pl.Series([[0], None, [0], None], dtype=pl.List(pl.Int64)),
    "ROW": pl.Series([{"a": 0}, None, {"a": 0}, None], dtype=pl.Struct({"a": pl.Int64})),
    "empty ROW": pl.Series([{"a": None}, None, {"a": None}, None], dtype=pl.Struct({"a": pl.Int64})),
}
_INTERVALS = ["INTERVAL '0' SECOND", "INTERVAL '0' MONTH"]
_PAIRS = [(1, 1), (1, 3), (2, 2), (2, 4), (3, 1), (3, 3), (4, 2), (4, 4)]
_QUERIES = [
    "SELECT a.id, b.id AS other FROM t a JOIN t b ON a.w IS NOT DISTINCT FROM b.w",
    "SELECT a.id, x.other FROM t a CROSS JOIN LATERAL"
    " (SELECT b.id AS other FROM t b WHERE a.w IS NOT DISTINCT FROM b.w ORDER BY b.id LIMIT 2) x",
    "SELECT a.id, b.id AS other FROM t a, t b WHERE b.w IS NOT DISTINCT FROM a.w",
]
_BESIDE = (
    "SELECT a.id, x.other FROM t a CROSS JOIN LATERAL"
    " (SELECT CASE WHEN a.w IS NULL THEN -b.id ELSE b.id END AS other FROM t b ORDER BY b.id DESC LIMIT 1) x"
)


@pytest.mark.parametrize("query", _QUERIES)
@pytest.mark.parametrize("kind", _VALUES)
def test_null_meets_null_and_nothing_else(query: str, kind: str) -> None:
    with Session({"t": pl.DataFrame({"id": [1, 2, 3, 4], "w": _VALUES[kind]})}) as session:
        assert sorted(session.sql(query).rows()) == _PAIRS


@pytest.mark.parametrize("kind", _VALUES)
def test_a_null_outside_binds_a_query_that_names_it(kind: str) -> None:
    with Session({"t": pl.DataFrame({"id": [1, 2, 3, 4], "w": _VALUES[kind]})}) as session:
        assert sorted(session.sql(_BESIDE).rows()) == [(1, 4), (2, -4), (3, 4), (4, -4)]


@pytest.mark.parametrize("value", [*_INTERVALS, "MAP['a', 1]"])
def test_what_no_frame_holds_binds_a_query_too(value: str) -> None:
    rows = f"WITH t AS (SELECT id, CASE WHEN id IN (1, 3) THEN {value} END AS w FROM s) "
    with Session({"s": pl.DataFrame({"id": [1, 2, 3, 4]})}) as session:
        assert sorted(session.sql(rows + _BESIDE).rows()) == [(1, 4), (2, -4), (3, 4), (4, -4)]
        if value in _INTERVALS:
            assert all(sorted(session.sql(rows + query).rows()) == _PAIRS for query in _QUERIES)
