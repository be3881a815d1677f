"""Late rows and dead records on disk: `<table>$late` and `<table>$dead`.

Each stream is a folder of segments, Arrow IPC streams that any Arrow reader opens, written batch by batch so that
another reader sees at once what is there. Segments are numbered and carry the time of their beginning in their name.
A stream is bounded by size and by age: the oldest segments are removed, and how many rows went with them is counted in
the file `evicted`. Any number of jobs may write at once, each process into segments of its own; anybody may read.
Called by the threads of `Execution.run`, and read by the connector `side-stream`.
"""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import polars as pl
import pyarrow as pa

from yeoul.clock import SYSTEM_CLOCK, Clock
from yeoul.engine.contract import ROW, SourceBatch
from yeoul.engine.operators.contract import LateRows
from yeoul.errors import EnvironmentFailure
from yeoul.plan.tables import ColumnKind, TableDefinition

__all__ = ["DEAD", "LATE", "SideCounts", "SideLimits", "SideStreams", "late_frame", "timeless_frame"]

LATE = "late"
DEAD = "dead"
_SEGMENTS = 8


@dataclass(frozen=True, slots=True)
class SideLimits:
    """How much one stream may keep.

    Attributes:
        size_bytes: On disk.
        age_ms: Since a row was set aside; older segments go when something is appended.
    """

    size_bytes: int = 64 << 20
    age_ms: int = 7 * 86_400_000


@dataclass(frozen=True, slots=True)
class SideCounts:
    """What happened to one stream: rows set aside by this object, and rows ever evicted."""

    rows: int = 0
    evicted: int = 0


@dataclass(slots=True, eq=False)
class _Stream:
    """One stream's folder and the segment being written."""

    folder: Path
    rows: int = 0
    file: io.FileIO | None = None
    writer: pa.RecordBatchStreamWriter | None = None
    schema: pa.Schema | None = None
    started_ms: int = 0

    def segments(self) -> list[Path]:
        return sorted(self.folder.glob("*.arrows"))

    def close(self) -> None:
        """Ends the segment being written; readers need no end mark, so a disk without room for one loses nothing."""
        with contextlib.suppress(OSError):
            if self.writer is not None:
                self.writer.close()
        if self.file is not None:
            self.file.close()
        self.writer = self.file = self.schema = None

    @property
    def evicted(self) -> int:
        try:
            return int((self.folder / "evicted").read_text())
        except (OSError, ValueError):
            return 0


