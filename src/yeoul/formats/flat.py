"""Text columns as one buffer and offsets: what encoders work on."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["flat_bytes"]


def flat_bytes(series: pl.Series) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Returns the bytes of a String or Binary column, one behind the other, and its n + 1 offsets.

    Example:
        >>> flat_bytes(pl.Series(["a", None, "bc"]))
        (array([97, 98, 99], dtype=uint8), array([0, 1, 1, 3]))
    """
    kind = pa.large_string() if series.dtype == pl.String else pa.large_binary()
    array = series.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest()).cast(kind)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    _, offsets, data = array.buffers()
    places = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1] if offsets else np.zeros(1)
    if data is None:
        return np.empty(0, np.uint8), np.zeros(len(array) + 1, np.int64)
    first, last = int(places[0]), int(places[-1])
    return np.frombuffer(data, np.uint8)[first:last], places.astype(np.int64) - first
