"""Conditions, collections, rows, JSON, and what asks about types."""

from __future__ import annotations

from collections.abc import Callable

from yeoul.plan.expressions import LiteralValue
from yeoul.plan.functions.coercion import common_type, comparable_type
from yeoul.plan.functions.signatures import (
    ANY_INTEGER,
    ANYTHING,
    CONDITION,
    ORDERED,
    SORTABLE,
    TEXT,
    Function,
    Parameter,
    Rule,
    Typing,
    any_null,
    takes,
)
from yeoul.plan.types import (
    BOOLEAN,
    INT,
    STRING,
    VARIANT,
    DataType,
    Kind,
    RowField,
    array_of,
    map_of,
    row_of,
)

__all__ = ["STRUCTURES"]


def _of_common_type(nullable: Callable[[tuple[DataType, ...]], bool], least: int = 1) -> Rule:
    def rule(args: tuple[DataType, ...]) -> Typing | None:
        meeting = common_type(args) if len(args) >= least else None
        if meeting is None:
            return None
        return tuple(meeting.or_null(each.nullable) for each in args), meeting.or_null(nullable(args))

    return rule


def _extreme(args: tuple[DataType, ...]) -> Typing | None:
    typing = _of_common_type(any_null)(args)
    return typing if typing is not None and ORDERED(typing[1]) is not None else None


def _all_null(args: tuple[DataType, ...]) -> bool:
    return all(each.nullable or each.kind is Kind.NULL for each in args)


def _if(args: tuple[DataType, ...]) -> Typing | None:
    condition = CONDITION(args[0]) if len(args) == 3 else None
    meeting = common_type(args[1:]) if condition is not None else None
    return None if condition is None or meeting is None else ((condition, meeting, meeting), meeting)


def _nullif(args: tuple[DataType, ...]) -> Typing | None:
    meeting = comparable_type(*args) if len(args) == 2 else None
    if meeting is None:
        return None
    first = args[0] if args[0].kind is not Kind.NULL else meeting
    if first.kind is Kind.STRING and meeting.kind is not Kind.STRING:
        return None  # a string compared as a number would have to stay a string
    return (first, args[1]) if first.same_as(args[1]) else (first, meeting), first.or_null()


def _item(args: tuple[DataType, ...]) -> Typing | None:
    if len(args) == 2 and args[0].kind is Kind.VARIANT:
        place = args[1] if args[1].kind is Kind.STRING else ANY_INTEGER(args[1])
        return None if place is None else ((args[0], place), VARIANT)
    if len(args) != 2 or args[0].element is None:
        return None
    key = args[0].key if args[0].kind is Kind.MAP else ANY_INTEGER(args[1])
    if key is None or (args[0].kind is Kind.MAP and comparable_type(key, args[1]) is None):
        return None
    return (args[0], key.or_null(args[1].nullable)), args[0].element.or_null()


def _field(args: tuple[DataType, ...], literals: tuple[LiteralValue, ...]) -> Typing | None:
    if len(args) != 2 or args[0].kind is not Kind.ROW or len(literals) != 2:
        return None
    found = next((field for field in args[0].fields if field.name == literals[1]), None)
    return None if found is None else (args, found.type.or_null(found.type.nullable or args[0].nullable))


def _fields_given(args: tuple[DataType, ...], literals: tuple[LiteralValue, ...]) -> tuple[RowField, ...] | None:
    """The fields that pairs of a literal name and a value stand for; None if they are none, or a name comes twice."""
    names, kinds = literals[1::2], args[2::2]
    named = [RowField(name, kind) for name, kind in zip(names, kinds, strict=False) if isinstance(name, str)]
    whole = len(named) == len(names) == len(kinds) == len(set(names))
    return tuple(named) if whole else None


def _object_of(args: tuple[DataType, ...], literals: tuple[LiteralValue, ...]) -> Typing | None:
    """OBJECT_OF(class, name, value, ...): a row; the class is asked for, and forgotten."""
    fields = _fields_given(args, literals)
    is_named = bool(literals) and isinstance(literals[0], str)
    return (args, row_of(*fields)) if fields and is_named else None


def _object_update(args: tuple[DataType, ...], literals: tuple[LiteralValue, ...]) -> Typing | None:
    """OBJECT_UPDATE(row, name, value, ...): the same fields, some of other types."""
    fields = _fields_given(args, literals)
    if not fields or args[0].kind is not Kind.ROW:
        return None
    known, new = {field.name for field in args[0].fields}, {field.name: field for field in fields}
    if not new.keys() <= known:
        return None
    return args, row_of(*(new.get(field.name, field) for field in args[0].fields)).or_null(args[0].nullable)


