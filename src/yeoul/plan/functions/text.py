"""Functions of strings and bytes."""

from __future__ import annotations

from yeoul.plan.functions.signatures import (
    ANY_INTEGER,
    BINARY,
    TEXT,
    TEXT_OR_BYTES,
    TEXT_OR_CASTABLE,
    Function,
    Parameter,
    Typing,
    any_null,
    takes,
)
from yeoul.plan.types import BOOLEAN, BYTES, INT, STRING, DataType, Kind, array_of, map_of

__all__ = ["TEXTUAL"]


def _text(
    names: str,
    parameters: str,
    summary: str,
    *places: Parameter,
    returns: DataType = STRING,
    optional: int = 0,
    repeat_last: bool = False,
    nullable: bool | None = None,
) -> Function:
    every = tuple(names.split())
    rule = takes(*places, returns=returns, optional=optional, repeat_last=repeat_last, nullable=nullable)
    return Function(every[0].lower(), every, "string", f"{every[0]}({parameters})", summary, rule)


def _concat(args: tuple[DataType, ...]) -> Typing | None:
    if len(args) == 2 and all(each.kind is Kind.BYTES for each in args):
        return args, args[0].or_null(any_null(args))
    return takes(TEXT_OR_CASTABLE, returns=STRING, repeat_last=True)(args)


def _elt(args: tuple[DataType, ...]) -> Typing | None:
    binary = len(args) > 1 and args[1].kind is Kind.BYTES
    return takes(
        ANY_INTEGER, BINARY if binary else TEXT, returns=BYTES if binary else STRING, repeat_last=True, nullable=True
    )(args)


def _separator(given: DataType) -> DataType | None:
    """A string, or the code of a character."""
    return INT.or_null(given.nullable) if given.is_integer and given.kind is not Kind.BIGINT else TEXT(given)


_T, _I = TEXT, ANY_INTEGER
_VALUE = Parameter("a plain value", lambda given: None if given.kind in (Kind.ARRAY, Kind.MAP, Kind.ROW) else given)

