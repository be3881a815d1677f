"""A path as a source: which files, which format, from where on."""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.connectors.batches import DecodedBatch, RecordPlaces
from yeoul.connectors.filesystem.compressed import CompressedFile, codec_of
from yeoul.connectors.filesystem.listing import explain_failure, list_files, local_path, require_files
from yeoul.connectors.filesystem.options import MONITOR_INTERVAL, PATH, PATH_PATTERN
from yeoul.connectors.filesystem.parquet import ParquetFile, ParquetTable
from yeoul.connectors.filesystem.reader import FileReader, FileSplit, ParquetSplit, TextSplit, Watch
from yeoul.connectors.filesystem.text import Lines, PlainFile
from yeoul.connectors.format_options import fails_on_malformed
from yeoul.connectors.records import Records, RecordSource, decode_records
from yeoul.connectors.spec import ConnectorContext
from yeoul.engine.compile.lowering import EvaluationContext
from yeoul.engine.contract import Fetched, Position
from yeoul.formats.contract import RecordBuffer
from yeoul.kernels.lines import split_lines
from yeoul.plan.encoding import Encoding
from yeoul.plan.nodes import Scan

__all__ = ["FilesystemSource"]


def file_metadata(path: str, key: str) -> object:
    """Returns one metadata key of a file.

    Raises:
        EnvironmentFailure: The file is gone.
    """
    if key == "file.path":
        return path
    if key == "file.name":
        return os.path.basename(path)
    try:
        status = os.stat(path)
    except OSError as error:
        raise explain_failure("read", path, error) from error
    if key == "file.size":
        return status.st_size
    return datetime.datetime.fromtimestamp(status.st_mtime_ns // 1_000_000 / 1_000, datetime.UTC)


@dataclass(frozen=True, slots=True)
class TextPiece:
    """Lines of one file, not yet told apart."""

    records: RecordSource
    split: str
    lines: Lines

    @property
    def size_bytes(self) -> int:
        return int(self.lines.data.nbytes)

    @property
    def position_after(self) -> Position:
        return self.lines.after

    def decode(self) -> DecodedBatch:
        offsets, lengths = split_lines(self.lines.data)
        values = RecordBuffer(self.lines.data, offsets, lengths)

        def places() -> RecordPlaces:
            return RecordPlaces(offsets + self.lines.start, (self.split,))

        return decode_records(self.records, Records(places, values, self._metadata))

    def _metadata(self, key: str, rows: NDArray[np.int64]) -> pl.Series:
        return pl.Series([file_metadata(self.split, key)]).new_from_index(0, len(rows))


class FilesystemSource:
    """A table over files.

    Args:
        scan: The table, and which columns are read.
        context: Clock.
    """

    def __init__(self, scan: Scan, context: ConnectorContext) -> None:
        self._scan = scan
        self._context = context
        self._path = local_path(PATH.read(scan.options))
        self._pattern = PATH_PATTERN.read(scan.options)
        self._monitor_ms = MONITOR_INTERVAL.read(scan.options)
        self._records: RecordSource | None = None
        self._parquet: ParquetTable | None = None
        if scan.options["format"] == "parquet":
            evaluation = EvaluationContext(context.clock, context.local_time_zone)
            self._parquet = ParquetTable(scan.table, scan.schema, scan.sieve, evaluation)
        else:
            fails = fails_on_malformed(scan.options)
            needs_before = scan.encoding is not Encoding.UPSERT
            self._records = RecordSource(scan.table, scan.options, scan.schema, fails=fails, needs_before=needs_before)

    @property
    def is_bounded(self) -> bool:
        return self._monitor_ms is None

    def open(self, positions: Mapping[str, Position]) -> FileReader:
        """Returns a reader of every file that is there now.

        Raises:
            EnvironmentFailure: There is none (of a bounded source), or one cannot be read.
            UserError: A Parquet file does not have the table's columns.
        """
        watch = None
        if self._monitor_ms is None:
            paths = require_files(self._scan.table.name, self._path, self._pattern)
        else:
            watch = Watch(self._monitor_ms, self._list, self._open_file)
            paths = self._list()
        # A file that was read to its end and deleted since is no loss.
        splits = [self._open_file(path, positions.get(path)) for path in paths]
        return FileReader(splits, watch, self._context.clock)

    def _list(self) -> list[str]:
        return list_files(self._path, self._pattern)

    def _open_file(self, path: str, position: Position) -> FileSplit:
        start = position if isinstance(position, int) else 0
        if self._parquet is not None:
            return ParquetSplit(ParquetFile(path, self._parquet, lambda key: file_metadata(path, key)), start)
        if not os.access(path, os.R_OK):
            error = (
                PermissionError(13, "Permission denied")
                if os.path.exists(path)
                else FileNotFoundError(2, "No such file")
            )
            raise explain_failure("read", path, error)
        codec = codec_of(path)
        if codec is not None:
            return TextSplit(CompressedFile(path, codec), start, True, self._piece)
        return TextSplit(PlainFile(path), start, self.is_bounded, self._piece)

    def _piece(self, path: str, lines: Lines) -> Fetched:
        assert self._records is not None
        return TextPiece(self._records, path, lines)
