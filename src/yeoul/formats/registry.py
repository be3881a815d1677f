"""Which formats there are, their options, and how a decoder or encoder is made.

Light to import: a format loads when it is used. Options come without the format's prefix (`ignore-parse-errors`, not
`json.ignore-parse-errors`). Callers: `connectors`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from yeoul.errors import UserError, did_you_mean
from yeoul.kernels import compile_missing

if TYPE_CHECKING:
    from yeoul.formats.contract import Decoder, Encoder, FormatColumn
    from yeoul.formats.csv import CsvDialect

__all__ = ["check_options", "format_names", "make_decoder", "make_encoder", "option_names"]


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


@dataclass(frozen=True, slots=True)
class _Format:
    """A format: its options, each with a parser."""

    options: Mapping[str, Callable[[str], object]]


_FORMATS: Final[dict[str, _Format]] = {
    "json": _Format(
        {
            "fail-on-missing-field": _boolean,
            "ignore-parse-errors": _boolean,
            "timestamp-format.standard": _one_of("SQL", "ISO-8601"),
            "encode.decimal-as-plain-number": _boolean,
            "encode.ignore-null-fields": _boolean,
            "map-null-key.mode": _one_of("FAIL", "DROP", "LITERAL"),
            "map-null-key.literal": str,
        }
    ),
    "csv": _Format(
        {
            "field-delimiter": _character,
            "quote-character": _character,
            "disable-quote-character": _boolean,
            "allow-comments": _boolean,
            "ignore-parse-errors": _boolean,
            "null-literal": str,
        }
    ),
    "raw": _Format({"charset": _one_of("UTF-8"), "endianness": _one_of("big-endian", "little-endian")}),
}


def format_names() -> tuple[str, ...]:
    """Returns the names of all formats.

    Example:
        >>> format_names()
        ('json', 'csv', 'raw')
    """
    return tuple(_FORMATS)


def option_names(name: str) -> tuple[str, ...]:
    """Returns the options of a format, without its prefix."""
    return tuple(_format(name).options)


def check_options(name: str, options: Mapping[str, str]) -> None:
    """Refuses an unknown format, an unknown option, a value that an option cannot have.

    Raises:
        UserError: With the nearest known name as a hint.
    """
    _parsed(name, options)


def _format(name: str) -> _Format:
    if name not in _FORMATS:
        raise UserError(f"Unknown format {name!r}", hint=did_you_mean(name, _FORMATS))
    return _FORMATS[name]


def _parsed(name: str, options: Mapping[str, str]) -> dict[str, object]:
    known = _format(name).options
    parsed = {}
    for option, text in options.items():
        if option not in known:
            raise UserError(f"Unknown option '{name}.{option}'", hint=did_you_mean(option, known))
        try:
            parsed[option] = known[option](text)
        except ValueError as error:
            raise UserError(f"Option '{name}.{option}': {error}, got {text!r}") from error
    if parsed.get("fail-on-missing-field") and parsed.get("ignore-parse-errors"):
        raise UserError(
            f"'{name}.fail-on-missing-field' and '{name}.ignore-parse-errors' cannot both be true",
            hint="Choose what should become of an incomplete record: dead, or NULL where something is missing",
        )
    return parsed


def make_decoder(
    name: str,
    columns: Sequence[FormatColumn],
    options: Mapping[str, str] | None = None,
    *,
    record: Sequence[FormatColumn] | None = None,
) -> Decoder:
    """Makes the decoder of a format.

    Args:
        name: The format.
        columns: The columns to read, in the order wanted.
        options: Its options, without prefix.
        record: All columns that a record has, in their order, for a format in which the place counts (csv); the
            columns to read if left out.

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
    if name == "csv":
        from yeoul.formats.csv import CsvDecoder

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
        from yeoul.formats.json.encoder import JsonEncoder

        iso = parsed.get("timestamp-format.standard") == "ISO-8601"
        return JsonEncoder(
            wanted,
            iso,
            bool(parsed.get("encode.ignore-null-fields")),
            str(parsed.get("map-null-key.mode", "FAIL")),
            str(parsed.get("map-null-key.literal", "null")),
        )
    if name == "csv":
        from yeoul.formats.csv import CsvEncoder

        return CsvEncoder(wanted, _dialect(parsed))
    from yeoul.formats.raw import RawEncoder

    return RawEncoder(wanted, parsed.get("endianness") == "little-endian")


def _dialect(parsed: Mapping[str, object]) -> CsvDialect:
    from yeoul.formats.csv import CsvDialect

    quote = None if parsed.get("disable-quote-character") else str(parsed.get("quote-character", '"'))
    null = parsed.get("null-literal")
    return CsvDialect(
        delimiter=str(parsed.get("field-delimiter", ",")),
        quote=quote,
        null_literal=None if null is None else str(null),
        comments=bool(parsed.get("allow-comments")),
    )