TEXTUAL: tuple[Function, ...] = (
    Function(
        "concat",
        ("CONCAT", "||"),
        "string",
        "a || b, CONCAT(a, ...)",
        "Joins strings; other types are cast. NULL if any is NULL.",
        _concat,
    ),
    Function(
        "concat_ws",
        ("CONCAT_WS",),
        "string",
        "CONCAT_WS(separator, a, ...)",
        "Joins strings with a separator; NULLs are left out.",
        lambda args: (
            None
            if len(args) < 2
            or (typing := takes(TEXT, TEXT_OR_CASTABLE, returns=STRING, repeat_last=True)(args)) is None
            else (typing[0], STRING.or_null(any_null(args[:1])))
        ),
    ),
    _text("UPPER", "s", "Upper case.", _T),
    _text("LOWER", "s", "Lower case.", _T),
    _text("INITCAP", "s", "Each word's first letter in upper case, the others in lower case.", _T),
    _text("CHAR_LENGTH CHARACTER_LENGTH", "s", "Number of characters.", _T, returns=INT),
    _text("OCTET_LENGTH", "s", "Number of bytes in UTF-8.", TEXT_OR_BYTES, returns=INT),
    _text("POSITION", "what IN s", "Where a string first occurs, from 1; 0 if nowhere.", _T, _T, returns=INT),
    _text(
        "LOCATE",
        "what, s[, start]",
        "Where a string first occurs at or after start, from 1; 0 if nowhere.",
        _T,
        _T,
        _I,
        returns=INT,
        optional=1,
    ),
    _text("INSTR", "s, what", "Where a string first occurs, from 1; 0 if nowhere.", _T, _T, returns=INT),
    _text(
        "TRIM",
        "[BOTH | LEADING | TRAILING] [what FROM] s",
        "Without the given characters, by default spaces, at the ends.",
        _T,
        _T,
        _T,
    ),
    _text(
        "BTRIM", "s[, characters]", "Without the given characters, by default spaces, at both ends.", _T, _T, optional=1
    ),
    _text(
        "LTRIM", "s[, characters]", "Without the given characters, by default spaces, at the left.", _T, _T, optional=1
    ),
    _text(
        "RTRIM", "s[, characters]", "Without the given characters, by default spaces, at the right.", _T, _T, optional=1
    ),
    _text(
        "SUBSTRING SUBSTR",
        "s, start[, length]",
        "From start (from 1; negative: from the end), up to length characters.",
        _T,
        _I,
        _I,
        optional=1,
    ),
    _text("LEFT", "s, n", "The first n characters.", _T, _I),
    _text("RIGHT", "s, n", "The last n characters.", _T, _I),
    _text("OVERLAY", "s PLACING new FROM start [FOR length]", "With a stretch replaced.", _T, _T, _I, _I, optional=1),
    _text("REPLACE", "s, old, new", "Every occurrence replaced.", _T, _T, _T),
    _text(
        "TRANSLATE TRANSLATE3", "s, from, to", "Each character of from replaced by that of to at its place.", _T, _T, _T
    ),
    _text("REPEAT", "s, n", "n times in a row.", _T, _I),
    _text("REVERSE", "s", "Backwards.", _T),
    _text("LPAD", "s, n, pad", "Padded on the left, or cut, to n characters.", _T, _I, _T, nullable=True),
    _text("RPAD", "s, n, pad", "Padded on the right, or cut, to n characters.", _T, _I, _T, nullable=True),
    _text("ASCII", "s", "Code of the first character; 0 of an empty string.", _T, returns=INT),
    _text("CHR", "i", "The character with code i modulo 256.", _I),
    _text("STARTSWITH", "s, prefix", "Whether it starts so.", TEXT_OR_BYTES, TEXT_OR_BYTES, returns=BOOLEAN),
    _text("ENDSWITH", "s, suffix", "Whether it ends so.", TEXT_OR_BYTES, TEXT_OR_BYTES, returns=BOOLEAN),
    _text(
        "SPLIT_INDEX",
        "s, separator, i",
        "The part at index i, from 0; NULL beyond the last. The separator may be the code of a character, up to 255.",
        _T,
        Parameter("a string or the code of a character", _separator),
        _I,
        nullable=True,
    ),
    _text("SPLIT", "s, separator", "All parts.", _T, _T, returns=array_of(STRING)),
    _text(
        "STR_TO_MAP",
        "s[, separator[, between]]",
        "A map out of 'k=v,k=v'.",
        _T,
        _T,
        _T,
        returns=map_of(STRING, STRING),
        optional=2,
    ),
    Function(
        "elt",
        ("ELT",),
        "string",
        "ELT(i, s, ...)",
        "The i-th of the strings, or of the bytes, from 1; NULL beyond.",
        _elt,
    ),
    _text(
        "PRINTF",
        "format, x, ...",
        "The format with the values put in, as Java's String.format; NULL if they do not fit.",
        _T,
        _VALUE,
        repeat_last=True,
        optional=1,
        nullable=True,
    ),
    _text("REGEXP", "s, regex", "Whether the expression occurs in s.", _T, _T, returns=BOOLEAN),
    _text("REGEXP_REPLACE", "s, regex, new", "Every match replaced; new stands for itself.", _T, _T, _T, nullable=True),
    _text(
        "REGEXP_EXTRACT",
        "s, regex[, group]",
        "The first match's group; NULL without a match.",
        _T,
        _T,
        _I,
        optional=1,
        nullable=True,
    ),
    _text(
        "REGEXP_EXTRACT_ALL",
        "s, regex[, group]",
        "All matches' groups; NULL without a match.",
        _T,
        _T,
        _I,
        returns=array_of(STRING),
        optional=1,
        nullable=True,
    ),
    _text("REGEXP_COUNT", "s, regex", "Number of matches.", _T, _T, returns=INT, nullable=True),
    _text("REGEXP_SUBSTR", "s, regex", "The first match; NULL without one.", _T, _T, nullable=True),
    _text(
        "REGEXP_INSTR",
        "s, regex",
        "Where the first match starts, from 1; 0 without one.",
        _T,
        _T,
        returns=INT,
        nullable=True,
    ),
    _text("TO_BASE64", "s", "In Base64.", TEXT_OR_BYTES),
    _text("FROM_BASE64", "s", "Out of Base64; NULL if it is none.", _T, nullable=True),
    _text(
        "ENCODE",
        "s, charset",
        "Its bytes in US-ASCII, ISO-8859-1, UTF-8 or UTF-16.",
        _T,
        _T,
        returns=BYTES,
        nullable=True,
    ),
    _text("DECODE", "b, charset", "The string that bytes stand for.", BINARY, _T, nullable=True),
    _text("URL_ENCODE", "s", "For a URL's query.", _T),
    _text("URL_DECODE", "s", "Out of a URL's query; NULL if malformed.", _T, nullable=True),
    _text(
        "PARSE_URL",
        "s, part[, key]",
        "HOST, PATH, QUERY, REF, PROTOCOL, AUTHORITY, FILE or USERINFO of a URL.",
        _T,
        _T,
        _T,
        optional=1,
        nullable=True,
    ),
    *(
        Function(
            name.lower(),
            (name,),
            "hash",
            f"{name}(s)",
            f"{name} in hexadecimal digits.",
            takes(TEXT_OR_BYTES, returns=STRING),
        )
        for name in ("MD5", "SHA1", "SHA224", "SHA256", "SHA384", "SHA512")
    ),
    Function(
        "sha2",
        ("SHA2",),
        "hash",
        "SHA2(s, bits)",
        "SHA-224, 256, 384 or 512 in hexadecimal digits.",
        takes(TEXT_OR_BYTES, ANY_INTEGER, returns=STRING, nullable=True),
    ),
)
