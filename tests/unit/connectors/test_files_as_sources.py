"""Files read as tables: every line once, from any position, and a clear error when a file does not play along."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yeoul.connectors.filesystem import listing
from yeoul.connectors.filesystem.text import PlainFile, next_lines
from yeoul.errors import EnvironmentFailure, PeerError, UserError
from yeoul.plan import types as t
from yeoul.plan.tables import Column, ColumnKind

COLUMNS = [
    Column("id", t.BIGINT),
    Column("name", t.STRING),
    Column("path", t.STRING, ColumnKind.METADATA, "file.path"),
    Column("size", t.BIGINT, ColumnKind.METADATA, "file.size"),
    Column("file", t.STRING, ColumnKind.METADATA, "file.name"),
    Column("changed", t.timestamp_ltz(3), ColumnKind.METADATA, "file.modification-time"),
]


def options(path: Path | str, **more: str) -> dict[str, str]:
    named = {name.replace("__", ".").replace("_", "-"): value for name, value in more.items()}
    return {"connector": "filesystem", "path": str(path), "format": "json", **named}


def lines(start: int, end: int) -> bytes:
    return b"".join(json.dumps({"id": i, "name": f"n{i}"}).encode() + b"\n" for i in range(start, end))


def test_a_directory_is_read_file_by_file_hidden_ones_left_out(tables: Any, read: Any, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name, start in (("b.json", 10), ("a.json", 0), (".c.json.inprogress", 20), ("_d.json", 30), ("sub/e.json", 40)):
        (tmp_path / name).write_bytes(lines(start, start + 2))
    got = read(tables.source(COLUMNS, options(tmp_path)))
    assert got["id"].to_list() == [0, 1, 10, 11, 40, 41]
    assert got["file"].unique().sort().to_list() == ["a.json", "b.json", "e.json"]
    assert got["size"].to_list() == [os.stat(path).st_size for path in got["path"]]
    assert abs((dt.datetime.now(dt.UTC) - got["changed"][0]).total_seconds()) < 3_600


def test_a_glob_and_a_pattern_choose_files(tables: Any, read: Any, tmp_path: Path) -> None:
    for name in ("a-1.json", "a-2.json", "b-1.json"):
        (tmp_path / name).write_bytes(json.dumps({"name": name}).encode())
    names = read(tables.source(COLUMNS, options(tmp_path / "a-*.json"), ["name"]))["name"].to_list()
    assert names == ["a-1.json", "a-2.json"]
    chosen = options(tmp_path, source__path__regex_pattern=".*-1[.]json")
    assert read(tables.source(COLUMNS, chosen, ["name"]))["name"].to_list() == ["a-1.json", "b-1.json"]


@given(
    texts=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=30), max_size=30),
    size_bytes=st.integers(1, 80),
    ends_with_feed=st.booleans(),
    data=st.data(),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_lines_come_whole_and_once_however_they_are_cut(
    tmp_path: Path, texts: list[str], size_bytes: int, ends_with_feed: bool, data: st.DataObject
) -> None:
    content = "\n".join(texts).encode() + (b"\n" if ends_with_feed else b"")
    path = tmp_path / "f"
    path.write_bytes(content)
    bom = 3 if content.startswith(b"\xef\xbb\xbf") else 0
    pieces, positions, at = [], [0], 0
    while (piece := next_lines(PlainFile(str(path)), at, size_bytes, takes_rest=True)) is not None:
        pieces.append(piece.data.tobytes())
        at = piece.after
        positions.append(at)
        assert piece.data.tobytes().endswith(b"\n") or at == len(content)
    assert b"".join(pieces) == content[bom:]
    again = data.draw(st.sampled_from(positions))
    rest, at = b"", again
    while (piece := next_lines(PlainFile(str(path)), at, size_bytes, takes_rest=True)) is not None:
        rest, at = rest + piece.data.tobytes(), piece.after
    assert rest == content[max(again, bom) :]


def test_big_files_are_read_in_pieces_and_from_a_position(tables: Any, poll_all: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(lines(0, 2_000))
    source = tables.source(COLUMNS, options(path), ["id"])
    reader = source.open({})
    first = reader.poll(reader.splits(), 1_000, 0.0)
    (piece,) = first.pieces
    assert not first.finished
    assert first.lag[str(path)] == path.stat().st_size - piece.position_after
    head = piece.decode().frame["id"].to_list()
    rest = poll_all(source.open({str(path): piece.position_after}), 10_000)
    assert len(rest) > 3
    assert head + [one for batch in rest for one in batch.frame["id"]] == list(range(2_000))


@pytest.mark.parametrize("codec", ["gzip", "zstd", "bz2", "lz4"])
def test_compressed_files_are_read_in_pieces_and_from_a_position(
    tables: Any, poll_all: Any, tmp_path: Path, codec: str
) -> None:
    ending = {"gzip": ".gz", "zstd": ".zst", "bz2": ".bz2", "lz4": ".lz4"}[codec]
    path = tmp_path / f"a.ndjson{ending}"
    with pa.CompressedOutputStream(pa.OSFile(str(path), "wb"), codec) as out:
        out.write(lines(0, 3_000))
    source = tables.source(COLUMNS, options(path), ["id"])
    reader = source.open({})
    piece = reader.poll(reader.splits(), 5_000, 0.0).pieces[0]
    head = piece.decode().frame["id"].to_list()
    rest = [
        one for batch in poll_all(source.open({str(path): piece.position_after}), 7_000) for one in batch.frame["id"]
    ]
    assert head + rest == list(range(3_000))


def test_a_cut_off_compressed_file_is_an_error(tables: Any, poll_all: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.json.gz"
    noise = b"".join(json.dumps({"name": os.urandom(20).hex()}).encode() + b"\n" for _ in range(5_000))
    path.write_bytes(gzip.compress(noise)[:40_000])
    with pytest.raises(EnvironmentFailure, match=r"Cannot decompress .*a.json.gz' as gzip"):
        poll_all(tables.source(COLUMNS, options(path), ["name"]).open({}))


def test_malformed_lines_are_kept_apart_with_place_reason_and_bytes(tables: Any, poll_all: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'{"id": 1}\n{"id": 1x}\n\n{"id": 2}\n{"id": "\xff"}')
    (batch,) = poll_all(tables.source(COLUMNS, options(path), ["id"]).open({}))
    assert batch.frame["id"].to_list() == [1, 2]
    assert batch.records == 5
    dead = batch.dead.frame
    assert dead["raw"].to_list() == [b'{"id": 1x}', b'{"id": "\xff"}']
    assert dead["position"].to_list() == ["10", "32"]
    assert dead["split"].unique().to_list() == [str(path)]
    assert all(dead["reason"].str.len_chars() > 5)


def test_malformed_lines_end_the_job_when_told_so(tables: Any, poll_all: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'{"id": 1}\n{"id": oops}\n')
    with pytest.raises(PeerError) as caught:
        poll_all(tables.source(COLUMNS, options(path, on_malformed="fail"), ["id"]).open({}))
    assert caught.value.message.startswith(f"Table 't': the record at 10 of {str(path)!r} does not decode: ")
    assert caught.value.hint == "'on-malformed' = 'dead' keeps such records in t$dead and goes on."


def test_late_rows_are_recovered_whole(tables: Any, poll_all: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(
        b'{"id": 1, "name": "x"}\nbroken\n{"id": 2, "name": 7}\n{"id": 3, "name": "z"}\n[{"id": 4}, {"id": 5}]\n'
    )
    (batch,) = poll_all(tables.source(COLUMNS, options(path), ["id", "file"]).open({}))
    assert batch.frame["id"].to_list() == [1, 2, 3, 4, 5]
    recovered = batch.recover(pl.Series([4, 2, 0]))
    assert recovered.select("id", "name", "file").rows() == [
        (5, None, "a.json"),
        (3, "z", "a.json"),
        (1, "x", "a.json"),
    ]
    assert recovered["position"].to_list() == ["74", "51", "0"]
    assert recovered["split"].to_list() == [str(path)] * 3
    assert recovered.columns == [*(column.name for column in COLUMNS), "split", "position"]


def test_a_late_row_whose_unread_columns_are_bad_keeps_what_was_read(
    tables: Any, poll_all: Any, tmp_path: Path
) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'{"id": 1, "n": 1}\n{"id": 2, "n": "bad"}\n{"id": 3, "n": 3}\n')
    columns = [Column("id", t.BIGINT), Column("n", t.BIGINT)]
    (batch,) = poll_all(tables.source(columns, options(path), ["id"]).open({}))
    assert batch.recover(pl.Series([1, 2])).select("id", "n").rows() == [(2, None), (3, 3)]
    assert batch.recover(pl.Series([1])).select("id", "n").rows() == [(2, None)]


def test_a_scan_of_no_columns_still_counts_rows(tables: Any, poll_all: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(lines(0, 5))
    (batch,) = poll_all(tables.source(COLUMNS, options(path), []).open({}))
    assert batch.frame.height == 5


def test_parquet_is_read_by_row_group(tables: Any, poll_all: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"name": ["a", "b", "c"], "id": np.arange(3, dtype=np.int32)}).write_parquet(path, row_group_size=2)
    source = tables.source(COLUMNS, {**options(path), "format": "parquet"}, ["id", "file"])
    batches = poll_all(source.open({}))
    assert [batch.frame.rows() for batch in batches] == [[(0, "a.parquet"), (1, "a.parquet")], [(2, "a.parquet")]]
    assert batches[0].frame.schema["id"] == pl.Int64
    assert batches[1].recover(pl.Series([0])).select("id", "name", "position").rows() == [(2, "c", "2")]
    assert [batch.frame["id"].to_list() for batch in poll_all(source.open({str(path): 1}))] == [[2]]
    none = tables.source(COLUMNS, {**options(path), "format": "parquet"}, [])
    assert sum(batch.frame.height for batch in poll_all(none.open({}))) == 3


def test_parquet_that_lacks_a_column_or_is_none_is_refused(tables: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"nome": ["a"], "id": [1]}).write_parquet(path)
    with pytest.raises(UserError, match=r"has no column 'name'. Did you mean 'nome'"):
        tables.source(COLUMNS, {**options(path), "format": "parquet"}, ["name"]).open({})
    path.write_bytes(b"no parquet at all")
    with pytest.raises(EnvironmentFailure, match=r"is no Parquet file"):
        tables.source(COLUMNS, {**options(path), "format": "parquet"}, ["name"]).open({})


# A watched directory.


def poll_until(reader: Any, done: Any) -> list[Any]:
    """Polls until the predicate over all rows read holds; the test's own time-out is the limit."""
    ids: list[Any] = []
    while not done(ids):
        for piece in reader.poll(reader.splits(), 1 << 20, 0.2).pieces:
            ids += piece.decode().frame["id"].to_list()
    return ids


