"""Functions of JSON. The grammar puts every clause in its place among the arguments, as a literal where it is a word:

- JSON_VALUE: json, path[, returned type, on empty, default on empty, on error, default on error]
- JSON_QUERY: json, path[, returned type, wrapper, on empty, on error]
- JSON_EXISTS: json, path[, on error]
- JSON_OBJECT: on null, key, value, ...
- JSON_ARRAY: on null, value, ...
- IS_JSON: json, shape
"""

from __future__ import annotations

from yeoul.plan.expressions import LiteralValue
from yeoul.plan.functions.coercion import can_cast
from yeoul.plan.functions.signatures import TEXT, Function, Parameter, Rule, Typing, any_null, takes
from yeoul.plan.types import BOOLEAN, DOUBLE, INT, STRING, VARIANT, DataType, Kind, array_of

__all__ = ["JSON", "JSON_MAKERS", "is_writable"]

JSON_MAKERS = frozenset({"json", "json_object", "json_array"})
"""What gives JSON that JSON_OBJECT and JSON_ARRAY take over as it is."""
_RETURNED = {"STRING": STRING, "BOOLEAN": BOOLEAN, "INT": INT, "DOUBLE": DOUBLE}
_FLAT = frozenset(Kind) - {
    Kind.DATE, Kind.TIME, Kind.INTERVAL_DAY_TIME, Kind.INTERVAL_YEAR_MONTH,
}  # fmt: skip


def _value(args: tuple[DataType, ...], literals: tuple[LiteralValue, ...]) -> Typing | None:
    if len(args) == 2:
        return takes(TEXT, TEXT, returns=STRING, nullable=True)(args)
    typing = takes(TEXT, TEXT, returns=STRING)(args[:2])
    result = _RETURNED.get(str(literals[2])) if len(args) == 7 and len(literals) == 7 else None
    if typing is None or result is None or not all(can_cast(each, result) for each in (args[4], args[6])):
        return None
    return (*typing[0], args[2], args[3], result, args[5], result), result


def _query(args: tuple[DataType, ...], literals: tuple[LiteralValue, ...]) -> Typing | None:
    returned = array_of(STRING) if len(literals) > 2 and literals[2] == "ARRAY" else STRING
    return takes(*[TEXT] * 6, returns=returned, optional=4, nullable=True)(args)


def is_writable(type: DataType) -> bool:
    """Tells whether JSON can hold the values of a type."""
    parts = (type.element, type.key, *(field.type for field in type.fields))
    return type.kind in _FLAT and all(is_writable(part) for part in parts if part is not None)


def _written(args: tuple[DataType, ...]) -> Typing | None:
    return (args, STRING.or_null(any_null(args))) if len(args) == 1 and is_writable(args[0]) else None


def _object(args: tuple[DataType, ...]) -> Typing | None:
    keys, values = args[1::2], args[2::2]
    fits = len(keys) == len(values) and all(each.kind is Kind.STRING for each in keys)
    return (args, STRING.not_null()) if args and fits and all(map(is_writable, values)) else None


def _array(args: tuple[DataType, ...]) -> Typing | None:
    return (args, STRING.not_null()) if args and all(map(is_writable, args[1:])) else None


def _json(id: str, usage: str, summary: str, rule: Rule) -> Function:
    return Function(id, (id.upper(),), "json", usage, summary, rule)


def _never(args: tuple[DataType, ...]) -> Typing | None:
    return None


_ALLOWED = Parameter("a BOOLEAN", lambda given: given if given.kind is Kind.BOOLEAN else None)
JSON: tuple[Function, ...] = (
    Function(
        "is_json",
        ("IS_JSON",),
        "json",
        "s IS [NOT] JSON [VALUE | SCALAR | ARRAY | OBJECT]",
        "Whether it is JSON, or JSON of that shape.",
        takes(TEXT, TEXT, returns=BOOLEAN, optional=1, nullable=False),
    ),
    Function(
        "json_value",
        ("JSON_VALUE",),
        "json",
        "JSON_VALUE(json, path [RETURNING type] [NULL | ERROR | DEFAULT x ON EMPTY] [... ON ERROR])",
        "The scalar at the path, as STRING, BOOLEAN, INTEGER or DOUBLE; NULL if there is none.",
        _never,
        literal_rule=_value,
    ),
    Function(
        "json_query",
        ("JSON_QUERY",),
        "json",
        "JSON_QUERY(json, path [RETURNING type] [wrapper] [NULL | EMPTY ARRAY | EMPTY OBJECT | ERROR ON EMPTY] [...])",
        "The object or array at the path as JSON, or as ARRAY<STRING>; NULL if there is none.",
        _never,
        literal_rule=_query,
    ),
    _json(
        "json_exists",
        "JSON_EXISTS(json, path [TRUE | FALSE | UNKNOWN | ERROR ON ERROR])",
        "Whether there is anything at the path.",
        takes(TEXT, TEXT, TEXT, returns=BOOLEAN, optional=1, nullable=True),
    ),
    _json("json_string", "JSON_STRING(x)", "x as JSON; NULL of NULL.", _written),
    _json(
        "json_object",
        "JSON_OBJECT([KEY] key VALUE x, ... [NULL | ABSENT ON NULL])",
        "An object; JSON_OBJECT, JSON_ARRAY and JSON within it stay JSON.",
        _object,
    ),
    _json("json_array", "JSON_ARRAY(x, ... [NULL | ABSENT ON NULL])", "An array; without NULLs by default.", _array),
    _json(
        "json",
        "JSON(s)",
        "Within JSON_OBJECT and JSON_ARRAY: s is JSON already.",
        takes(TEXT, returns=STRING),
    ),
    *(
        Function(
            name.lower(),
            (name,),
            "json",
            f"{name}(s[, allow_duplicate_keys])",
            f"A VARIANT: what the JSON stands for; {bad}. JSON_STRING writes it, [...] reaches into it.",
            takes(TEXT, _ALLOWED, returns=VARIANT, optional=1, nullable=nullable),
        )
        for name, bad, nullable in (
            ("PARSE_JSON", "what is not JSON fails the job", None),
            ("TRY_PARSE_JSON", "NULL for what is not JSON", True),
        )
    ),
    _json("json_quote", "JSON_QUOTE(s)", "s as a JSON string.", takes(TEXT, returns=STRING)),
    _json(
        "json_unquote",
        "JSON_UNQUOTE(s)",
        "What a JSON string stands for; anything else as it is.",
        takes(TEXT, returns=STRING),
    ),
)
