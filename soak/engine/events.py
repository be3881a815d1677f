"""The events of a soak: any stretch of them can be made again from the seed alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

__all__ = ["Stream"]

START_MS = 1_760_000_000_000
JITTER_MS = 2_000
_BLOCK_S = 20
_USERS, _ITEMS = 200, 50
_STRETCH = 4_096
_RARE, _LATE, _BROKEN = 1_000, 999, 501
_FIRST_LATE_S = 10
_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Stream:
    """Events at a steady rate: orders, payments of some of them a little later, and views.

    A user comes for twenty seconds and never again, so that sessions end and state has something to forget. Rows are
    up to two seconds out of order; one in a thousand is an hour late, one in a thousand is no JSON.

    Args:
        seed: The same seed gives the same events.
        per_s: Events in a second of event time.
    """

    seed: int
    per_s: int

    def rows(self, first: int, count: int) -> pl.DataFrame:
        """Returns events by number: `n, ts, kind, user, item, ref, amount`, and whether each is `late` or `broken`."""
        n = np.arange(first, first + count)
        random = self._random(first, count)
        ts = START_MS + n * 1_000 // self.per_s - (random[:, 0] * JITTER_MS).astype(np.int64)
        is_late = (n % _RARE == _LATE) & (n > _FIRST_LATE_S * self.per_s)
        kind = np.select([n % 4 == 0, n % 16 == 2], ["order", "pay"], "view")
        # A payment follows an order of up to two seconds before.
        back = (random[:, 1] * (self.per_s // 2)).astype(np.int64) * 4
        return pl.DataFrame(
            {
                "n": n,
                "ts": ts - is_late * _HOUR_MS,
                "kind": kind,
                "user": n // (_BLOCK_S * self.per_s) * _USERS + (random[:, 2] * _USERS).astype(np.int64),
                "item": (random[:, 3] * _ITEMS).astype(np.int64),
                "ref": np.where(kind == "pay", np.maximum(n - 2 - back, 0), n),
                "amount": (random[:, 4] * 1_000_000).astype(np.int64),
                "late": is_late,
                "broken": n % _RARE == _BROKEN,
            }
        )

    def texts(self, first: int, count: int) -> list[bytes]:
        """Returns events as they are produced."""
        rows = self.rows(first, count)
        text = pl.format(
            '"n":{},"ts":{},"kind":"{}","user":{},"item":{},"ref":{},"amount":{}',
            *("n", "ts", "kind", "user", "item", "ref", "amount"),
        )
        whole = pl.lit("{") + text + pl.when("broken").then(pl.lit("")).otherwise(pl.lit("}"))
        return [one.encode() for one in rows.select(whole).to_series().to_list()]

    def _random(self, first: int, count: int) -> np.ndarray:
        """Returns five numbers in [0, 1) an event, the same however the events are cut."""
        parts = []
        for stretch in range(first // _STRETCH, (first + count - 1) // _STRETCH + 1):
            parts.append(np.random.default_rng([self.seed, stretch]).random((_STRETCH, 5)))
        begin = first % _STRETCH
        return np.concatenate(parts)[begin : begin + count]
