"""A table in FROM: Scan of its stored columns, Project of its computed ones, AssignWatermark, ChangelogNormalize."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sqlglot import exp

from yeoul.errors import UserError
from yeoul.plan.encoding import Encoding
from yeoul.plan.expressions import ColumnRef, Expression
from yeoul.plan.nodes import AssignWatermark, ChangelogNormalize, Field, Node, Project, Projection, Scan, Schema
from yeoul.plan.tables import ColumnKind, TableDefinition, WatermarkDefinition
from yeoul.plan.trigger import TRIGGER_SETTING, TriggerKind, parse_trigger
from yeoul.planner.binding.context import BindContext
from yeoul.planner.rewriting import is_proctime
from yeoul.units import parse_duration_ms

__all__ = ["IDLE_OPTION", "IDLE_SETTING", "check_table_options", "merged_options", "scan"]

IDLE_OPTION = "scan.watermark.idle-timeout"
IDLE_SETTING = "table.exec.source.idle-timeout"
ALIGNMENT_GROUP = "scan.watermark.alignment.group"
ALIGNMENT_DRIFT = "scan.watermark.alignment.max-drift"
DUPLICATES_SETTING = "table.exec.source.cdc-events-duplicate"


def scan(context: BindContext, table: TableDefinition, options: Mapping[str, str]) -> Node:
    """Returns the rows of a table with all its columns, in the order declared; upserts as changes."""
    stored = [column for column in table.columns if column.kind is not ColumnKind.COMPUTED]
    options = _ending_now(context, table, options)
    fields = Schema(tuple(Field(column.name, column.type) for column in stored))
    encoding = _encoding(context, table, options)
    node: Node = Scan(table, fields, options, encoding)
    if len(stored) < len(table.columns):
        node = _with_computed(node, table)
    if table.watermark is not None:
        node = _with_watermark(context, node, table.watermark, options)
    return ChangelogNormalize(node, table.primary_key) if encoding is Encoding.UPSERT else node


def _encoding(context: BindContext, table: TableDefinition, options: Mapping[str, str]) -> Encoding:
    """Returns what a record of a table means; changes that may come twice are taken for upserts, if there is a key."""
    from yeoul.connectors.registry import told_as

    encoding = told_as(options)
    may_come_twice = context.settings.get(DUPLICATES_SETTING, "false").lower() == "true"
    return Encoding.UPSERT if encoding is Encoding.RETRACT and may_come_twice and table.primary_key else encoding


def _with_watermark(
    context: BindContext, node: Node, watermark: WatermarkDefinition, options: Mapping[str, str]
) -> AssignWatermark:
    fields = tuple(replace(one, is_rowtime=one.name == watermark.column) for one in node.schema.fields)
    idle_ms = _idle_timeout_ms(context, options)
    alignment = _alignment(options)
    return AssignWatermark(node, watermark.column, watermark.expression, Schema(fields), idle_ms, alignment)


def _with_computed(node: Node, table: TableDefinition) -> Node:
    projections = []
    for column in table.columns:
        value: Expression = column.expression or ColumnRef(column.name, column.type)
        projections.append(Projection(column.name, value))
    fields = (
        Field(one.name, column.type, is_proctime=is_proctime(node.schema, one.expression))
        for one, column in zip(projections, table.columns, strict=True)
    )
    return Project(node, tuple(projections), Schema(tuple(fields)))


def _idle_timeout_ms(context: BindContext, options: Mapping[str, str]) -> int | None:
    """The table's own option comes before the setting for all; 0 and absence mean never."""
    text = options.get(IDLE_OPTION, context.settings.get(IDLE_SETTING, "0"))
    return parse_duration_ms(text) or None


def _alignment(options: Mapping[str, str]) -> tuple[str, int] | None:
    group = options.get(ALIGNMENT_GROUP)
    return None if group is None else (group, parse_duration_ms(options[ALIGNMENT_DRIFT]))


def _ending_now(context: BindContext, table: TableDefinition, options: Mapping[str, str]) -> Mapping[str, str]:
    """Under a trigger that takes what is there and ends, tables end where they end when the job starts."""
    from yeoul.connectors.registry import until_now

    if not parse_trigger(context.settings.get(TRIGGER_SETTING, TriggerKind.AS_FAST_AS_POSSIBLE.value)).ends_now:
        return options
    return until_now(table.name, options)


def merged_options(context: BindContext, table: TableDefinition, node: exp.Table) -> Mapping[str, str]:
    """Returns a table's options with those of the query's hint on top.

    Raises:
        UserError: The connector does not take them.
    """
    pairs: list[exp.Expr] = node.args.get("hints") or []
    if not pairs:
        return table.options
    options = {**table.options, **{pair.this: pair.args["expression"] for pair in pairs}}
    check_table_options(context, replace(table, options=options), pairs, node)
    return options


def check_table_options(context: BindContext, table: TableDefinition, pairs: list[exp.Expr], node: exp.Expr) -> None:
    """Lets the connector check a table's options.

    Raises:
        UserError: An option is unknown, missing or does not parse; at the option's place where it has one.
    """
    from yeoul.connectors.registry import check_options

    try:
        check_options(table.options, table.columns, table.primary_key)
    except UserError as error:
        if error.span is not None:
            raise
        named = [pair for pair in pairs if repr(pair.this) in error.message]
        named += [pair for pair in pairs if repr(pair.args["expression"]) in error.message]
        raise context.error(f"Table {table.name!r}: {error.message}", (named or [node])[0], error.hint) from None
