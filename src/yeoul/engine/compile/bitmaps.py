"""Bitmaps: sets of 32-bit integers, held as sorted lists without a sign.

The bytes are Roaring's portable format. Source: https://github.com/RoaringBitmap/RoaringFormatSpec
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yeoul.engine.compile.distinct_values import per_value
from yeoul.engine.compile.faults import EvaluationError
from yeoul.engine.compile.lowering import Lowering, Site

__all__ = ["BITMAPS", "bitmap_text"]

_PLAIN, _WITH_RUNS = 12346, 12347
_MOST_LISTED = 4096
"""Above so many values a container is 2**16 bits, not a list."""
_OFFSETS_FROM = 4
"""With runs, containers' places are written from so many containers on."""


def bitmap_text(bitmap: pl.Expr) -> pl.Expr:
    """A bitmap as Flink writes it."""
    joined = bitmap.list.eval(pl.element().cast(pl.String)).list.join(",")
    return pl.concat_str(pl.lit("{"), joined, pl.lit("}"))


def _built(array: pl.Expr) -> pl.Expr:
    bits = pl.element().drop_nulls().cast(pl.UInt32, wrap_numerical=True)
    return array.list.eval(bits.unique().sort())


def _combined(operation: Callable[[pl.Expr, pl.Expr], pl.Expr]) -> Lowering:
    def lower(site: Site) -> pl.Expr:
        a, b = site.args
        return pl.when(a.is_not_null() & b.is_not_null()).then(operation(a, b).list.sort())

    return lower


def to_roaring(values: NDArray[np.uint32]) -> bytes:
    """Returns sorted values in Roaring's portable format.

    Example:
        >>> to_roaring(np.array([1, 2], np.uint32)).hex()
        '3a30000001000000000001001000000001000200'
    """
    keys, starts, counts = np.unique(values >> 16, return_index=True, return_counts=True)
    containers = [_container(values[at : at + count]) for at, count in zip(starts, counts, strict=True)]
    head = np.array([_PLAIN, len(keys)], "<u4").tobytes()
    described = np.stack([keys, counts - 1], axis=1).astype("<u2").tobytes()
    sizes = np.array([len(one) for one in containers], np.int64)
    places = len(head) + len(described) + 4 * len(keys) + np.cumsum(sizes) - sizes
    return b"".join([head, described, places.astype("<u4").tobytes(), *containers])


def _container(values: NDArray[np.uint32]) -> bytes:
    low = (values & 0xFFFF).astype(np.uint16)
    if len(low) <= _MOST_LISTED:
        return low.astype("<u2").tobytes()
    bits = np.zeros(1 << 16, np.uint8)
    bits[low] = 1
    return np.packbits(bits, bitorder="little").tobytes()


def from_roaring(data: bytes) -> NDArray[np.uint32]:
    """Returns the values in Roaring's portable format, sorted.

    Raises:
        ValueError: It is not that.

    Example:
        >>> from_roaring(to_roaring(np.array([7, 70000], np.uint32))).tolist()
        [7, 70000]
    """
    cookie = int.from_bytes(data[:4], "little")
    if cookie & 0xFFFF == _WITH_RUNS:
        count, at = (cookie >> 16) + 1, 4 + ((cookie >> 16) + 8) // 8
        runs = np.unpackbits(np.frombuffer(data, np.uint8, at - 4, 4), bitorder="little")[:count]
    elif cookie == _PLAIN and len(data) >= 8:
        count, at = int.from_bytes(data[4:8], "little"), 8
        runs = np.zeros(min(count, 1 << 16), np.uint8)
    else:
        raise ValueError("no bitmap")
    described = np.frombuffer(data, "<u2", 2 * count, at).reshape(-1, 2).astype(np.int64)
    at += 4 * count
    at += 4 * count if cookie == _PLAIN or count >= _OFFSETS_FROM else 0
    found = [np.empty(0, np.int64)]
    for (key, last), is_run in zip(described.tolist(), runs.tolist(), strict=True):
        if is_run:
            pairs = np.frombuffer(data, "<u2", 2 * int.from_bytes(data[at : at + 2], "little"), at + 2).reshape(-1, 2)
            low = np.concatenate([np.arange(start, start + more + 1) for start, more in pairs.astype(int).tolist()])
            at += 2 + pairs.nbytes
        elif last < _MOST_LISTED:
            low = np.frombuffer(data, "<u2", last + 1, at)
            at += 2 * (last + 1)
        else:
            low = np.flatnonzero(np.unpackbits(np.frombuffer(data, np.uint8, 8192, at), bitorder="little"))
            at += 8192
        found.append((key << 16) + low.astype(np.int64))
    return np.concatenate(found).astype(np.uint32)


def _from_bytes(site: Site) -> pl.Expr:
    def read(value: object) -> list[int] | None:
        assert isinstance(value, bytes)
        try:
            return [int(one) for one in from_roaring(value)]
        except ValueError:
            if site.strict:
                raise EvaluationError(f"{site.text} got bytes that are no bitmap", span=site.call.span) from None
            return None

    return per_value(site.args[0], read, site.dtype)


def _to_bytes(site: Site) -> pl.Expr:
    def write(bitmaps: pl.Series) -> pl.Series:
        written = [None if one is None else to_roaring(one.to_numpy()) for one in bitmaps]
        return pl.Series(bitmaps.name, written, dtype=pl.Binary)

    return site.args[0].map_batches(write, return_dtype=pl.Binary(), is_elementwise=True)


BITMAPS: Mapping[str, Lowering] = {
    "bitmap_build": lambda site: _built(site.args[0]),
    "bitmap_and": _combined(lambda a, b: a.list.set_intersection(b)),
    "bitmap_or": _combined(lambda a, b: a.list.set_union(b)),
    "bitmap_xor": _combined(lambda a, b: a.list.set_symmetric_difference(b)),
    "bitmap_andnot": _combined(lambda a, b: a.list.set_difference(b)),
    "bitmap_cardinality": lambda site: site.args[0].list.len().cast(pl.Int64),
    "bitmap_to_array": lambda site: site.args[0].list.eval(pl.element().cast(pl.Int32, wrap_numerical=True)),
    "bitmap_to_string": lambda site: bitmap_text(site.args[0]),
    "bitmap_to_bytes": _to_bytes,
    "bitmap_from_bytes": _from_bytes,
}
