"""Why a record is dead, in words made only when somebody reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from yeoul.formats.contract import RecordBuffer
from yeoul.kernels.json.codes import FIELD_CODES, REASONS

__all__ = ["Reasons"]

_SHOWN_BYTES = 24
_LEAF_BITS = 32


@dataclass(frozen=True, slots=True)
class Reasons(Sequence[str]):
    """One sentence a dead record, built from codes on demand.

    Attributes:
        records: The records that were read.
        faults: Per dead record: index, code, leaf or -1, place in the record or -1; int64, shape (dead, 4).
        fields: Per leaf, its path and its SQL type.
    """

    records: RecordBuffer
    faults: NDArray[np.int64]
    fields: tuple[tuple[str, str], ...]

    def __len__(self) -> int:
        return len(self.faults)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return Reasons(self.records, self.faults[index], self.fields)
        one = Reasons(self.records, self.faults[index][None], self.fields)
        return next(iter(one))

    def __iter__(self) -> Iterator[str]:
        indexes, codes, leaves, places = (self.faults[:, column] for column in range(4))
        kinds, kind_of = np.unique(codes << _LEAF_BITS | (leaves + 1), return_inverse=True)
        sentences = [
            self._sentence(kind >> _LEAF_BITS, (kind & ((1 << _LEAF_BITS) - 1)) - 1) for kind in kinds.tolist()
        ]
        starts = self.records.offsets[indexes] + places
        ends = np.minimum(self.records.offsets[indexes] + self.records.lengths[indexes], starts + _SHOWN_BYTES)
        data = self.records.data.data
        columns = (kind_of, places, starts, ends)
        for kind, place, start, end in zip(*(column.tolist() for column in columns), strict=True):
            if place < 0:
                yield sentences[kind]
            else:
                found = repr(str(data[start:end], "utf-8", "replace")) if end > start else "the end"
                yield f"{sentences[kind]} (byte {place}: {found})"

    def _sentence(self, code: int, leaf: int) -> str:
        sentence = REASONS[code]
        if code in FIELD_CODES:
            name, sql_type = self.fields[leaf]
            sentence = sentence.format(field=name, type=sql_type)
        return sentence
