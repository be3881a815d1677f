"""A plan as text for people: what `EXPLAIN` prints.

One line a node, inputs indented below; then, for each table that is read by event time, what becomes of late rows and
of rows that do not decode. Expressions are printed much as they would be written in SQL. Nothing here runs anything.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from decimal import Decimal

from yeoul.plan.expressions import AggregateCall, Call, Case, Cast, ColumnRef, Expression, Literal, LiteralValue
from yeoul.plan.functions.python import written_name
from yeoul.plan.join_bounds import AsOf, Interval, JoinBound, SameWindow
from yeoul.plan.nodes import (
    Aggregate,
    AssignWatermark,
    Deduplicate,
    Emission,
    Field,
    Filter,
    Join,
    Limit,
    LookupJoin,
    Node,
    Over,
    Project,
    Projection,
    Scan,
    Schema,
    SetKind,
    SetOperation,
    Settle,
    Sort,
    TopN,
    Union,
    Unnest,
    Values,
    Window,
    WindowAggregate,
    WindowAssign,
    WindowKind,
    WindowTopN,
    Write,
    inputs_of,
    judges_lateness,
    walk,
)
from yeoul.plan.ordering import Frame, FrameUnit, OverTime, SortKey
from yeoul.plan.tables import ColumnKind, TableDefinition
from yeoul.plan.types import Kind

__all__ = ["describe_node", "explain", "explain_duration", "explain_expression", "explain_window"]

_INFIX = {
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "divide": "/",
    "modulo": "%",
    "equals": "=",
    "not_equals": "<>",
    "less": "<",
    "less_or_equal": "<=",
    "greater": ">",
    "greater_or_equal": ">=",
    "and": "AND",
    "or": "OR",
    "like": "LIKE",
    "not_like": "NOT LIKE",
    "similar": "SIMILAR TO",
    "not_similar": "NOT SIMILAR TO",
    "is_distinct_from": "IS DISTINCT FROM",
    "is_not_distinct_from": "IS NOT DISTINCT FROM",
}
_POSTFIX = {
    "is_null": "IS NULL",
    "is_not_null": "IS NOT NULL",
    "is_true": "IS TRUE",
    "is_false": "IS FALSE",
    "is_not_true": "IS NOT TRUE",
    "is_not_false": "IS NOT FALSE",
    "is_unknown": "IS UNKNOWN",
    "is_not_unknown": "IS NOT UNKNOWN",
}
_UNITS_MS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"), (1, "ms"))
_MAX_SHOWN_ROWS = 5
_SIDE_STREAM = "side-stream"


def explain(plan: Node) -> str:
    """Returns a plan as an indented tree, the node that gives the result on top, without a newline at the end.

    Example:
        >>> from yeoul.plan.nodes import Field
        >>> from yeoul.plan.types import INT
        >>> schema = Schema((Field("a", INT),))
        >>> print(explain(Limit(Values(((1,),), schema), 10)))
        Limit(10)  -> a INT
          Values(1 row: (1))  -> a INT
    """
    notes = list(_notes(plan))
    return "\n".join([*_tree(plan, 0), *([""] if notes else []), *notes])


def _tree(node: Node, depth: int) -> Iterator[str]:
    pad = "  " * depth
    head, *rest = describe_node(node)
    yield f"{pad}{head}"
    yield from (f"{pad}    {line}" for line in rest)
    for below in inputs_of(node):
        yield from _tree(below, depth + 1)


def describe_node(node: Node) -> list[str]:
    """Returns a node's own lines: what it does, and then the details that deserve a line each."""
    match node:
        case Scan():
            return _scan(node)
        case Values():
            return [f"Values({_rows(node)})  -> {_columns(node.schema)}"]
        case AssignWatermark():
            return _watermark(node)
        case Project():
            return ["Project", *_projections(node)]
        case Filter():
            return [f"Filter({explain_expression(node.predicate)})"]
        case Aggregate():
            return _aggregate(node)
        case WindowAggregate():
            return _window_aggregate(node)
        case WindowAssign():
            return _window_assign(node)
        case LookupJoin():
            return _lookup_join(node)
        case Unnest():
            kept = "; a row without elements is kept" if node.keeps_empty else ""
            return [f"Unnest({explain_expression(node.collection)}{kept})", f"columns: {_columns(node.schema)}"]
        case Join():
            return _join(node)
        case Union():
            return [f"UnionAll({len(node.inputs)} inputs; the watermark is the least of theirs)"]
        case SetOperation():
            word = f"{node.kind.value.capitalize()}{'All' if node.keeps_doubles else ''}"
            keeps = "that the second has" if node.kind is SetKind.INTERSECT else "that the second does not have"
            return [f"{word}(rows of the first input {keeps})"]
        case Over():
            return _over(node)
        case TopN():
            return _top_n(node)
        case WindowTopN():
            return _window_top_n(node)
        case Deduplicate():
            return _deduplicate(node)
        case Sort():
            return _sort(node)
        case Limit() if node.offset:
            return [f"Limit({node.count}, offset {node.offset})  -> {_columns(node.schema)}"]
        case Limit():
            return [f"Limit({node.count})  -> {_columns(node.schema)}"]
        case Settle():
            return ["Settle", "emits: the rows that are left, once, at the end of the input"]
        case Write():
            connector = node.options.get("connector", "?")
            return [f"Write(table {node.table.name}, connector {connector})", f"columns: {_columns(node.schema)}"]


