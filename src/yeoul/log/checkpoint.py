"""A partition's checkpoint: up to where its bytes are known to be durable and indexed, and what that state was. Pure.

Everything below the recovery point was synced before the checkpoint was written, so a start scans only what lies
beyond. The state of producers and transactions at exactly that offset stands in it too; the scan brings it up to date.
The file is one line of CRC-32C and one of JSON, replaced as a whole.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import crc32c

from yeoul.log.errors import LogCorrupt

__all__ = ["Checkpoint", "decode_checkpoint", "encode_checkpoint"]

_VERSION = 2
_READ_VERSIONS = (1, _VERSION)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What was true when it was taken.

    Attributes:
        start_offset: The first offset that may be read.
        recovery_offset: All records below it were durable.
        segment_base_offset: The segment that holds the recovery point.
        position: The recovery point's position in that segment.
        producers: `ProducerStates.dump()` at the recovery offset.
        open_transactions, aborted_transactions: `PartitionTransactions.dump()` there; version 1 has none.
    """

    start_offset: int
    recovery_offset: int
    segment_base_offset: int
    position: int
    producers: list[list[int]]
    open_transactions: list[list[int]] = field(default_factory=list)
    aborted_transactions: list[list[int]] = field(default_factory=list)


def encode_checkpoint(checkpoint: Checkpoint) -> bytes:
    """Returns the file's content."""
    body = {
        "version": _VERSION,
        "start_offset": checkpoint.start_offset,
        "recovery_offset": checkpoint.recovery_offset,
        "segment_base_offset": checkpoint.segment_base_offset,
        "position": checkpoint.position,
        "producers": checkpoint.producers,
        "open_transactions": checkpoint.open_transactions,
        "aborted_transactions": checkpoint.aborted_transactions,
    }
    line = json.dumps(body, separators=(",", ":")).encode()
    return b"%08x\n%b\n" % (crc32c.crc32c(line), line)


def decode_checkpoint(content: bytes, where: str) -> Checkpoint:
    """Returns what a checkpoint file holds.

    Raises:
        LogCorrupt: The content is not what was written.

    Example:
        >>> kept = Checkpoint(0, 12, 0, 940, [[7, 0, 99]])
        >>> decode_checkpoint(encode_checkpoint(kept), "checkpoint") == kept
        True
    """
    crc, _, line = content.rstrip(b"\n").partition(b"\n")
    if crc != b"%08x" % crc32c.crc32c(line):
        raise LogCorrupt(
            f"The checkpoint {where} does not match its CRC-32C: expected {crc!r}, got {crc32c.crc32c(line):08x}",
            hint="Run `yeoul doctor` on the data directory: it checks every batch and writes a new checkpoint.",
        )
    body = json.loads(line)
    if body.pop("version") not in _READ_VERSIONS:
        raise LogCorrupt(f"The checkpoint {where} was written by a newer version of yeoul", hint="Use that version.")
    return Checkpoint(**body)
