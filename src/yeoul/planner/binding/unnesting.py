"""UNNEST(collection) and LATERAL TABLE(f(x)) in FROM: rows beside the elements of something that they have.

A table function is a function that gives an ARRAY, or one that was declared by `udtf`: its elements are the rows, and
the fields of each its columns.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from yeoul.plan import types
from yeoul.plan.expressions import Literal
from yeoul.plan.nodes import Field, Filter, Node, Schema, Unnest
from yeoul.plan.types import DataType, Kind
from yeoul.planner.binding.context import BindContext, Relation, Scope, unique_name
from yeoul.planner.binding.expressions import ExpressionBinder
from yeoul.planner.binding.projections import unnamed
from yeoul.planner.dialects.flink.nodes import JoinedTables, UnnestedRows

__all__ = ["bind_unnest"]


def bind_unnest(
    context: BindContext, source: UnnestedRows, left: Relation, join: JoinedTables | None = None
) -> Relation:
    """Returns the rows of the left, each beside each element.

    Args:
        context: The statement's.
        source: What is unnested; names in it are those of the left.
        left: The rows.
        join: How it was joined to them; None: it stands alone.

    Raises:
        UserError: It is no collection, or the names for its columns do not fit.
    """
    kind = "CROSS" if join is None else join.args["kind"]
    by_name = join is not None and (join.args.get("using") or join.args.get("natural"))
    if kind not in ("CROSS", "INNER", "LEFT") or by_name:
        hint = "CROSS JOIN and LEFT JOIN ... ON TRUE can"
        raise context.error(f"{source.title} cannot be joined like this", join, hint)
    binder = ExpressionBinder(context, left, source.title)
    collection = binder.rows(source.this) if source.args.get("lateral") else binder.bind(source.this)
    columns = _columns(context, source, collection.type)
    if source.args.get("ordinality"):
        columns.append(("ORDINALITY", types.INT.not_null()))
    names = _names(context, source, [name for name, _ in columns])
    taken = list(left.schema.names)
    fields = []
    for name, (_, type) in zip(names, columns, strict=True):
        own = unique_name(name, taken)
        taken.append(own)
        fields.append(Field(own, type.or_null() if kind == "LEFT" else type))
    number = fields[-1].name if source.args.get("ordinality") else None
    schema = Schema((*left.schema.fields, *fields))
    node: Node = Unnest(left.node, collection, schema, number, kind == "LEFT")
    alias = source.args.get("alias")
    qualifier = alias.this.name if alias is not None else ""
    scope = Scope(qualifier, {name: field.name for name, field in zip(names, fields, strict=True)})
    scopes = (*left.scopes, scope) if join is not None else (scope,)
    made = Relation(node, "", "the joined tables", scopes)
    condition = join.args.get("on") if join is not None else None
    if condition is None:
        return made
    predicate = ExpressionBinder(context, made, "ON").condition(condition)
    if isinstance(predicate, Literal) and predicate.value is True:
        return made
    if kind == "LEFT":
        raise context.error(f"LEFT JOIN {source.title} takes no condition but TRUE", condition, "Put it in WHERE")
    return Relation(Filter(node, predicate), "", made.title, scopes)


def _columns(context: BindContext, source: UnnestedRows, type: DataType) -> list[tuple[str, DataType]]:
    """Returns the columns that an element fills."""
    if type.kind is Kind.MAP and type.key is not None and type.element is not None:
        return [("KEY", type.key), ("VALUE", type.element)]
    if type.kind is not Kind.ARRAY or type.element is None:
        raise context.error(
            f"{source.title} expects an ARRAY or a MAP, got {type.or_null()}", source.this, "A row has no elements"
        )
    if type.element.kind is Kind.ROW:
        return [(field.name, field.type.or_null()) for field in type.element.fields]
    return [(unnamed(0), type.element)]


def _names(context: BindContext, source: UnnestedRows, natural: Sequence[str]) -> list[str]:
    alias = source.args.get("alias")
    given: list[exp.Expr] = (alias.args.get("columns") if alias is not None else None) or []
    if not given:
        return list(natural)
    if len(given) != len(natural):
        shown = "one column" if len(natural) == 1 else f"{len(natural)} columns ({', '.join(natural)})"
        raise context.error(f"{source.title} gives {shown}, got {len(given)} names", given[0])
    return [one.name for one in given]
