"""How a table that is written is told of changes, and what becomes of several rows for one key of it.

A query's key that lies within the table's primary key makes the table's key unique among the query's rows, and a record
a key is all there is to it. Where it does not, as Flink has it, INSERT has to say by ON CONFLICT what to keep, and the
rows that stand are remembered for it. Rows that only append need nothing: the last of a key is its row.

Source: https://nightlies.apache.org/flink/flink-docs-stable/docs/sql/reference/dml/insert/#on-conflict-clause
"""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from yeoul.errors import UserError
from yeoul.plan.changelog import Changelog, changelog_of
from yeoul.plan.encoding import Conflict, Encoding
from yeoul.plan.nodes import Scan, Settle, SinkMaterialize, Write, walk
from yeoul.plan.tables import ColumnKind
from yeoul.planner.binding.boundedness import gives_changes
from yeoul.planner.binding.context import BindContext

__all__ = ["MATERIALIZE_SETTING", "REQUIRE_SETTING", "told_by_changes"]

MATERIALIZE_SETTING = "table.exec.sink.upsert-materialize"
REQUIRE_SETTING = "table.exec.sink.require-on-conflict"
_STRATEGIES = "DO DEDUPLICATE keeps the latest row of a key, DO NOTHING the first; DO ERROR fails the job"


def told_by_changes(context: BindContext, plan: Write, at: exp.Expr) -> Write | None:
    """Returns how a table that takes changes is told of them; None if it takes rows that stand and nothing else.

    Raises:
        UserError: The statement does not say what becomes of several rows for a key, or says it where there is none.
    """
    from yeoul.connectors.registry import taken_as

    takes = taken_as(plan.options)
    if plan.conflict is not None and (takes is Encoding.APPEND or not plan.table.primary_key):
        raise context.error(
            f"ON CONFLICT is for tables that take changes by a primary key, {plan.table.name!r} is none",
            at,
            hint="Declare a PRIMARY KEY" if takes is not Encoding.APPEND else "Leave ON CONFLICT out",
        )
    if takes is Encoding.APPEND:
        return None
    told = replace(plan, encoding=takes)
    if not plan.table.primary_key:
        return told
    if not gives_changes(plan.input, context.settings):
        settles = takes is Encoding.UPSERT and not changelog_of(plan.input).is_append_only
        told = replace(told, input=Settle(told.input)) if settles else told
        return told if plan.conflict is None else _materialized(context, told, at)
    return _materialized(context, told, at)


def _materialized(context: BindContext, plan: Write, at: exp.Expr) -> Write:
    gives, key = changelog_of(plan.input), _key(plan)
    mode = context.settings.get(MATERIALIZE_SETTING, "AUTO").upper()
    keeps_one = plan.conflict in (Conflict.NOTHING, Conflict.ERROR)
    if keeps_one:
        _check_watermarks(context, plan, at)
    if mode == "NONE":
        if plan.conflict is not None:
            raise context.error(
                f"ON CONFLICT says what to keep of several rows, and {MATERIALIZE_SETTING!r} = 'NONE' keeps none", at
            )
        return plan
    overwrites = plan.encoding is Encoding.UPSERT or plan.conflict is None
    if gives.is_append_only and overwrites and not keeps_one:
        return plan
    if mode != "FORCE" and any(own <= set(key) for own in gives.keys):
        return plan
    if plan.conflict is None and context.settings.get(REQUIRE_SETTING, "true").lower() == "true":
        raise _unsaid(context, plan, gives, at)
    own = min((tuple(sorted(one)) for one in gives.keys), key=len, default=())
    conflict = plan.conflict or Conflict.DEDUPLICATE
    return replace(plan, input=SinkMaterialize(plan.input, key, own, conflict, plan.table.name))


def _key(plan: Write) -> tuple[str, ...]:
    """Returns the table's primary key as the query's columns, which match the table's by position."""
    stored = [
        one.name
        for one in plan.table.columns
        if one.kind is ColumnKind.PHYSICAL or (one.kind is ColumnKind.METADATA and not one.virtual)
    ]
    return tuple(plan.input.schema.names[stored.index(name)] for name in plan.table.primary_key)


def _check_watermarks(context: BindContext, plan: Write, at: exp.Expr) -> None:
    assert plan.conflict is not None
    scans = (node for node in walk(plan) if isinstance(node, Scan))
    without = sorted({one.table.name for one in scans if one.table.watermark is None})
    if without:
        raise context.error(
            f"ON CONFLICT DO {plan.conflict.value} looks for conflicts when the watermark moves, and there is none for"
            f" {', '.join(map(repr, without))}",
            at,
            hint="Declare WATERMARK FOR ... AS ... there, or write ON CONFLICT DO DEDUPLICATE",
        )


def _unsaid(context: BindContext, plan: Write, gives: Changelog, at: exp.Expr) -> UserError:
    keys = sorted(sorted(one) for one in gives.keys)
    shown = " or ".join(f"({', '.join(key)})" for key in keys) or "none that is known"
    return context.error(
        f"The query may give several rows for one key of table {plan.table.name!r}: its primary key is"
        f" ({', '.join(plan.table.primary_key)}), the key of the query's rows {shown}",
        at,
        hint=f"Say what to keep, by ON CONFLICT at the end: {_STRATEGIES}",
    )
