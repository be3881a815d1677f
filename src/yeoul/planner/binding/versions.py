"""Temporal joins by event time: JOIN v FOR SYSTEM_TIME AS OF a.row_time, each row beside the version of its time.

A versioned table has a key and a row time: a table that declares PRIMARY KEY and WATERMARK, or a view of each key's
last row by its row time. Such a view is read below its ROW_NUMBER, so that every version counts, also one that comes
behind a later one. What a view asks of its rows decides whether a version stands, not whether there is one: a version
that does not stand ends the one before all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from yeoul.plan.changelog import changelog_of
from yeoul.plan.expressions import Call, ColumnRef, Expression, columns_of
from yeoul.plan.join_bounds import AsOf
from yeoul.plan.nodes import AssignWatermark, Deduplicate, Filter, Join, JoinKey, JoinKind, Node, Project, Scan, Schema
from yeoul.plan.ordering import OverTime
from yeoul.plan.types import BOOLEAN
from yeoul.planner.binding.context import BindContext, Relation, unique_name
from yeoul.planner.casts import widened_column
from yeoul.planner.rewriting import equal_sides, joined, project

__all__ = ["versioned_rows"]

_HOW = "PRIMARY KEY (k) NOT ENFORCED and WATERMARK FOR ts AS ..., or a view of each key's last row by its row time"
_Key = frozenset[str]


@dataclass(frozen=True, slots=True)
class _Versions:
    """The versions of a table: rows of a node, and the column that says whether a version stands; None: each does."""

    node: Node
    standing: str | None = None


def versioned_rows(
    context: BindContext,
    as_of: exp.Expr,
    time: ColumnRef,
    left: Relation,
    right: Relation,
    kind: JoinKind,
    parts: Sequence[Expression],
) -> Node:
    """Returns the rows of the left beside the versions of their time.

    Args:
        context: The statement's.
        as_of: What stands behind AS OF.
        time: The left's row time that it means.
        left: The rows.
        right: The versioned table, its columns named apart from the left's.
        kind: INNER or LEFT.
        parts: The condition, over the columns of both.

    Raises:
        UserError: The left's rows do not stand, or the right has no row time, no key, or the condition leaves it out.
    """
    if not changelog_of(left.node).is_append_only:
        hint = "Join first and aggregate above, or join without FOR SYSTEM_TIME AS OF"
        raise context.error("A temporal join takes new rows only on its left side, and these change", as_of, hint)
    right_time = right.schema.rowtime
    if right_time is None:
        raise context.error(f"A temporal join by event time needs a row time in {right.title}", as_of, hint=_HOW)
    if time.type.kind is not right_time.type.kind:
        message = f"Row times of a temporal join are of one type, got {time.type} and {right_time.type}"
        raise context.error(message, as_of, hint="Declare both TIMESTAMP(3), or both TIMESTAMP_LTZ(3)")
    keys = _keys(right.node)
    if not keys:
        raise context.error(f"A temporal join needs a primary key in {right.title}", as_of, hint=_HOW)
    pairs, rest = _by_key(context, as_of, keys, left, right, parts)
    rows = left.node
    if kind is JoinKind.INNER:
        own = [part for part in rest if set(columns_of(part)) <= set(left.schema.names)]
        rest = [part for part in rest if part not in own]
        rows = Filter(rows, joined(own)) if own else rows
    versions = _versions(right.node, left.schema.names)
    if versions.standing is not None:
        rest.append(ColumnRef(versions.standing, BOOLEAN.not_null()))
    may_lack = kind is JoinKind.LEFT
    fields = [
        replace(one, type=one.type.or_null(may_lack or one.type.nullable), is_rowtime=False, is_proctime=False)
        for one in right.schema.fields
    ]
    schema = Schema((*left.schema.fields, *fields))
    condition = joined(rest) if rest else None
    return Join(rows, versions.node, kind, pairs, condition, schema, AsOf(time.name, right_time.name))


def _by_key(
    context: BindContext,
    as_of: exp.Expr,
    keys: Sequence[_Key],
    left: Relation,
    right: Relation,
    parts: Sequence[Expression],
) -> tuple[tuple[JoinKey, ...], list[Expression]]:
    """Takes the equalities of a condition that find a version by its key; returns them, and all else."""
    found: dict[str, tuple[tuple[Expression, Expression], Expression]] = {}
    for part in parts:
        pair = equal_sides(part, left.schema.names, right.schema.names)
        column = None if pair is None else widened_column(pair[1])
        if pair is not None and column is not None:
            found.setdefault(column, (pair, part))
    key = next((key for key in sorted(keys, key=lambda one: (len(one), sorted(one))) if key <= found.keys()), None)
    if key is None:
        wanted = " or ".join(f"({', '.join(sorted(one))})" for one in sorted(keys, key=sorted))
        got = f"({', '.join(found)})" if found else "none of it"
        raise context.error(
            f"A temporal join finds versions by the whole primary key of {right.title}, {wanted}, got {got}",
            as_of,
            hint="... ON a.k = v.k for each column of the key",
        )
    taken = [found[column] for column in right.schema.names if column in key]
    return tuple(JoinKey(*pair) for pair, _ in taken), [
        part for part in parts if part not in [used for _, used in taken]
    ]


def _keys(node: Node) -> list[_Key]:
    """Returns the sets of columns by which versions are told apart."""
    match node:
        case Scan():
            declared = frozenset(node.table.primary_key)
            return [declared] if declared and declared <= set(node.schema.names) else []
        case AssignWatermark() | Filter():
            return _keys(node.input)
        case Project():
            below: dict[str, str] = {}
            for one in node.projections:
                if isinstance(one.expression, ColumnRef):
                    below.setdefault(one.expression.name, one.name)
            return [frozenset(below[name] for name in key) for key in _keys(node.input) if key <= below.keys()]
        case Deduplicate():
            return [frozenset(node.keys)]
        case _:
            return [key for key in changelog_of(node).keys if key]


def _versions(node: Node, taken: Sequence[str]) -> _Versions:
    """Returns the rows that are a node's versions; names that are taken belong to the other side."""
    match node:
        case Deduplicate() if node.keeps_last and node.time is not OverTime.PROCESSING:
            return _Versions(node.input)
        case Filter() if not _only_appends(node):
            return _asked(_versions(node.input, taken), node, taken)
        case Project():
            return _projected(_versions(node.input, taken), node, taken)
        case _:
            return _Versions(node)