def _scan(node: Scan) -> list[str]:
    stored = [column.name for column in node.table.columns if column.kind is not ColumnKind.COMPUTED]
    skipped = [name for name in stored if name not in node.schema]
    lines = [f"Scan(table {node.table.name}, connector {node.options.get('connector', '?')})"]
    lines.append(f"columns: {_columns(node.schema)}")
    if skipped:
        lines.append(f"not decoded: {', '.join(skipped)}")
    changed = _changed_options(node.options, node.table.options)
    if changed:
        lines.append(f"options of this query: {changed}")
    return lines


def _changed_options(now: Mapping[str, str], declared: Mapping[str, str]) -> str:
    return ", ".join(f"{key} = {value!r}" for key, value in now.items() if declared.get(key) != value)


def _rows(node: Values) -> str:
    shown = ", ".join(f"({', '.join(_literal(one) for one in row)})" for row in node.rows[:_MAX_SHOWN_ROWS])
    more = ", ..." if len(node.rows) > _MAX_SHOWN_ROWS else ""
    return f"{len(node.rows)} row{'' if len(node.rows) == 1 else 's'}: {shown}{more}"


def _watermark(node: AssignWatermark) -> list[str]:
    idle = "never idle" if node.idle_timeout_ms is None else f"idle after {explain_duration(node.idle_timeout_ms)}"
    return [f"AssignWatermark({node.column}, watermark {explain_expression(node.expression)}, per split, {idle})"]


def _lookup_join(node: LookupJoin) -> list[str]:
    equal = ", ".join(f"{explain_expression(value)} = {column}" for value, column in node.keys)
    connector = node.table.options.get("connector", "?")
    kind = "LEFT" if node.keeps_left else "INNER"
    lines = [f"LookupJoin({kind}: {equal}; table {node.table.table.name}, connector {connector})"]
    if node.condition is not None:
        lines.append(f"where: {explain_expression(node.condition)}")
    return [*lines, f"asked for: {_columns(node.table.schema)}", f"columns: {_columns(node.schema)}"]


def _projections(node: Project) -> list[str]:
    fields = zip(node.projections, node.schema.fields, strict=True)
    return [f"{_projection(one)}  -> {field.type}{_time_mark(field)}" for one, field in fields]


def _projection(one: Projection) -> str:
    text = explain_expression(one.expression)
    return text if text == one.name else f"{one.name} = {text}"


def _join(node: Join) -> list[str]:
    equal = [f"{explain_expression(left)} = {explain_expression(right)}" for left, right in node.keys]
    bound = "" if node.bound is None else _BOUND_NAMES[type(node.bound)]
    lines = [f"{bound}Join({node.kind.value}: {', '.join(equal) or 'every row with every row'})"]
    if node.bound is not None:
        lines.append(_bound(node.bound))
    if node.condition is not None:
        lines.append(f"where: {explain_expression(node.condition)}")
    return [*lines, f"columns: {_columns(node.schema)}"]


_BOUND_NAMES = {Interval: "Interval", SameWindow: "Window", AsOf: "Temporal"}


