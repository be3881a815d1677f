"""A node's own lines: what it does, and then the details that deserve a line each."""

from __future__ import annotations

from collections.abc import Mapping

from yeoul.plan.encoding import Conflict, Encoding
from yeoul.plan.explain.expressions import explain_duration, explain_expression, explain_literal
from yeoul.plan.explain.joins import join_lines, lookup_join_lines
from yeoul.plan.explain.ordered import deduplicate_lines, over_lines, sort_lines, top_n_lines
from yeoul.plan.explain.parts import (
    columns_text,
    groups_text,
    names_text,
    projection_text,
    time_mark,
)
from yeoul.plan.explain.windows import window_aggregate_lines, window_assign_lines, window_top_n_lines
from yeoul.plan.nodes import (
    Aggregate,
    AssignWatermark,
    ChangelogNormalize,
    Deduplicate,
    DropUnchanged,
    Filter,
    Join,
    Limit,
    LookupJoin,
    Node,
    Over,
    Project,
    Scan,
    SetKind,
    SetOperation,
    Settle,
    SinkMaterialize,
    Sort,
    TopN,
    Union,
    Unnest,
    Values,
    WindowAggregate,
    WindowAssign,
    WindowTopN,
    Write,
)
from yeoul.plan.tables import ColumnKind

__all__ = ["describe_node"]


_MAX_SHOWN_ROWS = 5


def describe_node(node: Node) -> list[str]:
    """Returns a node's own lines: what it does, and then the details that deserve a line each."""
    match node:
        case Scan():
            return _scan(node)
        case Values():
            return [f"Values({_rows(node)})  -> {columns_text(node.schema)}"]
        case AssignWatermark():
            return _watermark(node)
        case Project():
            return ["Project", *_projections(node)]
        case Filter():
            return [f"Filter({explain_expression(node.predicate)})"]
        case Aggregate():
            return _aggregate(node)
        case WindowAggregate():
            return window_aggregate_lines(node)
        case WindowAssign():
            return window_assign_lines(node)
        case LookupJoin():
            return lookup_join_lines(node)
        case Unnest():
            kept = "; a row without elements is kept" if node.keeps_empty else ""
            return [f"Unnest({explain_expression(node.collection)}{kept})", f"columns: {columns_text(node.schema)}"]
        case Join():
            return join_lines(node)
        case Union():
            return [f"UnionAll({len(node.inputs)} inputs; the watermark is the least of theirs)"]
        case SetOperation():
            word = f"{node.kind.value.capitalize()}{'All' if node.keeps_doubles else ''}"
            keeps = "that the second has" if node.kind is SetKind.INTERSECT else "that the second does not have"
            return [f"{word}(rows of the first input {keeps})"]
        case Over():
            return over_lines(node)
        case TopN():
            return top_n_lines(node)
        case WindowTopN():
            return window_top_n_lines(node)
        case Deduplicate():
            return deduplicate_lines(node)
        case Sort():
            return sort_lines(node)
        case Limit() if node.offset:
            return [f"Limit({node.count}, offset {node.offset})  -> {columns_text(node.schema)}"]
        case Limit():
            return [f"Limit({node.count})  -> {columns_text(node.schema)}"]
        case Settle():
            return ["Settle", "emits: the rows that are left, once, at the end of the input"]
        case DropUnchanged():
            return ["DropUnchanged", "emits: the changes, but for updates that change none of these columns"]
        case ChangelogNormalize():
            emits = "of each record what the key's row was, and what it is"
            return [f"ChangelogNormalize(key: {names_text(node.key)})", f"emits: {emits}"]
        case SinkMaterialize():
            keeps = _KEPT[node.conflict]
            return [f"SinkMaterialize(key: {names_text(node.key)}; {node.conflict.value.lower()})", f"keeps: {keeps}"]
        case Write():
            return _write(node)


_KEPT = {
    Conflict.DEDUPLICATE: "of the rows of a key that stand the latest",
    Conflict.NOTHING: "of the rows of a key the first, when the watermark moves",
    Conflict.ERROR: "the row of a key, when the watermark moves; a second one is an error",
}


def _write(node: Write) -> list[str]:
    head = f"Write(table {node.table.name}, connector {node.options.get('connector', '?')})"
    return [head, f"columns: {columns_text(node.schema)}", f"encoding: {_encoding(node)}"]


def _encoding(node: Scan | Write) -> str:
    """How changes are told, and by which key."""
    key = f" by ({names_text(node.table.primary_key)})" if node.encoding is Encoding.UPSERT else ""
    return node.encoding.value + key


def _scan(node: Scan) -> list[str]:
    stored = [column.name for column in node.table.columns if column.kind is not ColumnKind.COMPUTED]
    skipped = [name for name in stored if name not in node.schema]
    lines = [f"Scan(table {node.table.name}, connector {node.options.get('connector', '?')})"]
    lines.append(f"columns: {columns_text(node.schema)}")
    if skipped:
        lines.append(f"not decoded: {', '.join(skipped)}")
    if node.sieve is not None:
        others = f"; of others {', '.join(node.sieve.times)} alone" if node.sieve.times else ""
        lines.append(f"wanted: {explain_expression(node.sieve.predicate)}{others}")
    if node.encoding is not Encoding.APPEND:
        lines.append(f"encoding: {_encoding(node)}")
    changed = _changed_options(node.options, node.table.options)
    if changed:
        lines.append(f"options of this query: {changed}")
    return lines


def _changed_options(now: Mapping[str, str], declared: Mapping[str, str]) -> str:
    return ", ".join(f"{key} = {value!r}" for key, value in now.items() if declared.get(key) != value)


def _rows(node: Values) -> str:
    shown = ", ".join(f"({', '.join(explain_literal(one) for one in row)})" for row in node.rows[:_MAX_SHOWN_ROWS])
    more = ", ..." if len(node.rows) > _MAX_SHOWN_ROWS else ""
    return f"{len(node.rows)} row{'' if len(node.rows) == 1 else 's'}: {shown}{more}"


def _watermark(node: AssignWatermark) -> list[str]:
    idle = "never idle" if node.idle_timeout_ms is None else f"idle after {explain_duration(node.idle_timeout_ms)}"
    watermark = f"AssignWatermark({node.column}, watermark {explain_expression(node.expression)}, per split, {idle})"
    return [watermark] if node.told is None else [watermark, f"{node.told}: the watermark before each row"]


def _projections(node: Project) -> list[str]:
    fields = zip(node.projections, node.schema.fields, strict=True)
    return [f"{projection_text(one)}  -> {field.type}{time_mark(field)}" for one, field in fields]


def _aggregate(node: Aggregate) -> list[str]:
    lines = ["Aggregate", *groups_text(node, "none, one row in all")]
    when = "at each batch the groups that it changes" if node.updating else "each group once, at the end of the input"
    lines.append(f"emits: {when}")
    return lines
