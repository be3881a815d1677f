"""Consume, transform, produce: the offsets that were committed and the copies that are visible tell one story."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from soak.checkers.violation import Violation
from soak.history import History, Place

__all__ = ["copies_in_step_with_offsets"]


def copies_in_step_with_offsets(history: History) -> Iterator[Violation]:
    """Exactly the visible input records below a group's committed offset have been copied, each once.

    A copier of group G writes to topics of its own, so its writers are named `G/...`.
    """
    inputs: dict[Place, list[int]] = defaultdict(list)
    for record in history.stored:
        if record.visible:
            inputs[record.place].append(record.offset)
    copies: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
    for record in history.stored:
        if record.visible and record.source:
            place, _, offset = record.source.rpartition("@")
            copies[record.name.partition("/")[0], place][int(offset)] += 1
    groups = {each.group for each in history.transactions if each.group}
    for end in history.group_offsets:
        if end.group not in groups:
            continue
        made = copies.pop((end.group, str(end.place)), Counter())
        expected = {offset for offset in inputs[end.place] if offset < end.offset}
        missing = sorted(expected - set(made))
        beyond = sorted(set(made) - expected)
        repeated = sorted(offset for offset, count in made.items() if count > 1)
        for what, found in (("never copied", missing), ("copied too far", beyond), ("copied more than once", repeated)):
            if found:
                text = f"{end.place} is committed up to {end.offset}; {what}: {len(found)}, first {found[:10]}"
                yield Violation(end.group, text)
    for (group, where), made in copies.items():
        if made:
            yield Violation(group, f"{len(made)} copies of {where} are visible, no offset of it is committed")