def _never(args: tuple[DataType, ...]) -> Typing | None:
    return None


def _array_like(given: DataType) -> DataType | None:
    return given if given.kind is Kind.ARRAY else None


def _map_like(given: DataType) -> DataType | None:
    return given if given.kind is Kind.MAP else None


_ARRAY = Parameter("an array", _array_like)
_MAP = Parameter("a map", _map_like)
_CONTAINER = Parameter("an array or a map", lambda given: given if given.kind in (Kind.ARRAY, Kind.MAP) else None)


def _element_of(given: tuple[DataType, ...]) -> DataType | None:
    return given[0].element


def _with_element(result: Callable[[DataType, DataType], DataType], nullable: bool | None = None) -> Rule:
    """A rule for (array, element): both meet in one type."""

    def rule(args: tuple[DataType, ...]) -> Typing | None:
        if len(args) != 2 or args[0].kind is not Kind.ARRAY or args[0].element is None:
            return None
        meeting = common_type([args[0].element, args[1]])
        if meeting is None:
            return None
        array = array_of(meeting).or_null(args[0].nullable)
        kept = result(array, meeting)
        return (array, meeting.or_null(args[1].nullable)), kept.or_null(
            args[0].nullable if nullable is None else nullable
        )

    return rule


def _arrays(args: tuple[DataType, ...]) -> Typing | None:
    meeting = common_type(args) if args and all(each.kind is Kind.ARRAY for each in args) else None
    return None if meeting is None else (tuple(meeting for _ in args), meeting)


def _array(args: tuple[DataType, ...]) -> Typing | None:
    meeting = common_type(args)
    return None if meeting is None else (tuple(meeting for _ in args), array_of(meeting).not_null())


def _map(args: tuple[DataType, ...]) -> Typing | None:
    key, value = common_type(args[::2]), common_type(args[1::2])
    if key is None or value is None or len(args) % 2:
        return None
    return tuple(value if index % 2 else key for index in range(len(args))), map_of(key, value).not_null()


def _row(args: tuple[DataType, ...]) -> Typing | None:
    fields = tuple(RowField(f"EXPR${index}", each) for index, each in enumerate(args))
    return (args, row_of(*fields).not_null()) if args else None


def _entries(given: tuple[DataType, ...]) -> DataType | None:
    key, value = given[0].key, given[0].element
    return None if key is None or value is None else array_of(row_of(RowField("key", key), RowField("value", value)))


def _collection(id: str, usage: str, summary: str, rule: Rule) -> Function:
    return Function(id, (id.upper(),), "collection", usage, summary, rule)


