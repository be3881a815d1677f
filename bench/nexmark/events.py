"""Persons, auctions and bids, made column by column from a seed.

The shape is Nexmark's: of fifty events one is a new person, three are new auctions and forty-six are bids; half of the
bids go to the newest hot auction, three in four come from hot bidders, sellers likewise; ids begin at 1000 and prices
spread over six powers of ten. Event times run evenly at `rate` events a second of event time. The same seed gives the
same events, and a longer run begins with the events of a shorter one as long as the block size is the same.

Source of the proportions: the Nexmark paper (Tucker et al., 2002) and the generator of the public Nexmark suite.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
import pyarrow as pa

__all__ = [
    "BLOCK",
    "CYCLE",
    "KINDS",
    "Events",
    "Layout",
    "blocks",
    "frame",
    "lines",
    "ndjson",
    "produce",
    "tables",
    "write_files",
]

Layout = Literal["nested", "flat"]
BLOCK = 100_000
"""How many events are made at once; a multiple of fifty."""
_PERSONS, _AUCTIONS, CYCLE = 1, 3, 50
_FIRST_ID = 1_000
_HOT_EVERY = 100
_BASE_MS = 1_436_918_400_000
_STATES = ["AZ", "CA", "ID", "OR", "WA", "WY"]
_CITIES = ["Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle", "Kent"]
_FIRST_NAMES = ["Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter"]
_LAST_NAMES = ["Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"]
_CAPITAL = re.compile("([A-Z])")
KINDS = ("person", "auction", "bid")
_HOT_CHANNELS = ["Google", "Facebook", "Baidu", "Apple"]


@dataclass(frozen=True, slots=True)
class Events:
    """A block of events, by kind; each frame has `event` (its number among all), then the kind's own columns."""

    person: pl.DataFrame
    auction: pl.DataFrame
    bid: pl.DataFrame


