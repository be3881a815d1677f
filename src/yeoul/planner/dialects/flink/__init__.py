"""Flink SQL: a lexer and a strict grammar that fill sqlglot's trees, with a position on every node that matters.

sqlglot's own grammar accepts much more than Flink does (a missing comma becomes an alias, AND may be left out of
BETWEEN), so it is not asked: `dialect.Flink` keeps the tree and the token cursor and brings its own rules. Stricter
than that, one thing is looser than in Flink: a reserved word that cannot be mistaken (`value`, `user`, `timestamp`)
may be used as a name without backticks.

Source: https://nightlies.apache.org/flink/flink-docs-stable/docs/dev/table/sql/queries/overview/
"""