def test_a_watched_directory_gives_new_files_and_appended_lines(tables: Any, tmp_path: Path) -> None:
    first = tmp_path / "a.json"
    first.write_bytes(lines(0, 2) + b'{"id": 2, "na')
    source = tables.source(COLUMNS, options(tmp_path, source__monitor_interval="5 ms"), ["id"])
    assert not source.is_bounded
    reader = source.open({})
    assert poll_until(reader, lambda ids: len(ids) == 2) == [0, 1]
    with first.open("ab") as file:
        file.write(b'me": "x"}\n')
    assert poll_until(reader, lambda ids: ids) == [2]
    (tmp_path / "b.json").write_bytes(lines(3, 5))
    assert poll_until(reader, lambda ids: len(ids) == 2) == [3, 4]
    assert set(reader.splits()) == {str(first), str(tmp_path / "b.json")}
    assert not reader.poll(reader.splits(), 1 << 20, 0.0).finished
    reader.close()


def test_a_watched_directory_may_be_empty_at_first(tables: Any, tmp_path: Path) -> None:
    reader = tables.source(COLUMNS, options(tmp_path / "later", source__monitor_interval="5 ms"), ["id"]).open({})
    assert reader.splits() == ()
    (tmp_path / "later").mkdir()
    (tmp_path / "later" / "a.json").write_bytes(lines(0, 1))
    assert poll_until(reader, lambda ids: ids) == [0]


