"""The whole log when all is over, read and decoded by our own wire, and what it says about each record.

Whether a record is committed is taken from the control markers in the log itself; whether the broker serves it to
readers of committed records, from its answers. The checkers hold one against the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from soak.fetching import Asker, Batch, aborted_batches, batches_of
from soak.history import Place, Stored, Watermark
from soak.values import parse

__all__ = ["read_partition", "read_watermark"]


def read_watermark(asker: Asker, place: Place, now_s: float, offset: int = 0) -> Watermark:
    """Returns where a partition starts and ends, without reading records.

    Raises:
        AskingFailed: No answer.
    """
    answer = asker.fetch({place: offset}, committed=True)[place]
    return Watermark(place, answer.log_start_offset, answer.last_stable_offset, answer.high_watermark, now_s, now_s)


def read_partition(asker: Asker, place: Place, start: int) -> list[Stored]:
    """Returns every record of a partition.

    Raises:
        AskingFailed: No answer.
        ProtocolError: A batch is damaged.
    """
    batches = list(_batches(asker, place, start))
    committed = _committed_batches(batches)
    served = _served_offsets(asker, place, start)
    return [
        _stored(place, batch, number, is_committed, served)
        for batch, is_committed in zip(batches, committed, strict=True)
        if not batch.header.is_control
        for number in range(len(batch.records))
    ]


def _stored(place: Place, batch: Batch, number: int, is_committed: bool, served: set[int]) -> Stored:
    record, header = batch.records[number], batch.header
    value = parse(record.value)
    sequence = header.base_sequence
    if sequence >= 0:
        sequence = (sequence + record.offset - header.base_offset) & 0x7FFFFFFF
    return Stored(
        place,
        record.offset,
        value.name,
        value.transaction,
        value.source,
        is_committed,
        record.offset in served,
        header.producer_id,
        header.producer_epoch,
        sequence,
    )


def _committed_batches(batches: Sequence[Batch]) -> list[bool]:
    """Says which batches are committed, by the markers behind them; what no marker follows is not."""
    committed = [not batch.header.is_transactional for batch in batches]
    open_batches: dict[int, list[int]] = {}
    for at, batch in enumerate(batches):
        if batch.header.is_control:
            for each in open_batches.pop(batch.header.producer_id, ()):
                committed[each] = bool(batch.commits)
        elif batch.header.is_transactional:
            open_batches.setdefault(batch.header.producer_id, []).append(at)
    return committed


def _served_offsets(asker: Asker, place: Place, start: int) -> set[int]:
    """Returns the offsets that a reader of committed records is given."""
    served: set[int] = set()
    position = start
    while True:
        answer = asker.fetch({place: position}, committed=True)[place]
        batches = list(batches_of(answer.records))
        if not batches:
            return served
        aborted: dict[int, list[int]] = {}
        for each in answer.aborted_transactions or ():
            aborted.setdefault(each.producer_id, []).append(each.first_offset)
        for batch, is_left_out in zip(batches, aborted_batches(batches, aborted), strict=True):
            if not batch.header.is_control and not is_left_out:
                served |= {record.offset for record in batch.records}
        position = batches[-1].header.next_offset


def _batches(asker: Asker, place: Place, start: int) -> Iterator[Batch]:
    position = start
    while True:
        answer = asker.fetch({place: position}, committed=False)[place]
        batches = list(batches_of(answer.records))
        if not batches:
            return
        yield from batches
        position = batches[-1].header.next_offset
