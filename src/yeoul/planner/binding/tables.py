"""CREATE TABLE: the declaration's elements become a TableDefinition with every expression bound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace

from sqlglot import exp

from yeoul.errors import did_you_mean
from yeoul.plan.nodes import Field, Schema, Values
from yeoul.plan.tables import Column, ColumnKind, TableDefinition, ViewDefinition, WatermarkDefinition
from yeoul.planner.binding.context import BindContext, Relation
from yeoul.planner.binding.expressions import ExpressionBinder
from yeoul.planner.binding.like import LikeRules
from yeoul.planner.binding.scans import check_table_options
from yeoul.planner.casts import coerced
from yeoul.planner.dialects.flink.nodes import (
    ColumnElement,
    CreateTableSyntax,
    PrimaryKeyElement,
    WatermarkElement,
)
from yeoul.planner.folding import folded

__all__ = ["define_table", "with_options"]

_MAX_ROWTIME_PRECISION = 3


def define_table(context: BindContext, syntax: CreateTableSyntax, rows: Schema | None = None) -> TableDefinition:
    """Returns the table that a CREATE TABLE declares, checked by its connector.

    Args:
        context: The statement's.
        syntax: The declaration.
        rows: What AS SELECT gives: its columns come behind those that are declared; one that is declared, too, has its
            place among them and the declared type.

    Raises:
        UserError: A column is declared twice or unknown, a type does not fit, an option is not the connector's.
    """
    name = context.name_of(syntax.this)
    base = _base(context, syntax) if rows is None else _of_rows(context, syntax, rows)
    elements = [one for one in syntax.expressions if rows is None or not _is_of(rows, one)]
    pairs: list[exp.Expr] = syntax.args.get("options") or []
    rules = LikeRules(context, syntax)
    base = rules.taken_over(base, elements)
    declared = _columns(context, name, elements, base.columns)
    columns = (*base.columns, *declared) if rows is None else (*declared, *base.columns)
    watermark = _watermark(context, name, columns, elements) or base.watermark
    columns, key = _with_key(context, columns, syntax.expressions)
    own = _options(context, pairs)
    rules.refuse_overwritten(base, own)
    options = {**base.options, **own}
    table = TableDefinition(
        name, columns, watermark, key or base.primary_key, options, syntax.args.get("comment") or base.comment
    )
    table = replace(table, database=context.database_of(syntax.this))
    if all(column.kind is ColumnKind.COMPUTED for column in columns):
        what = "columns" if not columns else "a column that is stored, not computed"
        raise context.error(f"Table {name!r} needs {what}", syntax.this, hint=f"CREATE TABLE {name} (a STRING, ...)")
    check_table_options(context, table, pairs, syntax.this)
    return table


def with_options(context: BindContext, table: TableDefinition, altered: exp.Expr) -> TableDefinition:
    """Returns a table with options of ALTER TABLE SET and RESET, checked by its connector.

    Raises:
        UserError: The connector does not take them.
    """
    pairs: list[exp.Expr] = altered.args.get("options") or []
    reset = set(altered.args.get("reset") or [])
    kept = {key: value for key, value in table.options.items() if key not in reset}
    changed = replace(table, options={**kept, **_options(context, pairs)})
    check_table_options(context, changed, pairs, altered)
    return changed


def _base(context: BindContext, syntax: CreateTableSyntax) -> TableDefinition:
    """Returns the table after LIKE, or an empty one."""
    like = syntax.args.get("like")
    if like is None:
        return TableDefinition("", ())
    found = context.find(like)
    if found is None:
        raise context.error(f"Unknown table {like.name!r}", like, did_you_mean(like.name, context.tables.names()))
    if isinstance(found, ViewDefinition):
        raise context.error(f"LIKE expects a table, {like.name!r} is a view", like)
    return found


def _of_rows(context: BindContext, syntax: CreateTableSyntax, rows: Schema) -> TableDefinition:
    """Returns the columns of AS SELECT: in the order of a list of their names, with the types that are declared."""
    declared = {one.this.name: one for one in syntax.expressions if _is_of(rows, one)}
    columns = [_of_row(one, declared.get(one.name)) for one in rows.fields]
    names: list[exp.Identifier] = syntax.args.get("names") or []
    for name in names:
        if name.name not in rows:
            raise context.error(f"AS SELECT gives no column {name.name!r}", name, did_you_mean(name.name, rows.names))
    order = [name.name for name in names]
    if names and sorted(order) != sorted(rows.names):
        raise context.error(
            "A list of names has each column of AS SELECT once",
            names[0],
            hint=f"It gives ({', '.join(rows.names)})",
        )
    return TableDefinition("", tuple(sorted(columns, key=lambda one: order.index(one.name)) if names else columns))


def _of_row(field: Field, declared: ColumnElement | None) -> Column:
    return Column(field.name, field.type) if declared is None else _stored(declared)


def _is_of(rows: Schema, element: exp.Expr) -> bool:
    """Tells whether an element says the type of a column that AS SELECT gives."""
    is_stored = isinstance(element, ColumnElement) and element.args["kind"] == "physical"
    return is_stored and element.this.name in rows


def _options(context: BindContext, pairs: Sequence[exp.Expr]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        if pair.this in found:
            raise context.error(f"Option {pair.this!r} is given twice", pair)
        found[pair.this] = pair.args["expression"]
    return found


# --- columns


def _columns(
    context: BindContext, table: str, elements: Sequence[exp.Expr], inherited: tuple[Column, ...]
) -> tuple[Column, ...]:
    declared = [element for element in elements if isinstance(element, ColumnElement)]
    _refuse_doubles(context, declared, inherited)
    stored = [_stored(element) for element in declared if element.args["kind"] != "computed"]
    before = [column for column in inherited if column.kind is not ColumnKind.COMPUTED]
    relation = _relation_of(table, (*before, *stored))
    by_name = {column.name: column for column in stored}
    computed = {element.this.name for element in declared if element.args["kind"] == "computed"}
    return tuple(
        by_name.get(element.this.name) or _computed(context, relation, element, computed) for element in declared
    )


def _refuse_doubles(context: BindContext, declared: list[ColumnElement], inherited: tuple[Column, ...]) -> None:
    names = {column.name for column in inherited}
    for element in declared:
        if element.this.name in names:
            raise context.error(f"Column {element.this.name!r} is declared twice", element)
        names.add(element.this.name)


def _stored(element: ColumnElement) -> Column:
    name, type = element.this.name, element.args["type"].this
    comment = element.args.get("comment") or ""
    if element.args["kind"] == "physical":
        return Column(name, type, comment=comment)
    key, virtual = element.args.get("key") or name, bool(element.args.get("virtual"))
    return Column(name, type, ColumnKind.METADATA, metadata_key=key, virtual=virtual, comment=comment)


def _relation_of(table: str, columns: Sequence[Column]) -> Relation:
    fields = tuple(Field(column.name, column.type) for column in columns)
    return Relation(Values((), Schema(fields)), table, f"table {table!r}")


def _computed(context: BindContext, relation: Relation, element: ColumnElement, computed: Set[str]) -> Column:
    for part in element.args["expression"].find_all(exp.Column):
        if part.this.name in computed and part.this.name not in relation.schema:
            raise context.error(
                f"The computed column {element.this.name!r} cannot refer to {part.this.name!r}, which is computed too",
                part,
                hint="Computed columns refer to stored ones; repeat the expression",
            )
    binder = ExpressionBinder(context, relation, f"the computed column {element.this.name!r}")
    value = folded(binder.bind(element.args["expression"]))
    text, comment = element.args["text"], element.args.get("comment") or ""
    return Column(element.this.name, value.type, ColumnKind.COMPUTED, expression=value, text=text, comment=comment)


# --- watermark and key


def _watermark(
    context: BindContext, table: str, columns: tuple[Column, ...], elements: Sequence[exp.Expr]
) -> WatermarkDefinition | None:
    declared = [element for element in elements if isinstance(element, WatermarkElement)]
    if not declared:
        return None
    if len(declared) > 1:
        raise context.error("A table has one WATERMARK", declared[1])
    element = declared[0]
    name = element.this.name
    column = next((one for one in columns if one.name == name), None)
    if column is None:
        hint = did_you_mean(name, [one.name for one in columns])
        raise context.error(f"Unknown column {name!r} after WATERMARK FOR", element.this, hint)
    if not column.type.is_timestamp or (column.type.precision or 0) > _MAX_ROWTIME_PRECISION:
        raise context.error(
            f"WATERMARK FOR expects a TIMESTAMP or TIMESTAMP_LTZ of at most 3 digits,"
            f" {name!r} is {column.type.or_null()}",
            element.this,
            hint=_rowtime_hint(column),
        )
    binder = ExpressionBinder(context, _relation_of(table, columns), "WATERMARK")
    value = binder.bind(element.args["expression"])
    if value.type.kind is not column.type.kind:
        raise context.error(
            f"The watermark of {name!r} must be {column.type.or_null()} like the column, got {value.type.or_null()}",
            element.args["expression"],
            hint=f"WATERMARK FOR {name} AS {name} - INTERVAL '5' SECOND",
        )
    return WatermarkDefinition(name, folded(coerced(value, column.type)), element.args["text"])


def _rowtime_hint(column: Column) -> str:
    if column.type.is_timestamp:
        return f"Declare {column.name} {column.type.kind.value}(3)"
    if column.type.is_integer:
        return f"Add a computed column: ts AS TO_TIMESTAMP_LTZ({column.name}, 3), WATERMARK FOR ts AS ..."
    return f"Declare {column.name} TIMESTAMP(3), or compute one: ts AS TO_TIMESTAMP({column.name})"


def _with_key(
    context: BindContext, columns: tuple[Column, ...], elements: Sequence[exp.Expr]
) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """Returns the columns, those of the primary key without NULL, and the key."""
    named = [name for element in elements if isinstance(element, PrimaryKeyElement) for name in element.expressions]
    inline = [
        element.this for element in elements if isinstance(element, ColumnElement) and element.args.get("primary_key")
    ]
    keys = [one for one in elements if isinstance(one, PrimaryKeyElement)] + inline
    if len(keys) > 1:
        raise context.error("A table has one PRIMARY KEY", keys[1], "PRIMARY KEY (a, b) NOT ENFORCED")
    known = [column.name for column in columns if column.kind is ColumnKind.PHYSICAL]
    for name in (*named, *inline):
        if name.name not in known:
            raise context.error(
                f"PRIMARY KEY expects physical columns, {name.name!r} is none", name, did_you_mean(name.name, known)
            )
    key = tuple(name.name for name in (*named, *inline))
    keyed = tuple(replace(one, type=one.type.not_null()) if one.name in key else one for one in columns)
    return keyed, key
