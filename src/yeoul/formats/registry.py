"""Which formats there are, their options, and how a decoder or encoder is made.

Light to import: a format loads when it is used. Options come without the format's prefix (`ignore-parse-errors`, not
`json.ignore-parse-errors`). Callers: `connectors`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from yeoul.errors import UserError, did_you_mean
from yeoul.formats.options import FORMATS, Format
from yeoul.kernels import compile_missing

if TYPE_CHECKING:
    from yeoul.formats.contract import ChangeEncoder, Decoder, Encoder, FormatColumn
    from yeoul.formats.csv.dialect import CsvDialect
    from yeoul.formats.json.encoder import JsonEncoder

__all__ = [
    "check_options",
    "format_names",
    "make_change_encoder",
    "make_decoder",
    "make_encoder",
    "metadata_keys",
    "option_names",
    "refuse_absent",
    "tells_changes",
]


_OTHER_FORMATS: Final = frozenset({"avro", "avro-confluent", "protobuf", "orc"})
_OTHER_CHANGE_FORMATS: Final = frozenset({"canal-json", "maxwell-json", "ogg-json", "debezium-avro-confluent"})


def format_names() -> tuple[str, ...]:
    """Returns the names of all formats that a record can have.

    Example:
        >>> format_names()
        ('json', 'csv', 'debezium-json', 'raw')
    """
    return tuple(name for name, one in FORMATS.items() if not one.is_of_files)


def option_names(name: str) -> tuple[str, ...]:
    """Returns the options of a format, without its prefix."""
    return tuple(_format(name).options)


def metadata_keys(name: str) -> tuple[str, ...]:
    """Returns what of a record, besides the row, a format can read."""
    return _format(name).metadata


def tells_changes(name: str) -> bool:
    """Tells whether a record of a format may take a row back; false for a format that is not there."""
    return name in FORMATS and FORMATS[name].tells_changes


def check_options(name: str, options: Mapping[str, str]) -> None:
    """Refuses an unknown format, an unknown option, a value that an option cannot have.

    Raises:
        UserError: With the nearest known name as a hint.
    """
    _parsed(name, options)


def refuse_absent(name: str) -> None:
    """Refuses a format of Flink's that is not here.

    Raises:
        UserError: It is one; the hint names what there is.
    """
    if name in _OTHER_FORMATS:
        raise UserError(
            f"The format {name!r} is not in this version",
            hint="'json', 'csv' and 'raw' are; files can be 'parquet', too.",
        )
    if name in _OTHER_CHANGE_FORMATS:
        raise UserError(
            f"The format {name!r} is not in this version",
            hint="'debezium-json' tells of changes; the connector 'upsert-kafka' does so by key, in json, csv or raw.",
        )


def _format(name: str) -> Format:
    refuse_absent(name)
    if name not in FORMATS:
        raise UserError(f"Unknown format {name!r}", hint=did_you_mean(name, FORMATS))
    return FORMATS[name]


def _parsed(name: str, options: Mapping[str, str]) -> dict[str, object]:
    known = _format(name).options
    parsed = {}
    for option, text in options.items():
        if option not in known:
            full = {f"{name}.{one}" for one in known}
            hint = _format(name).absent.get(option) or did_you_mean(f"{name}.{option}", full)
            raise UserError(f"Unknown option '{name}.{option}'", hint=hint)
        try:
            parsed[option] = known[option].parse(text)
        except ValueError as error:
            raise UserError(f"Option '{name}.{option}': {error}, got {text!r}") from error
    if parsed.get("fail-on-missing-field") and parsed.get("ignore-parse-errors"):
        raise UserError(
            f"'{name}.fail-on-missing-field' and '{name}.ignore-parse-errors' cannot both be true",
            hint="Choose what should become of an incomplete record: dead, or NULL where something is missing",
        )
    if parsed.get("disable-quote-character") and "quote-character" in parsed:
        raise UserError(
            f"'{name}.quote-character' says what '{name}.disable-quote-character' takes away",
            hint="Leave one of them out",
        )
    return parsed


def make_decoder(
    name: str,
    columns: Sequence[FormatColumn],
    options: Mapping[str, str] | None = None,
    *,
    record: Sequence[FormatColumn] | None = None,
    metadata: Mapping[str, FormatColumn] | None = None,
    needs_before: bool = True,
) -> Decoder:
    """Makes the decoder of a format.

    Args:
        name: The format.
        columns: The columns to read, in the order wanted.
        options: Its options, without prefix.
        record: All columns that a record has, in their order, for a format in which the place counts (csv); the
            columns to read if left out.
        metadata: What to read besides, by key; its columns come behind the others.
        needs_before: Whether a change of a row has to say what the row was.

    Raises:
        UserError: Unknown format or option, or a column of a type that the format does not have.
    """
    parsed = _parsed(name, options or {})
    compile_missing()
    wanted = tuple(columns)
    lenient = bool(parsed.get("ignore-parse-errors"))
    if name == "json":
        from yeoul.formats.json.decoder import JsonDecoder

        iso = parsed.get("timestamp-format.standard") == "ISO-8601"
        return JsonDecoder(wanted, lenient, bool(parsed.get("fail-on-missing-field")), iso)
    if name == "debezium-json":
        from yeoul.formats.debezium import DebeziumDecoder

        iso = parsed.get("timestamp-format.standard") == "ISO-8601"
        read = wanted or tuple(record or ())[:1]
        has_schema = bool(parsed.get("schema-include"))
        return DebeziumDecoder(read, dict(metadata or {}), has_schema, lenient, iso, needs_before)
    if name == "csv":
        from yeoul.formats.csv.decoder import CsvDecoder

        return CsvDecoder(wanted, tuple(record or columns), _dialect(parsed), lenient)
    from yeoul.formats.raw import RawDecoder

    return RawDecoder(wanted, parsed.get("endianness") == "little-endian")


def make_encoder(name: str, columns: Sequence[FormatColumn], options: Mapping[str, str] | None = None) -> Encoder:
    """Makes the encoder of a format for frames that have these columns.

    Raises:
        UserError: Unknown format or option, or a column of a type that the format does not have.
    """
    parsed = _parsed(name, options or {})
    compile_missing()
    wanted = tuple(columns)
    if name == "json":
        return _json_encoder(wanted, parsed)
    if name == "debezium-json":
        return make_change_encoder(name, columns, options)
    if name == "csv":
        from yeoul.formats.csv.encoder import CsvEncoder

        return CsvEncoder(wanted, _dialect(parsed))
    from yeoul.formats.raw import RawEncoder

    return RawEncoder(wanted, parsed.get("endianness") == "little-endian")


def make_change_encoder(
    name: str, columns: Sequence[FormatColumn], options: Mapping[str, str] | None = None
) -> ChangeEncoder:
    """Makes the encoder of a format that tells of changes.

    Raises:
        UserError: Unknown option, or a column of a type that the format does not have.
    """
    parsed = _parsed(name, options or {})
    compile_missing()
    from yeoul.formats.debezium import DebeziumEncoder

    if parsed.get("schema-include"):
        raise UserError(
            "'debezium-json.schema-include' cannot be true for a table that is written",
            hint="Records are written without a schema; leave the option out.",
        )
    return DebeziumEncoder(_json_encoder(tuple(columns), parsed))


def _json_encoder(columns: tuple[FormatColumn, ...], parsed: Mapping[str, object]) -> JsonEncoder:
    from yeoul.formats.json.encoder import JsonEncoder

    return JsonEncoder(
        columns,
        parsed.get("timestamp-format.standard") == "ISO-8601",
        bool(parsed.get("encode.ignore-null-fields")),
        str(parsed.get("map-null-key.mode", "FAIL")),
        str(parsed.get("map-null-key.literal", "null")),
    )


def _dialect(parsed: Mapping[str, object]) -> CsvDialect:
    from yeoul.formats.csv.dialect import CsvDialect

    def text(option: str, default: str | None) -> str | None:
        given = parsed.get(option)
        return default if given is None else str(given)

    return CsvDialect(
        delimiter=text("field-delimiter", ","),
        quote=None if parsed.get("disable-quote-character") else text("quote-character", '"'),
        null_literal=text("null-literal", None),
        comments=bool(parsed.get("allow-comments")),
        element_delimiter=str(parsed.get("array-element-delimiter", ";")),
        escape=text("escape-character", None),
        trims=bool(parsed.get("trim-spaces")),
        empty_is_null=bool(parsed.get("empty-string-as-null")),
        needs_all=bool(parsed.get("fail-on-missing-columns")),
        takes_more=bool(parsed.get("ignore-trailing-unmappable")),
        takes_last=bool(parsed.get("allow-trailing-comma", True)),
    )
