"""Shared ways to open a table and read it to its end."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl
import pytest

from yeoul.connectors.registry import ConnectorContext, open_sink, open_source
from yeoul.engine.contract import Reader, Sink, Source, SourceBatch
from yeoul.plan.nodes import Field, Scan, Schema, Values, Write
from yeoul.plan.tables import Column, TableDefinition


@dataclass
class Tables:
    """Opens tables as a job would."""

    errors: io.StringIO = field(default_factory=io.StringIO)
    output: io.StringIO = field(default_factory=io.StringIO)
    frames: dict[str, pl.DataFrame] = field(default_factory=dict)

    def context(self) -> ConnectorContext:
        return ConnectorContext(frames=self.frames, output=self.output, error_output=self.errors)

    def source(
        self, columns: Sequence[Column], options: Mapping[str, str], names: Sequence[str] | None = None
    ) -> Source:
        table = TableDefinition("t", tuple(columns), options=dict(options))
        chosen = [one for one in columns if names is None or one.name in names]
        schema = Schema(tuple(Field(one.name, one.type) for one in chosen))
        return open_source(Scan(table, schema, dict(options)), self.context())

    def sink(self, columns: Sequence[Column], options: Mapping[str, str]) -> Sink:
        table = TableDefinition("t", tuple(columns), options=dict(options))
        rows = Values((), Schema(tuple(Field(one.name, one.type) for one in columns)))
        return open_sink(Write(rows, table, dict(options)), self.context())


def poll_to_end(reader: Reader, max_bytes: int = 4 << 20) -> list[SourceBatch]:
    batches: list[SourceBatch] = []
    finished: set[str] = set()
    while not finished.issuperset(reader.splits()):
        polled = reader.poll([one for one in reader.splits() if one not in finished], max_bytes, 5.0)
        batches += [piece.decode() for piece in polled.pieces]
        finished |= polled.finished
    reader.close()
    return batches


def rows_of(batches: Sequence[SourceBatch]) -> pl.DataFrame:
    return pl.concat([batch.frame for batch in batches]) if batches else pl.DataFrame()


@pytest.fixture
def tables() -> Tables:
    return Tables()


@pytest.fixture
def read() -> Callable[[Source], pl.DataFrame]:
    return lambda source: rows_of(poll_to_end(source.open({})))


@pytest.fixture
def poll_all() -> Callable[..., list[SourceBatch]]:
    return poll_to_end
