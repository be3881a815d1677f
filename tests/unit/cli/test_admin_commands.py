"""The commands about settings, sizes, offsets, transactions, rates and runs, and what `groups` and
`topics` do beyond the first steps."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest
from confluent_kafka import Producer
from tests.unit.cli.processes import yeoul_here as yeoul

from yeoul.cli.kafka.latencies import Latencies
from yeoul.cli.kafka.producing import Lines, Outgoing
from yeoul.cli.kafka.verifying import judge
from yeoul.cli.options import complete_groups, complete_topics
from yeoul.errors import UserError


@pytest.fixture
def topic(bootstrap: str) -> str:
    name = f"t-{uuid.uuid4().hex[:8]}"
    assert yeoul("topics", "create", name, "-p", "2", "-b", bootstrap).code == 0
    return name


def rows(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_settings_are_changed_and_shown_with_where_they_come_from(bootstrap: str, topic: str) -> None:
    done = yeoul("configs", "alter", "topic", topic, "--set", "retention.ms=5000", "-b", bootstrap)
    assert (done.code, done.out) == (0, f"Changed 1 setting of topic '{topic}'.\n")
    assert yeoul("configs", "alter", "topic", topic, "--append", "cleanup.policy=compact", "-b", bootstrap).code == 0
    shown = rows(yeoul("configs", "describe", "topic", topic, "--json", "-b", bootstrap).out)
    assert shown == [
        {"name": "cleanup.policy", "value": "delete,compact", "source": "topic"},
        {"name": "retention.ms", "value": "5000", "source": "topic"},
    ]
    one = rows(
        yeoul(
            "configs", "describe", "topic", topic, "--key", "retention.ms", "--details", "--json", "-b", bootstrap
        ).out
    )
    assert (one[0]["type"], one[0]["beneath"]) == ("long", "log.retention.ms=604800000")
    assert yeoul("configs", "alter", "topic", topic, "--delete", "retention.ms", "-b", bootstrap).code == 0
    assert "retention.ms" not in yeoul("configs", "describe", "topic", topic, "-b", bootstrap).out


def test_a_refused_setting_says_why_and_a_dry_run_changes_nothing(bootstrap: str, topic: str) -> None:
    wrong = yeoul("configs", "alter", "topic", topic, "--set", "retention.sm=1", "-b", bootstrap)
    assert wrong.code == 1
    assert "Unknown topic configuration 'retention.sm'. Did you mean 'retention.ms'?" in wrong.err
    dry = yeoul("configs", "alter", "topic", topic, "--set", "retention.ms=1", "--dry-run", "-b", bootstrap)
    assert dry.out == f"Would change 1 setting of topic '{topic}'.\n"
    nothing = yeoul("configs", "describe", "topic", topic, "-b", bootstrap).out
    assert nothing == f"Nothing is set for topic '{topic}'; --all shows the defaults.\n"


def test_a_topic_grows_and_tells_its_size(bootstrap: str, topic: str) -> None:
    grown = yeoul("topics", "alter", topic, "--partitions", "3", "-b", bootstrap)
    assert grown.out == f"Topic '{topic}' has 3 partitions now, 1 more.\n"
    yeoul("produce", topic, "-p", "2", "-b", bootstrap, stdin="x\n" * 100)
    [listed] = [one for one in rows(yeoul("topics", "list", "--json", "-b", bootstrap).out) if one["topic"] == topic]
    assert (listed["partitions"], listed["records"]) == (3, 100)
    directory, *partitions = rows(yeoul("log-dirs", "-t", topic, "--json", "-b", bootstrap).out)
    assert directory["usable_bytes"] > 0  # type: ignore[operator]
    sizes = {one["partition"]: one["size_bytes"] for one in partitions}
    assert sizes == {0: 0, 1: 0, 2: listed["size_bytes"]}
    assert sizes[2]


def test_offsets_are_shown_and_records_deleted_only_when_told(bootstrap: str, topic: str) -> None:
    yeoul("produce", topic, "-p", "1", "-b", bootstrap, stdin="a\nb\nc\n")
    spans = rows(yeoul("offsets", topic, "--json", "-b", bootstrap).out)
    assert [(one["earliest"], one["latest"]) for one in spans] == [(0, 0), (0, 3)]
    early = rows(yeoul("offsets", f"{topic}:1", "--at", "2000-01-01T00:00", "--json", "-b", bootstrap).out)
    assert [one["offset"] for one in early] == [0]
    dry = yeoul("delete-records", f"{topic}:1", "--before-offset", "2", "-b", bootstrap)
    assert dry.out.endswith("Dry run: nothing was deleted. Add --execute to do it; there is no way back.\n")
    done = yeoul("delete-records", f"{topic}:1", "--before-offset", "2", "--execute", "-b", bootstrap)
    assert done.out.endswith("Deleted 2 records.\n")
    assert yeoul("consume", topic, "--from-beginning", "--until-end", "-b", bootstrap).out == "c\n"


def test_records_as_json_go_in_as_they_came_out(bootstrap: str, topic: str) -> None:
    lines = [
        {"key": "k", "value": "v", "headers": {"h": "1", "b": {"base64": "//4="}}, "partition": 1, "timestamp_ms": 5},
        {"key": None, "value": None, "headers": {}, "partition": 1, "timestamp_ms": 6},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    assert yeoul("produce", topic, "--format", "json", "-b", bootstrap, stdin=text).code == 0
    read = rows(yeoul("consume", topic, "--from-beginning", "--until-end", "--format", "json", "-b", bootstrap).out)
    assert [{name: one[name] for name in lines[0]} for one in read] == lines


def test_reading_begins_at_an_offset_a_time_or_the_last_records(bootstrap: str, topic: str) -> None:
    lines = "".join(
        json.dumps({"value": str(n), "partition": 0, "timestamp_ms": 1_000 * n + 1_000}) + "\n" for n in range(5)
    )
    yeoul("produce", topic, "--format", "json", "-b", bootstrap, stdin=lines)

    def read(*options: str) -> str:
        return yeoul("consume", topic, "--until-end", *options, "-b", bootstrap).out.replace("\n", "")

    assert read("--offset", "2") == "234"
    assert read("--offset", "-1") == "4"
    assert read("-p", "1", "--from-beginning") == ""
    assert read("--from-time", "1970-01-01T00:00:04") == "34"
    waited = yeoul("consume", topic, "--from-beginning", "--timeout", "2 s", "-b", bootstrap)
    assert waited.out.replace("\n", "") == "01234"
    assert "no partition 7" in yeoul("consume", topic, "-p", "7", "-b", bootstrap).err


def test_a_group_is_shifted_its_offsets_forgotten_and_itself_deleted(bootstrap: str, topic: str) -> None:
    group = f"g-{topic}"
    yeoul("produce", topic, "-p", "0", "-b", bootstrap, stdin="1\n2\n3\n")
    yeoul("groups", "reset-offsets", group, "-t", topic, "--to-latest", "--execute", "-b", bootstrap)

    def committed() -> dict[object, object]:
        shown = rows(yeoul("groups", "describe", group, "--json", "-b", bootstrap).out)
        return {one["partition"]: one["lag"] for one in shown}

    assert committed() == {0: 0, 1: 0}
    shift = ("groups", "reset-offsets", group, "--shift-by", "-2")
    assert "Dry run" in yeoul(*shift, "-b", bootstrap).out
    assert yeoul(*shift, "--execute", "-b", bootstrap).code == 0
    assert committed() == {0: 2, 1: 0}
    assert yeoul("groups", "reset-offsets", group, "--by-duration", "1 h", "--execute", "-b", bootstrap).code == 0
    assert committed() == {0: 3, 1: 0}
    forget = yeoul("groups", "delete-offsets", group, "-t", f"{topic}:0", "--execute", "-b", bootstrap)
    assert forget.out.endswith(f"Deleted the offsets of group '{group}' in 1 partitions.\n")
    assert committed() == {1: 0}
    assert yeoul("groups", "delete", group, "-b", bootstrap).out == f"Deleted group '{group}'.\n"
    assert "failed" in yeoul("groups", "delete", group, "-b", bootstrap).err


def test_a_transaction_is_seen_and_one_that_hangs_is_ended(bootstrap: str, topic: str) -> None:
    name = f"tx-{topic}"
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": name, "transaction.timeout.ms": 60_000})
    producer.init_transactions(10)
    producer.begin_transaction()
    producer.produce(topic, b"open", partition=0)
    producer.flush(10)
    listed = rows(yeoul("transactions", "list", "--state", "Ongoing", "--json", "-b", bootstrap).out)
    assert name in [one["transactional_id"] for one in listed]
    told = yeoul("transactions", "describe", name, "--json", "-b", bootstrap)
    assert json.loads(told.out)["partitions"] == [f"{topic}-0"]
    assert "No transaction hangs" in yeoul("transactions", "find-hanging", "--older-than", "0", "-b", bootstrap).out
    abort = ("transactions", "abort", topic, "-p", "0", "--start-offset", "0")
    assert yeoul(*abort, "-b", bootstrap).out.startswith("Dry run: would abort")
    assert yeoul(*abort, "--execute", "-b", bootstrap).out.startswith("Aborted the transaction of producer")
    opened = rows(yeoul("transactions", "producers", topic, "--json", "-b", bootstrap).out)
    assert [one["open_since_offset"] for one in opened] == [None]
    assert yeoul("consume", topic, "--from-beginning", "--until-end", "-b", bootstrap).out == ""
    assert "Unknown state 'Odd'" in yeoul("transactions", "list", "--state", "Odd", "-b", bootstrap).err


def test_a_run_is_verified_against_its_ledger(bootstrap: str, topic: str, tmp_path: Path) -> None:
    ledger = tmp_path / "acks"
    sent = yeoul("verify", "produce", topic, "-n", "500", "--run", "r", "--ledger", str(ledger), "-b", bootstrap)
    assert (sent.code, sent.out) == (0, "run r: 500 of 500 records acknowledged\n")
    sound = yeoul("verify", "consume", topic, "--run", "r", "--ledger", str(ledger), "-b", bootstrap)
    assert sound.code == 0
    assert sound.out.endswith("sound: nothing lost, doubled, misplaced or out of order\n")
    short = yeoul("verify", "consume", topic, "--run", "r", "-n", "501", "--json", "-b", bootstrap)
    assert short.code == 1
    assert (json.loads(short.out)["lost"], json.loads(short.out)["sound"]) == (1, False)


def test_rates_are_measured_both_ways(bootstrap: str, topic: str) -> None:
    sent = json.loads(yeoul("perf", "produce", topic, "-n", "2000", "--size", "50", "--json", "-b", bootstrap).out)
    assert (sent["records"], sent["bytes"]) == (2_000, 100_000)
    assert 0 < sent["p50_ms"] <= sent["p99_ms"] <= sent["max_ms"]
    read = json.loads(yeoul("perf", "consume", topic, "--json", "-b", bootstrap).out)
    assert (read["records"], read["bytes"]) == (2_000, 100_000)


def test_a_cluster_tells_who_it_is(bootstrap: str) -> None:
    about, broker = rows(yeoul("cluster", "--json", "-b", bootstrap).out)
    assert about["features"]
    assert f"{broker['host']}:{broker['port']}" == bootstrap
    assert {"api": 0, "name": "Produce", "oldest": 0, "newest": 12} in rows(
        yeoul("cluster", "--apis", "--json", "-b", bootstrap).out
    )


def test_the_shell_completes_topics_and_groups(bootstrap: str, topic: str) -> None:
    class Context:
        params = {"bootstrap_server": bootstrap, "properties": None}  # noqa: RUF012

    assert complete_topics(Context(), topic[:4]) != []  # type: ignore[arg-type]
    assert topic in complete_topics(Context(), topic)  # type: ignore[arg-type]
    assert complete_groups(Context(), "no such") == []  # type: ignore[arg-type]
    Context.params["bootstrap_server"] = "127.0.0.1:1"
    assert complete_topics(Context(), "") == []  # type: ignore[arg-type]


def test_what_is_wrong_with_a_run_is_told_apart() -> None:
    found = [(0, 0, 0), (1, 1, 0), (3, 0, 1), (2, 0, 2), (2, 0, 3), (4, 1, 9)]
    verdict = judge(found, {0: (0, 0), 4: (1, 1), 5: None})
    assert (verdict.lost, verdict.doubled, verdict.misplaced, verdict.out_of_order) == ([5], [2], [4], [2])
    assert not verdict.is_sound


def test_percentiles_are_within_two_percent() -> None:
    held = Latencies()
    for number in range(1, 10_001):
        held.add(number / 100)
    for share in (0.5, 0.95, 0.99):
        assert abs(held.percentile(share) - share * 100) <= 2.1
    assert held.percentile(1) == 100.0


def test_a_marker_stands_for_no_value_and_broken_json_is_named() -> None:
    assert Lines(separator=b":", null_marker=b"NULL").record(b"k:NULL", 1) == Outgoing(None, b"k")
    with pytest.raises(UserError, match="Line 3 is no record as JSON"):
        Lines(as_json=True).record(b'{"value": 5}', 3)
