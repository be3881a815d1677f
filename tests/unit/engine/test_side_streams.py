"""Late and dead rows on disk: read back whole, bounded, and readable while they are written."""

from __future__ import annotations

import contextlib
import resource
import threading
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from pipelines import MemoryBatch

from yeoul.clock import ManualClock
from yeoul.engine.contract import DeadLetters
from yeoul.engine.runtime.batches import JoinedBatch
from yeoul.engine.runtime.side_streams import SideLimits, SideStreams
from yeoul.errors import EnvironmentFailure


def dead(*numbers: int, text: str = "x") -> pl.DataFrame:
    return pl.DataFrame(
        {
            "split": ["s"] * len(numbers),
            "position": [str(number) for number in numbers],
            "reason": ["bad"] * len(numbers),
            "raw": [text.encode()] * len(numbers),
        }
    )


def test_what_is_set_aside_is_seen_at_once_by_another_reader(tmp_path: Path) -> None:
    writer, reader = SideStreams(tmp_path), SideStreams(tmp_path)
    assert reader.read("t", "dead").height == 0
    writer.append("t", "dead", dead(1, 2))
    assert reader.read("t", "dead")["position"].to_list() == ["1", "2"]
    assert reader.read("t", "dead").columns == ["split", "position", "reason", "raw", "text"]
    writer.append("t", "dead", dead(3))
    assert reader.read("t", "dead")["position"].to_list() == ["1", "2", "3"]
    assert reader.read("t", "late").height == 0
    assert writer.counts("t", "dead").rows == 3


def test_a_second_run_goes_on_behind_the_first(tmp_path: Path) -> None:
    for number in range(3):
        streams = SideStreams(tmp_path)
        streams.append("t", "dead", dead(number))
        streams.flush()
    assert SideStreams(tmp_path).read("t", "dead")["position"].to_list() == ["0", "1", "2"]


def test_rows_of_another_shape_are_kept_beside_the_first(tmp_path: Path) -> None:
    streams = SideStreams(tmp_path)
    streams.append("t", "late", pl.DataFrame({"a": [1]}))
    streams.append("t", "late", pl.DataFrame({"a": [2], "b": ["x"]}))
    assert streams.read("t", "late").rows() == [(1, None), (2, "x")]


def test_the_oldest_rows_go_when_the_stream_grows_too_large_and_are_counted(tmp_path: Path) -> None:
    streams = SideStreams(tmp_path, SideLimits(size_bytes=64_000))
    for number in range(200):
        streams.append("t", "dead", dead(number, text="y" * 500))
    kept = streams.read("t", "dead")["position"].cast(pl.Int64).to_list()
    assert kept == list(range(200 - len(kept), 200))
    assert 20 < len(kept) < 150
    assert streams.counts("t", "dead").evicted == 200 - len(kept)
    assert SideStreams(tmp_path).counts("t", "dead").evicted == 200 - len(kept)
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.arrows")) <= 64_000 + 9_000


def test_rows_older_than_the_limit_go_with_the_next_append(tmp_path: Path) -> None:
    clock = ManualClock(wall_ms=1_000_000)
    streams = SideStreams(tmp_path, SideLimits(age_ms=8_000), clock)
    for number in range(5):
        streams.append("t", "dead", dead(number))
        clock.advance_ms(4_000)
    assert streams.read("t", "dead")["position"].to_list() == ["2", "3", "4"]


def test_a_torn_segment_gives_its_whole_batches(tmp_path: Path) -> None:
    streams = SideStreams(tmp_path)
    for number in range(3):
        streams.append("t", "dead", dead(number))
    (segment,) = tmp_path.rglob("*.arrows")
    whole = segment.read_bytes()
    lengths = set()
    for size in range(0, len(whole), 7):
        segment.write_bytes(whole[:size])
        rows = SideStreams(tmp_path).read("t", "dead")
        positions = rows["position"].to_list() if rows.height else []
        assert positions == ["0", "1", "2"][: len(positions)]
        lengths.add(len(positions))
    assert lengths >= {0, 1, 2}


def test_many_threads_and_writers_share_a_stream(tmp_path: Path) -> None:
    shared, other = SideStreams(tmp_path), SideStreams(tmp_path)

    def write(first: int) -> None:
        for number in range(first, first + 20):
            (shared if first % 40 else other).append("t", "dead", dead(number))
            shared.flush()

    threads = [threading.Thread(target=write, args=(first,)) for first in range(0, 80, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(shared.read("t", "dead")["position"].cast(pl.Int64)) == list(range(80))


def test_table_names_are_not_paths(tmp_path: Path) -> None:
    streams = SideStreams(tmp_path / "side")
    streams.append("../a/b", "dead", dead(1))
    assert streams.read("../a/b", "dead").height == 1
    assert [path.name for path in tmp_path.iterdir()] == ["side"]


def test_a_directory_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFailure, match=r"Cannot keep dead rows of 't' in '.*file/t\$dead'") as raised:
        SideStreams(tmp_path / "file").append("t", "dead", dead(1))
    assert raised.value.hint == "Check the space on disk and who may write there."


def test_a_full_disk_is_one_clear_error_and_rows_go_on_when_there_is_room(tmp_path: Path) -> None:
    streams = SideStreams(tmp_path)
    streams.append("t", "dead", dead(1))
    with files_up_to(10_000), pytest.raises(EnvironmentFailure, match="Cannot keep dead rows of 't'"):
        streams.append("t", "dead", dead(*range(2, 1_000)))
    with files_up_to(0):
        streams.flush()
    streams.append("t", "dead", dead(1_000))
    assert streams.read("t", "dead")["position"].to_list() == ["1", "1000"]


def test_a_segment_without_an_end_mark_is_whole(tmp_path: Path) -> None:
    streams = SideStreams(tmp_path)
    streams.append("t", "dead", dead(1))
    with files_up_to(0):
        streams.flush()
    assert streams.read("t", "dead").height == 1


@contextlib.contextmanager
def files_up_to(size_bytes: int) -> Iterator[None]:
    """No file of this process grows beyond a size: writing there fails, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_joined_batches_recover_rows_in_the_order_asked_for() -> None:
    letters = DeadLetters(dead(9))
    parts = [
        MemoryBatch(pl.DataFrame({"x": [0, 1]})),
        MemoryBatch(pl.DataFrame({"x": []}, schema={"x": pl.Int64}), letters),
        MemoryBatch(pl.DataFrame({"x": [2, 3, 4]}), letters),
    ]
    whole = JoinedBatch(parts)
    assert (whole.frame["x"].to_list(), whole.records) == ([0, 1, 2, 3, 4], 5)
    assert whole.dead is not None
    assert whole.dead.frame.height == 2
    asked = pl.Series([4, 0, 3, 1], dtype=pl.UInt32)
    assert whole.recover(asked)["x"].to_list() == [4, 0, 3, 1]
