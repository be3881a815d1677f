"""The options of each format: how each is read, what holds without it, what it means.

Owns the tables that `registry` checks by and that docs/connectors.md is written out of. Options come without the
format's prefix (`ignore-parse-errors`, not `json.ignore-parse-errors`). Light to import: no format is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

__all__ = ["FORMATS", "Format", "FormatOption"]


@dataclass(frozen=True, slots=True)
class FormatOption:
    """An option: how its text is read (ValueError says what was expected), what holds without it, what it means."""

    parse: Callable[[str], object]
    default: str
    doc: str


@dataclass(frozen=True, slots=True)
class Format:
    """A format.

    Attributes:
        doc: One sentence for people.
        options: By name, without the format's prefix.
        absent: Flink's options that are not here, each with the reason or the way round.
        metadata: What of a record can be read besides the row.
        tells_changes: Whether a record may take a row back.
        is_of_files: Whether it fills whole files, so that no record of a topic can have it.
    """

    doc: str
    options: Mapping[str, FormatOption]
    absent: Mapping[str, str] = field(default_factory=dict)
    metadata: tuple[str, ...] = ()
    tells_changes: bool = False
    is_of_files: bool = False


def _boolean(text: str) -> bool:
    if text.strip().lower() not in ("true", "false"):
        raise ValueError("expected true or false")
    return text.strip().lower() == "true"


def _one_of(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        for choice in allowed:
            if text.lower() == choice.lower():
                return choice
        raise ValueError("expected " + " or ".join(map(repr, allowed)))

    return parse


def _character(text: str) -> str:
    named = {"\\t": "\t", "\\u0001": "\x01"}
    text = named.get(text, text)
    if len(text) != 1 or not text.isascii() or text in "\r\n":
        raise ValueError("expected one ASCII character, not a line end")
    return text


def _letter(text: str) -> str:
    if len(text) != 1:
        raise ValueError("expected one character")
    return text


def _only(wanted: str, otherwise: str) -> Callable[[str], str]:
    """Returns what takes one value only and says why, for an option that is how things are here."""

    def parse(text: str) -> str:
        if text.strip().lower() != wanted:
            raise ValueError(f"expected {wanted!r} ({otherwise})")
        return wanted

    return parse


_LENIENT: Final = FormatOption(
    _boolean, "false", "What does not decode is NULL where it is a field, and passed over where it is a record."
)
_MAP_KEYS: Final[dict[str, FormatOption]] = {
    "map-null-key.mode": FormatOption(
        _one_of("FAIL", "DROP", "LITERAL"), "FAIL", "What becomes of a map's entry whose key is NULL."
    ),
    "map-null-key.literal": FormatOption(str, "null", "The key that LITERAL writes."),
}
_TIMES: Final = FormatOption(
    _one_of("SQL", "ISO-8601"), "SQL", "`2024-01-01 10:00:00` or `2024-01-01T10:00:00`, read and written."
)
_ENCODING: Final[dict[str, FormatOption]] = {
    "encode.decimal-as-plain-number": FormatOption(
        _boolean, "true", "Accepted for Flink's sake: decimals are always written without an exponent."
    ),
    "encode.ignore-null-fields": FormatOption(_boolean, "false", "Leave NULL fields out of what is written."),
}

_JSON: Final = Format(
    "A JSON object a record.",
    {
        "fail-on-missing-field": FormatOption(_boolean, "false", "A record without a column's field is dead."),
        "ignore-parse-errors": _LENIENT,
        "timestamp-format.standard": _TIMES,
        **_ENCODING,
        **_MAP_KEYS,
        "decode.json-parser.enabled": FormatOption(
            _boolean, "true", "Accepted for Flink's sake: it chooses between two decoders, there is one here."
        ),
    },
)

_CSV: Final = Format(
    "Fields by place, no header line. An ARRAY or a ROW of plain values is one field.",
    {
        "field-delimiter": FormatOption(_character, ",", "Between fields."),
        "disable-quote-character": FormatOption(_boolean, "false", "No character is a quote."),
        "quote-character": FormatOption(_character, '"', "Around fields that need it, twice within them."),
        "allow-comments": FormatOption(_boolean, "false", "Pass over records that begin with #."),
        "ignore-parse-errors": _LENIENT,
        "array-element-delimiter": FormatOption(
            _letter, ";", "Between the elements of an ARRAY or the fields of a ROW."
        ),
        "escape-character": FormatOption(
            _character, "none", "What follows it stands for itself; `n`, `r`, `t`, `0` for a control character."
        ),
        "null-literal": FormatOption(str, "none", "The text that is NULL, read and written."),
        "trim-spaces": FormatOption(_boolean, "false", "Take the spaces around fields off."),
        "empty-string-as-null": FormatOption(_boolean, "false", "An empty field is NULL in a STRING column, too."),
        "ignore-trailing-unmappable": FormatOption(_boolean, "false", "Pass over fields behind the last column's."),
        "fail-on-missing-columns": FormatOption(
            _boolean, "false", "With `ignore-parse-errors` pass over a record with too few fields; else they are NULL."
        ),
        "allow-trailing-comma": FormatOption(_boolean, "true", "A delimiter may stand behind the last field."),
        "write-bigdecimal-in-scientific-notation": FormatOption(
            _only("false", "decimals are written without an exponent"),
            "false",
            "Decimals are always written without an exponent.",
        ),
    },
)

_DEBEZIUM: Final = Format(
    "Changes as Debezium tells them, read and written.",
    {
        "schema-include": FormatOption(_boolean, "false", "Records carry a schema around their payload; read only."),
        "ignore-parse-errors": _LENIENT,
        "timestamp-format.standard": _TIMES,
        **_ENCODING,
        **_MAP_KEYS,
    },
    metadata=(
        "schema",
        "ingestion-timestamp",
        "source.timestamp",
        "source.database",
        "source.schema",
        "source.table",
        "source.properties",
    ),
    tells_changes=True,
)

_RAW: Final = Format(
    "A record's bytes are the value of the one column.",
    {
        "charset": FormatOption(_one_of("UTF-8"), "UTF-8", "Of texts; there is no other."),
        "endianness": FormatOption(_one_of("big-endian", "little-endian"), "big-endian", "Of numbers."),
    },
)

_CODECS: Final = ("UNCOMPRESSED", "SNAPPY", "GZIP", "BROTLI", "LZ4", "ZSTD")
_PARQUET: Final = Format(
    "Whole files of columns, by connector `filesystem`.",
    {
        "compression": FormatOption(
            _one_of(*_CODECS), "ZSTD", f"How what is written is compressed: {', '.join(_CODECS)}."
        ),
        "utc-timezone": FormatOption(
            _only("true", "a TIMESTAMP is written as it is"), "true", "A TIMESTAMP is written as it is, in no zone."
        ),
        "write.int64.timestamp": FormatOption(
            _only("true", "a TIMESTAMP is written as INT64; INT96 is read"),
            "true",
            "A TIMESTAMP is written as INT64; INT96 is read, too.",
        ),
    },
    {
        "timestamp.time.unit": "A TIMESTAMP is written in milli-, micro- or nanoseconds by its precision",
        "batch-size": "A row group is read at once",
    },
    is_of_files=True,
)

FORMATS: Final[Mapping[str, Format]] = {
    "json": _JSON,
    "csv": _CSV,
    "debezium-json": _DEBEZIUM,
    "raw": _RAW,
    "parquet": _PARQUET,
}
"""Every format by name."""
