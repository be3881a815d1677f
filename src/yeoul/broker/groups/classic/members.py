"""Who is in a classic group: by member id, by static instance, and who was told an id and is about to join with it.

Owns the order of the members, which decides votes and leadership, and who leads. Knows no generations: `group` does.

Source: KIP-345 (static members), KIP-394 (member id required).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from yeoul.broker.groups.classic.member import Member
from yeoul.broker.groups.classic.messages import JoinRequest
from yeoul.wire.errors import ErrorCode

__all__ = ["Members"]


class Members:
    """Nobody at first.

    Attributes:
        leader: The id of the member that assigns.
        promised: Until when a member id that was told is waited for.
    """

    def __init__(self) -> None:
        self.leader: str | None = None
        self.promised: dict[str, int] = {}
        self._by_id: dict[str, Member] = {}
        self._static: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Member]:
        return iter(self._by_id.values())

    def __getitem__(self, member_id: str) -> Member:
        return self._by_id[member_id]

    def static_id(self, group_instance_id: str | None) -> str | None:
        """Returns the member id under which a static member is in the group; None when it is not."""
        return None if group_instance_id is None else self._static.get(group_instance_id)

    def error(self, member_id: str, group_instance_id: str | None) -> ErrorCode:
        """Returns what is wrong with whoever says to be a member."""
        if group_instance_id is not None:
            current = self._static.get(group_instance_id)
            if current is None:
                return ErrorCode.UNKNOWN_MEMBER_ID
            if current != member_id:
                return ErrorCode.FENCED_INSTANCE_ID
        return ErrorCode.NONE if member_id in self._by_id else ErrorCode.UNKNOWN_MEMBER_ID

    # -- coming and going ---------------------------------------------------------------------------------------

    def add(self, member: Member) -> None:
        """Takes a member in; the first one leads."""
        self._by_id[member.member_id] = member
        if member.group_instance_id is not None:
            self._static[member.group_instance_id] = member.member_id
        if self.leader is None:
            self.leader = member.member_id

    def replace(self, old: Member, member: Member) -> None:
        """Puts a static member that is back in the place of what it was before, leadership included."""
        assert member.group_instance_id is not None
        self._by_id = {
            (member.member_id if key == old.member_id else key): (member if key == old.member_id else kept)
            for key, kept in self._by_id.items()
        }
        self._static[member.group_instance_id] = member.member_id
        if self.leader == old.member_id:
            self.leader = member.member_id

    def forget(self, member: Member) -> None:
        """Lets a member go; the next one leads if it did."""
        del self._by_id[member.member_id]
        if member.group_instance_id is not None:
            del self._static[member.group_instance_id]
        if self.leader == member.member_id:
            self.leader = next(iter(self._by_id), None)

    # -- what they agree on -------------------------------------------------------------------------------------

    def agree_with(self, request: JoinRequest, protocol_type: str) -> bool:
        """Whether all other members, of one protocol type, speak one of a request's protocols."""
        own = {request.member_id, self._static.get(request.group_instance_id or "")}
        others = [member for member in self if member.member_id not in own]
        if not others:
            return True
        offered = {name for name, _ in request.protocols}
        common = set.intersection(*({name for name, _ in member.protocols} for member in others))
        return request.protocol_type == protocol_type and bool(offered & common)

    def have_room(self, request: JoinRequest, limit: int, *, rejoining: bool) -> bool:
        """Whether the group may take the member; who is in it, or in a smaller group that waits, has its place.

        A group that was larger before a restart with a smaller limit takes as many as there is room for while all are
        `rejoining`: those that have joined again already count.
        """
        held = len(self) + len(self.promised)
        if request.member_id in self.promised or self.static_id(request.group_instance_id) is not None:
            held -= 1
        member = self._by_id.get(request.member_id)
        if member is None:
            return held < limit
        if not rejoining or member.waiting_join is not None:
            return True
        return sum(each.waiting_join is not None for each in self) < limit

    def select_protocol(self) -> str:
        """Returns the protocol that most members like best among those that all of them speak."""
        common = set.intersection(*({name for name, _ in member.protocols} for member in self))
        votes = Counter(next(name for name, _ in member.protocols if name in common) for member in self)
        return votes.most_common(1)[0][0]
