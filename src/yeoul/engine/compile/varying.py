"""Arguments that a lowering wants as literals (formats, zones, paths, patterns), where a column gives them.

What a literal means is worked out once per job; what a column gives is worked out once for each different value, and
every row is computed by what its own value means. NULL for such an argument is NULL. A value that cannot be one (no
zone of that name) fails the job when it is met, where a literal is refused when the statement is submitted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import polars as pl

from yeoul.engine.compile.faults import EvaluationError, checked
from yeoul.engine.compile.lowering import Lowering, Site
from yeoul.errors import UserError
from yeoul.plan.expressions import Call, Literal
from yeoul.plan.types import Kind

__all__ = ["VARYING", "is_null", "varies", "varying"]

VARYING: Mapping[str, tuple[int, ...]] = {
    "date_format": (1,),
    "from_unixtime": (1,),
    "unix_timestamp": (1,),
    "to_date": (1,),
    "to_timestamp": (1,),
    "to_timestamp_ltz": (1, 2),
    "convert_tz": (1, 2),
    "json_value": (1,),
    "json_query": (1,),
    "json_exists": (1,),
    "regexp_replace": (1,),
    "regexp_extract": (2,),
    "regexp_extract_all": (1, 2),
    "similar": (1,),
    "not_similar": (1,),
    "parse_url": (1, 2),
    "str_to_map": (1, 2),
    "translate": (1, 2),
}
"""By function, the places of arguments that stand for a meaning."""
_NUMBERS = frozenset({"regexp_extract", "regexp_extract_all"})
"""Functions of which one of these is a number: the group of a pattern."""
_NULL_IS_A_MEANING = frozenset({"translate"})


def is_null(call: Call) -> bool:
    """Tells whether an argument that stands for a meaning is NULL, and so is the call.

    Example:
        >>> from yeoul.plan.types import STRING
        >>> is_null(Call("parse_url", (Literal("http://a", STRING), Literal(None, STRING)), STRING))
        True
    """
    if call.function in _NULL_IS_A_MEANING or not call.type.nullable:
        return False
    given = [call.args[place] for place in VARYING.get(call.function, ()) if place < len(call.args)]
    return any(isinstance(one, Literal) and one.value is None for one in given)


def varies(call: Call) -> bool:
    """Tells whether an argument that stands for a meaning is no literal."""
    return any(_is_open(call, place) for place in VARYING.get(call.function, ()))


def varying(lowering: Lowering, site: Site) -> pl.Expr:
    """Returns a call with such arguments, each row computed by the lowering for literals."""
    places = [place for place in VARYING[site.call.function] if _is_open(site.call, place)]
    names = [str(place) for place in range(len(site.args))]
    meanings: dict[tuple[object, ...], pl.Expr | None] = {}

    def meant(values: tuple[object, ...]) -> pl.Expr | None:
        """The call with literals; None: it is NULL."""
        if values not in meanings:
            if len(meanings) >= _MOST_MEANINGS:
                meanings.clear()
            meanings[values] = (
                None if None in values else _with_literals(lowering, site, dict(zip(places, values, strict=True)))
            )
        return meanings[values]

    def compute(*columns: pl.Series) -> pl.Series:
        lengths = set(map(len, columns))
        height = 0 if 0 in lengths else max(lengths)
        stretched = (one if len(one) == height else one.new_from_index(0, height) for one in columns)
        rows = pl.DataFrame([one.alias(name) for one, name in zip(stretched, names, strict=True)])
        parts = [part.with_columns(_computed(part, meant(values), site.dtype)) for values, part in _parts(rows, places)]
        return pl.concat(parts).sort(_ROW)[_VALUE] if parts else pl.Series(_VALUE, [], dtype=site.dtype)

    return checked(site.args, compute, site.dtype)


_MOST_MEANINGS = 256
_ROW, _VALUE = "row", "value"


def _is_open(call: Call, place: int) -> bool:
    if place >= len(call.args) or isinstance(call.args[place], Literal):
        return False
    type = call.args[place].type
    return type.kind is Kind.STRING or (type.is_integer and call.function in _NUMBERS)


def _parts(rows: pl.DataFrame, places: list[int]) -> Iterator[tuple[tuple[object, ...], pl.DataFrame]]:
    yield from rows.with_row_index(_ROW).partition_by([str(place) for place in places], as_dict=True).items()


def _computed(part: pl.DataFrame, value: pl.Expr | None, dtype: pl.DataType) -> pl.Expr:
    is_needed = value is not None and part["0"].null_count() < part.height
    return (value if is_needed and value is not None else pl.lit(None, dtype=dtype)).alias(_VALUE)


def _with_literals(lowering: Lowering, site: Site, values: Mapping[int, object]) -> pl.Expr:
    args = tuple(
        Literal(values[place], arg.type.not_null()) if place in values else arg  # type: ignore[arg-type]
        for place, arg in enumerate(site.call.args)
    )
    columns = tuple(pl.lit(values[place]) if place in values else pl.col(str(place)) for place in range(len(args)))
    try:
        return lowering(Site(replace(site.call, args=args), columns, site.context, site.strict))
    except UserError as error:
        raise EvaluationError(error.message, hint=error.hint) from None
