"""How CSV fields are written, and which columns can be fields: what decoder and encoder share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import polars as pl

from yeoul.errors import UserError
from yeoul.formats.contract import FormatColumn
from yeoul.formats.json.fields import instance
from yeoul.formats.json.nested import is_map

__all__ = ["PLAIN", "CsvDialect", "check_fields", "parts_of"]


@dataclass(frozen=True, slots=True)
class CsvDialect:
    """How fields are written.

    Attributes:
        delimiter: Between fields, one ASCII character; None: a record is one field.
        quote: Around fields that need it; None to have none.
        null_literal: The text of a NULL; None for an empty field.
        comments: Whether a record that begins with # is passed over.
        element_delimiter: Between the elements of an ARRAY and the fields of a ROW.
        escape: Before a character that stands for itself; None for none.
        trims: Whether spaces around fields are taken off.
        empty_is_null: Whether an empty field is NULL in a STRING column, too.
        needs_all: Whether a record with too few fields is bad where bad fields are NULL, too.
        takes_more: Whether fields behind the last are passed over.
        takes_last: Whether a delimiter may stand behind the last field.
    """

    delimiter: str | None = ","
    quote: str | None = '"'
    null_literal: str | None = None
    comments: bool = False
    element_delimiter: str = ";"
    escape: str | None = None
    trims: bool = False
    empty_is_null: bool = False
    needs_all: bool = False
    takes_more: bool = False
    takes_last: bool = True


PLAIN: Final = CsvDialect()
"""What holds without options."""


def parts_of(dtype: pl.DataType) -> list[pl.DataType] | None:
    """Returns the types within a field: of an ARRAY its elements', of a ROW its fields'; None for a plain value.

    Example:
        >>> parts_of(pl.List(pl.Int32())), parts_of(pl.String())
        ([Int32], None)
    """
    if isinstance(dtype, pl.List):
        return [instance(dtype.inner)]
    return [instance(part.dtype) for part in dtype.fields] if isinstance(dtype, pl.Struct) else None


def check_fields(columns: Iterable[FormatColumn]) -> None:
    """Refuses columns that no field can hold.

    Raises:
        UserError: A column is a MAP, or has an ARRAY, a MAP or a ROW within.
    """
    for column in columns:
        if isinstance(column.dtype, pl.List) and is_map(column.dtype):
            raise UserError(
                f"Column {column.name!r}: the csv format has no MAP", hint="Use the json format, or a STRING column"
            )
        if any(parts_of(part) is not None for part in parts_of(column.dtype) or ()):
            raise UserError(
                f"Column {column.name!r}: the csv format has plain values only within an ARRAY or a ROW",
                hint="Use the json format, or a STRING column",
            )
