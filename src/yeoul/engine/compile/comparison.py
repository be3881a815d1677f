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

__all__ = ["COMPARISON"]


def _binary(operation: Callable[[pl.Expr, pl.Expr], pl.Expr]) -> Lowering:
    return lambda site: operation(site.args[0], site.args[1])


def _folded(operation: Callable[[pl.Expr, pl.Expr], pl.Expr]) -> Lowering:
    return lambda site: functools.reduce(operation, site.args)


def _in(site: Site) -> pl.Expr:
    value, items = site.args[0], site.args[1:]
    constants = [site.constant(index + 1) for index in range(len(items))]
    if any(isinstance(each, Missing) for each in constants):
        return functools.reduce(operator.or_, (value == item for item in items))
    known = [each for each in constants if each is not None]
    dtype = polars_dtype(site.types[0])
    found = value.is_in(pl.Series("items", known, dtype=dtype).implode()) if known else pl.lit(False)
    if len(known) < len(constants):
        found = found | pl.lit(None, dtype=pl.Boolean)
    return pl.when(value.is_null()).then(None).otherwise(found) if not known else found


def _between(site: Site) -> pl.Expr:
    value, low, high = site.args
    return (value >= low) & (value <= high)


def _extreme(is_better: Callable[[pl.Expr, pl.Expr], pl.Expr]) -> Lowering:
    """GREATEST and LEAST: NULL if any is."""

    def lower(site: Site) -> pl.Expr:
        def better(a: pl.Expr, b: pl.Expr) -> pl.Expr:
            return pl.when(is_better(a, b)).then(a).when(is_better(a, b).not_()).then(b)

        return functools.reduce(better, site.args)

    return lower


def _nullif(site: Site) -> pl.Expr:
    a, b = site.args
    return pl.when((a == b).fill_null(False)).then(None).otherwise(a).cast(site.dtype)


def _if(site: Site) -> pl.Expr:
    condition, yes, no = site.args
    return pl.when(condition).then(yes).otherwise(no)


def _matches(pattern: str) -> Lowering:
    return lambda site: site.args[0].str.contains(pattern).fill_null(False)


COMPARISON: Mapping[str, Lowering] = {
    "equals": _binary(operator.eq),
    "not_equals": _binary(operator.ne),
    "less": _binary(operator.lt),
    "less_or_equal": _binary(operator.le),
    "greater": _binary(operator.gt),
    "greater_or_equal": _binary(operator.ge),
    "is_distinct_from": _binary(lambda a, b: a.ne_missing(b)),
    "is_not_distinct_from": _binary(lambda a, b: a.eq_missing(b)),
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
    "greatest": _extreme(operator.ge),
    "least": _extreme(operator.le),
    "is_alpha": _matches(r"^\p{L}+$"),
    "is_decimal": _matches(r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"),
    "is_digit": _matches(r"^\d+$"),
    "current_database": lambda site: pl.lit("default_database"),
    "typeof": lambda site: pl.lit(str(site.types[0])),
}
