"""What can be wrong with a record, as the small numbers that compiled code passes around, and the words for them."""

from __future__ import annotations

from typing import Final

NOT_OBJECT: Final = 1
CONTROL_CHARACTER: Final = 2
BAD_ESCAPE: Final = 3
BAD_UTF8: Final = 4
OPEN_STRING: Final = 5
BAD_NUMBER: Final = 6
NOT_A_VALUE: Final = 7
EXPECTED_KEY: Final = 8
EXPECTED_COLON: Final = 9
EXPECTED_COMMA: Final = 10
TOO_DEEP: Final = 11
TRAILING: Final = 12
ENDS_EARLY: Final = 13
TOP_LEVEL_ARRAY: Final = 14
EMPTY: Final = 15
JSON_NULL: Final = 16
OPEN_QUOTE: Final = 17
TOO_FEW_FIELDS: Final = 18
TOO_MANY_FIELDS: Final = 19

WRONG_TYPE: Final = 32
OUT_OF_RANGE: Final = 33
LONE_SURROGATE: Final = 34
BAD_TEXT: Final = 35
BAD_BASE64: Final = 36
MISSING_FIELD: Final = 37
BAD_UTF8_TEXT: Final = 38

FIELD_CODES: Final = frozenset(
    {WRONG_TYPE, OUT_OF_RANGE, LONE_SURROGATE, BAD_TEXT, BAD_BASE64, MISSING_FIELD, BAD_UTF8_TEXT}
)
"""The codes that blame one field of a record that is otherwise whole."""

REASONS: Final[dict[int, str]] = {
    NOT_OBJECT: "not a JSON object",
    CONTROL_CHARACTER: "not JSON: a control character inside a string must be written as an escape",
    BAD_ESCAPE: "not JSON: unknown escape in a string",
    BAD_UTF8: "not JSON: invalid UTF-8 in a string",
    OPEN_STRING: "not JSON: a string is not closed",
    BAD_NUMBER: "not JSON: malformed number",
    NOT_A_VALUE: "not JSON: expected a value",
    EXPECTED_KEY: "not JSON: expected a key in double quotes",
    EXPECTED_COLON: "not JSON: expected ':' after a key",
    EXPECTED_COMMA: "not JSON: expected ',' or a closing bracket",
    TOO_DEEP: "not JSON: nested deeper than 1000 levels",
    TRAILING: "not JSON: something follows the object",
    ENDS_EARLY: "not JSON: ends too early",
    TOP_LEVEL_ARRAY: "not a JSON object but an array",
    EMPTY: "empty record",
    JSON_NULL: "not a JSON object but null",
    OPEN_QUOTE: "not CSV: a quoted field is not closed before the next one",
    TOO_FEW_FIELDS: "too few fields",
    TOO_MANY_FIELDS: "too many fields",
    WRONG_TYPE: "field {field!r}: expected {type}, got another kind of value",
    OUT_OF_RANGE: "field {field!r}: number out of range of {type}",
    LONE_SURROGATE: "field {field!r}: an escaped surrogate stands alone and has no UTF-8 form",
    BAD_TEXT: "field {field!r}: text cannot be read as {type}",
    BAD_BASE64: "field {field!r}: text is not base64",
    BAD_UTF8_TEXT: "field {field!r}: invalid UTF-8",
    MISSING_FIELD: "field {field!r}: missing",
}
"""Code -> sentence. Sentences about a field name it and its type."""
