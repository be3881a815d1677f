"""The options of `datagen`, named as Flink's; `seed` is ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from yeoul.connectors.options import Option, choice, parse_duration_ms, text, whole
from yeoul.errors import UserError

__all__ = ["FIELD_OPTIONS", "NUMBER_OF_ROWS", "ROWS_PER_SECOND", "SEED", "field_option", "parse_rate"]


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

FIELD_OPTIONS: dict[str, Option[Any]] = {
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
    option = FIELD_OPTIONS[part]
    name = f"fields.{column}.{part}"
    return option.read_text(name, options[name]) if name in options else option.default