def _only_appends(node: Node) -> bool:
    """Tells whether a node's rows are those of a table that only gets new ones: a filter leaves some of them out."""
    match node:
        case Filter() | Project() | AssignWatermark():
            return _only_appends(node.input)
        case _:
            return isinstance(node, Scan) and changelog_of(node).is_append_only


def _asked(below: _Versions, node: Filter, taken: Sequence[str]) -> _Versions:
    stands: Expression = Call("is_true", (node.predicate,), BOOLEAN.not_null())
    if below.standing is not None:
        stands = Call("and", (ColumnRef(below.standing, BOOLEAN.not_null()), stands), BOOLEAN.not_null())
    return _with_standing(
        below.node, [(one.name, ColumnRef(one.name, one.type)) for one in node.schema.fields], stands, taken
    )


def _projected(below: _Versions, node: Project, taken: Sequence[str]) -> _Versions:
    if below.standing is None:
        return _Versions(replace(node, input=below.node))
    outputs = [(one.name, one.expression) for one in node.projections]
    return _with_standing(below.node, outputs, ColumnRef(below.standing, BOOLEAN.not_null()), taken)


def _with_standing(
    node: Node, outputs: Sequence[tuple[str, Expression]], stands: Expression, taken: Sequence[str]
) -> _Versions:
    name = unique_name("stands", [*taken, *(output for output, _ in outputs)])
    return _Versions(project(node, [*outputs, (name, stands)]), name)
