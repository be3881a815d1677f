"""What each request needs: refused without it, with the error that Kafka has for it, and served with just that.

The table below is written from Kafka's documentation ("Operations and Resources on Protocols"); a rule that is left out
of a row must be missed, so that none is there in vain.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, cast

import pytest
from tests.unit.broker.conftest import Bench, responses

from yeoul.broker.registry import all_handlers
from yeoul.broker.security.acls import Acl, AclFilter, Pattern, Permission
from yeoul.broker.security.operations import CLUSTER_NAME, Operation, ResourceType
from yeoul.broker.security.session import Session
from yeoul.wire import frames
from yeoul.wire.errors import ErrorCode
from yeoul.wire.records import Record, encode_batch
from yeoul.wire.schema import Api, Field, Message

TOPIC, GROUP, CLUSTER = ResourceType.TOPIC, ResourceType.GROUP, ResourceType.CLUSTER
TRANSACTION = ResourceType.TRANSACTIONAL_ID
REFUSALS = {
    TOPIC: ErrorCode.TOPIC_AUTHORIZATION_FAILED,
    GROUP: ErrorCode.GROUP_AUTHORIZATION_FAILED,
    CLUSTER: ErrorCode.CLUSTER_AUTHORIZATION_FAILED,
    TRANSACTION: ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
}
NAMES = {TOPIC: "t", GROUP: "g", CLUSTER: CLUSTER_NAME, TRANSACTION: "x"}
BATCH = bytes(encode_batch([Record(0, 1, b"k", b"v")]))


class Case(NamedTuple):
    """A request and what it needs."""

    api: str
    version: int
    needs: str
    request: dict[str, Any]

    @property
    def rules(self) -> list[Acl]:
        return [rule(text) for text in self.needs.split(", ")]


def rule(text: str, permission: Permission = Permission.ALLOW) -> Acl:
    """A rule for bob from its short form, such as `READ TOPIC`."""
    operation, kind, *name = text.split()
    resource = ResourceType[kind]
    return Acl(
        resource,
        name[0] if name else NAMES[resource],
        Pattern.LITERAL,
        "User:bob",
        "*",
        Operation[operation],
        permission,
    )


PARTITION = [{"name": "t", "partitions": [{"partition_index": 0}]}]
PRODUCER = {"transactional_id": "x", "producer_id": 1, "producer_epoch": 0}
PROTOCOLS = [{"name": "range", "metadata": b""}]
MEMBER = {"group_id": "g", "generation_id": 1, "member_id": "m"}

CASES = [
    Case(
        "produce",
        9,
        "WRITE TOPIC",
        {"acks": 1, "topic_data": [{"name": "t", "partition_data": [{"index": 0, "records": BATCH}]}]},
    ),
    Case(
        "produce",
        9,
        "WRITE TRANSACTIONAL_ID, WRITE TOPIC",
        {
            "acks": 1,
            "transactional_id": "x",
            "topic_data": [{"name": "t", "partition_data": [{"index": 0, "records": BATCH}]}],
        },
    ),
    Case("fetch", 12, "READ TOPIC", {"max_wait_ms": 0, "topics": [{"topic": "t", "partitions": [{"partition": 0}]}]}),
    Case(
        "list_offsets",
        7,
        "DESCRIBE TOPIC",
        {"topics": [{"name": "t", "partitions": [{"partition_index": 0, "timestamp": -1}]}]},
    ),
    Case("metadata", 9, "DESCRIBE TOPIC", {"topics": [{"name": "t"}]}),
    Case("offset_commit", 8, "READ GROUP, READ TOPIC", {"group_id": "g", "topics": PARTITION}),
    Case(
        "offset_fetch",
        1,
        "DESCRIBE GROUP, DESCRIBE TOPIC",
        {"group_id": "g", "topics": [{"name": "t", "partition_indexes": [0]}]},
    ),
    Case(
        "offset_fetch",
        7,
        "DESCRIBE GROUP, DESCRIBE TOPIC",
        {"group_id": "g", "topics": [{"name": "t", "partition_indexes": [0]}]},
    ),
    Case(
        "offset_fetch",
        8,
        "DESCRIBE GROUP, DESCRIBE TOPIC",
        {"groups": [{"group_id": "g", "topics": [{"name": "t", "partition_indexes": [0]}]}]},
    ),
    Case("offset_delete", 0, "DELETE GROUP, READ TOPIC", {"group_id": "g", "topics": PARTITION}),
    Case("find_coordinator", 3, "DESCRIBE GROUP", {"key": "g"}),
    Case("find_coordinator", 4, "DESCRIBE TRANSACTIONAL_ID", {"coordinator_keys": ["x"], "key_type": 1}),
    Case(
        "join_group",
        5,
        "READ GROUP",
        {
            "group_id": "g",
            "session_timeout_ms": 6000,
            "rebalance_timeout_ms": 6000,
            "protocol_type": "consumer",
            "protocols": PROTOCOLS,
        },
    ),
    Case("sync_group", 3, "READ GROUP", MEMBER),
    Case("heartbeat", 3, "READ GROUP", MEMBER),
    Case("leave_group", 3, "READ GROUP", {"group_id": "g", "members": [{"member_id": "m"}]}),
    Case("describe_groups", 5, "DESCRIBE GROUP", {"groups": ["g"]}),
    Case("delete_groups", 2, "DELETE GROUP", {"groups_names": ["g"]}),
    Case(
        "create_topics",
        7,
        "CREATE TOPIC new, DESCRIBE_CONFIGS TOPIC new",
        {"validate_only": True, "topics": [{"name": "new", "num_partitions": 1, "replication_factor": 1}]},
    ),
    Case(
        "create_topics",
        7,
        "CREATE CLUSTER, DESCRIBE_CONFIGS TOPIC new",
        {"validate_only": True, "topics": [{"name": "new", "num_partitions": 1, "replication_factor": 1}]},
    ),
    Case("delete_topics", 5, "DELETE TOPIC gone", {"topic_names": ["gone"]}),
    Case(
        "create_partitions",
        3,
        "ALTER TOPIC",
        {"validate_only": True, "topics": [{"name": "t", "count": 9, "assignments": None}]},
    ),
    Case(
        "delete_records",
        2,
        "DELETE TOPIC",
        {"topics": [{"name": "t", "partitions": [{"partition_index": 0, "offset": 0}]}]},
    ),
    Case("init_producer_id", 4, "IDEMPOTENT_WRITE CLUSTER", {"transactional_id": None}),
    Case("init_producer_id", 4, "WRITE TRANSACTIONAL_ID", {"transactional_id": "x", "transaction_timeout_ms": 1000}),
    Case(
        "add_partitions_to_txn",
        3,
        "WRITE TRANSACTIONAL_ID, WRITE TOPIC",
        {"v3_and_below_transactional_id": "x", "v3_and_below_topics": [{"name": "t", "partitions": [0]}]},
    ),
    Case("add_offsets_to_txn", 3, "WRITE TRANSACTIONAL_ID, READ GROUP", {**PRODUCER, "group_id": "g"}),
    Case("end_txn", 3, "WRITE TRANSACTIONAL_ID", PRODUCER),
    Case(
        "txn_offset_commit", 3, "WRITE TRANSACTIONAL_ID, READ GROUP", {**PRODUCER, "group_id": "g", "topics": PARTITION}
    ),
    Case(
        "offset_for_leader_epoch",
        4,
        "DESCRIBE TOPIC",
        {"topics": [{"topic": "t", "partitions": [{"partition": 0, "leader_epoch": 0}]}]},
    ),
    Case(
        "describe_configs",
        4,
        "DESCRIBE_CONFIGS TOPIC",
        {"resources": [{"resource_type": 2, "resource_name": "t", "configuration_keys": None}]},
    ),
    Case(
        "describe_configs",
        4,
        "DESCRIBE_CONFIGS CLUSTER",
        {"resources": [{"resource_type": 4, "resource_name": "1", "configuration_keys": None}]},
    ),
    Case(
        "alter_configs",
        2,
        "ALTER_CONFIGS TOPIC",
        {"validate_only": True, "resources": [{"resource_type": 2, "resource_name": "t"}]},
    ),
    Case(
        "incremental_alter_configs",
        1,
        "ALTER_CONFIGS TOPIC",
        {"validate_only": True, "resources": [{"resource_type": 2, "resource_name": "t"}]},
    ),
    Case("describe_producers", 0, "READ TOPIC", {"topics": [{"name": "t", "partition_indexes": [0]}]}),
    Case("describe_transactions", 0, "DESCRIBE TRANSACTIONAL_ID", {"transactional_ids": ["x"]}),
    Case("describe_topic_partitions", 0, "DESCRIBE TOPIC", {"topics": [{"name": "t"}], "cursor": None}),
    Case("describe_log_dirs", 4, "DESCRIBE CLUSTER", {"topics": None}),
    Case("elect_leaders", 2, "ALTER CLUSTER", {"topic_partitions": None}),
    Case("alter_partition_reassignments", 0, "ALTER CLUSTER", {"topics": []}),
    Case("list_partition_reassignments", 0, "DESCRIBE CLUSTER", {"topics": None}),
    Case(
        "describe_acls",
        3,
        "DESCRIBE CLUSTER",
        {
            "resource_type_filter": 1,
            "pattern_type_filter": 1,
            "operation": 1,
            "permission_type": 1,
            "resource_name_filter": None,
            "principal_filter": None,
            "host_filter": None,
        },
    ),
    Case(
        "create_acls",
        3,
        "ALTER CLUSTER",
        {
            "creations": [
                {
                    "resource_type": 2,
                    "resource_name": "n",
                    "principal": "User:z",
                    "host": "*",
                    "operation": 3,
                    "permission_type": 3,
                }
            ]
        },
    ),
    Case(
        "delete_acls",
        3,
        "ALTER CLUSTER",
        {
            "filters": [
                {
                    "resource_type_filter": 2,
                    "resource_name_filter": "none",
                    "pattern_type_filter": 3,
                    "principal_filter": None,
                    "host_filter": None,
                    "operation": 1,
                    "permission_type": 1,
                }
            ]
        },
    ),
    Case("describe_user_scram_credentials", 0, "DESCRIBE CLUSTER", {"users": None}),
    Case("alter_user_scram_credentials", 0, "ALTER CLUSTER", {"deletions": [{"name": "bob", "mechanism": 1}]}),
]

NEED_NOTHING = {
    "ApiVersions",
    "SaslHandshake",
    "SaslAuthenticate",
    "DescribeCluster",  # only its bit field depends on who asks
    "ListGroups",  # these three leave out what may not be seen
    "ListTransactions",
    "ListConfigResources",
}


def api_of(name: str) -> Api[Message, Message]:
    module = importlib.import_module(f"yeoul.wire.messages.{name}")
    return next(value for value in vars(module).values() if isinstance(value, Api))


def build(kind: type[Message], values: dict[str, Any]) -> Message:
    """A message from plain values, whole lists of them included."""

    def one(field: Field, value: Any) -> Any:
        if field.kind == "array" and isinstance(field.item, type) and value is not None:
            return [build(field.item, each) for each in value]
        return value

    return kind(**{name: one(kind.FIELDS[name], value) for name, value in values.items()})


def errors_in(message: Message) -> set[ErrorCode]:
    found: set[ErrorCode] = set()
    for name in message.FIELDS:
        value = getattr(message, name)
        if name.endswith("error_code"):
            found.add(ErrorCode(value))
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, Message):
                found |= errors_in(each)
    return found


class Bob:
    """A user who may do what the rules say."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.connection, self.transport = bench.connect()
        self.connection.session = Session("User:bob", "127.0.0.1")
        self.asked = 0

    def may(self, *rules: Acl) -> None:
        guard = self.bench.node.guard
        guard.remove_acls(guard.find_acls(AclFilter()))
        guard.add_acls(rules)

    def ask(self, api: Api[Message, Message], version: int, request: dict[str, Any]) -> Message:
        message = build(api.request, request)
        self.asked += 1
        self.bench.feed(self.connection, frames.encode_request(api, version, self.asked, "bob", message))
        self.bench.until(lambda: len(responses(self.transport)) == self.asked or self.transport.ended)
        return frames.read_response(api, version, responses(self.transport)[-1])[1]

    def refusals(self, case: Case) -> set[ErrorCode]:
        return errors_in(self.ask(api_of(case.api), case.version, case.request)) & set(REFUSALS.values())


