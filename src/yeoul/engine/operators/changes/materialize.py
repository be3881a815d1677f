"""One row for each key of a table, out of changes that may give several: ON CONFLICT.

`LatestRows` keeps every row that stands, by the key of the table, and gives the latest one of each; when that is taken
back, the one before it takes its place (DEDUPLICATE). With `strict` a second row is an error. `FirstRows` gives the
first and drops the others (NOTHING).

Rows of different keys of the query may change in any order. What must not be taken for a conflict while it is on its
way, ERROR and NOTHING hold back until the watermark moves, and net it: between which watermarks rows came decides, also
where state lies on disk and rows and watermarks come together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.clock import Clock
from yeoul.engine.contract import WATERMARK, WEIGHT
from yeoul.engine.operators.changes.rows import added_up, as_changes, differing
from yeoul.engine.operators.contract import EMPTY, END_OF_TIME, START_OF_TIME, Output, State
from yeoul.engine.operators.forgetting import Forgetting
from yeoul.engine.state.fingerprints import fingerprints
from yeoul.engine.state.groups import GroupStore
from yeoul.engine.state.keyed import KeyedState
from yeoul.engine.state.rows import KeyedRows
from yeoul.errors import UserError

__all__ = ["FirstRows", "LatestRows"]

_WAITING, _TOLD = "waiting", "told"
_CAME = "$came"
_PLACE = "$place"
_SEED = 2


class _Settling:
    """What settles conflicts of a table's keys, by the watermarks between which changes came."""

    def __init__(self, columns: Mapping[str, pl.DataType], key: Sequence[str]) -> None:
        self._columns, self._key = list(columns), list(key)
        self._waiting = _Waiting(self._columns)

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        self._waiting.add(batch)
        return EMPTY

    def process_told(self, batch: pl.DataFrame) -> Output:
        """Takes rows of which each says, in `$watermark`, the last watermark before it came."""
        given: list[pl.DataFrame] = []
        for watermark_ms, rows in _by_watermark(batch):
            given += self.advance(watermark_ms).batches
            given += self.process(0, rows).batches
        return Output(tuple(given))

    def advance(self, watermark_ms: int) -> Output:
        changes = self._waiting.told(watermark_ms)
        return EMPTY if changes is None else self._taken(changes)

    def keys_of(self, port: int, batch: pl.DataFrame) -> pl.DataFrame:
        """Returns the keys of rows."""
        return batch.select(self._key)

    @property
    def due_ms(self) -> int | None:
        """The least watermark that what waits waits for; None if nothing does."""
        return self._waiting.due_ms

    def may_be_late(self, port: int, batch: pl.DataFrame) -> None:
        """No row is set aside."""
        return None

    def _taken(self, changes: pl.DataFrame) -> Output:
        raise NotImplementedError


