"""What each engine's program is asked for: a query's text in the engine's words and the inputs that it reads.

Flink, Spark and yeoul read the events as Nexmark has them, objects within objects. ubik and clink cannot: they get flat
events, and so does yeoul once more, to be held against them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.nexmark import events, suite
from bench.nexmark.events import Layout
from bench.peers import VENVS

__all__ = ["ENGINES", "Engine", "Inputs", "job"]

_SPARK_SCHEMA = (
    "event_type int, person struct<id: bigint, name: string, emailAddress: string, creditCard: string, city: string, "
    "state: string, dateTime: timestamp, extra: string>, auction struct<id: bigint, itemName: string, "
    "description: string, initialBid: bigint, reserve: bigint, dateTime: timestamp, expires: timestamp, "
    "seller: bigint, category: bigint, extra: string>, bid struct<auction: bigint, bidder: bigint, price: bigint, "
    "channel: string, url: string, dateTime: timestamp, extra: string>"
)
_SPARK_VIEWS = {
    "person": "SELECT person.id, person.name, person.emailAddress, person.creditCard, person.city, person.state, "
    "dateTime, person.extra FROM events WHERE event_type = 0",
    "auction": "SELECT auction.id, auction.itemName, auction.description, auction.initialBid, auction.reserve, "
    "dateTime, auction.expires, auction.seller, auction.category, auction.extra FROM events WHERE event_type = 1",
    "bid": "SELECT bid.auction, bid.bidder, bid.price, bid.channel, bid.url, dateTime, bid.extra "
    "FROM events WHERE event_type = 2",
}
_WINDOWS = ("TUMBLE(", "HOP(", "SESSION(")


@dataclass(frozen=True, slots=True)
class Engine:
    """One of those compared.

    Attributes:
        name: As the options of the bench have it.
        layout: How the events are written that it reads.
        package: What pip installs for it; empty: it is yeoul.
        repeats: How often it runs the whole input: those that take a second do it more often.
        program: The name of its program, if it is not its own.
    """

    name: str
    layout: Layout
    package: str = ""
    repeats: int = 1
    program: str = ""

    @property
    def python(self) -> Path:
        """The interpreter that it runs in."""
        return VENVS / self.name / "bin" / "python" if self.package else Path(sys.executable)

    @property
    def ours(self) -> Engine:
        """yeoul, reading the same events."""
        return ENGINES["yeoul" if self.layout == "nested" else "yeoul-flat"]


ENGINES: Mapping[str, Engine] = {
    one.name: one
    for one in (
        Engine("yeoul", "nested", repeats=3),
        Engine("yeoul-flat", "flat", repeats=3, program="yeoul"),
        Engine("flink", "nested", "apache-flink"),
        Engine("spark", "nested", "pyspark"),
        Engine("ubik", "flat", "ubik-sql", repeats=3),
        Engine("clink", "flat", "pyclink"),
    )
}


@dataclass(frozen=True, slots=True)
class Inputs:
    """Files of events in both layouts, by size, and q13's side table.

    Args:
        folder: Where they are.
        counts: How many events each has, by name.
    """

    folder: Path
    counts: Mapping[str, int]

    def write(self, seed: int, layouts: Sequence[Layout], rates: Mapping[str, int]) -> None:
        """Writes them; the same events in each layout."""
        suite.side_input().write_csv(self.side, include_header=False)
        for layout in layouts:
            for name, count in self.counts.items():
                path = self.path(name, layout)
                path.parent.mkdir(parents=True, exist_ok=True)
                events.write_files(path, count, seed, rates[name], layout)

    def path(self, name: str, layout: Layout) -> Path:
        """Returns a file; ubik takes the table's name from its."""
        return self.folder / layout / name / "events.ndjson"

    @property
    def side(self) -> Path:
        return self.folder / "side.csv"


def job(engine: Engine, name: str, inputs: Inputs, answer: Path) -> dict[str, object]:
    """Returns what an engine's program is asked for.

    Args:
        engine: Which.
        name: The query.
        inputs: What it reads: `check`, whose rows are compared, `warm` and `whole`, which are timed.
        answer: Where it writes the rows of `check`.
    """
    program = engine.program or engine.name
    paths = {each: inputs.path(each, engine.layout) for each in inputs.counts}
    asked: dict[str, object] = {"answer": str(answer), "cores": os.cpu_count(), "side": str(inputs.side)}
    asked["turns"] = ["check", *["warm"] * engine.repeats, *["whole"] * engine.repeats]
    match program:
        case "yeoul" | "flink":
            side = _options(inputs.side, "csv")
            declared = {
                each: suite.tables(name, _options(path, "json"), side, engine.layout) for each, path in paths.items()
            }
            return {**asked, "query": suite.query(name), "inputs": declared}
        case "clink":
            query, columns = suite.query_for("clink", name)
            tables = suite.query_for("clink", "tables")[0]
            declared = {each: tables.replace("{path}", str(path)) for each, path in paths.items()}
            return {**asked, "query": query, "columns": columns, "inputs": declared}
        case "spark":
            query, mode = suite.query_for("spark", name)
            mode = mode.partition(":")[0]
            asked |= {"mode": mode, "views": _SPARK_VIEWS, "schema": _SPARK_SCHEMA}
            asked["windowed"] = mode == "append" and "window(" in query
        case _:
            query, _ = suite.query_for(program, name)
            asked["windowed"] = any(one in query for one in _WINDOWS)
    return {**asked, "query": query, "inputs": {each: str(path) for each, path in paths.items()}}


def _options(path: Path, format_: str) -> dict[str, str]:
    return {"connector": "filesystem", "path": str(path), "format": format_}