@pytest.fixture(scope="module")
def bob(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bob]:
    bench = Bench(tmp_path_factory.mktemp("broker") / "data", authorize=True)
    for name in ("t", "unseen"):
        bench.node.create_topic(name, 1)
    yield Bob(bench)
    bench.close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.api}-{case.version}-{case.needs}")
def test_a_request_needs_just_what_kafka_says(bob: Bob, case: Case) -> None:
    bob.may(*case.rules)
    assert bob.refusals(case) == set()
    for missing in case.rules:
        bob.may(*(each for each in case.rules if each != missing))
        expected = REFUSALS[missing.resource_type]
        if case.api == "create_topics":
            expected = REFUSALS[TOPIC]
        assert bob.refusals(case) == {expected}, missing
        bob.may(
            *case.rules, rule(f"{missing.operation.name} {missing.resource_type.name} {missing.name}", Permission.DENY)
        )
        assert bob.refusals(case) == {expected}, missing
    bob.may()


def test_every_api_is_in_the_table_or_needs_nothing() -> None:
    handlers, _ = all_handlers()
    listed = {api_of(case.api).name for case in CASES} | NEED_NOTHING
    unlisted = {handler.api.name for handler in handlers.values()} - listed
    # between brokers, or about more nodes than there are: their own tests say what they need
    assert unlisted <= {
        "AlterReplicaLogDirs",
        "DescribeQuorum",
        "UnregisterBroker",
        "UpdateFeatures",
        "WriteTxnMarkers",
        "ConsumerGroupHeartbeat",
        "ConsumerGroupDescribe",
        "DescribeClientQuotas",
        "AlterClientQuotas",
    }