class LatestRows(_Settling):
    """Gives the latest row of each key.

    Args:
        columns: Name and type of the columns, in order.
        key: The table's primary key.
        table: The table's name, for the error.
        strict: Whether two different rows of a key are an error, looked for when the watermark moves.
        clock: The time, for the time to live.
        ttl_ms: How long an untouched row is kept; None: for ever.
    """

    def __init__(
        self,
        columns: Mapping[str, pl.DataType],
        key: Sequence[str],
        table: str,
        *,
        strict: bool,
        clock: Clock,
        ttl_ms: int | None = None,
    ) -> None:
        super().__init__(columns, key)
        self._table, self._strict = table, strict
        self._rows = KeyedRows(columns, key, {_CAME: pl.Int64()})
        self._count = 0
        self._forgetting = Forgetting(clock, ttl_ms)

    def process(self, port: int, batch: pl.DataFrame) -> Output:
        return super().process(port, batch) if self._strict else self._taken(batch)

    def snapshot(self) -> State:
        count = pl.DataFrame({"count": [self._count]}, schema={"count": pl.Int64})
        return {"rows": self._rows.snapshot(), "count": count, **self._waiting.snapshot()}

    def restore(self, state: State) -> None:
        self._count = state["count"].item()
        if state["rows"].height:
            self._rows.restore(state["rows"])
        self._waiting.restore(state)

    @property
    def size_bytes(self) -> int:
        """What its state takes in memory, about."""
        return self._rows.size_bytes + self._waiting.size_bytes

    @property
    def state_keys(self) -> Mapping[str, Sequence[str]]:
        """The key of each frame of a snapshot."""
        return {"rows": self._key, _WAITING: self._key}

    def _taken(self, changes: pl.DataFrame) -> Output:
        self._forgetting.forget(self._rows)
        rows, weights = changes.select(self._columns), _weights(changes)
        keys = rows.select(self._key).unique(maintain_order=True)
        before = self._latest(keys)
        slots = self._add(rows, weights)
        after = self._latest(keys)
        self._rows.remove_gone(slots)
        return _told(before, after)

    def _add(self, rows: pl.DataFrame, weights: NDArray[np.int64]) -> NDArray[np.int64]:
        came = pl.Series(_CAME, self._count + np.arange(rows.height))
        self._count += rows.height
        slots = self._rows.add(rows, weights, came.to_frame())
        coming = pl.DataFrame({"slot": slots, _CAME: came}).filter(pl.Series(weights > 0))
        last = coming.group_by("slot").agg(pl.col(_CAME).max())
        self._rows.write_note(_CAME, last["slot"].to_numpy(), last[_CAME])
        self._forgetting.touch(self._rows, slots)
        return slots

    def _latest(self, keys: pl.DataFrame) -> pl.DataFrame:
        """Returns the rows that stand for some keys, the place of each key beside its row."""
        found = self._rows.find(keys)
        living = self._rows.counts(found.slots) > 0
        places, slots = found.places[living], found.slots[living]
        if self._strict:
            self._refuse_doubles(keys, places)
        order = np.lexsort((self._rows.read_note(_CAME, slots).to_numpy(), places))
        last = order[np.append(np.diff(places[order]) != 0, True)] if len(order) else order
        return self._rows.read(slots[last]).with_columns(pl.Series(_PLACE, places[last]))

    def _refuse_doubles(self, keys: pl.DataFrame, places: NDArray[np.int64]) -> None:
        doubles = np.flatnonzero(np.bincount(places, minlength=keys.height) > 1)
        if len(doubles):
            shown = ", ".join(f"{name} = {value!r}" for name, value in keys.row(int(doubles[0]), named=True).items())
            raise UserError(
                f"Table {self._table!r}: the query gives several rows for the key {shown}",
                hint="ON CONFLICT DO ERROR asks for this; DO DEDUPLICATE keeps the latest, DO NOTHING the first",
            )


class FirstRows(_Settling):
    """Gives the first row of each key, and what it is changed to.

    Args:
        columns: Name and type of the columns, in order.
        key: The table's primary key.
        own: What tells the query's rows apart, so that a changed row is known for the same; none: nothing does.
        clock: The time, for the time to live.
        ttl_ms: How long an untouched row is kept; None: for ever.
    """

    def __init__(
        self,
        columns: Mapping[str, pl.DataType],
        key: Sequence[str],
        own: Sequence[str],
        *,
        clock: Clock,
        ttl_ms: int | None = None,
    ) -> None:
        super().__init__(columns, key)
        self._own = list(own)
        values = {name: dtype for name, dtype in columns.items() if name not in key}
        self._rows = KeyedState({name: columns[name] for name in key}, values)
        self._forgetting = Forgetting(clock, ttl_ms)

    def snapshot(self) -> State:
        return {"rows": self._rows.snapshot(), **self._waiting.snapshot()}

    def restore(self, state: State) -> None:
        if state["rows"].height:
            self._rows.restore(state["rows"])
        self._waiting.restore(state)

    @property
    def size_bytes(self) -> int:
        """What its state takes in memory, about."""
        return self._rows.size_bytes + self._waiting.size_bytes

    @property
    def state_keys(self) -> Mapping[str, Sequence[str]]:
        """The key of each frame of a snapshot."""
        return {"rows": self._key, _WAITING: self._key}

    def _taken(self, changes: pl.DataFrame) -> Output:
        self._forgetting.forget(self._rows)
        keys = changes.select(self._key).unique(maintain_order=True)
        before = self._standing(keys)
        comes = (changes[WEIGHT] > 0).to_numpy()
        rows = changes.select(self._columns)
        goes = _among(before, rows.filter(pl.Series(~comes)), self._columns)
        stays = before.filter(pl.Series(~goes))
        coming = rows.filter(pl.Series(comes))
        free = coming.filter(pl.Series(~_among(coming, stays, self._key)))
        first = self._first(free, before.filter(pl.Series(goes)))
        after = pl.concat([stays, _placed(first, keys, self._key)])
        self._remember(keys, after)
        return _told(before, after)

    def _first(self, rows: pl.DataFrame, taken_back: pl.DataFrame) -> pl.DataFrame:
        """Returns one row for each key: what a row that was taken back is now, else the first to come."""
        if self._own:
            order = np.argsort(~_among(rows, taken_back, [*self._key, *self._own]), kind="stable")
            rows = rows[order]
        return rows.unique(self._key, keep="first", maintain_order=True)

    def _standing(self, keys: pl.DataFrame) -> pl.DataFrame:
        slots = self._rows.find(keys)
        known = np.flatnonzero(slots >= 0)
        rows = keys[known].with_columns(self._rows.read(slots[known]).get_columns()).select(self._columns)
        return rows.with_columns(pl.Series(_PLACE, known, dtype=pl.Int64))

    def _remember(self, keys: pl.DataFrame, after: pl.DataFrame) -> None:
        slots = self._rows.upsert(keys).slots
        standing = after[_PLACE].to_numpy()
        self._rows.write(slots[standing], after)
        self._forgetting.touch(self._rows, slots[standing])
        self._rows.remove(np.delete(slots, standing))


