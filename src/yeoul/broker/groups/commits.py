"""Offsets that members and transactions commit: who may, what is stored, and what counts once it is.

Caller: the coordinator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from yeoul.broker.groups.classic.group import ClassicGroup
from yeoul.broker.groups.messages import (
    CommitReply,
    CommitRequest,
    CommittedOffset,
    Effect,
    Reply,
    TopicPartition,
)
from yeoul.broker.groups.offsets import OffsetStore, offset_record
from yeoul.broker.groups.pending import PendingCommit, StoreRecords
from yeoul.broker.groups.table import GroupTable
from yeoul.wire.errors import ErrorCode

__all__ = ["OffsetCommits"]


class OffsetCommits:
    """Args:
    max_metadata_bytes: How long the metadata of an offset may be.
    groups: All groups.
    offsets: All offsets.
    store: Asks for records to be stored.
    """

    def __init__(self, max_metadata_bytes: int, groups: GroupTable, offsets: OffsetStore, store: StoreRecords) -> None:
        self._max_metadata_bytes = max_metadata_bytes
        self._groups = groups
        self._offsets = offsets
        self._store = store

    def commit(self, request: CommitRequest, now_ms: int, effects: list[Effect]) -> None:
        """Stores what may be committed, and answers what may not."""
        error = self._commit_error(request, now_ms)
        if error:
            reply = CommitReply(dict.fromkeys(request.offsets, error))
            effects.append(Reply(request.request_id, reply))
            return
        refused = {
            partition: ErrorCode.OFFSET_METADATA_TOO_LARGE
            for partition, committed in request.offsets.items()
            if len(committed.metadata.encode()) > self._max_metadata_bytes
        }
        offsets = {
            partition: replace(taken, commit_timestamp_ms=now_ms)
            for partition, taken in request.offsets.items()
            if partition not in refused
        }
        if not offsets:
            effects.append(Reply(request.request_id, CommitReply(refused)))
            return
        records = tuple(offset_record(request.group_id, partition, taken) for partition, taken in offsets.items())
        replaced: Mapping[TopicPartition, CommittedOffset] = {}
        if request.producer_id >= 0:
            replaced = self._offsets.hold_back(request.producer_id, request.producer_epoch, request.group_id, offsets)
        pending = PendingCommit(request.request_id, request.group_id, offsets, refused, request.producer_id, replaced)
        self._store(pending, records, now_ms, effects, request.producer_id, request.producer_epoch)

    def _commit_error(self, request: CommitRequest, now_ms: int) -> ErrorCode:
        if not request.group_id:
            return ErrorCode.INVALID_GROUP_ID
        group = self._groups.get(request.group_id)
        transactional = request.producer_id >= 0
        if group is None:
            if request.generation_id < 0:
                return ErrorCode.NONE
            told = request.knows_epochs and not transactional
            return ErrorCode.GROUP_ID_NOT_FOUND if told else ErrorCode.ILLEGAL_GENERATION
        if isinstance(group, ClassicGroup):
            return group.commit_error(request, now_ms)
        error = group.commit_error(request)
        stale = error is ErrorCode.STALE_MEMBER_EPOCH and transactional
        # TxnOffsetCommit is older than epochs.
        return ErrorCode.ILLEGAL_GENERATION if stale else error

    def stored(self, pending: PendingCommit, error: ErrorCode, effects: list[Effect]) -> None:
        """Takes the outcome of storing a commit."""
        if pending.producer_id >= 0:
            if error:
                self._offsets.let_go(pending.producer_id, pending.group_id, pending.offsets, pending.replaced)
        elif not error:
            self._offsets.put(pending.group_id, pending.offsets)
            self._groups.keep_offsets_of(pending.group_id)
        errors = {**dict.fromkeys(pending.offsets, error), **pending.refused}
        effects.append(Reply(pending.request_id, CommitReply(errors)))
