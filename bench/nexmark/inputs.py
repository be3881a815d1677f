"""The events as files and topics, of every size that is asked for.

One stream, made once, is cut off at each size while it is written; `check`, of few events a second of event time, has
its own. Objects within objects lie in as many files as there are cores, cycle by cycle in turns, so that an engine that
gives a file to a core has work for all of them; the flat events lie in one file, since not all engines take several.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from bench.nexmark import events, suite
from bench.nexmark.events import Layout

__all__ = ["CHECK", "CHECK_RATE", "RATE", "Inputs"]

CHECK, CHECK_RATE, RATE = 10_000, 250, 10_000
"""How many events are compared, how many of them (and of the others) are of one second."""
_READ_BYTES = 1 << 22


@dataclass
class Inputs:
    """Events by layout and size.

    Args:
        folder: Where files lie.
        seed: Decides the events.
        sizes: How many events are timed.
        bootstrap_servers: Of the broker that has the topics, if there is one.
    """

    folder: Path
    seed: int
    sizes: Sequence[int]
    bootstrap_servers: str = ""
    _made: set[str] = field(default_factory=set)

    def prepare(self, layout: str) -> None:
        """Makes what is not there: `nested`, `flat`, `parquet` or `topic`."""
        if layout in self._made:
            return
        self._made.add(layout)
        suite.side_input().write_csv(self.side, include_header=False)
        for sizes, rate in (((CHECK,), CHECK_RATE), (self.sizes, RATE)):
            match layout:
                case "topic":
                    for size in sizes:
                        events.produce(self.bootstrap_servers, f"events-{size}", size, self.seed, rate)
                case "parquet":
                    self._write_parquet(sizes, rate)
                case "nested":
                    self._write_lines("nested", sizes, rate, os.cpu_count() or 1)
                case _:
                    self._write_lines("flat", sizes, rate, 1)

    def drop(self, layout: str) -> None:
        """Removes a layout's files: what the next one's take is not pushed out of memory by them."""
        for path in (self.folder / layout).rglob("*.*"):
            path.unlink()
        self._made.discard(layout)

    def read_through(self, layout: str, size: int) -> None:
        """Reads an input's files once, for every engine alike: a system may have taken them out of memory meanwhile."""
        if layout == "topic":
            return
        path = self.path(layout, size)
        for file in path.iterdir() if path.is_dir() else [path]:
            with file.open("rb", buffering=0) as opened:
                while opened.read(_READ_BYTES):
                    pass

    @property
    def side(self) -> Path:
        """q13's side table."""
        return self.folder / "side.csv"

    def path(self, layout: str, size: int) -> Path:
        """Returns a folder of nested events, a file of flat ones; ubik takes the table's name from its."""
        folder = self.folder / layout / str(size)
        return folder / "events.ndjson" if layout == "flat" else folder

    def options(self, layout: str, size: int) -> Mapping[str, str]:
        """Returns what a table of these events is declared with."""
        if layout != "topic":
            format_ = "parquet" if layout == "parquet" else "json"
            return {"connector": "filesystem", "path": str(self.path(layout, size)), "format": format_}
        return {
            "connector": "kafka",
            "topic": f"events-{size}",
            "properties.bootstrap.servers": self.bootstrap_servers,
            "scan.startup.mode": "earliest-offset",
            "scan.bounded.mode": "latest-offset",
            "format": "json",
        }

    def _write_lines(self, layout: Layout, sizes: Sequence[int], rate: int, parts: int) -> None:
        with contextlib.ExitStack() as stack:
            files: dict[int, list[IO[bytes]]] = {}
            for size in sizes:
                folder = self.folder / layout / str(size)
                folder.mkdir(parents=True)
                names = ["events.ndjson"] if parts == 1 else [f"events-{part}.ndjson" for part in range(parts)]
                files[size] = [stack.enter_context((folder / name).open("wb")) for name in names]
            for start, block in self._blocks(sizes, rate):
                lines = events.lines(block, layout).to_frame("line").with_row_index()
                for part in range(parts):
                    turn = pl.col("index") // events.CYCLE % parts == part
                    text = lines.filter(turn).get_column("line").str.join("\n").item().encode() + b"\n"
                    for size in sizes:
                        if start < size:
                            files[size][part].write(text)

    def _write_parquet(self, sizes: Sequence[int], rate: int) -> None:
        with contextlib.ExitStack() as stack:
            files: dict[int, pq.ParquetWriter] = {}
            for start, block in self._blocks(sizes, rate):
                table: pa.Table = events.frame(block).to_arrow()
                for size in sizes:
                    if start < size:
                        if size not in files:
                            path = self.folder / "parquet" / str(size) / "events.parquet"
                            path.parent.mkdir(parents=True)
                            files[size] = stack.enter_context(pq.ParquetWriter(path, table.schema))
                        files[size].write_table(table)

    def _blocks(self, sizes: Sequence[int], rate: int) -> Iterator[tuple[int, events.Events]]:
        """Blocks, and how many events come before each; every size is some whole blocks, or less than one."""
        for place, block in enumerate(events.blocks(max(sizes), self.seed, rate)):
            yield place * events.BLOCK, block
