"""What the coordinators' topics hold, read back at a start.

Callers: `group_driver`, `transaction_driver`.
"""

from __future__ import annotations

from collections.abc import Iterator

from yeoul.log.partition import ColdRead, PartitionLog
from yeoul.wire.records import BatchHeader, Record, decode_records, iter_batches

__all__ = ["OFFSETS_TOPIC", "TRANSACTIONS_TOPIC", "stored_batches"]

OFFSETS_TOPIC = "__consumer_offsets"
TRANSACTIONS_TOPIC = "__transaction_state"

_READ_BYTES = 4 << 20


def stored_batches(partition: PartitionLog) -> Iterator[tuple[BatchHeader, list[Record]]]:
    """Yields every batch of a partition from its start on, with its records; reads the disk."""
    offset = partition.start_offset
    while offset < partition.high_watermark:
        read = partition.read(offset, _READ_BYTES)
        data = read.load().data if isinstance(read, ColdRead) else read.data
        for position, header in iter_batches(data):
            yield header, [record for record in decode_records(data, position) if record.offset >= offset]
            offset = header.next_offset
