"""Functions of bitmaps: sets of 32-bit integers."""

from __future__ import annotations

from yeoul.plan.functions.signatures import BINARY, Function, Parameter, Rule, takes
from yeoul.plan.types import BIGINT, BITMAP, BYTES, INT, STRING, DataType, Kind, array_of

__all__ = ["BITMAPS"]

_SMALL = frozenset({Kind.TINYINT, Kind.SMALLINT, Kind.INT})


def _integers(given: DataType) -> DataType | None:
    if given.kind is Kind.NULL:
        return array_of(INT)
    fits = given.kind is Kind.ARRAY and given.element is not None and given.element.kind in _SMALL
    return array_of(INT).or_null(given.nullable) if fits else None


_INTEGERS = Parameter("an ARRAY<INT>", _integers)
_BITMAP = Parameter("a BITMAP", lambda given: given if given.kind is Kind.BITMAP else None)


def _bitmap(name: str, arguments: str, summary: str, rule: Rule) -> Function:
    return Function(
        f"bitmap_{name}", (f"BITMAP_{name.upper()}",), "bitmap", f"BITMAP_{name.upper()}({arguments})", summary, rule
    )


def _of_two(name: str, summary: str) -> Function:
    return _bitmap(name, "a, b", summary, takes(_BITMAP, _BITMAP, returns=BITMAP))


BITMAPS: tuple[Function, ...] = (
    _bitmap("build", "array", "The set of the integers, NULLs left out.", takes(_INTEGERS, returns=BITMAP)),
    _of_two("and", "The integers that are in both."),
    _of_two("or", "The integers that are in either."),
    _of_two("xor", "The integers that are in one of them alone."),
    _of_two("andnot", "The integers of a that are not in b."),
    _bitmap("cardinality", "b", "How many there are.", takes(_BITMAP, returns=BIGINT)),
    _bitmap("to_array", "b", "The integers, those below 0 last.", takes(_BITMAP, returns=array_of(INT))),
    _bitmap("to_string", "b", "As {1,5,4294967295}: without a sign.", takes(_BITMAP, returns=STRING)),
    _bitmap("to_bytes", "b", "In Roaring's portable format.", takes(_BITMAP, returns=BYTES)),
    _bitmap("from_bytes", "bytes", "Out of Roaring's portable format.", takes(BINARY, returns=BITMAP)),
)
