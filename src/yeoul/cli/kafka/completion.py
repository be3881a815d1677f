"""Names for the shell's completion: asked of the broker in one request, given up within a second."""

from __future__ import annotations

from collections.abc import Mapping

from yeoul.cli.kafka.requests import Requests
from yeoul.wire.messages.list_groups import LIST_GROUPS, ListGroupsRequest

__all__ = ["names_of"]

_TIMEOUT_S = 1.0


def names_of(kind: str, bootstrap: str, properties: Mapping[str, str]) -> list[str]:
    """Returns the names of all `topics` or `groups`, sorted.

    Raises:
        YeoulError: The broker does not answer in time, or refuses.
    """
    with Requests(bootstrap, properties, _TIMEOUT_S) as requests:
        if kind == "topics":
            return sorted(topic.name for topic in requests.metadata(None).topics if topic.name)
        found = set[str]()
        for broker in requests.brokers():
            found.update(
                group.group_id for group in requests.ask_broker(broker, LIST_GROUPS, ListGroupsRequest()).groups
            )
        return sorted(found)