STRUCTURES: tuple[Function, ...] = (
    Function(
        "coalesce",
        ("COALESCE",),
        "conditional",
        "COALESCE(a, ...)",
        "The first that is not NULL.",
        _of_common_type(_all_null),
    ),
    Function(
        "ifnull",
        ("IFNULL",),
        "conditional",
        "IFNULL(a, b)",
        "a, or b where a is NULL.",
        lambda args: _of_common_type(_all_null)(args) if len(args) == 2 else None,
    ),
    Function("nullif", ("NULLIF",), "conditional", "NULLIF(a, b)", "NULL where a = b, else a.", _nullif),
    Function("if", ("IF",), "conditional", "IF(condition, a, b)", "a where the condition is true, else b.", _if),
    Function(
        "greatest",
        ("GREATEST",),
        "conditional",
        "GREATEST(a, ...)",
        "The greatest; NULL if any is NULL.",
        _extreme,
    ),
    Function(
        "least",
        ("LEAST",),
        "conditional",
        "LEAST(a, ...)",
        "The least; NULL if any is NULL.",
        _extreme,
    ),
    Function(
        "is_alpha",
        ("IS_ALPHA",),
        "conditional",
        "IS_ALPHA(s)",
        "Whether all characters are letters.",
        takes(TEXT, returns=BOOLEAN, nullable=False),
    ),
    Function(
        "is_decimal",
        ("IS_DECIMAL",),
        "conditional",
        "IS_DECIMAL(s)",
        "Whether it reads as a number.",
        takes(TEXT, returns=BOOLEAN, nullable=False),
    ),
    Function(
        "is_digit",
        ("IS_DIGIT",),
        "conditional",
        "IS_DIGIT(s)",
        "Whether all characters are digits.",
        takes(TEXT, returns=BOOLEAN, nullable=False),
    ),
    Function(
        "typeof",
        ("TYPEOF",),
        "type",
        "TYPEOF(x[, force_serializable])",
        "The name of x's type.",
        takes(ANYTHING, CONDITION, returns=STRING, optional=1, nullable=False),
    ),
    Function(
        "current_database",
        ("CURRENT_DATABASE",),
        "type",
        "CURRENT_DATABASE()",
        "The name of the current database.",
        takes(returns=STRING, nullable=False),
    ),
    Function("array", ("ARRAY",), "collection", "ARRAY[a, ...]", "An array of the values.", _array),
    Function("map", ("MAP",), "collection", "MAP[k, v, ...]", "A map of the pairs.", _map),
    Function("row", ("ROW",), "collection", "ROW(a, ...)", "A row of the values.", _row),
    Function(
        "object_of",
        ("OBJECT_OF",),
        "collection",
        "OBJECT_OF(class, name, value, ...)",
        "A row of the named values; the class is not kept.",
        _never,
        "The class and the names are literals, each name comes once: OBJECT_OF('User', 'name', x, 'age', y).",
        _object_of,
    ),
    Function(
        "object_update",
        ("OBJECT_UPDATE",),
        "collection",
        "OBJECT_UPDATE(row, name, value, ...)",
        "The row with other values in the named fields.",
        _never,
        "The names are literals and fields of the row, each comes once: OBJECT_UPDATE(user, 'name', x).",
        _object_update,
    ),
    Function(
        "item",
        (),
        "collection",
        "array[i], map[key], variant[i or key]",
        "The element at i, from 1, or the key's value; NULL if there is none.",
        _item,
    ),
    Function("field", (), "collection", "row.name", "A field of a row.", lambda args: None, literal_rule=_field),
    _collection("cardinality", "CARDINALITY(c)", "Number of elements.", takes(_CONTAINER, returns=INT)),
    _collection(
        "element",
        "ELEMENT(array)",
        "The only element; NULL of an empty array.",
        takes(_ARRAY, returns=_element_of, nullable=True),
    ),
    _collection(
        "array_contains",
        "ARRAY_CONTAINS(array, x)",
        "Whether x is in the array.",
        _with_element(lambda array, _: BOOLEAN),
    ),
    _collection(
        "array_position",
        "ARRAY_POSITION(array, x)",
        "Where x first occurs, from 1; 0 if nowhere.",
        _with_element(lambda array, _: INT, nullable=True),
    ),
    _collection("array_append", "ARRAY_APPEND(array, x)", "With x at the end.", _with_element(lambda array, _: array)),
    _collection(
        "array_prepend", "ARRAY_PREPEND(array, x)", "With x at the front.", _with_element(lambda array, _: array)
    ),
    _collection(
        "array_remove",
        "ARRAY_REMOVE(array, x)",
        "Without the elements equal to x.",
        _with_element(lambda array, _: array),
    ),
    _collection("array_concat", "ARRAY_CONCAT(array, ...)", "One after the other.", _arrays),
    _collection(
        "array_union",
        "ARRAY_UNION(a, b)",
        "The elements of either, once each.",
        lambda args: _arrays(args) if len(args) == 2 else None,
    ),
    _collection(
        "array_distinct", "ARRAY_DISTINCT(array)", "Each element once.", takes(_ARRAY, returns=lambda given: given[0])
    ),
    _collection("array_reverse", "ARRAY_REVERSE(array)", "Backwards.", takes(_ARRAY, returns=lambda given: given[0])),
    _collection(
        "array_max", "ARRAY_MAX(array)", "The greatest element.", takes(SORTABLE, returns=_element_of, nullable=True)
    ),
    _collection(
        "array_min", "ARRAY_MIN(array)", "The least element.", takes(SORTABLE, returns=_element_of, nullable=True)
    ),
    _collection(
        "array_join",
        "ARRAY_JOIN(array, separator[, for_null])",
        "The strings joined; NULLs left out or replaced.",
        takes(
            Parameter(
                "an array of strings",
                lambda given: (
                    given
                    if given.element is not None and given.element.kind is Kind.STRING and given.kind is Kind.ARRAY
                    else None
                ),
            ),
            TEXT,
            TEXT,
            returns=STRING,
            optional=1,
        ),
    ),
    _collection(
        "map_keys",
        "MAP_KEYS(map)",
        "Its keys.",
        takes(_MAP, returns=lambda given: None if given[0].key is None else array_of(given[0].key)),
    ),
    _collection(
        "map_values",
        "MAP_VALUES(map)",
        "Its values.",
        takes(_MAP, returns=lambda given: None if given[0].element is None else array_of(given[0].element)),
    ),
    _collection("map_entries", "MAP_ENTRIES(map)", "Its pairs as rows.", takes(_MAP, returns=_entries)),
)
