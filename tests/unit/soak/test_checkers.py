"""Each checker finds the violation that was planted for it, and finds nothing in a sound history."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from soak.checkers import CHECKERS, check
from soak.history import (
    Commit,
    CommittedRead,
    Decision,
    History,
    Outcome,
    Place,
    Read,
    Stored,
    Transaction,
    Watermark,
    Write,
    load,
    save,
)
from soak.plan import FaultKind, draw_plan, parse_kinds

IN, OUT = Place("in", 0), Place("out", 0)


def stored(place: Place, offset: int, name: str, **more: object) -> Stored:
    fields: dict[str, object] = {
        "transaction": "",
        "source": "",
        "visible": True,
        "served": True,
        "producer_id": -1,
        "producer_epoch": -1,
        "sequence": -1,
    }
    return Stored(place, offset, name, **{**fields, **more})  # type: ignore[arg-type]


def sound() -> History:
    """Two writers, a committed and an aborted transaction, a copier, a group and readers: nothing is wrong."""
    ok = Outcome.OK
    write = [Write("w", at, IN, at, outcome=ok, offset=at, ended_s=at + 0.5) for at in range(3)]
    unknown = Write("w", 3, IN, 4.0)
    committed = [Write("c", at, IN, 5.0, transaction="ct", outcome=ok, offset=4 + at, ended_s=5.5) for at in (0, 1)]
    aborted = Write("a", 0, IN, 5.0, transaction="at", outcome=ok, offset=7, ended_s=5.5)
    copied = Write("g/x", 0, OUT, 8.0, transaction="gt", outcome=ok, offset=0, ended_s=8.5)
    records = [
        *(stored(IN, at, f"w#{at}", producer_id=1, producer_epoch=0, sequence=at) for at in range(4)),
        *(stored(IN, 4 + at, f"c#{at}", transaction="ct") for at in (0, 1)),
        stored(IN, 7, "a#0", transaction="at", visible=False, served=False),
        stored(OUT, 0, "g/x#0", transaction="gt", source="in-0@0"),
    ]
    transactions = [
        Transaction("ct", 5.0, Decision.COMMIT, ok, 6.0, 6.5),
        Transaction("at", 5.0, Decision.ABORT, ok, 6.0, 6.5),
        Transaction("gt", 8.0, Decision.COMMIT, ok, 8.6, 8.9, "g", [(IN, 1)]),
    ]
    reads = [Read("r", True, IN, at, name, "", 9.0) for at, name in enumerate(["w#0", "w#1", "w#2", "w#3", "c#0"])]
    reads += [Read("u", False, IN, 5, "c#1", "ct", 5.7), Read("u", False, IN, 7, "a#0", "at", 5.8)]
    commits = [Commit("m", IN, 2, 9.0, ok, 9.1), Commit("m", IN, 4, 9.5), Commit("m", IN, 5, 10.0, ok, 10.1)]
    return History(
        writes=[*write, unknown, *committed, aborted, copied],
        transactions=transactions,
        reads=reads,
        commits=commits,
        committed_reads=[CommittedRead("m", IN, 2, 9.2, 9.3), CommittedRead("m", IN, 4, 10.2, 10.3)],
        watermarks=[Watermark(IN, 0, 4, 7, 6.0, 6.1), Watermark(IN, 0, 7, 7, 6.2, 6.3)],
        stored=records,
        group_offsets=[CommittedRead("g", IN, 1, 11.0, 11.1), CommittedRead("m", IN, 5, 11.0, 11.1)],
        ends=[Watermark(IN, 0, 9, 9, 12.0, 12.1), Watermark(OUT, 0, 2, 2, 12.0, 12.1)],
    )


def test_a_sound_history_shows_nothing() -> None:
    assert {name: found for name, found in check(sound()).items() if found} == {}


def drop(name: str) -> Callable[[History], None]:
    return lambda history: history.stored.remove(next(one for one in history.stored if one.name == name))


def change(name: str, **fields: object) -> Callable[[History], None]:
    def changed(history: History) -> None:
        at = next(number for number, one in enumerate(history.stored) if one.name == name)
        history.stored[at] = dataclasses.replace(history.stored[at], **fields)

    return changed


def add(kind: str, *items: object) -> Callable[[History], None]:
    return lambda history: getattr(history, kind).extend(items)


def refuse(history: History) -> None:
    history.writes[3].outcome = Outcome.FAIL


def swap(history: History) -> None:
    first, second = history.stored[0], history.stored[1]
    history.stored[0] = dataclasses.replace(second, offset=0, sequence=0)
    history.stored[1] = dataclasses.replace(first, offset=1, sequence=1)


def early(history: History) -> None:
    history.reads.append(Read("r2", True, IN, 4, "c#0", "ct", 5.8))


PLANTED = [
    (drop("w#1"), "lost writes", "w#1 was acknowledged at offset 1 and is gone"),
    (drop("a#0"), "lost writes", "a#0 was acknowledged at offset 7 and is gone"),
    (change("w#1", offset=20), "lost writes", r"acknowledged at offset 1, lies at \[20\]"),
    (refuse, "refused writes that are there", "w#3 was refused, yet lies at"),
    (add("stored", stored(IN, 8, "w#1")), "duplicates", "w#1 is stored 2 times"),
    (swap, "order of a producer", "w#0 at offset 1 lies behind w#1"),
    (change("w#2", sequence=5), "sequences of a producer id", "sequence 5 at offset 2, expected 2"),
    (change("w#2", sequence=1), "sequences of a producer id", "sequence 1 at offset 2, expected 2"),
    (add("stored", stored(IN, 8, "ghost#0")), "records that nobody wrote", "ghost#0 at offset 8"),
    (change("c#0", transaction=""), "records that nobody wrote", "was meant for in-0 in transaction 'ct'"),
    (
        add("reads", Read("r2", False, IN, 2, "other#0", "", 9.0)),
        "an offset with two values",
        "offset 2 was told to hold",
    ),
    (
        add("reads", Read("r2", True, IN, 7, "a#0", "at", 9.0)),
        "aborted or undecided reads",
        "whose decision was abort",
    ),
    (early, "aborted or undecided reads", "0.200 s before its commit was asked for"),
    (
        add("reads", Read("r2", True, IN, 8, "lost#0", "", 9.0)),
        "aborted or undecided reads",
        "which no reader sees in the end",
    ),
    (add("reads", Read("r", True, IN, 2, "w#2", "", 9.5)), "reads that go back", "read offset 2 after 4"),
    (
        add("reads", Read("r2", True, IN, 0, "w#0", "", 9.0), Read("r2", True, IN, 3, "w#3", "", 9.0)),
        "reads that leave out records",
        r"went from offset 0 to 3 and left out \[1, 2\]",
    ),
    (change("c#1", visible=False, served=False), "torn transactions", "1 of 2 records are visible"),
    (change("a#0", visible=True, served=True), "decisions turned around", "decision abort"),
    (
        lambda history: [change(name, visible=False)(history) for name in ("c#0", "c#1")],
        "decisions turned around",
        "none of its 2 records is visible",
    ),
    (
        lambda history: history.ends.append(Watermark(Place("in", 1), 0, 3, 5, 12.0, 12.1)),
        "hanging transactions",
        "stays at 3 below 5",
    ),
    (change("a#0", served=True), "aborted lists that disagree", "is aborted by its marker"),
    (
        add("committed_reads", CommittedRead("m", IN, 2, 10.5, 10.6)),
        "committed offsets that go back",
        "offset 5 of in-0 was committed and acknowledged, 2 was read",
    ),
    (
        add("committed_reads", CommittedRead("m", IN, -1, 10.5, 10.6)),
        "committed offsets that go back",
        "-1 was read",
    ),
    (
        add("commits", Commit("m", IN, 3, 10.5, Outcome.OK, 10.6)),
        "committed offsets that go back",
        "3 of in-0 was committed at 10.600 s after 5",
    ),
    (
        add("watermarks", Watermark(IN, 0, 6, 7, 7.0, 7.1)),
        "high watermark or stable offset going back",
        "last stable offset fell from 7 to 6",
    ),
    (
        add("watermarks", Watermark(IN, 0, 6, 6, 7.0, 7.1)),
        "high watermark or stable offset going back",
        "high watermark fell from 7 to 6",
    ),
    (
        add("watermarks", Watermark(IN, 0, 9, 8, 7.0, 7.1)),
        "high watermark or stable offset going back",
        "out of order",
    ),
    (drop("g/x#0"), "offsets in step with their output", "never copied: 1"),
    (
        add("stored", stored(OUT, 1, "g/x#1", source="in-0@1")),
        "offsets in step with their output",
        r"copied too far: 1, first \[1\]",
    ),
    (
        add("stored", stored(OUT, 1, "g/x#1", source="in-0@0")),
        "offsets in step with their output",
        "copied more than once: 1",
    ),
    (
        add("stored", stored(OUT, 1, "g/x#1", source="in-9@0")),
        "offsets in step with their output",
        "no offset of it is committed",
    ),
    (add("stuck", "nobody home"), "still stuck when the faults were over", "nobody home"),
]


@pytest.mark.parametrize(("plant", "checker", "words"), PLANTED)
def test_what_is_planted_is_found(plant: Callable[[History], object], checker: str, words: str) -> None:
    history = sound()
    plant(history)
    found = "\n".join(str(each) for each in check(history)[checker])
    assert found, f"{checker} found nothing"
    assert re.search(words, found), found


def test_every_checker_has_a_violation_planted_for_it() -> None:
    assert {checker for _, checker, _ in PLANTED} == set(CHECKERS)


def test_what_a_sound_kafka_may_do_is_no_violation() -> None:
    history = sound()
    history.writes.append(Write("plain", 0, IN, 1.0, idempotent=False, outcome=Outcome.OK, offset=10, ended_s=2.0))
    history.stored += [stored(IN, 9, "plain#0"), stored(IN, 10, "plain#0")]
    history.transactions.append(Transaction("maybe", 20.0, Decision.COMMIT, Outcome.UNKNOWN, 21.0))
    history.writes.append(Write("m", 0, IN, 20.0, transaction="maybe", outcome=Outcome.OK, offset=12, ended_s=20.5))
    history.stored.append(stored(IN, 12, "m#0", transaction="maybe", visible=False, served=False))
    assert {name: found for name, found in check(history).items() if found} == {}


def test_a_history_that_was_saved_is_the_same_when_loaded(tmp_path: Path) -> None:
    history = sound()
    history.stuck.append("nobody home")
    save(history, tmp_path / "history.ndjson")
    assert load(tmp_path / "history.ndjson") == history


def test_a_plan_is_its_seeds() -> None:
    every = frozenset(FaultKind)
    assert draw_plan(5, 120, every) == draw_plan(5, 120, every) != draw_plan(6, 120, every)
    plan = draw_plan(5, 600, every)
    assert {fault.kind for fault in plan} == every
    assert sum(fault.after_s + fault.for_s for fault in plan) <= 600
    assert not any(fault.forgetful for fault in draw_plan(5, 600, parse_kinds("kill,cut")))
    assert draw_plan(5, 600, parse_kinds("none")) == []
    with pytest.raises(ValueError, match="got 'rust'"):
        parse_kinds("kill,rust")
