"""Whatever the text, the answer is a plan or a UserError that names a place; and it comes soon."""

from __future__ import annotations

import contextlib
import inspect
import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yeoul.errors import UserError
from yeoul.planner.dialects.flink.lexer import MAX_TEXT_CHARS
from yeoul.planner.sql import bind, parse

EXAMPLES = int(os.environ.get("YEOUL_FUZZ", "300"))
FRAGMENTS = [
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP",
    "BY",
    "HAVING",
    "LIMIT",
    "UNION",
    "ALL",
    "AS",
    "WITH",
    "VALUES",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "CAST(",
    "TRY_CAST(",
    "NOT",
    "AND",
    "OR",
    "IS",
    "NULL",
    "TRUE",
    "IN",
    "BETWEEN",
    "LIKE",
    "ESCAPE",
    "INTERVAL",
    "'5'",
    "SECOND",
    "MINUTE",
    "TO",
    "DAY",
    "TABLE(",
    "TUMBLE(",
    "HOP(",
    "CUMULATE(",
    "DESCRIPTOR(",
    "TABLE",
    "clicks",
    "plain",
    "ts",
    "id",
    "action",
    "window_start",
    "window_end",
    "COUNT(",
    "COUNT(*)",
    "SUM(",
    "DISTINCT",
    "FILTER",
    "(WHERE",
    "FLOOR(",
    "EXTRACT(",
    "FROM",
    "TRIM(",
    "LEADING",
    "ARRAY[",
    "MAP[",
    "ROW(",
    ")",
    "(",
    ",",
    ";",
    ".",
    "*",
    "+",
    "-",
    "/",
    "%",
    "||",
    "=",
    "<>",
    "<",
    ">",
    "<=",
    ">=",
    "=>",
    "[",
    "]",
    "1",
    "2.5",
    "1e3",
    "'text'",
    "`quoted`",
    "X'00'",
    "DATE",
    "'2026-01-01'",
    "TIMESTAMP",
    "'2026-01-01",
    "00:00:00'",
    "CREATE",
    "VIEW",
    "INSERT",
    "INTO",
    "results",
    "EXPLAIN",
    "SET",
    "RESET",
    "SHOW",
    "TABLES",
    "DROP",
    "DESCRIBE",
    "STRING",
    "BIGINT",
    "DECIMAL(10,2)",
    "ARRAY<",
    "ROW<",
    "PRIMARY",
    "KEY",
    "NOT",
    "ENFORCED",
    "WATERMARK",
    "FOR",
    "METADATA",
    "VIRTUAL",
    "PARTITION",
    "OPTIONS(",
    "/*+",
    "*/",
    "--",
    "#",
    '"',
    "'",
    "$",
    "é",
]


def _try(catalog, text):
    with contextlib.suppress(UserError):
        _bind_all(catalog, text)


def _bind_all(catalog, text):
    for parsed in parse(text):
        bind(parsed, catalog, {})


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=25))
@settings(max_examples=EXAMPLES, deadline=None)
def test_word_soup_never_crashes(tables, words):
    _try(tables, " ".join(words))


@given(st.data())
@settings(max_examples=EXAMPLES, deadline=None)
def test_mutilated_statements_never_crash(tables, data):
    text = data.draw(st.sampled_from(STATEMENTS))
    words = text.split(" ")
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(words)))
        match data.draw(st.sampled_from(["drop", "insert", "swap"])):
            case "drop":
                words[at : at + 1] = []
            case "insert":
                words.insert(at, data.draw(st.sampled_from(FRAGMENTS)))
            case _:
                words[at : at + 2] = reversed(words[at : at + 2])
    _try(tables, " ".join(words))


@given(st.text(max_size=60))
@settings(max_examples=EXAMPLES, deadline=None)
def test_any_text_never_crashes(tables, text):
    _try(tables, text)
    _try(tables, f"SELECT {text} FROM plain")


