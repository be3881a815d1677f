"""Rows into files: part files in a directory, or one file.

Owns when a file is opened, rolled and published. Invariants: a part file appears complete, by a rename, and is never
changed again; a single Parquet file is replaced as a whole; a single file of lines appears by a rename at the first
flush and then grows by whole lines; `flush` returns when everything written has its name and is on disk. A path that
ends like a file of the format (`.json`, `.csv`, ...) and is no directory is a single file; any other is a directory.
Callers: the engine's runtime.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable
from typing import BinaryIO, Protocol

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from yeoul.clock import Clock
from yeoul.connectors.filesystem.listing import explain_failure, local_path
from yeoul.connectors.filesystem.options import PATH, ROLL_BYTES, ROLL_INTERVAL
from yeoul.connectors.filesystem.publishing import Pending, make_directory
from yeoul.connectors.format_options import VALUE, encoded, make_encoder
from yeoul.connectors.spec import ConnectorContext
from yeoul.engine.compile.dtypes import polars_dtype
from yeoul.engine.contract import Sink
from yeoul.errors import EnvironmentFailure, UserError
from yeoul.formats.contract import Encoder, FormatColumn, RecordBuffer
from yeoul.plan.nodes import Write
from yeoul.plan.tables import ColumnKind

__all__ = ["AppendedFileSink", "DirectorySink", "SingleFileSink", "joined_lines", "open_filesystem_sink"]

_FILE_ENDINGS = {
    "json": (".json", ".ndjson", ".jsonl"),
    "debezium-json": (".json", ".ndjson", ".jsonl"),
    "csv": (".csv", ".tsv", ".txt"),
    "parquet": (".parquet",),
    "raw": (".txt", ".log"),
}


def joined_lines(records: RecordBuffer) -> bytes:
    r"""Returns records with a line feed after each.

    Example:
        >>> data = np.frombuffer(b"abcd", np.uint8)
        >>> joined_lines(RecordBuffer(data, np.array([0, 2]), np.array([2, 2])))
        b'ab\ncd\n'
    """
    lengths = np.maximum(records.lengths, 0)
    ends = np.cumsum(lengths + 1)
    total = int(ends[-1]) if len(ends) else 0
    joined = np.empty(total, np.uint8)
    is_feed = np.zeros(total, np.bool_)
    is_feed[ends - 1] = True
    joined[is_feed] = 10
    starts = records.offsets
    if len(starts) and (starts[1:] == (starts + lengths)[:-1]).all():
        joined[~is_feed] = records.data[int(starts[0]) : int(starts[0]) + total - len(ends)]
    elif len(starts):
        within = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        joined[~is_feed] = records.data[np.repeat(starts, lengths) + within]
    return joined.tobytes()


class PartWriter(Protocol):
    """Puts rows into a file that is under way."""

    @property
    def size_bytes(self) -> int: ...

    def write(self, frame: pl.DataFrame) -> None: ...

    def finish(self) -> None:
        """Writes what belongs at the end; the file stays open."""
        ...


class TextWriter:
    """Lines."""

    def __init__(self, pending: Pending, encoder: Encoder) -> None:
        self._file = pending.file
        self._encoder = encoder
        self.size_bytes = 0

    def write(self, frame: pl.DataFrame) -> None:
        lines = joined_lines(encoded(self._encoder, frame))
        self._file.write(lines)
        self.size_bytes += len(lines)

    def finish(self) -> None:
        """Lines need no end."""


class ParquetWriter:
    """Row groups, and the footer at the end."""

    def __init__(self, pending: Pending, schema: dict[str, pl.DataType], compression: str = "ZSTD") -> None:
        self._file = pending.file
        table = pl.DataFrame(schema=schema).to_arrow()
        self._schema = table.schema
        codec = "NONE" if compression == "UNCOMPRESSED" else compression
        self._writer = pq.ParquetWriter(self._file, self._schema, compression=codec)

    @property
    def size_bytes(self) -> int:
        return self._file.tell()

    def write(self, frame: pl.DataFrame) -> None:
        self._writer.write_table(frame.to_arrow().cast(self._schema))

    def finish(self) -> None:
        self._writer.close()


OpenWriter = Callable[[Pending], PartWriter]


class DirectorySink:
    """Part files `part-<uuid>-<number><ending>` in a directory.

    Args:
        directory: Where; made if need be.
        ending: Of the files' names.
        open_writer: Begins a file.
        roll_bytes: How large one may grow.
        roll_interval_ms: How long one may stay open.
        clock: For that.
    """

    def __init__(
        self,
        directory: str,
        ending: str,
        open_writer: OpenWriter,
        roll_bytes: int,
        roll_interval_ms: int,
        clock: Clock,
    ) -> None:
        make_directory(directory)
        self._directory = directory
        self._ending = ending
        self._open_writer = open_writer
        self._roll_bytes = roll_bytes
        self._roll_interval_s = roll_interval_ms / 1_000
        self._clock = clock
        self._run = uuid.uuid4()
        self._number = 0
        self._opened_s = 0.0
        self._current: tuple[Pending, PartWriter] | None = None

    def write(self, frame: pl.DataFrame) -> None:
        """Appends rows to the part file under way."""
        if frame.height == 0:
            return
        pending, writer = self._current or self._begin()
        _writing(pending.path, lambda: writer.write(frame))
        if writer.size_bytes >= self._roll_bytes or self._clock.monotonic_s() - self._opened_s >= self._roll_interval_s:
            self.flush()

    def flush(self) -> None:
        """Publishes the part file under way."""
        if self._current is None:
            return
        pending, writer = self._current
        _writing(pending.path, writer.finish)
        pending.publish()
        self._current = None

    def close(self) -> None:
        """Removes what was not flushed."""
        if self._current is not None:
            self._current[0].discard()
            self._current = None

    def _begin(self) -> tuple[Pending, PartWriter]:
        pending = Pending(os.path.join(self._directory, f"part-{self._run}-{self._number}{self._ending}"))
        self._number += 1
        self._opened_s = self._clock.monotonic_s()
        self._current = (pending, self._open_writer(pending))
        return self._current


class SingleFileSink:
    """One file, replaced as a whole at each flush, by one that has its rows and the new ones.

    Args:
        path: The file; rows that are in it are kept.
        open_writer: Begins a file.
        copy: Puts the rows of an existing file into a new one.
    """

    def __init__(self, path: str, open_writer: OpenWriter, copy: Callable[[str, Pending, PartWriter], None]) -> None:
        make_directory(os.path.dirname(path) or ".")
        self._path = path
        self._open_writer = open_writer
        self._copy = copy
        self._current: tuple[Pending, PartWriter] | None = None

    def write(self, frame: pl.DataFrame) -> None:
        """Appends rows to the new file."""
        if frame.height == 0:
            return
        _, writer = self._current or self._begin()
        _writing(self._path, lambda: writer.write(frame))

    def flush(self) -> None:
        """Puts the new file in the old one's place."""
        if self._current is None:
            if os.path.exists(self._path):
                return
            self._begin()
        assert self._current is not None
        pending, writer = self._current
        _writing(self._path, writer.finish)
        pending.publish()
        self._current = None

    def close(self) -> None:
        """Removes what was not flushed."""
        if self._current is not None:
            self._current[0].discard()
            self._current = None

    def _begin(self) -> tuple[Pending, PartWriter]:
        pending = Pending(self._path)
        writer = self._open_writer(pending)
        if os.path.exists(self._path):
            _writing(self._path, lambda: self._copy(self._path, pending, writer))
        self._current = (pending, writer)
        return self._current


