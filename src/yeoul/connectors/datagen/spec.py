"""The options of `datagen`, named as Flink's; `seed` is ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from yeoul.connectors.options import Option, choice, parse_duration_ms, text, whole
from yeoul.connectors.spec import ConnectorContext, ConnectorSpec
from yeoul.errors import UserError, did_you_mean
from yeoul.plan.tables import Column, ColumnKind

if TYPE_CHECKING:
    from yeoul.engine.contract import Source
    from yeoul.plan.nodes import Scan

__all__ = ["DATAGEN", "NUMBER_OF_ROWS", "ROWS_PER_SECOND", "SEED", "field_option", "parse_rate"]


def parse_rate(given: str) -> float:
    """Reads a share between 0 and 1."""
    try:
        rate = float(given)
    except ValueError:
        rate = -1.0
    if not 0 <= rate <= 1:
        raise UserError(f"Expected a number between 0 and 1, got {given!r}")
    return rate


ROWS_PER_SECOND: Option[int] = Option("rows-per-second", whole(1), 10_000, "How many rows to make each second.")
NUMBER_OF_ROWS: Option[int | None] = Option(
    "number-of-rows", whole(0), None, "How many rows to make in all; without it, and without a sequence, it never ends."
)
SEED: Option[int | None] = Option("seed", whole(0), None, "Makes the same rows every time.", is_own=True)

_FIELD_OPTIONS: dict[str, Option[Any]] = {
    "kind": Option("fields.*.kind", choice(("random", "sequence")), "random", "How the values are made."),
    "min": Option("fields.*.min", text, None, "The smallest random value."),
    "max": Option("fields.*.max", text, None, "The largest random value."),
    "max-past": Option("fields.*.max-past", parse_duration_ms, 0, "How far random timestamps lie in the past."),
    "length": Option("fields.*.length", whole(0, 1 << 20), 100, "Length of random texts, bytes, arrays and maps."),
    "var-len": Option("fields.*.var-len", text, "false", "Whether lengths vary up to `length`."),
    "null-rate": Option("fields.*.null-rate", parse_rate, 0.0, "The share of nulls."),
    "start": Option("fields.*.start", whole(), None, "The first value of a sequence."),
    "end": Option("fields.*.end", whole(), None, "The last value of a sequence; the source ends there."),
}


def field_option(options: Mapping[str, str], column: str, part: str) -> Any:
    """Returns the value of `fields.<column>.<part>`, or its default."""
    option = _FIELD_OPTIONS[part]
    name = f"fields.{column}.{part}"
    return option.read_text(name, options[name]) if name in options else option.default


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
    options=(ROWS_PER_SECOND, NUMBER_OF_ROWS, SEED, *_FIELD_OPTIONS.values()),
    doc="Makes rows up at a rate.",
    make_source=_make_source,
    check=_check,
    is_bounded=_is_bounded,
    how_to_bound="give it 'number-of-rows'",
)