class _Waiting:
    """Changes that wait for the next watermark, netted row by row, in the order in which rows first came."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = list(columns)
        self._changes = GroupStore(added_up)
        self._told_ms, self._is_empty = START_OF_TIME, True

    @property
    def due_ms(self) -> int | None:
        """The least watermark that is the next one; None if nothing waits for it."""
        return None if self._is_empty or self._told_ms == END_OF_TIME else self._told_ms + 1

    @property
    def size_bytes(self) -> int:
        """What they take in memory."""
        return self._changes.size_bytes

    def add(self, batch: pl.DataFrame) -> None:
        rows = batch.select(self._columns).with_columns(pl.Series(WEIGHT, _weights(batch)))
        self._changes.add(added_up(rows))
        self._is_empty = False

    def told(self, watermark_ms: int) -> pl.DataFrame | None:
        """Learns of a watermark; returns and forgets what waited for it; None if it comes to nothing."""
        if watermark_ms <= self._told_ms:
            return None
        self._told_ms = watermark_ms
        changes = self._changes.merged()
        self._changes.clear()
        self._is_empty = True
        if changes is not None:
            # Only now: a row that came, went and came again has kept its place, however its changes were cut.
            changes = changes.filter(pl.col(WEIGHT) != 0)
        return changes if changes is not None and changes.height else None

    def snapshot(self) -> State:
        told = pl.DataFrame({"ms": [self._told_ms]}, schema={"ms": pl.Int64})
        changes = self._changes.merged()
        return {_TOLD: told} if changes is None else {_TOLD: told, _WAITING: changes}

    def restore(self, state: State) -> None:
        self._told_ms = state[_TOLD].item()
        if _WAITING in state and state[_WAITING].height:
            self._changes.add(state[_WAITING])
            self._is_empty = False


def _by_watermark(batch: pl.DataFrame) -> Iterator[tuple[int, pl.DataFrame]]:
    """Yields the rows of each watermark, with it."""
    for rows in batch.partition_by(WATERMARK, maintain_order=True):
        yield int(rows[WATERMARK][0]), rows.drop(WATERMARK)


def _weights(batch: pl.DataFrame) -> NDArray[np.int64]:
    return batch[WEIGHT].to_numpy() if WEIGHT in batch.columns else np.ones(batch.height, np.int64)


def _among(rows: pl.DataFrame, others: pl.DataFrame, names: Sequence[str]) -> NDArray[np.bool_]:
    """Tells for each row whether one of the others has the same values in some columns."""
    own, other = (
        pl.DataFrame(fingerprints((frame[name] for name in names), frame.height, _SEED), schema=["low", "high"])
        for frame in (rows, others)
    )
    found = own.join(other.unique().with_columns(found=True), on=["low", "high"], how="left", maintain_order="left")
    return found["found"].fill_null(False).to_numpy()


def _placed(rows: pl.DataFrame, keys: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """Returns rows with the places of their keys among some."""
    places = keys.with_columns(pl.Series(_PLACE, np.arange(keys.height)))
    return rows.join(places, on=list(key), how="left", maintain_order="left")


def _told(before: pl.DataFrame, after: pl.DataFrame) -> Output:
    """Returns the changes from one row of each key to the other, each with the place of its key."""
    columns = before.columns[:-1]
    was, now = before[_PLACE].to_numpy(), after[_PLACE].to_numpy()
    both, in_before, in_after = np.intersect1d(was, now, return_indices=True)
    equal = both[~differing(before[in_before], after[in_after], columns)]
    gone, come = ~np.isin(was, equal), ~np.isin(now, equal)
    if not gone.any() and not come.any():
        return EMPTY
    old, new = (frame.filter(pl.Series(which)).select(columns) for frame, which in ((before, gone), (after, come)))
    return Output((as_changes(old, was[gone], new, now[come]),))