class AppendedFileSink:
    """One file of lines: whole at its first flush, then it grows by whole lines.

    Args:
        path: The file; lines that are in it are kept.
        encoder: Makes the lines.
    """

    def __init__(self, path: str, encoder: Encoder) -> None:
        make_directory(os.path.dirname(path) or ".")
        self._path = path
        self._encoder = encoder
        self._pending: Pending | None = None
        self._file: BinaryIO | None = None

    def write(self, frame: pl.DataFrame) -> None:
        """Appends rows."""
        if frame.height:
            _writing(self._path, lambda: self._append(joined_lines(encoded(self._encoder, frame))))

    def flush(self) -> None:
        """Gives the file its name the first time; from then on, makes what was appended durable."""
        if self._file is None:
            (self._pending or self._begin()).publish()
            self._pending = None
            self._file = open(self._path, "ab", buffering=0)  # noqa: SIM115  (it outlives this call)
            return
        file = self._file
        _writing(self._path, lambda: os.fsync(file.fileno()))

    def close(self) -> None:
        """Removes a file that was never flushed."""
        if self._pending is not None:
            self._pending.discard()
            self._pending = None
        if self._file is not None:
            self._file.close()
            self._file = None

    def _append(self, lines: bytes) -> None:
        file = self._file or (self._pending or self._begin()).file
        rest = memoryview(lines)
        while len(rest):
            rest = rest[file.write(rest) :]

    def _begin(self) -> Pending:
        self._pending = pending = Pending(self._path)
        if os.path.exists(self._path):
            _writing(self._path, lambda: _copy_text(self._path, pending))
        return pending


