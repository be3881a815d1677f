"""Formats as options of a table: `format`, `key.format`, `value.format`, and what belongs to each.

Owns which option names the format of which part of a record, and hands the format's own options (`json.*`,
`key.json.*`) to `yeoul.formats.registry`. Invariants: importing this loads no format. Callers: `registry` (checks),
`records` and the sinks (decoders, encoders).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from yeoul.connectors.options import Option, choice
from yeoul.connectors.spec import ConnectorSpec
from yeoul.errors import UserError, did_you_mean
from yeoul.plan.encoding import Encoding

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from yeoul.formats.contract import ChangeEncoder, Decoder, Encoder, FormatColumn, RecordBuffer

__all__ = [
    "KEY",
    "ON_MALFORMED",
    "VALUE",
    "check_formats",
    "encoded",
    "fails_on_malformed",
    "format_metadata",
    "format_of",
    "is_format_option",
    "known_options",
    "make_decoder",
    "make_encoder",
    "metadata_of_format",
    "other_format",
    "taken_back",
    "told_by_format",
]

ON_MALFORMED: Option[str] = Option(
    "on-malformed",
    choice(("dead", "fail")),
    "dead",
    "What becomes of a record that does not decode: 'dead' keeps it in `<table>$dead`, 'fail' ends the job.",
    is_own=True,
)

VALUE = ""
KEY = "key."
_METADATA_PREFIX = "value."


def fails_on_malformed(options: Mapping[str, str]) -> bool:
    """Tells whether a record that does not decode ends the job."""
    return ON_MALFORMED.read(options) == "fail"


def format_of(options: Mapping[str, str], role: str) -> str | None:
    """Returns the format of the value (role "") or of the key (role "key."); `value.format` is another name.

    Example:
        >>> format_of({"value.format": "json", "key.format": "raw"}, ""), format_of({"key.format": "raw"}, "key.")
        ('json', 'raw')
    """
    if role == KEY:
        return options.get("key.format")
    return options.get("format", options.get("value.format"))


def _own_options(options: Mapping[str, str], role: str) -> dict[str, str]:
    """Returns the options of a part's format without what stands before them: `ignore-parse-errors` and so on."""
    name = format_of(options, role)
    prefixes = [f"key.{name}."] if role == KEY else [f"{name}.", f"value.{name}."]
    return {
        option.removeprefix(prefix): value
        for option, value in options.items()
        for prefix in prefixes
        if option.startswith(prefix)
    }


def is_format_option(spec: ConnectorSpec, name: str, options: Mapping[str, str]) -> bool:
    """Tells whether an option is about a format: names one, or belongs to one that the table names."""
    if name in spec.format_options:
        return True
    value, key = format_of(options, VALUE), format_of(options, KEY)
    owners = [f"{value}.", f"value.{value}."] if value and spec.format_options else []
    owners += [f"key.{key}."] if key and "key.format" in spec.format_options else []
    return any(name.startswith(owner) for owner in owners)


def known_options(spec: ConnectorSpec, options: Mapping[str, str]) -> list[str]:
    """Returns the names of the options that belong to the formats which the table names."""
    from yeoul.formats.options import FORMATS
    from yeoul.formats.registry import option_names

    known = list(spec.format_options)
    for role in (VALUE, KEY):
        name = format_of(options, role) or ""
        if name in FORMATS:
            known += [f"{role}{name}.{option}" for option in option_names(name)]
    return known


def other_format(name: str, options: Mapping[str, str]) -> str:
    """Returns the hint for an option that belongs to a format which the table does not have; empty if it does not."""
    from yeoul.formats.options import FORMATS

    owner = name.removeprefix("value.").removeprefix("key.").partition(".")[0]
    if owner not in FORMATS:
        return ""
    return f"It belongs to the format {owner!r}; the table's is {format_of(options, VALUE)!r}."


