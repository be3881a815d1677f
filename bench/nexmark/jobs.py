"""What each engine's program is asked for: a query's text in the engine's words and the events that it reads.

Flink, Spark and yeoul read the events as Nexmark has them, objects within objects. ubik and clink cannot: they get flat
events, and so does yeoul once more, to be held against them. yeoul by itself also reads Parquet files and a topic.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.nexmark import suite
from bench.nexmark.events import Layout
from bench.nexmark.inputs import Inputs
from bench.peers import VENVS

__all__ = ["ENGINES", "Engine", "input_of", "job"]

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
        rate: Events a second, where no earlier run tells.
        package: What pip installs for it; empty: it is yeoul.
        program: The name of its program, if it is not its own.
        least: The fewest events of a run: what the JVM has compiled by then runs several times faster than before.
    """

    name: str
    layout: str
    rate: float
    package: str = ""
    program: str = ""
    least: int = 0

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
        Engine("yeoul", "nested", 1.5e6),
        Engine("flink", "nested", 2e5, "apache-flink", least=800_000),
        Engine("spark", "nested", 4e5, "pyspark", least=800_000),
        Engine("ubik", "flat", 1e6, "ubik-sql"),
        Engine("clink", "flat", 3e5, "pyclink"),
        Engine("yeoul-flat", "flat", 2e6, program="yeoul"),
        Engine("yeoul-parquet", "parquet", 2e6, program="yeoul"),
        Engine("yeoul-topic", "topic", 1.5e6, program="yeoul"),
    )
}
"""In the order in which they run: those that read the same files behind one another."""


def job(engine: Engine, name: str, inputs: Inputs, answer: Path) -> dict[str, object]:
    """Returns what an engine's program is asked for.

    Args:
        engine: Which.
        name: The query.
        inputs: What it reads.
        answer: Where it writes the rows that are compared.
    """
    program = engine.program or engine.name
    asked: dict[str, object] = {"answer": str(answer), "cores": os.cpu_count(), "side": str(inputs.side)}
    if program == "yeoul":
        return {**asked, "query": suite.query(name)}
    query, told = suite.query_for(program, name)
    if program == "flink":
        return {**asked, "query": query}
    if program == "clink":
        return {**asked, "query": query, "columns": told}
    if program == "spark":
        mode = told.partition(":")[0]
        asked |= {"mode": mode, "views": _SPARK_VIEWS, "schema": _SPARK_SCHEMA}
        return {**asked, "query": query, "windowed": mode == "append" and "window(" in query}
    return {**asked, "query": query, "windowed": any(one in query for one in _WINDOWS)}


def input_of(engine: Engine, name: str, inputs: Inputs, size: int) -> str:
    """Returns how a run's events are named to the engine's program: by a path, or by the tables' declarations."""
    path = str(inputs.path(engine.layout, size))
    match engine.program or engine.name:
        case "yeoul" | "flink":
            side = {"connector": "filesystem", "path": str(inputs.side), "format": "csv"}
            layout: Layout = "flat" if engine.layout == "flat" else "nested"
            return suite.tables(name, inputs.options(engine.layout, size), side, layout)
        case "clink":
            return suite.query_for("clink", "tables")[0].replace("{path}", path)
        case _:
            return path
