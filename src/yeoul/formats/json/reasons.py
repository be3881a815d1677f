"""Why a record is dead, in words made only when somebody reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from yeoul.formats.contract import RecordBuffer
from yeoul.kernels.json.codes import FIELD_CODES, REASONS

__all__ = ["Reasons"]

_SHOWN_BYTES = 24


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
        record, code, leaf, place = self.faults[index].tolist()
        sentence = REASONS[code]
        if code in FIELD_CODES:
            field, sql_type = self.fields[leaf]
            sentence = sentence.format(field=field, type=sql_type)
        return sentence if place < 0 else f"{sentence} (byte {place}: {self._shown(record, place)})"

    def _shown(self, record: int, place: int) -> str:
        start = int(self.records.offsets[record])
        end = start + int(self.records.lengths[record])
        found = self.records.data[start + place : min(end, start + place + _SHOWN_BYTES)].tobytes()
        return repr(found.decode(errors="backslashreplace")) if found else "the end"