def _writing(path: str, act: Callable[[], None]) -> None:
    try:
        act()
    except OSError as error:
        raise explain_failure("write", path, error) from error


def _copy_text(path: str, pending: Pending) -> None:
    with open(path, "rb") as existing:
        shutil.copyfileobj(existing, pending.file, 1 << 20)
        size_bytes = existing.tell()
        if size_bytes:
            existing.seek(-1, os.SEEK_END)
            if existing.read(1) != b"\n":
                pending.file.write(b"\n")


def _copy_parquet(path: str, pending: Pending, writer: PartWriter) -> None:
    try:
        with pq.ParquetFile(path) as existing:
            for index in range(existing.num_row_groups):
                frame = pl.from_arrow(existing.read_row_group(index))
                assert isinstance(frame, pl.DataFrame)
                writer.write(frame)
    except (ValueError, KeyError) as error:
        raise EnvironmentFailure(
            f"{path!r} holds other columns than the table: {str(error).splitlines()[0]}", hint="Choose another path."
        ) from error


def open_filesystem_sink(write: Write, context: ConnectorContext) -> Sink:
    """Returns the sink that a table's options ask for.

    Raises:
        UserError: The path is a glob, or a column cannot be written.
        EnvironmentFailure: The directory cannot be made.
    """
    format_name = write.options["format"]
    path = local_path(PATH.read(write.options))
    if any(mark in path for mark in "*?["):
        raise UserError(
            f"Table {write.table.name!r}: cannot write to the glob {path!r}", hint="Give a directory or a file."
        )
    metadata = [
        column.name for column in write.table.columns if column.kind is ColumnKind.METADATA and not column.virtual
    ]
    if metadata:
        raise UserError(
            f"Table {write.table.name!r}: metadata column {metadata[0]!r} cannot be written", hint="Declare it VIRTUAL."
        )
    columns = [column for column in write.table.columns if column.kind is ColumnKind.PHYSICAL]
    is_file = path.endswith(_FILE_ENDINGS[format_name]) and not os.path.isdir(path)
    open_writer: OpenWriter
    if format_name == "parquet":
        schema = {column.name: polars_dtype(column.type) for column in columns}
        compression = write.options.get("parquet.compression", "ZSTD").upper()

        def open_writer(pending: Pending) -> PartWriter:
            return ParquetWriter(pending, schema, compression)

    else:
        fields = [FormatColumn(one.name, polars_dtype(one.type), one.type.nullable) for one in columns]
        encoder = make_encoder(write.options, VALUE, fields)
        if is_file:
            return AppendedFileSink(path, encoder)

        def open_writer(pending: Pending) -> PartWriter:
            return TextWriter(pending, encoder)

    if is_file:
        return SingleFileSink(path, open_writer, _copy_parquet)
    return DirectorySink(
        path,
        _FILE_ENDINGS[format_name][0],
        open_writer,
        ROLL_BYTES.read(write.options),
        ROLL_INTERVAL.read(write.options),
        context.clock,
    )
