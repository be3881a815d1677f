"""Windows: the table functions TUMBLE, HOP, CUMULATE and SESSION, and the group windows TUMBLE(ts, ...) and its like.

Source: https://nightlies.apache.org/flink/flink-docs-stable/docs/dev/table/sql/queries/window-tvf/
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from yeoul.errors import UserError, did_you_mean
from yeoul.plan import types
from yeoul.plan.explain import explain_duration
from yeoul.plan.functions.refused import REFUSED
from yeoul.plan.nodes import Field, Schema, Window, WindowAssign, WindowKind, WindowProperty
from yeoul.plan.types import DataType
from yeoul.planner.binding.context import BindContext, Relation
from yeoul.planner.binding.expressions.literals import interval_value
from yeoul.planner.dialects.flink.nodes import FunctionCall, NamedArgument, TableFunction

__all__ = [
    "GROUP_WINDOWS",
    "WINDOW_COLUMNS",
    "WindowArguments",
    "assign_windows",
    "group_window",
    "property_field",
    "window_arguments",
    "window_property",
]

WINDOW_COLUMNS = {
    "window_start": WindowProperty.START,
    "window_end": WindowProperty.END,
    "window_time": WindowProperty.TIME,
}
GROUP_WINDOWS = frozenset({"TUMBLE", "HOP", "SESSION"})
_DURATIONS = {
    WindowKind.TUMBLE: ("SIZE",),
    WindowKind.HOP: ("SLIDE", "SIZE"),
    WindowKind.CUMULATE: ("STEP", "SIZE"),
    WindowKind.SESSION: ("GAP",),
}
_USAGES = {
    WindowKind.TUMBLE: "TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE)",
    WindowKind.HOP: "HOP(TABLE t, DESCRIPTOR(ts), slide, size)",
    WindowKind.CUMULATE: "CUMULATE(TABLE t, DESCRIPTOR(ts), step, size)",
    WindowKind.SESSION: "SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), gap)",
}
_GROUP_USAGES = {
    WindowKind.TUMBLE: "TUMBLE(ts, INTERVAL '1' MINUTE)",
    WindowKind.HOP: "HOP(ts, slide, size)",
    WindowKind.SESSION: "SESSION(ts, gap)",
}
_PROPERTIES = {
    "START": WindowProperty.START,
    "END": WindowProperty.END,
    "ROWTIME": WindowProperty.TIME,
    "PROCTIME": WindowProperty.TIME,
}


@dataclass(frozen=True, slots=True)
class WindowArguments:
    """A table function's arguments by name, before its data is bound."""

    kind: WindowKind
    data: exp.Expr
    column: exp.Expr
    durations: tuple[exp.Expr, ...]
    offset: exp.Expr | None
    partition: tuple[exp.Expr, ...] = ()


def window_arguments(context: BindContext, node: TableFunction) -> WindowArguments:
    """Sorts the arguments of a window table function, positional or named.

    Raises:
        UserError: No such function, or not such arguments.
    """
    kind = _kind(context, node)
    needed = ("DATA", "TIMECOL", *_DURATIONS[kind])
    names = needed if kind is WindowKind.SESSION else (*needed, "OFFSET")
    given: dict[str, exp.Expr] = {}
    for index, argument in enumerate(node.expressions):
        if isinstance(argument, NamedArgument):
            name = argument.this
            if name not in names:
                raise context.error(f"{kind.value} has no argument {name!r}", argument, did_you_mean(name, names))
            given[name] = argument.args["expression"]
        elif index < len(names):
            given[names[index]] = argument
        else:
            raise context.error(f"{kind.value} takes {len(names)} arguments at most", argument, _usage(kind))
    missing = [name for name in needed if name not in given]
    if missing:
        raise context.error(f"{kind.value} lacks {', '.join(missing)}", node, _usage(kind))
    column = _descriptor(context, given["TIMECOL"], kind)
    durations = tuple(given[name] for name in _DURATIONS[kind])
    partition = tuple(given["DATA"].args.get("partition") or ())
    if partition and kind is not WindowKind.SESSION:
        raise context.error(
            f"PARTITION BY belongs to SESSION, {kind.value} has the same windows for every row",
            partition[0],
            hint="Group by the column: GROUP BY window_start, window_end, ...",
        )
    return WindowArguments(kind, given["DATA"], column, durations, given.get("OFFSET"), partition)


