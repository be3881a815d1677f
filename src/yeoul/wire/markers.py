"""Transaction markers: the control batches that end a transaction in a partition.

A marker is a batch of one record with the control and the transactional bit, no sequence, the key (version 0, type: 0
abort, 1 commit) and the value (version 0, the coordinator's epoch). Callers: `log` (append, recovery).

Source: KIP-98, "Control messages"; Apache Kafka's ControlRecordType and EndTxnMarker.json.
"""

from __future__ import annotations

import struct

from yeoul.wire.compression import Buffer
from yeoul.wire.errors import ErrorCode, ProtocolError
from yeoul.wire.records import Record, decode_records, encode_batch

__all__ = ["control_record_commits", "encode_marker", "marker_commits"]

_KEY = struct.Struct(">hh")
_VALUE = struct.Struct(">hi")
_ABORT, _COMMIT = 0, 1


def encode_marker(
    *, producer_id: int, producer_epoch: int, commit: bool, timestamp_ms: int, coordinator_epoch: int = 0
) -> bytearray:
    """Returns the control batch that commits or aborts a producer's transaction.

    Example:
        >>> marker_commits(encode_marker(producer_id=7, producer_epoch=0, commit=True, timestamp_ms=5))
        True
    """
    key = _KEY.pack(0, _COMMIT if commit else _ABORT)
    record = Record(0, timestamp_ms, key, _VALUE.pack(0, coordinator_epoch))
    return encode_batch(
        [record], producer_id=producer_id, producer_epoch=producer_epoch, transactional=True, control=True
    )


def marker_commits(batch: Buffer) -> bool | None:
    """Returns whether a control batch commits (True) or aborts (False); None for control records of other kinds.

    Raises:
        ProtocolError: The batch is damaged.
    """
    records = decode_records(batch, verify_crc=False)
    if not records:
        raise ProtocolError(ErrorCode.CORRUPT_MESSAGE, "Expected a control record, got an empty batch")
    return control_record_commits(records[0])


def control_record_commits(record: Record) -> bool | None:
    """Like `marker_commits`, for a control batch's record."""
    key = record.key
    if key is None or len(key) < _KEY.size:
        raise ProtocolError(ErrorCode.CORRUPT_MESSAGE, f"Expected the key of a control record, got {key!r}")
    kind = _KEY.unpack_from(key)[1]
    return kind == _COMMIT if kind in (_ABORT, _COMMIT) else None
