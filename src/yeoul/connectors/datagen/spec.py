"""The connector `datagen`: what it checks, when it ends, what reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from yeoul.connectors.datagen.options import FIELD_OPTIONS, NUMBER_OF_ROWS, ROWS_PER_SECOND, SEED, field_option
from yeoul.connectors.spec import ConnectorContext, ConnectorSpec
from yeoul.errors import UserError, did_you_mean
from yeoul.plan.tables import Column, ColumnKind

if TYPE_CHECKING:
    from yeoul.engine.contract import Source
    from yeoul.plan.nodes import Scan

__all__ = ["DATAGEN"]


def _check(options: Mapping[str, str], columns: Sequence[Column], primary_key: Sequence[str]) -> None:
    names = [column.name for column in columns if column.kind is ColumnKind.PHYSICAL]
    for option in options:
        if not option.startswith("fields."):
            continue
        column = option.removeprefix("fields.").rsplit(".", 1)[0]
        root = column.split(".", 1)[0]
        if root not in names:
            raise UserError(f"Option {option!r}: the table has no column {root!r}", hint=did_you_mean(root, names))
    for name in names:
        if field_option(options, name, "kind") != "sequence":
            continue
        for part in ("start", "end"):
            if f"fields.{name}.{part}" not in options:
                raise UserError(f"A sequence needs the option 'fields.{name}.{part}'", hint="Give both start and end.")


def _is_bounded(options: Mapping[str, str]) -> bool:
    """A number of rows ends it, or a column's sequence; a field inside a column has none."""
    columns = [name.split(".")[1] for name in options if name.count(".") == 2 and name.startswith("fields.")]
    has_sequence = any(field_option(options, column, "kind") == "sequence" for column in columns)
    return has_sequence or NUMBER_OF_ROWS.read(options) is not None


def _make_source(scan: Scan, context: ConnectorContext) -> Source:
    from yeoul.connectors.datagen.source import DatagenSource

    return DatagenSource(scan, context.clock)


DATAGEN = ConnectorSpec(
    name="datagen",
    options=(ROWS_PER_SECOND, NUMBER_OF_ROWS, SEED, *FIELD_OPTIONS.values()),
    doc="Makes rows up at a rate.",
    make_source=_make_source,
    check=_check,
    is_bounded=_is_bounded,
    how_to_bound="give it 'number-of-rows'",
)