def check_formats(spec: ConnectorSpec, options: Mapping[str, str]) -> None:
    """Checks the formats of a table and their options.

    Raises:
        UserError: None is named, the connector cannot carry it, or an option of it is wrong.
    """
    from yeoul.formats.registry import check_options, format_names, refuse_absent, tells_changes

    if not spec.format_options:
        return
    if format_of(options, VALUE) is None:
        raise UserError(f"Connector {spec.name!r} needs the option 'format'", hint="For example 'format' = 'json'.")
    known = format_names() if spec.formats is None else spec.formats
    for role in (VALUE, KEY):
        name = format_of(options, role)
        if name is None:
            continue
        refuse_absent(name)
        if name not in known:
            raise UserError(f"Unknown format {name!r} for connector {spec.name!r}", hint=did_you_mean(name, known))
        if role == KEY and tells_changes(name):
            hint = "A key says which row, the value what became of it. For example 'key.format' = 'json'."
            raise UserError(f"The format {name!r} tells of changes and cannot be a key's", hint=hint)
        check_options(name, _own_options(options, role))


def told_by_format(options: Mapping[str, str]) -> Encoding:
    """Returns what a record means by its value's format alone.

    Example:
        >>> told_by_format({"format": "debezium-json"}).value, told_by_format({"format": "json"}).value
        ('retract', 'append')
    """
    from yeoul.formats.registry import tells_changes

    return Encoding.RETRACT if tells_changes(format_of(options, VALUE) or "") else Encoding.APPEND


def metadata_of_format(options: Mapping[str, str]) -> tuple[str, ...]:
    """Returns the metadata keys that the value's format has, as a table names them: `value.<key>`."""
    from yeoul.formats.registry import format_names, metadata_keys

    name = format_of(options, VALUE)
    return tuple(_METADATA_PREFIX + key for key in metadata_keys(name)) if name in format_names() else ()


def format_metadata(key: str) -> str | None:
    """Returns a metadata key as the value's format knows it; None if it is the connector's.

    Example:
        >>> format_metadata("value.source.table"), format_metadata("offset")
        ('source.table', None)
    """
    return key.removeprefix(_METADATA_PREFIX) if key.startswith(_METADATA_PREFIX) else None


def make_decoder(
    options: Mapping[str, str],
    role: str,
    columns: Sequence[FormatColumn],
    record: Sequence[FormatColumn],
    metadata: Mapping[str, FormatColumn] | None = None,
    *,
    needs_before: bool = True,
) -> Decoder:
    """Returns what decodes one part of a record.

    Args:
        options: The table's.
        role: `VALUE` or `KEY`.
        columns: The columns to read.
        record: All columns that are in this part of the record, in their order.
        metadata: What of the record to read besides, by the format's key.
        needs_before: Whether a change of a row has to say what the row was.

    Raises:
        UserError: The format does not have a column's type.
    """
    from yeoul.formats import registry

    name = format_of(options, role)
    assert name is not None
    own = _own_options(options, role)
    return registry.make_decoder(name, columns, own, record=record, metadata=metadata, needs_before=needs_before)


def encoded(encoder: Encoder, frame: pl.DataFrame) -> RecordBuffer:
    """Returns a batch for a sink as records; rows that are taken back as such: their format tells changes."""
    gone = taken_back(frame)
    if gone is None or not gone.any():
        return encoder.encode(frame)
    return cast("ChangeEncoder", encoder).encode(frame, gone)


def taken_back(frame: pl.DataFrame) -> NDArray[np.bool_] | None:
    """Returns which rows of a batch for a sink are taken back; None: it has no changes."""
    from yeoul.engine.contract import CHANGE

    # -U and -D are the odd ones.
    return (frame.get_column(CHANGE).to_numpy() & 1) != 0 if CHANGE in frame.columns else None


def make_encoder(options: Mapping[str, str], role: str, columns: Sequence[FormatColumn]) -> Encoder:
    """Returns what encodes one part of a record.

    Raises:
        UserError: The format does not have a column's type.
    """
    from yeoul.formats import registry

    name = format_of(options, role)
    assert name is not None
    return registry.make_encoder(name, columns, _own_options(options, role))
