"""Aggregate functions. SUM and AVG keep the type of integers and floats, and give decimals 38 digits, as Flink does."""

from __future__ import annotations

from decimal import Decimal

from yeoul.plan.expressions import LiteralValue
from yeoul.plan.functions.json import is_writable
from yeoul.plan.functions.signatures import (
    ANY_NUMBER,
    ANYTHING,
    ORDERED,
    TEXT,
    TEXT_OR_CASTABLE,
    Function,
    Parameter,
    Rule,
    Typing,
    takes,
)
from yeoul.plan.types import BIGINT, BITMAP, DOUBLE, INT, STRING, DataType, Kind, array_of, decimal, map_of

__all__ = ["AGGREGATES", "value_over_nothing"]


def _sum_type(given: tuple[DataType, ...]) -> DataType:
    return decimal(38, given[0].scale or 0) if given[0].kind is Kind.DECIMAL else given[0]


def _average_type(given: tuple[DataType, ...]) -> DataType:
    return decimal(38, max(6, given[0].scale or 0)) if given[0].kind is Kind.DECIMAL else given[0]


def _keyed(given: DataType) -> DataType | None:
    return None if given.kind is Kind.MAP else given


_KEYED = Parameter("anything but a map", _keyed)
_WRITABLE = Parameter("a value that JSON can hold", lambda given: given if is_writable(given) else None)


def _aggregate(names: str, usage: str, summary: str, rule: Rule) -> Function:
    every = tuple(names.split())
    return Function(every[0].lower(), every, "aggregate", usage, summary, rule)


def _spread(name: str, summary: str, *more: str) -> Function:
    rule = takes(ANY_NUMBER, returns=_average_type, nullable=True)
    return _aggregate(" ".join((name, *more)), f"{name}([DISTINCT] x)", summary, rule)


def _at_share(given: tuple[DataType, ...], literals: tuple[LiteralValue, ...]) -> Typing | None:
    """What a percentile takes: a number, and a literal from 0 to 1."""
    typing = takes(ANY_NUMBER, ANY_NUMBER, returns=DOUBLE, nullable=True)(given)
    share = literals[1] if len(literals) == 2 else None
    return typing if isinstance(share, int | float | Decimal) and 0 <= share <= 1 else None


def _at_counted_share(given: tuple[DataType, ...], literals: tuple[LiteralValue, ...]) -> Typing | None:
    """PERCENTILE(x, share[, frequency]): how often each value counts."""
    if len(given) != 3:
        return _at_share(given, literals)
    typing = _at_share(given[:2], literals[:2])
    return None if typing is None or not given[2].is_integer else ((*typing[0], given[2]), typing[1])


_BITMAP = Parameter("a BITMAP", lambda given: given if given.kind is Kind.BITMAP else None)
_SMALL = Parameter("an INT", lambda given: given if given.kind in (Kind.TINYINT, Kind.SMALLINT, Kind.INT) else None)


def _bitmap_aggregates() -> tuple[Function, ...]:
    said = {
        "BUILD": ("x", "of the group's integers", _SMALL),
        "AND": ("b", "of the integers that all bitmaps have", _BITMAP),
        "OR": ("b", "of the integers that any bitmap has", _BITMAP),
        "XOR": ("b", "of the integers that an odd number of bitmaps have", _BITMAP),
    }
    return tuple(
        _aggregate(
            f"BITMAP_{name}{part}_AGG",
            f"BITMAP_{name}{part}_AGG({letter})",
            f"{'How many there are' if part else 'The bitmap'} {what}; NULL over no value.",
            takes(place, returns=BIGINT if part else BITMAP, nullable=True),
        )
        for name, (letter, what, place) in said.items()
        for part in ("", "_CARDINALITY")
    )


def value_over_nothing(function: str, type: DataType) -> int | str | tuple[()] | None:
    """Returns what an aggregate gives over no row: one that is never NULL counts or adds up from zero, or is empty.

    Example:
        >>> value_over_nothing("count", BIGINT.not_null()), value_over_nothing("max", BIGINT)
        (0, None)
    """
    if type.nullable:
        return None
    if type.kind is Kind.STRING:
        return "{}" if "object" in function else "[]"
    return () if type.kind is Kind.MAP else 0


