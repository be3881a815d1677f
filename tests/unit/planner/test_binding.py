"""What binding decides that a printed plan does not show: row times, settings, names, places."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest

from yeoul.errors import Span, UserError
from yeoul.plan import types
from yeoul.plan.nodes import (
    Aggregate,
    AssignWatermark,
    Field,
    Filter,
    Limit,
    Project,
    Scan,
    Schema,
    Union,
    Values,
    WindowAggregate,
    WindowAssign,
    Write,
    walk,
)
from yeoul.plan.statements import CreateTable, DescribeTable, Insert, Select
from yeoul.plan.tables import ColumnKind


def only(plan, kind):
    (found,) = [node for node in walk(plan) if isinstance(node, kind)]
    return found


@pytest.fixture
def plan_of(catalog):
    return lambda text: catalog.one(text).plan


def test_plain_reference_keeps_the_row_time(plan_of):
    schema = plan_of("SELECT ts AS t, user_id FROM clicks").schema
    assert schema.rowtime == Field("t", types.timestamp(3), is_rowtime=True)


@pytest.mark.parametrize("expression", ["CAST(ts AS TIMESTAMP(2))", "ts + INTERVAL '0' SECOND", "COALESCE(ts, ts)"])
def test_expression_loses_the_row_time(plan_of, expression):
    assert plan_of(f"SELECT {expression} AS t FROM clicks").schema.rowtime is None


def test_row_time_is_plain_after_the_table_function_and_window_time_takes_its_place(plan_of):
    schema = plan_of("SELECT * FROM TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '1' MINUTE)").schema
    assert not schema["ts"].is_rowtime
    assert schema.rowtime == Field("window_time", types.timestamp(3).not_null(), is_rowtime=True)


def test_union_keeps_the_row_time_only_if_every_input_has_it(plan_of):
    both = plan_of("SELECT ts FROM clicks UNION ALL SELECT ts FROM clicks")
    one = plan_of("SELECT ts FROM clicks UNION ALL SELECT at_time FROM plain")
    assert both.schema.rowtime is not None
    assert one.schema.rowtime is None


def test_idle_timeout_of_the_table_comes_before_the_setting(catalog):
    catalog.settings["table.exec.source.idle-timeout"] = "3 s"
    assert only(catalog.one("SELECT user_id FROM clicks").plan, AssignWatermark).idle_timeout_ms == 3_000
    assert only(catalog.one("SELECT id FROM events").plan, AssignWatermark).idle_timeout_ms == 10_000


def test_without_an_idle_timeout_a_split_is_never_idle(catalog):
    assert only(catalog.one("SELECT user_id FROM clicks").plan, AssignWatermark).idle_timeout_ms is None
    catalog.settings["table.exec.source.idle-timeout"] = "0"
    assert only(catalog.one("SELECT user_id FROM clicks").plan, AssignWatermark).idle_timeout_ms is None


def test_watermark_has_the_columns_own_type(catalog):
    table = catalog.find("events")
    assert table.watermark.expression.type == table.columns[-1].type == types.timestamp_ltz(3)


def test_window_lengths_are_in_milliseconds(plan_of):
    window = only(
        plan_of(
            "SELECT COUNT(*) FROM HOP(TABLE clicks, DESCRIPTOR(ts), INTERVAL '30' SECOND, INTERVAL '1:30' "
            "MINUTE TO SECOND, INTERVAL '-5' SECOND) GROUP BY window_start, window_end"
        ),
        WindowAggregate,
    ).window
    assert (window.slide_ms, window.size_ms, window.offset_ms) == (30_000, 90_000, -5_000)


def test_function_names_have_no_case_and_columns_do(plan_of):
    assert plan_of("select Upper(action) as a from clicks").schema.names == ("a",)
    with pytest.raises(UserError, match="Unknown column 'ACTION'"):
        plan_of("SELECT ACTION FROM clicks")


def test_names_of_output_columns_are_flinks(plan_of):
    plan = plan_of("SELECT id, id, id + 1, name AS n, plain.name FROM plain")
    assert plan.schema.names == ("id", "id0", "EXPR$2", "n", "name")


def test_grouped_output_columns_are_named_alike(plan_of):
    plan = plan_of(
        "SELECT window_start, COUNT(*), MAX(latency) AS worst FROM TUMBLE(TABLE clicks, DESCRIPTOR(ts),"
        " INTERVAL '1' MINUTE) GROUP BY window_start, window_end"
    )
    assert plan.schema.names == ("window_start", "EXPR$1", "worst")


def test_an_alias_that_is_also_a_key_does_not_clash(plan_of):
    plan = plan_of(
        "SELECT COUNT(*) AS action, action AS a FROM TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '1' MINUTE)"
        " GROUP BY window_start, window_end, action"
    )
    aggregate = only(plan, WindowAggregate)
    assert len(set(aggregate.schema.names)) == len(aggregate.schema.names)
    assert plan.schema.names == ("action", "a")
    assert [str(field.type) for field in plan.schema.fields] == ["BIGINT NOT NULL", "STRING"]


def test_a_column_named_like_an_aggregate_of_the_output_is_not_mistaken_for_it(catalog):
    with pytest.raises(UserError, match="'latency' is neither in GROUP BY"):
        catalog.one(
            "SELECT COUNT(*) AS latency, latency + 1 FROM TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '1' MINUTE)"
            " GROUP BY window_start, window_end"
        )


def test_table_with_computed_column_and_watermark_is_scan_project_watermark(catalog):
    plan = catalog.one("DESCRIBE events").plan
    assert isinstance(plan, AssignWatermark)
    assert isinstance(plan.input, Project)
    assert isinstance(plan.input.input, Scan)
    assert plan.schema.names == ("id", "kind", "millis", "ts")


def test_describe_of_a_view_has_its_columns(catalog):
    statement = catalog.one("DESC buys")
    assert isinstance(statement, DescribeTable)
    assert statement.plan.schema.names == ("user_id", "amount", "ts")


def test_a_filter_never_moves_below_the_watermark(plan_of):
    for node in walk(plan_of("SELECT user_id FROM (SELECT * FROM buys WHERE amount > 1) WHERE user_id = 'a'")):
        if isinstance(node, AssignWatermark):
            assert not any(isinstance(below, Filter) for below in walk(node))


def test_scan_keeps_one_column_when_none_is_asked_for(plan_of):
    assert only(plan_of("SELECT 1 AS one FROM plain"), Scan).schema.names == ("id",)


def test_every_schema_in_a_plan_holds_what_is_read_from_it(catalog):
    """Projections, predicates and windows refer to columns of the node below, after the rules as before."""
    from yeoul.plan.expressions import columns_of

    text = (
        "SELECT a, n + 1 AS m FROM ("
        "  SELECT window_start, window_time AS t, UPPER(action) AS a, COUNT(DISTINCT user_id) AS n, SUM(amount) AS s"
        "  FROM TABLE(TUMBLE(TABLE buys2, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) WHERE latency > 1"
        "  GROUP BY window_start, window_end, window_time, UPPER(action)"
        ") WHERE s > 1 AND a <> 'x'"
    )
    catalog.run("CREATE VIEW buys2 AS SELECT * FROM clicks WHERE page IS NOT NULL")
    for node in walk(catalog.one(text).plan):
        match node:
            case Project():
                used = {name for one in node.projections for name in columns_of(one.expression)}
            case Filter():
                used = set(columns_of(node.predicate))
            case WindowAggregate():
                used = {node.window.time_column, *(n for key in node.keys for n in columns_of(key.expression))}
            case AssignWatermark():
                used = {node.column, *columns_of(node.expression)}
            case _:
                continue
        assert used <= set(node.input.schema.names)


def test_literals_are_python_values(plan_of):
    plan = plan_of("VALUES (1, 2.50, 'a', X'00ff', DATE '2026-01-02', TIMESTAMP '2026-01-02 03:04:05.6', NULL, -1)")
    assert isinstance(plan, Values)
    when = datetime.datetime(2026, 1, 2, 3, 4, 5, 600_000)
    expected = (1, Decimal("2.50"), "a", b"\x00\xff", datetime.date(2026, 1, 2), when, None, -1)
    assert plan.rows == (expected,)


def test_values_are_given_names_by_an_alias(plan_of):
    plan = plan_of("SELECT b FROM (VALUES (1, 'x'), (2, 'y')) AS t (a, b)")
    assert plan.schema == Schema((Field("b", types.STRING.not_null()),))


def test_least_bigint_is_a_bigint(plan_of):
    (row,) = plan_of("VALUES (-9223372036854775808)").rows
    assert row == (-(1 << 63),)


def test_insert_gives_the_writable_columns_in_the_tables_order(catalog):
    catalog.run(
        "CREATE TABLE sink (a INT, o BIGINT METADATA FROM 'offset' VIRTUAL, `timestamp` TIMESTAMP_LTZ(3) METADATA,"
        " c AS a + 1, b BIGINT) WITH ('connector' = 'kafka', 'topic' = 's', 'properties.bootstrap.servers' = 'h:1',"
        " 'format' = 'json')"
    )
    statement = catalog.one("INSERT INTO sink (b, a) SELECT 1, 2")
    assert isinstance(statement, Insert)
    assert isinstance(statement.plan, Write)
    assert statement.plan.schema.names == ("a", "timestamp", "b")
    assert [str(field.type.or_null()) for field in statement.plan.schema.fields] == [
        "INT",
        "TIMESTAMP_LTZ(3)",
        "BIGINT",
    ]


def test_primary_key_columns_are_not_null(empty):
    statement = empty.one("CREATE TABLE t (a INT, b INT, PRIMARY KEY (a) NOT ENFORCED) WITH ('connector' = 'print')")
    assert isinstance(statement, CreateTable)
    assert [column.type.nullable for column in statement.definition.columns] == [False, True]
    assert statement.definition.primary_key == ("a",)


def test_metadata_key_is_the_columns_name_unless_given(catalog):
    (column,) = [column for column in catalog.find("clicks").columns if column.kind is ColumnKind.METADATA]
    assert (column.metadata_key, column.virtual) == ("offset", True)


def test_side_tables_are_tables_like_others(catalog):
    late = catalog.one("CREATE TABLE `clicks$late` (user_id STRING) WITH ('connector' = 'datagen')").definition
    catalog.found["clicks$late"] = late
    assert only(catalog.one("SELECT * FROM clicks$late").plan, Scan).table.name == "clicks$late"


def test_view_is_bound_anew_and_sees_what_its_tables_are_now(catalog):
    catalog.run("CREATE VIEW v AS SELECT * FROM plain")
    catalog.run("CREATE TABLE plain (only_one INT) WITH ('connector' = 'datagen')")
    assert catalog.one("SELECT * FROM v").plan.schema.names == ("only_one",)


def test_view_that_leads_to_itself_is_refused(catalog):
    catalog.run("CREATE VIEW a AS SELECT * FROM plain; CREATE VIEW b AS SELECT * FROM a")
    catalog.run("CREATE OR REPLACE VIEW a AS SELECT * FROM b")
    with pytest.raises(UserError, match="leads back to itself"):
        catalog.one("SELECT * FROM a")


def test_with_hides_a_table_but_not_from_itself(catalog):
    plan = catalog.one("WITH plain AS (SELECT id FROM plain) SELECT * FROM plain").plan
    assert plan.schema.names == ("id",)


def test_limit_stands_on_top_and_in_subqueries(plan_of):
    plan = plan_of("SELECT * FROM (SELECT id FROM plain LIMIT 3) LIMIT 2")
    assert isinstance(plan, Limit)
    assert [node.count for node in walk(plan) if isinstance(node, Limit)] == [2]


def test_limit_of_union_is_of_all_and_of_a_parenthesis_its_own(plan_of):
    plan = plan_of("(SELECT id FROM plain LIMIT 1) UNION ALL SELECT id FROM plain LIMIT 5")
    assert isinstance(plan, Limit)
    assert isinstance(plan.input, Union)
    assert plan.count == 5
    assert [one.count for one in plan.input.inputs if isinstance(one, Limit)] == [1, 5]


def test_window_columns_of_a_plain_table_are_ordinary(catalog):
    catalog.run("CREATE TABLE w (window_start INT, window_end INT) WITH ('connector' = 'datagen')")
    plan = catalog.one("SELECT COUNT(*) FROM w GROUP BY window_start, window_end").plan
    assert only(plan, Aggregate).updating


def test_rows_of_the_table_function_can_be_limited_and_filtered_without_grouping(plan_of):
    plan = plan_of(
        "SELECT window_end FROM TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '1' MINUTE) WHERE latency > 1 LIMIT 1"
    )
    assert only(plan, WindowAssign).window.size_ms == 60_000


def test_spans_are_of_the_whole_text(catalog):
    with pytest.raises(UserError) as caught:
        catalog.run("SELECT 1;\n\nSELECT id,\n  nme FROM plain")
    assert caught.value.span == Span(4, 3)


def test_statement_before_the_faulty_one_is_bound(catalog):
    with pytest.raises(UserError, match="Unknown column"):
        catalog.run("CREATE VIEW made AS SELECT id FROM plain; SELECT nope FROM made")
    assert catalog.find("made") is not None


def test_time_zone_setting_is_checked(catalog):
    assert catalog.one("SET 'table.local-time-zone' = 'Europe/Berlin'").value == "Europe/Berlin"
    with pytest.raises(UserError, match="Unknown time zone"):
        catalog.one("SET 'table.local-time-zone' = '../etc/passwd'")


def test_select_is_a_select(catalog):
    assert isinstance(catalog.one("SELECT 1"), Select)