STATEMENTS = [
    "SELECT window_start , action , COUNT( * ) AS n , SUM( amount ) / 2"
    " FROM TABLE( TUMBLE( TABLE clicks , DESCRIPTOR( ts ) , INTERVAL '1' MINUTE ) ) WHERE action <> 'x'"
    " GROUP BY window_start , window_end , action HAVING COUNT( * ) > 1",
    "SELECT CASE WHEN id > 1 THEN name ELSE 'x' END , CAST( id AS STRING ) , TRIM( LEADING 'a' FROM name )"
    " FROM plain AS p WHERE p.id BETWEEN 1 AND 2 OR name IS NOT NULL AND name NOT LIKE 'a%' ESCAPE '!' LIMIT 5",
    "CREATE TABLE t ( a BIGINT NOT NULL , b AS a + 1 , ts TIMESTAMP(3) METADATA ,"
    " WATERMARK FOR ts AS ts - INTERVAL '1' SECOND , PRIMARY KEY ( a ) NOT ENFORCED ) WITH ( 'connector' = 'datagen' )",
    "WITH q AS ( SELECT id FROM plain ) SELECT * FROM ( SELECT * FROM q ) AS r ( x ) UNION ALL SELECT 1",
    "INSERT INTO results ( n , action ) SELECT id , name FROM plain ; EXPLAIN SELECT 1 ; SET 'a' = 'b'",
]


@pytest.fixture(scope="module")
def tables(request):
    from pathlib import Path

    golden = Path(__file__).parents[2] / "golden" / "plans" / "tables.sql"
    found = {}

    class Tables:
        def find(self, name):
            return found.get(name)

        def names(self):
            return found

    for parsed in parse(golden.read_text()):
        statement = bind(parsed, Tables(), {})
        found[statement.definition.name] = statement.definition
    return Tables()


@pytest.mark.parametrize(
    "text",
    [
        "SELECT " + "(" * 5_000 + "1" + ")" * 5_000,
        "SELECT " + "NOT " * 5_000 + "TRUE",
        "SELECT " + "- " * 5_000 + "1",
        "SELECT " + "1 + " * 5_000 + "1",
        "SELECT " + "UPPER(" * 5_000 + "'a'" + ")" * 5_000,
        "SELECT " + "CASE WHEN TRUE THEN " * 2_000 + "1" + " END" * 2_000,
        "SELECT " + "'a'" + " || 'a'" * 5_000,
        "SELECT id" + "[1]" * 5_000 + " FROM plain",
        "SELECT id" + ".a" * 5_000 + " FROM plain",
        "SELECT * FROM " + "(SELECT * FROM " * 2_000 + "plain" + ")" * 2_000,
        "CREATE TABLE t (a " + "ARRAY<" * 5_000 + "INT" + ">" * 5_000 + ") WITH ('connector' = 'print')",
        "SELECT CAST(1 AS " + "ARRAY<" * 5_000 + "INT" + ">" * 5_000 + ")",
    ],
    ids=lambda text: text[:28],
)
def test_what_is_nested_too_deep_is_said_to_be(tables, text):
    with pytest.raises(UserError, match="too deep"):
        _bind_all(tables, text)


def test_a_caller_deep_in_its_own_stack_is_told_and_not_crashed(tables):
    def deeper(levels):
        if levels:
            return deeper(levels - 1)
        with pytest.raises(UserError, match="too deep"):
            _bind_all(tables, "SELECT " + "(" * 70 + "1" + ")" * 70)
        return None

    deeper(sys.getrecursionlimit() - 300 - len(inspect.stack()))


def test_what_is_just_not_too_deep_is_bound(tables):
    for text in (
        "SELECT " + "(" * 70 + "1" + ")" * 70,
        "SELECT " + "1 + " * 100 + "1",
        "SELECT * FROM " + "(SELECT * FROM " * 38 + "plain" + ")" * 38,
        "SELECT " + " UNION ALL SELECT ".join(["1"] * 300),
    ):
        (parsed,) = parse(text)
        bind(parsed, tables, {})


def test_long_chains_of_conditions_and_lists_are_no_nesting(tables):
    for text in (
        "SELECT id FROM plain WHERE " + " AND ".join(f"id <> {index}" for index in range(2_000)),
        "SELECT id FROM plain WHERE " + " OR ".join(f"id = {index}" for index in range(2_000)),
        "SELECT id FROM plain WHERE id IN (" + ", ".join(map(str, range(20_000))) + ")",
        "VALUES " + ", ".join(f"({index}, 'x')" for index in range(2_000)),
    ):
        (parsed,) = parse(text)
        bind(parsed, tables, {})


def test_a_text_without_bounds_is_refused_before_it_is_read():
    with pytest.raises(UserError, match="at most"):
        parse("SELECT 1" + " " * MAX_TEXT_CHARS)


def test_binding_loads_no_engine():
    code = (
        "import sys; from yeoul.planner.sql import parse, bind\n"
        "class T:\n  find = lambda self, name: None\n  names = lambda self: ()\n"
        "bind(parse('SELECT 1 + 1')[0], T(), {})\n"
        "print(*sorted({'polars', 'pyarrow', 'numba', 'numpy'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == ""
