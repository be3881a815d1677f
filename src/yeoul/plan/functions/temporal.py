"""Functions of dates, times and intervals; TIMESTAMP_LTZ is read in the session's zone, the others as they stand."""

from __future__ import annotations

from yeoul.plan.expressions import LiteralValue
from yeoul.plan.functions.signatures import (
    ANY_INTEGER,
    ANY_NUMBER,
    ANY_TIMESTAMP,
    TEXT,
    Function,
    Parameter,
    Typing,
    any_null,
    takes,
)
from yeoul.plan.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    INT,
    INTERVAL_DAY_TIME,
    INTERVAL_YEAR_MONTH,
    STRING,
    DataType,
    Kind,
    time,
    timestamp,
    timestamp_ltz,
)

__all__ = ["TEMPORAL"]


def _point(given: DataType) -> DataType | None:
    if given.kind in (Kind.DATE, Kind.TIME) or given.is_timestamp or given.is_interval:
        return given
    return ANY_TIMESTAMP(given)


_POINT = Parameter("a date, a time, a timestamp or an interval", _point)


def _calendar(name: str, summary: str) -> Function:
    rule = takes(ANY_TIMESTAMP, returns=BIGINT)
    return Function(name.lower(), (name,), "temporal", f"{name}(t)", summary, rule)


_CLOCK = Parameter("a TIME", lambda given: given if given.kind is Kind.TIME else None)


def _difference(args: tuple[DataType, ...]) -> Typing | None:
    """TIMESTAMPDIFF(unit, a, b): of two times of day, or of two points in time."""
    of_clocks = len(args) == 3 and Kind.TIME in (args[1].kind, args[2].kind)
    place = _CLOCK if of_clocks else ANY_TIMESTAMP
    return takes(TEXT, place, place, returns=INT)(args)


def _between(args: tuple[DataType, ...], literals: tuple[LiteralValue, ...]) -> Typing | None:
    """(a - b) unit: of two times of day, or of two points in time."""
    kinds = {each.kind for each in args[1:]}
    points = kinds == {Kind.TIME} or kinds <= {Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMP_LTZ}
    if len(args) != 3 or len(literals) != 3 or not points:
        return None
    months = literals[0] in ("YEAR", "MONTH")
    if months and Kind.TIME in kinds:
        return None
    return args, (INTERVAL_YEAR_MONTH if months else INTERVAL_DAY_TIME).or_null(any_null(args[1:]))


def _never(args: tuple[DataType, ...]) -> Typing | None:
    return None  # the literal rule answers


def _shifted(args: tuple[DataType, ...], literals: tuple[LiteralValue, ...]) -> Typing | None:
    """TIMESTAMPADD(unit, n, t): a DATE stays one for whole days and longer, else it becomes a TIMESTAMP(6)."""
    clock = str(literals[0]).upper() in ("HOUR", "MINUTE", "SECOND", "MILLISECOND") if literals else False
    if clock and len(args) == 3 and args[2].kind is Kind.DATE:
        args = (*args[:2], timestamp(6).or_null(args[2].nullable))
    return takes(TEXT, ANY_INTEGER, ANY_TIMESTAMP, returns=lambda given: given[2])(args)


def _formatted(args: tuple[DataType, ...]) -> Typing | None:
    if args and args[0].kind is Kind.STRING:
        return takes(TEXT, TEXT, returns=STRING, nullable=True)(args)
    return takes(Parameter("a time", lambda t: t if t.kind is Kind.TIME else ANY_TIMESTAMP(t)), TEXT, returns=STRING)(
        args
    )


def _instant(args: tuple[DataType, ...], literals: tuple[LiteralValue, ...]) -> Typing | None:
    """TO_TIMESTAMP_LTZ(number, digits of a second) or TO_TIMESTAMP_LTZ(string[, format[, zone]])."""
    if args and (args[0].kind is Kind.STRING or args[0].kind is Kind.NULL):
        return takes(TEXT, TEXT, TEXT, returns=timestamp_ltz(3), optional=2, nullable=True)(args)
    digits = literals[1] if len(literals) > 1 and isinstance(literals[1], int) else 3
    return takes(ANY_NUMBER, ANY_INTEGER, returns=timestamp_ltz(max(3, min(digits, 9))), optional=1)(args)


def _unit_floor(args: tuple[DataType, ...]) -> Typing | None:
    place = Parameter("a time", lambda t: t if t.kind in (Kind.DATE, Kind.TIME) else ANY_TIMESTAMP(t))
    return takes(place, TEXT, returns=lambda given: given[0])(args)


def _overlaps(args: tuple[DataType, ...]) -> Typing | None:
    return (args, BOOLEAN.or_null(any_null(args))) if len(args) == 4 else None


def _now(id: str, names: tuple[str, ...], usage: str, summary: str, type: DataType) -> Function:
    return Function(id, names, "temporal", usage, summary, takes(returns=type, nullable=False))