def names_in(answer: Message, of: str, name: str) -> list[str]:
    return [cast(str, getattr(each, name)) for each in getattr(answer, of)]


def test_metadata_of_all_topics_leaves_out_what_may_not_be_seen(bob: Bob) -> None:
    bob.may(rule("READ TOPIC"))
    answer = bob.ask(api_of("metadata"), 9, {"topics": None, "include_topic_authorized_operations": True})
    [topic] = cast(Any, answer).topics
    assert topic.name == "t"
    assert topic.topic_authorized_operations == 1 << Operation.READ | 1 << Operation.DESCRIBE
    described = cast(Any, bob.ask(api_of("describe_topic_partitions"), 0, {"topics": [], "cursor": None}))
    assert [each.name for each in described.topics] == ["t"]


def test_a_topic_is_made_on_the_way_only_by_who_may_create_it(bob: Bob) -> None:
    bob.may(rule("DESCRIBE TOPIC fresh"))
    wanted = {"topics": [{"name": "fresh"}]}
    assert ErrorCode.TOPIC_AUTHORIZATION_FAILED in errors_in(bob.ask(api_of("metadata"), 9, wanted))
    assert "fresh" not in bob.bench.node.log.topics
    bob.may(rule("DESCRIBE TOPIC fresh"), rule("CREATE TOPIC fresh"))
    assert errors_in(bob.ask(api_of("metadata"), 9, wanted)) == {ErrorCode.NONE}