def _bound(bound: JoinBound) -> str:
    match bound:
        case Interval():
            low, high = (explain_duration(one) for one in (bound.lower_ms, bound.upper_ms))
            clock = " by the clock" if bound.by_clock else ""
            return f"within: {bound.left_time} - {bound.right_time} between {low} and {high}{clock}"
        case SameWindow():
            return f"within: one window, [{', '.join(bound.left)}] = [{', '.join(bound.right)}], joined as it closes"
        case AsOf():
            return f"as of: {bound.left_time}, the last version whose {bound.right_time} is not after it"


def _over(node: Over) -> list[str]:
    lines = [f"Over(partition: {_names(node.partition)}; order: {_order(node.order)})"]
    asks = any(one.call.function not in _ORDERED for one in node.calls)
    if asks:
        lines.append(f"frame: {_frame(node.frame)}")
    lines.append("calls: " + ", ".join(f"{one.name} = {_aggregate_call(one.call)}" for one in node.calls))
    emits = {
        OverTime.EVENT: "each row when the watermark has passed it, in order",
        OverTime.PROCESSING: "each row at once",
        OverTime.END: "every row, at the end of the input",
        None: "nothing: it is ordered by no time attribute",
    }
    return [*lines, f"emits: {emits[node.time]}"]


_ORDERED = frozenset({"row_number", "rank", "dense_rank", "lag", "lead"})


def _frame(frame: Frame) -> str:
    def bound(offset: int | None, side: str) -> str:
        if offset is None:
            return f"UNBOUNDED {side}"
        if offset == 0:
            return "CURRENT ROW"
        return f"{offset if frame.unit is FrameUnit.ROWS else explain_duration(offset)} {side}"

    return f"{frame.unit.value} BETWEEN {bound(frame.preceding, 'PRECEDING')} AND {bound(frame.following, 'FOLLOWING')}"


def _names(columns: tuple[str, ...]) -> str:
    return ", ".join(columns) or "none"


def _order(keys: tuple[SortKey, ...]) -> str:
    return ", ".join(str(one) for one in keys) or "of arrival"


def _window_top_n(node: WindowTopN) -> list[str]:
    numbers = f"{node.first} to {node.last}" if node.first < node.last else str(node.first)
    lines = [f"WindowTopN(ROW_NUMBER {numbers}; partition: {_names(node.partition)}; order: {_order(node.order)})"]
    if node.rank is not None:
        lines.append(f"rank: {node.rank}")
    return [
        *lines,
        f"emits: each window once, when the {_pacer(node.window)} reaches its end; then its state is dropped",
    ]


def _top_n(node: TopN) -> list[str]:
    ranks = f"{node.first} to {node.last}" if node.first < node.last else str(node.first)
    head = (
        f"TopN({node.ranking.value.upper()} {ranks}; partition: {_names(node.partition)}; order: {_order(node.order)})"
    )
    lines = [head] if node.rank is None else [head, f"rank: {node.rank}"]
    when = "at each batch the rows that come and go" if node.updating else "every row once, at the end of the input"
    return [*lines, f"emits: {when}"]


def _deduplicate(node: Deduplicate) -> list[str]:
    which = "last" if node.keeps_last else "first"
    head = f"Deduplicate({which} row by {node.column}, {node.time.value}; keys: {_names(node.keys)})"
    if not node.updating:
        when = "each key's row once, at the end of the input"
    elif node.keeps_last:
        when = "at each batch the keys whose row it changes"
    elif node.time is OverTime.EVENT:
        when = "each key's row once, when the watermark has passed it"
    else:
        when = "each key's row once, as it comes"
    return [head, f"emits: {when}"]


def _sort(node: Sort) -> list[str]:
    some = "" if node.count is None else f", {node.count} rows"
    some += f", offset {node.offset}" if node.offset else ""
    when = "rows when the watermark has passed them" if node.time is OverTime.EVENT else "at the end of the input"
    return [f"Sort({_order(node.order)}{some})", f"emits: {when}"]


def _aggregate(node: Aggregate) -> list[str]:
    lines = ["Aggregate", *_groups(node, "none, one row in all")]
    when = "at each batch the groups that it changes" if node.updating else "each group once, at the end of the input"
    lines.append(f"emits: {when}")
    return lines


