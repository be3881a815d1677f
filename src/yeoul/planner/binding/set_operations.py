"""UNION, INTERSECT, EXCEPT: columns of several queries matched by position, under the first one's names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from yeoul.plan.expressions import ColumnRef
from yeoul.plan.functions import common_type
from yeoul.plan.nodes import Field, Node, Schema, SetKind, SetOperation, Union
from yeoul.planner.binding.context import BindContext
from yeoul.planner.binding.grouping import distinct
from yeoul.planner.binding.projections import is_invented
from yeoul.planner.casts import coerced
from yeoul.planner.rewriting import project

__all__ = ["combined", "united"]


def united(context: BindContext, inputs: Sequence[Node], trees: Sequence[exp.Expr], word: str = "UNION ALL") -> Union:
    """Returns the rows of all inputs.

    Args:
        context: For messages.
        inputs: The queries' plans.
        trees: The queries, for the place of a message.
        word: What the operation is called in messages.

    Raises:
        UserError: The queries have different numbers of columns, or columns whose types do not meet.
    """
    schema = _met(context, inputs, trees, word)
    return Union(tuple(_cast_to(rows, schema) for rows in inputs), schema)


def combined(context: BindContext, node: exp.Expr, left: Node, right: Node) -> Node:
    """Returns the rows of UNION without ALL, INTERSECT or EXCEPT.

    Raises:
        UserError: As `united`.
    """
    kind, keeps_doubles = node.args["kind"], bool(node.args.get("all"))
    trees = (node.this, node.args["expression"])
    if kind == "UNION":
        return distinct(context, united(context, (left, right), trees, "UNION"))
    met = _met(context, (left, right), trees, kind)
    schema = Schema(tuple(replace(field, is_rowtime=False) for field in met.fields))
    return SetOperation(_cast_to(left, met), _cast_to(right, met), SetKind(kind), keeps_doubles, schema)


def _met(context: BindContext, inputs: Sequence[Node], trees: Sequence[exp.Expr], word: str) -> Schema:
    first = inputs[0].schema
    for rows, tree in zip(inputs, trees, strict=True):
        if len(rows.schema.fields) != len(first.fields):
            raise context.error(
                f"The queries of {word} need as many columns as the first, {len(first.fields)};"
                f" this one has {len(rows.schema.fields)}",
                tree,
            )
    columns = [[rows.schema.fields[index] for rows in inputs] for index in range(len(first.fields))]
    return Schema(tuple(_met_field(context, fields, index, trees, word) for index, fields in enumerate(columns)))


def _met_field(context: BindContext, fields: list[Field], index: int, trees: Sequence[exp.Expr], word: str) -> Field:
    meeting = common_type([field.type for field in fields])
    if meeting is None:
        shown = ", ".join(dict.fromkeys(str(field.type.or_null()) for field in fields))
        odd = next(number for number, field in enumerate(fields) if not field.type.same_as(fields[0].type))
        name = index + 1 if is_invented(fields[0].name) else repr(fields[0].name)
        raise context.error(
            f"Column {name} of {word} has types that do not meet: {shown}",
            trees[odd],
            hint="CAST it to one type",
        )
    is_rowtime = all(field.is_rowtime and field.type.same_as(meeting) for field in fields)
    return Field(fields[0].name, meeting, is_rowtime, all(field.is_proctime for field in fields))


def _cast_to(rows: Node, schema: Schema) -> Node:
    pairs = list(zip(rows.schema.fields, schema.fields, strict=True))
    if all(have.name == want.name and have.type.same_as(want.type) for have, want in pairs):
        return rows
    return project(rows, [(want.name, coerced(ColumnRef(have.name, have.type), want.type)) for have, want in pairs])