def test_a_topic_asked_for_by_its_id_is_refused_without_its_name(bob: Bob) -> None:
    bob.may()
    topic = bob.bench.node.log.topics["unseen"]
    answer = cast(Any, bob.ask(api_of("metadata"), 12, {"topics": [{"name": None, "topic_id": topic.topic_id.bytes}]}))
    assert (answer.topics[0].error_code, answer.topics[0].name) == (ErrorCode.TOPIC_AUTHORIZATION_FAILED, None)
    answer = cast(Any, bob.ask(api_of("metadata"), 12, {"topics": [{"name": "unseen"}]}))
    assert (answer.topics[0].error_code, answer.topics[0].topic_id) == (ErrorCode.TOPIC_AUTHORIZATION_FAILED, bytes(16))
    gone = cast(
        Any, bob.ask(api_of("delete_topics"), 6, {"topics": [{"name": None, "topic_id": topic.topic_id.bytes}]})
    )
    assert (gone.responses[0].error_code, gone.responses[0].name) == (ErrorCode.TOPIC_AUTHORIZATION_FAILED, None)


def test_writing_to_some_topic_is_enough_for_a_producer_id(bob: Bob) -> None:
    case = Case("init_producer_id", 4, "", {"transactional_id": None})
    bob.may(rule("WRITE TOPIC anything"))
    assert bob.refusals(case) == set()
    bob.may(rule("READ TOPIC anything"))
    assert bob.refusals(case) == {ErrorCode.CLUSTER_AUTHORIZATION_FAILED}


