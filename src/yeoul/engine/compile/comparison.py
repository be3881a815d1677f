"""Comparison, logic and conditions, in three values.

Polars' own comparisons and Kleene logic are SQL's, except that IN over a list with NULL has to be told so, and that NaN
equals itself and is greater than every number (as in PostgreSQL and DuckDB; Java's NaN equals nothing).
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping

import polars as pl

from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.engine.compile.lowering import Lowering, Missing, Site
from yeoul.plan.types import DataType, Kind

__all__ = ["COMPARISON"]

_Operation = Callable[[pl.Expr, pl.Expr], pl.Expr]


def _compared(operation: _Operation, mirrored: _Operation) -> _Operation:
    """Returns a comparison that has its constant on the right.

    Polars answers with one row, whatever the height, where a constant is compared with a column of one value.
    """
    return lambda a, b: operation(a, b) if a.meta.root_names() else mirrored(b, a)


_equals = _compared(operator.eq, operator.eq)
_not_equals = _compared(operator.ne, operator.ne)
_less = _compared(operator.lt, operator.gt)
_less_or_equal = _compared(operator.le, operator.ge)
_greater = _compared(operator.gt, operator.lt)
_greater_or_equal = _compared(operator.ge, operator.le)


def _alike(site: Site) -> pl.Expr:
    a, b = site.args
    return _same(a, b, site.types[0])


def _same(a: pl.Expr, b: pl.Expr, type: DataType) -> pl.Expr:
    """Equality; of rows field by field, so that a NULL within makes it unknown."""
    if type.kind is not Kind.ROW:
        return _equals(a, b)
    fields = [_same(a.struct.field(each.name), b.struct.field(each.name), each.type) for each in type.fields]
    return functools.reduce(operator.and_, fields)


def _binary(operation: _Operation) -> Lowering:
    return lambda site: operation(site.args[0], site.args[1])


def _folded(operation: _Operation) -> Lowering:
    return lambda site: functools.reduce(operation, site.args)


def _in(site: Site) -> pl.Expr:
    value, items = site.args[0], site.args[1:]
    constants = [site.constant(index + 1) for index in range(len(items))]
    if any(isinstance(each, Missing) for each in constants):
        return functools.reduce(operator.or_, (_equals(value, item) for item in items))
    known = [each for each in constants if each is not None]
    dtype = polars_dtype(site.types[0])
    found = value.is_in(pl.Series("items", known, dtype=dtype).implode()) if known else pl.lit(False)
    if len(known) < len(constants):
        found = found | pl.lit(None, dtype=pl.Boolean)
    return pl.when(value.is_null()).then(None).otherwise(found) if not known else found


def _between(site: Site) -> pl.Expr:
    value, low, high = site.args
    return _greater_or_equal(value, low) & _less_or_equal(value, high)


def _extreme(is_better: _Operation) -> Lowering:
    """GREATEST and LEAST: NULL if any is."""

    def lower(site: Site) -> pl.Expr:
        def better(a: pl.Expr, b: pl.Expr) -> pl.Expr:
            return pl.when(is_better(a, b)).then(a).when(is_better(a, b).not_()).then(b)

        return functools.reduce(better, site.args)

    return lower


def _nullif(site: Site) -> pl.Expr:
    a, b = site.args
    return pl.when(_equals(a, b).fill_null(False)).then(None).otherwise(a).cast(site.dtype)


def _if(site: Site) -> pl.Expr:
    condition, yes, no = site.args
    return pl.when(condition).then(yes).otherwise(no)


def _matches(pattern: str) -> Lowering:
    return lambda site: site.args[0].str.contains(pattern).fill_null(False)


COMPARISON: Mapping[str, Lowering] = {
    "equals": _alike,
    "not_equals": lambda site: ~_alike(site) if site.types[0].kind is Kind.ROW else _not_equals(*site.args),
    "less": _binary(_less),
    "less_or_equal": _binary(_less_or_equal),
    "greater": _binary(_greater),
    "greater_or_equal": _binary(_greater_or_equal),
    "is_distinct_from": _binary(_compared(pl.Expr.ne_missing, pl.Expr.ne_missing)),
    "is_not_distinct_from": _binary(_compared(pl.Expr.eq_missing, pl.Expr.eq_missing)),
    "is_null": lambda site: site.args[0].is_null(),
    "is_not_null": lambda site: site.args[0].is_not_null(),
    "in": _in,
    "not_in": lambda site: ~_in(site),
    "between": _between,
    "not_between": lambda site: ~_between(site),
    "and": _folded(operator.and_),
    "or": _folded(operator.or_),
    "not": lambda site: ~site.args[0],
    "is_true": lambda site: site.args[0].fill_null(False),
    "is_false": lambda site: (~site.args[0]).fill_null(False),
    "is_not_true": lambda site: (~site.args[0]).fill_null(True),
    "is_not_false": lambda site: site.args[0].fill_null(True),
    "is_unknown": lambda site: site.args[0].is_null(),
    "is_not_unknown": lambda site: site.args[0].is_not_null(),
    "coalesce": lambda site: pl.coalesce(*site.args),
    "ifnull": lambda site: pl.coalesce(*site.args),
    "nullif": _nullif,
    "if": _if,
    "greatest": _extreme(_greater_or_equal),
    "least": _extreme(_less_or_equal),
    "is_alpha": _matches(r"^\p{L}+$"),
    "is_decimal": _matches(r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"),
    "is_digit": _matches(r"^\d+$"),
    "current_database": lambda site: pl.lit("default_database"),
    "typeof": lambda site: pl.lit(str(site.types[0])),
}
