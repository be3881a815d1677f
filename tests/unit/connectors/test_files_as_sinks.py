"""Files written as tables: whole or not there, nothing lost, nothing that was there before harmed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yeoul.connectors.filesystem.sink import joined_lines
from yeoul.errors import EnvironmentFailure, UserError
from yeoul.formats.contract import RecordBuffer
from yeoul.plan import types as t
from yeoul.plan.tables import Column, ColumnKind

COLUMNS = [Column("id", t.BIGINT), Column("name", t.STRING)]
ROWS = pl.DataFrame({"id": [1, 2, 3], "name": ["a", None, "ü\n"]})
MORE = pl.DataFrame({"id": [4], "name": ["d"]})


def options(path: Path | str, format_name: str, **more: str) -> dict[str, str]:
    return {"connector": "filesystem", "path": str(path), "format": format_name, **more}


@pytest.mark.parametrize("format_name", ["json", "csv", "parquet"])
def test_a_directory_gets_whole_part_files(tables: Any, read: Any, tmp_path: Path, format_name: str) -> None:
    folder = tmp_path / "out"
    # CSV has no null of its own and no line ends within a line.
    rows = ROWS if format_name != "csv" else ROWS.with_columns(name=pl.Series(["a", ",", "ü"]))
    sink = tables.sink(COLUMNS, options(folder, format_name))
    sink.write(rows)
    assert [one.name[0] for one in folder.iterdir()] == ["."]
    sink.flush()
    (part,) = folder.iterdir()
    assert part.name.startswith("part-")
    before = part.read_bytes()
    sink.write(MORE)
    sink.flush()
    sink.flush()
    sink.close()
    assert part.read_bytes() == before
    assert len(list(folder.iterdir())) == 2
    got = read(tables.source(COLUMNS, options(folder, format_name)))
    assert got.equals(pl.concat([rows, MORE]))


@pytest.mark.parametrize("format_name", ["json", "csv", "parquet"])
def test_a_single_file_appears_whole_and_grows(tables: Any, read: Any, tmp_path: Path, format_name: str) -> None:
    path = tmp_path / "new" / f"out.{format_name}"
    rows = MORE
    for _ in range(2):
        was_there = path.exists()
        sink = tables.sink(COLUMNS, options(path, format_name))
        sink.write(rows)
        assert path.exists() == was_there
        sink.flush()
        sink.write(rows)
        sink.flush()
        sink.close()
    assert read(tables.source(COLUMNS, options(path, format_name))).equals(pl.concat([MORE] * 4))
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_file_whose_last_line_has_no_end_is_continued_on_a_new_line(tables: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'{"id":0}')
    sink = tables.sink(COLUMNS, options(path, "json"))
    sink.write(MORE)
    sink.flush()
    sink.close()
    assert path.read_bytes() == b'{"id":0}\n{"id":4,"name":"d"}\n'


@pytest.mark.parametrize("name", ["out", "out.json"])
def test_what_was_not_flushed_leaves_nothing_behind(tables: Any, tmp_path: Path, name: str) -> None:
    sink = tables.sink(COLUMNS, options(tmp_path / name, "json"))
    sink.write(ROWS)
    sink.close()
    sink.close()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_job_without_rows_leaves_an_empty_file(tables: Any, tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    sink = tables.sink(COLUMNS, options(path, "json"))
    sink.flush()
    sink.close()
    assert path.read_bytes() == b""


def test_part_files_are_rolled_by_size(tables: Any, tmp_path: Path) -> None:
    sink = tables.sink(COLUMNS, options(tmp_path, "json", **{"sink.rolling-policy.file-size": "10 b"}))
    for _ in range(3):
        sink.write(ROWS)
    sink.close()
    assert len(list(tmp_path.iterdir())) == 3


def test_a_directory_that_cannot_be_made_is_named(tables: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentFailure, match=r"Cannot create the directory '.*file/out'"):
        tables.sink(COLUMNS, options(tmp_path / "file" / "out", "json"))


def test_a_full_disk_is_one_clear_error(tables: Any) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("needs /dev/full")
    from yeoul.connectors.filesystem.sink import _writing

    def write() -> None:
        with open("/dev/full", "wb", buffering=0) as full:
            full.write(b"x")

    with pytest.raises(EnvironmentFailure, match=r"Cannot write '/out.json': no space left on device"):
        _writing("/out.json", write)


@pytest.mark.parametrize(
    ("columns", "path", "message"),
    [
        (COLUMNS, "/tmp/*.json", "cannot write to the glob"),
        ([*COLUMNS, Column("p", t.STRING, ColumnKind.METADATA, "file.path")], "/tmp/x.json", "'p' cannot be written"),
    ],
)
def test_what_cannot_be_written_is_refused(tables: Any, columns: Any, path: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        tables.sink(columns, options(path, "json"))


@given(st.lists(st.binary(max_size=12).filter(lambda one: b"\n" not in one), max_size=20), st.booleans())
@settings(deadline=None)
def test_joining_puts_a_line_end_behind_every_record(records: list[bytes], is_scattered: bool) -> None:
    order = np.arange(len(records))[:: -1 if is_scattered else 1]
    lengths = np.array([len(one) for one in records], np.int64)
    laid = [records[index] for index in order]
    starts = np.zeros(len(records), np.int64)
    starts[order] = np.cumsum([0, *(len(one) for one in laid)])[:-1] if records else starts
    data = np.frombuffer(b"".join(laid), np.uint8)
    assert joined_lines(RecordBuffer(data, starts, lengths)) == b"".join(one + b"\n" for one in records)