TEMPORAL: tuple[Function, ...] = (
    Function(
        "extract",
        ("EXTRACT",),
        "temporal",
        "EXTRACT(unit FROM t)",
        "A part of a time, a date or an interval.",
        takes(TEXT, _POINT, returns=BIGINT),
    ),
    _calendar("YEAR", "Year."),
    _calendar("QUARTER", "Quarter, 1 to 4."),
    _calendar("MONTH", "Month, 1 to 12."),
    _calendar("WEEK", "ISO week of the year, 1 to 53."),
    _calendar("DAYOFYEAR", "Day of the year, 1 to 366."),
    _calendar("DAYOFMONTH", "Day of the month, 1 to 31."),
    _calendar("DAYOFWEEK", "Day of the week, 1 (Sunday) to 7."),
    *(
        Function(
            unit.lower(),
            (unit,),
            "temporal",
            f"{unit}(t)",
            f"{unit.capitalize()} of a time.",
            takes(_POINT, returns=BIGINT),
        )
        for unit in ("HOUR", "MINUTE", "SECOND")
    ),
    Function(
        "interval_between",
        (),
        "temporal",
        "(a - b) unit [TO unit]",
        "The interval from b to a: in whole months for YEAR and MONTH, else to the millisecond.",
        _never,
        literal_rule=_between,
    ),
    Function("floor_to", (), "temporal", "FLOOR(t TO unit)", "The start of the unit that t lies in.", _unit_floor),
    Function("ceil_to", (), "temporal", "CEIL(t TO unit)", "t, or the start of the next unit.", _unit_floor),
    Function(
        "timestampadd",
        ("TIMESTAMPADD",),
        "temporal",
        "TIMESTAMPADD(unit, n, t)",
        "t moved by n units.",
        _never,
        literal_rule=_shifted,
    ),
    Function(
        "timestampdiff",
        ("TIMESTAMPDIFF",),
        "temporal",
        "TIMESTAMPDIFF(unit, a, b)",
        "Whole units from a to b.",
        _difference,
    ),
    Function(
        "to_date",
        ("TO_DATE",),
        "temporal",
        "TO_DATE(s[, format])",
        "A date out of a string; NULL if it is none.",
        takes(TEXT, TEXT, returns=DATE, optional=1, nullable=True),
    ),
    Function(
        "to_timestamp",
        ("TO_TIMESTAMP",),
        "temporal",
        "TO_TIMESTAMP(s[, format])",
        "A timestamp out of a string; NULL if it is none.",
        takes(TEXT, TEXT, returns=timestamp(3), optional=1, nullable=True),
    ),
    Function(
        "to_timestamp_ltz",
        ("TO_TIMESTAMP_LTZ",),
        "temporal",
        "TO_TIMESTAMP_LTZ(n[, 0 | 3]) or (s[, format[, zone]])",
        "An instant out of epoch seconds (0) or milliseconds (3), or out of a string.",
        _never,
        literal_rule=_instant,
    ),
    Function(
        "date_format",
        ("DATE_FORMAT",),
        "temporal",
        "DATE_FORMAT(t, format)",
        "t written in a format of Java's letters (yyyy-MM-dd HH:mm:ss).",
        _formatted,
    ),
    Function(
        "from_unixtime",
        ("FROM_UNIXTIME",),
        "temporal",
        "FROM_UNIXTIME(seconds[, format])",
        "Epoch seconds written in the session's zone.",
        takes(ANY_INTEGER, TEXT, returns=STRING, optional=1),
    ),
    Function(
        "unix_timestamp",
        ("UNIX_TIMESTAMP",),
        "temporal",
        "UNIX_TIMESTAMP([s[, format]])",
        "Epoch seconds, of now or of a string in the session's zone.",
        lambda args: takes(TEXT, TEXT, returns=BIGINT, optional=2, nullable=bool(args))(args),
    ),
    Function(
        "convert_tz",
        ("CONVERT_TZ",),
        "temporal",
        "CONVERT_TZ(s, from, to)",
        "A reading 'yyyy-MM-dd HH:mm:ss' of one zone as that of another.",
        takes(TEXT, TEXT, TEXT, returns=STRING, nullable=True),
    ),
    Function(
        "overlaps",
        ("OVERLAPS",),
        "temporal",
        "(a, b) OVERLAPS (c, d)",
        "Whether two stretches of time meet.",
        _overlaps,
    ),
    _now(
        "current_timestamp",
        ("CURRENT_TIMESTAMP", "NOW", "CURRENT_ROW_TIMESTAMP"),
        "CURRENT_TIMESTAMP, NOW()",
        "Now; one reading a batch.",
        timestamp_ltz(3),
    ),
    _now("localtimestamp", ("LOCALTIMESTAMP",), "LOCALTIMESTAMP", "Now in the session's zone.", timestamp(3)),
    _now("current_date", ("CURRENT_DATE",), "CURRENT_DATE", "Today in the session's zone.", DATE),
    _now(
        "localtime",
        ("LOCALTIME", "CURRENT_TIME"),
        "LOCALTIME, CURRENT_TIME",
        "The time of day in the session's zone.",
        time(0),
    ),
    _now("proctime", ("PROCTIME",), "PROCTIME()", "Now: the processing-time attribute.", timestamp_ltz(3)),
)