def blocks(count: int, seed: int, rate: int = 10_000) -> Iterator[Events]:
    """Yields `count` events in blocks.

    Args:
        count: How many, rounded up to whole cycles of fifty.
        seed: Decides all of them.
        rate: Events per second of event time.
    """
    for start in range(0, count, BLOCK):
        size = min(BLOCK, count - start)
        yield _block(start, -(-size // CYCLE) * CYCLE, np.random.default_rng([seed, start]), rate)


def _block(start: int, size: int, chance: np.random.Generator, rate: int) -> Events:
    numbers = np.arange(start, start + size)
    place, cycle = numbers % CYCLE, numbers // CYCLE
    times = _BASE_MS + numbers * 1_000 // rate
    is_person, is_auction = place < _PERSONS, (place >= _PERSONS) & (place < _PERSONS + _AUCTIONS)
    is_bid = ~is_person & ~is_auction
    newest_person = cycle + _FIRST_ID
    newest_auction = cycle * _AUCTIONS + np.clip(place - _PERSONS, -1, _AUCTIONS - 1) + _FIRST_ID
    return Events(
        _persons(numbers[is_person], newest_person[is_person], times[is_person], chance),
        _auctions(
            numbers[is_auction], newest_auction[is_auction], newest_person[is_auction], times[is_auction], chance, rate
        ),
        _bids(numbers[is_bid], newest_auction[is_bid], newest_person[is_bid], times[is_bid], chance),
    )


def _persons(numbers: np.ndarray, ids: np.ndarray, times: np.ndarray, chance: np.random.Generator) -> pl.DataFrame:
    count = len(numbers)
    first, last = _pick(_FIRST_NAMES, count, chance), _pick(_LAST_NAMES, count, chance)
    card = pl.Series(chance.integers(10**15, 10**16, count)).cast(pl.String)
    frame = pl.DataFrame({"event": numbers, "id": ids, "first": first, "last": last, "card": card})
    return frame.select(
        "event",
        "id",
        name=pl.format("{} {}", "first", "last"),
        emailAddress=pl.format("{}@{}.com", pl.col("first").str.to_lowercase(), pl.col("last").str.to_lowercase()),
        creditCard=pl.col("card"),
        city=_pick(_CITIES, count, chance),
        state=_pick(_STATES, count, chance),
        dateTime=_stamps(times),
        extra=_text(count, 16, chance),
    )


def _auctions(
    numbers: np.ndarray,
    ids: np.ndarray,
    newest_person: np.ndarray,
    times: np.ndarray,
    chance: np.random.Generator,
    rate: int,
) -> pl.DataFrame:
    count = len(numbers)
    hot = chance.random(count) < 0.75
    seller = np.where(hot, newest_person // _HOT_EVERY * _HOT_EVERY, _recent(newest_person, 1_000, chance))
    first_bid = _prices(count, chance)
    # An auction is open for as long as some hundred later auctions take to come, give or take.
    open_ms = 1 + (chance.random(count) * 2 * 100 * CYCLE / _AUCTIONS * 1_000 / rate).astype(np.int64)
    return pl.DataFrame(
        {
            "event": numbers,
            "id": ids,
            "itemName": _text(count, 12, chance),
            "description": _text(count, 24, chance),
            "initialBid": first_bid,
            "reserve": first_bid + _prices(count, chance),
            "dateTime": _stamps(times),
            "expires": _stamps(times + open_ms),
            "seller": np.maximum(seller, _FIRST_ID),
            "category": 10 + chance.integers(0, 5, count),
            "extra": _text(count, 16, chance),
        }
    )


def _bids(
    numbers: np.ndarray,
    newest_auction: np.ndarray,
    newest_person: np.ndarray,
    times: np.ndarray,
    chance: np.random.Generator,
) -> pl.DataFrame:
    count = len(numbers)
    hot = chance.random(count) < 0.5
    auction = np.where(hot, newest_auction // _HOT_EVERY * _HOT_EVERY, _recent(newest_auction, 100, chance))
    hot = chance.random(count) < 0.75
    bidder = np.where(hot, newest_person // _HOT_EVERY * _HOT_EVERY + 1, _recent(newest_person, 1_000, chance))
    number = chance.integers(0, 10_000, count)
    is_hot_channel = chance.random(count) < 0.5
    hot_place = chance.integers(0, len(_HOT_CHANNELS), count)
    frame = pl.DataFrame({"number": number, "hot": is_hot_channel, "place": hot_place})
    named = frame.select(
        channel=pl.when("hot")
        .then(pl.lit(pl.Series(_HOT_CHANNELS)).gather(pl.col("place")))
        .otherwise(pl.format("channel-{}", "number")),
        url=pl.when("hot")
        .then(pl.format("https://www.nexmark.com/{}/item.htm?query=1", "place"))
        .otherwise(
            pl.format("https://www.nexmark.com/a{}/b{}/item.htm?query=1&channel_id={}", "place", "number", "number")
        ),
    )
    return pl.DataFrame(
        {
            "event": numbers,
            "auction": np.maximum(auction, _FIRST_ID),
            "bidder": np.maximum(bidder, _FIRST_ID),
            "price": _prices(count, chance),
            "channel": named["channel"],
            "url": named["url"],
            "dateTime": _stamps(times),
            "extra": _text(count, 16, chance),
        }
    )


def _recent(newest: np.ndarray, span: int, chance: np.random.Generator) -> np.ndarray:
    """Returns ids of what came lately."""
    return np.maximum(newest - (chance.random(len(newest)) * span).astype(np.int64), _FIRST_ID)


def _prices(count: int, chance: np.random.Generator) -> np.ndarray:
    return np.round(10 ** (chance.random(count) * 6) * 100).astype(np.int64)


def _pick(words: list[str], count: int, chance: np.random.Generator) -> pl.Series:
    return pl.Series(words).gather(chance.integers(0, len(words), count))


def _text(count: int, size: int, chance: np.random.Generator) -> pl.Series:
    letters = chance.integers(97, 123, count * size, dtype=np.uint8)
    ends = np.arange(0, (count + 1) * size, size, dtype=np.int64)
    array = pa.LargeStringArray.from_buffers(count, pa.py_buffer(ends), pa.py_buffer(letters))
    return pl.Series(pl.from_arrow(array))


def _stamps(times: np.ndarray) -> pl.Series:
    return pl.Series(times).cast(pl.Datetime("ms"))


def tables(count: int, seed: int, rate: int = 10_000) -> Events:
    """Returns all events, one frame a kind."""
    made = list(blocks(count, seed, rate))
    return Events(*(pl.concat([getattr(one, kind) for one in made]) for kind in KINDS))


def frame(events: Events) -> pl.DataFrame:
    """Returns a block as the table that the queries read: `event_type` and, one of them set, the three kinds' rows."""
    kinds = []
    for type_, kind in enumerate(KINDS):
        body = pl.struct(pl.exclude("event")).alias(kind)
        kinds.append(getattr(events, kind).select("event", body, event_type=pl.lit(type_, dtype=pl.Int32)))
    whole = pl.concat(kinds, how="diagonal").sort("event")
    return whole.select("event_type", *KINDS)


def lines(events: Events, layout: Layout = "nested") -> pl.Series:
    """Returns a block as JSON objects in the order of the events, each with its `event_type` 0, 1 or 2.

    Args:
        events: The block.
        layout: `nested`: the kind's own object beside the type, times as SQL has them, `2015-07-15 00:00:00.123`.
            `flat`: its fields beside the type, named in lower case, times in milliseconds.
    """
    kinds = []
    nested = layout == "nested"
    for type_, kind in enumerate(KINDS):
        rows: pl.DataFrame = getattr(events, kind)
        parts: list[pl.Expr] = [pl.lit(f'{{"event_type":{type_},' + (f'"{kind}":{{' if nested else ""))]
        for place, (name, dtype) in enumerate(rows.drop("event").schema.items()):
            spelled = name if nested else _CAPITAL.sub(r"_\1", name).lower()
            parts += [pl.lit(f'{"," if place else ""}"{spelled}":'), _written(name, dtype, nested)]
        kinds.append(rows.select("event", line=pl.concat_str(*parts, pl.lit("}}" if nested else "}"))))
    return pl.concat(kinds).sort("event")["line"]


def _written(name: str, dtype: pl.DataType, nested: bool) -> pl.Expr:
    """A column as JSON; its texts have nothing that needs escaping."""
    if isinstance(dtype, pl.Datetime):
        text = pl.col(name).dt.to_string('"%Y-%m-%d %H:%M:%S%.3f"')
        return text if nested else pl.col(name).dt.epoch("ms").cast(pl.String)
    return pl.format('"{}"', name) if dtype == pl.String else pl.col(name).cast(pl.String)


def ndjson(events: Events, layout: Layout = "nested") -> bytes:
    """Returns a block as lines of JSON."""
    return f"{lines(events, layout).str.join(chr(10)).item()}\n".encode()


def write_files(path: Path, count: int, seed: int, rate: int = 10_000, layout: Layout = "nested") -> int:
    """Writes events as one file of JSON lines, or of Parquet if the name ends so; returns its bytes."""
    if path.suffix == ".parquet":
        pl.concat(frame(block) for block in blocks(count, seed, rate)).write_parquet(path)
        return path.stat().st_size
    written = 0
    with path.open("wb") as file:
        for block in blocks(count, seed, rate):
            written += file.write(ndjson(block, layout))
    return written


def produce(bootstrap: str, topic: str, count: int, seed: int, rate: int = 10_000, partitions: int = 2) -> None:
    """Writes events to a new topic, thousands by turns to its partitions, so that none is far ahead in event time."""
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(30)
    settings = {"linger.ms": 20, "queue.buffering.max.messages": 2_000_000, "batch.size": 1 << 20}
    producer = Producer({"bootstrap.servers": bootstrap, **settings})
    for block in blocks(count, seed, rate):
        for turn, part in enumerate(lines(block).to_frame().iter_slices(1_000)):
            messages = [{"value": line} for line in part["line"]]
            producer.produce_batch(topic, messages, partition=turn % partitions)
            producer.poll(0)
    assert producer.flush(60) == 0, "not everything was written"
