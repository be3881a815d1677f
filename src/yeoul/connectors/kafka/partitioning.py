"""Which partition a row goes to.

Owns the three partitioners of Flink's `sink.partitioner`, and the hash of Kafka's own: murmur2 over the key's bytes, as
the Java client does, so that rows and the records of other producers with one key share a partition. Pure.
Callers: `sink`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from yeoul.formats.contract import RecordBuffer

__all__ = ["Partitioner", "murmur2"]

_SEED = np.uint32(0x9747B28C)
_M = np.uint32(0x5BD1E995)


def murmur2(keys: RecordBuffer) -> NDArray[np.int64]:
    """Returns Kafka's hash of each key, made positive; 0 for a null key.

    Example:
        >>> data = np.frombuffer(b"21foobar", np.uint8)
        >>> murmur2(RecordBuffer(data, np.array([0, 2]), np.array([2, 6]))).tolist()
        [1173551340, 1357151166]
    """
    lengths = np.maximum(keys.lengths, 0)
    padded = np.zeros(len(keys.data) + 8, np.uint8)
    padded[: len(keys.data)] = keys.data
    starts = keys.offsets
    with np.errstate(over="ignore"):
        hashed = _SEED ^ lengths.astype(np.uint32)
        for word in range(int(lengths.max(initial=0)) // 4):
            inside = np.flatnonzero(lengths >= 4 * word + 4)
            mixed = _word(padded, starts[inside] + 4 * word) * _M
            mixed = (mixed ^ (mixed >> np.uint32(24))) * _M
            hashed[inside] = (hashed[inside] * _M) ^ mixed
        hashed = _mix_rest(hashed, padded, starts, lengths)
        hashed = (hashed ^ (hashed >> np.uint32(13))) * _M
        hashed ^= hashed >> np.uint32(15)
    return np.where(keys.lengths < 0, 0, hashed & np.uint32(0x7FFFFFFF)).astype(np.int64)


def _word(data: NDArray[np.uint8], at: NDArray[np.int64]) -> NDArray[np.uint32]:
    word = np.zeros(len(at), np.uint32)
    for byte in range(4):
        word |= data[at + byte].astype(np.uint32) << np.uint32(8 * byte)
    return word


def _mix_rest(
    hashed: NDArray[np.uint32], data: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int64]
) -> NDArray[np.uint32]:
    rest = lengths % 4
    at = starts + lengths - rest
    for byte in (2, 1, 0):
        inside = np.flatnonzero(rest > byte)
        hashed[inside] ^= data[at[inside] + byte].astype(np.uint32) << np.uint32(8 * byte)
    inside = np.flatnonzero(rest > 0)
    hashed[inside] *= _M
    return hashed


class Partitioner:
    """Gives each row a partition.

    Args:
        kind: `default` (by key; rows without one go together, to another partition each time), `fixed` (always the
            same) or `round-robin`.
        partitions: How many there are.
    """

    def __init__(self, kind: str, partitions: int) -> None:
        self._kind = kind
        self._partitions = partitions
        self._next = 0

    def assign(self, runs: NDArray[np.int64], keys: RecordBuffer | None) -> NDArray[np.int64]:
        """Returns the partition of each row.

        Args:
            runs: Numbers the runs of rows, from 0, that may share a batch when nothing else parts them.
            keys: The rows' keys.
        """
        count = len(runs)
        if self._kind == "fixed":
            return np.zeros(count, np.int64)
        if self._kind == "round-robin":
            assigned = (np.arange(count, dtype=np.int64) + self._next) % self._partitions
            self._next = (self._next + count) % self._partitions
            return assigned
        together = (runs + self._next) % self._partitions
        self._next = (self._next + int(runs[-1]) + 1) % self._partitions
        if keys is None:
            return together
        return np.where(keys.lengths < 0, together, murmur2(keys) % self._partitions)
