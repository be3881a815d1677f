"""IS NOT DISTINCT FROM as the key of a join, and as what binds a subquery to its outer row, whatever the type."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import polars as pl
import pytest

from yeoul import Session

_VALUES = {
    "BIGINT": pl.Series([5, None, 5, None], dtype=pl.Int64),
    "DOUBLE": pl.Series([0.0, None, 0.0, None]),
    "DECIMAL": pl.Series([Decimal("0.00"), None, Decimal("0.00"), None], dtype=pl.Decimal(38, 18)),
    "STRING": pl.Series(["", None, "", None]),
    "BYTES": pl.Series([b"", None, b"", None]),
    "BOOLEAN": pl.Series([False, None, False, None]),
    "DATE": pl.Series([dt.date(1970, 1, 1), None, dt.date(1970, 1, 1), None]),
    "TIMESTAMP": pl.Series([dt.datetime(1970, 1, 1), None, dt.datetime(1970, 1, 1), None], dtype=pl.Datetime("ms")),
}
_PAIRS = [(1, 1), (1, 3), (2, 2), (2, 4), (3, 1), (3, 3), (4, 2), (4, 4)]
_QUERIES = [
    "SELECT a.id, b.id AS other FROM t a JOIN t b ON a.w IS NOT DISTINCT FROM b.w",
    "SELECT a.id, x.other FROM t a CROSS JOIN LATERAL"
    " (SELECT b.id AS other FROM t b WHERE a.w IS NOT DISTINCT FROM b.w ORDER BY b.id LIMIT 2) x",
]


@pytest.mark.parametrize("query", _QUERIES)
@pytest.mark.parametrize("kind", _VALUES)
def test_null_meets_null_and_nothing_else(query: str, kind: str) -> None:
    with Session({"t": pl.DataFrame({"id": [1, 2, 3, 4], "w": _VALUES[kind]})}) as session:
        assert sorted(session.sql(query).rows()) == _PAIRS
