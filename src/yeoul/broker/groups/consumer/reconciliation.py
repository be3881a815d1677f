"""One member's way from what it holds to what it is to hold: revoke first, then take what others have given back.

    STABLE                 holds its target
    UNREVOKED_PARTITIONS   was told to give up partitions; keeps its epoch until its heartbeat no longer names them
    UNRELEASED_PARTITIONS  has its new epoch, waits for partitions that other members have not given up yet

Pure. Caller: `group`, at each heartbeat.

Source: KIP-848, "Member reconciliation".
"""

from __future__ import annotations

from collections.abc import Callable

from yeoul.broker.groups.consumer.records import MemberState, Standing
from yeoul.broker.groups.consumer.topics import Partitions, TopicPartitionId

__all__ = ["reconcile"]


def reconcile(
    standing: Standing,
    target: Partitions,
    target_epoch: int,
    owned: Partitions | None,
    is_free: Callable[[TopicPartitionId], bool],
) -> Standing:
    """Returns the member's next standing; the same one when there is nothing to do.

    Args:
        standing: What it has.
        target: What it is to have.
        target_epoch: The epoch of that target.
        owned: What it says that it reads, None when it does not say.
        is_free: Whether nobody else holds a partition.

    Example:
        >>> topic = bytes(16)
        >>> old = Standing(1, 0, MemberState.STABLE, frozenset({(topic, 0), (topic, 1)}))
        >>> told = reconcile(old, frozenset({(topic, 0)}), 2, None, lambda partition: True)
        >>> told.member_epoch, told.state.name
        (1, 'UNREVOKED_PARTITIONS')
        >>> done = reconcile(told, frozenset({(topic, 0)}), 2, frozenset({(topic, 0)}), lambda partition: True)
        >>> done.member_epoch, done.state.name, len(done.assigned)
        (2, 'STABLE', 1)
    """
    if standing.state is MemberState.STABLE and standing.member_epoch == target_epoch:
        return standing
    if standing.state is MemberState.UNREVOKED_PARTITIONS and _holds(owned, standing.pending_revocation):
        return standing
    given_back = standing.state is MemberState.UNREVOKED_PARTITIONS
    epoch = min(standing.member_epoch + 1, target_epoch) if given_back else standing.member_epoch
    kept = standing.assigned & target
    revoked = standing.assigned - kept
    if revoked and _holds(owned, revoked):
        return Standing(epoch, _previous(standing, epoch), MemberState.UNREVOKED_PARTITIONS, kept, revoked)
    missing = target - kept
    available = frozenset(partition for partition in missing if is_free(partition))
    state = MemberState.STABLE if available == missing else MemberState.UNRELEASED_PARTITIONS
    reached = Standing(target_epoch, _previous(standing, target_epoch), state, kept | available)
    unchanged = (reached.member_epoch, reached.state, reached.assigned) == (
        standing.member_epoch,
        standing.state,
        standing.assigned,
    )
    return standing if unchanged else reached


def _previous(standing: Standing, epoch: int) -> int:
    return standing.previous_epoch if epoch == standing.member_epoch else standing.member_epoch


def _holds(owned: Partitions | None, partitions: Partitions) -> bool:
    """Whether a member still reads some of these; one that does not say is taken to."""
    return owned is None or not owned.isdisjoint(partitions)