def _kind(context: BindContext, node: TableFunction) -> WindowKind:
    name = node.this.upper()
    if name in REFUSED:
        raise context.error(f"The function {name} of Flink is not supported", node, REFUSED[name])
    if name not in WindowKind.__members__:
        raise context.error(
            f"Unknown table function {node.this!r}", node, did_you_mean(name, list(WindowKind.__members__))
        )
    return WindowKind[name]


def _usage(kind: WindowKind) -> str:
    return f"Usage: {_USAGES[kind]}{'' if kind is WindowKind.SESSION else ', an offset may follow'}"


def _descriptor(context: BindContext, node: exp.Expr, kind: WindowKind) -> exp.Expr:
    if not isinstance(node, exp.Tuple) or not all(isinstance(one, exp.Identifier) for one in node.expressions):
        raise context.error(f"{kind.value} expects DESCRIPTOR(column) as its second argument", node, hint=_usage(kind))
    if len(node.expressions) != 1:
        raise context.error(f"DESCRIPTOR of {kind.value} names one column, got {len(node.expressions)}", node)
    column: exp.Expr = node.expressions[0]
    return column


def assign_windows(context: BindContext, arguments: WindowArguments, data: Relation) -> WindowAssign:
    """Returns the node that puts each row of the data into its windows.

    Raises:
        UserError: The column is no row time, or the durations do not fit each other.
    """
    time = _row_time(context, data, arguments.column.name, arguments.column)
    window = _window(context, arguments.kind, time, arguments.durations, arguments.offset)
    if window.size_ms % window.slide_ms and window.kind is not WindowKind.SESSION:
        raise context.error(
            f"The size of {window.kind.value} must be a whole multiple of its {_DURATIONS[window.kind][0].lower()},"
            f" got {explain_duration(window.size_ms)} and {explain_duration(window.slide_ms)}",
            arguments.durations[-1],
            hint="HOP in GROUP BY, HOP(ts, slide, size), takes any" if window.kind is WindowKind.HOP else "",
        )
    window = replace(window, partition=tuple(_partition(context, data, one) for one in arguments.partition))
    for name in WINDOW_COLUMNS:
        if name in data.schema:
            raise context.error(
                f"The rows already have a column {name!r}, which {arguments.kind.value} would add",
                arguments.data,
                hint="Rename it in a subquery first: SELECT window_start AS inner_start, ...",
            )
    plain = tuple(replace(one, is_rowtime=False) for one in data.schema.fields)
    added = tuple(property_field(name, value, time) for name, value in WINDOW_COLUMNS.items())
    return WindowAssign(data.node, window, Schema(plain + added))


def _partition(context: BindContext, data: Relation, node: exp.Expr) -> str:
    found = data.find(node.name)
    if len(found) != 1:
        raise context.error(
            f"Unknown column {node.name!r} in {data.title}", node, did_you_mean(node.name, data.schema.names)
        )
    return found[0]


def property_field(name: str, value: WindowProperty, time: Field) -> Field:
    """Returns the column that a property of a window over `time` fills; `window_time` is a time of the same kind."""
    if value is WindowProperty.TIME:
        type = replace(time.type, precision=3, nullable=False)
        return Field(name, type, is_rowtime=not time.is_proctime, is_proctime=time.is_proctime)
    return Field(name, types.timestamp(3).not_null())


def _row_time(context: BindContext, data: Relation, name: str, node: exp.Expr) -> Field:
    if name not in data.schema:
        raise context.error(f"Unknown column {name!r} in {data.title}", node, did_you_mean(name, data.schema.names))
    found = data.schema[name]
    if found.is_rowtime or found.is_proctime:
        return found
    other = data.schema.rowtime
    if other is not None:
        raise context.error(
            f"Column {name!r} of {data.title} is no row time, so it cannot be windowed",
            node,
            hint=f"The row time is {other.name!r}; a cast or an expression over it is none",
        )
    raise context.error(
        f"Column {name!r} of {data.title} ({found.type.or_null()}) is no row time, so it cannot be windowed",
        node,
        hint=_watermark_hint(name, found.type),
    )


