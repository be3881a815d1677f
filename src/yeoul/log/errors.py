"""What can go wrong in the log, by whose fault it is.

Each class carries the Kafka error code that a client is answered with, so that the mapping lives beside the meaning.
"""

from __future__ import annotations

import errno
from typing import ClassVar

from yeoul.errors import EnvironmentFailure, PeerError, UserError
from yeoul.wire.errors import ErrorCode

__all__ = [
    "NO_SPACE",
    "DirectoryLocked",
    "DiskRefused",
    "DuplicateSequence",
    "InvalidBatch",
    "InvalidProducerEpoch",
    "InvalidTopic",
    "InvalidTransactionState",
    "LogCorrupt",
    "LogFull",
    "LogStopped",
    "OffsetOutOfRange",
    "OutOfOrderSequence",
    "TopicExists",
    "TopicUnknown",
    "refused",
]


NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What the operating system says when a file cannot grow."""


class OffsetOutOfRange(PeerError):
    """A read below the start or beyond the end of what a partition holds."""

    error_code: ClassVar[ErrorCode] = ErrorCode.OFFSET_OUT_OF_RANGE


class InvalidBatch(PeerError):
    """A producer's batch whose header cannot be appended as it stands."""

    error_code: ClassVar[ErrorCode] = ErrorCode.INVALID_RECORD


class OutOfOrderSequence(PeerError):
    """An idempotent producer's batch that does not follow its last one."""

    error_code: ClassVar[ErrorCode] = ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER


class DuplicateSequence(PeerError):
    """A batch so old that its original offset is no longer known; it is in the log already."""

    error_code: ClassVar[ErrorCode] = ErrorCode.DUPLICATE_SEQUENCE_NUMBER


class InvalidProducerEpoch(PeerError):
    """A producer that a newer instance with the same producer id has fenced off."""

    error_code: ClassVar[ErrorCode] = ErrorCode.INVALID_PRODUCER_EPOCH


class InvalidTransactionState(PeerError):
    """A batch that does not fit what is known of its producer's transaction."""

    error_code: ClassVar[ErrorCode] = ErrorCode.INVALID_TXN_STATE


class TopicExists(UserError):
    """A topic of that name is there already."""

    error_code: ClassVar[ErrorCode] = ErrorCode.TOPIC_ALREADY_EXISTS


class TopicUnknown(UserError):
    """No topic of that name, or no partition of that number."""

    error_code: ClassVar[ErrorCode] = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


class InvalidTopic(UserError):
    """A topic name or partition count that Kafka does not allow either."""

    error_code: ClassVar[ErrorCode] = ErrorCode.INVALID_TOPIC_EXCEPTION


class LogFull(EnvironmentFailure):
    """The disk took no more; nothing of the append was kept and what was there before is whole."""

    error_code: ClassVar[ErrorCode] = ErrorCode.KAFKA_STORAGE_ERROR


class DiskRefused(EnvironmentFailure):
    """The file system refused an operation, for another reason than space; nothing was changed."""

    error_code: ClassVar[ErrorCode] = ErrorCode.KAFKA_STORAGE_ERROR


class LogStopped(EnvironmentFailure):
    """The disk failed to make bytes durable, so nothing more may be acknowledged until a restart."""

    error_code: ClassVar[ErrorCode] = ErrorCode.KAFKA_STORAGE_ERROR


class LogCorrupt(EnvironmentFailure):
    """Bytes that were durable once are missing or damaged; starting would hide it."""

    error_code: ClassVar[ErrorCode] = ErrorCode.CORRUPT_MESSAGE


def refused(what: str, error: OSError) -> LogFull | DiskRefused:
    """Returns what to raise when the file system refused to do `what`, which reads on from "could not".

    Example:
        >>> refused("make topic 't'", OSError(28, "No space left on device")).message
        "Could not make topic 't': No space left on device"
    """
    message = f"Could not {what}: {error.strerror or error}"
    if error.errno in NO_SPACE:
        hint = "Free some space, or shorten retention.ms or retention.bytes; what is acknowledged is whole."
        return LogFull(message, hint=hint)
    hints = {
        errno.EACCES: "Give the user that runs the broker the right to write there, or choose another --data-dir.",
        errno.EROFS: "Choose another --data-dir: that file system is read-only.",
        errno.EMFILE: "Allow the broker more open files (ulimit -n): it holds one for each partition.",
    }
    return DiskRefused(message, hint=hints.get(error.errno or 0, ""))


class DirectoryLocked(EnvironmentFailure):
    """Another broker holds the data directory."""

    error_code: ClassVar[ErrorCode] = ErrorCode.KAFKA_STORAGE_ERROR
