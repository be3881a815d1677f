"""One session of a mirror: from taking over the transactional id until it is done, or until something breaks.

Owns the loop: fetch, compose, write, commit. Invariants: what was copied and how far the source was read is committed
in one transaction, so a session that breaks leaves nothing to clean up and nothing to remember; maps are changed for a
transaction that is about to be committed, and if that fails the session ends and the maps with it. Callers: `mirror`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

from yeoul.connectors.kafka.cluster import TopicPartition
from yeoul.connectors.kafka.pieces import FetchedRange
from yeoul.connectors.spec import ConnectorContext
from yeoul.errors import PeerError, UserError
from yeoul.mirror.batches import Outgoing, compose, of_records
from yeoul.mirror.client import EARLIEST, LATEST, Client, ClusterView
from yeoul.mirror.fetcher import Fetcher
from yeoul.mirror.groups import GroupKeeper
from yeoul.mirror.offset_map import OffsetMap, Run
from yeoul.mirror.planning import TopicPlan, chosen_topics, plan_topics
from yeoul.mirror.progress import Tally
from yeoul.mirror.settings import STATE_PREFIX, MirrorSettings
from yeoul.mirror.state import Copied, chunk_record, owner_record, read_state, tombstone
from yeoul.mirror.topics import TopicKeeper, create_topic
from yeoul.mirror.writer import Writer
from yeoul.wire.records import Record

__all__ = ["Memory", "Session"]

_IDLE_S = 0.5
_STATE_RECORDS = 256
"""State records of one batch: some 200 KB at most."""
_UNWRITTEN_S = 30.0
"""How long a position may move without records (aborted ones, markers) before it is stored for its own sake."""
_SMALLEST_FETCH_BYTES = 64 << 10
_NO_ID = bytes(16)


@dataclass(slots=True)
class Memory:
    """What outlives a session, though nothing depends on it.

    Attributes:
        instance: Names this process among the mirrors of one id.
        tally: Counts for the user.
        told: What has been said already.
        goals: With `once`: where each partition's copy may end; None until it is known.
        is_fenced: The last session was shut out; the next one looks by whom.
    """

    instance: str
    tally: Tally
    told: set[str] = field(default_factory=set)
    goals: dict[TopicPartition, int] | None = None
    is_fenced: bool = False


class Session:
    """See the module.

    Args:
        settings: What to do.
        context: Clock, warnings, the sign to stop.
        memory: What earlier sessions knew.
        report: Called now and then, for whoever shows progress.
    """

    def __init__(
        self, settings: MirrorSettings, context: ConnectorContext, memory: Memory, report: Callable[[], None]
    ) -> None:
        self._settings = settings
        self._context = context
        self._memory = memory
        self._report = report
        self._source = Client(settings.source, context, "source")
        self._target = Client(settings.target, context, "target")
        fetching = settings.source
        if settings.rate_bytes is not None:
            most_bytes = max(_SMALLEST_FETCH_BYTES, settings.rate_bytes // 4)
            fetching = replace(
                fetching,
                fetch_max_bytes=min(most_bytes, fetching.fetch_max_bytes),
                partition_max_bytes=min(most_bytes, fetching.partition_max_bytes),
            )
        self._fetcher = Fetcher(fetching, context)
        self._keeper = TopicKeeper(self._source, self._target, settings.replication_factor, context, memory.told)
        self._groups = (
            None
            if settings.groups is None
            else GroupKeeper(self._source, self._target, settings.groups, settings.rename, context, memory.told)
        )
        self._copied: dict[TopicPartition, Copied] = {}
        self._chunks: dict[TopicPartition, set[int]] = {}
        self._forgotten: list[tuple[TopicPartition, int]] = []
        self._pending: dict[TopicPartition, int] = {}
        self._pending_since_s = 0.0
        self._pending_bytes = 0
        self._refresh_at_s = 0.0
        self._is_one_cluster = False
        self._may_send_at_s = 0.0
        self._writer: Writer
        self._state: TopicPartition

    def run(self) -> bool:
        """Copies; returns whether all is done that was asked for (never without `once`).

        Raises:
            ConnectionLost, Unavailable, OffsetGone, Fenced: Another session may succeed.
            PeerError: Something that a person has to mend.
        """
        self._open()
        while not self._context.stopping.is_set():
            now_s = self._now_s()
            if now_s >= self._refresh_at_s:
                self._refresh()
                self._refresh_at_s = self._now_s() + self._settings.refresh_ms / 1_000
            self._copy_what_comes()
            if self._is_due():
                self._commit()
            self._count_lags()
            self._report()
            if self._settings.once and self._has_all():
                self._finish()
                return True
        if self._writer.is_open:
            self._commit()
        return False

    def wake(self) -> None:
        """Makes a waiting session look at the sign to stop; callable from any thread."""
        self._fetcher.wake()

    def close(self) -> None:
        """Drops what is not committed and closes every connection."""
        if hasattr(self, "_writer"):
            self._writer.close()
        self._fetcher.close()
        self._source.close()
        self._target.close()

    def _now_s(self) -> float:
        return self._context.clock.monotonic_s()

    # Beginning.

    def _open(self) -> None:
        """Takes over the transactional id and learns how far the copy is."""
        source = self._source.patiently(lambda: self._source.view())
        target = self._target.patiently(lambda: self._target.view())
        self._is_one_cluster = source.cluster_id == target.cluster_id != ""
        if self._is_one_cluster and not self._settings.rename:
            raise UserError(
                f"Source and target are the same cluster: {source.cluster_id}",
                hint="Copying within one cluster needs --rename PREFIX.",
            )
        name = STATE_PREFIX + (self._settings.mirror_id or _default_id(source.cluster_id, self._settings.rename))
        factor = self._settings.replication_factor
        create_topic(self._target, name, 1, factor, {"cleanup.policy": "compact"})
        self._state = TopicPartition(name, 0)
        self._writer = Writer(self._target, name, self._settings.transaction_timeout_ms)
        self._target.patiently(lambda: self._target.view([name]).leaders([self._state]))
        self._writer.open()
        kept = read_state(self._target, self._settings.target, self._context, name)
        if self._memory.is_fenced and kept.owner != self._memory.instance:
            raise PeerError(
                f"Another mirror has taken over {name!r}",
                hint="Two mirrors at once need an --id each, and topics of their own.",
            )
        self._memory.is_fenced = False
        self._copied, self._chunks = kept.copied, kept.chunks
        self._writer.lead(self._target.view([name]).leaders([self._state]))
        self._write_state([owner_record(self._memory.instance, self._context.clock.now_ms())])
        self._writer.commit()
        self._memory.tally.is_connected = True

    # Topics.

    def _refresh(self) -> None:
        """Looks at topics, partitions and configs on both sides, begins to copy what is new, translates offsets."""
        source, target = self._source.view(None), self._target.view(None)
        chosen = chosen_topics(self._settings, source.topics.values(), self._is_one_cluster)
        plans = plan_topics(self._settings, chosen, target.topics)
        if self._keeper.shape(plans):
            target = self._target.patiently(lambda: self._view_of(plans))
        self._keeper.configure(plans)
        self._forget_deleted(source)
        partitions = self._partitions(plans, source, target)
        ready = self._ready(partitions, source, target)
        for partition, position in ready.items():
            leader = source.topics[partition.topic].leaders[partition.partition]
            assert leader is not None
            self._fetcher.read(partition, leader, position)
        counts: dict[str, int] = defaultdict(int)
        for partition in self._fetcher.positions:
            counts[partition.topic] += 1
        self._memory.tally.partitions = dict(counts)
        self._set_goals(source)
        self._forget_old_runs()
        self._translate()

    def _view_of(self, plans: Collection[TopicPlan]) -> ClusterView:
        view = self._target.view(None)
        view.leaders(TopicPartition(plan.target, index) for plan in plans for index in range(plan.partitions))
        return view

    def _forget_deleted(self, source: ClusterView) -> None:
        """Stops reading what was deleted at the source; at the target it stays."""
        for partition in list(self._fetcher.positions):
            topic = source.topics.get(partition.topic)
            held = self._copied[partition]
            if topic is None or _differ(topic.topic_id, held.source_id):
                self._fetcher.drop(partition)
                self._tell(f"topic {partition.topic!r} was deleted at the source; at the target it is left as it is")

    def _partitions(
        self, plans: Iterable[TopicPlan], source: ClusterView, target: ClusterView
    ) -> dict[TopicPartition, TopicPartition]:
        """Returns what is to be copied and is not yet: source partition to target partition, both with leaders."""
        found: dict[TopicPartition, TopicPartition] = {}
        for plan in plans:
            if plan.target not in target.topics:
                continue
            there = target.topics[plan.target].leaders
            for index, leader in source.topics[plan.source].leaders.items():
                partition = TopicPartition(plan.source, index)
                named = TopicPartition(plan.target, index)
                if leader is None or there.get(index) is None:
                    continue
                self._writer.lead({named: there[index] or leader})
                if partition not in self._fetcher.positions:
                    found[partition] = named
        return found

    def _ready(
        self, partitions: Mapping[TopicPartition, TopicPartition], source: ClusterView, target: ClusterView
    ) -> dict[TopicPartition, int]:
        """Returns where to read each partition; those whose topics are not what they were are left out, and told."""
        leaders = source.leaders(partitions)
        starts = self._source.list_offsets(leaders, EARLIEST)
        ends = self._source.list_offsets(leaders, LATEST, read_committed=False)
        found: dict[TopicPartition, int] = {}
        new: list[TopicPartition] = []
        for partition, named in partitions.items():
            held = self._copied.get(partition)
            source_id, target_id = source.topics[partition.topic].topic_id, target.topics[named.topic].topic_id
            if held is None or _differ(held.target_id, target_id):
                new.append(partition)
                continue
            # What was written and is not committed yet must not be read again.
            position = self._pending.get(partition, held.offsets.next_source)
            if _differ(held.source_id, source_id) or position > ends[partition]:
                self._tell(
                    f"topic {partition.topic!r} is not the one that was copied, it was created anew at the source; "
                    f"it is left alone. To copy it, delete topic {named.topic!r} at the target"
                )
            else:
                found[partition] = self._position(partition, position, starts[partition])
        fresh: dict[TopicPartition, tuple[TopicPartition, Copied]] = {}
        for one in new:
            ids = source.topics[one.topic].topic_id, target.topics[partitions[one].topic].topic_id
            fresh[one] = (partitions[one], Copied(OffsetMap(starts[one], 0), *ids))
        return found | self._adopt(fresh, target)

    def _position(self, partition: TopicPartition, position: int, start: int) -> int:
        if position < start:
            self._tell(
                f"topic {partition.topic!r}, partition {partition.partition}: offsets {position} to {start - 1} were "
                "deleted at the source before they were copied"
            )
        return max(position, start)

    def _adopt(
        self, new: Mapping[TopicPartition, tuple[TopicPartition, Copied]], target: ClusterView
    ) -> dict[TopicPartition, int]:
        """Begins to copy partitions: into empty ones, and stored before the first record is."""
        if not new:
            return {}
        self._commit()
        leaders = target.leaders(named for named, _ in new.values())
        starts = self._target.list_offsets(leaders, EARLIEST)
        ends = self._target.list_offsets(leaders, LATEST, read_committed=False)
        filled = {named.topic for named in leaders if ends[named] > starts[named]}
        records: list[Record] = []
        now_ms = self._context.clock.now_ms()
        found: dict[TopicPartition, int] = {}
        for partition, (named, copied) in new.items():
            if named.topic in filled and not self._settings.append:
                self._tell(
                    f"topic {named.topic!r} at the target holds records that this mirror has not put there; it is left "
                    "alone. Delete it, or choose another name (--rename), or add to it (--append)"
                )
                continue
            position = copied.offsets.next_source
            fresh = Copied(OffsetMap(position, ends[named]), copied.source_id, copied.target_id)
            records += [tombstone(partition, number, now_ms) for number in sorted(self._chunks.get(partition, ()))]
            records.append(chunk_record(partition, fresh, 0, now_ms))
            self._copied[partition], self._chunks[partition] = fresh, {0}
            found[partition] = position
        if records:
            self._write_state(records)
            self._writer.commit()
        return found

    def _set_goals(self, source: ClusterView) -> None:
        if not self._settings.once:
            return
        if self._memory.goals is None:
            self._memory.goals = self._source.list_offsets(source.leaders(self._fetcher.positions), LATEST)
        for partition in [one for one in self._memory.goals if one not in self._fetcher.positions]:
            del self._memory.goals[partition]

    def _forget_old_runs(self) -> None:
        """Drops what maps know of offsets that are gone at the source."""
        for partition, start in self._fetcher.starts.items():
            numbers = self._copied[partition].offsets.forget_before(start)
            self._chunks[partition].difference_update(numbers)
            self._forgotten += [(partition, number) for number in numbers]

    def _translate(self) -> None:
        if self._groups is not None:
            maps = {partition: copied.offsets for partition, copied in self._copied.items()}
            self._memory.tally.offsets += self._groups.translate(maps)

    # Records.

    def _copy_what_comes(self) -> None:
        wait_s = self._may_send_at_s - self._now_s()
        if wait_s > 0:
            self._context.stopping.wait(min(wait_s, _IDLE_S))
            return
        batches: dict[TopicPartition, list[Outgoing]] = {}
        for fetched in self._fetcher.poll(self._pause_s()):
            batches.setdefault(self._named(fetched.partition), []).extend(self._composed(fetched))
            if not self._pending:
                self._pending_since_s = self._now_s()
            self._pending[fetched.partition] = fetched.next_offset
        size_bytes = sum(batch.size_bytes for some in batches.values() for batch in some)
        if size_bytes:
            self._writer.write({partition: some for partition, some in batches.items() if some})
            self._pending_bytes += size_bytes
            if self._settings.rate_bytes is not None:
                begun_s = max(self._may_send_at_s, self._now_s() - _IDLE_S)
                self._may_send_at_s = begun_s + size_bytes / self._settings.rate_bytes

    def _composed(self, fetched: FetchedRange) -> list[Outgoing]:
        return compose(fetched, self._keeper.limits_bytes[self._named(fetched.partition).topic])

    def _named(self, partition: TopicPartition) -> TopicPartition:
        """Returns the partition at the target."""
        return TopicPartition(self._settings.rename + partition.topic, partition.partition)

    def _pause_s(self) -> float:
        until_s = self._refresh_at_s
        if self._writer.is_open:
            until_s = min(until_s, self._pending_since_s + self._settings.commit_ms / 1_000)
        return max(0.0, min(_IDLE_S, until_s - self._now_s()))

    def _is_due(self) -> bool:
        age_s = self._now_s() - self._pending_since_s
        if not self._writer.is_open:
            return bool(self._pending) and age_s >= _UNWRITTEN_S
        return self._pending_bytes >= self._settings.commit_bytes or age_s >= self._settings.commit_ms / 1_000

    def _commit(self) -> None:
        """Commits what was written, with the positions behind it and the map of its offsets."""
        if not self._pending:
            return
        runs: dict[TopicPartition, list[Run]] = defaultdict(list)
        counts: dict[str, int] = defaultdict(int)
        sizes: dict[str, int] = defaultdict(int)
        for stored in self._writer.settle():
            topic = stored.partition.topic.removeprefix(self._settings.rename)
            moved = [Run(run.source, stored.base_offset + run.target, run.length) for run in stored.batch.runs]
            runs[TopicPartition(topic, stored.partition.partition)] += moved
            counts[topic] += stored.batch.count
            sizes[topic] += stored.batch.size_bytes
        now_ms = self._context.clock.now_ms()
        records = [tombstone(partition, number, now_ms) for partition, number in self._forgotten]
        for partition, next_source in self._pending.items():
            copied = self._copied[partition]
            changed = copied.offsets.extend(runs[partition], next_source)
            self._chunks[partition] |= changed
            records += [chunk_record(partition, copied, number, now_ms) for number in sorted(changed)]
        self._write_state(records)
        self._writer.commit()
        self._pending, self._pending_bytes, self._forgotten = {}, 0, []
        self._memory.tally.records.update(counts)
        self._memory.tally.size_bytes.update(sizes)
        self._memory.tally.transactions += 1

    def _write_state(self, records: Sequence[Record]) -> None:
        cut = [records[start : start + _STATE_RECORDS] for start in range(0, len(records), _STATE_RECORDS)]
        self._writer.write({self._state: [of_records(some) for some in cut]})
        self._writer.settle()

    # Ending.

    def _has_all(self) -> bool:
        goals = self._memory.goals
        positions = self._fetcher.positions
        return goals is not None and all(positions.get(one, goal) >= goal for one, goal in goals.items())

    def _finish(self) -> None:
        self._commit()
        self._count_lags()
        self._translate()
        self._report()

    def _count_lags(self) -> None:
        """Counts what is not committed at the target yet; of what was read without records nothing is left to copy."""
        lags: dict[str, int | None] = {}
        for partition, position in self._fetcher.positions.items():
            lag, before = self._fetcher.lag(partition), lags.get(partition.topic, 0)
            if lag is not None and self._writer.is_open:
                lag += position - min(position, self._copied[partition].offsets.next_source)
            lags[partition.topic] = None if lag is None or before is None else before + lag
        self._memory.tally.lags = lags

    def _tell(self, message: str) -> None:
        if message not in self._memory.told:
            self._memory.told.add(message)
            self._context.warn(message)


def _differ(one: bytes, other: bytes) -> bool:
    """Whether two topic ids are those of different topics; brokers that have none say nothing."""
    return _NO_ID not in (one, other) and one != other


def _default_id(cluster_id: str, rename: str) -> str:
    """Returns an id that stays the same for one source and one prefix."""
    return sha256(f"{cluster_id}\0{rename}".encode()).hexdigest()[:12]
