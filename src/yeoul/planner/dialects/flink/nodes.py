"""Syntax that sqlglot has no node for, or one that loses what Flink's has."""

from __future__ import annotations

from typing import ClassVar

from sqlglot import exp

__all__ = [
    "ColumnElement",
    "CreateFunctionSyntax",
    "CreateTableSyntax",
    "CreateViewSyntax",
    "DescribeSyntax",
    "DropSyntax",
    "ExplainSyntax",
    "FunctionCall",
    "InsertSyntax",
    "JoinedTables",
    "NamedArgument",
    "OptionPair",
    "PrimaryKeyElement",
    "ResetSyntax",
    "SetSyntax",
    "ShowSyntax",
    "TableFunction",
    "TypeName",
    "TypedLiteral",
    "UnionAll",
    "WatermarkElement",
]


class TypeName(exp.Expression):
    """A type as written; `this` is the `yeoul.plan.types.DataType`."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True}


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

    arg_types: ClassVar[dict[str, bool]] = {"expressions": True, "limit": False, "with_": False}


class NamedArgument(exp.Expression):
    """`name => value`; `this` is the name in upper case."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "expression": True}


class OptionPair(exp.Expression):
    """'key' = 'value'; both are plain strings."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "expression": True}


class ColumnElement(exp.Expression):
    """One column of CREATE TABLE; `kind` is physical, computed or metadata."""

    arg_types: ClassVar[dict[str, bool]] = {
        "this": True,
        "kind": True,
        "type": False,
        "expression": False,
        "key": False,
        "virtual": False,
        "comment": False,
        "primary_key": False,
    }


class WatermarkElement(exp.Expression):
    """WATERMARK FOR this AS expression."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "expression": True}


class PrimaryKeyElement(exp.Expression):
    """PRIMARY KEY (expressions) NOT ENFORCED."""

    arg_types: ClassVar[dict[str, bool]] = {"expressions": True}


class CreateTableSyntax(exp.Expression):
    """CREATE [TEMPORARY] TABLE; `expressions` are its elements, `options` its OptionPairs."""

    arg_types: ClassVar[dict[str, bool]] = {
        "this": True,
        "expressions": False,
        "options": False,
        "comment": False,
        "if_not_exists": False,
        "partitioned": False,
        "like": False,
    }


class CreateFunctionSyntax(exp.Expression):
    """CREATE FUNCTION this AS 'path' LANGUAGE PYTHON."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "path": True, "if_not_exists": False, "or_replace": False}


class CreateViewSyntax(exp.Expression):
    """CREATE VIEW; `text` is the query as written, `expression` its tree."""

    arg_types: ClassVar[dict[str, bool]] = {
        "this": True,
        "expressions": False,
        "expression": True,
        "text": True,
        "comment": False,
        "if_not_exists": False,
        "or_replace": False,
    }


class DropSyntax(exp.Expression):
    """DROP TABLE or DROP VIEW; `kind` is `table` or `view`."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "kind": True, "if_exists": False}


class InsertSyntax(exp.Expression):
    """INSERT INTO this [(expressions)] expression."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "expressions": False, "expression": True}


class ExplainSyntax(exp.Expression):
    """EXPLAIN [PLAN FOR] this."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True}


class SetSyntax(exp.Expression):
    """SET ['key' = 'value']; empty strings for SET alone."""

    arg_types: ClassVar[dict[str, bool]] = {"this": False, "expression": False}


class ResetSyntax(exp.Expression):
    """RESET ['key']."""

    arg_types: ClassVar[dict[str, bool]] = {"this": False}


class ShowSyntax(exp.Expression):
    """SHOW TABLES or SHOW VIEWS."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True}


class DescribeSyntax(exp.Expression):
    """DESCRIBE this."""

    arg_types: ClassVar[dict[str, bool]] = {"this": True}