class SideStreams:
    """The side streams under one directory.

    Args:
        directory: Made when something is first set aside.
        limits: Of each stream.
        clock: For the age of rows.
    """

    def __init__(self, directory: Path, limits: SideLimits | None = None, clock: Clock = SYSTEM_CLOCK) -> None:
        self._directory = Path(directory)
        self._limits = limits or SideLimits()
        self._clock = clock
        self._streams: dict[tuple[str, str], _Stream] = {}
        self._writing = threading.Lock()

    def append(self, table: str, kind: str, frame: pl.DataFrame) -> None:
        """Sets rows aside; they can be read when this returns.

        Args:
            table: The table that they were read from.
            kind: `late` or `dead`; dead rows get a column `text`, their bytes as text, if they have none.
            frame: The rows.

        Raises:
            EnvironmentFailure: The directory cannot be written.
        """
        if not frame.height:
            return
        if kind == DEAD and "text" not in frame.columns:
            frame = frame.with_columns(pl.Series("text", _as_text(frame["raw"]), dtype=pl.String))
        rows = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
        with self._writing:
            stream = self._stream(table, kind)
            try:
                self._write(stream, rows)
                self._evict(stream)
            except OSError as error:
                stream.close()  # what may be torn is the end of its segment
                raise EnvironmentFailure(
                    f"Cannot keep {kind} rows of {table!r} in {str(stream.folder)!r}: {error}",
                    hint="Check the space on disk and who may write there.",
                ) from error
            stream.rows += frame.height

    def read(self, table: str, kind: str) -> pl.DataFrame:
        """Returns what a stream holds, oldest first; a frame without columns if there is nothing."""
        frames = [frame for path in self._stream(table, kind).segments() for frame in _batches(path)]
        return pl.concat(frames, how="diagonal_relaxed") if frames else pl.DataFrame()

    def counts(self, table: str, kind: str) -> SideCounts:
        """Returns how many rows were set aside by this object, and how many were ever evicted."""
        stream = self._stream(table, kind)
        return SideCounts(stream.rows, stream.evicted)

    def flush(self) -> None:
        """Ends the segments being written; the next row begins a new one."""
        with self._writing:
            for stream in self._streams.values():
                stream.close()

    def _stream(self, table: str, kind: str) -> _Stream:
        folder = self._directory / f"{quote(table, safe='')}${kind}"
        return self._streams.setdefault((table, kind), _Stream(folder))

    def _write(self, stream: _Stream, rows: pa.Table) -> None:
        if stream.writer is None or stream.schema != rows.schema or self._is_full(stream):
            stream.close()
            stream.folder.mkdir(parents=True, exist_ok=True)
            stream.started_ms = self._clock.now_ms()
            stream.file = _new_segment(stream)
            stream.writer = pa.ipc.new_stream(stream.file, rows.schema)
            stream.schema = rows.schema
        stream.writer.write_table(rows)

    def _is_full(self, stream: _Stream) -> bool:
        assert stream.file is not None
        is_long = stream.file.tell() >= self._limits.size_bytes // _SEGMENTS
        return bool(is_long or self._clock.now_ms() - stream.started_ms >= self._limits.age_ms // _SEGMENTS)

    def _evict(self, stream: _Stream) -> None:
        """Removes the oldest segments beyond the bounds; the one being written stays."""
        segments = stream.segments()
        oldest_ms = self._clock.now_ms() - self._limits.age_ms
        sizes = [path.stat().st_size for path in segments]
        total = sum(sizes)
        for path, following, size_bytes in zip(segments, segments[1:], sizes, strict=False):
            if total <= self._limits.size_bytes and _began_ms(following) > oldest_ms:
                break
            rows = sum(frame.height for frame in _batches(path))
            (stream.folder / "evicted").write_text(str(stream.evicted + rows))
            path.unlink(missing_ok=True)
            total -= size_bytes


def late_frame(table: TableDefinition, operator: str, late: LateRows, source: SourceBatch) -> pl.DataFrame:
    """Returns late rows as `<table>$late` holds them.

    Args:
        table: The table that they were read from.
        operator: The operator that they were late for.
        late: As the operator gave them; rows without a `$row` can only be described, not recovered.
        source: The batch that they came in.
    """
    known = late.frame.filter(pl.col(ROW).is_not_null())
    numbers = known[ROW].unique().sort()
    recovered = source.recover(numbers)
    rows = recovered[numbers.search_sorted(known[ROW]).to_list()]
    own = [column.name for column in table.columns if column.kind is not ColumnKind.COMPUTED]
    return rows.select(
        *(name for name in own if name in rows.columns),
        pl.lit(operator).alias("late_operator"),
        known["window_start"].alias("late_window_start"),
        known["window_end"].alias("late_window_end"),
        known["watermark"].alias("late_watermark"),
        "split",
        "position",
    )


def timeless_frame(column: str, source: SourceBatch, rows: pl.Series) -> pl.DataFrame:
    """Returns rows without a row time as `<table>$dead` holds them: no bytes any more, but the row as JSON text."""
    recovered = source.recover(rows)
    own = recovered.drop("split", "position").with_columns(pl.col(pl.Binary).bin.encode("base64"))
    return recovered.select(
        pl.col("split").cast(pl.String),
        pl.col("position").cast(pl.String),
        pl.lit(f"Row time {column!r} is NULL").alias("reason"),
        pl.lit(None, dtype=pl.Binary).alias("raw"),
        pl.Series("text", [line for line in own.write_ndjson().splitlines() if line], dtype=pl.String),
    )


def _new_segment(stream: _Stream) -> io.FileIO:
    """Makes the next segment's file; another process may have taken the number."""
    segments = stream.segments()
    number = int(segments[-1].name.partition("-")[0]) + 1 if segments else 1
    while True:
        try:
            return io.FileIO(stream.folder / f"{number:010d}-{stream.started_ms}.arrows", "xb")
        except FileExistsError:
            number += 1


def _as_text(raw: pl.Series) -> list[str | None]:
    return [None if one is None else one.decode("utf-8", "replace") for one in raw.to_list()]


def _began_ms(segment: Path) -> int:
    return int(segment.stem.partition("-")[2])


def _batches(path: Path) -> Iterator[pl.DataFrame]:
    """Yields a segment's whole batches; one that is being written, or was torn, ends where it ends."""
    with contextlib.suppress(pa.ArrowInvalid, OSError, StopIteration), pa.OSFile(str(path), "rb") as file:
        reader = pa.ipc.open_stream(file)
        while True:
            frame = pl.from_arrow(pa.Table.from_batches([reader.read_next_batch()]))
            assert isinstance(frame, pl.DataFrame)
            yield frame
