"""The catalog: one case-sensitive name space, system tables beside every table, errors that name the nearest word."""

from pathlib import Path

import pytest

from yeoul.catalog.memory import Catalog
from yeoul.errors import UserError
from yeoul.plan.expressions import ColumnRef
from yeoul.plan.tables import Column, ColumnKind, TableDefinition, ViewDefinition
from yeoul.plan.types import BIGINT, INT, STRING, timestamp

CLICKS = TableDefinition(
    "clicks",
    (
        Column("user", STRING.not_null()),
        Column("at", timestamp(3)),
        Column("offset", BIGINT.not_null(), ColumnKind.METADATA, metadata_key="offset", virtual=True),
        Column("twice", INT, ColumnKind.COMPUTED, expression=ColumnRef("offset", BIGINT)),
    ),
    options={"connector": "kafka"},
)
VIEW = ViewDefinition("recent", "SELECT 1")


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    made = Catalog(tmp_path)
    made.create_table(CLICKS)
    made.create_view(VIEW)
    return made


def test_find_is_case_sensitive(catalog: Catalog) -> None:
    assert catalog.find("clicks") is CLICKS
    assert catalog.find("recent") is VIEW
    assert catalog.find("Clicks") is None


def test_show_lists_views_among_tables_sorted(catalog: Catalog) -> None:
    catalog.create_table(TableDefinition("a", ()))
    assert catalog.tables() == ["a", "clicks", "recent"]
    assert catalog.views() == ["recent"]


def test_late_has_what_the_connector_gives_and_who_judged_it(catalog: Catalog, tmp_path: Path) -> None:
    late = catalog.find("clicks$late")
    assert isinstance(late, TableDefinition)
    assert [(column.name, str(column.type)) for column in late.columns] == [
        ("user", "STRING"),
        ("at", "TIMESTAMP(3)"),
        ("offset", "BIGINT"),
        ("late_operator", "STRING"),
        ("late_window_start", "TIMESTAMP(3)"),
        ("late_window_end", "TIMESTAMP(3)"),
        ("late_watermark", "TIMESTAMP(3)"),
        ("split", "STRING"),
        ("position", "STRING"),
    ]
    assert all(column.kind is ColumnKind.PHYSICAL for column in late.columns)
    assert late.options["connector"] == "side-stream"
    assert late.options["path"] == str(tmp_path)


def test_dead_has_position_reason_and_bytes(catalog: Catalog) -> None:
    dead = catalog.find("clicks$dead")
    assert isinstance(dead, TableDefinition)
    assert [column.name for column in dead.columns] == ["split", "position", "reason", "raw", "text"]


def test_views_and_unknown_tables_have_no_side_tables(catalog: Catalog) -> None:
    assert catalog.find("recent$late") is None
    assert catalog.find("clicks$other") is None
    assert catalog.find("nothing$dead") is None
    assert catalog.find("$dead") is None


def test_names_holds_all_that_find_knows(catalog: Catalog) -> None:
    names = list(catalog.names())
    assert names == ["clicks", "clicks$late", "clicks$dead", "recent"]
    assert all(catalog.find(name) is not None for name in names)


def test_a_taken_name_is_refused_and_changes_nothing(catalog: Catalog) -> None:
    with pytest.raises(UserError, match="There is a table named 'clicks' already"):
        catalog.create_table(TableDefinition("clicks", ()))
    with pytest.raises(UserError, match="There is a table named 'clicks' already"):
        catalog.create_view(ViewDefinition("clicks", "SELECT 1"), or_replace=True)
    assert catalog.find("clicks") is CLICKS


def test_if_not_exists_keeps_what_stands(catalog: Catalog) -> None:
    assert not catalog.create_table(TableDefinition("clicks", ()), if_not_exists=True)
    assert catalog.find("clicks") is CLICKS


def test_or_replace_puts_a_view_in_a_views_place(catalog: Catalog) -> None:
    newer = ViewDefinition("recent", "SELECT 2")
    assert catalog.create_view(newer, or_replace=True)
    assert catalog.find("recent") is newer


def test_names_of_side_tables_cannot_be_created(catalog: Catalog) -> None:
    with pytest.raises(UserError, match="reserved"):
        catalog.create_table(TableDefinition("x$late", ()))


def test_drop_names_the_nearest_of_the_same_kind(catalog: Catalog) -> None:
    with pytest.raises(UserError) as raised:
        catalog.drop("table", "click")
    assert raised.value.hint == "Did you mean 'clicks'?"
    with pytest.raises(UserError, match="'recent' is a view, not a table") as raised:
        catalog.drop("table", "recent")
    assert raised.value.hint == "Write DROP VIEW recent."


def test_drop_removes_the_table_and_its_side_tables(catalog: Catalog) -> None:
    assert catalog.drop("table", "clicks")
    assert catalog.find("clicks$late") is None
    assert not catalog.drop("table", "clicks", if_exists=True)