def _groups(node: Aggregate | WindowAggregate, without_keys: str) -> list[str]:
    lines = [f"keys: {', '.join(_projection(one) for one in node.keys) or without_keys}"]
    if node.aggregates:
        lines.append("aggregates: " + ", ".join(f"{one.name} = {_aggregate_call(one.call)}" for one in node.aggregates))
    return lines


def _window_aggregate(node: WindowAggregate) -> list[str]:
    lines = [f"WindowAggregate({explain_window(node.window)})", *_groups(node, "none, one row a window")]
    if node.properties:
        lines.append("window: " + ", ".join(f"{name} = its {value.value}" for name, value in node.properties))
    if node.emission is None:
        when = f"each window once, when the {_pacer(node.window)} reaches its end; then its state is dropped"
        return [*lines, f"emits: {when}"]
    return [*lines, f"emits: {_emission(node.emission)}"]


def _emission(emission: Emission) -> str:
    parts = ["each window when the watermark reaches its end"]
    if emission.early_ms is not None:
        parts.append(f"as it stands {_delay(emission.early_ms)} before")
    if emission.late_ms is not None:
        parts.append(f"again {_delay(emission.late_ms)} for {explain_duration(emission.lateness_ms)} after")
    return ", ".join(parts)


def _delay(delay_ms: int) -> str:
    return f"at most {explain_duration(delay_ms)} after a change" if delay_ms else "at each change"


def _pacer(window: Window) -> str:
    return "clock" if window.by_clock else "watermark"


def _window_assign(node: WindowAssign) -> list[str]:
    lines = [f"WindowAssign({explain_window(node.window)})", f"columns: {_columns(node.schema)}"]
    if node.window.kind is WindowKind.SESSION:
        lines.append(f"emits: the rows of each session, when the {_pacer(node.window)} reaches its end")
    return lines


def explain_window(window: Window) -> str:
    """Returns a window as text: its kind, its row time, its durations."""
    length = "gap" if window.kind is WindowKind.SESSION else "size"
    parts = [window.time_column, f"{length} {explain_duration(window.size_ms)}"]
    if window.kind is WindowKind.HOP:
        parts.append(f"slide {explain_duration(window.slide_ms)}")
    if window.kind is WindowKind.CUMULATE:
        parts.append(f"step {explain_duration(window.slide_ms)}")
    if window.offset_ms:
        parts.append(f"offset {explain_duration(window.offset_ms)}")
    if window.partition:
        parts.append(f"partition by {', '.join(window.partition)}")
    return f"{window.kind.value}: {', '.join(parts)}"


def _columns(schema: Schema) -> str:
    return ", ".join(f"{one.name} {one.type}{_time_mark(one)}" for one in schema.fields)


def _time_mark(field: Field) -> str:
    return " ROWTIME" if field.is_rowtime else " PROCTIME" if field.is_proctime else ""


# --- late and dead rows


def _notes(plan: Node) -> Iterator[str]:
    scans = {node.table.name: node.table for node in walk(plan) if isinstance(node, Scan)}
    tables = [table for table in scans.values() if table.options.get("connector") != _SIDE_STREAM]
    has_windows = any(judges_lateness(node) for node in walk(plan))
    has_order = any(_is_ordered_by_time(node) for node in walk(plan))
    for table in tables:
        if has_windows and table.watermark is not None:
            yield f"Late rows of {table.name}: a row whose every window has closed goes to `{table.name}$late`"
        elif has_order and table.watermark is not None:
            yield f"Late rows of {table.name}: a row that the watermark had passed goes to `{table.name}$late`"
        if "format" in table.options or "value.format" in table.options:
            yield f"Dead rows of {table.name}: a record that does not decode {_fate_of_dead(table)}"


def _is_ordered_by_time(node: Node) -> bool:
    """Tells whether a node needs its rows before the watermark passes them."""
    match node:
        case Over() | Sort():
            return node.time is OverTime.EVENT
        case Deduplicate():
            return node.time is OverTime.EVENT and not node.keeps_last and node.updating
        case _:
            return False


def _fate_of_dead(table: TableDefinition) -> str:
    if table.options.get("on-malformed", "dead") == "fail":
        return "ends the job"
    named = table.options.get("format", table.options.get("value.format", ""))
    if table.options.get(f"{named}.ignore-parse-errors", "").lower() == "true":
        return "is skipped; fields that do not parse are NULL"
    return f"goes to `{table.name}$dead`"


