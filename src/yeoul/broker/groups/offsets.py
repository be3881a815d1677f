"""Committed offsets of all groups: those that count, and those that hang on open transactions.

Owns both, and which have outlived their time. Invariant: what is here is stored; what a transaction brought counts once
its marker says so. Caller: the coordinator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from yeoul.broker.groups.messages import CommittedOffset, KeyValue, TopicPartition
from yeoul.broker.groups.records import OffsetKey, encode_offset_key, encode_offset_value

__all__ = ["OffsetStore", "offset_record"]


@dataclass(slots=True)
class _HeldBack:
    """The offsets of a producer's open transaction, by group."""

    producer_epoch: int
    groups: dict[str, dict[TopicPartition, CommittedOffset]] = field(default_factory=dict)


class OffsetStore:
    """No offsets at first."""

    def __init__(self) -> None:
        self._committed: dict[str, dict[TopicPartition, CommittedOffset]] = {}
        self._held_back: dict[int, _HeldBack] = {}

    def __contains__(self, group_id: object) -> bool:
        return bool(self._committed.get(group_id)) if isinstance(group_id, str) else False

    def groups(self) -> list[str]:
        """Returns the groups that have offsets."""
        return [group_id for group_id, held in self._committed.items() if held]

    def of_group(self, group_id: str) -> Mapping[TopicPartition, CommittedOffset]:
        return self._committed.get(group_id, {})

    def unstable_partitions(self, group_id: str) -> set[TopicPartition]:
        """Returns the partitions of a group whose committed offset hangs on an open transaction."""
        return {
            partition for transaction in self._held_back.values() for partition in transaction.groups.get(group_id, ())
        }

    def put(self, group_id: str, offsets: Mapping[TopicPartition, CommittedOffset]) -> None:
        self._committed.setdefault(group_id, {}).update(offsets)

    def remove(self, group_id: str, partitions: Iterable[TopicPartition]) -> None:
        held = self._committed.get(group_id)
        if held is None:
            return
        for partition in partitions:
            held.pop(partition, None)
        if not held:
            del self._committed[group_id]

    def stamp(self, now_ms: int) -> None:
        """Offsets that do not say when they were committed count from now on."""
        for held in self._committed.values():
            for partition, committed in held.items():
                if committed.commit_timestamp_ms <= 0:
                    held[partition] = replace(committed, commit_timestamp_ms=now_ms)

    # -- transactions -------------------------------------------------------------------------------------------

    def hold_back(
        self, producer_id: int, producer_epoch: int, group_id: str, offsets: Mapping[TopicPartition, CommittedOffset]
    ) -> Mapping[TopicPartition, CommittedOffset]:
        """Takes a transaction's offsets, unstable from now on; returns those of the same transaction they replace."""
        transaction = self._held_back.setdefault(producer_id, _HeldBack(producer_epoch))
        held = transaction.groups.setdefault(group_id, {})
        replaced = {partition: held[partition] for partition in offsets if partition in held}
        held.update(offsets)
        return replaced

    def let_go(
        self,
        producer_id: int,
        group_id: str,
        offsets: Mapping[TopicPartition, CommittedOffset],
        replaced: Mapping[TopicPartition, CommittedOffset],
    ) -> None:
        """A transaction's offsets were not stored: what it had committed before them counts."""
        transaction = self._held_back.get(producer_id)
        if transaction is None:
            return
        held = transaction.groups.get(group_id, {})
        for partition, offset in offsets.items():
            if held.get(partition) is offset:
                del held[partition]
        held.update(replaced)
        if not any(transaction.groups.values()):
            del self._held_back[producer_id]

    def end_transaction(self, producer_id: int, *, commit: bool) -> list[str]:
        """Lets a transaction's offsets count, or forgets them; returns the groups that have new ones."""
        transaction = self._held_back.pop(producer_id, None)
        if transaction is None or not commit:
            return []
        touched = {group_id: offsets for group_id, offsets in transaction.groups.items() if offsets}
        for group_id, offsets in touched.items():
            self.put(group_id, offsets)
        return list(touched)

    # -- expiry -------------------------------------------------------------------------------------------------

    def expired(
        self,
        group_id: str,
        begins_ms: Callable[[CommittedOffset], int],
        is_read: Callable[[str], bool],
        oldest_ms: int,
    ) -> tuple[TopicPartition, ...]:
        """Returns the partitions of a group whose offset has outlived its time.

        Args:
            group_id: Whose offsets.
            begins_ms: When an offset's time began.
            is_read: Whether somebody reads a topic: then its offsets stay.
            oldest_ms: Offsets whose time began before, or then, are over.
        """
        unstable = self.unstable_partitions(group_id)
        return tuple(
            partition
            for partition, committed in self.of_group(group_id).items()
            if begins_ms(committed) <= oldest_ms and partition not in unstable and not is_read(partition[0])
        )

    # -- records ------------------------------------------------------------------------------------------------

    def snapshot(self) -> Iterator[KeyValue]:
        """Yields the records of all offsets that count."""
        for group_id, held in self._committed.items():
            for partition, committed in held.items():
                yield offset_record(group_id, partition, committed)

    def snapshot_transactions(self) -> Iterator[tuple[int, int, tuple[KeyValue, ...]]]:
        """Yields producer id, producer epoch and records of each open transaction with offsets."""
        for producer_id, transaction in self._held_back.items():
            records = tuple(
                offset_record(group_id, partition, taken)
                for group_id, offsets in transaction.groups.items()
                for partition, taken in offsets.items()
            )
            if records:
                yield producer_id, transaction.producer_epoch, records


def offset_record(group_id: str, partition: TopicPartition, committed: CommittedOffset | None) -> KeyValue:
    """Returns the record of one offset; None makes it vanish."""
    key = encode_offset_key(OffsetKey(group_id, *partition))
    return KeyValue(key, None if committed is None else encode_offset_value(committed))
