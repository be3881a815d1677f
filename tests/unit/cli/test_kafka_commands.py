"""`topics`, `produce`, `consume` and `groups` against a broker: what they do, what they print, what they refuse."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import uuid

import pytest
from tests.unit.cli.processes import Finished, command, environment, wait_until
from tests.unit.cli.processes import yeoul_here as yeoul

from yeoul.cli.kafka.groups import parse_datetime_ms, parse_topics, within
from yeoul.cli.kafka.producing import lines_of, split_line
from yeoul.cli.options import parse_properties
from yeoul.errors import UserError


@pytest.fixture
def topic(bootstrap: str) -> str:
    name = f"t-{uuid.uuid4().hex[:8]}"
    assert yeoul("topics", "create", name, "-p", "2", "-b", bootstrap).code == 0
    return name


def consumed(topic: str, bootstrap: str, *options: str) -> Finished:
    return yeoul("consume", topic, "--from-beginning", *options, "-b", bootstrap)


def cells(text: str) -> list[list[str]]:
    """The rows of a printed table, header and rule left out."""
    return [line.split() for line in text.splitlines()[2:]]


def test_topics_are_created_listed_described_and_deleted(bootstrap: str) -> None:
    done = yeoul("topics", "create", "orders", "-p", "3", "--config", "retention.ms=60000", "-b", bootstrap)
    assert (done.code, done.out) == (0, "Created topic 'orders' with 3 partitions.\n")
    assert ["orders", "3", "0", "0", "B"] in cells(yeoul("topics", "list", "-b", bootstrap).out)
    described = yeoul("topics", "describe", "orders", "-b", bootstrap).out
    assert [row[0] for row in cells(described)[:3]] == ["0", "1", "2"]
    assert "retention.ms = 60000" in described
    assert yeoul("topics", "delete", "orders", "-b", bootstrap).out == "Deleted topic 'orders'.\n"
    assert "orders" not in yeoul("topics", "list", "-b", bootstrap).out


def test_a_topic_that_stands_is_an_error_unless_that_is_fine(bootstrap: str, topic: str) -> None:
    again = yeoul("topics", "create", topic, "-b", bootstrap)
    assert again.code == 1
    assert again.err.startswith(f"error: Creating topic '{topic}' failed")
    assert again.err.endswith("hint: Add --if-not-exists if that is fine.\n")
    assert yeoul("topics", "create", topic, "--if-not-exists", "-b", bootstrap).code == 0


def test_lines_come_back_in_order_with_their_keys(bootstrap: str, topic: str) -> None:
    lines = "".join(f"k:{number}:x\n" for number in range(500))
    done = yeoul("produce", topic, "--key-separator", ":", "-b", bootstrap, stdin=lines)
    assert (done.code, done.err) == (0, f"500 records acknowledged by '{topic}'\n")
    read = consumed(topic, bootstrap, "--until-end", "--format", "key-value")
    assert read.out == "".join(f"k\t{number}:x\n" for number in range(500))
    assert read.err == ""


def test_a_record_as_json_tells_all_about_it(bootstrap: str, topic: str) -> None:
    yeoul("produce", topic, "-b", bootstrap, stdin=b'{"a": 1}\n\xff\xfe\n')
    records = [
        json.loads(line) for line in consumed(topic, bootstrap, "--until-end", "--format", "json").out.splitlines()
    ]
    assert {record["topic"] for record in records} == {topic}
    assert sorted((record["value"] for record in records), key=str) == ['{"a": 1}', {"base64": "//4="}]
    assert all(record["key"] is None and record["timestamp_ms"] > 0 for record in records)


def test_a_line_without_the_separator_is_named(bootstrap: str, topic: str) -> None:
    done = yeoul("produce", topic, "--key-separator", ":", "-b", bootstrap, stdin="a:1\nno key\n")
    assert done.code == 1
    assert "1 records acknowledged" in done.err
    assert "error: Line 2 has no key separator ':': 'no key'\n" in done.err


def test_an_empty_topic_read_to_its_end_gives_nothing(bootstrap: str, topic: str) -> None:
    done = consumed(topic, bootstrap, "--until-end")
    assert (done.code, done.out) == (0, "")


def test_a_reader_that_has_seen_enough_is_no_error(bootstrap: str, topic: str) -> None:
    yeoul("produce", topic, "-b", bootstrap, stdin="x\n" * 200_000)
    reading = subprocess.Popen(
        command(["consume", topic, "--from-beginning", "-b", bootstrap]),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    assert reading.stdout is not None
    assert reading.stderr is not None
    assert reading.stdout.readline() == b"x\n"
    reading.stdout.close()
    assert reading.wait(30) == 0
    assert reading.stderr.read() == b""
    reading.stderr.close()


def test_ctrl_c_ends_a_consumer_without_a_word(bootstrap: str, topic: str) -> None:
    yeoul("produce", topic, "-b", bootstrap, stdin="x\n")
    with subprocess.Popen(
        command(["consume", topic, "--from-beginning", "-b", bootstrap]),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as reading:
        assert reading.stdout is not None
        assert reading.stdout.readline() == b"x\n"
        reading.send_signal(signal.SIGINT)
        assert reading.communicate(timeout=30) == (b"", b"")
        assert reading.returncode == 130


def test_a_group_goes_on_where_it_was_and_can_be_sent_back(bootstrap: str, topic: str) -> None:
    group = f"g-{topic}"
    yeoul("produce", topic, "--key-separator", ":", "-b", bootstrap, stdin="k:1\nk:2\nk:3\n")
    assert consumed(topic, bootstrap, "--group", group, "-n", "2").out == "1\n2\n"
    assert consumed(topic, bootstrap, "--group", group, "-n", "1").out == "3\n"
    assert [group, "empty"] in cells(yeoul("groups", "list", "-b", bootstrap).out)
    described = yeoul("groups", "describe", group, "-b", bootstrap).out
    assert described.startswith(f"group '{group}': empty, 0 members\n")
    assert [topic, "3", "3", "0"] in [[row[0], *row[2:5]] for row in cells(described)]

    dry = yeoul("groups", "reset-offsets", group, "--to-offset", "1", "-b", bootstrap)
    assert dry.out.endswith("Dry run: nothing was changed. Add --execute to do it.\n")
    assert [row[2:] for row in cells(dry.out)[:1]] == [["3", "1"]]
    assert yeoul("groups", "reset-offsets", group, "--to-offset", "1", "--execute", "-b", bootstrap).code == 0
    assert consumed(topic, bootstrap, "--group", group, "-n", "2").out == "2\n3\n"


def test_a_group_with_members_is_not_reset(bootstrap: str, topic: str) -> None:
    group = f"g-{topic}"
    yeoul("produce", topic, "-b", bootstrap, stdin="1\n2\n")
    with subprocess.Popen(
        command(["consume", topic, "--from-beginning", "--group", group, "-b", bootstrap]),
        stdout=subprocess.PIPE,
        env=environment(),
    ) as member:
        try:
            assert member.stdout is not None
            member.stdout.readline()
            wait_until(lambda: "1 members" in yeoul("groups", "describe", group, "-b", bootstrap).out, "a member")
            done = yeoul("groups", "reset-offsets", group, "-t", topic, "--to-earliest", "--execute", "-b", bootstrap)
            assert done.code == 1
            assert "hint: Stop the group's members first.\n" in done.err
        finally:
            member.terminate()


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("consume", "clicsk"), "Did you mean 'clicks'?"),
        (("topics", "describe", "clicsk"), "Did you mean 'clicks'?"),
        (("topics", "delete", "clicsk"), "Did you mean 'clicks'?"),
    ],
)
def test_a_wrong_topic_names_the_nearest(bootstrap: str, arguments: tuple[str, ...], hint: str) -> None:
    yeoul("topics", "create", "clicks", "--if-not-exists", "-b", bootstrap)
    done = yeoul(*arguments, "-b", bootstrap)
    assert done.code == 1
    assert done.err == f"error: Unknown topic 'clicsk' at {bootstrap}\nhint: {hint}\n"


def test_lines_split_across_reads_are_whole() -> None:
    class Dripping(io.BytesIO):
        def read1(self, size: int | None = -1, /) -> bytes:
            return super().read1(3)

    data = b"one\ntwo\r\n\nthree"
    assert [line for lines in lines_of(Dripping(data)) for line in lines] == [b"one", b"two", b"", b"three"]


def test_a_key_may_be_empty_and_the_value_may_hold_the_separator() -> None:
    assert split_line(b"::a:b", b"::", 1) == (b"", b"a:b")


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", ""])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="Expected a time such as"):
        parse_datetime_ms(text)


def test_a_partition_that_is_not_there_is_refused() -> None:
    with pytest.raises(UserError, match="Topic 'a' has no partition '7'") as raised:
        parse_topics(["a:0,7"], {"a": [0, 1]})
    assert raised.value.hint == "It has 0 to 1."


def test_offsets_stay_within_what_the_partition_holds() -> None:
    assert [within(offset, 10, 20) for offset in (5, 15, 25)] == [10, 15, 20]


def test_a_property_needs_a_key_and_an_equals_sign() -> None:
    with pytest.raises(UserError, match="--property expects KEY=VALUE, got 'acks'"):
        parse_properties(["acks"])
