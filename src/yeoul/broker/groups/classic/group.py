"""One classic consumer group: the rebalance protocol, as a pure state machine.

    Empty -> PreparingRebalance   the first member joins
    PreparingRebalance            joins wait until all members have rejoined or the rebalance time-out has passed
    -> CompletingRebalance        a new generation: joins are answered, the leader is told all members
    -> Stable                     the leader's assignment is stored: syncs are answered
    any -> PreparingRebalance     a member joins, leaves, or its session ends
    PreparingRebalance -> Empty   nobody is left

Deadlines are data: `next_deadline_ms` says when `expire` is due. Waiting requests are kept as their ids. `members`
keeps who is in the group; `views` shows it as it is stored and described.

Source: KIP-62, KIP-345 (static members), KIP-394 (member id required), KIP-559 (protocol in sync), KIP-814 (skip
assignment); https://kafka.apache.org/protocol.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from yeoul.broker.groups.classic.member import CONSUMER_PROTOCOL, Member, subscribed_topics
from yeoul.broker.groups.classic.members import Members
from yeoul.broker.groups.classic.messages import (
    HeartbeatRequest,
    JoinedMember,
    JoinReply,
    JoinRequest,
    LeaveReply,
    LeaveRequest,
    LeavingMember,
    LeftMember,
    SyncReply,
    SyncRequest,
)
from yeoul.broker.groups.config import GroupConfig
from yeoul.broker.groups.messages import CommitRequest, Reply
from yeoul.wire.errors import ErrorCode

__all__ = ["ClassicGroup", "GroupState", "Outbox"]


class GroupState(Enum):
    """The states by the names that DescribeGroups and ListGroups use."""

    EMPTY = "Empty"
    PREPARING = "PreparingRebalance"
    COMPLETING = "CompletingRebalance"
    STABLE = "Stable"
    DEAD = "Dead"


@dataclass(slots=True)
class Outbox:
    """What a step wants done: replies, and whether the group's record has to be stored.

    `assignments` are the ones to store when they are not the members' own yet.
    """

    replies: list[Reply] = field(default_factory=list)
    store_group: bool = False
    assignments: Mapping[str, bytes] | None = None


class ClassicGroup:
    """A group of that name, empty at first."""

    def __init__(self, group_id: str, config: GroupConfig) -> None:
        self.group_id = group_id
        self.state = GroupState.EMPTY
        self.generation_id = 0
        self.protocol_type = ""
        self.protocol_name: str | None = None
        self.members = Members()
        self.scheduled_ms: int | None = None
        self.empty_since_ms: int | None = None
        self._config = config
        self._rebalance_deadline_ms: int | None = None
        self._sync_deadline_ms: int | None = None
        self._initial_wait = False
        self._assigning: Mapping[str, bytes] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nobody is in it or has joined; somebody may be about to."""
        return self.state is GroupState.EMPTY

    @property
    def is_joining(self) -> bool:
        """Whether somebody was told a member id and is about to join with it."""
        return bool(self.members.promised)

    @property
    def is_fresh(self) -> bool:
        """Whether the group has never had a member and nobody is about to become one."""
        return self.generation_id == 0 and not self.members and not self.members.promised

    # -- joining ------------------------------------------------------------------------------------------------

    def join(self, request: JoinRequest, now_ms: int, outbox: Outbox) -> None:
        """Takes a member into the next generation."""
        if not self.members.agree_with(request, self.protocol_type):
            self._refuse_join(request, ErrorCode.INCONSISTENT_GROUP_PROTOCOL, outbox)
        elif not self.members.have_room(request, self._config.max_size, rejoining=self.state is GroupState.PREPARING):
            self._refuse_join(request, ErrorCode.GROUP_MAX_SIZE_REACHED, outbox)
        elif request.member_id:
            self._join_known(request, now_ms, outbox)
        elif (replaced := self.members.static_id(request.group_instance_id)) is not None:
            self._replace_static(self.members[replaced], request, now_ms, outbox)
        elif request.group_instance_id is None and request.require_member_id:
            self.members.promised[request.new_member_id] = now_ms + request.session_timeout_ms
            reply = JoinReply(ErrorCode.MEMBER_ID_REQUIRED, request.new_member_id)
            outbox.replies.append(Reply(request.request_id, reply))
        else:
            self._add(request, request.new_member_id, now_ms, outbox)

    @staticmethod
    def _refuse_join(request: JoinRequest, error: ErrorCode, outbox: Outbox) -> None:
        outbox.replies.append(Reply(request.request_id, JoinReply(error, request.member_id)))

    def _join_known(self, request: JoinRequest, now_ms: int, outbox: Outbox) -> None:
        if request.member_id in self.members.promised and request.group_instance_id is None:
            del self.members.promised[request.member_id]
            self._add(request, request.member_id, now_ms, outbox)
            return
        error = self.members.error(request.member_id, request.group_instance_id)
        if error:
            self._refuse_join(request, error, outbox)
            return
        member = self.members[request.member_id]
        unchanged = member.protocols == request.protocols
        follows = member.member_id != self.members.leader
        if unchanged and (self.state is GroupState.COMPLETING or (self.state is GroupState.STABLE and follows)):
            self._repeat_join(member, request, now_ms, outbox)
        else:
            self._update(member, request, outbox)
            self._rejoin(now_ms, outbox)

    def _repeat_join(self, member: Member, request: JoinRequest, now_ms: int, outbox: Outbox) -> None:
        """Answers a member that missed the answer to its join."""
        self._drop_waiting(member, ErrorCode.REBALANCE_IN_PROGRESS, outbox)
        member.refresh(now_ms)
        outbox.replies.append(Reply(request.request_id, self._joined(member)))

    def _add(self, request: JoinRequest, member_id: str, now_ms: int, outbox: Outbox) -> None:
        member = Member(member_id, request.group_instance_id, "", "", 0, 0, ())
        self._update(member, request, outbox)
        if not self.members:
            self.protocol_type = request.protocol_type
        self.members.add(member)
        self._rejoin(now_ms, outbox)

    def _update(self, member: Member, request: JoinRequest, outbox: Outbox) -> None:
        self._drop_waiting(member, ErrorCode.REBALANCE_IN_PROGRESS, outbox)
        member.client_id, member.client_host = request.client_id, request.client_host
        member.session_timeout_ms = request.session_timeout_ms
        member.rebalance_timeout_ms = request.rebalance_timeout_ms
        member.protocols = request.protocols
        member.skip_assignment_allowed = request.skip_assignment_allowed
        member.waiting_join = request.request_id
        member.session_deadline_ms = None

    def _rejoin(self, now_ms: int, outbox: Outbox) -> None:
        if self.state is GroupState.PREPARING:
            self._complete_if_all_joined(now_ms, outbox)
        else:
            self._prepare(now_ms, outbox)

    def _replace_static(self, old: Member, request: JoinRequest, now_ms: int, outbox: Outbox) -> None:
        """A static member is back under a new id: the old id is fenced, its assignment stays."""
        self._drop_waiting(old, ErrorCode.FENCED_INSTANCE_ID, outbox)
        previous_leader = self.members.leader
        member = Member(request.new_member_id, request.group_instance_id, "", "", 0, 0, (), old.assignment)
        member.synced = old.synced
        self._update(member, request, outbox)
        self.members.replace(old, member)
        if self.state is GroupState.STABLE and self.members.select_protocol() == self.protocol_name:
            self._resume_static(member, previous_leader, now_ms, outbox)
        else:
            self._rejoin(now_ms, outbox)

    def _resume_static(self, member: Member, previous_leader: str | None, now_ms: int, outbox: Outbox) -> None:
        """Answers a returning static member without a rebalance; only the stored record changes."""
        request_id = member.waiting_join
        assert request_id is not None
        member.waiting_join = None
        member.refresh(now_ms)
        outbox.store_group = True
        leads = self.members.leader == member.member_id
        reply = JoinReply(
            ErrorCode.NONE,
            member.member_id,
            self.generation_id,
            self.protocol_type,
            self.protocol_name,
            # A client that cannot skip the assignment is led to believe that it follows, so that it computes none.
            (self.members.leader if member.skip_assignment_allowed else previous_leader) or "",
            self._joined_members() if leads and member.skip_assignment_allowed else (),
            skip_assignment=leads and member.skip_assignment_allowed,
        )
        outbox.replies.append(Reply(request_id, reply))

    def _joined(self, member: Member) -> JoinReply:
        return JoinReply(
            ErrorCode.NONE,
            member.member_id,
            self.generation_id,
            self.protocol_type,
            self.protocol_name,
            self.members.leader or "",
            self._joined_members() if member.member_id == self.members.leader else (),
        )

    def _joined_members(self) -> tuple[JoinedMember, ...]:
        return tuple(
            JoinedMember(member.member_id, member.group_instance_id, member.metadata(self.protocol_name))
            for member in self.members
        )

    @staticmethod
    def _drop_waiting(member: Member, error: ErrorCode, outbox: Outbox) -> None:
        """Answers what the member has waiting: it was sent again, or will never be answered otherwise."""
        if member.waiting_join is not None:
            outbox.replies.append(Reply(member.waiting_join, JoinReply(error, member.member_id)))
        if member.waiting_sync is not None:
            outbox.replies.append(Reply(member.waiting_sync, SyncReply(error)))
        member.waiting_join = member.waiting_sync = None

    # -- rebalancing --------------------------------------------------------------------------------------------

    def _prepare(self, now_ms: int, outbox: Outbox) -> None:
        self._assigning = None
        self._sync_deadline_ms = None
        for member in self.members:
            if member.waiting_sync is not None:
                outbox.replies.append(Reply(member.waiting_sync, SyncReply(ErrorCode.REBALANCE_IN_PROGRESS)))
                member.waiting_sync = None
                member.refresh(now_ms)
        self._initial_wait = self.state is GroupState.EMPTY and self._config.initial_rebalance_delay_ms > 0
        wait_ms = self._config.initial_rebalance_delay_ms if self._initial_wait else self._rebalance_timeout_ms()
        self.state = GroupState.PREPARING
        self._rebalance_deadline_ms = now_ms + wait_ms
        self._complete_if_all_joined(now_ms, outbox)

    def _rebalance_timeout_ms(self) -> int:
        return max((member.rebalance_timeout_ms for member in self.members), default=0)

    def _complete_if_all_joined(self, now_ms: int, outbox: Outbox) -> None:
        if self._initial_wait or self.members.promised:
            return
        if all(member.waiting_join is not None for member in self.members):
            self._complete(now_ms, outbox)

    def _complete(self, now_ms: int, outbox: Outbox) -> None:
        """Ends the wait for joins: those who are there make the next generation."""
        self._initial_wait = False
        self._rebalance_deadline_ms = None
        for member in [m for m in self.members if m.waiting_join is None and m.group_instance_id is None]:
            self.members.forget(member)
        if not self.members:
            self._become_empty(now_ms, outbox)
            return
        joined = [member for member in self.members if member.waiting_join is not None]
        if not joined:
            # Only static members, all of them away: they are waited for until their sessions end.
            self._rebalance_deadline_ms = now_ms + max(1, self._rebalance_timeout_ms())
            return
        if self.members.leader not in {member.member_id for member in joined}:
            self.members.leader = joined[0].member_id
        self.generation_id += 1
        self.protocol_name = self.members.select_protocol()
        self.state = GroupState.COMPLETING
        self._sync_deadline_ms = now_ms + self._rebalance_timeout_ms()
        for member in self.members:
            member.synced = False
        for member in joined:
            assert member.waiting_join is not None
            outbox.replies.append(Reply(member.waiting_join, self._joined(member)))
            member.waiting_join = None
            member.refresh(now_ms)

    def _become_empty(self, now_ms: int, outbox: Outbox) -> None:
        self.state = GroupState.EMPTY
        self.empty_since_ms = now_ms
        self.generation_id += 1
        self.protocol_name = self.members.leader = None
        outbox.store_group = True

    # -- syncing ------------------------------------------------------------------------------------------------

    def sync(self, request: SyncRequest, now_ms: int, outbox: Outbox) -> None:
        """Answers with the member's assignment, once the leader has brought it and it is stored."""
        error = self._sync_error(request)
        if error:
            outbox.replies.append(Reply(request.request_id, SyncReply(error)))
            return
        member = self.members[request.member_id]
        member.synced = True
        if self.state is GroupState.STABLE:
            member.refresh(now_ms)
            outbox.replies.append(Reply(request.request_id, self._synced(member)))
            return
        if member.waiting_sync is not None:
            outbox.replies.append(Reply(member.waiting_sync, SyncReply(ErrorCode.REBALANCE_IN_PROGRESS)))
        member.waiting_sync = request.request_id
        member.refresh(now_ms)
        if member.member_id == self.members.leader and self._assigning is None:
            self._assigning = {each.member_id: request.assignments.get(each.member_id, b"") for each in self.members}
            outbox.store_group = True
            outbox.assignments = self._assigning

    def _sync_error(self, request: SyncRequest) -> ErrorCode:
        error = self.members.error(request.member_id, request.group_instance_id)
        if error:
            return error
        if request.generation_id != self.generation_id:
            return ErrorCode.ILLEGAL_GENERATION
        if request.protocol_type is not None and request.protocol_type != self.protocol_type:
            return ErrorCode.INCONSISTENT_GROUP_PROTOCOL
        if request.protocol_name is not None and request.protocol_name != self.protocol_name:
            return ErrorCode.INCONSISTENT_GROUP_PROTOCOL
        return ErrorCode.REBALANCE_IN_PROGRESS if self.state is GroupState.PREPARING else ErrorCode.NONE

    def _synced(self, member: Member) -> SyncReply:
        return SyncReply(ErrorCode.NONE, member.assignment, self.protocol_type, self.protocol_name)

    def stored(self, generation_id: int, error: ErrorCode, now_ms: int, outbox: Outbox) -> None:
        """Takes the outcome of storing the group's record."""
        if self.state is not GroupState.COMPLETING or generation_id != self.generation_id or self._assigning is None:
            return
        assignments, self._assigning = self._assigning, None
        if error:
            for member in self.members:
                self._drop_waiting(member, ErrorCode.COORDINATOR_NOT_AVAILABLE, outbox)
                member.refresh(now_ms)
            self._prepare(now_ms, outbox)
            return
        self.state = GroupState.STABLE
        for member in self.members:
            member.assignment = assignments.get(member.member_id, b"")
            if member.waiting_sync is not None:
                outbox.replies.append(Reply(member.waiting_sync, self._synced(member)))
                member.waiting_sync = None
                member.refresh(now_ms)

    # -- staying and leaving ------------------------------------------------------------------------------------

    def heartbeat(self, request: HeartbeatRequest, now_ms: int) -> ErrorCode:
        """Keeps a member's session alive; tells it when it has to rejoin."""
        error = self.members.error(request.member_id, request.group_instance_id)
        if error:
            return error
        if request.generation_id != self.generation_id:
            return ErrorCode.ILLEGAL_GENERATION
        self.members[request.member_id].refresh(now_ms)
        return ErrorCode.REBALANCE_IN_PROGRESS if self.state is GroupState.PREPARING else ErrorCode.NONE

    def commit_error(self, request: CommitRequest, now_ms: int) -> ErrorCode:
        """Returns whether offsets may be committed; a member's commit keeps its session alive."""
        if request.generation_id < 0 and not request.member_id:
            if request.producer_id >= 0:
                # A transactional producer need not know the group: its transactional id fences it.
                return ErrorCode.NONE
            return ErrorCode.NONE if self.state is GroupState.EMPTY else ErrorCode.UNKNOWN_MEMBER_ID
        error = self.members.error(request.member_id, request.group_instance_id)
        if error:
            return error
        if request.generation_id != self.generation_id:
            return ErrorCode.ILLEGAL_GENERATION
        if self.state is GroupState.COMPLETING:
            return ErrorCode.REBALANCE_IN_PROGRESS
        self.members[request.member_id].refresh(now_ms)
        return ErrorCode.NONE

    def leave(self, request: LeaveRequest, now_ms: int, outbox: Outbox) -> None:
        """Removes members that say goodbye; the rest rebalances at once."""
        held = len(self.members)
        left = tuple(
            LeftMember(leaving.member_id, leaving.group_instance_id, self._leave_one(leaving, outbox))
            for leaving in request.members
        )
        outbox.replies.append(Reply(request.request_id, LeaveReply(ErrorCode.NONE, left)))
        if any(member.error is ErrorCode.NONE for member in left):
            self._after_loss(held != len(self.members), now_ms, outbox)

    def _leave_one(self, leaving: LeavingMember, outbox: Outbox) -> ErrorCode:
        if leaving.group_instance_id is None and leaving.member_id in self.members.promised:
            del self.members.promised[leaving.member_id]
            return ErrorCode.NONE
        member_id = leaving.member_id
        if leaving.group_instance_id is not None and not member_id:
            member_id = self.members.static_id(leaving.group_instance_id) or ""
        error = self.members.error(member_id, leaving.group_instance_id)
        if not error:
            self._remove(self.members[member_id], outbox)
        return error

    def _remove(self, member: Member, outbox: Outbox) -> None:
        self._drop_waiting(member, ErrorCode.UNKNOWN_MEMBER_ID, outbox)
        self.members.forget(member)

    def _after_loss(self, lost_members: bool, now_ms: int, outbox: Outbox) -> None:
        """Rebalances if a generation lost a member; a wait for joins may be over."""
        if self.state is GroupState.PREPARING:
            self._complete_if_all_joined(now_ms, outbox)
        elif lost_members:
            self._prepare(now_ms, outbox)

    # -- subscriptions ------------------------------------------------------------------------------------------

    @property
    def is_of_consumers(self) -> bool:
        return self.protocol_type == CONSUMER_PROTOCOL

    def subscribes_to(self, topic: str) -> bool:
        """Whether a member of a group of consumers reads a topic, as far as that can be told."""
        if not self.is_of_consumers or not self.members:
            return False
        metadata = (content for each in self.members for _, content in each.protocols)
        return any(topics is None or topic in topics for topics in map(subscribed_topics, metadata))

    # -- time ---------------------------------------------------------------------------------------------------

    def next_deadline_ms(self) -> int | None:
        """Returns when `expire` has something to do at the earliest."""
        return min(self._deadlines(), default=None)

    def _deadlines(self) -> Iterator[int]:
        yield from self.members.promised.values()
        if self._rebalance_deadline_ms is not None:
            yield self._rebalance_deadline_ms
        if self._sync_deadline_ms is not None:
            yield self._sync_deadline_ms
        for member in self.members:
            if member.session_deadline_ms is not None:
                yield member.session_deadline_ms

    def expire(self, now_ms: int, outbox: Outbox) -> None:
        """Ends sessions, promises and waits that are over."""
        promised = [member_id for member_id, deadline_ms in self.members.promised.items() if deadline_ms <= now_ms]
        for member_id in promised:
            del self.members.promised[member_id]
        silent = [m for m in self.members if m.session_deadline_ms is not None and m.session_deadline_ms <= now_ms]
        if self._sync_deadline_ms is not None and self._sync_deadline_ms <= now_ms:
            self._sync_deadline_ms = None
            silent += [m for m in self.members if not m.synced and m not in silent]
        for member in silent:
            self._remove(member, outbox)
        if silent or promised:
            self._after_loss(bool(silent), now_ms, outbox)
        if self._rebalance_deadline_ms is not None and self._rebalance_deadline_ms <= now_ms:
            self._complete(now_ms, outbox)

    def begin_sessions(self, now_ms: int) -> None:
        """Gives every member a full session time-out from now on."""
        for member in self.members:
            member.refresh(now_ms)
