"""Syntax that sqlglot has no node for, or one that loses what Flink's has."""

from __future__ import annotations

from typing import ClassVar

from sqlglot import exp

__all__ = [
    "AlterSyntax",
    "ColumnElement",
    "CreateDatabaseSyntax",
    "CreateFunctionSyntax",
    "CreateTableSyntax",
    "CreateViewSyntax",
    "DescribeNamedSyntax",
    "DescribeSyntax",
    "DropDatabaseSyntax",
    "DropSyntax",
    "ExplainSyntax",
    "FrameBound",
    "FrameSyntax",
    "FunctionCall",
    "HintSyntax",
    "InsertSyntax",
    "JoinedTables",
    "LateralQuery",
    "NamedArgument",
    "OptionPair",
    "OrderItem",
    "OverCall",
    "PrimaryKeyElement",
    "Quantified",
    "ResetSyntax",
    "SetOperation",
    "SetSyntax",
    "ShowSyntax",
    "StatementSetSyntax",
    "StopJobSyntax",
    "TableFunction",
    "TypeName",
    "TypedLiteral",
    "UnionAll",
    "UnnestedRows",
    "UseSyntax",
    "WatermarkElement",
    "WindowSpec",
    "without_subqueries",
]


class TypeName(exp.Expression):
    """A type as written; `this` is the `yeoul.plan.types.DataType`, `unit` the first unit of an interval."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "unit": False}


class TypedLiteral(exp.Expression):
    """DATE '...', TIME '...', TIMESTAMP '...', X'...'; `kind` is the word in upper case, `this` the text."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "kind": True}


class FunctionCall(exp.Expression):
    """`this(expressions)`: `this` is the name as written; `star` for COUNT(*), `filter` for FILTER (WHERE ...)."""

    arg_types: ClassVar[dict[str, bool]] = {
        "this": True,
        "expressions": False,
        "distinct": False,
        "star": False,
        "filter": False,
    }


class OrderItem(exp.Expression):
    """One item of ORDER BY: `this` [DESC] [NULLS FIRST | LAST]; `nulls_first` is None where it was not said."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "descending": False, "nulls_first": False}


class FrameBound(exp.Expression):
    """One end of a frame; `kind` is UNBOUNDED, CURRENT or OFFSET, `following` its side, `this` the offset."""

    arg_types: ClassVar[dict[str, bool]] = {"this": False, "kind": True, "following": False}


class FrameSyntax(exp.Expression):
    """ROWS or RANGE BETWEEN low AND high; `kind` is the word."""

    arg_types: ClassVar[dict[str, bool]] = {"kind": True, "low": True, "high": True}


class WindowSpec(exp.Expression):
    """([base] PARTITION BY expressions ORDER BY order frame); `this` is the name where it is defined by WINDOW."""

    arg_types: ClassVar[dict[str, bool]] = {
        "this": False,
        "base": False,
        "expressions": False,
        "order": False,
        "frame": False,
    }


class OverCall(exp.Expression):
    """`this` [IGNORE NULLS] OVER `expression`: a call over a window, which is a WindowSpec or the name of one."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "expression": True, "ignore_nulls": False}


class UnnestedRows(exp.Expression):
    """UNNEST(this) [WITH ORDINALITY], or LATERAL TABLE(this), in FROM."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "ordinality": False, "lateral": False, "alias": False}

    @property
    def title(self) -> str:
        """How messages call it."""
        return "LATERAL TABLE" if self.args.get("lateral") else "UNNEST"


class LateralQuery(exp.Expression):
    """LATERAL (this) in FROM: a query asked for each row of what stands before it."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "alias": False}


class Quantified(exp.Expression):
    """`this` comparison ANY (query), or ALL; `comparison` is the class of the comparison's node."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "query": True, "comparison": True, "all": True}


class TableFunction(exp.Expression):
    """A function in FROM: TUMBLE(TABLE t, DESCRIPTOR(ts), ...)."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "expressions": False, "alias": False}


class JoinedTables(exp.Expression):
    """`this` kind JOIN `expression` ON on, or USING (using); `kind` is INNER, LEFT, RIGHT, FULL, CROSS, SEMI, ANTI."""

    arg_types: ClassVar[dict[str, bool]] = {
        "this": True,
        "expression": True,
        "kind": True,
        "on": False,
        "using": False,
        "natural": False,
    }


class UnionAll(exp.Expression):
    """Queries joined by UNION ALL, all of them side by side."""

    arg_types: ClassVar[dict[str, bool]] = {
        "expressions": True,
        "order": False,
        "limit": False,
        "offset": False,
        "with_": False,
    }


class GroupingSets(exp.Expression):
    """Several sets of keys in GROUP BY: `kind` is SETS, ROLLUP or CUBE; a set of several keys is a Tuple."""

    arg_types: ClassVar[dict[str, bool]] = {"expressions": True, "kind": True}


class SetOperation(exp.Expression):
    """Two queries joined by UNION, INTERSECT or EXCEPT (`kind`); `all` keeps doubles. UNION ALL is `UnionAll`."""

    arg_types: ClassVar[dict[str, bool]] = {
        "this": True,
        "expression": True,
        "kind": True,
        "all": False,
        "limit": False,
        "with_": False,
    }


class NamedArgument(exp.Expression):
    """`name => value`; `this` is the name in upper case."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "expression": True}


class HintSyntax(exp.Expression):
    """One hint of SELECT: `this` is its name in upper case, `expressions` OptionPairs or names of tables."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "expressions": False}