AGGREGATES: tuple[Function, ...] = (
    Function("count_star", (), "aggregate", "COUNT(*)", "Number of rows.", takes(returns=BIGINT, nullable=False)),
    _aggregate(
        "COUNT",
        "COUNT([DISTINCT] x, ...)",
        "Number of rows in which no argument is NULL.",
        takes(_KEYED, returns=BIGINT, nullable=False, repeat_last=True),
    ),
    _aggregate(
        "SUM", "SUM([DISTINCT] x)", "Sum; NULL over no value.", takes(ANY_NUMBER, returns=_sum_type, nullable=True)
    ),
    _aggregate("SUM0", "SUM0(x)", "Sum; 0 over no value.", takes(ANY_NUMBER, returns=_sum_type, nullable=False)),
    _aggregate(
        "AVG",
        "AVG([DISTINCT] x)",
        "Mean; of integers an integer, cut towards zero.",
        takes(ANY_NUMBER, returns=_average_type, nullable=True),
    ),
    _aggregate("MIN", "MIN(x)", "The least.", takes(ORDERED, returns=lambda given: given[0], nullable=True)),
    _aggregate("MAX", "MAX(x)", "The greatest.", takes(ORDERED, returns=lambda given: given[0], nullable=True)),
    _aggregate(
        "APPROX_COUNT_DISTINCT",
        "APPROX_COUNT_DISTINCT(x)",
        "Number of different values, within about 1.6 % (standard error).",
        takes(_KEYED, returns=BIGINT, nullable=False),
    ),
    Function(
        "percentile",
        ("PERCENTILE",),
        "aggregate",
        "PERCENTILE(x, share | ARRAY[share, ...][, frequency])",
        "The value with that share (0 to 1) of the others below it, between two values by proportion; keeps them all.",
        takes(ANY_NUMBER, ANY_NUMBER, returns=DOUBLE, nullable=True),
        "A share is a literal from 0 to 1, as is each of an ARRAY[...] of several.",
        _at_counted_share,
    ),
    Function(
        "approx_percentile",
        ("APPROX_PERCENTILE", "APPROX_QUANTILE"),
        "aggregate",
        "APPROX_PERCENTILE(x, share)",
        "The value with that share (0 to 1) of the others below it, within 1 % of that value; keeps a histogram.",
        takes(ANY_NUMBER, ANY_NUMBER, returns=DOUBLE, nullable=True),
        "The share is a literal from 0 to 1; as is each of an ARRAY[...] of several, which keep one histogram.",
        _at_share,
    ),
    _aggregate(
        "FIRST_VALUE",
        "FIRST_VALUE(x)",
        "The first that is not NULL, in order of arrival.",
        takes(ANYTHING, returns=lambda given: given[0], nullable=True),
    ),
    _aggregate(
        "LAST_VALUE",
        "LAST_VALUE(x)",
        "The last that is not NULL, in order of arrival.",
        takes(ANYTHING, returns=lambda given: given[0], nullable=True),
    ),
    _spread("STDDEV_POP", "Standard deviation of the whole."),
    _spread("STDDEV_SAMP", "Standard deviation of a sample.", "STDDEV"),
    _spread("VAR_POP", "Variance of the whole."),
    _spread("VAR_SAMP", "Variance of a sample.", "VARIANCE"),
    _aggregate(
        "LISTAGG",
        "LISTAGG([DISTINCT] s[, separator])",
        "The strings joined in order of arrival, by default with a comma.",
        takes(TEXT_OR_CASTABLE, TEXT, returns=STRING, optional=1, nullable=True),
    ),
    *(
        Function(
            f"json_arrayagg_{clause.lower()}_on_null",
            (*(["JSON_ARRAYAGG"] if clause == "ABSENT" else []), f"JSON_ARRAYAGG_{clause}_ON_NULL"),
            "aggregate",
            "JSON_ARRAYAGG(x [NULL | ABSENT ON NULL])" if clause == "ABSENT" else "",
            "The values as a JSON array in order of arrival, by default without NULLs; [] over none.",
            takes(_WRITABLE, returns=STRING, nullable=False),
        )
        for clause in ("ABSENT", "NULL")
    ),
    *(
        Function(
            f"json_objectagg_{clause.lower()}_on_null",
            (*(["JSON_OBJECTAGG"] if clause == "NULL" else []), f"JSON_OBJECTAGG_{clause}_ON_NULL"),
            "aggregate",
            "JSON_OBJECTAGG([KEY] key VALUE x [NULL | ABSENT ON NULL])" if clause == "NULL" else "",
            "The pairs as a JSON object; a key that occurs twice, or is NULL, fails the job. {} over none.",
            takes(TEXT, _WRITABLE, returns=STRING, nullable=False),
        )
        for clause in ("NULL", "ABSENT")
    ),
    _aggregate(
        "COLLECT",
        "COLLECT([DISTINCT] x)",
        "A MAP<T, INT> of each value to how often it occurs, NULLs left out.",
        takes(_KEYED, returns=lambda given: map_of(given[0].not_null(), INT.not_null()), nullable=False),
    ),
    *_bitmap_aggregates(),
    _aggregate(
        "ARRAY_AGG",
        "ARRAY_AGG([DISTINCT] x)",
        "The values in order of arrival, NULLs included.",
        takes(_KEYED, returns=lambda given: array_of(given[0]), nullable=True),
    ),
)
