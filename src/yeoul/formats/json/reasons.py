"""Why a record is dead, in words made only when somebody reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from yeoul.formats.contract import RecordBuffer
from yeoul.kernels.json.codes import FIELD_CODES, REASONS
from yeoul.kernels.text import view_records

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
        found = self._found(self.records.offsets[indexes] + np.maximum(places, 0), indexes)
        for kind, place, text in zip(kind_of.tolist(), places.tolist(), found, strict=True):
            yield sentences[kind] if place < 0 else f"{sentences[kind]} (byte {place}: {text})"

    def _found(self, starts: NDArray[np.int64], indexes: NDArray[np.int64]) -> Iterator[str]:
        """Yields what stands at the places, quoted; bytes that are no text as SQL writes them, X'ff00'."""
        ends = self.records.offsets[indexes] + np.maximum(self.records.lengths[indexes], 0)
        ends = _on_character_ends(self.records.data, starts, ends)
        data = self.records.data.data
        pieces = [bytes(data[start:end]) for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
        _, is_no_text = view_records(self.records.data, starts, ends - starts, check=True)
        for piece, no_text in zip(pieces, is_no_text.tolist(), strict=True):
            if no_text:
                yield f"X'{piece.hex()}'"
            else:
                yield repr(piece.decode()) if piece else "the end"

    def _sentence(self, code: int, leaf: int) -> str:
        sentence = REASONS[code]
        if code in FIELD_CODES:
            name, sql_type = self.fields[leaf]
            sentence = sentence.format(field=name, type=sql_type)
        return sentence


def _on_character_ends(
    data: NDArray[np.uint8], starts: NDArray[np.int64], record_ends: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Returns where to stop showing: after some bytes, but never inside a character of UTF-8."""
    ends = np.minimum(record_ends, starts + _SHOWN_BYTES)
    for _ in range(3):
        cuts = (ends > starts) & (ends < record_ends)
        cuts[cuts] = (data[ends[cuts]] & 0xC0) == 0x80
        ends = ends - cuts
    return ends
