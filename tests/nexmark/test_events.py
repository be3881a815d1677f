"""The generator: one seed, the same events in memory, in files of either layout and of Parquet, and in a topic."""

from __future__ import annotations

import polars as pl
import pytest
from bench.nexmark import events, suite

from yeoul.broker import Broker
from yeoul.jobs.session import Session

COUNT, SEED = 5_000, 3
BIDS = "SELECT auction, bidder, price, channel, url, `dateTime`, extra FROM bid"
AUCTIONS = "SELECT * FROM auction"


def asked(statements: str, query: str, frames: dict[str, pl.DataFrame] | None = None) -> pl.DataFrame:
    with Session(frames or {}) as session:
        return session.sql(statements + query).pl()


@pytest.mark.parametrize(("kind", "query"), [("bid", BIDS), ("auction", AUCTIONS)])
def test_file_of_each_layout_and_memory_hold_the_same_events(kind, query, tmp_path):
    made = events.tables(COUNT, SEED)
    right = getattr(made, kind).drop("event")
    frame = events.frame(made)
    assert asked(suite.tables("q00", {"connector": "frame"}), query, {"events": frame}).equals(right)
    for layout, name in (("nested", "a.ndjson"), ("flat", "b.ndjson"), ("nested", "c.parquet")):
        path = tmp_path / name
        assert events.write_files(path, COUNT, SEED, layout=layout) == path.stat().st_size
        source = {"connector": "filesystem", "path": str(path), "format": "parquet" if "parquet" in name else "json"}
        assert asked(suite.tables("q00", source, layout=layout), query).equals(right), name


def test_topic_holds_the_same_events():
    with Broker() as broker:
        events.produce(broker.bootstrap_servers, "nexmark", COUNT, SEED)
        source = {
            "connector": "kafka",
            "topic": "nexmark",
            "properties.bootstrap.servers": broker.bootstrap_servers,
            "scan.startup.mode": "earliest-offset",
            "scan.bounded.mode": "latest-offset",
            "format": "json",
        }
        rows = asked(suite.tables("q00", source), BIDS)
    right = events.tables(COUNT, SEED).bid.drop("event")
    assert rows.sort(pl.all()).equals(right.sort(pl.all()))


def test_longer_run_begins_with_the_events_of_a_shorter_one():
    short, long = events.tables(events.BLOCK, 5), events.tables(events.BLOCK + 1_000, 5)
    assert long.bid.head(short.bid.height).equals(short.bid)
    assert not events.tables(events.BLOCK, 6).bid.equals(short.bid)


def test_one_event_in_fifty_is_a_person_and_three_are_auctions():
    made = events.tables(COUNT, SEED)
    assert (made.person.height, made.auction.height, made.bid.height) == (
        COUNT // 50,
        COUNT * 3 // 50,
        COUNT * 46 // 50,
    )