class OptionPair(exp.Expression):
    """'key' = 'value'; both are plain strings."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "expression": True}


class ColumnElement(exp.Expression):
    """One column of CREATE TABLE; `kind` is physical, computed or metadata."""

    arg_types: ClassVar[dict[str, bool]] = {
        "position": False,
        "this": True,
        "kind": True,
        "type": False,
        "expression": False,
        "text": False,
        "key": False,
        "virtual": False,
        "comment": False,
        "primary_key": False,
    }


class WatermarkElement(exp.Expression):
    """WATERMARK FOR this AS expression; `text` is the expression as written."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "expression": True, "text": True}


class PrimaryKeyElement(exp.Expression):
    """PRIMARY KEY (expressions) NOT ENFORCED."""

    arg_types: ClassVar[dict[str, bool]] = {"expressions": True}


class StopJobSyntax(exp.Expression):
    """STOP JOB; `this` is the job's name as text."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True}


class CreateDatabaseSyntax(exp.Expression):
    """CREATE DATABASE; `this` is the name as text, the catalog's before it where it was written."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "if_not_exists": False, "comment": False}


class DropDatabaseSyntax(exp.Expression):
    """DROP DATABASE; `this` as of CreateDatabaseSyntax."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "if_exists": False, "cascade": False}


class CreateTableSyntax(exp.Expression):
    """CREATE [TEMPORARY] TABLE; `expressions` are its elements, `options` its OptionPairs.

    `names` is the list of names of CREATE TABLE (a, b) AS SELECT; `must_be_there` tells REPLACE TABLE.
    """

    arg_types: ClassVar[dict[str, bool]] = {
        "this": True,
        "expressions": False,
        "names": False,
        "options": False,
        "comment": False,
        "if_not_exists": False,
        "or_replace": False,
        "must_be_there": False,
        "temporary": False,
        "partitioned": False,
        "like": False,
        "like_rules": False,
        "query": False,
        "text": False,
    }


class CreateFunctionSyntax(exp.Expression):
    """CREATE [TEMPORARY] FUNCTION this AS 'path' LANGUAGE PYTHON."""

    arg_types: ClassVar[dict[str, bool]] = {
        "this": True,
        "path": True,
        "if_not_exists": False,
        "or_replace": False,
        "temporary": False,
    }


class CreateViewSyntax(exp.Expression):
    """CREATE VIEW; `text` is the query as written, `expression` its tree."""

    arg_types: ClassVar[dict[str, bool]] = {
        "this": True,
        "expressions": False,
        "expression": True,
        "text": True,
        "comment": False,
        "if_not_exists": False,
        "temporary": False,
        "or_replace": False,
    }


class DropSyntax(exp.Expression):
    """DROP [TEMPORARY] TABLE or VIEW; `kind` is `table` or `view`."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "kind": True, "if_exists": False, "temporary": False}


class AlterSyntax(exp.Expression):
    """ALTER TABLE or VIEW (`kind`) this: `rename`, `options` to set, `reset` names, a view's new `text`.

    Of a table's elements: those that `add` or `modify` lists, the names that `drop` lists (`PRIMARY KEY` and
    `WATERMARK` among them), a pair of names in `rename_column`.
    """

    arg_types: ClassVar[dict[str, bool]] = {
        "this": True,
        "kind": True,
        "if_exists": False,
        "rename": False,
        "options": False,
        "reset": False,
        "expression": False,
        "text": False,
        "add": False,
        "modify": False,
        "drop": False,
        "rename_column": False,
    }


class UseSyntax(exp.Expression):
    """USE CATALOG or USE: `kind` is `catalog` or `database`, `this` the name."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "kind": True}


class InsertSyntax(exp.Expression):
    """INSERT INTO this [(expressions)] expression [ON CONFLICT DO conflict]."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "expressions": False, "expression": True, "conflict": False}


class StatementSetSyntax(exp.Expression):
    """EXECUTE STATEMENT SET BEGIN expressions END; each is an InsertSyntax."""

    arg_types: ClassVar[dict[str, bool]] = {"expressions": True}


class ExplainSyntax(exp.Expression):
    """EXPLAIN [detail | PLAN FOR] this; `detail` is a name of `yeoul.plan.explain.ExplainDetail`."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "detail": False}


class SetSyntax(exp.Expression):
    """SET ['key' = 'value']; empty strings for SET alone."""

    arg_types: ClassVar[dict[str, bool]] = {"this": False, "expression": False}


class ResetSyntax(exp.Expression):
    """RESET ['key']."""

    arg_types: ClassVar[dict[str, bool]] = {"this": False}


class ShowSyntax(exp.Expression):
    """SHOW this: `tables`, `views`, `create table`, ...; `expression` is the table that it asks about.

    `place` is what stands behind FROM, `pattern` behind LIKE, or behind ILIKE if it `ignores_case`.
    """

    arg_types: ClassVar[dict[str, bool]] = {
        "this": True,
        "expression": False,
        "place": False,
        "pattern": False,
        "ignores_case": False,
        "negated": False,
    }


class DescribeSyntax(exp.Expression):
    """DESCRIBE this."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True}


class DescribeNamedSyntax(exp.Expression):
    """DESCRIBE kind this; `kind` is `function`, `catalog` or `database`, `this` its name."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "kind": True, "extended": False}


def without_subqueries(node: exp.Expr) -> list[exp.Expr]:
    """Returns the parts of a tree, itself included, but for queries and what is inside of them."""
    parts = node.walk(prune=lambda part: isinstance(part, _QUERIES))
    return [part for part in parts if not isinstance(part, _QUERIES)]


_QUERIES = (exp.Select, exp.Values, UnionAll, SetOperation)