def test_groups_and_transactions_that_may_not_be_seen_are_left_out(bob: Bob) -> None:
    bob.may(rule("READ GROUP"), rule("WRITE TRANSACTIONAL_ID"), rule("DESCRIBE TRANSACTIONAL_ID"), rule("READ TOPIC"))
    bob.ask(api_of("offset_commit"), 8, {"group_id": "g", "topics": PARTITION})
    bob.ask(api_of("init_producer_id"), 4, {"transactional_id": "x", "transaction_timeout_ms": 1000})
    groups, transactions = api_of("list_groups"), api_of("list_transactions")
    assert names_in(bob.ask(groups, 4, {}), "groups", "group_id") == ["g"]
    assert names_in(bob.ask(transactions, 0, {}), "transaction_states", "transactional_id") == ["x"]
    bob.may()
    assert names_in(bob.ask(groups, 4, {}), "groups", "group_id") == []
    assert names_in(bob.ask(transactions, 0, {}), "transaction_states", "transactional_id") == []
    bob.may(rule("DESCRIBE CLUSTER"))
    assert names_in(bob.ask(groups, 4, {}), "groups", "group_id") == ["g"]


def test_what_a_peer_may_do_to_the_cluster_is_told_as_bits(bob: Bob) -> None:
    wanted = {"include_cluster_authorized_operations": True}
    bob.may(rule("ALTER CLUSTER"))
    answer = bob.ask(api_of("describe_cluster"), 0, wanted)
    expected = 1 << Operation.ALTER | 1 << Operation.DESCRIBE
    assert answer.cluster_authorized_operations == expected  # type: ignore[attr-defined]
    bob.may(rule("CREATE CLUSTER"))
    assert bob.ask(api_of("describe_cluster"), 0, wanted).cluster_authorized_operations == 0  # type: ignore[attr-defined]


def test_without_an_authorizer_rules_cannot_be_kept(bench: Bench) -> None:
    bob = Bob(bench)
    case = next(case for case in CASES if case.api == "create_acls")
    assert errors_in(bob.ask(api_of(case.api), 3, case.request)) == {ErrorCode.SECURITY_DISABLED}


def test_a_produce_that_wants_no_answer_and_is_refused_ends_the_connection(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(authorize=True)
    bench.node.create_topic("t", 1)
    bob = Bob(bench)
    request = build(api_of("produce").request, {**CASES[0].request, "acks": 0})
    bench.feed(bob.connection, frames.encode_request(api_of("produce"), 9, 1, "bob", request))
    bench.until(lambda: bob.transport.ended)
    assert bench.node.log.topics["t"].partitions[0].end_offset == 0