# --- expressions


def explain_expression(expression: Expression) -> str:
    """Returns an expression as text, near to how SQL writes it.

    Example:
        >>> from yeoul.plan.types import BOOLEAN, INT, STRING
        >>> explain_expression(Call("like", (ColumnRef("a", STRING), Literal("x%", STRING)), BOOLEAN))
        "a LIKE 'x%'"
    """
    match expression:
        case Literal():
            return _literal(expression.value, months=expression.type.kind is Kind.INTERVAL_YEAR_MONTH)
        case ColumnRef():
            return expression.name
        case Cast():
            word = "TRY_CAST" if expression.null_on_error else "CAST"
            return f"{word}({explain_expression(expression.operand)} AS {expression.type.or_null()})"
        case Case():
            branches = "".join(
                f" WHEN {explain_expression(condition)} THEN {explain_expression(value)}"
                for condition, value in expression.branches
            )
            return f"CASE{branches} ELSE {explain_expression(expression.otherwise)} END"
        case Call():
            return _call(expression)


def _call(call: Call) -> str:
    args = [_operand(arg) for arg in call.args]
    name = call.function
    if name in _INFIX and len(args) == 3:
        return f"{args[0]} {_INFIX[name]} {args[1]} ESCAPE {args[2]}"
    if name in _INFIX:
        return f" {_INFIX[name]} ".join(args)
    if name in _POSTFIX:
        return f"{args[0]} {_POSTFIX[name]}"
    match name:
        case "not":
            return f"NOT {args[0]}"
        case "negate":
            return f"-{args[0]}"
        case "in" | "not_in":
            return f"{args[0]} {'NOT IN' if name == 'not_in' else 'IN'} ({', '.join(args[1:])})"
        case "between" | "not_between":
            return f"{args[0]} {'NOT BETWEEN' if name == 'not_between' else 'BETWEEN'} {args[1]} AND {args[2]}"
        case "item":
            return f"{args[0]}[{args[1]}]"
        case "field" if isinstance(call.args[1], Literal):
            return f"{args[0]}.{call.args[1].value!s}"
        case _:
            return f"{written_name(name)}({', '.join(explain_expression(arg) for arg in call.args)})"


def _operand(expression: Expression) -> str:
    text = explain_expression(expression)
    needs_parens = isinstance(expression, Call) and (
        expression.function in _INFIX
        or expression.function in _POSTFIX
        or expression.function in ("not", "in", "not_in", "between", "not_between")
    )
    return f"({text})" if needs_parens else text


def _aggregate_call(call: AggregateCall) -> str:
    if call.function == "count_star":
        text = "COUNT(*)"
    else:
        distinct = "DISTINCT " if call.distinct else ""
        text = f"{written_name(call.function)}({distinct}{', '.join(explain_expression(arg) for arg in call.args)})"
    return text if call.filter is None else f"{text} FILTER (WHERE {explain_expression(call.filter)})"


def _literal(value: LiteralValue, *, months: bool = False) -> str:
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).upper()
        case int() if months:
            return f"INTERVAL {value} months"
        case int() | float() | Decimal():
            return str(value)
        case str():
            return "'" + value.replace("'", "''") + "'"
        case bytes():
            return f"X'{value.hex().upper()}'"
        case datetime.datetime():
            return f"TIMESTAMP '{value.isoformat(sep=' ')}'"
        case datetime.date():
            return f"DATE '{value.isoformat()}'"
        case datetime.time():
            return f"TIME '{value.isoformat()}'"
        case datetime.timedelta():
            return f"INTERVAL {explain_duration(value // datetime.timedelta(milliseconds=1))}"


def explain_duration(duration_ms: int) -> str:
    """Returns a duration in the largest unit that it is a whole number of.

    Example:
        >>> explain_duration(90_000), explain_duration(3_600_000), explain_duration(1_500), explain_duration(0)
        ('90 s', '1 h', '1500 ms', '0 ms')
    """
    unit_ms, unit = next((one for one in _UNITS_MS if duration_ms and duration_ms % one[0] == 0), (1, "ms"))
    return f"{duration_ms // unit_ms} {unit}"