def _watermark_hint(name: str, type: DataType) -> str:
    declare = f"WATERMARK FOR {name} AS {name} - INTERVAL '5' SECOND"
    if type.is_timestamp:
        return f"Declare it in CREATE TABLE: {declare}; and select the column as it is, without cast or expression"
    return (
        f"A row time is a TIMESTAMP(3) or TIMESTAMP_LTZ(3); declare one in CREATE TABLE: "
        f"ts AS TO_TIMESTAMP_LTZ({name}, 3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND"
    )


def _window(
    context: BindContext, kind: WindowKind, time: Field, durations: Sequence[exp.Expr], offset: exp.Expr | None
) -> Window:
    lengths = [_duration_ms(context, node, kind) for node in durations]
    size, slide = lengths[-1], lengths[0]
    offset_ms = 0 if offset is None else _duration_ms(context, offset, kind, signed=True)
    return Window(kind, time.name, size, slide, offset_ms, time.is_proctime)


def _duration_ms(context: BindContext, node: exp.Expr, kind: WindowKind, *, signed: bool = False) -> int:
    if isinstance(node, exp.Neg) and signed:
        return -_duration_ms(context, node.this, kind, signed=True)
    if not isinstance(node, exp.Interval):
        raise context.error(f"{kind.value} expects its durations as literals", node, hint="Write INTERVAL '1' MINUTE")
    unit = node.args["unit"]
    units = (unit.this.name, unit.args["expression"].name) if isinstance(unit, exp.IntervalSpan) else (unit.name, None)
    try:
        value, _ = interval_value(node.this.name, *units)
    except UserError as error:
        raise context.error(error.message, node, error.hint) from None
    if not isinstance(value, datetime.timedelta):
        raise context.error(
            f"{kind.value} cannot have a length in months: months differ in length", node, "Use days: INTERVAL '30' DAY"
        )
    length_ms, rest = divmod(value, datetime.timedelta(milliseconds=1))
    if rest or (length_ms <= 0 and not signed):
        raise context.error(f"{kind.value} expects a positive duration of whole milliseconds, got {value}", node)
    return length_ms


def group_window(context: BindContext, node: FunctionCall, data: Relation) -> Window:
    """Returns the window of `TUMBLE(ts, size)`, `HOP(ts, slide, size)` or `SESSION(ts, gap)` in GROUP BY.

    Raises:
        UserError: The column is no row time, or the arguments do not fit.
    """
    kind = WindowKind[node.this.upper().split("_")[0]]
    if kind not in _GROUP_USAGES:
        raise context.error(f"{kind.value} is a table function only", node, f"Usage: {_USAGES[kind]}")
    wanted = 1 + len(_DURATIONS[kind])
    usage = _GROUP_USAGES[kind]
    if len(node.expressions) not in (wanted, wanted + (kind is not WindowKind.SESSION)):
        raise context.error(f"{kind.value} in GROUP BY takes {wanted} arguments", node, f"Usage: {usage}")
    column = node.expressions[0]
    if not isinstance(column, exp.Column | exp.Dot):
        raise context.error(f"{kind.value} in GROUP BY expects a column first", node, f"Usage: {usage}")
    time = _row_time(context, data, _column_named(context, data, column), column)
    offset = node.expressions[wanted] if len(node.expressions) > wanted else None
    return _window(context, kind, time, node.expressions[1:wanted], offset)


def _column_named(context: BindContext, data: Relation, column: exp.Expr) -> str:
    """Returns the column of the data that `ts` or `t.ts` means; the name itself if there is none."""
    qualified = isinstance(column, exp.Dot)
    name = column.args["expression"].name if qualified else column.this.name
    found = data.find(name, column.this.name if qualified else "")
    if len(found) > 1:
        raise context.error(f"Column {name!r} is ambiguous", column, "Write the table before it: t.ts")
    return found[0] if found else str(name)


def window_property(name: str) -> tuple[str, WindowProperty] | None:
    """Returns what `TUMBLE_START` and its like ask for: the window function and the property; None for other names.

    Example:
        >>> window_property("hop_end")
        ('HOP', <WindowProperty.END: 'end'>)
    """
    function, _, wanted = name.upper().partition("_")
    if function not in GROUP_WINDOWS or wanted not in _PROPERTIES:
        return None
    return function, _PROPERTIES[wanted]