def test_waking_ends_a_wait(tables: Any, tmp_path: Path) -> None:
    reader = tables.source(COLUMNS, options(tmp_path, source__monitor_interval="1 h"), ["id"]).open({})
    thread = threading.Thread(target=reader.poll, args=((), 1 << 20, 3_600.0))
    thread.start()
    reader.wake()
    thread.join(30)
    assert not thread.is_alive()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: os.truncate(path, 5), "was truncated: 5 bytes are left"),
        (
            lambda path: (path.with_name("x").write_bytes(lines(5, 9)), os.replace(path.with_name("x"), path)),
            "replaced",
        ),
    ],
    ids=["truncated", "replaced"],
)
def test_a_watched_file_that_does_not_only_grow_is_an_error(
    tables: Any, tmp_path: Path, change: Any, message: str
) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(lines(0, 3))
    reader = tables.source(COLUMNS, options(tmp_path, source__monitor_interval="1 ms"), ["id"]).open({})
    assert poll_until(reader, lambda ids: len(ids) == 3)
    change(path)
    with pytest.raises(EnvironmentFailure, match=message):
        poll_until(reader, lambda ids: len(ids) > 3)


def test_a_watched_file_that_was_read_whole_may_be_deleted(tables: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(lines(0, 3))
    reader = tables.source(COLUMNS, options(tmp_path, source__monitor_interval="1 ms"), ["id"]).open({})
    poll_until(reader, lambda ids: len(ids) == 3)
    path.unlink()
    while not reader.poll(reader.splits(), 1 << 20, 0.05).finished:
        pass
    (tmp_path / "b.json").write_bytes(lines(3, 4))
    assert poll_until(reader, lambda ids: ids) == [3]


# What the machine does not provide.


@pytest.mark.parametrize(
    ("make", "path", "message"),
    [
        (
            lambda root: (root / "clicks.json").touch(),
            "click.json",
            "Table 't': 'path' = '{}' : there is no such file. Did you mean 'clicks.json'?",
        ),
        (lambda root: None, "x/y.json", "Table 't': 'path' = '{}' : there is no directory '{parent}'. Check the path."),
        (
            lambda root: None,
            "*.json",
            "Table 't': 'path' = '{}' matches no file. Relative paths start at the working directory.",
        ),
    ],
    ids=["typo", "no directory", "glob"],
)
def test_a_path_without_files_gives_one_clear_message(
    tables: Any, tmp_path: Path, make: Any, path: str, message: str
) -> None:
    make(tmp_path)
    full = tmp_path / path
    with pytest.raises(EnvironmentFailure) as caught:
        tables.source(COLUMNS, options(full), ["id"]).open({})
    assert str(caught.value) == message.replace("{}' :", "{}':").format(full, parent=full.parent)


def test_a_file_that_may_not_be_read_is_named(tables: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(lines(0, 1))
    path.chmod(0)
    # Root may read anything: then the answer is given for it.
    monkeypatch.setattr("yeoul.connectors.filesystem.source.os.access", lambda *_: False)
    with pytest.raises(EnvironmentFailure) as caught:
        tables.source(COLUMNS, options(path), ["id"]).open({})
    assert str(caught.value) == f"Cannot read {str(path)!r}: permission denied. Check who may read it with 'ls -l'."


def test_a_file_that_vanishes_while_it_is_read_is_an_error(tables: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(lines(0, 1_000))
    reader = tables.source(COLUMNS, options(path), ["id"]).open({})
    reader.poll(reader.splits(), 1_000, 0.0)
    path.unlink()
    with pytest.raises(EnvironmentFailure, match=r"It was there before: was it moved or deleted"):
        reader.poll(reader.splits(), 1_000, 0.0)


def test_a_line_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("yeoul.connectors.filesystem.text.LARGEST_LINE_BYTES", 1_000)
    path = tmp_path / "a"
    path.write_bytes(b"x" * 5_000)
    with pytest.raises(EnvironmentFailure, match=r"the line at byte 0 is longer than 1000 B"):
        next_lines(PlainFile(str(path)), 0, 100, takes_rest=True)


def test_paths_may_be_written_as_urls() -> None:
    assert listing.local_path("file:///a/b") == "/a/b"
